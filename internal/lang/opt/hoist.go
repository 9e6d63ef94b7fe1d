package opt

import "towpath.dev/internal/lang/ir"

// hoistPass moves out of loops what is the same in every round.
//
// What is moved is computed even when the loop would not have got there, so it
// must not trap: divisions stay unless by a constant, and a load moves only from
// where every round passes before it can leave, or when its address has been
// accessed before the loop. So that more stands there, a loop that begins with a
// test is first turned into a test and a loop that ends in one:
//
//	block done {                         block done {
//	  loop again {                         break done if t
//	    break done if t        becomes     loop again {
//	    b                                    b
//	    continue again                       continue again if not t
//	  }                                    }
//	}                                    }
func hoistPass(c *context, f *ir.Func) {
	h := &hoister{c: c, f: f, sets: make([]int, len(f.Locals)), accessed: make([]bool, len(f.Locals)), inside: make([]int, len(f.Locals))}
	for i := range f.Params {
		h.sets[i] = 1
	}
	loops := false
	ir.Inspect(f.Body, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Set:
			h.sets[s.Local]++
		case *ir.Loop:
			loops = true
		}
	}, nil)
	if !loops {
		return
	}
	for _, l := range unset(f) {
		h.sets[l]++ // as zero, at the start
	}
	f.Body = h.body(f.Body, nil)
}

type hoister struct {
	c        *context
	f        *ir.Func
	sets     []int  // by local: its assignments
	accessed []bool // by local: it has been the address of an access, on every way to here
	undo     []int  // the locals to be taken off that list
	inside   []int  // by local: the number of the innermost open loop that assigns it
	loops    int
}

// body goes through the statements of a body, the innermost loops first. exit is
// the label of the block that the body is all of, nil without.
func (h *hoister) body(in []ir.Stmt, exit *ir.Label) []ir.Stmt {
	mark := len(h.undo)
	out := make([]ir.Stmt, 0, len(in))
	for i, s := range in {
		switch s := s.(type) {
		case *ir.Loop:
			s.Body = h.body(s.Body, nil)
			var test ir.Stmt
			body := s.Body
			if exit != nil && i == len(in)-1 {
				test = h.rotate(s, exit)
			}
			switch moved := h.outOf(s); {
			case test != nil && len(moved) == 0:
				s.Body = body // not worth turning it around
			case test != nil:
				out = append(append(out, test), moved...)
			default:
				out = append(out, moved...)
			}
		case *ir.Block:
			s.Body = h.body(s.Body, s.Label)
		case *ir.If, *ir.Switch:
			h.accesses(s)
			ir.Bodies(s, func(b *[]ir.Stmt) { *b = h.body(*b, nil) })
		default:
			h.accesses(s)
		}
		out = append(out, s)
	}
	for _, l := range h.undo[mark:] {
		h.accessed[l] = false
	}
	h.undo = h.undo[:mark]
	return out
}

// accesses notes the locals that a statement certainly uses as addresses.
func (h *hoister) accesses(s ir.Stmt) {
	note := func(e ir.Expr) {
		if g, ok := e.(*ir.Get); ok && h.sets[g.Local] == 1 && !h.accessed[g.Local] {
			h.accessed[g.Local] = true
			h.undo = append(h.undo, g.Local)
		}
	}
	if s, ok := s.(*ir.Store); ok {
		note(s.Addr)
	}
	var look func(e *ir.Expr)
	look = func(e *ir.Expr) {
		switch x := (*e).(type) {
		case *ir.Cond:
			look(&x.Test)
			return
		case *ir.Load:
			note(x.Addr)
		}
		ir.Subs(*e, look)
	}
	ir.Operands(s, look)
}

// rotate turns a loop that begins with a way out of the block around it, and is
// started again only at its end, around. It gives the test to put before it.
func (h *hoister) rotate(s *ir.Loop, exit *ir.Label) ir.Stmt {
	if len(s.Body) < 2 {
		return nil
	}
	leave, ok := s.Body[0].(*ir.Break)
	again, ok2 := s.Body[len(s.Body)-1].(*ir.Continue)
	if !ok || !ok2 || leave.Label != exit || leave.Test == nil || again.Test != nil || again.Label != s.Label || weight(leave.Test) > 4 {
		return nil
	}
	rest := s.Body[1 : len(s.Body)-1]
	if continues(rest, s.Label) {
		return nil
	}
	copied := (&copier{nodes: &h.c.nodes}).expr(leave.Test)
	s.Body = append(append([]ir.Stmt(nil), rest...), &ir.Continue{Label: s.Label, Test: inverse(copied)})
	return leave
}

// inverse is zero when the test is not.
func inverse(test ir.Expr) ir.Expr {
	switch e := test.(type) {
	case *ir.Unary:
		if e.Op == ir.I32Eqz {
			return e.X
		}
	case *ir.Binary:
		if op := e.Op.Opposite(); op != ir.NoOp {
			return &ir.Binary{Op: op, X: e.X, Y: e.Y}
		}
	}
	return eqz(test)
}

func continues(body []ir.Stmt, l *ir.Label) bool {
	for _, s := range body {
		found := false
		switch s := s.(type) {
		case *ir.Continue:
			found = s.Label == l
		case *ir.If, *ir.Block, *ir.Loop, *ir.Switch:
			ir.Bodies(s, func(b *[]ir.Stmt) { found = found || continues(*b, l) })
		}
		if found {
			return true
		}
	}
	return false
}

// outOf takes what does not change out of a loop and gives it, to be put before.
func (h *hoister) outOf(s *ir.Loop) []ir.Stmt {
	h.loops++
	me := h.loops
	for _, set := range assignments(nil, s.Body) {
		h.inside[set.Local] = me
	}
	var out []ir.Stmt
	mark := len(h.undo)
	certain := true
	kept := make([]ir.Stmt, 0, len(s.Body))
	for _, st := range s.Body {
		if set, ok := st.(*ir.Set); ok && h.sets[set.Local] == 1 && weight(set.X) > 0 && pure(set.X) && h.steady(set.X, me, certain) {
			out = append(out, set)
			h.inside[set.Local] = 0
			continue
		}
		ir.Operands(st, func(e *ir.Expr) { out = h.parts(out, e, me, certain) })
		if certain {
			h.accesses(st)
			certain = !mayLeave(st)
		}
		kept = append(kept, st)
	}
	s.Body = kept
	for _, l := range h.undo[mark:] {
		h.accessed[l] = false
	}
	h.undo = h.undo[:mark]
	return out
}

// parts puts the largest parts of an expression that do not change into locals.
func (h *hoister) parts(out []ir.Stmt, e *ir.Expr, loop int, certain bool) []ir.Stmt {
	if !pure(*e) {
		ir.Subs(*e, func(x *ir.Expr) { out = h.parts(out, x, loop, certain) })
		return out
	}
	if weight(*e) >= 2 && h.steady(*e, loop, certain) {
		t := (*e).Type()
		l := h.f.NewLocal(t)
		h.sets, h.accessed, h.inside = append(h.sets, 1), append(h.accessed, false), append(h.inside, 0)
		out = append(out, &ir.Set{Local: l, X: *e})
		*e = h.c.nodes.get(t, l)
		return out
	}
	if c, ok := (*e).(*ir.Cond); ok {
		return h.parts(out, &c.Test, loop, certain) // its sides may not be evaluated
	}
	ir.Subs(*e, func(x *ir.Expr) { out = h.parts(out, x, loop, certain) })
	return out
}

// steady reports that an expression has the same value in every round of the
// loop and can be computed before it.
func (h *hoister) steady(e ir.Expr, loop int, certain bool) bool {
	switch e := e.(type) {
	case *ir.Const:
		return true
	case *ir.Get:
		return h.inside[e.Local] != loop
	case *ir.GetGlobal:
		return isClock(e.Global)
	case *ir.Unary:
		return h.steady(e.X, loop, certain)
	case *ir.Binary:
		switch e.Op {
		case ir.I64DivS, ir.I64DivU, ir.I64RemS, ir.I64RemU, ir.I32DivU, ir.I32RemU:
			if c, ok := e.Y.(*ir.Const); !ok || c.Bits == 0 || int64(c.Bits) == -1 {
				return false
			}
		}
		return h.steady(e.X, loop, certain) && h.steady(e.Y, loop, certain)
	case *ir.Load:
		if e.Mutable || !certain && !h.valid(e.Addr) {
			return false
		}
		return h.steady(e.Addr, loop, certain)
	case *ir.Cond:
		return h.steady(e.Test, loop, certain) && h.steady(e.Then, loop, false) && h.steady(e.Else, loop, false)
	}
	return false
}

// valid reports that an address has certainly been accessed before.
func (h *hoister) valid(addr ir.Expr) bool {
	g, ok := addr.(*ir.Get)
	return ok && h.accessed[g.Local]
}

// mayLeave reports that what follows a statement may not be run.
func mayLeave(s ir.Stmt) bool {
	leaves := false
	ir.Inspect([]ir.Stmt{s}, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Break, *ir.Continue, *ir.Return, *ir.Fault:
			leaves = true
		case *ir.HostStmt:
			leaves = leaves || s.Import.NoReturn
		}
	}, nil)
	return leaves
}
