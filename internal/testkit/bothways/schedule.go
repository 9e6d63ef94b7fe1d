package bothways

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/testkit/progen"
)

// load makes an engine of an artifact.
func (m *machine) load(ctx context.Context, artifact []byte, limits Limits) error {
	var err error
	m.program, err = engine.Load(ctx, artifact, engine.Options{
		Source: engine.SourceFunc(func(ctx context.Context, b *engine.Batch) { m.world.ask(ctx, b) }),
		Seed:   func() int64 { return m.seed },
		Shed:   func(s engine.ScopeInfo) bool { return progen.Dice(uint64(m.seed), s.Site, s.Path) < 25 },
		Gas:    limits.Gas,
		Depth:  limits.Depth,
		CPU:    20 * time.Second, // the language's limits are to decide
		Idle:   2,
	})
	return err
}

// operations are a program's, by their qualified names.
func operations(p *core.Program) map[string]*core.Operation {
	ops := map[string]*core.Operation{}
	for _, m := range p.Modules {
		for _, s := range m.Services {
			for _, op := range s.Ops {
				ops[op.QualifiedName()] = op
			}
		}
	}
	return ops
}

// replay runs a record on the engine.
func (m *machine) replay(view *core.Func, rec *engine.Record) Outcome {
	copied, out := *rec, engine.Record{}
	copied.Artifact = m.program.Hash()
	v, err := m.program.View(view.QualifiedName())
	if err != nil {
		return Outcome{Kind: Unforeseen, Text: err.Error()}
	}
	answer, err := v.Do(context.Background(), nil, engine.Request{Replay: &copied, Record: &out})
	return ofEngine(answer, err, out.Gas)
}

// schedule runs a view on the engine in virtual time, against the world of a
// seed that takes its time.
func (m *machine) schedule(t *testing.T, view *core.Func, input []byte, seed uint64) (o Outcome, rec *engine.Record) {
	v, err := m.program.View(view.QualifiedName())
	if err != nil {
		return Outcome{Kind: Unforeseen, Text: err.Error()}, nil
	}
	rec = &engine.Record{}
	synctest.Test(t, func(t *testing.T) {
		m.seed = int64(seed)
		m.world = &schedule{Rand: rand.New(rand.NewPCG(seed, 7)), seed: seed, ops: m.ops, program: m.core}
		answer, err := v.Do(t.Context(), nil, engine.Request{Input: input, Record: rec})
		o = ofEngine(answer, err, rec.Gas)
		m.world.stop()
		if len(view.Callings) == 0 { // the way that is short for such views
			answer, err := v.AppendCall(t.Context(), nil, input)
			if short := ofEngine(answer, err, o.Gas); short != o {
				o.Kind, o.Text = Unforeseen, fmt.Sprintf("%s, but AppendCall: %s", o, short)
			}
		}
	})
	rec.Input = input
	return o, rec
}

// schedule is a world in which answers take their time.
type schedule struct {
	*rand.Rand
	seed    uint64
	program *core.Program
	ops     map[string]*core.Operation
	timers  []*time.Timer
}

var errLost = errors.New("lost on the way")

// ask answers some calls at once, some later, some in another order, and fails
// some.
func (s *schedule) ask(_ context.Context, b *engine.Batch) {
	op := s.ops[b.Operation.QualifiedName()]
	for _, i := range s.Perm(b.Len()) {
		body, err := progen.Answer(s.program, op, b.Args(i), s.seed)
		if s.IntN(100) < 4 {
			err = errLost
		}
		answer := func() {
			if err != nil {
				b.Fail(i, err)
			} else {
				b.Answer(i, body)
			}
			if s.seed%7 == 0 {
				b.Fail(i, errLost) // the second word does not count
			}
		}
		switch delay := s.IntN(100); {
		case delay < 25:
			answer()
		case delay < 90:
			s.timers = append(s.timers, time.AfterFunc(time.Duration(s.IntN(25_000))*time.Microsecond, answer))
		default:
			s.timers = append(s.timers, time.AfterFunc(time.Hour, answer))
		}
	}
}

func (s *schedule) stop() {
	for _, t := range s.timers {
		t.Stop()
	}
}
