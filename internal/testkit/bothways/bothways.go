// Package bothways runs programs through the interpreter and through the
// compiled engine, with and without the optimiser, and demands that all agree
// bit for bit: on the answer's JSON, or on the kind and place of a fault, or on
// the call or scope that failed, and on the gas that was spent.
//
// A [Subject] is one program on all machines. It is compared in two ways. In
// the first, the interpreter runs in the world of a seed, which knows every
// answer and every verdict at once; what it asked is the record that the
// engines replay. In the second, an engine runs in virtual time against a world
// that delays, shuffles, fails and loses answers, so that it needs many passes
// and scopes expire or are shed; its record is then what the interpreter runs
// with, and what the engines replay.
//
//	s, err := bothways.New(ctx, files, bothways.Limits{})
//	defer s.Close()
//	err = s.Compare(t, view, input, seed) // a *Disagreement
package bothways

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/run/engine"
)

// Limits bound the runs of a program. The zero Limits are the defaults.
type Limits struct {
	Gas   int64
	Depth int
	// Copies bounds how often the build without the optimiser copies a function
	// for the functions given to it; see lower.Options.
	Copies int
}

// Subject is a program on all machines. It is not safe for concurrent use.
type Subject struct {
	Program *core.Program
	// Kinds counts how the interpreter's runs ended.
	Kinds map[string]int

	limits   Limits
	machines []*machine
}

// machine is an engine with one build of the program.
type machine struct {
	name    string
	core    *core.Program
	ops     map[string]*core.Operation
	program *engine.Program
	world   *schedule // that its source answers from
	seed    int64     // of the next request
}

// ErrProgram says that a program has mistakes, or that a stage refused it.
var ErrProgram = errors.New("the program does not build")

// New builds a program of modules by path, such as "main.tow".
func New(ctx context.Context, files map[string]string, limits Limits) (*Subject, error) {
	s := &Subject{limits: limits, Kinds: map[string]int{}}
	for _, plain := range []bool{true, false} {
		res, err := compile.Build(folder(files), compile.Options{Name: "fuzz", Plain: plain, MaxCopies: limits.Copies * b2i(plain)})
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%w: %w", ErrProgram, err)
		}
		if res.Diags.HasErrors() {
			s.Close()
			return nil, fmt.Errorf("%w: %s", ErrProgram, problems(res))
		}
		m := &machine{name: "optimised", core: res.Program, ops: operations(res.Program)}
		if plain {
			m.name, s.Program = "plain", res.Program
		}
		if err := m.load(ctx, res.Artifact, limits); err != nil {
			s.Close()
			return nil, fmt.Errorf("%w: loading the %s build: %w", ErrProgram, m.name, err)
		}
		s.machines = append(s.machines, m)
	}
	return s, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func problems(res *compile.Result) string {
	var b strings.Builder
	for _, d := range res.Diags.All {
		if d.Severity == diag.Error {
			fmt.Fprintf(&b, "\n%s: %s %s", d.At, d.Code, d.Message)
		}
	}
	return b.String()
}

// Close frees the engines.
func (s *Subject) Close() {
	for _, m := range s.machines {
		_ = m.program.Close(context.Background())
	}
}

// Views are the program's views.
func (s *Subject) Views() []*core.Func {
	var out []*core.Func
	for _, m := range s.Program.Modules {
		for _, f := range m.Funcs {
			if f.Kind == core.View {
				out = append(out, f)
			}
		}
	}
	return out
}

// Disagreement says that two machines made different things of one request.
type Disagreement struct {
	View        string
	Input       []byte
	Record      *engine.Record // what both ran with
	Left, Right Run
}

// Run is how a machine ended.
type Run struct {
	Machine string
	Outcome Outcome
}

func (d *Disagreement) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s)\n", d.View, bytes.TrimSpace(d.Input))
	for _, r := range []Run{d.Left, d.Right} {
		fmt.Fprintf(&b, "  %-24s %s\n", r.Machine+":", r.Outcome)
	}
	if d.Record != nil {
		fmt.Fprintf(&b, "  now %d, seed %d\n", d.Record.Now, d.Record.Seed)
		for _, a := range d.Record.Answers {
			fmt.Fprintf(&b, "  %s%s = %s%s\n", a.Operation, a.Args, a.Body, a.Error)
		}
		for _, v := range d.Record.Verdicts {
			fmt.Fprintf(&b, "  scope %d at path %d: shed %t\n", v.Site, v.Path, v.Shed)
		}
	}
	return b.String()
}

// Compare runs a view over an input on all machines, in both ways, in the world
// of a seed. The error is a *Disagreement.
func (s *Subject) Compare(t *testing.T, view *core.Func, input []byte, seed uint64) error {
	rec := &engine.Record{View: view.QualifiedName(), Input: input, Now: int64(seed%1_000_000_007) * 1_234_567_891, Seed: int64(seed)}
	want := s.interpret(view, rec, recording(rec, seeded(s.Program, seed)))
	if err := s.replay(view, rec, Run{"interpreter", want}); err != nil {
		return err
	}
	for _, m := range s.machines {
		got, rec := m.schedule(t, view, input, seed)
		if got.Inconclusive() {
			continue
		}
		run := Run{m.name + " in passes", got}
		again := s.interpret(view, rec, recorded(rec))
		if !again.Agrees(got) {
			return &Disagreement{view.Name, input, rec, Run{"interpreter", again}, run}
		}
		if err := s.replay(view, rec, run); err != nil {
			return err
		}
	}
	return nil
}

// replay gives a record to all engines, which must end as the run did.
func (s *Subject) replay(view *core.Func, rec *engine.Record, want Run) error {
	for _, m := range s.machines {
		got := m.replay(view, rec)
		if !want.Outcome.Agrees(got) {
			return &Disagreement{view.Name, rec.Input, rec, want, Run{m.name + ", replaying", got}}
		}
	}
	return nil
}
