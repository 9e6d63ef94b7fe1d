package stdlib_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

// example is one line of a doc comment's example.
type example struct {
	of   string // "list.take"
	text string
}

// examplesOf cuts the examples out of a module's doc comments.
func examplesOf(file *syntax.File) []example {
	var out []example
	module := strings.TrimSuffix(path.Base(file.Source.Path), ".tow")
	for _, d := range publicDecls(file) {
		head := declHead(d)
		inside := false
		for line := range strings.Lines(head.Doc) {
			switch line = strings.TrimSpace(line); {
			case line == "```tow":
				inside = true
			case line == "```":
				inside = false
			case inside:
				out = append(out, example{of: module + "." + head.Name.Text, text: line})
			}
		}
	}
	return out
}

// TestExamples runs every line of the examples: each is true.
func TestExamples(t *testing.T) {
	mods := stdSources(t)
	examples := map[string][]example{} // by the path of the module that was made of them
	for _, mod := range stdSources(t) {
		name := "examples/" + path.Base(mod.Path)
		examples[name] = examplesOf(mod.File)
		var text strings.Builder
		for i, e := range examples[name] {
			fmt.Fprintf(&text, "// %s\npub fn example%d() -> Bool {\n  %s\n}\n\n", e.of, i, e.text)
		}
		var diags diag.List
		file := syntax.Parse(span.NewFile(name+".tow", []byte(text.String())), &diags)
		for _, d := range diags.All {
			t.Error(d.String())
		}
		mods = append(mods, types.Source{Path: name, File: file})
	}
	program := check(t, mods)
	if t.Failed() {
		return
	}
	count := 0
	for _, module := range program.Modules {
		for i, f := range module.Funcs {
			if list := examples[module.Path]; list != nil {
				runExample(t, program, list[i], f)
				count++
			}
		}
	}
	t.Logf("%d examples", count)
}

func check(t *testing.T, mods []types.Source) *core.Program {
	t.Helper()
	var diags diag.List
	program, _ := types.Check(mods, &diags)
	for _, d := range diags.All {
		t.Error(d.String())
	}
	return program
}

func runExample(t *testing.T, program *core.Program, e example, f *core.Func) {
	t.Helper()
	switch v, err := interp.New(program, interp.Options{Seed: 7}).Run(f, nil); {
	case err != nil:
		t.Errorf("%s: %s: %v", e.of, e.text, err)
	case v != interp.Value(true):
		t.Errorf("%s: %s is %v", e.of, e.text, v)
	}
}
