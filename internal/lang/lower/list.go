package lower

import (
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// Lists. A list that was built by appending owns a builder buffer: its address
// has bit 0 set, and before its first element stand {used, capacity}, in
// elements. Appending to the list that ends where the buffer's used part ends
// extends it in place; any other append copies into a new, larger buffer. Lists
// share buffers safely, because used only grows and elements never change.

func mutable32(addr ir.Expr, offset uint32) ir.Expr {
	return &ir.Load{T: ir.I32, Width: 4, Addr: addr, Offset: offset, Mutable: true}
}

// push appends one element.
func (b *builder) push(elem abi.TypeID, list, x ir.Expr, at span.Span) ir.Expr {
	t := b.l.val(elem)
	size := t.Size()
	f := b.l.runtimeFunc(fmt.Sprintf("list.push%d%v", size, t), ir.I64, []ir.Type{ir.I64, t}, func(b *builder) {
		list, x := get(ir.I64, 0), get(t, 1)
		grown := b.set(&ir.Call{Func: b.l.reserve(size), Args: []ir.Expr{list, i32(1)}})
		at := bin(ir.I32Add, listAddr(grown), scaled(count(list), size))
		b.emit(store(t, at, 0, x))
		b.ret(grown)
	})
	return b.set(&ir.Call{Func: f, Args: []ir.Expr{list, x}})
}

// reserve is (list, n) -> list: a list n longer that begins with the same
// elements and whose last n are to be stored by the caller.
func (l *lowerer) reserve(size uint32) *ir.Func {
	return l.runtimeFunc(fmt.Sprintf("list.reserve%d", size), ir.I64, []ir.Type{ir.I64, ir.I32}, func(b *builder) {
		list, more := get(ir.I64, 0), get(ir.I32, 1)
		n := b.set(count(list))
		length := b.set(bin(ir.I32Add, n, more))
		addr := b.set(strAddr(list))
		b.when(bin(ir.I32And, addr, i32(1)), func() {
			head := b.set(bin(ir.I32Sub, addr, i32(9)))
			inPlace := bin(ir.I32And, bin(ir.I32Eq, mutable32(head, 0), n), bin(ir.I32LeU, length, mutable32(head, 4)))
			b.when(inPlace, func() {
				b.emit(&ir.Store{Width: 4, Addr: head, X: length})
				b.ret(bin(ir.I64Add, list, un(ir.I64ExtendI32U, more)))
			})
		})
		capacity := b.set(bin(ir.I32Add, bin(ir.I32Shl, length, i32(1)), i32(2)))
		// 64 bits: a hostile length must not wrap around.
		bytes := bin(ir.I64Add, bin(ir.I64Mul, un(ir.I64ExtendI32U, capacity), i64(int64(size))), i64(15))
		bytes = b.set(bytes)
		b.when(bin(ir.I64GtU, bytes, i64(memoryPages*abi.PageSize)), func() {
			b.emit(&ir.Fault{Site: b.site(abi.OutOfMemory, span.Span{})})
		})
		cell := b.alloc(bin(ir.I32And, un(ir.I32WrapI64, bytes), i32(-8)), span.Span{})
		b.emit(&ir.Store{Width: 4, Addr: cell, X: length}, &ir.Store{Width: 4, Addr: cell, Offset: 4, X: capacity})
		first := b.set(bin(ir.I32Add, cell, i32(8)))
		b.copyBytes(first, bin(ir.I32And, addr, i32(-2)), scaled(n, size))
		b.ret(pack(bin(ir.I32Or, first, i32(1)), length))
	})
}

// listConcat appends a list to a list; the other one itself when one is empty.
func (b *builder) listConcat(elem abi.TypeID, x, y ir.Expr, at span.Span) ir.Expr {
	size := b.l.val(elem).Size()
	x, y = b.atom(x), b.atom(y)
	b.chargeElems(count(y), at)
	f := b.l.runtimeFunc(fmt.Sprintf("list.concat%d", size), ir.I64, []ir.Type{ir.I64, ir.I64}, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.unless(count(x), func() { b.ret(y) })
		b.unless(count(y), func() { b.ret(x) })
		grown := b.set(&ir.Call{Func: b.l.reserve(size), Args: []ir.Expr{x, count(y)}})
		to := bin(ir.I32Add, listAddr(grown), scaled(count(x), size))
		b.copyBytes(to, listAddr(y), scaled(count(y), size))
		b.ret(grown)
	})
	return b.set(&ir.Call{Func: f, Args: []ir.Expr{x, y}})
}

// chargeElems takes what reading or writing n elements costs, at 8 bytes each.
func (b *builder) chargeElems(n ir.Expr, at span.Span) {
	n = b.atom(n)
	b.when(bin(ir.I32GtU, n, i32(8)), func() {
		bytes := bin(ir.I64Shl, un(ir.I64ExtendI32U, n), i64(3))
		b.charge(bin(ir.I64ShrU, bin(ir.I64Sub, bytes, i64(1)), i64(6)), at)
	})
}

// listSlice gives the elements from `from` to before `to`, I64s, clamped.
func (b *builder) listSlice(elem abi.TypeID, list, from, to ir.Expr) ir.Expr {
	size := b.l.val(elem).Size()
	f := b.l.runtimeFunc(fmt.Sprintf("list.slice%d", size), ir.I64, []ir.Type{ir.I64, ir.I64, ir.I64}, func(b *builder) {
		list := get(ir.I64, 0)
		n := b.set(un(ir.I64ExtendI32U, count(list)))
		from, to := b.clamp(1, n), b.clamp(2, n)
		b.when(bin(ir.I64LeS, to, from), func() { b.ret(i64(0)) })
		length := un(ir.I32WrapI64, bin(ir.I64Sub, to, from))
		b.when(un(ir.I64Eqz, from), func() {
			// A prefix keeps the owner bit: appending to it copies, as its end is not the buffer's.
			high := bin(ir.I64And, list, i64(-1<<32))
			b.ret(bin(ir.I64Or, high, un(ir.I64ExtendI32U, length)))
		})
		addr := bin(ir.I32Add, listAddr(list), scaled(un(ir.I32WrapI64, from), size))
		b.ret(pack(addr, length))
	})
	return b.set(&ir.Call{Func: f, Args: []ir.Expr{list, from, to}})
}

// clamp puts the I64 parameter p into 0..n.
func (b *builder) clamp(p int, n ir.Expr) ir.Expr {
	x := get(ir.I64, p)
	b.when(bin(ir.I64LtS, x, i64(0)), func() { b.emit(&ir.Set{Local: p, X: i64(0)}) })
	b.when(bin(ir.I64GtS, x, n), func() { b.emit(&ir.Set{Local: p, X: n}) })
	return x
}

// rangeList lists from..to-1, charged by its length.
func (b *builder) rangeList(from, to ir.Expr, at span.Span) ir.Expr {
	from, to = b.atom(from), b.atom(to)
	dst := b.f.NewLocal(ir.I64)
	b.emit(&ir.Set{Local: dst, X: i64(0)})
	b.when(bin(ir.I64LtS, from, to), func() {
		n := b.set(bin(ir.I64Sub, to, from))
		// A length beyond 63 bits is negative here; it and all that memory cannot
		// hold cost more than any limit allows.
		huge := bin(ir.I64LtS, n, i64(0))
		b.charge(&ir.Cond{Test: huge, Then: i64(1 << 62), Else: n}, at)
		b.when(bin(ir.I64GtU, n, i64(memoryPages*abi.PageSize/8)), func() {
			b.emit(&ir.Fault{Site: b.site(abi.OutOfMemory, at)})
		})
		count := b.set(un(ir.I32WrapI64, n))
		cell := b.alloc(scaled(count, 8), at)
		b.forRange(count, func(i ir.Expr) {
			// Nothing in this loop takes gas: it gives way by itself.
			b.unless(bin(ir.I32And, bin(ir.I32Add, i, i32(1)), i32(giveWay-1)), func() { b.giveWay(at) })
			b.emit(store(ir.I64, bin(ir.I32Add, cell, scaled(i, 8)), 0, bin(ir.I64Add, from, un(ir.I64ExtendI32U, i))))
		})
		b.emit(&ir.Set{Local: dst, X: pack(cell, count)})
	})
	return get(ir.I64, dst)
}

// loopPath gives the path of the lambda of element i, when it needs one.
func (b *builder) loopPath(need bool, site ir.Expr) func(i ir.Expr) func() ir.Expr {
	if !need || b.path < 0 {
		return func(ir.Expr) func() ir.Expr { return func() ir.Expr { return i64(0) } }
	}
	base := b.mix(b.get(b.path), site)
	return func(i ir.Expr) func() ir.Expr {
		return func() ir.Expr {
			return b.mix(base, un(ir.I64ExtendI32U, bin(ir.I32Add, i, i32(1))))
		}
	}
}

// mapList applies f to each element. With calls inside it visits all elements;
// the result is pending when any of them is.
func (b *builder) mapList(from, to abi.TypeID, list ir.Expr, f bound, site ir.Expr, at span.Span) val {
	vf, vt := b.l.val(from), b.l.val(to)
	list = b.atom(list)
	n, src := b.set(count(list)), b.set(listAddr(list))
	b.charge(un(ir.I64ExtendI32U, n), at)
	dst := b.alloc(aligned(scaled(n, vt.Size())), at)
	path := b.loopPath(f.c.scopes, site)
	pend := -1
	if f.c.calls && b.scope != nil {
		pend = b.set(i32(0)).Local
	}
	b.forRange(n, func(i ir.Expr) {
		elem := load(vf, bin(ir.I32Add, src, scaled(i, vf.Size())), 0)
		v := b.callBound(f, at, path(i), []ir.Expr{elem})
		if v.pend >= 0 {
			b.emit(&ir.Set{Local: pend, X: bin(ir.I32Or, b.get(pend), b.get(v.pend))})
		}
		b.emit(store(vt, bin(ir.I32Add, dst, scaled(i, vt.Size())), 0, v.x))
	})
	return val{pack(dst, n), pend}
}

// filterList keeps the elements that keep accepts. Room for all is taken first
// and what was not needed is given back when nothing was allocated since.
func (b *builder) filterList(elem abi.TypeID, list ir.Expr, keep bound, site ir.Expr, at span.Span) val {
	v := b.l.val(elem)
	list = b.atom(list)
	n, src := b.set(count(list)), b.set(listAddr(list))
	b.charge(un(ir.I64ExtendI32U, n), at)
	dst := b.alloc(aligned(scaled(n, v.Size())), at)
	end := b.set(&ir.GetGlobal{Global: b.l.heap})
	to := b.set(dst)
	path := b.loopPath(keep.c.scopes, site)
	pend := -1
	if keep.c.calls && b.scope != nil {
		pend = b.set(i32(0)).Local
	}
	b.forRange(n, func(i ir.Expr) {
		x := b.set(load(v, bin(ir.I32Add, src, scaled(i, v.Size())), 0))
		k := b.callBound(keep, at, path(i), []ir.Expr{x})
		if k.pend >= 0 {
			b.emit(&ir.Set{Local: pend, X: bin(ir.I32Or, b.get(pend), b.get(k.pend))})
		}
		b.when(k.x, func() {
			b.emit(store(v, to, 0, x), &ir.Set{Local: to.Local, X: bin(ir.I32Add, to, i32(int32(v.Size())))})
		})
	})
	b.when(bin(ir.I32Eq, &ir.GetGlobal{Global: b.l.heap}, end), func() {
		b.emit(&ir.SetGlobal{Global: b.l.heap, X: aligned(to)})
	})
	shift := int32(3)
	if v.Size() == 4 {
		shift = 2
	}
	kept := b.set(bin(ir.I32ShrU, bin(ir.I32Sub, to, dst), i32(shift)))
	return val{pack(dst, kept), pend}
}

// foldList folds from the left. It stops at the first step that is pending, as
// the next needs its answer.
func (b *builder) foldList(elem abi.TypeID, t ir.Type, list, start ir.Expr, step bound, site ir.Expr, at span.Span) val {
	v := b.l.val(elem)
	list = b.atom(list)
	n, src := b.set(count(list)), b.set(listAddr(list))
	b.charge(un(ir.I64ExtendI32U, n), at)
	acc := b.f.NewLocal(t)
	b.emit(&ir.Set{Local: acc, X: start})
	path := b.loopPath(step.c.scopes, site)
	pend := -1
	stop := &ir.Label{Name: "fold"}
	if step.c.calls && b.scope != nil {
		pend = b.set(i32(0)).Local
	}
	list2 := b.body(func() {
		b.forRange(n, func(i ir.Expr) {
			x := load(v, bin(ir.I32Add, src, scaled(i, v.Size())), 0)
			r := b.callBound(step, at, path(i), []ir.Expr{get(t, acc), x})
			if r.pend >= 0 {
				b.emit(&ir.Set{Local: pend, X: b.get(r.pend)}, &ir.Break{Label: stop, Test: b.get(r.pend)})
			}
			b.emit(&ir.Set{Local: acc, X: r.x})
		})
	})
	if pend < 0 {
		b.emit(list2...)
	} else {
		b.emit(&ir.Block{Label: stop, Body: list2})
	}
	return val{get(t, acc), pend}
}
