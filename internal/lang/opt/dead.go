package opt

import "towpath.dev/internal/lang/ir"

// deadPass drops assignments to locals that nothing reads, allocations that are
// only written to with what is written there, and conditionals without bodies.
func deadPass(c *context, f *ir.Func) {
	d := &c.remover
	d.reset(f)
	d.count(f.Body, 1)
	for d.again = true; d.again; {
		d.again = false
		for i, a := range d.cells {
			// What was allocated and is only ever the address of stores is never seen.
			d.doomed[i] = a == 1 && d.sets[i] == 1 && d.reads[i] == d.addresses[i]
		}
		f.Body = d.body(f.Body)
	}
}

// remover counts how a function uses its locals, each by its number.
type remover struct {
	sets      []int  // assignments
	cells     []int  // assignments of allocations
	reads     []int  // reads
	addresses []int  // reads as the address of a store
	doomed    []bool // whose stores are to go
	again     bool
}

func (d *remover) reset(f *ir.Func) {
	n := len(f.Locals)
	for _, p := range []*[]int{&d.sets, &d.cells, &d.reads, &d.addresses} {
		if cap(*p) < n {
			*p = make([]int, n, 2*n)
			continue
		}
		*p = (*p)[:n]
		clear(*p)
	}
	if cap(d.doomed) < n {
		d.doomed = make([]bool, n, 2*n)
	}
	d.doomed = d.doomed[:n]
	clear(d.doomed)
	for i := range f.Params {
		d.sets[i] = 1
	}
}

// count adds what statements use, by times 1 or -1.
func (d *remover) count(body []ir.Stmt, by int) {
	for _, s := range body {
		d.countStmt(s, by)
		countBodies(d, s, by)
	}
}

func countBodies(d *remover, s ir.Stmt, by int) {
	switch s.(type) {
	case *ir.If, *ir.Block, *ir.Loop, *ir.Switch:
		ir.Bodies(s, func(b *[]ir.Stmt) { d.count(*b, by) })
	}
}

func (d *remover) countStmt(s ir.Stmt, by int) {
	switch s := s.(type) {
	case *ir.Set:
		d.sets[s.Local] += by
		if _, ok := s.X.(*ir.Alloc); ok {
			d.cells[s.Local] += by
		}
		d.countExpr(s.X, by)
	case *ir.Store:
		if g, ok := s.Addr.(*ir.Get); ok {
			d.addresses[g.Local] += by
		}
		d.countExpr(s.Addr, by)
		d.countExpr(s.X, by)
	default:
		ir.Operands(s, func(e *ir.Expr) { d.countExpr(*e, by) })
	}
}

func (d *remover) countExpr(e ir.Expr, by int) {
	switch e := e.(type) {
	case *ir.Const:
	case *ir.Get:
		d.reads[e.Local] += by
	case *ir.Unary:
		d.countExpr(e.X, by)
	case *ir.Binary:
		d.countExpr(e.X, by)
		d.countExpr(e.Y, by)
	case *ir.Load:
		d.countExpr(e.Addr, by)
	default:
		ir.Subs(e, func(x *ir.Expr) { d.countExpr(*x, by) })
	}
}

// body drops what is dead from the end to the start, so that what only the
// dropped used is met when that is known.
func (d *remover) body(in []ir.Stmt) []ir.Stmt {
	to := len(in)
	for i := len(in) - 1; i >= 0; i-- {
		if s := d.stmt(in[i]); s != nil {
			to--
			in[to] = s
		}
	}
	return in[to:]
}

// stmt is what remains of a statement, nil for nothing.
func (d *remover) stmt(s ir.Stmt) ir.Stmt {
	switch s := s.(type) {
	case *ir.Set:
		return d.set(s)
	case *ir.Store:
		if g, ok := s.Addr.(*ir.Get); ok && d.doomed[g.Local] {
			return d.drop(s)
		}
	case *ir.Do:
		if !keeps(s.X) {
			return d.drop(s)
		}
	case *ir.If:
		s.Then, s.Else = d.body(s.Then), d.body(s.Else)
		if len(s.Then)+len(s.Else) == 0 {
			return d.drop(s)
		}
	case *ir.Block, *ir.Loop, *ir.Switch:
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = d.body(*b) })
		if b, ok := s.(*ir.Block); ok && len(b.Body) == 0 {
			return nil
		}
	}
	return s
}

func (d *remover) set(s *ir.Set) ir.Stmt {
	if g, ok := s.X.(*ir.Get); ok && g.Local == s.Local {
		return d.drop(s)
	}
	if d.reads[s.Local] > 0 {
		return s
	}
	if !keeps(s.X) {
		return d.drop(s)
	}
	d.sets[s.Local]--
	return &ir.Do{X: s.X}
}

func (d *remover) drop(s ir.Stmt) ir.Stmt {
	d.countStmt(s, -1)
	d.again = true
	return nil
}

// keeps reports that an expression in normal form must be evaluated even when
// nothing reads its value.
func keeps(e ir.Expr) bool {
	switch e := e.(type) {
	case *ir.Call:
		return true
	case *ir.Host:
		return !e.Import.Pure
	}
	return false
}
