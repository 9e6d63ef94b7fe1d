package types

import (
	"os"
	"strings"
	"testing"
)

// TestSpec checks every example of the specification: nothing is said about
// one, and something about one that is marked `fail`.
func TestSpec(t *testing.T) {
	text, err := os.ReadFile("../../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n```tow")[1:] {
		kind, body, _ := strings.Cut(part, "\n")
		body, _, _ = strings.Cut(body, "\n```")
		_, _, d := check(t, splitModules(body)...)
		switch {
		case kind == "" && len(d.All) > 0:
			t.Errorf("the example\n%s\ngives\n%s", body, report(d))
		case kind == " fail" && !d.HasErrors():
			t.Errorf("the example is not refused:\n%s", body)
		}
	}
}
