package bothways

import (
	"bytes"
	"errors"
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/testkit/progen"
)

// world is what the interpreter runs in.
type world struct {
	answer  func(op *core.Operation, args []byte) ([]byte, error)
	verdict func(site core.Site, path uint64, within int64, optional bool) abi.Verdict
	last    map[span.Span]string // the arguments of the last call at a place
}

// Ask answers a call.
func (w *world) Ask(c *interp.Call) (interp.Answer, error) {
	w.last[c.At] = string(c.Canonical)
	body, err := w.answer(c.Op, c.Canonical)
	return interp.Answer{JSON: body}, err
}

// Verdict decides a scope.
func (w *world) Verdict(site core.Site, path uint64, within int64, optional bool) abi.Verdict {
	return w.verdict(site, path, within, optional)
}

// seeded is the world of a seed.
func seeded(p *core.Program, seed uint64) *world {
	return &world{
		answer: func(op *core.Operation, args []byte) ([]byte, error) { return progen.Answer(p, op, args, seed) },
		verdict: func(site core.Site, path uint64, within int64, optional bool) abi.Verdict {
			switch chance := progen.Dice(seed, uint64(site), path); {
			case within >= 0 && chance < 15:
				return abi.Expired
			case optional && chance >= 85:
				return abi.Shed
			}
			return abi.Live
		},
	}
}

// recording is a world that writes down in rec what it was asked.
func recording(rec *engine.Record, of *world) *world {
	type scope struct {
		site core.Site
		path uint64
	}
	asked, decided := map[string]bool{}, map[scope]bool{}
	return &world{
		answer: func(op *core.Operation, args []byte) ([]byte, error) {
			body, err := of.answer(op, args)
			if key := op.QualifiedName() + string(args); !asked[key] {
				asked[key] = true
				a := engine.Answer{Operation: op.QualifiedName(), Args: bytes.Clone(args), Body: body}
				if err != nil {
					a.Error = err.Error()
				}
				rec.Answers = append(rec.Answers, a)
			}
			return body, err
		},
		verdict: func(site core.Site, path uint64, within int64, optional bool) abi.Verdict {
			verdict := of.verdict(site, path, within, optional)
			if key := (scope{site, path}); verdict != abi.Live && !decided[key] {
				decided[key] = true
				rec.Verdicts = append(rec.Verdicts, engine.Verdict{Site: uint64(site), Path: path, Shed: verdict == abi.Shed})
			}
			return verdict
		},
	}
}

var errNotRecorded = errors.New("the record has no answer to it")

// recorded is the world of a record.
func recorded(rec *engine.Record) *world {
	answers := map[string]*engine.Answer{}
	for i := range rec.Answers {
		a := &rec.Answers[i]
		answers[a.Operation+string(a.Args)] = a
	}
	return &world{
		answer: func(op *core.Operation, args []byte) ([]byte, error) {
			a := answers[op.QualifiedName()+string(args)]
			switch {
			case a == nil:
				return nil, fmt.Errorf("%w: %s%s", errNotRecorded, op.QualifiedName(), args)
			case a.Error != "":
				return nil, errors.New(a.Error)
			}
			return a.Body, nil
		},
		verdict: func(site core.Site, path uint64, _ int64, _ bool) abi.Verdict {
			for _, v := range rec.Verdicts {
				switch {
				case v.Site != uint64(site) || v.Path != path:
				case v.Shed:
					return abi.Shed
				default:
					return abi.Expired
				}
			}
			return abi.Live
		},
	}
}

// interpret runs a view in a world.
func (s *Subject) interpret(view *core.Func, rec *engine.Record, w *world) Outcome {
	m := interp.New(s.Program, interp.Options{Gas: s.limits.Gas, Depth: s.limits.Depth, Now: rec.Now, Seed: rec.Seed, World: w})
	w.last = map[span.Span]string{}
	args, err := arguments(m, view, rec.Input)
	if err != nil {
		s.Kinds[Refused]++
		return Outcome{Kind: Refused, Text: err.Error()}
	}
	v, err := m.Run(view, args)
	o := ofInterp(m, view, v, err, w)
	if o.Kind == Faulted {
		s.Kinds[o.Text]++
	} else {
		s.Kinds[o.Kind]++
	}
	return o
}

// arguments reads a view's input as it would a record of the parameters.
func arguments(m *interp.Machine, view *core.Func, input []byte) ([]interp.Value, error) {
	def := &core.TypeDef{Name: "Input", Kind: core.Record}
	ctor := &core.Ctor{Def: def, Name: "Input"}
	for _, p := range view.Params {
		ctor.Fields = append(ctor.Fields, &core.Field{Name: p.Name, JSON: p.Name, Type: p.Type, Default: p.Default})
	}
	def.Ctors = []*core.Ctor{ctor}
	v, err := m.DecodeJSON(&core.Con{Def: def}, input)
	if err != nil {
		return nil, err
	}
	return v.(*interp.Record).Fields, nil
}
