package interp

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// callee is the value of a function-typed local: a function, or a lambda with
// the names around it.
type callee struct {
	fn    *core.Func
	types *typeArgs // fn's

	lambda *core.Lambda
	env    *Env // where the lambda was written
}

// around is the function, or the one that a lambda is written in.
func (c *callee) around() *core.Func {
	if c.lambda != nil {
		return c.env.fn
	}
	return c.fn
}

// call evaluates a call of a function.
func (m *Machine) call(e *core.Call, env *Env) (Value, error) {
	args, err := m.evalAll(e.Args, env)
	if err != nil {
		return nil, err
	}
	path := mix(env.path, uint64(e.Site))
	if e.TailSelf {
		return nil, &again{args: args, path: path}
	}
	c := &callee{fn: e.Func, types: newTypeArgs(e.Func.TypeParams, e.TypeArgs, env.types)}
	if e.Func.Kind == core.Intrinsic {
		return m.callIntrinsic(c, args, path, e.At)
	}
	return m.enter(c, args, path, e.At)
}

// callParam evaluates a call of a function-typed parameter.
func (m *Machine) callParam(e *core.CallParam, env *Env) (Value, error) {
	fn, err := m.evalNode(&core.Ref{X: e.X, Local: e.Fn}, env)
	if err != nil {
		return nil, err
	}
	args, err := m.evalAll(e.Args, env)
	if err != nil {
		return nil, err
	}
	return m.enter(fn.(*callee), args, mix(env.path, uint64(e.Site)), e.At)
}

// enter runs a function or lambda on the path that it is entered with; at is the
// call's place. An intrinsic that was handed on as a value is a function around
// a call of it, whose place is the intrinsic's name.
func (m *Machine) enter(c *callee, args []Value, path uint64, at span.Span) (Value, error) {
	var v Value
	var err error
	if c.fn != nil && c.fn.Kind == core.Intrinsic {
		v, err = m.callIntrinsic(c, args, path, c.fn.At)
	} else {
		v, err = m.body(c, args, path)
	}
	switch err := err.(type) {
	case *leave:
		return err.value, nil
	case *Fault:
		err.leaves(c, at)
	}
	return v, err
}

// body pays for the entry and evaluates the body, again after each tail call.
func (m *Machine) body(c *callee, args []Value, path uint64) (Value, error) {
	if c.lambda != nil {
		if err := m.charge(c.lambda.Gas, c.lambda.At); err != nil {
			return nil, err
		}
		env := &Env{fn: c.env.fn, outer: c.env, path: path, types: c.env.types}
		for i, p := range c.lambda.Params {
			env.Bind(p, args[i])
		}
		return m.eval(c.lambda.Body, env)
	}
	f := c.fn
	for entered := false; ; entered = true {
		if err := m.charge(f.Gas, f.At); err != nil {
			return nil, err
		}
		if f.Recursive && !entered {
			m.depth++
			defer func() { m.depth-- }()
			if m.depth > m.opts.Depth {
				return nil, &Fault{Kind: abi.TooDeep, At: f.At}
			}
		}
		env := &Env{fn: f, path: path, types: c.types, vars: make([]variable, 0, len(f.Params)+2)}
		for i, p := range f.Params {
			env.Bind(p, args[i])
		}
		v, err := m.eval(f.Body, env)
		next, ok := err.(*again)
		if !ok {
			return v, err
		}
		args, path = next.args, next.path
	}
}
