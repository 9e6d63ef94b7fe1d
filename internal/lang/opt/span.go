package opt

import (
	"math"
	"math/bits"

	"towpath.dev/internal/lang/ir"
)

// span is an interval of integers, both ends included. An i32 counts as signed.
type span struct{ lo, hi int64 }

var full = span{math.MinInt64, math.MaxInt64}

func (s span) within(lo, hi int64) bool { return s.lo >= lo && s.hi <= hi }

func (s span) meet(t span) span { return span{max(s.lo, t.lo), min(s.hi, t.hi)} }
func (s span) join(t span) span { return span{min(s.lo, t.lo), max(s.hi, t.hi)} }

// add is the span of sums, and whether none overflows 64 bits.
func (s span) add(t span) (span, bool) {
	lo, carry1 := s.lo+t.lo, overflows(s.lo, t.lo)
	hi, carry2 := s.hi+t.hi, overflows(s.hi, t.hi)
	if carry1 || carry2 {
		return full, false
	}
	return span{lo, hi}, true
}

func overflows(x, y int64) bool {
	t := x + y
	return (x^t)&(y^t) < 0
}

// sub is the span of differences, and whether none overflows 64 bits.
func (s span) sub(t span) (span, bool) {
	if t.lo == math.MinInt64 {
		return full, false
	}
	return s.add(span{-t.hi, -t.lo})
}

// rangeOf is an interval that holds the value.
func (v *values) rangeOf(n vn) span { return v.rangeAt(n, 4) }

// rangeAt looks depth values deep.
func (v *values) rangeAt(n vn, depth int) span {
	n = v.resolve(n)
	x := &v.list[n]
	if x.kind == kindConst {
		switch x.t {
		case ir.I32:
			return span{int64(int32(x.aux)), int64(int32(x.aux))}
		case ir.I64:
			return span{int64(x.aux), int64(x.aux)}
		}
		return full
	}
	r := v.known[n]
	if x.t == ir.I32 {
		r = r.meet(span{math.MinInt32, math.MaxInt32})
	}
	if depth == 0 {
		return r
	}
	switch {
	case x.kind == kindLoad:
		if x.t == ir.I32 && uint8(x.aux) == 1 {
			r = r.meet(span{0, 255})
		}
	case x.kind == kindCond:
		r = r.meet(v.rangeAt(x.b, depth-1).join(v.rangeAt(vn(x.aux), depth-1)))
	case x.kind >= kindOp:
		r = r.meet(v.rangeOfOp(x, depth-1))
	}
	return r
}

func (v *values) rangeOfOp(x *value, depth int) span {
	op := x.op()
	switch op {
	case ir.I64ExtendI32S, ir.I32WrapI64:
		if r := v.rangeAt(x.a, depth); r.within(math.MinInt32, math.MaxInt32) {
			return r
		}
		return full
	case ir.I64ExtendI32U:
		if r := v.rangeAt(x.a, depth); r.lo >= 0 {
			return r
		}
		return span{0, math.MaxUint32}
	case ir.I64Clz, ir.I64Ctz, ir.I64Popcnt:
		return span{0, 64}
	}
	switch {
	case op.Compares():
		return span{0, 1}
	case op.Arity() != 2:
		return full
	}
	if c, ok := v.isConst(x.b); ok {
		if r, ok := v.rangeByConst(x, c, depth); ok {
			return r
		}
	}
	return combine(op, v.rangeAt(x.a, depth), v.rangeAt(x.b, depth))
}

// combine is the span of what an operator leaves on operands of those spans.
func combine(op ir.Op, a, b span) span {
	switch op {
	case ir.I32And, ir.I64And:
		switch {
		case a.lo >= 0 && b.lo >= 0:
			return span{0, min(a.hi, b.hi)}
		case a.lo >= 0:
			return span{0, a.hi}
		case b.lo >= 0:
			return span{0, b.hi}
		}
	case ir.I32Or, ir.I64Or, ir.I32Xor, ir.I64Xor:
		if a.lo >= 0 && b.lo >= 0 {
			return span{0, int64(1)<<bits.Len64(uint64(a.hi|b.hi)) - 1}
		}
	case ir.I64Add:
		if r, fits := a.add(b); fits {
			return r
		}
	case ir.I64Sub:
		if r, fits := a.sub(b); fits {
			return r
		}
	case ir.I32Add:
		if r, fits := a.add(b); fits && r.within(math.MinInt32, math.MaxInt32) {
			return r
		}
	}
	return full
}

// rangeByConst is the span of what an operator leaves whose right side is the
// constant c; it reports false when it knows nothing special.
func (v *values) rangeByConst(x *value, c uint64, depth int) (span, bool) {
	width := uint64(64)
	if x.t == ir.I32 {
		width = 32
	}
	switch op := x.op(); op {
	case ir.I64Mul:
		if n := int64(c); n > 0 {
			r := v.rangeAt(x.a, depth)
			return span{r.lo * n, r.hi * n}, r.within(math.MinInt64/n, math.MaxInt64/n)
		}
	case ir.I64Shl:
		if c < 63 {
			r := v.rangeAt(x.a, depth)
			return span{r.lo << c, r.hi << c}, r.within(math.MinInt64>>c, math.MaxInt64>>c)
		}
	case ir.I32ShrU, ir.I64ShrU:
		if c > 0 && c < width {
			if a := v.rangeAt(x.a, depth); a.lo >= 0 {
				return span{a.lo >> c, a.hi >> c}, true
			}
			return span{0, int64(uint64(math.MaxUint64) >> (64 - width + c))}, true
		}
	case ir.I32ShrS, ir.I64ShrS:
		if c < width {
			a := v.rangeAt(x.a, depth)
			return span{a.lo >> c, a.hi >> c}, true
		}
	case ir.I64RemS:
		if n := int64(c); n > 0 {
			if v.rangeAt(x.a, depth).lo >= 0 {
				return span{0, n - 1}, true
			}
			return span{1 - n, n - 1}, true
		}
	}
	return span{}, false
}
