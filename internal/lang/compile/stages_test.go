package compile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/jsonschema"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/format"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/testkit/bothways"
	"towpath.dev/internal/testkit/coretext"
	"towpath.dev/internal/testkit/evalcase"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write what the stages make into the archives")

// TestStages checks the archives of testdata/lang/stages: each holds a small
// program and what every stage makes of it.
//
//	main.tow       the program; further .tow files are further modules
//	errors         the diagnostics, as shown to a person
//	formatted.tow  main.tow formatted, where that differs
//	core           the checked tree, in the notation of package coretext
//	functions      names of functions that the next three show besides main's own
//	lowered.ir     the functions before
//	optimised.ir   and after optimisation
//	module.wat     and as WebAssembly
//	sites          the places of the numbers behind @ in main's optimised functions
//	V.schema.json  the JSON Schemas of the input and the answer of the view V
//	V.input.json   an input of V, {} without, and how the request ends:
//	V.output.json  the answer,
//	V.fault        or the fault, its place and the functions on the stack
//	V.failed       or the call or the scope that failed
//
// "V." is left out of the view main. The files options.json, answers.json and
// verdicts.json are those of package evalcase. Errors, formatting and the ends of
// requests are always checked, on the interpreter and the engine, the others
// where the archive has them. With -update the sections are written anew; an
// empty one is filled.
func TestStages(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/stages/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found := stages(t, txtar.Parse(string(text))).String()
			switch {
			case found == string(text) || t.Failed():
			case *update:
				if err := os.WriteFile(path, []byte(found), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the stages make something else of it (-update writes it):\n%s", difference(string(text), found))
			}
		})
	}
}

// order is that of the sections in an archive; those of a view other than main
// stand together behind them.
var order = []string{
	".tow", "options.json", "answers.json", "verdicts.json", "errors", "formatted.tow",
	"core", "functions", "lowered.ir", "optimised.ir", "module.wat", "sites",
	"schema.json", "input.json", "output.json", "fault", "failed",
}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	if strings.HasSuffix(name, ".tow") {
		return 0
	}
	_, kind, _ := strings.Cut(name, ".")
	return slices.Index(order, kind)
}

// stages is the archive with its sections as the stages make them now.
func stages(t *testing.T, a *txtar.Archive) *txtar.Archive {
	out := &txtar.Archive{Comment: a.Comment}
	files := fstest.MapFS{}
	for _, f := range a.Files {
		switch {
		case rank(f.Name) < 0:
			t.Fatalf("the section %s means nothing", f.Name)
		case rank(f.Name) == 0:
			files[f.Name] = &fstest.MapFile{Data: []byte(f.Text)}
		}
		out.Set(f.Name, f.Text)
	}
	for _, name := range []string{"errors", "formatted.tow", "output.json", "fault", "failed"} {
		out.Files = slices.DeleteFunc(out.Files, func(f txtar.File) bool {
			return f.Name == name || rank(name) > 5 && strings.HasSuffix(f.Name, "."+name)
		})
	}
	b := build(t, files)
	if b.problems != "" {
		out.Set("errors", b.problems)
	}
	formatting(t, b.plain, out)
	if b.optimised.Artifact != nil {
		b.sections(t, out)
		requests(t, b, out)
	}
	slices.SortStableFunc(out.Files, func(x, y txtar.File) int {
		if x, y := viewOf(x.Name), viewOf(y.Name); x != y {
			return strings.Compare(x, y)
		}
		return rank(x.Name) - rank(y.Name)
	})
	return out
}

// viewOf is the view's name before a section's, "" in those of the program.
func viewOf(name string) string {
	if view, kind, ok := strings.Cut(name, "."); ok && rank(name) >= slices.Index(order, "schema.json") && kind == order[rank(name)] {
		return view
	}
	return ""
}

// built is a program compiled with and without the optimiser.
type built struct {
	plain, optimised *compile.Result
	problems         string
}

// build compiles the program, twice each way: the same sources give the same
// bytes.
func build(t *testing.T, files fstest.MapFS) *built {
	b := &built{}
	for range 2 {
		for _, plain := range []bool{true, false} {
			res, err := compile.Build(files, compile.Options{Name: "stages", Plain: plain})
			if err != nil {
				t.Fatal(err)
			}
			into := &b.optimised
			if plain {
				into = &b.plain
			}
			if before := *into; before != nil && !bytes.Equal(before.Artifact, res.Artifact) {
				t.Error("the same sources give other bytes when compiled again")
			}
			*into = res
		}
	}
	var text strings.Builder
	if err := diag.Text(&text, b.plain.Diags.All, diag.Options{}); err != nil {
		t.Fatal(err)
	}
	b.problems = text.String()
	return b
}

// formatting adds what the formatter makes of main.tow.
func formatting(t *testing.T, res *compile.Result, out *txtar.Archive) {
	for path, file := range res.Files {
		text, problems := format.Source(file.Source)
		switch {
		case problems.HasErrors() || bytes.Equal(text, file.Source.Text):
		case path == "main.tow":
			out.Set("formatted.tow", string(text))
		default:
			t.Errorf("%s is not formatted", path)
		}
	}
}

// sections fills the sections of the stages that the archive has.
func (b *built) sections(t *testing.T, out *txtar.Archive) {
	also, _ := out.Get("functions")
	shown := func(name string) bool {
		name = strings.TrimPrefix(strings.Trim(name, `"`), "view:")
		name, _, _ = strings.Cut(name, "#")
		return strings.HasPrefix(name, "main.") || slices.Contains(strings.Fields(also), name)
	}
	var optimised string
	for i, f := range out.Files {
		text, view := f.Text, ""
		switch kind := order[rank(f.Name)]; kind {
		case "core":
			text = ""
			for _, m := range b.plain.Program.Modules {
				if !strings.HasPrefix(m.Path, "std/") {
					text += coretext.Module(m)
				}
			}
		case "lowered.ir":
			text = middle(t, b.plain.IR, shown)
		case "optimised.ir":
			text = middle(t, b.optimised.IR, shown)
			optimised = text
		case "module.wat":
			text = webAssembly(t, b.optimised.Artifact, shown)
		case "sites":
			text = sites(b.optimised.Manifest, optimised)
		case "schema.json":
			if view = strings.TrimSuffix(strings.TrimSuffix(f.Name, kind), "."); view == "" {
				view = "main"
			}
			text = schemas(t, b.optimised.Manifest, view)
		}
		out.Files[i].Text = text
	}
}

// middle is the text of some functions of a module. They go by the names that
// they have in the whole module's.
func middle(t *testing.T, m *ir.Module, shown func(name string) bool) string {
	if err := ir.Verify(m); err != nil {
		t.Error(err)
	}
	var text strings.Builder
	if err := ir.Fprint(&text, m); err != nil {
		t.Fatal(err)
	}
	return pick(text.String(), "func ", "(", shown)
}

func webAssembly(t *testing.T, data []byte, shown func(name string) bool) string {
	var text strings.Builder
	if err := wasm.Fprint(&text, data); err != nil {
		t.Fatal(err)
	}
	return pick(strings.ReplaceAll(text.String(), "\n  ", "\n"), "(func $", " ", shown)
}

// pick keeps the functions shown of a text in which blank lines part functions;
// a function's name stands between head and tail.
func pick(text, head, tail string, shown func(name string) bool) string {
	var kept []string
	for part := range strings.SplitSeq(text, "\n\n") {
		if after, ok := strings.CutPrefix(part, head); ok {
			if name, _, _ := strings.Cut(after, tail); shown(name) {
				kept = append(kept, strings.TrimRight(part, "\n")+"\n")
			}
		}
	}
	return strings.Join(kept, "\n")
}

var siteNumber = regexp.MustCompile(`@(\d+)\b`)

// sites tells the places of the site numbers in a text: what can happen, in which
// function, where, and through which calls its code was copied there.
func sites(m *artifact.Manifest, text string) string {
	used := map[int]bool{}
	for _, n := range siteNumber.FindAllStringSubmatch(text, -1) {
		i, _ := strconv.Atoi(n[1])
		used[i] = true
	}
	place := func(s *artifact.Site) string {
		return fmt.Sprintf("%s %s:%d:%d", s.Func, m.Files[s.File], s.Line, s.Column)
	}
	var b strings.Builder
	for i := range m.Sites {
		if s := &m.Sites[i]; used[i] && s.File >= 0 {
			fmt.Fprintf(&b, "@%d %s, %s", i, s.Kind, place(s))
			for _, call := range s.Through {
				fmt.Fprintf(&b, ", from %s", place(&m.Sites[call]))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// schemas are the schemas of a view's input and answer.
func schemas(t *testing.T, m *artifact.Manifest, view string) string {
	for _, v := range m.Views {
		if v.QualifiedName() == "main."+view {
			return indented(t, map[string]any{
				"input":  jsonschema.Of(&m.Schema, v.Input),
				"output": jsonschema.Of(&m.Schema, v.Result),
			})
		}
	}
	t.Fatalf("there is no view %s", view)
	return ""
}

// indented is JSON with what fits on a line there.
func indented(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var write func(indent, text string) string
	write = func(indent, text string) string {
		var parts []string
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		switch {
		case len(indent)+len(text) <= 96:
			return text
		case json.Unmarshal([]byte(text), &members) == nil:
			for _, name := range slices.Sorted(maps.Keys(members)) {
				parts = append(parts, fmt.Sprintf("%q: %s", name, write(indent+"  ", string(members[name]))))
			}
		case json.Unmarshal([]byte(text), &elements) == nil:
			for _, e := range elements {
				parts = append(parts, write(indent+"  ", string(e)))
			}
		default:
			return text
		}
		return text[:1] + "\n  " + indent + strings.Join(parts, ",\n  "+indent) + "\n" + indent + text[len(text)-1:]
	}
	return write("", string(text)) + "\n"
}

// requests runs the views of main.tow and adds how that ends.
func requests(t *testing.T, b *built, out *txtar.Archive) {
	var text strings.Builder
	var views []string
	for _, f := range out.Files {
		if r := rank(f.Name); r < slices.Index(order, "errors") || order[r] == "input.json" {
			fmt.Fprintf(&text, "-- %s --\n%s", f.Name, f.Text)
		}
	}
	for _, v := range b.optimised.Manifest.Views {
		if v.Module == "main" {
			views = append(views, v.Name)
			fmt.Fprintf(&text, "-- %s.refused --\n", v.Name) // an end to be overruled
		}
	}
	c, err := evalcase.Parse(t.Name(), text.String())
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := bothways.Outcomes(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		at := ""
		if views[i] != "main" {
			at = views[i] + "."
		}
		switch o.Kind {
		case bothways.Answered:
			out.Set(at+"output.json", indented(t, json.RawMessage(o.Text)))
		case bothways.Faulted:
			out.Set(at+"fault", o.Text+" "+o.At+"\n"+b.stack(t, c, i))
		case bothways.Failed:
			out.Set(at+"failed", strings.TrimSpace(o.Text+" "+o.At))
		default:
			t.Errorf("%s: %s", views[i], o)
		}
	}
}

// stack is the functions in which a run of a case faults, innermost first. What
// was inlined further out may be missing, but nothing else differs from the stack
// of the program that was not optimised.
func (b *built) stack(t *testing.T, c *evalcase.Case, i int) string {
	var stacks [][]string
	for _, res := range []*compile.Result{b.plain, b.optimised} {
		program, err := engine.Load(t.Context(), res.Artifact, engine.Options{Gas: c.Gas, Depth: c.Depth})
		if err != nil {
			t.Fatal(err)
		}
		defer program.Close(context.Background())
		name := "main." + c.Runs[i].View
		view, err := program.View(name)
		if err != nil {
			t.Fatal(err)
		}
		// No archive's fault comes behind an answer.
		rec := &engine.Record{Artifact: program.Hash(), View: name, Input: c.Runs[i].Input, Now: c.Now, Seed: c.Seed}
		_, err = view.Do(t.Context(), nil, engine.Request{Replay: rec})
		var fault *engine.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("%s ends with %v when it runs again", name, err)
		}
		stacks = append(stacks, fault.Stack)
	}
	whole := stacks[0]
	for i, name := range stacks[1] {
		at := slices.Index(whole, name)
		if at < 0 || i == 0 && at > 0 {
			t.Errorf("the stack is %q without, and %q with inlining", stacks[0], stacks[1])
			break
		}
		whole = whole[at+1:]
	}
	return shorten(stacks[1])
}

// shorten writes a stack, a function that calls itself once.
func shorten(stack []string) string {
	var b strings.Builder
	for i := 0; i < len(stack); {
		n := 1
		for i+n < len(stack) && stack[i+n] == stack[i] {
			n++
		}
		fmt.Fprintf(&b, "  in %s", stack[i])
		if n > 1 {
			fmt.Fprintf(&b, ", %d times", n)
		}
		b.WriteByte('\n')
		i += n
	}
	return b.String()
}

// difference shows the first lines in which two texts differ.
func difference(was, is string) string {
	w, n := strings.Split(was, "\n"), strings.Split(is, "\n")
	i := 0
	for i < min(len(w), len(n)) && w[i] == n[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(0, min(i, len(lines))-3):min(len(lines), i+8)], "\n")
	}
	return fmt.Sprintf("line %d was\n%s\n\nand is\n%s", i+1, around(w), around(n))
}
