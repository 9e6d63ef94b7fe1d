package types

import "towpath.dev/internal/lang/core"

// copyExpr copies a finished expression, with args in place of params, so that
// no two places of the tree share nodes or locals that they bind.
func copyExpr(x core.Expr, params []*core.Param, args []core.Type) core.Expr {
	c := copier{params: params, args: args}
	return c.expr(x)
}

type copier struct {
	params []*core.Param
	args   []core.Type
	locals map[*core.Local]*core.Local
}

func (c *copier) x(x core.X) core.X { return core.X{At: x.At, Type: c.typ(x.Type)} }
func (c *copier) p(p core.P) core.P { return core.P{At: p.At, Type: c.typ(p.Type)} }

func (c *copier) typ(t core.Type) core.Type { return instance(t, c.params, c.args) }

func (c *copier) typs(ts []core.Type) []core.Type {
	out := make([]core.Type, len(ts))
	for i, t := range ts {
		out[i] = c.typ(t)
	}
	return out
}

// bind copies a local where it is bound.
func (c *copier) bind(l *core.Local) *core.Local {
	if l == nil {
		return nil
	}
	if n := c.locals[l]; n != nil {
		return n // an or-pattern binds it again
	}
	n := *l
	n.Type = c.typ(l.Type)
	if c.locals == nil {
		c.locals = map[*core.Local]*core.Local{}
	}
	c.locals[l] = &n
	return &n
}

// local is what a local that is read has become.
func (c *copier) local(l *core.Local) *core.Local {
	if n := c.locals[l]; n != nil {
		return n
	}
	return l
}

func (c *copier) exprs(xs []core.Expr) []core.Expr {
	out := make([]core.Expr, len(xs))
	for i, x := range xs {
		out[i] = c.expr(x)
	}
	return out
}

func (c *copier) opt(x core.Expr) core.Expr {
	if x == nil {
		return nil
	}
	return c.expr(x)
}

func (c *copier) expr(x core.Expr) core.Expr {
	switch x := x.(type) {
	case *core.Lit:
		return &core.Lit{X: c.x(x.X), Value: x.Value}
	case *core.Ref:
		return &core.Ref{X: c.x(x.X), Local: c.local(x.Local)}
	case *core.ConstRef:
		return &core.ConstRef{X: c.x(x.X), Const: x.Const}
	case *core.FuncRef:
		return &core.FuncRef{X: c.x(x.X), Func: x.Func, Args: c.typs(x.Args)}
	case *core.Lambda:
		n := &core.Lambda{X: c.x(x.X), Gas: x.Gas}
		for _, p := range x.Params {
			n.Params = append(n.Params, c.bind(p))
		}
		n.Body = c.expr(x.Body)
		return n
	case *core.Call:
		return &core.Call{X: c.x(x.X), Func: x.Func, TypeArgs: c.typs(x.TypeArgs), Args: c.exprs(x.Args)}
	case *core.CallParam:
		return &core.CallParam{X: c.x(x.X), Fn: c.local(x.Fn), Args: c.exprs(x.Args)}
	case *core.CallOp:
		return &core.CallOp{X: c.x(x.X), Op: x.Op, Args: c.exprs(x.Args)}
	case *core.Prim:
		return &core.Prim{X: c.x(x.X), Op: x.Op, Args: c.exprs(x.Args)}
	case *core.If:
		return &core.If{X: c.x(x.X), Cond: c.expr(x.Cond), Then: c.expr(x.Then), Else: c.expr(x.Else)}
	case *core.Match:
		n := &core.Match{X: c.x(x.X), Subject: c.expr(x.Subject)}
		for _, a := range x.Arms {
			n.Arms = append(n.Arms, &core.Arm{At: a.At, Pat: c.pattern(a.Pat), Guard: c.opt(a.Guard), Body: c.expr(a.Body)})
		}
		return n
	case *core.Let:
		value := c.expr(x.Value)
		return &core.Let{X: c.x(x.X), Value: value, Pat: c.pattern(x.Pat), Body: c.expr(x.Body)}
	case *core.Scope:
		return &core.Scope{X: c.x(x.X), Within: c.opt(x.Within), Body: c.expr(x.Body), Else: c.opt(x.Else), Optional: x.Optional}
	}
	return c.plain(x)
}

// plain copies expressions that only have parts.
func (c *copier) plain(x core.Expr) core.Expr {
	switch x := x.(type) {
	case *core.Construct:
		return &core.Construct{X: c.x(x.X), Ctor: x.Ctor, Fields: c.exprs(x.Fields)}
	case *core.GetField:
		return &core.GetField{X: c.x(x.X), Value: c.expr(x.Value), Ctor: x.Ctor, Index: x.Index}
	case *core.MakeTuple:
		return &core.MakeTuple{X: c.x(x.X), Elems: c.exprs(x.Elems)}
	case *core.GetTuple:
		return &core.GetTuple{X: c.x(x.X), Value: c.expr(x.Value), Index: x.Index}
	case *core.MakeList:
		n := &core.MakeList{X: c.x(x.X), Elems: make([]core.ListElem, len(x.Elems))}
		for i, el := range x.Elems {
			n.Elems[i] = core.ListElem{Spread: el.Spread, Value: c.expr(el.Value)}
		}
		return n
	case *core.Concat:
		return &core.Concat{X: c.x(x.X), Parts: c.exprs(x.Parts)}
	case *core.Try:
		return &core.Try{X: c.x(x.X), Value: c.expr(x.Value), IsOption: x.IsOption, Return: c.typ(x.Return)}
	case *core.Debug:
		return &core.Debug{X: c.x(x.X), Value: c.expr(x.Value)}
	case *core.Now:
		return &core.Now{X: c.x(x.X)}
	case *core.Seed:
		return &core.Seed{X: c.x(x.X)}
	}
	return broken(x.Pos())
}

func (c *copier) pattern(p core.Pattern) core.Pattern {
	switch p := p.(type) {
	case *core.PVar:
		return &core.PVar{P: c.p(p.P), Local: c.bind(p.Local)}
	case *core.PLit:
		return &core.PLit{P: c.p(p.P), Value: p.Value}
	case *core.PCtor:
		return &core.PCtor{P: c.p(p.P), Ctor: p.Ctor, Args: c.patterns(p.Args)}
	case *core.PTuple:
		return &core.PTuple{P: c.p(p.P), Elems: c.patterns(p.Elems)}
	case *core.PList:
		return &core.PList{P: c.p(p.P), Elems: c.patterns(p.Elems), HasRest: p.HasRest, Rest: c.bind(p.Rest)}
	case *core.POr:
		return &core.POr{P: c.p(p.P), Alts: c.patterns(p.Alts)}
	case *core.PAs:
		return &core.PAs{P: c.p(p.P), Pat: c.pattern(p.Pat), Local: c.bind(p.Local)}
	}
	if w, ok := p.(*core.PWild); ok {
		return &core.PWild{P: c.p(w.P)}
	}
	return p
}

func (c *copier) patterns(ps []core.Pattern) []core.Pattern {
	out := make([]core.Pattern, len(ps))
	for i, p := range ps {
		out[i] = c.pattern(p)
	}
	return out
}
