package stdlib_test

import (
	"os"
	"path/filepath"
	"testing"

	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
)

// TestSourcesAreFormatted holds the library to the formatter's style; -update
// formats it.
func TestSourcesAreFormatted(t *testing.T) {
	names, err := filepath.Glob("std/*.tow")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "testdata/probe.tow") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		formatted, diags := format.Source(span.NewFile(name, text))
		if diags.HasErrors() || string(formatted) == string(text) {
			continue // what does not parse is another test's matter
		}
		if !*update {
			t.Errorf("%s is not formatted; run go test ./internal/lang/stdlib -update", name)
		} else if err := os.WriteFile(name, formatted, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
