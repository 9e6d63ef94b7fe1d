package tester

import (
	"errors"
	"fmt"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
)

// world answers calls from a test's stubs.
type world struct {
	program *core.Program
	env     func() *interp.Env // with all that the test has bound
	stubs   []*core.Given      // in order; the first that matches answers

	// Stubs' answers are worked out on a machine of their own, so that they cost
	// the program nothing.
	machine *interp.Machine

	// Of one evaluation:
	verdicts map[instance]bool // the scopes that expired
	again    bool              // a scope has expired that was live before
	missing  []*Failure        // calls without a stub
	asked    map[string]bool   // their canonical texts
	broken   *interp.Fault     // in a stub's answer
}

// instance is a scope's place in an evaluation.
type instance struct {
	site core.Site
	path uint64
}

var (
	errNoStub  = errors.New("no stub answers")
	errStubbed = errors.New("the test's `given` says that it fails")
)

func newWorld(p *core.Program, env func() *interp.Env) *world {
	return &world{program: p, env: env, machine: interp.New(p, interp.Options{})}
}

// begin readies the world for an evaluation of an expression.
func (w *world) begin() {
	w.again, w.missing, w.broken = false, nil, nil
	w.asked = map[string]bool{}
}

// Verdict is part of interp.World.
func (w *world) Verdict(site core.Site, path uint64, _ int64, _ bool) abi.Verdict {
	if w.verdicts[instance{site, path}] {
		return abi.Expired
	}
	return abi.Live
}

// Ask is part of interp.World.
func (w *world) Ask(c *interp.Call) (interp.Answer, error) {
	tried := 0
	for _, s := range w.stubs {
		if s.Op != c.Op {
			continue
		}
		tried++
		w.machine.Reset()
		env := w.env()
		ok, err := w.matches(s, c, env)
		if err != nil {
			return interp.Answer{}, w.breaks(err)
		}
		if !ok {
			continue
		}
		switch s.Outcome {
		case core.Fails:
			return interp.Answer{}, errStubbed
		case core.Expires:
			return interp.Answer{}, w.expire(c)
		case core.Shed:
			return interp.Answer{}, interp.ErrShed
		}
		v, err := w.machine.Eval(s.Value, env)
		if err != nil {
			return interp.Answer{}, w.breaks(err)
		}
		return interp.Answer{Value: v}, nil
	}
	w.miss(c, tried)
	return interp.Answer{}, errNoStub
}

func (w *world) matches(s *core.Given, c *interp.Call, env *interp.Env) (bool, error) {
	for i, p := range s.Args {
		if ok, err := w.machine.Match(p, c.Args[i], env); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// breaks notes that a stub's answer could not be worked out.
func (w *world) breaks(err error) error {
	var fault *interp.Fault
	if w.broken == nil && errors.As(err, &fault) {
		w.broken = fault
	}
	return err
}

// expire decides what a call that never answers brings down: the scope around
// it with the earliest deadline, or the call alone when the operation's own
// deadline is earlier or there is no other.
func (w *world) expire(c *interp.Call) error {
	earliest := -1
	for i, s := range c.Scopes {
		if s.Within >= 0 && (earliest < 0 || s.Within < c.Scopes[earliest].Within) {
			earliest = i
		}
	}
	if earliest < 0 || c.Op.Within > 0 && c.Op.Within < c.Scopes[earliest].Within {
		return interp.ErrExpired
	}
	s := c.Scopes[earliest]
	w.verdicts[instance{s.Site, s.Path}] = true
	w.again = true
	return interp.ErrExpired
}

// miss notes a call that no stub answers.
func (w *world) miss(c *interp.Call, tried int) {
	name := operationName(c.Op)
	key := name + string(c.Canonical)
	if w.asked[key] {
		return
	}
	w.asked[key] = true
	args := make([]string, len(c.Args))
	blanks := make([]string, len(c.Args))
	for i, p := range c.Op.Params {
		args[i] = w.machine.Render(p.Type, c.Args[i])
		blanks[i] = "_"
	}
	f := &Failure{Kind: NoStub, At: c.At,
		Message: fmt.Sprintf("no `given` answers `%s(%s)`", name, shorten(strings.Join(args, ", "), 200))}
	answer := newGenerator(w.program, w.machine, &choices{}).value(c.Op.Result)
	f.Add = fmt.Sprintf("given %s(%s) = %s", name, strings.Join(blanks, ", "), w.machine.Render(c.Op.Result, answer))
	switch tried {
	case 0:
	case 1:
		f.Note = fmt.Sprintf("there is a `given` for `%s`, but it does not match these arguments", name)
	default:
		f.Note = fmt.Sprintf("there are %d `given`s for `%s`, but none matches these arguments", tried, name)
	}
	w.missing = append(w.missing, f)
}
