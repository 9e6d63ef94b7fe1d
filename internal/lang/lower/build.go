package lower

import (
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// builder lowers one instance's body. Expressions come back as trees that have
// no effects and may be evaluated later or twice; whatever has effects, may
// fault or allocates is put into statements at once, in order.
type builder struct {
	l    *lowerer
	inst *instance
	f    *ir.Func
	name string
	sub  core.Subst
	out  *[]ir.Stmt
	env  map[*core.Local]slot
	fns  map[*core.Local]bound

	depth int // the IR local with the remaining depth, -1 without
	path  int // the IR local with the path, -1 without
	loop  *ir.Label
	self  *core.Func
	// scope is the innermost open scope; nil in functions that cannot call.
	scope *scope
}

// slot is where a local of the program lives: an IR local, and the IR local
// that tells whether it is pending, -1 when it cannot be.
type slot struct{ local, pend int }

// val is an expression's value: a tree, and the IR local that tells whether it
// is pending (its tree is then meaningless), -1 when it cannot be.
type val struct {
	x    ir.Expr
	pend int
}

func ready(x ir.Expr) val { return val{x, -1} }

func i32(n int32) *ir.Const    { return &ir.Const{T: ir.I32, Bits: uint64(uint32(n))} }
func i64(n int64) *ir.Const    { return &ir.Const{T: ir.I64, Bits: uint64(n)} }
func f64(n float64) *ir.Const  { return &ir.Const{T: ir.F64, Bits: math.Float64bits(n)} }
func zero(t ir.Type) *ir.Const { return &ir.Const{T: t} }

func get(t ir.Type, local int) *ir.Get { return &ir.Get{T: t, Local: local} }
func un(op ir.Op, x ir.Expr) ir.Expr   { return &ir.Unary{Op: op, X: x} }

func bin(op ir.Op, x, y ir.Expr) ir.Expr { return &ir.Binary{Op: op, X: x, Y: y} }

func load(t ir.Type, addr ir.Expr, offset uint32) ir.Expr {
	return &ir.Load{T: t, Width: uint8(t.Size()), Addr: addr, Offset: offset}
}

func store(t ir.Type, addr ir.Expr, offset uint32, x ir.Expr) ir.Stmt {
	return &ir.Store{Width: uint8(t.Size()), Addr: addr, Offset: offset, X: x}
}

func (b *builder) emit(s ...ir.Stmt) { *b.out = append(*b.out, s...) }

// set puts x into a fresh local and gives it back as a tree.
func (b *builder) set(x ir.Expr) *ir.Get {
	local := b.f.NewLocal(x.Type())
	b.emit(&ir.Set{Local: local, X: x})
	return get(x.Type(), local)
}

// atom makes x cheap to use more than once.
func (b *builder) atom(x ir.Expr) ir.Expr {
	switch x.(type) {
	case *ir.Const, *ir.Get:
		return x
	}
	return b.set(x)
}

func (b *builder) get(local int) *ir.Get { return get(b.f.Locals[local], local) }

// body runs f with statements going to a new list.
func (b *builder) body(f func()) []ir.Stmt {
	saved := b.out
	var list []ir.Stmt
	b.out = &list
	f()
	b.out = saved
	return list
}

// when emits an If.
func (b *builder) when(test ir.Expr, then func()) {
	b.emit(&ir.If{Test: test, Then: b.body(then)})
}

// faultIf ends the request when test is not zero.
func (b *builder) faultIf(test ir.Expr, kind abi.FaultKind, at span.Span) {
	b.emit(&ir.If{Test: test, Then: []ir.Stmt{&ir.Fault{Site: b.site(kind, at)}}})
}

func (b *builder) site(kind abi.FaultKind, at span.Span) int32 {
	return b.l.site(kind, at, b.name)
}

// charge takes gas.
func (b *builder) charge(cost ir.Expr, at span.Span) {
	if c, ok := cost.(*ir.Const); ok && c.Bits == 0 {
		return
	}
	b.emit(&ir.Gas{Cost: cost, Site: b.site(abi.OutOfGas, at)})
}

// chargeBytes takes core.GasBytes of n, an I32.
func (b *builder) chargeBytes(n ir.Expr, at span.Span) {
	if c, ok := n.(*ir.Const); ok {
		b.charge(i64(core.GasBytes(int64(uint32(c.Bits)))), at)
		return
	}
	n = b.atom(n)
	b.when(bin(ir.I32GtU, n, i32(64)), func() {
		cost := bin(ir.I32ShrU, bin(ir.I32Sub, n, i32(1)), i32(6))
		b.charge(un(ir.I64ExtendI32U, cost), at)
	})
}

// alloc takes size bytes, a multiple of 8, from the heap.
func (b *builder) alloc(size ir.Expr, at span.Span) *ir.Get {
	return b.set(&ir.Alloc{Size: size, Site: b.site(abi.OutOfMemory, at)})
}

func (b *builder) typeID(t core.Type) abi.TypeID { return b.l.typeID(t, b.sub) }
func (b *builder) rep(t core.Type) ir.Type       { return b.l.val(b.typeID(t)) }

// function lowers a function's body.
func (b *builder) function(fn *core.Func) {
	if fn.Kind == core.Intrinsic {
		b.intrinsicBody(fn)
		return
	}
	b.self = fn
	b.open()
	b.enter(fn.Gas, fn.At, fn.Recursive)
	if !fn.Loop {
		b.leave(b.expr(fn.Body))
		return
	}
	b.loop = &ir.Label{Name: fn.Name}
	list := b.body(func() { b.leave(b.expr(fn.Body)) })
	b.emit(&ir.Loop{Label: b.loop, Body: list})
	b.emit(&ir.Return{X: zero(b.f.Result)}) // never reached: every path returns or continues
}

func (b *builder) lambdaBody(e *core.Lambda) {
	b.open()
	b.enter(e.Gas, e.At, false)
	b.leave(b.expr(e.Body))
}

// enter charges for entering and spends depth.
func (b *builder) enter(gas int64, at span.Span, recursive bool) {
	b.charge(i64(gas), at)
	if !recursive {
		return
	}
	b.faultIf(un(ir.I32Eqz, b.get(b.depth)), abi.TooDeep, at)
	b.depth = b.set(bin(ir.I32Sub, b.get(b.depth), i32(1))).Local
}

// hidden are the arguments for a callee's hidden parameters. site is where the
// path forks.
func (b *builder) hidden(callee facts, path func() ir.Expr) []ir.Expr {
	var args []ir.Expr
	// A function passed as data is taken to do anything, so that its callee may
	// have hidden parameters that nothing here has a value for, and no use.
	if callee.deep {
		if b.depth >= 0 {
			args = append(args, b.get(b.depth))
		} else {
			args = append(args, &ir.GetGlobal{Global: b.l.depth})
		}
	}
	if callee.scopes {
		if b.path >= 0 {
			args = append(args, path())
		} else {
			args = append(args, i64(0))
		}
	}
	return args
}

// mix forks the path; see the design note.
func (b *builder) mix(path, x ir.Expr) ir.Expr {
	h := b.set(bin(ir.I64Mul, bin(ir.I64Xor, path, x), i64(-0x61c8864680b583eb)))
	return b.set(bin(ir.I64Xor, h, bin(ir.I64ShrU, h, i64(32))))
}

func (b *builder) fork(site core.Site) func() ir.Expr {
	return func() ir.Expr { return b.mix(b.get(b.path), i64(int64(site))) }
}
