package lower

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
)

// makeCell allocates a record, tuple or box and stores its fields.
func (b *builder) makeCell(fields []abi.Field, size uint32, args []ir.Expr, at core.Expr) ir.Expr {
	if len(fields) == 0 {
		return i32(0)
	}
	cell := b.alloc(i32(int32(size)), at.Pos())
	for i, f := range fields {
		b.emit(store(b.l.val(f.Type), cell, f.Offset, args[i]))
	}
	return cell
}

func (b *builder) construct(e *core.Construct) val {
	id := b.typeID(e.Type)
	args, pends := b.exprs(e.Fields)
	return b.guarded(b.l.val(id), pends, func() val { return ready(b.build(id, e.Ctor.Tag, args, e)) })
}

// build makes a value of a nominal type from its constructor's tag and fields.
func (b *builder) build(id abi.TypeID, tag int, args []ir.Expr, at core.Expr) ir.Expr {
	t := b.l.typ(id)
	switch t.Kind {
	case abi.Wrapper, abi.Map, abi.Set:
		return args[0]
	case abi.Record:
		if len(t.Fields) == 0 {
			return i32(int32(b.l.static(make([]byte, 8), 8)))
		}
		return b.makeCell(t.Fields, t.Size, args, at)
	case abi.Enum:
		return i32(int32(tag))
	case abi.Bool:
		return i32(int32(tag))
	case abi.Option:
		if tag == 0 {
			return b.none(id)
		}
		return b.some(id, args[0], at)
	}
	c := t.Ctors[tag]
	if len(c.Fields) == 0 {
		return i32(int32(c.Static))
	}
	cell := b.alloc(i32(int32(c.Size)), at.Pos())
	b.emit(store(ir.I32, cell, 0, i32(int32(tag))))
	for i, f := range c.Fields {
		b.emit(store(b.l.val(f.Type), cell, f.Offset, args[i]))
	}
	return cell
}

// none is an Option's None.
func (b *builder) none(id abi.TypeID) ir.Expr {
	if b.l.schema.OptionForm(id) == abi.OptionAllOnes {
		return i64(-1)
	}
	return i32(0)
}

func (b *builder) isNone(id abi.TypeID, x ir.Expr) ir.Expr {
	if b.l.schema.OptionForm(id) == abi.OptionAllOnes {
		return bin(ir.I64Eq, x, i64(-1))
	}
	return un(ir.I32Eqz, x)
}

func (b *builder) some(id abi.TypeID, x ir.Expr, at core.Expr) ir.Expr {
	if b.l.schema.OptionForm(id) != abi.OptionBox {
		return x
	}
	cell := b.alloc(i32(8), at.Pos())
	b.emit(store(x.Type(), cell, 0, x))
	return cell
}

func (b *builder) unwrapSome(id abi.TypeID, x ir.Expr) ir.Expr {
	if b.l.schema.OptionForm(id) != abi.OptionBox {
		return x
	}
	return load(b.l.val(b.l.typ(id).Elem), x, 0)
}

func (b *builder) getField(e *core.GetField) val {
	v := b.expr(e.Value)
	id := b.typeID(e.Value.TypeOf())
	t := b.l.typ(id)
	switch t.Kind {
	case abi.Wrapper, abi.Map, abi.Set:
		return v
	case abi.Record:
		f := t.Fields[e.Index]
		return val{load(b.l.val(f.Type), v.x, f.Offset), v.pend}
	}
	f := t.Ctors[e.Ctor.Tag].Fields[e.Index]
	return val{load(b.l.val(f.Type), v.x, f.Offset), v.pend}
}

// makeList lowers a list literal: exactly sized without spreads, else the
// pieces joined one after the other.
func (b *builder) makeList(e *core.MakeList) val {
	id := b.typeID(e.Type)
	elem := b.l.typ(id).Elem
	var xs []ir.Expr
	var pends []int
	spreads := false
	for _, el := range e.Elems {
		v := b.expr(el.Value)
		xs = append(xs, v.x)
		pends = append(pends, v.pend)
		spreads = spreads || el.Spread
	}
	return b.guarded(ir.I64, pends, func() val {
		if !spreads {
			return ready(b.listOf(elem, xs, e))
		}
		return ready(b.joinPieces(e, elem, xs))
	})
}

func (b *builder) joinPieces(e *core.MakeList, elem abi.TypeID, xs []ir.Expr) ir.Expr {
	at := e.At
	// `[..xs, x]` is the usual way to build a list in a fold: it appends in place.
	if len(xs) == 2 && e.Elems[0].Spread && !e.Elems[1].Spread {
		return b.push(elem, xs[0], xs[1], at)
	}
	var list ir.Expr
	for i := 0; i < len(xs); {
		var piece ir.Expr
		if e.Elems[i].Spread {
			piece = xs[i]
			i++
		} else {
			j := i
			for j < len(xs) && !e.Elems[j].Spread {
				j++
			}
			piece = b.listOf(elem, xs[i:j], e)
			i = j
		}
		if list == nil {
			list = piece
		} else {
			list = b.listConcat(elem, list, piece, at)
		}
	}
	return list
}

// listOf makes a list of the given elements.
func (b *builder) listOf(elem abi.TypeID, xs []ir.Expr, at core.Expr) ir.Expr {
	if len(xs) == 0 {
		return i64(0)
	}
	t := b.l.val(elem)
	size := t.Size()
	cell := b.alloc(i32(int32(abi.Align(size*uint32(len(xs)), 8))), at.Pos())
	for i, x := range xs {
		b.emit(store(t, cell, uint32(i)*size, x))
	}
	return pack(cell, i32(int32(len(xs))))
}

// pack joins an address and a count into a list or a string.
func pack(addr, count ir.Expr) ir.Expr {
	hi := bin(ir.I64Shl, un(ir.I64ExtendI32U, addr), i64(32))
	return bin(ir.I64Or, hi, un(ir.I64ExtendI32U, count))
}

// count is a list's or a string's length.
func count(x ir.Expr) ir.Expr { return un(ir.I32WrapI64, x) }

// listAddr is the address of a list's first element; strAddr a string's.
func listAddr(x ir.Expr) ir.Expr { return bin(ir.I32And, strAddr(x), i32(-2)) }
func strAddr(x ir.Expr) ir.Expr  { return un(ir.I32WrapI64, bin(ir.I64ShrU, x, i64(32))) }

// scaled is n elements' bytes.
func scaled(n ir.Expr, size uint32) ir.Expr {
	shift := int32(3)
	if size == 4 {
		shift = 2
	}
	return bin(ir.I32Shl, n, i32(shift))
}

// aligned rounds up to 8.
func aligned(n ir.Expr) ir.Expr { return bin(ir.I32And, bin(ir.I32Add, n, i32(7)), i32(-8)) }
