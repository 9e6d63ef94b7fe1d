package lower

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
)

// match tries arms in order. Each arm is a block that a failed test leaves.
func (b *builder) match(e *core.Match) val {
	subject := b.expr(e.Subject)
	t := b.rep(e.Type)
	return b.guarded(t, []int{subject.pend}, func() val {
		m := &matcher{
			dst: b.f.NewLocal(t), pend: -1, done: &ir.Label{Name: "match"},
			subject: b.atom(subject.x), id: b.typeID(e.Subject.TypeOf()),
		}
		if b.inst.calls {
			m.pend = b.f.NewLocal(ir.I32)
		}
		list := b.body(func() {
			if b.switchArms(m, e) {
				return
			}
			for i, arm := range e.Arms {
				b.arm(m, arm, i == len(e.Arms)-1)
			}
		})
		b.emit(&ir.Block{Label: m.done, Body: list})
		if m.pend >= 0 && !m.mayPend {
			return ready(get(t, m.dst))
		}
		return val{get(t, m.dst), m.pend}
	})
}

// matcher is a match under way.
type matcher struct {
	dst, pend int // pend is -1 in functions that cannot call
	mayPend   bool
	done      *ir.Label
	subject   ir.Expr
	id        abi.TypeID
}

func (b *builder) arm(m *matcher, arm *core.Arm, last bool) {
	next := &ir.Label{Name: "arm"}
	list := b.body(func() {
		b.declare(arm.Pat, -1)
		fail := next
		if last && arm.Guard == nil {
			fail = nil // the arms are exhaustive
		}
		b.matchPattern(arm.Pat, m.subject, m.id, fail)
		b.armBody(m, arm, next)
		b.emit(&ir.Break{Label: m.done})
	})
	if last && arm.Guard == nil {
		b.emit(list[:len(list)-1]...)
		return
	}
	b.emit(&ir.Block{Label: next, Body: list})
}

func (b *builder) armBody(m *matcher, arm *core.Arm, next *ir.Label) {
	if arm.Guard != nil {
		g := b.expr(arm.Guard)
		if g.pend >= 0 {
			m.mayPend = true
			b.when(b.get(g.pend), func() {
				b.emit(&ir.Set{Local: m.pend, X: i32(1)}, &ir.Break{Label: m.done})
			})
		}
		b.emit(&ir.Break{Label: next, Test: un(ir.I32Eqz, g.x)})
	}
	v := b.expr(arm.Body)
	m.mayPend = m.mayPend || v.pend >= 0
	b.assign(m.dst, m.pend, v)
}

// switchArms lowers a match on many alternatives of a variant by a jump table,
// when every arm names one constructor with irrefutable arguments and no guard,
// or is a last wildcard.
func (b *builder) switchArms(m *matcher, e *core.Match) bool {
	kind := b.l.typ(m.id).Kind
	if (kind != abi.Enum && kind != abi.Variant) || len(e.Arms) < 4 {
		return false
	}
	n := len(b.l.typ(m.id).Ctors)
	byTag := make([]*core.Arm, n)
	var other *core.Arm
	for i, arm := range e.Arms {
		if arm.Guard != nil {
			return false
		}
		switch p := arm.Pat.(type) {
		case *core.PWild, *core.PVar:
			if i != len(e.Arms)-1 {
				return false
			}
			other = arm
		case *core.PCtor:
			for _, a := range p.Args {
				if !irrefutable(a) {
					return false
				}
			}
			if byTag[p.Ctor.Tag] != nil {
				return false
			}
			byTag[p.Ctor.Tag] = arm
		default:
			return false
		}
	}
	if other == nil {
		for _, arm := range byTag {
			if arm == nil {
				return false
			}
		}
	}
	b.emitSwitch(m, kind, byTag, other)
	return true
}

func irrefutable(p core.Pattern) bool {
	switch p.(type) {
	case *core.PWild, *core.PVar:
		return true
	}
	return false
}

func (b *builder) emitSwitch(m *matcher, kind abi.Kind, byTag []*core.Arm, other *core.Arm) {
	tag := m.subject
	if kind == abi.Variant {
		tag = load(ir.I32, m.subject, 0)
	}
	run := func(arm *core.Arm) []ir.Stmt {
		return b.body(func() {
			if arm == nil {
				return
			}
			b.declare(arm.Pat, -1)
			b.matchPattern(arm.Pat, m.subject, m.id, nil)
			b.armBody(m, arm, nil)
		})
	}
	sw := &ir.Switch{X: tag}
	if other != nil {
		for _, arm := range byTag {
			if arm == nil {
				arm = other
			}
			sw.Cases = append(sw.Cases, run(arm))
		}
	} else {
		// Exhaustive: the last alternative is the default.
		for _, arm := range byTag[:len(byTag)-1] {
			sw.Cases = append(sw.Cases, run(arm))
		}
		sw.Default = run(byTag[len(byTag)-1])
	}
	b.emit(sw)
}

// declare gives the locals that a pattern binds their places. Alternatives of
// an or-pattern share them.
func (b *builder) declare(p core.Pattern, pend int) {
	bindTo := func(local *core.Local) {
		if local == nil {
			return
		}
		if s, ok := b.env[local]; ok {
			s.pend = pend
			b.env[local] = s
			return
		}
		b.env[local] = slot{b.f.NewLocal(b.rep(local.Type)), pend}
	}
	switch p := p.(type) {
	case *core.PVar:
		bindTo(p.Local)
	case *core.PAs:
		bindTo(p.Local)
		b.declare(p.Pat, pend)
	case *core.PCtor:
		for _, a := range p.Args {
			b.declare(a, pend)
		}
	case *core.PTuple:
		for _, a := range p.Elems {
			b.declare(a, pend)
		}
	case *core.PList:
		for _, a := range p.Elems {
			b.declare(a, pend)
		}
		bindTo(p.Rest)
	case *core.POr:
		for _, a := range p.Alts {
			b.declare(a, pend)
		}
	}
}

// matchPattern tests x against p and binds its locals; it leaves the block of
// fail where x does not match. fail is nil when it must match.
func (b *builder) matchPattern(p core.Pattern, x ir.Expr, id abi.TypeID, fail *ir.Label) {
	unless := func(test ir.Expr) {
		if fail != nil {
			b.emit(&ir.Break{Label: fail, Test: un(ir.I32Eqz, test)})
		}
	}
	switch p := p.(type) {
	case *core.PVar:
		b.emit(&ir.Set{Local: b.env[p.Local].local, X: x})
	case *core.PAs:
		x = b.atom(x)
		b.emit(&ir.Set{Local: b.env[p.Local].local, X: x})
		b.matchPattern(p.Pat, x, id, fail)
	case *core.PLit:
		unless(b.equal(id, x, b.literalOf(p.Value, p.Type, p.At), p.At))
	case *core.PTuple:
		x = b.atom(x)
		for i, f := range b.l.typ(id).Fields {
			b.matchPattern(p.Elems[i], load(b.l.val(f.Type), x, f.Offset), f.Type, fail)
		}
	case *core.PCtor:
		b.matchCtor(p, b.atom(x), id, fail, unless)
	case *core.PList:
		b.matchList(p, b.atom(x), id, fail, unless)
	case *core.POr:
		b.matchOr(p, b.atom(x), id, fail)
	}
}

func (b *builder) matchCtor(p *core.PCtor, x ir.Expr, id abi.TypeID, fail *ir.Label, unless func(ir.Expr)) {
	t := b.l.typ(id)
	fieldsOf := func(fields []abi.Field) {
		for i, f := range fields {
			if _, ok := p.Args[i].(*core.PWild); ok {
				continue
			}
			b.matchPattern(p.Args[i], load(b.l.val(f.Type), x, f.Offset), f.Type, fail)
		}
	}
	switch t.Kind {
	case abi.Wrapper, abi.Map, abi.Set:
		inner := t.Elem
		if t.Kind != abi.Wrapper {
			inner = t.Node
		}
		b.matchPattern(p.Args[0], x, inner, fail)
	case abi.Record:
		fieldsOf(t.Fields)
	case abi.Option:
		if p.Ctor.Tag == 0 {
			unless(b.isNone(id, x))
			return
		}
		unless(un(ir.I32Eqz, b.isNone(id, x)))
		if _, ok := p.Args[0].(*core.PWild); !ok {
			b.matchPattern(p.Args[0], b.unwrapSome(id, x), t.Elem, fail)
		}
	case abi.Enum, abi.Bool:
		unless(bin(ir.I32Eq, x, i32(int32(p.Ctor.Tag))))
	default:
		if len(t.Ctors) > 1 {
			unless(bin(ir.I32Eq, load(ir.I32, x, 0), i32(int32(p.Ctor.Tag))))
		}
		fieldsOf(t.Ctors[p.Ctor.Tag].Fields)
	}
}

func (b *builder) matchList(p *core.PList, x ir.Expr, id abi.TypeID, fail *ir.Label, unless func(ir.Expr)) {
	elem := b.l.typ(id).Elem
	t := b.l.val(elem)
	n := i32(int32(len(p.Elems)))
	if p.HasRest {
		if len(p.Elems) > 0 {
			unless(bin(ir.I32GeU, count(x), n))
		}
	} else {
		unless(bin(ir.I32Eq, count(x), n))
	}
	if len(p.Elems) > 0 {
		addr := b.atom(listAddr(x))
		for i, q := range p.Elems {
			if _, ok := q.(*core.PWild); ok {
				continue
			}
			b.matchPattern(q, load(t, addr, uint32(i)*t.Size()), elem, fail)
		}
	}
	if p.Rest != nil {
		b.emit(&ir.Set{Local: b.env[p.Rest].local, X: b.dropFirst(x, t, len(p.Elems))})
	}
}

// dropFirst is a list without its first n elements, of which it has as many.
func (b *builder) dropFirst(x ir.Expr, t ir.Type, n int) ir.Expr {
	if n == 0 {
		return x
	}
	addr := bin(ir.I32Add, listAddr(x), i32(int32(t.Size())*int32(n)))
	return pack(addr, bin(ir.I32Sub, count(x), i32(int32(n))))
}

func (b *builder) matchOr(p *core.POr, x ir.Expr, id abi.TypeID, fail *ir.Label) {
	done := &ir.Label{Name: "or"}
	list := b.body(func() {
		for i, alt := range p.Alts {
			if i == len(p.Alts)-1 {
				b.matchPattern(alt, x, id, fail)
				break
			}
			next := &ir.Label{Name: "alternative"}
			inner := b.body(func() {
				b.matchPattern(alt, x, id, next)
				b.emit(&ir.Break{Label: done})
			})
			b.emit(&ir.Block{Label: next, Body: inner})
		}
	})
	b.emit(&ir.Block{Label: done, Body: list})
}
