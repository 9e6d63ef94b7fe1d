package opt

import "towpath.dev/internal/lang/ir"

// normalPass brings a function into the form that all other passes expect:
// calls, host calls and allocations stand only as the whole of what a Set or a
// Do evaluates, their operands and all other expressions have no effects, and
// there is no Seq. What is certainly never run goes.
func normalPass(c *context, f *ir.Func) {
	c.owned = false
	n := &normaliser{f: f}
	f.Body = n.body(f.Body)
}

type normaliser struct {
	f   *ir.Func
	out []ir.Stmt
}

func (n *normaliser) body(in []ir.Stmt) []ir.Stmt {
	saved := n.out
	n.out = make([]ir.Stmt, 0, len(in))
	for i, s := range in {
		n.stmt(s)
		if leaves(in[i : i+1]) {
			break // the rest is never run
		}
	}
	out := n.out
	n.out = saved
	return out
}

func (n *normaliser) stmt(s ir.Stmt) {
	switch s := s.(type) {
	case *ir.Set:
		s.X = n.root(s.X)
	case *ir.Do:
		s.X = n.root(s.X)
	case *ir.Loop:
		s.Body = n.body(s.Body)
	default:
		var slots []*ir.Expr
		impure := false
		ir.Operands(s, func(e *ir.Expr) {
			slots = append(slots, e)
			impure = impure || effects(*e)
		})
		if impure {
			n.operands(slots)
		}
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = n.body(*b) })
	}
	n.out = append(n.out, s)
}

// root makes an expression of which only the root may have effects.
func (n *normaliser) root(e ir.Expr) ir.Expr {
	switch e := e.(type) {
	case *ir.Call:
		c := *e
		c.Args = n.args(e.Args)
		return &c
	case *ir.Host:
		c := *e
		c.Args = n.args(e.Args)
		return &c
	case *ir.Alloc:
		return &ir.Alloc{Size: n.pure(e.Size), Site: e.Site}
	case *ir.Seq:
		for _, s := range e.Body {
			n.stmt(s)
		}
		return n.root(e.Value)
	}
	return n.pure(e)
}

func (n *normaliser) args(in []ir.Expr) []ir.Expr {
	out := append([]ir.Expr(nil), in...)
	slots := make([]*ir.Expr, len(out))
	for i := range out {
		slots[i] = &out[i]
	}
	n.operands(slots)
	return out
}

// operands makes expressions that are evaluated in a row pure. What stands
// before one with effects is evaluated before them.
func (n *normaliser) operands(slots []*ir.Expr) {
	last := -1
	for i, e := range slots {
		if effects(*e) {
			last = i
		}
	}
	for i, e := range slots {
		if i > last {
			return
		}
		*e = n.pure(*e)
		if _, constant := (*e).(*ir.Const); i < last && !constant {
			*e = n.save(*e)
		}
	}
}

func (n *normaliser) save(e ir.Expr) ir.Expr {
	local := n.f.NewLocal(e.Type())
	n.out = append(n.out, &ir.Set{Local: local, X: e})
	return &ir.Get{T: e.Type(), Local: local}
}

// pure makes an expression without effects, doing them before.
func (n *normaliser) pure(e ir.Expr) ir.Expr {
	if !effects(e) {
		return e
	}
	switch e := e.(type) {
	case *ir.Unary:
		return &ir.Unary{Op: e.Op, X: n.pure(e.X)}
	case *ir.Binary:
		c := *e
		n.operands([]*ir.Expr{&c.X, &c.Y})
		return &c
	case *ir.Load:
		c := *e
		c.Addr = n.pure(e.Addr)
		return &c
	case *ir.Cond:
		return n.cond(e)
	}
	return n.save(n.root(e))
}

// cond makes an If of a Cond whose sides have effects.
func (n *normaliser) cond(e *ir.Cond) ir.Expr {
	test := n.pure(e.Test)
	if !effects(e.Then) && !effects(e.Else) {
		return &ir.Cond{Test: test, Then: e.Then, Else: e.Else}
	}
	local := n.f.NewLocal(e.Type())
	side := func(e ir.Expr) []ir.Stmt { return n.body([]ir.Stmt{&ir.Set{Local: local, X: e}}) }
	n.out = append(n.out, &ir.If{Test: test, Then: side(e.Then), Else: side(e.Else)})
	return &ir.Get{T: e.Type(), Local: local}
}

// effects reports that an expression does more than leave a value.
func effects(e ir.Expr) bool {
	switch e := e.(type) {
	case *ir.Const, *ir.Get, *ir.GetGlobal:
		return false
	case *ir.Unary:
		return effects(e.X)
	case *ir.Binary:
		return effects(e.X) || effects(e.Y)
	case *ir.Load:
		return effects(e.Addr)
	case *ir.Cond:
		return effects(e.Test) || effects(e.Then) || effects(e.Else)
	}
	return true
}
