package stdlib_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/lower"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
	"towpath.dev/internal/run/engine"
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

// exampleViews makes a module of each module's examples, "examples/list", with
// a view for each of them, and checks all.
func exampleViews(t *testing.T) (*core.Program, map[string][]example) {
	t.Helper()
	mods := stdSources(t)
	examples := map[string][]example{} // by the path of the module that was made of them
	for _, mod := range stdSources(t) {
		name := "examples/" + path.Base(mod.Path)
		examples[name] = examplesOf(mod.File)
		var text strings.Builder
		for i, e := range examples[name] {
			fmt.Fprintf(&text, "// %s\npub view example%d() -> Bool {\n  %s\n}\n\n", e.of, i, e.text)
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
		t.FailNow()
	}
	return program, examples
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

// TestExamples runs every line of the examples on the interpreter: each is true.
func TestExamples(t *testing.T) {
	program, examples := exampleViews(t)
	m := interp.New(program, interp.Options{Seed: 7})
	for _, module := range program.Modules {
		for i, view := range module.Funcs {
			list := examples[module.Path]
			if list == nil {
				continue
			}
			switch v, err := m.Run(view, nil); {
			case err != nil:
				t.Errorf("%s: %s: %v", list[i].of, list[i].text, err)
			case v != interp.Value(true):
				t.Errorf("%s: %s is %v", list[i].of, list[i].text, v)
			}
		}
	}
}

// TestExamplesCompiled runs every line of the examples as WebAssembly.
func TestExamplesCompiled(t *testing.T) {
	program, examples := exampleViews(t)
	module, manifest, err := lower.Program(program, lower.Options{})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := emit.Module(module)
	if err != nil {
		t.Fatal(err)
	}
	data, err := artifact.Encode(binary, manifest)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := engine.Load(t.Context(), data, engine.Options{Seed: func() int64 { return 7 }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loaded.Close(t.Context()) }()
	for name, list := range examples {
		for i, e := range list {
			answer, err := loaded.AppendCall(t.Context(), nil, fmt.Sprintf("%s.example%d", name, i), []byte("{}"))
			if err != nil || string(answer) != "true" {
				t.Errorf("%s: %s is %s, %v", e.of, e.text, answer, err)
			}
		}
	}
}
