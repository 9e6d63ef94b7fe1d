package interp

import (
	"fmt"
	"strings"

	"towpath.dev/internal/lang/core"
)

// Eval evaluates an expression in an Env, as a part of the run that the last
// Reset began: gas and constants go on from there. The error is a *Fault or a
// *Failed.
func (m *Machine) Eval(e core.Expr, env *Env) (Value, error) {
	v, err := m.eval(e, env)
	if left, ok := err.(*leave); ok { // a `?` outside any function
		return left.value, nil
	}
	return v, err
}

// leave is `?` on its way out of the function or lambda around it.
type leave struct{ value Value }

func (*leave) Error() string { return "`?` outside a function" }

// again is a tail call of the function around it on its way back to the start.
type again struct {
	args []Value
	path uint64
}

func (*again) Error() string { return "a tail call outside its function" }

// eval evaluates e. Besides faults and failures the error may be a *leave or an
// *again, which enter alone takes.
func (m *Machine) eval(e core.Expr, env *Env) (Value, error) {
	if m.opts.Coverage != nil {
		m.opts.Coverage(e.Pos())
	}
	v, err := m.evalNode(e, env)
	if env.observe != nil && err == nil {
		env.observe(e, v)
	}
	return v, err
}

func (m *Machine) evalNode(e core.Expr, env *Env) (Value, error) {
	switch e := e.(type) {
	case *core.Lit:
		return e.Value, nil
	case *core.Ref:
		if v, ok := env.Lookup(e.Local); ok {
			return v, nil
		}
		return nil, fmt.Errorf("%s: %s is not bound", e.At, e.Local.Name)
	case *core.ConstRef:
		return m.constant(e.Const)
	case *core.FuncRef:
		return &callee{fn: e.Func, types: newTypeArgs(e.Func.TypeParams, e.Args, env.types)}, nil
	case *core.Lambda:
		return &callee{lambda: e, env: env}, nil
	case *core.Call:
		return m.call(e, env)
	case *core.CallParam:
		return m.callParam(e, env)
	case *core.CallOp:
		return m.ask(e, env)
	case *core.Prim:
		return m.prim(e, env)
	case *core.If:
		return m.evalIf(e, env)
	case *core.Match:
		return m.match(e, env)
	case *core.Let:
		return m.let(e, env)
	case *core.Scope:
		return m.scope(e, env)
	case *core.Try:
		return m.try(e, env)
	case *core.Now:
		return m.opts.Now, nil
	case *core.Seed:
		return m.opts.Seed, nil
	}
	return m.evalData(e, env)
}

// evalData evaluates the expressions that build values and take them apart.
func (m *Machine) evalData(e core.Expr, env *Env) (Value, error) {
	switch e := e.(type) {
	case *core.Construct:
		fields, err := m.evalAll(e.Fields, env)
		if err != nil {
			return nil, err
		}
		return &Record{Ctor: e.Ctor, Fields: fields}, nil
	case *core.GetField:
		v, err := m.eval(e.Value, env)
		if err != nil {
			return nil, err
		}
		return v.(*Record).Fields[e.Index], nil
	case *core.MakeTuple:
		elems, err := m.evalAll(e.Elems, env)
		if err != nil {
			return nil, err
		}
		return Tuple(elems), nil
	case *core.GetTuple:
		v, err := m.eval(e.Value, env)
		if err != nil {
			return nil, err
		}
		return v.(Tuple)[e.Index], nil
	case *core.MakeList:
		return m.makeList(e, env)
	case *core.Concat:
		return m.concat(e, env)
	case *core.Debug:
		v, err := m.eval(e.Value, env)
		if err == nil && m.opts.Debug != nil {
			m.opts.Debug(e.At, m.Render(env.resolve(e.Type), v))
		}
		return v, err
	}
	return nil, fmt.Errorf("%s: an expression of unknown kind %T", e.Pos(), e)
}

// evalAll evaluates expressions from left to right.
func (m *Machine) evalAll(es []core.Expr, env *Env) ([]Value, error) {
	out := make([]Value, len(es))
	for i, e := range es {
		v, err := m.eval(e, env)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (m *Machine) evalIf(e *core.If, env *Env) (Value, error) {
	cond, err := m.eval(e.Cond, env)
	if err != nil {
		return nil, err
	}
	if cond.(bool) {
		return m.eval(e.Then, env)
	}
	return m.eval(e.Else, env)
}

func (m *Machine) let(e *core.Let, env *Env) (Value, error) {
	v, err := m.eval(e.Value, env)
	if err != nil {
		return nil, err
	}
	if ok, err := m.Match(e.Pat, v, env); err != nil || !ok {
		return nil, orMismatch(err, e.Pat)
	}
	return m.eval(e.Body, env)
}

// try opens a Some or an Ok; a None or an Err leaves the function at once.
func (m *Machine) try(e *core.Try, env *Env) (Value, error) {
	v, err := m.eval(e.Value, env)
	if err != nil {
		return nil, err
	}
	r := v.(*Record)
	if name := r.Ctor.Name; name == "Some" || name == "Ok" {
		return r.Fields[0], nil
	}
	return nil, &leave{value: r}
}

// makeList joins the pieces of a list literal: spread lists, and runs of
// elements between them. Each piece after the first costs what
// `list.concat(before, piece)` costs.
func (m *Machine) makeList(e *core.MakeList, env *Env) (Value, error) {
	var pieces []List
	run := false // whether the last piece is one of elements
	for _, el := range e.Elems {
		v, err := m.eval(el.Value, env)
		if err != nil {
			return nil, err
		}
		last := len(pieces) - 1
		switch {
		case el.Spread:
			pieces = append(pieces, v.(List))
		case run:
			pieces[last] = pieces[last].Append(v)
		default:
			pieces = append(pieces, NewList(v))
		}
		run = !el.Spread
	}
	var list List
	for i, piece := range pieces {
		if i == 0 {
			list = piece
			continue
		}
		if err := m.charge(core.GasBytes(8*int64(piece.Len())), e.At); err != nil {
			return nil, err
		}
		list = list.Append(piece.elems...)
	}
	return list, nil
}

// concat joins the parts of an interpolated string. One part alone is the text
// already, for nothing.
func (m *Machine) concat(e *core.Concat, env *Env) (Value, error) {
	parts, err := m.evalAll(e.Parts, env)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	size := int64(0)
	for _, p := range parts {
		size += int64(len(p.(string)))
	}
	if err := m.charge(core.GasBytes(size), e.At); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.(string))
	}
	return b.String(), nil
}

// constant gives a constant's value. It is worked out once a run, when it is
// first read, and paid for then; calls in it nest from nothing.
func (m *Machine) constant(c *core.Const) (Value, error) {
	if v, ok := m.consts[c]; ok {
		return v, nil
	}
	depth := m.depth
	m.depth = 0
	v, err := m.Eval(c.Value, &Env{})
	m.depth = depth
	if err != nil {
		return nil, err
	}
	m.consts[c] = v
	return v, nil
}
