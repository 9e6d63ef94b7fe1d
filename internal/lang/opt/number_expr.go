package opt

import (
	"encoding/binary"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
)

// expr numbers an expression and gives what to put in its place. The first time
// that a function is numbered all trees are made anew, so that from then on each
// node stands in one place. sure says that the statement at hand evaluates it in
// any case.
func (p *numberer) expr(e ir.Expr, sure bool) (ir.Expr, vn) {
	switch e := e.(type) {
	case *ir.Const:
		return e, p.constant(e.T, e.Bits)
	case *ir.Get:
		n := p.resolve(p.env[e.Local])
		if bits, ok := p.isConst(n); ok {
			return p.c.nodes.constant(e.T, bits), n
		}
		if l, ok := p.at(n); ok && l != e.Local {
			return p.c.nodes.get(e.T, l), n
		}
		return e, n
	case *ir.GetGlobal:
		state := p.globals
		if isClock(e.Global) {
			state = 0
		}
		n := p.read(e.Type(), 0, p.c.globalNumber(e.Global), state)
		return p.found(e, n, sure)
	case *ir.Unary:
		x, a := p.expr(e.X, sure)
		n := p.unary(e.Op, a)
		if y := p.instead(e.Op, a, 0, n, x, nil); y != nil {
			return y, n
		}
		if p.c.owned && x == e.X {
			return p.found(e, n, sure)
		}
		t := p.c.nodes.unary()
		*t = ir.Unary{Op: e.Op, X: x}
		return p.found(t, n, sure)
	case *ir.Binary:
		x, a := p.expr(e.X, sure)
		y, b := p.expr(e.Y, sure)
		n := p.binary(e.Op, a, b)
		if z := p.instead(e.Op, a, b, n, x, y); z != nil {
			return z, n
		}
		if p.c.owned && x == e.X && y == e.Y {
			return p.found(e, n, sure)
		}
		t := p.c.nodes.binary()
		*t = ir.Binary{Op: e.Op, X: x, Y: y}
		return p.found(t, n, sure)
	case *ir.Load:
		return p.loadExpr(e, sure)
	case *ir.Cond:
		return p.condExpr(e, sure)
	}
	// What has effects stands at the root of a statement (see normalPass), which
	// does not come here.
	return e, p.fresh(e.Type())
}

// read numbers a read of what may change: equal while the state is.
func (p *numberer) read(t ir.Type, addr vn, what, state uint64) vn {
	return p.resolve(p.number(value{kind: kindRead, t: t, a: addr, b: vn(state), aux: what}))
}

// ready is the value as a constant or as what a local holds, nil otherwise.
func (p *numberer) ready(n vn, t ir.Type) ir.Expr {
	if bits, ok := p.isConst(n); ok {
		return p.c.nodes.constant(t, bits)
	}
	if l, ok := p.at(n); ok {
		return p.c.nodes.get(t, l)
	}
	return nil
}

// found ends the numbering of a tree: it gives a local that holds the value when
// there is one, or makes one when the value has been computed before.
func (p *numberer) found(e ir.Expr, n vn, sure bool) (ir.Expr, vn) {
	if x := p.ready(n, e.Type()); x != nil {
		return x, n
	}
	if pl := p.placeOf(n); pl != nil && p.hoist(n, pl) {
		return p.c.nodes.get(e.Type(), pl.local), n
	}
	p.made = append(p.made, made{e, n})
	return e, n
}

// hoist gives a value that a statement computed on its way a local of its own.
func (p *numberer) hoist(n vn, pl *place) bool {
	t := pl.e.Type()
	get := p.c.nodes.get(t, len(p.f.Locals))
	found := p.replace(pl.root, pl.e, get)
	for _, h := range pl.scope.before[pl.stmt] {
		found = found || p.replace(&h.set.X, pl.e, get)
	}
	if !found {
		return false
	}
	pl.local = p.f.NewLocal(t)
	p.env = append(p.env, 0)
	p.stamp = append(p.stamp, 0)
	if pl.scope.before == nil {
		pl.scope.before = map[ir.Stmt][]hoisted{}
	}
	pl.scope.before[pl.stmt] = append(pl.scope.before[pl.stmt], hoisted{n, &ir.Set{Local: pl.local, X: pl.e}})
	p.at(n) // the local holds it from here on
	return true
}

// replace puts an expression in the place of a part of a tree. The nodes above
// are made anew, since they may stand elsewhere too.
func (p *numberer) replace(slot *ir.Expr, part, by ir.Expr) bool {
	if *slot == part {
		*slot = by
		return true
	}
	switch e := (*slot).(type) {
	case *ir.Unary:
		if x := e.X; p.replace(&x, part, by) {
			t := p.c.nodes.unary()
			*t = ir.Unary{Op: e.Op, X: x}
			*slot = t
			return true
		}
	case *ir.Binary:
		x, y := e.X, e.Y
		if p.replace(&x, part, by) || p.replace(&y, part, by) {
			t := p.c.nodes.binary()
			*t = ir.Binary{Op: e.Op, X: x, Y: y}
			*slot = t
			return true
		}
	case *ir.Load:
		if addr := e.Addr; p.replace(&addr, part, by) {
			t := p.c.nodes.load()
			*t = *e
			t.Addr = addr
			*slot = t
			return true
		}
	case *ir.Cond:
		if test := e.Test; p.replace(&test, part, by) {
			t := p.c.nodes.cond()
			*t = ir.Cond{Test: test, Then: e.Then, Else: e.Else}
			*slot = t
			return true
		}
	}
	return false
}

// instead is a tree for n where simplifying found another way to it than the
// operator on a and b, whose trees are x and y; nil when there is none that can
// be written here.
func (p *numberer) instead(op ir.Op, a, b, n vn, x, y ir.Expr) ir.Expr {
	if n == a && x.Type() == op.Result() {
		return x
	}
	if y != nil && n == b && y.Type() == op.Result() {
		return y
	}
	t := op.Result()
	if e := p.ready(n, t); e != nil {
		return e
	}
	v := &p.list[n]
	if v.kind < kindOp {
		return p.within(n, x, y)
	}
	if w := v.op(); v.a == a && v.b == b && w == op || v.a == b && v.b == a && w == op.Mirror() {
		return nil // as it was
	}
	if e := p.within(n, x, y); e != nil {
		return e
	}
	return p.build(n, x, y, 2)
}

// build makes a tree for an operator out of what is ready and of parts of the
// trees x and y that it replaces.
func (p *numberer) build(n vn, x, y ir.Expr, depth int) ir.Expr {
	v := p.list[n]
	if e := p.ready(n, v.t); e != nil {
		return e
	}
	if e := p.within(n, x, y); e != nil {
		return e
	}
	if depth == 0 || v.kind < kindOp {
		return nil
	}
	left := p.build(p.resolve(v.a), x, y, depth-1)
	if left == nil {
		return nil
	}
	if v.b == 0 {
		t := p.c.nodes.unary()
		*t = ir.Unary{Op: v.op(), X: left}
		p.made = append(p.made, made{t, n})
		return t
	}
	right := p.build(p.resolve(v.b), x, y, depth-1)
	if right == nil {
		return nil
	}
	t := p.c.nodes.binary()
	*t = ir.Binary{Op: v.op(), X: left, Y: right}
	p.made = append(p.made, made{t, n})
	return t
}

// within finds a part of the trees that has the number.
func (p *numberer) within(n vn, trees ...ir.Expr) ir.Expr {
	for i := len(p.made) - 1; i >= 0; i-- {
		if p.made[i].n != n {
			continue
		}
		for _, t := range trees {
			if t != nil && contains(t, p.made[i].e, 4) {
				return p.made[i].e
			}
		}
	}
	return nil
}

func contains(tree, part ir.Expr, depth int) bool {
	if tree == part {
		return true
	}
	if depth == 0 {
		return false
	}
	switch t := tree.(type) {
	case *ir.Unary:
		return contains(t.X, part, depth-1)
	case *ir.Binary:
		return contains(t.X, part, depth-1) || contains(t.Y, part, depth-1)
	case *ir.Load:
		return contains(t.Addr, part, depth-1)
	}
	return false
}

// maxOffset bounds the constants that move from an address into the offset. No
// address that a program computes comes so near to 2^32 that it would wrap.
const maxOffset = 1 << 16

// address splits what is added to an address off into the offset.
func (p *numberer) address(e ir.Expr, offset uint32, sure bool) (ir.Expr, vn, uint32) {
	x, n := p.expr(e, sure)
	op, a, b := p.operation(n)
	if op != ir.I32Add {
		return x, n, offset
	}
	c, ok := p.isConst(b)
	if !ok || c == 0 || c+uint64(offset) >= maxOffset {
		return x, n, offset
	}
	if y := p.build(p.resolve(a), x, nil, 1); y != nil {
		return y, p.resolve(a), offset + uint32(c)
	}
	return x, n, offset
}

func (p *numberer) loadExpr(e *ir.Load, sure bool) (ir.Expr, vn) {
	addr, a, offset := p.address(e.Addr, e.Offset, sure)
	var n vn
	if e.Mutable {
		n = p.read(e.T, a, 1<<63|uint64(offset)<<8|uint64(e.Width), p.memory)
	} else if n = p.static(e.T, e.Width, a, offset); n == 0 {
		n = p.load(e.T, e.Width, a, offset)
	}
	if p.list[n].kind >= kindOp { // it was stored as the value of an operator
		if x := p.build(n, nil, nil, 2); x != nil {
			return x, n
		}
	}
	if p.c.owned && addr == e.Addr && offset == e.Offset {
		return p.found(e, n, sure)
	}
	t := p.c.nodes.load()
	*t = ir.Load{T: e.T, Width: e.Width, Addr: addr, Offset: offset, Mutable: e.Mutable}
	return p.found(t, n, sure)
}

// static is what the module's data hold at a constant address, 0 when they do
// not.
func (p *numberer) static(t ir.Type, width uint8, addr vn, offset uint32) vn {
	at, ok := p.isConst(addr)
	if !ok {
		return 0
	}
	data := p.c.module.Data
	from := at + uint64(offset) - abi.StaticBase
	if from > uint64(len(data)) || uint64(len(data))-from < uint64(width) {
		return 0
	}
	var bits [8]byte
	copy(bits[:width], data[from:])
	return p.constant(t, binary.LittleEndian.Uint64(bits[:]))
}

func (p *numberer) condExpr(e *ir.Cond, sure bool) (ir.Expr, vn) {
	test, c := p.expr(e.Test, sure)
	if bits, ok := p.isConst(c); ok {
		if uint32(bits) != 0 {
			return p.expr(e.Then, sure)
		}
		return p.expr(e.Else, sure)
	}
	mark := len(p.trail)
	p.suppose(c, true)
	then, a := p.expr(e.Then, false)
	p.rollback(mark)
	p.suppose(c, false)
	other, b := p.expr(e.Else, false)
	p.rollback(mark)
	n := p.cond(c, a, b)
	switch n {
	case a:
		return then, n
	case b:
		return other, n
	case c:
		return test, n
	}
	if x := p.instead(ir.I32Eqz, c, 0, n, test, nil); x != nil && p.list[n].kind != kindCond {
		return x, n
	}
	t := p.c.nodes.cond()
	*t = ir.Cond{Test: test, Then: then, Else: other}
	return p.found(t, n, sure)
}

// remember notes where the trees of a statement stand, so that a later
// statement that computes the same can have them put into a local. whole says
// that the statement itself puts all of the tree into one.
func (p *numberer) remember(s ir.Stmt, root *ir.Expr, whole bool) {
	if len(p.made) > maxTree {
		return // each part is looked for among all of them
	}
	p.rememberPart(s, root, *root, whole)
}

// maxTree bounds the trees whose parts are remembered, in nodes.
const maxTree = 500

// rememberPart gives what the part weighs.
func (p *numberer) rememberPart(s ir.Stmt, root *ir.Expr, e ir.Expr, whole bool) int {
	w := 0
	switch e := e.(type) {
	case *ir.Unary:
		w = 1 + p.rememberPart(s, root, e.X, false)
	case *ir.Binary:
		w = p.rememberPart(s, root, e.X, false) + p.rememberPart(s, root, e.Y, false) + operatorWeight(e.Op)
	case *ir.Load:
		p.rememberPart(s, root, e.Addr, false)
		w = 2
	case *ir.Cond:
		p.rememberPart(s, root, e.Test, false)
		w = 3
	}
	if w < 2 || whole {
		return w
	}
	for i := len(p.made) - 1; i >= 0; i-- {
		if p.made[i].e == e {
			p.place(p.made[i].n, s, root, e)
			break
		}
	}
	return w
}

// place notes where a value is computed, unless it was before.
func (p *numberer) place(n vn, s ir.Stmt, root *ir.Expr, e ir.Expr) {
	if p.placeOf(n) != nil {
		return
	}
	for int(n) >= len(p.places) {
		p.places = append(p.places, nil)
	}
	pl := p.c.nodes.places.next()
	*pl = place{scope: p.scope, stmt: s, root: root, e: e, local: -1}
	p.places[n] = pl
}

func operatorWeight(op ir.Op) int {
	switch op {
	case ir.I64DivS, ir.I64DivU, ir.I64RemS, ir.I64RemU, ir.I32DivU, ir.I32RemU, ir.F64Div, ir.I64Mul, ir.I32Mul:
		return 3
	}
	return 1
}

// weight is about what an expression costs, up to a few.
func weight(e ir.Expr) int {
	switch e := e.(type) {
	case *ir.Unary:
		return 1 + weight(e.X)
	case *ir.Binary:
		return operatorWeight(e.Op) + weight(e.X) + weight(e.Y)
	case *ir.Load:
		return 2
	case *ir.Cond:
		return 3
	}
	return 0
}

// clearMade forgets the trees of a statement.
func (p *numberer) clearMade() { p.made = p.made[:0] }
