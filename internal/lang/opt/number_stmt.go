package opt

import "towpath.dev/internal/lang/ir"

// stmt numbers a statement, appends what remains of it, and reports whether
// control goes on behind it.
func (p *numberer) stmt(out []ir.Stmt, s ir.Stmt) ([]ir.Stmt, bool) {
	p.clearMade()
	switch s := s.(type) {
	case *ir.Set:
		return p.set(out, s), true
	case *ir.SetGlobal:
		p.operand(s, &s.X)
		p.globals = p.newState()
	case *ir.Store:
		p.store(s)
	case *ir.Copy:
		p.operand(s, &s.Dst)
		p.operand(s, &s.Src)
		p.operand(s, &s.Size)
		p.memory = p.newState()
	case *ir.Do:
		if pure(s.X) {
			return out, true
		}
		p.effect(s, s.X)
	case *ir.CallStmt:
		p.operands(s, s.Args)
		p.anything()
	case *ir.HostStmt:
		p.operands(s, s.Args)
		p.anything()
		return append(out, s), !s.Import.NoReturn
	case *ir.Gas:
		p.operand(s, &s.Cost)
	case *ir.Return:
		if s.X != nil {
			p.operand(s, &s.X)
		}
		return append(out, s), false
	case *ir.Fault:
		return append(out, s), false
	default:
		return p.control(out, s)
	}
	return append(out, s), true
}

func (p *numberer) control(out []ir.Stmt, s ir.Stmt) ([]ir.Stmt, bool) {
	switch s := s.(type) {
	case *ir.If:
		return p.ifElse(out, s)
	case *ir.Block:
		return p.block(out, s)
	case *ir.Loop:
		if first := p.neverRuns(s); first != nil {
			return p.stmt(out, first)
		}
		p.enterLoop(s)
		var falls bool
		s.Body, falls = p.body(s.Body)
		return append(out, s), falls
	case *ir.Break:
		return p.leave(out, s, &s.Test, p.target(s.Label))
	case *ir.Continue:
		return p.leave(out, s, &s.Test, nil)
	case *ir.Switch:
		return p.switchOn(out, s)
	}
	return append(out, s), true
}

// operand numbers an expression of a statement in its place.
func (p *numberer) operand(s ir.Stmt, slot *ir.Expr) vn {
	e, n := p.expr(*slot, true)
	*slot = e
	p.remember(s, slot, false)
	return n
}

// test numbers an expression of which only matters whether it is zero.
func (p *numberer) test(s ir.Stmt, slot *ir.Expr) vn {
	n := p.operand(s, slot)
	if op, x, y := p.operation(n); op == ir.I32Ne && p.is(y, 0) {
		if e := p.build(p.resolve(x), *slot, nil, 0); e != nil {
			*slot, n = e, p.resolve(x)
		}
	}
	return n
}

func (p *numberer) operands(s ir.Stmt, slots []ir.Expr) {
	for i := range slots {
		p.operand(s, &slots[i])
	}
}

// anything says that what may change may have.
func (p *numberer) anything() { p.memory, p.globals = p.newState(), p.newState() }

func (p *numberer) set(out []ir.Stmt, s *ir.Set) []ir.Stmt {
	if !pure(s.X) {
		t := s.X.Type()
		p.effect(s, s.X)
		n := p.cell()
		if _, ok := s.X.(*ir.Alloc); !ok {
			n = p.fresh(t)
		}
		p.holds(s.Local, n)
		return append(out, s)
	}
	x, n := p.expr(s.X, true)
	if p.resolve(p.env[s.Local]) == n {
		return out
	}
	s.X = x
	p.remember(s, &s.X, true)
	p.holds(s.Local, n)
	return append(out, s)
}

// effect numbers the operands of an expression with effects.
func (p *numberer) effect(s ir.Stmt, e ir.Expr) {
	switch e := e.(type) {
	case *ir.Call:
		p.operands(s, e.Args)
		p.anything()
	case *ir.Host:
		p.operands(s, e.Args)
		if e.Import.Pure {
			p.globals = p.newState() // the heap
		} else {
			p.anything()
		}
	case *ir.Alloc:
		p.operand(s, &e.Size)
		p.globals = p.newState()
	}
}

// store numbers a store and remembers what is loaded from there from now on.
func (p *numberer) store(s *ir.Store) {
	addr, a, offset := p.address(s.Addr, s.Offset, true)
	s.Addr, s.Offset = addr, offset
	p.remember(s, &s.Addr, false)
	x := p.operand(s, &s.X)
	p.memory = p.newState()
	t := s.X.Type()
	switch {
	case s.Width == 1 && t == ir.I32:
		x = p.binary(ir.I32And, x, p.constant(t, 255))
	case uint32(s.Width) != t.Size():
		return
	}
	n := p.number(value{kind: kindLoad, t: t, a: a, aux: uint64(offset)<<8 | uint64(s.Width)})
	if p.resolve(n) != x && p.resolve(x) != n {
		p.note(n)
		p.alias[n] = p.resolve(x)
	}
}

// neverRuns is the way out of a loop that begins with one which is taken at
// once.
func (p *numberer) neverRuns(s *ir.Loop) ir.Stmt {
	if len(s.Body) == 0 {
		return nil
	}
	leave, ok := s.Body[0].(*ir.Break)
	if !ok || leave.Test == nil {
		return nil
	}
	_, n := p.expr(leave.Test, true)
	if bits, ok := p.isConst(n); !ok || uint32(bits) == 0 {
		return nil
	}
	return &ir.Break{Label: leave.Label}
}

// choices writes a test that is a choice with a constant side as several tests,
// as control rather than as a value.
func choices(s *ir.If) ir.Stmt {
	test, ok := s.Test.(*ir.Cond)
	if !ok {
		return s
	}
	if c, ok := test.Then.(*ir.Const); ok && uint32(c.Bits) == 1 {
		// a || b is not (not a && not b).
		s = &ir.If{Test: &ir.Cond{Test: eqz(test.Test), Then: eqz(test.Else), Else: &ir.Const{T: ir.I32}}, Then: s.Else, Else: s.Then}
		test = s.Test.(*ir.Cond)
	}
	if c, ok := test.Else.(*ir.Const); !ok || uint32(c.Bits) != 0 {
		return s
	}
	if len(s.Else) == 0 {
		return &ir.If{Test: test.Test, Then: []ir.Stmt{&ir.If{Test: test.Then, Then: s.Then}}}
	}
	other, end := &ir.Label{Name: "else"}, &ir.Label{Name: "end"}
	body := []ir.Stmt{&ir.Break{Label: other, Test: eqz(test.Test)}, &ir.Break{Label: other, Test: eqz(test.Then)}}
	body = append(append(body, s.Then...), &ir.Break{Label: end})
	return &ir.Block{Label: end, Body: append([]ir.Stmt{&ir.Block{Label: other, Body: body}}, s.Else...)}
}

func eqz(e ir.Expr) ir.Expr { return &ir.Unary{Op: ir.I32Eqz, X: e} }

func (p *numberer) ifElse(out []ir.Stmt, s *ir.If) ([]ir.Stmt, bool) {
	if split := choices(s); split != ir.Stmt(s) {
		return p.control(out, split)
	}
	test := p.test(s, &s.Test)
	if bits, ok := p.isConst(test); ok {
		if uint32(bits) != 0 {
			return p.row(out, s.Then)
		}
		return p.row(out, s.Else)
	}
	if !leaves(s.Then) && leaves(s.Else) {
		s.Test, test = p.negated(s.Test, test), p.unary(ir.I32Eqz, test)
		s.Then, s.Else = s.Else, s.Then
	}
	j := p.fork()
	memory, globals := p.memory, p.globals
	p.suppose(test, true)
	then, falls := p.body(s.Then)
	if !falls {
		// What stands on the other side is all that can come behind.
		p.rollback(j.mark)
		p.memory, p.globals = memory, globals
		rest := s.Else
		s.Then, s.Else = then, nil
		p.suppose(test, false)
		return p.row(append(out, s), rest)
	}
	p.arrive(&j)
	p.rollback(j.mark)
	p.memory, p.globals = memory, globals
	p.suppose(test, false)
	other, otherFalls := p.body(s.Else)
	if otherFalls {
		p.arrive(&j)
	}
	p.meet(&j)
	if !otherFalls {
		p.suppose(test, true)
	}
	s.Then, s.Else = then, other
	// Without bodies it stays too, for the dead pass: what its test computes may
	// be wanted again behind it, and then gets a local right before it.
	return append(out, s), true
}

// negated is a tree that is zero when the test is not.
func (p *numberer) negated(test ir.Expr, n vn) ir.Expr {
	m := p.unary(ir.I32Eqz, n)
	if e := p.build(m, test, nil, 2); e != nil {
		return e
	}
	t := p.c.nodes.unary()
	*t = ir.Unary{Op: ir.I32Eqz, X: test}
	return t
}

func (p *numberer) block(out []ir.Stmt, s *ir.Block) ([]ir.Stmt, bool) {
	t := &target{label: s.Label, join: p.fork()}
	p.labels = append(p.labels, t)
	body, falls := p.body(s.Body)
	if falls {
		p.arrive(&t.join)
	}
	p.labels = p.labels[:len(p.labels)-1]
	falls = p.meet(&t.join)
	s.Body = withoutTail(body, s.Label, &t.breaks)
	if t.breaks == 0 {
		return append(out, s.Body...), falls
	}
	return append(out, s), falls
}

func (p *numberer) target(l *ir.Label) *target {
	for i := len(p.labels) - 1; i >= 0; i-- {
		if p.labels[i].label == l {
			return p.labels[i]
		}
	}
	return nil
}

// leave numbers a Break to the target, or a Continue.
func (p *numberer) leave(out []ir.Stmt, s ir.Stmt, slot *ir.Expr, to *target) ([]ir.Stmt, bool) {
	var test vn
	if *slot != nil {
		test = p.test(s, slot)
		if bits, ok := p.isConst(test); ok {
			if uint32(bits) == 0 {
				return out, true
			}
			*slot = nil
		}
	}
	mark := len(p.trail)
	if *slot != nil {
		p.suppose(test, true)
	}
	if to != nil {
		to.breaks++
		p.arrive(&to.join)
	}
	p.rollback(mark)
	if *slot == nil {
		return append(out, s), false
	}
	p.suppose(test, false)
	return append(out, s), true
}

func (p *numberer) switchOn(out []ir.Stmt, s *ir.Switch) ([]ir.Stmt, bool) {
	x := p.operand(s, &s.X)
	if bits, ok := p.isConst(x); ok {
		if i := uint32(bits); uint64(i) < uint64(len(s.Cases)) {
			return p.row(out, s.Cases[i])
		}
		return p.row(out, s.Default)
	}
	j := p.fork()
	memory, globals := p.memory, p.globals
	for i := range s.Cases {
		p.equate(x, p.constant(ir.I32, uint64(i)), p.note)
		s.Cases[i] = p.side(s.Cases[i], &j)
		p.memory, p.globals = memory, globals
	}
	s.Default = p.side(s.Default, &j)
	return append(out, s), p.meet(&j)
}

// side numbers one of several bodies that lead to a join.
func (p *numberer) side(in []ir.Stmt, j *join) []ir.Stmt {
	out, falls := p.body(in)
	if falls {
		p.arrive(j)
	}
	p.rollback(j.mark)
	return out
}

// pure reports that an expression in normal form has no effects.
func pure(e ir.Expr) bool {
	switch e.(type) {
	case *ir.Call, *ir.Host, *ir.Alloc:
		return false
	}
	return true
}

// leaves reports that a body certainly never reaches its end.
func leaves(body []ir.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	switch s := body[len(body)-1].(type) {
	case *ir.Return, *ir.Fault:
		return true
	case *ir.Break:
		return s.Test == nil
	case *ir.Continue:
		return s.Test == nil
	case *ir.HostStmt:
		return s.Import.NoReturn
	case *ir.If:
		return leaves(s.Then) && leaves(s.Else)
	}
	return false
}
