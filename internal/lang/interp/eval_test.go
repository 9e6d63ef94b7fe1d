package interp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
	"towpath.dev/internal/testkit/evalcase"
)

// TestEval runs the archives of testdata/lang/eval.
func TestEval(t *testing.T) {
	cases, err := evalcase.Load("../../../testdata/lang/eval")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d archives: %v", len(cases), err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			program := check(t, c.Files)
			for _, run := range c.Runs {
				got, want := eval(t, program, c, run), wanted(run)
				if run.Refused && strings.HasPrefix(got, want) {
					continue // the reason is not the archive's matter
				}
				if got != want {
					t.Errorf("%s(%s)\n got %s\nwant %s", run.View, bytes.TrimSpace(run.Input), got, want)
				}
			}
		})
	}
}

func wanted(run evalcase.Run) string {
	switch {
	case run.Fault != "":
		return "fault: " + run.Fault
	case run.Refused:
		return "input refused"
	case run.Failed != "":
		return "failed: " + run.Failed
	}
	return string(run.Want)
}

// check makes the program of the Tow files, which must be without errors.
func check(t *testing.T, files fs.FS) *core.Program {
	t.Helper()
	var d diag.List
	var mods []types.Source
	add := func(path, text string) {
		mods = append(mods, types.Source{
			Path: strings.TrimSuffix(path, ".tow"), File: syntax.Parse(span.NewFile(path, []byte(text)), &d),
		})
	}
	for _, f := range stdlib.Sources() {
		add(f.Path+".tow", f.Text)
	}
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		add(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	program, _ := types.Check(mods, &d)
	if d.HasErrors() {
		d.Sort()
		for _, problem := range d.All {
			t.Errorf("%s: %s %s", problem.At, problem.Code, problem.Message)
		}
		t.FailNow()
	}
	return program
}

// eval runs a view and tells how it ended.
func eval(t *testing.T, program *core.Program, c *evalcase.Case, run evalcase.Run) string {
	t.Helper()
	view := find(program, run.View)
	if view == nil {
		t.Fatalf("main.tow has no view or function %s", run.View)
	}
	m := interp.New(program, interp.Options{
		Gas: c.Gas, Depth: c.Depth, Now: c.Now, Seed: c.Seed, World: &recorded{c, scopeLines(program)},
	})
	args, err := decodeInput(m, view, run.Input)
	if err != nil {
		return "input refused: " + err.Error()
	}
	v, err := m.Run(view, args)
	switch err := err.(type) {
	case nil:
		text, err := m.AppendJSON(nil, view.Result, v)
		if err != nil {
			return "no JSON: " + err.Error()
		}
		return string(text)
	case *interp.Fault:
		return fmt.Sprintf("fault: %s %s", err.Kind, err.At)
	case *interp.Failed:
		if err.Op == nil {
			return fmt.Sprintf("failed: %v %s", err.Reason, err.At)
		}
		return fmt.Sprintf("failed: %s.%s %s", err.Op.Service.Name, err.Op.Name, err.At)
	}
	return "unforeseen: " + err.Error()
}

func find(program *core.Program, name string) *core.Func {
	for _, m := range program.Modules {
		for _, f := range m.Funcs {
			if m.Path == "main" && f.Name == name {
				return f
			}
		}
	}
	return nil
}

// decodeInput reads an object with a member a parameter, as it would a record.
func decodeInput(m *interp.Machine, view *core.Func, input []byte) ([]interp.Value, error) {
	def := &core.TypeDef{Name: "Input", Kind: core.Record}
	ctor := &core.Ctor{Def: def, Name: "Input"}
	for _, p := range view.Params {
		ctor.Fields = append(ctor.Fields, &core.Field{Name: p.Name, Type: p.Type, Default: p.Default})
	}
	def.Ctors = []*core.Ctor{ctor}
	v, err := m.DecodeJSON(&core.Con{Def: def}, input)
	if err != nil {
		return nil, err
	}
	return v.(*interp.Record).Fields, nil
}

// recorded is the world of an archive.
type recorded struct {
	c     *evalcase.Case
	lines map[core.Site]int
}

func (r *recorded) Ask(c *interp.Call) (interp.Answer, error) {
	text, err := r.c.Answer(c.Op.Service.Name+"."+c.Op.Name, c.Canonical)
	return interp.Answer{JSON: text}, err
}

func (r *recorded) Verdict(site core.Site, _ uint64, _ int64, _ bool) abi.Verdict {
	return r.c.Verdicts[r.lines[site]]
}

// scopeLines gives the line of main.tow on which each scope begins.
func scopeLines(program *core.Program) map[core.Site]int {
	lines := map[core.Site]int{}
	for _, m := range program.Modules {
		if m.Path != "main" {
			continue
		}
		var walk func(e core.Expr)
		walk = func(e core.Expr) {
			if s, ok := e.(*core.Scope); ok {
				lines[s.Site], _ = s.At.File.Position(s.At.Start)
			}
			core.EachChild(e, walk)
		}
		for _, f := range m.Funcs {
			if f.Body != nil {
				walk(f.Body)
			}
		}
	}
	return lines
}

// TestStack checks what a fault tells of the way to it.
func TestStack(t *testing.T) {
	program := check(t, fstest.MapFS{"main.tow": {Data: []byte(`view main(ns: List<Int>, by: Int) -> List<Int> {
  ns |> map(n =>
    share(n, by))
}

fn share(n: Int, by: Int) -> Int {
  n /
    by
}
`)}})
	m := interp.New(program, interp.Options{})
	_, err := m.Run(find(program, "main"), []interp.Value{interp.NewList(int64(1)), int64(0)})
	var fault *interp.Fault
	if !errors.As(err, &fault) {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fault.Stack {
		got = append(got, fmt.Sprintf("%s lambda %v %s", f.Func.QualifiedName(), f.Lambda, f.At))
	}
	want := []string{
		"main.share lambda false main.tow:7:3",
		"main.main lambda true main.tow:3:5",
		"main.main lambda false main.tow:2:3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the stack is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := fault.Error(); text != "main.tow:7:3: division by zero: 1 / 0" {
		t.Errorf("it says %s", text)
	}
	if len(fault.Inputs) != 2 || m.Render(fault.Inputs[0].Type, fault.Inputs[0].Value) != "[1]" || fault.Inputs[1].Name != "by" {
		t.Errorf("the inputs are %v", fault.Inputs)
	}
}

// TestDebugAndCoverage checks what a run tells its listeners.
func TestDebugAndCoverage(t *testing.T) {
	program := check(t, fstest.MapFS{"main.tow": {Data: []byte(`type Id(String)

fn pick<T>(x: T) -> T {
  debug(x)
}

view main(n: Int) -> Int {
  let _ = pick((Some(Id("a")), 5m))
  if n > 0 {
    debug(n) + 1
  } else {
    n
  }
}
`)}})
	var log []string
	lines := map[int]bool{}
	m := interp.New(program, interp.Options{
		Debug: func(at span.Span, text string) { log = append(log, at.String()+" "+text) },
		Coverage: func(at span.Span) {
			if line, _ := at.File.Position(at.Start); at.File.Path == "main.tow" {
				lines[line] = true
			}
		},
	})
	if _, err := m.Run(find(program, "main"), []interp.Value{int64(3)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{`main.tow:4:3 (Some(Id("a")), 5m)`, "main.tow:10:5 3"}; !slices.Equal(log, want) {
		t.Errorf("debug printed %q, want %q", log, want)
	}
	if !lines[4] || !lines[8] || !lines[10] || lines[12] {
		t.Errorf("covered the lines %v", lines)
	}
}
