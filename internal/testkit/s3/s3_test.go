package s3

import (
	"os"
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	a, b := Start(t), Start(t)
	if a.Address == b.Address || a.Secret == b.Secret {
		t.Errorf("two servers are one: %s, %s", a.Address, b.Address)
	}
}

func TestVersion(t *testing.T) {
	script, err := os.ReadFile("../../../tools/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\nversion="+version+" ") {
		t.Errorf("tools/versitygw builds another version than %s", version)
	}
}
