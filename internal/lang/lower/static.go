package lower

import (
	"encoding/binary"
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// static places bytes in the static data, aligned, and gives their address.
// Equal bytes are placed once.
func (l *lowerer) static(data []byte, align int) uint32 {
	key := string(data)
	if align > 1 {
		key = string(rune(align)) + key
	}
	if at, ok := l.statics[key]; ok {
		return at
	}
	for len(l.module.Data)%align != 0 {
		l.module.Data = append(l.module.Data, 0)
	}
	at := abi.StaticBase + uint32(len(l.module.Data))
	l.module.Data = append(l.module.Data, data...)
	l.statics[key] = at
	return at
}

// staticString is a string constant.
func (l *lowerer) staticString(s string) *ir.Const {
	if s == "" {
		return i64(0)
	}
	return i64(int64(uint64(l.static([]byte(s), 1))<<32 | uint64(len(s))))
}

// literal lowers expressions that are data: literals, records, variants, tuples
// and lists of nothing but data, and constants that are such. They cost no allocation.
func (b *builder) literal(e core.Expr) (*ir.Const, bool) {
	switch e := e.(type) {
	case *core.Lit:
		return b.literalOf(e.Value, e.Type, e.At), true
	case *core.Construct:
		id := b.typeID(e.Type)
		args, ok := b.literals(e.Fields)
		if !ok {
			return nil, false
		}
		return b.staticBuild(id, e.Ctor.Tag, args), true
	case *core.MakeTuple:
		id := b.typeID(e.Type)
		args, ok := b.literals(e.Elems)
		if !ok {
			return nil, false
		}
		if len(args) == 0 {
			return i32(0), true
		}
		return b.staticCell(b.l.typ(id).Fields, b.l.typ(id).Size, 0, args), true
	case *core.MakeList:
		return b.staticList(e)
	case *core.ConstRef:
		return b.literal(e.Const.Value)
	}
	return nil, false
}

func (b *builder) literals(es []core.Expr) ([]*ir.Const, bool) {
	out := make([]*ir.Const, len(es))
	for i, e := range es {
		c, ok := b.literal(e)
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, true
}

func (b *builder) staticList(e *core.MakeList) (*ir.Const, bool) {
	if len(e.Elems) == 0 {
		return i64(0), true
	}
	t := b.l.val(b.l.typ(b.typeID(e.Type)).Elem)
	size := int(t.Size())
	data := make([]byte, int(abi.Align(uint32(size*len(e.Elems)), 8)))
	for i, el := range e.Elems {
		if el.Spread {
			return nil, false
		}
		c, ok := b.literal(el.Value)
		if !ok {
			return nil, false
		}
		putConst(data[i*size:], t, c)
	}
	at := b.l.static(data, 8)
	return i64(int64(uint64(at)<<32 | uint64(len(e.Elems)))), true
}

func putConst(dst []byte, t ir.Type, c *ir.Const) {
	if t == ir.I32 {
		binary.LittleEndian.PutUint32(dst, uint32(c.Bits))
		return
	}
	binary.LittleEndian.PutUint64(dst, c.Bits)
}

func (b *builder) staticCell(fields []abi.Field, size uint32, tag int, args []*ir.Const) *ir.Const {
	data := make([]byte, max(size, 8))
	binary.LittleEndian.PutUint32(data, uint32(tag))
	for i, f := range fields {
		putConst(data[f.Offset:], b.l.val(f.Type), args[i])
	}
	return i32(int32(b.l.static(data, 8)))
}

func (b *builder) staticBuild(id abi.TypeID, tag int, args []*ir.Const) *ir.Const {
	t := b.l.typ(id)
	switch t.Kind {
	case abi.Wrapper, abi.Map, abi.Set:
		return args[0]
	case abi.Record:
		return b.staticCell(t.Fields, t.Size, 0, args)
	case abi.Enum, abi.Bool:
		return i32(int32(tag))
	case abi.Option:
		if tag == 0 {
			return b.none(id).(*ir.Const)
		}
		if b.l.schema.OptionForm(id) != abi.OptionBox {
			return args[0]
		}
		data := make([]byte, 8)
		putConst(data, b.l.val(t.Elem), args[0])
		return i32(int32(b.l.static(data, 8)))
	}
	c := t.Ctors[tag]
	if len(c.Fields) == 0 {
		return i32(int32(c.Static))
	}
	return b.staticCell(c.Fields, c.Size, tag, args)
}

// literalOf is the constant for a literal's value.
func (b *builder) literalOf(v any, t core.Type, at span.Span) *ir.Const {
	switch v := v.(type) {
	case bool:
		if v {
			return i32(1)
		}
		return i32(0)
	case int64:
		if b.rep(t) == ir.I32 { // a Date
			return i32(int32(v))
		}
		return i64(v)
	case float64:
		return &ir.Const{T: ir.F64, Bits: math.Float64bits(v)}
	case string:
		return b.l.staticString(v)
	case decimal.Decimal:
		return i64(int64(b.l.packNumber(v, abi.DecimalShift, 0, 34)))
	case core.Money:
		code := abi.CurrencyCode(v.Currency)
		return i64(int64(b.l.packNumber(v.Amount, abi.MoneyShift, code, 15)))
	}
	b.l.fail(at, "the compiler does not know this literal (%T)", v)
	return nil
}

// packNumber packs a decimal or a money; see package abi.
func (l *lowerer) packNumber(d decimal.Decimal, shift uint, currency uint32, maxScale int) uint64 {
	if coef, scale, ok := d.Small(); ok && scale <= maxScale {
		if coef<<shift>>shift == coef {
			return uint64(coef)<<shift | uint64(currency)<<abi.MoneyCurrency | uint64(scale)<<1
		}
	}
	lo, hi, scale, negative := d.Parts()
	cell := make([]byte, abi.NumberCell)
	binary.LittleEndian.PutUint64(cell, lo)
	binary.LittleEndian.PutUint64(cell[8:], hi)
	binary.LittleEndian.PutUint32(cell[16:], uint32(scale))
	flag := currency << 1
	if negative {
		flag |= 1
	}
	binary.LittleEndian.PutUint32(cell[20:], flag)
	return uint64(l.static(cell, 8))<<32 | 1
}
