package engine_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/run/engine"
)

// buildProgram compiles one module, "shop".
func buildProgram(t testing.TB, text string) (*core.Program, []byte) {
	t.Helper()
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	return res.Program, res.Artifact
}

// load compiles and loads one module, "shop".
func load(t testing.TB, text string, opts engine.Options) *engine.Program {
	t.Helper()
	_, data := buildProgram(t, text)
	p, err := engine.Load(t.Context(), data, opts)
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
