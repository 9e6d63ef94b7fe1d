package tester

import (
	"errors"
	"fmt"
	"slices"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
)

// runTest runs a test or a prop.
func runTest(p *core.Program, t *core.Test, o *Options) *outcome {
	r := &Result{Module: t.Module.Path, Title: t.Title, At: t.At, Prop: t.Prop}
	covered := spans{}
	if t.Prop {
		runProp(p, t, o, r, covered)
	} else {
		b := newBody(p, t, o, covered)
		b.run()
		r.Failures, r.Debug = b.failures, b.debug
	}
	return &outcome{result: r, covered: covered}
}

// body is one evaluation of a test's statements.
type body struct {
	program *core.Program
	test    *core.Test
	opts    interp.Options
	machine *interp.Machine
	world   *world
	bound   []binding // what the statements so far have bound

	failures []*Failure
	debug    []Debug
	gas      int64 // spent so far
}

// binding is a pattern that matched, or a local that was given a value.
type binding struct {
	local *core.Local // nil: pattern
	pat   core.Pattern
	value interp.Value
}

// newBody readies a test. A nil covered collects no coverage.
func newBody(p *core.Program, t *core.Test, o *Options, covered spans) *body {
	b := &body{program: p, test: t}
	b.world = newWorld(p, b.env)
	b.opts = interp.Options{Gas: o.Gas, Depth: o.Depth, World: b.world, Debug: func(at span.Span, text string) {
		b.debug = append(b.debug, Debug{At: at, Source: oneLine(at.Text()), Text: text})
	}}
	if covered != nil {
		b.opts.Coverage = covered.note
	}
	b.machine = interp.New(p, b.opts)
	return b
}

// env is a fresh Env with all that is bound so far.
func (b *body) env() *interp.Env {
	env := b.machine.NewEnv()
	for _, bound := range b.bound {
		if bound.local != nil {
			env.Bind(bound.local, bound.value)
			continue
		}
		// It matched before, so that neither answer can tell anything new.
		_, _ = b.machine.Match(bound.pat, bound.value, env)
	}
	return env
}

// run evaluates the statements. After an expectation that does not hold it goes
// on with the next statement; whatever else fails ends the test.
func (b *body) run() {
	for _, s := range b.test.Stmts {
		var done bool
		switch s := s.(type) {
		case *core.TestLet:
			done = !b.let(s)
		case *core.Given:
			done = !b.given(s)
		case *core.Expect:
			done = !b.expect(s)
		}
		if done {
			return
		}
	}
}

func (b *body) let(s *core.TestLet) bool {
	v, seen, err := b.eval(s.Value)
	if b.failed(s.Value, seen, err) {
		return false
	}
	if ok, err := b.machine.Match(s.Pat, v, b.machine.NewEnv()); err != nil || !ok {
		b.fail(&Failure{Kind: Unforeseen, At: s.At, Message: "the pattern does not match the value"})
		return false
	}
	b.bound = append(b.bound, binding{pat: s.Pat, value: v})
	return true
}

// given adds a stub, or sets the clock or the seed for what follows.
func (b *body) given(s *core.Given) bool {
	if s.Target == core.GivenOp {
		b.world.stubs = append(b.world.stubs, s)
		return true
	}
	v, seen, err := b.eval(s.Value)
	if b.failed(s.Value, seen, err) {
		return false
	}
	n, ok := v.(int64)
	if !ok {
		b.fail(&Failure{Kind: Unforeseen, At: s.At, Message: fmt.Sprintf("the clock or seed is a %T", v)})
		return false
	}
	if s.Target == core.GivenNow {
		b.opts.Now = n
	} else {
		b.opts.Seed = n
	}
	b.machine = interp.New(b.program, b.opts)
	return true
}

func (b *body) expect(s *core.Expect) bool {
	v, seen, err := b.eval(s.X)
	if b.failed(s.X, seen, err) {
		return false
	}
	if holds, _ := v.(bool); !holds {
		f := &Failure{Kind: NotTrue, At: s.X.Pos(), Message: "the expectation does not hold"}
		f.Values = b.withoutInputs(seen.values(b.machine, s.X))
		f.Differences = differences(b.program, b.machine, s.X, seen)
		b.fail(f)
	}
	return true
}

// withoutInputs drops what the counterexample of a prop says already.
func (b *body) withoutInputs(values []Value) []Value {
	return slices.DeleteFunc(values, func(v Value) bool {
		return slices.ContainsFunc(b.test.Params, func(p *core.Local) bool { return p.Name == v.Source })
	})
}

func (b *body) fail(f *Failure) { b.failures = append(b.failures, f) }

// eval evaluates a statement's expression. A call that a stub lets expire says
// which scope's time ran out; the expression is then evaluated again with that
// verdict, until no new one turns up.
func (b *body) eval(e core.Expr) (interp.Value, *seen, error) {
	debug := len(b.debug)
	b.world.verdicts = map[instance]bool{}
	for {
		b.debug = b.debug[:debug]
		b.world.begin()
		b.machine.Reset()
		env := b.env()
		seen := &seen{}
		env.Observe(seen.note)
		v, err := b.machine.Eval(e, env)
		b.gas += b.machine.GasUsed()
		if !b.world.again {
			return v, seen, err
		}
	}
}

// failed notes why an evaluation has no value, if so.
func (b *body) failed(e core.Expr, seen *seen, err error) bool {
	if len(b.world.missing) > 0 {
		// The calls without a stub count even where an `else` stood in.
		for _, m := range b.world.missing {
			m.Stack = calledBy(e)
			b.fail(m)
		}
		return true
	}
	if b.world.broken != nil {
		f := b.faulted(b.world.broken, nil)
		f.Note = "this happened in the answer of a `given`"
		b.fail(f)
		return true
	}
	var fault *interp.Fault
	var call *interp.Failed
	switch {
	case err == nil:
		return false
	case errors.As(err, &fault):
		b.fail(b.faulted(fault, seen.values(b.machine, e)))
	case errors.As(err, &call):
		b.fail(b.callFailed(e, call, seen.values(b.machine, e)))
	default:
		b.fail(&Failure{Kind: Unforeseen, At: e.Pos(), Message: err.Error()})
	}
	return true
}

func (b *body) faulted(f *interp.Fault, values []Value) *Failure {
	message := f.Kind.String()
	if f.Detail != "" {
		message += ": " + f.Detail
	}
	out := &Failure{Kind: Fault, At: f.Own(), Message: message, Values: values}
	if f.Detail == "" {
		switch f.Kind {
		case abi.TooDeep:
			out.Message = fmt.Sprintf("too deep: %d calls of recursive functions nest", or(b.opts.Depth, interp.DefaultDepth))
		case abi.OutOfGas:
			out.Message = fmt.Sprintf("out of gas: all %d units are spent", b.opts.Gas)
			if b.opts.Gas == DefaultGas {
				out.Note = "a test may spend a tenth of what a request may; `tow test --gas N` lets it spend more"
			}
		}
	}
	out.Stack, out.Hidden = frames(f.Stack)
	return out
}

func or[T int | int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// The frames of a stack that are kept, innermost and outermost.
const innerFrames, outerFrames = 8, 4

// frames names a fault's stack. Of a long one it leaves out the middle.
func frames(stack []interp.Frame) (shown []Frame, hidden int) {
	if over := len(stack) - innerFrames - outerFrames; over > 1 {
		hidden = over
	}
	for i, f := range stack {
		if hidden == 0 || i < innerFrames || i >= innerFrames+hidden {
			shown = append(shown, Frame{Name: frameName(f.Func, f.Lambda), At: f.At})
		}
	}
	return shown, hidden
}

// calledBy is the stack of what happened somewhere below a test's expression.
func calledBy(e core.Expr) []Frame { return []Frame{{Name: "the test", At: e.Pos()}} }

func (b *body) callFailed(e core.Expr, f *interp.Failed, values []Value) *Failure {
	out := &Failure{Kind: CallFailed, At: f.At, Values: values, Stack: calledBy(e)}
	switch {
	case f.Op == nil && errors.Is(f.Reason, interp.ErrExpired):
		out.Message = "the deadline expired, and there is no `else` to stand in"
	case f.Op == nil:
		out.Message = "the expression was shed, and there is no `else` to stand in"
	case errors.Is(f.Reason, interp.ErrShed):
		out.Message = fmt.Sprintf("`%s` is shed by a `given`, but no `optional` stands around this call", operationName(f.Op))
		out.Note = "only what `optional` marks is ever shed; write `fails` or `expires` to try what else can happen"
	case errors.Is(f.Reason, interp.ErrExpired):
		out.Message = fmt.Sprintf("`%s` did not answer in time, and no `else` stands in for it", operationName(f.Op))
	default:
		out.Message = fmt.Sprintf("`%s` failed, and no `else` stands in for it", operationName(f.Op))
	}
	return out
}

// operationName is an operation as a module that imports its service writes it.
func operationName(op *core.Operation) string { return op.Service.Name + "." + op.Name }
