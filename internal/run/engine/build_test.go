package engine_test

import (
	"fmt"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/lower"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
	"towpath.dev/internal/run/engine"
)

// build compiles one module, "shop".
func build(t testing.TB, text string) []byte {
	t.Helper()
	var d diag.List
	var mods []types.Source
	for _, f := range stdlib.Sources() {
		mods = append(mods, types.Source{Path: f.Path, File: syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &d)})
	}
	mods = append(mods, types.Source{Path: "shop", File: syntax.Parse(span.NewFile("shop.tow", []byte(text)), &d)})
	program, _ := types.Check(mods, &d)
	if d.HasErrors() {
		t.Fatal(d.All[0])
	}
	oracle := interp.New(program, interp.Options{})
	module, man, err := lower.Program(program, lower.Options{JSON: func(e core.Expr) (string, error) {
		v, err := oracle.Eval(e, oracle.NewEnv())
		if err != nil {
			return "", err
		}
		text, err := oracle.AppendJSON(nil, e.TypeOf(), v)
		return string(text), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := emit.Module(module)
	if err != nil {
		t.Fatal(err)
	}
	data, err := artifact.Encode(wasm, man)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// load compiles and loads one module, "shop".
func load(t testing.TB, text string, opts engine.Options) *engine.Program {
	t.Helper()
	p, err := engine.Load(t.Context(), build(t, text), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	return p
}

// answer calls a view and gives the answer, or the error.
func answer(t testing.TB, p *engine.Program, view, input string) string {
	t.Helper()
	out, err := p.AppendCall(t.Context(), nil, view, []byte(input))
	if err != nil {
		return fmt.Sprint("error: ", err)
	}
	return string(out)
}
