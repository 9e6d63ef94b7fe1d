package ports

import (
	"net"
	"testing"
)

func TestFree(t *testing.T) {
	all, err := Free(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range all { // all at once
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}
