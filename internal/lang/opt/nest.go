package opt

import "towpath.dev/internal/lang/ir"

// nestPass puts a conditional into the one before it where the answer of that is
// all that it tests:
//
//	$1 = 0                          if a {
//	if a { $1 = b }                   if b { c }
//	if $1 { c }                     }
//
// A chain of && that an inlined function answers then jumps at its first No,
// and what the engine knows of addresses holds on to the end of the chain: it
// forgets that where ways meet.
//
// It comes late, since numbering makes more of a local than of nested
// conditionals.
func nestPass(_ *context, f *ir.Func) {
	n := &nester{reads: make([]int, len(f.Locals)), sets: make([]int, len(f.Locals)), params: f.Params}
	n.count(f.Body)
	f.Body = n.body(f.Body, false)
}

type nester struct {
	reads, sets []int // by local
	params      int
}

func (n *nester) count(body []ir.Stmt) {
	var expr func(e *ir.Expr)
	expr = func(e *ir.Expr) {
		if g, ok := (*e).(*ir.Get); ok {
			n.reads[g.Local]++
			return
		}
		ir.Subs(*e, expr)
	}
	for _, s := range body {
		if set, ok := s.(*ir.Set); ok {
			n.sets[set.Local]++
		}
		ir.Operands(s, expr)
		ir.Bodies(s, func(b *[]ir.Stmt) { n.count(*b) })
	}
}

// body nests the conditionals of a body, the last first, so that a chain folds
// up from its end. again says that the body may run more than once.
func (n *nester) body(body []ir.Stmt, again bool) []ir.Stmt {
	for i := len(body) - 1; i > 0; i-- {
		next, ok := body[i].(*ir.If)
		if !ok || len(next.Else) > 0 {
			continue
		}
		g, ok := next.Test.(*ir.Get)
		if !ok || n.reads[g.Local] != 1 {
			continue
		}
		if earlier, ok := n.into(body[:i], g.Local, next.Then, again); ok {
			body = append(earlier, body[i+1:]...)
			i = min(i, len(body))
		}
	}
	for _, s := range body {
		if s, ok := s.(*ir.If); ok {
			split(s)
		}
		_, loop := s.(*ir.Loop)
		ir.Bodies(s, func(b *[]ir.Stmt) { *b = n.body(*b, again || loop) })
	}
	return body
}

// into puts what is to be done when the local is set into the last statement of
// a body, where that alone sets it and it is 0 before. It gives the body without
// the local's zeros.
func (n *nester) into(body []ir.Stmt, local int, then []ir.Stmt, again bool) ([]ir.Stmt, bool) {
	last, ok := body[len(body)-1].(*ir.If)
	if !ok {
		return nil, false
	}
	at := tail(last, local)
	if at == nil {
		return nil, false
	}
	zeros := 0
	for _, s := range body[:len(body)-1] {
		if zero(s, local) {
			zeros++
		}
	}
	// A local that is no parameter begins at 0, but only the first round of a loop
	// finds it so.
	if n.sets[local] != zeros+1 || zeros == 0 && (again || local < n.params) {
		return nil, false
	}
	*at = &ir.If{Test: (*at).(*ir.Set).X, Then: then}
	out := make([]ir.Stmt, 0, len(body))
	for _, s := range body {
		if !zero(s, local) {
			out = append(out, s)
		}
	}
	return out, true
}

// zero reports that a statement sets the local to 0.
func zero(s ir.Stmt, local int) bool {
	set, ok := s.(*ir.Set)
	return ok && set.Local == local && isZero(set.X)
}

// tail is where the last that a conditional does on some way is to set the local;
// nil when it is nowhere, or on several ways.
func tail(s *ir.If, local int) *ir.Stmt {
	var found *ir.Stmt
	for _, body := range [][]ir.Stmt{s.Then, s.Else} {
		if len(body) == 0 {
			continue
		}
		end := &body[len(body)-1]
		var at *ir.Stmt
		switch last := (*end).(type) {
		case *ir.Set:
			if last.Local == local {
				at = end
			}
		case *ir.If:
			at = tail(last, local)
		}
		if at == nil {
			continue
		}
		if found != nil {
			return nil
		}
		found = at
	}
	return found
}

// split makes conditionals within each other of one on `a && b` without another
// side. What b is split into, the walk of the new body sees to.
func split(s *ir.If) {
	for len(s.Else) == 0 {
		c, ok := s.Test.(*ir.Cond)
		if !ok || !isZero(c.Else) {
			return
		}
		s.Test, s.Then = c.Test, []ir.Stmt{&ir.If{Test: c.Then, Then: s.Then}}
	}
}
