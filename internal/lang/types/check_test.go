package types

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
)

// module is a source under test.
type testModule struct{ path, text string }

// library is the standard library, parsed once: checking changes no syntax tree.
var library = sync.OnceValue(func() []Source {
	d := &diag.List{}
	var sources []Source
	for _, f := range stdlib.Sources() {
		sources = append(sources, Source{f.Path, parse(f.Path+".tow", f.Text, d)})
	}
	if len(d.All) > 0 {
		panic("the standard library does not parse: " + d.All[0].Error())
	}
	return sources
})

func parse(path, text string, d *diag.List) *syntax.File {
	return syntax.Parse(span.NewFile(path, []byte(text)), d)
}

// check parses and checks modules together with the standard library.
func check(t testing.TB, mods ...testModule) (*core.Program, *Info, *diag.List) {
	t.Helper()
	d := &diag.List{}
	sources := slices.Clone(library())
	for _, m := range mods {
		sources = append(sources, Source{m.path, parse(m.path+".tow", m.text, d)})
	}
	prog, info := Check(sources, d)
	if !d.HasErrors() {
		verify(t, prog, len(mods) == 0)
	}
	d.Sort()
	return prog, info, d
}

func report(d *diag.List) string {
	var b strings.Builder
	for _, x := range d.All {
		fmt.Fprintln(&b, x.Error())
		if x.Expected != "" {
			fmt.Fprintf(&b, "    expected %s, found %s\n", x.Expected, x.Found)
		}
		for _, n := range x.Notes {
			fmt.Fprintf(&b, "    %s %s\n", n.At, n.Text)
		}
		if x.Fix != nil {
			fmt.Fprintf(&b, "    fix: %s\n", x.Fix.Title)
		}
	}
	return b.String()
}

func TestStandardLibrary(t *testing.T) {
	prog, _, d := check(t)
	for _, w := range wellKnown {
		if def := *w.slot(&prog.Std); !slices.Contains(prog.Modules, def.Module) {
			t.Errorf("the standard library does not declare %s", w.name)
		}
	}
	if len(d.All) > 0 {
		t.Errorf("the standard library has diagnostics:\n%s", report(d))
	}
}
