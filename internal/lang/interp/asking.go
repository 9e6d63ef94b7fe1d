package interp

import "towpath.dev/internal/lang/core"

// asking is what a body's text says about whether it may ask a service.
type asking struct {
	always bool          // it holds such a call, or a call of a function that may
	params []*core.Local // function-typed locals that it uses
}

// mayAsk reports whether evaluating a body may ask a service: by a call in it,
// through a function that it calls, or through a function that it was given.
// This depends on what may happen, not on what does.
func (m *Machine) mayAsk(body core.Expr, env *Env) bool {
	a := m.asking[body]
	if a == nil {
		a = &asking{}
		a.read(body)
		m.asking[body] = a
	}
	if a.always {
		return true
	}
	for _, p := range a.params {
		if f, ok := env.Lookup(p); ok && m.calleeMayAsk(f.(*callee)) {
			return true
		}
	}
	return false
}

func (m *Machine) calleeMayAsk(c *callee) bool {
	if c.lambda != nil {
		return m.mayAsk(c.lambda.Body, c.env)
	}
	return len(c.fn.Callings) > 0
}

// read notes what an expression holds.
func (a *asking) read(e core.Expr) {
	switch e := e.(type) {
	case *core.CallOp:
		a.always = true
	case *core.Call:
		a.always = a.always || len(e.Func.Callings) > 0
	case *core.FuncRef:
		a.always = a.always || len(e.Func.Callings) > 0
	case *core.CallParam:
		a.params = append(a.params, e.Fn)
	case *core.Ref:
		if _, ok := e.Type.(*core.FuncType); ok {
			a.params = append(a.params, e.Local)
		}
	}
	core.EachChild(e, a.read)
}
