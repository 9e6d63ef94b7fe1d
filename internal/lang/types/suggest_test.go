package types

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/stdlib"
)

func TestNearest(t *testing.T) {
	for _, c := range []struct{ name, candidates, want string }{
		{"lenght", "length last", "length"},
		{"len", "last length size", "length"},
		{"len", "last size", "size"},
		{"reduce", "fold remove", "fold"},
		{"upper", "toUpper toLower", "toUpper"},
		{"print", "int debug", "debug"},
		{"print", "int", ""}, // too little is left of it
		{"ofer", "offer other", "offer"},
		{"ys", "xs", "xs"},
		{"total", "sum", ""},
	} {
		if got := nearest(c.name, strings.Fields(c.candidates)); got != c.want {
			t.Errorf("nearest(%q, %s) = %q, want %q", c.name, c.candidates, got, c.want)
		}
	}
}

// TestElsewhere finds every name that a mistake is led to in the library.
func TestElsewhere(t *testing.T) {
	var library strings.Builder
	for _, s := range stdlib.Sources() {
		library.WriteString(s.Text)
	}
	for name, here := range elsewhere {
		for _, n := range here {
			if n != "debug" && !strings.Contains(library.String(), "\npub fn "+n+"(") && !strings.Contains(library.String(), "\npub fn "+n+"<") {
				t.Errorf("%s leads to %s, which is no function of the library", name, n)
			}
		}
	}
}
