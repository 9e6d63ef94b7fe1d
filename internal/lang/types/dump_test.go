package types

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/testkit/coretext"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write the checked trees found into the archives")

// TestCore compares the checked trees of testdata/lang/core with what is written
// there, in the notation of package coretext.
func TestCore(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/core/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(text))
			var mods []testModule
			for _, f := range a.Files {
				if name, ok := strings.CutSuffix(f.Name, ".tow"); ok {
					mods = append(mods, testModule{name, f.Text})
				}
			}
			prog, _, d := check(t, mods...)
			got := report(d)
			for _, m := range prog.Modules {
				if !isStdPath(m.Path) {
					got += coretext.Module(m)
				}
			}
			if want, _ := a.Get("core"); got != want {
				if !*update {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
					return
				}
				a.Set("core", got)
				if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
