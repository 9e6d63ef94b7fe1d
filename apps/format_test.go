package apps_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/span"
)

// TestFormatted holds the applications to the formatter's style; -update
// formats them.
func TestFormatted(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".tow" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		formatted, diags := format.Source(span.NewFile(name, text))
		if diags.HasErrors() || bytes.Equal(formatted, text) {
			return nil
		}
		if *update {
			return os.WriteFile(name, formatted, 0o644)
		}
		t.Errorf("%s is not formatted; run go test ./apps -update", name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
