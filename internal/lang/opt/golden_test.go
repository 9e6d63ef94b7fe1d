package opt

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/ir/irtest"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write what the passes make into the archives")

// TestGolden runs the passes that an archive's first line names over its in.ir,
// and compares with its out.ir.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/lang/opt/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(data))
			in, _ := a.Get("in.ir")
			m, err := irtest.Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			if err := ir.Verify(m); err != nil {
				t.Fatal("in.ir:", err)
			}
			first, _, _ := strings.Cut(a.Comment, "\n")
			names, ok := strings.CutPrefix(first, "passes: ")
			if !ok {
				t.Fatalf("the first line names no passes: %q", first)
			}
			runPasses(t, m, strings.Fields(names))
			if err := ir.Verify(m); err != nil {
				t.Error("out.ir:", err)
			}
			if *update {
				a.Set("out.ir", text(m))
				if err := os.WriteFile(file, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want, _ := a.Get("out.ir"); text(m) != want {
				t.Errorf("got:\n%s\nwant:\n%s", text(m), want)
			}
		})
	}
}

func runPasses(t *testing.T, m *ir.Module, names []string) {
	if names[0] == "all" {
		Module(m, Full)
		return
	}
	c := newContext(m)
	for _, f := range c.order {
		for _, name := range names {
			i := slices.IndexFunc(passes, func(p pass) bool { return p.name == name })
			if i < 0 {
				t.Fatalf("there is no pass %q", name)
			}
			passes[i].run(c, f)
		}
		compactPass(c, f)
	}
}
