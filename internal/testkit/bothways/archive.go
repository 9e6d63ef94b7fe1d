package bothways

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/testkit/evalcase"
)

// Archive runs a case of testdata/lang/eval on all machines. The error tells
// which did not end as the archive says, or not as the interpreter did.
func Archive(ctx context.Context, c *evalcase.Case) error {
	outcomes, err := Outcomes(ctx, c)
	for i, got := range outcomes {
		if run := c.Runs[i]; !matches(got, run) {
			return fmt.Errorf("%s(%s): %s", run.View, bytes.TrimSpace(run.Input), got)
		}
	}
	return err
}

// InOtherWorlds runs the views of a case with their inputs on all machines, in
// worlds of seeds that have nothing to do with the archive's. Without the
// optimiser, functions are given as data; the other build copies what takes them.
func InOtherWorlds(t *testing.T, c *evalcase.Case) error {
	files, err := texts(c.Files)
	if err != nil {
		return err
	}
	s, err := New(t.Context(), files, Limits{Gas: c.Gas, Depth: c.Depth, Copies: -1})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, run := range c.Runs {
		view := s.entry(run.View)
		if view == nil || view.Kind != core.View {
			continue
		}
		for seed := range uint64(3) {
			if err := s.Compare(t, view, run.Input, seed); err != nil {
				return err
			}
		}
	}
	return nil
}

// Outcomes tells how the runs of a case end, whatever the archive says. When
// machines disagree on one, the error says so and the outcomes end with the
// interpreter's of that run.
func Outcomes(ctx context.Context, c *evalcase.Case) ([]Outcome, error) {
	files, err := texts(c.Files)
	if err != nil {
		return nil, err
	}
	s, err := New(ctx, files, Limits{Gas: c.Gas, Depth: c.Depth})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	lines := scopeLines(s.Program)
	var outcomes []Outcome
	for _, run := range c.Runs {
		view := s.entry(run.View)
		if view == nil {
			return outcomes, fmt.Errorf("main.tow has no view %s", run.View)
		}
		rec := &engine.Record{View: view.QualifiedName(), Input: run.Input, Now: c.Now, Seed: c.Seed}
		w := recording(rec, &world{
			answer: func(op *core.Operation, args []byte) ([]byte, error) {
				return c.Answer(op.Service.Name+"."+op.Name, args)
			},
			verdict: func(site core.Site, _ uint64, _ int64, _ bool) abi.Verdict { return c.Verdicts[lines[site]] },
		})
		got := s.interpret(view, rec, w)
		outcomes = append(outcomes, got)
		if view.Kind != core.View {
			continue // only the interpreter can call what is no entry
		}
		if err := s.replay(view, rec, Run{"interpreter", got}); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}

// texts are the files of a project by path.
func texts(project fs.FS) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(project, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(project, path)
		files[path] = string(text)
		return err
	})
	return files, err
}

// entry finds a view, or a function, of the module main.
func (s *Subject) entry(name string) *core.Func {
	for _, m := range s.Program.Modules {
		for _, f := range m.Funcs {
			if m.Path == "main" && f.Name == name {
				return f
			}
		}
	}
	return nil
}

// matches reports whether an outcome is what an archive wants.
func matches(o Outcome, run evalcase.Run) bool {
	switch {
	case run.Fault != "":
		return o.Kind == Faulted && o.Text+" "+o.At == run.Fault
	case run.Failed != "":
		// The archive names the call as its module does, and its place.
		operation, _, _ := strings.Cut(run.Failed, " ")
		return o.Kind == Failed && (o.Text == "scope" && strings.HasSuffix(run.Failed, o.At) || strings.Contains(o.Text, "."+operation+"["))
	case run.Refused:
		return o.Kind == Refused
	}
	return o.Kind == Answered && o.Text == string(run.Want)
}

// scopeLines gives the line of main.tow on which each scope begins.
func scopeLines(program *core.Program) map[core.Site]int {
	lines := map[core.Site]int{}
	var walk func(e core.Expr)
	walk = func(e core.Expr) {
		if s, ok := e.(*core.Scope); ok {
			lines[s.Site], _ = s.At.File.Position(s.At.Start)
		}
		core.EachChild(e, walk)
	}
	for _, m := range program.Modules {
		for _, f := range m.Funcs {
			if m.Path == "main" && f.Body != nil {
				walk(f.Body)
			}
		}
	}
	return lines
}
