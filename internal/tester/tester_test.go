package tester_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/tester"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write the goldens anew")

// check checks the .tow files of an archive.
func check(t testing.TB, a *txtar.Archive) *core.Program {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".tow") {
			files[f.Name] = &fstest.MapFile{Data: []byte(f.Text)}
		}
	}
	res, err := compile.Check(files, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		var text strings.Builder
		if err := diag.Text(&text, res.Diags.All, diag.Options{}); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("the program has mistakes:\n%s", text.String())
	}
	return res.Program
}

// TestReports runs the tests of each archive in testdata and compares what a
// person and what a program is shown: in the files "text" and "json".
func TestReports(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(data))
			var text, json strings.Builder
			people := tester.Text{W: &text, Style: tester.Style{Verbose: true, Missing: true}}
			programs := tester.JSON{W: &json}
			s := tester.Run(check(t, a), tester.Options{}, func(r *tester.Result) {
				for _, err := range []error{people.Result(r), programs.Result(r)} {
					if err != nil {
						t.Error(err)
					}
				}
			})
			for _, err := range []error{people.Summary(s), programs.Summary(s)} {
				if err != nil {
					t.Error(err)
				}
			}
			for name, got := range map[string]string{"text": text.String(), "json": json.String()} {
				want, listed := a.Get(name)
				if listed && got != want && !*update {
					t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
				}
				if *update && listed {
					a.Set(name, got)
				}
			}
			if *update {
				if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
