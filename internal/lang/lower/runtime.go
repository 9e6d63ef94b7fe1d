package lower

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// runtimeFunc gives the compiler's own function of that name, making it at its
// first use. make emits its body; the parameters are locals 0 and on.
func (l *lowerer) runtimeFunc(name string, result ir.Type, params []ir.Type, make func(b *builder)) *ir.Func {
	if f := l.runtime[name]; f != nil {
		return f
	}
	f := &ir.Func{Name: name, Params: len(params), Locals: append([]ir.Type(nil), params...), Result: result, Runtime: true}
	l.runtime[name] = f
	l.module.Funcs = append(l.module.Funcs, f)
	b := &builder{l: l, inst: &instance{f: f}, f: f, name: name, depth: -1, path: -1}
	b.out = &f.Body
	make(b)
	return f
}

func (b *builder) ret(x ir.Expr) { b.emit(&ir.Return{X: x}) }

// unless emits an If whose body runs when test is zero.
func (b *builder) unless(test ir.Expr, body func()) { b.when(un(ir.I32Eqz, test), body) }

// while emits a loop that runs body as long as test, evaluated before each
// round, is not zero.
func (b *builder) while(test func() ir.Expr, body func()) {
	done, again := &ir.Label{Name: "done"}, &ir.Label{Name: "while"}
	list := b.body(func() {
		b.emit(&ir.Break{Label: done, Test: un(ir.I32Eqz, test())})
		body()
		b.emit(&ir.Continue{Label: again})
	})
	b.emit(&ir.Block{Label: done, Body: []ir.Stmt{&ir.Loop{Label: again, Body: list}}})
}

// forRange runs body for i from 0 to before n, an I32 that is cheap to repeat.
func (b *builder) forRange(n ir.Expr, body func(i ir.Expr)) {
	i := b.set(i32(0))
	b.while(func() ir.Expr { return bin(ir.I32LtU, i, n) }, func() {
		body(i)
		b.emit(&ir.Set{Local: i.Local, X: bin(ir.I32Add, i, i32(1))})
	})
}

// strEqual is the function (a, b: I64 strings) -> I32. The region is readable
// for 8 bytes beyond any string (the host keeps that slack), so whole words are
// compared to the end.
func (l *lowerer) strEqual() *ir.Func {
	return l.runtimeFunc("string.equal", ir.I32, []ir.Type{ir.I64, ir.I64}, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.when(bin(ir.I32Ne, count(x), count(y)), func() { b.ret(i32(0)) })
		p, q, n := b.set(strAddr(x)), b.set(strAddr(y)), b.set(count(x))
		b.while(func() ir.Expr { return bin(ir.I32GtU, n, i32(8)) }, func() {
			b.when(bin(ir.I64Ne, load(ir.I64, p, 0), load(ir.I64, q, 0)), func() { b.ret(i32(0)) })
			b.emit(&ir.Set{Local: p.Local, X: bin(ir.I32Add, p, i32(8))},
				&ir.Set{Local: q.Local, X: bin(ir.I32Add, q, i32(8))},
				&ir.Set{Local: n.Local, X: bin(ir.I32Sub, n, i32(8))})
		})
		b.unless(n, func() { b.ret(i32(1)) })
		differ := bin(ir.I64Xor, load(ir.I64, p, 0), load(ir.I64, q, 0))
		unused := un(ir.I64ExtendI32U, bin(ir.I32Sub, i32(64), scaled(n, 8)))
		b.ret(un(ir.I64Eqz, bin(ir.I64Shl, differ, unused)))
	})
}

// strCompare is (a, b) -> I32, below, at or above zero, by bytes.
func (l *lowerer) strCompare() *ir.Func {
	return l.runtimeFunc("string.compare", ir.I32, []ir.Type{ir.I64, ir.I64}, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		p, q := b.set(strAddr(x)), b.set(strAddr(y))
		n := b.set(&ir.Cond{Test: bin(ir.I32LtU, count(x), count(y)), Then: count(x), Else: count(y)})
		same := func() ir.Expr {
			return bin(ir.I32And, bin(ir.I32GeU, n, i32(8)), bin(ir.I64Eq, load(ir.I64, p, 0), load(ir.I64, q, 0)))
		}
		step := func(by int32) {
			b.emit(&ir.Set{Local: p.Local, X: bin(ir.I32Add, p, i32(by))},
				&ir.Set{Local: q.Local, X: bin(ir.I32Add, q, i32(by))},
				&ir.Set{Local: n.Local, X: bin(ir.I32Sub, n, i32(by))})
		}
		b.while(same, func() { step(8) })
		b.while(func() ir.Expr { return n }, func() {
			c, d := b.set(&ir.Load{T: ir.I32, Width: 1, Addr: p}), b.set(&ir.Load{T: ir.I32, Width: 1, Addr: q})
			b.when(bin(ir.I32Ne, c, d), func() { b.ret(bin(ir.I32Sub, c, d)) })
			step(1)
		})
		b.ret(sign(bin(ir.I32GtU, count(x), count(y)), bin(ir.I32LtU, count(x), count(y))))
	})
}

// giveWay is how many elements a loop that takes no gas writes before it gives
// way; copyChunk how many bytes are copied in one go. Both take well under a
// millisecond, memory that is touched for the first time included.
const (
	giveWay   = 1 << 16
	copyChunk = 1 << 19
)

// giveWay lets the host's scheduler and collector in: machine code cannot be
// stopped from outside.
func (b *builder) giveWay(at span.Span) {
	b.emit(&ir.HostStmt{Import: b.l.imports["yield"], Args: []ir.Expr{i32(b.site(abi.OutOfGas, at))}})
}

// copyBytes copies, giving way between chunks.
func (b *builder) copyBytes(dst, src, size ir.Expr) {
	size = b.atom(size)
	large := b.l.runtimeFunc("copy", ir.I32, []ir.Type{ir.I32, ir.I32, ir.I32}, func(b *builder) {
		dst, src, n := get(ir.I32, 0), get(ir.I32, 1), get(ir.I32, 2)
		chunk := i32(copyChunk)
		b.while(func() ir.Expr { return bin(ir.I32GtU, n, chunk) }, func() {
			b.emit(&ir.Copy{Dst: dst, Src: src, Size: chunk})
			b.emit(&ir.Set{Local: 0, X: bin(ir.I32Add, dst, chunk)}, &ir.Set{Local: 1, X: bin(ir.I32Add, src, chunk)},
				&ir.Set{Local: 2, X: bin(ir.I32Sub, n, chunk)})
			b.giveWay(span.Span{})
		})
		b.emit(&ir.Copy{Dst: dst, Src: src, Size: n})
		b.ret(i32(0))
	})
	large.NoInline = true
	b.emit(&ir.If{
		Test: bin(ir.I32LeU, size, i32(copyChunk)),
		Then: []ir.Stmt{&ir.Copy{Dst: dst, Src: src, Size: size}},
		Else: []ir.Stmt{&ir.Do{X: &ir.Call{Func: large, Args: []ir.Expr{dst, src, size}}}},
	})
}

// sign is 1, -1 or 0 from two tests of which at most one holds.
func sign(above, below ir.Expr) ir.Expr { return bin(ir.I32Sub, above, below) }

// concatStrings joins an interpolated string's parts.
func (b *builder) concatStrings(parts []ir.Expr, at coreNode) ir.Expr {
	for i := range parts {
		parts[i] = b.atom(parts[i])
	}
	// 64 bits: the lengths of many parts can exceed 32 bits together.
	total := ir.Expr(i64(0))
	for _, p := range parts {
		total = bin(ir.I64Add, total, bin(ir.I64And, p, i64(0xffffffff)))
	}
	total = b.set(total)
	b.when(bin(ir.I64GtU, total, i64(memoryPages*abi.PageSize)), func() {
		b.emit(&ir.Fault{Site: b.site(abi.OutOfMemory, at.Pos())})
	})
	n := b.set(un(ir.I32WrapI64, total))
	b.chargeBytes(n, at.Pos())
	cell := b.alloc(aligned(n), at.Pos())
	to := b.set(cell)
	for i, p := range parts {
		size := count(p)
		b.copyBytes(to, strAddr(p), size)
		if i < len(parts)-1 {
			b.emit(&ir.Set{Local: to.Local, X: bin(ir.I32Add, to, size)})
		}
	}
	return pack(cell, n)
}

// mulSlow is (a, b: I64) -> I32: whether a product that the fast test did not
// clear overflows. It divides back. The caller faults, as sites are static.
func (l *lowerer) mulSlow() *ir.Func {
	return l.runtimeFunc("int.mulOverflows", ir.I32, []ir.Type{ir.I64, ir.I64}, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.unless(un(ir.I32Eqz, un(ir.I64Eqz, x)), func() { b.ret(i32(0)) })
		b.when(bin(ir.I64Eq, x, i64(-1)), func() { b.ret(bin(ir.I64Eq, y, i64(-1<<63))) })
		b.ret(bin(ir.I64Ne, bin(ir.I64DivS, bin(ir.I64Mul, x, y), x), y))
	})
}
