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
	if op.Compares() {
		return span{0, 1}
	}
	bitsOf := 64
	if x.t == ir.I32 {
		bitsOf = 32
	}
	switch op {
	case ir.I64ExtendI32S, ir.I32WrapI64:
		r := v.rangeAt(x.a, depth)
		if r.within(math.MinInt32, math.MaxInt32) {
			return r
		}
	case ir.I64ExtendI32U:
		if r := v.rangeAt(x.a, depth); r.lo >= 0 {
			return r
		}
		return span{0, math.MaxUint32}
	case ir.I32And, ir.I64And:
		a, b := v.rangeAt(x.a, depth), v.rangeAt(x.b, depth)
		switch {
		case a.lo >= 0 && b.lo >= 0:
			return span{0, min(a.hi, b.hi)}
		case a.lo >= 0:
			return span{0, a.hi}
		case b.lo >= 0:
			return span{0, b.hi}
		}
	case ir.I32Or, ir.I64Or, ir.I32Xor, ir.I64Xor:
		a, b := v.rangeAt(x.a, depth), v.rangeAt(x.b, depth)
		if a.lo >= 0 && b.lo >= 0 {
			return span{0, int64(1)<<bits.Len64(uint64(a.hi|b.hi)) - 1}
		}
	case ir.I64Add:
		if r, fits := v.rangeAt(x.a, depth).add(v.rangeAt(x.b, depth)); fits {
			return r
		}
	case ir.I64Sub:
		if r, fits := v.rangeAt(x.a, depth).sub(v.rangeAt(x.b, depth)); fits {
			return r
		}
	case ir.I64Mul:
		if c, ok := v.isConst(x.b); ok && int64(c) > 0 {
			if r := v.rangeAt(x.a, depth); r.within(math.MinInt64/int64(c), math.MaxInt64/int64(c)) {
				return span{r.lo * int64(c), r.hi * int64(c)}
			}
		}
	case ir.I64Shl:
		if c, ok := v.isConst(x.b); ok && c < 63 {
			if r := v.rangeAt(x.a, depth); r.within(math.MinInt64>>c, math.MaxInt64>>c) {
				return span{r.lo << c, r.hi << c}
			}
		}
	case ir.I32Add:
		if r, fits := v.rangeAt(x.a, depth).add(v.rangeAt(x.b, depth)); fits && r.within(math.MinInt32, math.MaxInt32) {
			return r
		}
	case ir.I32ShrU, ir.I64ShrU:
		if c, ok := v.isConst(x.b); ok && c > 0 && c < uint64(bitsOf) {
			if a := v.rangeAt(x.a, depth); a.lo >= 0 {
				return span{a.lo >> c, a.hi >> c}
			}
			return span{0, int64(uint64(math.MaxUint64) >> (64 - uint64(bitsOf) + c))}
		}
	case ir.I32ShrS, ir.I64ShrS:
		if c, ok := v.isConst(x.b); ok && c < uint64(bitsOf) {
			a := v.rangeAt(x.a, depth)
			return span{a.lo >> c, a.hi >> c}
		}
	case ir.I64RemS:
		if c, ok := v.isConst(x.b); ok && int64(c) > 0 {
			if v.rangeAt(x.a, depth).lo >= 0 {
				return span{0, int64(c) - 1}
			}
			return span{1 - int64(c), int64(c) - 1}
		}
	case ir.I64Clz, ir.I64Ctz, ir.I64Popcnt:
		return span{0, 64}
	}
	return full
}
