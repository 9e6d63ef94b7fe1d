package progen

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
)

// check checks a program.
func check(t *testing.T, p *Program) *compile.Result {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range p.Files() {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	res, err := compile.Check(files, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestProgramsCheck(t *testing.T) {
	for seed := range uint64(50) {
		p := Generate(seed)
		for _, d := range check(t, p).Diags.All {
			if d.Severity == diag.Error {
				t.Errorf("seed %d: %s: %s %s", seed, d.At, d.Code, d.Message)
			}
		}
	}
}

func TestSeedsDecide(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		a, b := Generate(seed), Generate(seed)
		if !maps.Equal(a.Files(), b.Files()) || a.Gas != b.Gas || a.Depth != b.Depth {
			t.Errorf("seed %d makes two programs", seed)
		}
		res := check(t, a)
		for _, m := range res.Program.Modules {
			for _, f := range m.Funcs {
				if f.Kind != core.View {
					continue
				}
				x, y := Input(res.Program, f, seed), Input(res.Program, f, seed)
				if string(x) != string(y) {
					t.Errorf("seed %d makes two inputs: %s and %s", seed, x, y)
				}
			}
		}
		seen[a.Files()["main.tow"]] = true
	}
	if len(seen) < 20 {
		t.Errorf("20 seeds make %d programs", len(seen))
	}
}

// TestReduce reduces a program as long as it checks and asks a service.
func TestReduce(t *testing.T) {
	asks := func(p *Program) bool {
		res := check(t, p)
		if res.Diags.HasErrors() {
			return false
		}
		for _, m := range res.Program.Modules {
			for _, f := range m.Funcs {
				if f.Kind == core.View && len(f.Callings) > 0 {
					return true
				}
			}
		}
		return false
	}
	size := func(p *Program) int {
		n := 0
		for _, text := range p.Files() {
			n += len(strings.Fields(text))
		}
		return n
	}
	for seed := range uint64(4) {
		p := Generate(seed)
		if !asks(p) {
			continue
		}
		before := size(p)
		p.Reduce(150, asks)
		if !asks(p) {
			t.Errorf("seed %d: the reduced program no longer asks", seed)
		}
		if after := size(p); after > before/2 {
			t.Errorf("seed %d: of %d words %d are left", seed, before, after)
		}
	}
}
