package opt

import "towpath.dev/internal/lang/ir"

// latePass computes what is used once where it is used: fewer values wait in
// registers, and the engine can make an access part of the instruction that
// uses it. The new value of a loop's variable is computed when the old one is no
// longer needed, so that both can have one register.
//
// Only expressions of at most one local move, since otherwise two values would
// wait instead of one.
func latePass(c *context, f *ir.Func) {
	l := &later{
		c: c, reads: make([]int, len(f.Locals)), sets: make([]int, len(f.Locals)), bodies: make([]int, len(f.Locals)),
	}
	for i := range f.Params {
		l.sets[i] = 1
	}
	next := 0
	l.count(f.Body, &next)
	l.next = 0
	f.Body = l.body(f.Body)
}

type later struct {
	c      *context
	reads  []int // by local
	sets   []int // by local
	bodies []int // by local: the number of the body whose statement reads it
	next   int
}

// count numbers the bodies, outer before inner, in order.
func (l *later) count(body []ir.Stmt, next *int) {
	*next++
	me := *next
	var expr func(e *ir.Expr)
	expr = func(e *ir.Expr) {
		if g, ok := (*e).(*ir.Get); ok {
			l.reads[g.Local]++
			l.bodies[g.Local] = me
			return
		}
		ir.Subs(*e, expr)
	}
	for _, s := range body {
		if set, ok := s.(*ir.Set); ok {
			l.sets[set.Local]++
		}
		ir.Operands(s, expr)
		ir.Bodies(s, func(b *[]ir.Stmt) { l.count(*b, next) })
	}
}

func (l *later) body(body []ir.Stmt) []ir.Stmt {
	l.next++
	me := l.next
	for _, s := range body {
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = l.body(*b) })
	}
	moved := false
	for i := len(body) - 1; i >= 0; i-- {
		set, ok := body[i].(*ir.Set)
		if !ok || l.reads[set.Local] != 1 || l.sets[set.Local] != 1 || l.bodies[set.Local] != me {
			continue
		}
		from, ok := single(set.X)
		if !ok || !l.move(set, from, body[i+1:]) {
			continue
		}
		body[i] = nil
		moved = true
	}
	if !moved {
		return body
	}
	out := body[:0]
	for _, s := range body {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// maxMove bounds over how many statements an expression moves.
const maxMove = 40

// move puts the value in the place of the local's one read among the statements
// that follow, unless the local that it is computed from changes before.
func (l *later) move(set *ir.Set, from int, rest []ir.Stmt) bool {
	for i, s := range rest {
		if s == nil {
			continue
		}
		if i > maxMove {
			return false
		}
		done := false
		ir.Operands(s, func(e *ir.Expr) { done = done || l.replace(e, set) })
		if done {
			return true
		}
		if from >= 0 && assigns(rest[i:i+1], from) {
			return false
		}
	}
	return false
}

// replace puts the value in the place of a read of the local.
func (l *later) replace(e *ir.Expr, set *ir.Set) bool {
	switch x := (*e).(type) {
	case *ir.Get:
		if x.Local == set.Local {
			*e = set.X
			return true
		}
		return false
	case *ir.Const, *ir.GetGlobal:
		return false
	}
	done := false
	ir.Subs(*e, func(sub *ir.Expr) { done = done || l.replace(sub, set) })
	return done
}

// single is the one local that an expression is computed from, -1 for none. It
// reports false for expressions of several, and for those whose value depends on
// when they are evaluated.
func single(e ir.Expr) (local int, ok bool) {
	local, ok = -1, true
	var look func(e ir.Expr)
	look = func(e ir.Expr) {
		switch e := e.(type) {
		case *ir.Const:
		case *ir.Get:
			ok = ok && (local < 0 || local == e.Local)
			local = e.Local
		case *ir.Unary:
			look(e.X)
		case *ir.Binary:
			look(e.X)
			look(e.Y)
		case *ir.Load:
			ok = ok && !e.Mutable
			look(e.Addr)
		default:
			ok = false
		}
	}
	look(e)
	return local, ok
}
