package syntax

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden archives")

// TestGolden parses each source of an archive; its diagnostics must be those
// of the file of the same name that ends in `.out`.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/syntax/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(data))
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if strings.HasSuffix(f.Name, ".out") {
					continue
				}
				got := shown(t, f.Name, f.Text)
				out.Set(f.Name, f.Text)
				out.Set(f.Name+".out", got)
				if want, _ := a.Get(f.Name + ".out"); !*update && got != want {
					t.Errorf("%s gives something else than the archive says (see -update):\n%s", f.Name, firstDifference(got, want))
				}
			}
			if *update {
				if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func shown(t *testing.T, name, text string) string {
	var d diag.List
	Parse(span.NewFile(name, []byte(text)), &d)
	d.Sort()
	var b strings.Builder
	if err := diag.Text(&b, d.All, diag.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// firstDifference shows the lines around the first that differ.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, n-3):min(len(lines), n+5)], "\n")
	}
	return "got\n" + around(a) + "\nwant\n" + around(b)
}
