package opt

import (
	"math"

	"towpath.dev/internal/lang/ir"
)

// simplifyCompare decides or shortens comparisons of integers.
func (v *values) simplifyCompare(op ir.Op, a, b vn) vn {
	if a == b {
		n, _ := op.Apply(0, 0) // a comparison of equals
		return v.constant(ir.I32, n)
	}
	if n := v.compareRanges(op, a, b); n != 0 {
		return n
	}
	if signed := signedOf(op); signed != ir.NoOp && v.rangeOf(a).lo >= 0 && v.rangeOf(b).lo >= 0 {
		return v.binary(signed, a, b)
	}
	switch op {
	case ir.I64GtU:
		// (x|c) > m, m all ones and c within it: the same of x.
		or, x, y := v.operation(a)
		c, ok := v.isConst(y)
		if m, ok2 := v.isConst(b); or == ir.I64Or && ok && ok2 && m&(m+1) == 0 && c <= m {
			return v.binary(op, x, b)
		}
	case ir.I32Eq, ir.I32Ne:
		return v.simplifyEqual(op, a, b)
	case ir.I64Eq, ir.I64Ne:
		if v.is(b, 0) && op == ir.I64Eq {
			return v.unary(ir.I64Eqz, a)
		}
	case ir.I64LtS, ir.I64GeS:
		if v.is(b, 0) {
			return v.simplifySign(op, a)
		}
	}
	return 0
}

// signedOf is the signed comparison for an unsigned one, NoOp for others.
func signedOf(op ir.Op) ir.Op {
	switch op {
	case ir.I32LtU:
		return ir.I32LtS
	case ir.I32LeU:
		return ir.I32LeS
	case ir.I32GtU:
		return ir.I32GtS
	case ir.I32GeU:
		return ir.I32GeS
	case ir.I64LtU:
		return ir.I64LtS
	case ir.I64LeU:
		return ir.I64LeS
	case ir.I64GtU:
		return ir.I64GtS
	case ir.I64GeU:
		return ir.I64GeS
	}
	return ir.NoOp
}

// simplifyEqual shortens comparisons of i32 with 0 and 1.
func (v *values) simplifyEqual(op ir.Op, a, b vn) vn {
	zero, one := v.is(b, 0), v.is(b, 1)
	switch {
	case zero && op == ir.I32Eq:
		return v.unary(ir.I32Eqz, a)
	case !v.boolean(a):
	case zero, one && op == ir.I32Eq:
		return a
	case one:
		return v.unary(ir.I32Eqz, a)
	}
	return 0
}

// simplifySign looks at whether a is negative: that is how overflow of a sum t
// of x and y is found, by (x^t)&(y^t), and of a difference, by (x^y)&(x^t).
// What is known of the operands makes the test shorter, or away.
func (v *values) simplifySign(op ir.Op, a vn) vn {
	and, p, q := v.operation(a)
	if and != ir.I64And {
		return 0
	}
	n := v.sumOverflows(p, q)
	if n == 0 {
		n = v.differenceOverflows(p, q)
	}
	if n != 0 && op == ir.I64GeS {
		n = v.unary(ir.I32Eqz, n)
	}
	return n
}

// sumOverflows recognises x^t and y^t, t = x+y.
func (v *values) sumOverflows(p, q vn) vn {
	x, y, t := v.common(p, q)
	if t == 0 {
		return 0
	}
	sum, c, d := v.operation(t)
	if sum != ir.I64Add || !(c == x && d == y || c == y && d == x) {
		return 0
	}
	rx, ry := v.rangeOf(x), v.rangeOf(y)
	_, fits := rx.add(ry)
	switch {
	case fits:
		return v.constant(ir.I32, 0)
	case ry.lo >= 0:
		return v.binary(ir.I64LtS, t, x)
	case rx.lo >= 0:
		return v.binary(ir.I64LtS, t, y)
	case ry.hi <= 0:
		return v.binary(ir.I64GtS, t, x)
	case rx.hi <= 0:
		return v.binary(ir.I64GtS, t, y)
	}
	return 0
}

// differenceOverflows recognises x^y and x^t, t = x-y.
func (v *values) differenceOverflows(p, q vn) vn {
	y, t, x := v.common(p, q)
	if x == 0 {
		return 0
	}
	if op, c, d := v.operation(t); op != ir.I64Sub || c != x || d != y {
		y, t = t, y
		if op, c, d = v.operation(t); op != ir.I64Sub || c != x || d != y {
			return 0
		}
	}
	rx, ry := v.rangeOf(x), v.rangeOf(y)
	_, fits := rx.sub(ry)
	switch {
	case fits:
		return v.constant(ir.I32, 0)
	case ry.lo >= 0:
		return v.binary(ir.I64GtS, t, x)
	case ry.hi <= 0:
		return v.binary(ir.I64LtS, t, x)
	}
	return 0
}

// common splits two exclusive ors that share an operand: p = x^s, q = y^s.
func (v *values) common(p, q vn) (x, y, s vn) {
	op1, a, b := v.operation(p)
	op2, c, d := v.operation(q)
	if op1 != ir.I64Xor || op2 != ir.I64Xor {
		return 0, 0, 0
	}
	switch {
	case b == d:
		return a, c, b
	case b == c:
		return a, d, b
	case a == d:
		return b, c, a
	case a == c:
		return b, d, a
	}
	return 0, 0, 0
}

// compareRanges decides a comparison by what is known of both sides.
func (v *values) compareRanges(op ir.Op, a, b vn) vn {
	x, y := v.rangeOf(a), v.rangeOf(b)
	decided, holds := false, false
	switch op {
	case ir.I32Eq, ir.I64Eq:
		decided = x.hi < y.lo || y.hi < x.lo
	case ir.I32Ne, ir.I64Ne:
		decided, holds = x.hi < y.lo || y.hi < x.lo, true
	case ir.I32LtS, ir.I64LtS:
		decided, holds = v.less(a, b, x, y)
	case ir.I32GeS, ir.I64GeS:
		decided, holds = v.less(a, b, x, y)
		holds = !holds
	case ir.I32GtS, ir.I64GtS:
		decided, holds = v.less(b, a, y, x)
	case ir.I32LeS, ir.I64LeS:
		decided, holds = v.less(b, a, y, x)
		holds = !holds
	case ir.I32LtU, ir.I64LtU, ir.I32GeU, ir.I64GeU, ir.I32GtU, ir.I64GtU, ir.I32LeU, ir.I64LeU:
		if x.lo < 0 || y.lo < 0 {
			return v.compareZero(op, b)
		}
		switch op {
		case ir.I32LtU, ir.I64LtU:
			decided, holds = v.less(a, b, x, y)
		case ir.I32GeU, ir.I64GeU:
			decided, holds = v.less(a, b, x, y)
			holds = !holds
		case ir.I32GtU, ir.I64GtU:
			decided, holds = v.less(b, a, y, x)
		default:
			decided, holds = v.less(b, a, y, x)
			holds = !holds
		}
	}
	if !decided {
		return 0
	}
	if holds {
		return v.constant(ir.I32, 1)
	}
	return v.constant(ir.I32, 0)
}

// compareZero decides unsigned comparisons with zero.
func (v *values) compareZero(op ir.Op, b vn) vn {
	if v.is(b, 0) {
		switch op {
		case ir.I32LtU, ir.I64LtU:
			return v.constant(ir.I32, 0)
		case ir.I32GeU, ir.I64GeU:
			return v.constant(ir.I32, 1)
		}
	}
	return 0
}

// less decides a < b, signed, where it can.
func (v *values) less(a, b vn, x, y span) (decided, holds bool) {
	switch {
	case x.hi < y.lo:
		return true, true
	case x.lo >= y.hi:
		return true, false
	}
	// b + y < b, or a < a + y, without overflow, is what y says.
	if op, p, q := v.operation(a); op == ir.I64Add {
		for range 2 {
			if p == b {
				if _, fits := v.rangeOf(p).add(v.rangeOf(q)); fits {
					return decide(v.rangeOf(q))
				}
			}
			p, q = q, p
		}
	}
	if op, p, q := v.operation(b); op == ir.I64Add {
		for range 2 {
			if p == a {
				if _, fits := v.rangeOf(p).add(v.rangeOf(q)); fits {
					r := v.rangeOf(q)
					if r.lo > 0 {
						return true, true
					}
					return r.hi <= 0, false
				}
			}
			p, q = q, p
		}
	}
	return false, false
}

// decide decides r < 0.
func decide(r span) (decided, holds bool) {
	if r.hi < 0 {
		return true, true
	}
	return r.lo >= 0, false
}

// assume notes what follows from a test having turned out true or false. note
// is called before something changes, to be undone.
func (v *values) assume(test vn, truth bool, note func(vn)) {
	if _, ok := v.isConst(test); ok {
		return
	}
	op, a, b := v.operation(test)
	isBool := v.boolean(test)
	if isBool || !truth {
		v.equate(test, v.constant(ir.I32, boolBits(truth)), note)
	}
	switch {
	case op == ir.I32Eqz:
		v.assume(a, !truth, note)
	case op == ir.I32And && truth && v.boolean(a) && v.boolean(b),
		op == ir.I32Or && !truth:
		v.assume(a, truth, note)
		v.assume(b, truth, note)
	case op == ir.I64Eqz && truth:
		v.equate(a, v.constant(ir.I64, 0), note)
	case op.Opposite() != ir.NoOp:
		v.equate(v.plain(op.Opposite(), a, b), v.constant(ir.I32, boolBits(!truth)), note)
		if !truth {
			op = op.Opposite()
		}
		v.narrow(op, a, b, note)
	}
}

func boolBits(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// equate notes that n equals the constant c.
func (v *values) equate(n, c vn, note func(vn)) {
	n = v.resolve(n)
	if _, ok := v.isConst(n); ok || n == c {
		return
	}
	note(n)
	v.alias[n] = c
}

// narrow notes that the comparison op of a and b holds.
func (v *values) narrow(op ir.Op, a, b vn, note func(vn)) {
	x, y := v.rangeOf(a), v.rangeOf(b)
	switch op {
	case ir.I32Eq, ir.I64Eq:
		if _, ok := v.isConst(b); ok {
			v.equate(a, b, note)
		}
		return
	case ir.I32LtS, ir.I64LtS:
	case ir.I32GtS, ir.I64GtS:
		a, b, x, y = b, a, y, x
	case ir.I32LeS, ir.I64LeS:
		v.bound(a, span{math.MinInt64, y.hi}, note)
		v.bound(b, span{x.lo, math.MaxInt64}, note)
		return
	case ir.I32GeS, ir.I64GeS:
		v.bound(a, span{y.lo, math.MaxInt64}, note)
		v.bound(b, span{math.MinInt64, x.hi}, note)
		return
	case ir.I32LtU, ir.I64LtU:
		if y.lo < 0 {
			return
		}
		v.bound(a, span{0, max(y.hi-1, 0)}, note)
		return
	case ir.I32LeU, ir.I64LeU:
		if y.lo < 0 {
			return
		}
		v.bound(a, span{0, y.hi}, note)
		return
	default:
		return
	}
	if y.hi > math.MinInt64 {
		v.bound(a, span{math.MinInt64, y.hi - 1}, note)
	}
	if x.lo < math.MaxInt64 {
		v.bound(b, span{x.lo + 1, math.MaxInt64}, note)
	}
}

func (v *values) bound(n vn, r span, note func(vn)) {
	if _, ok := v.isConst(n); ok {
		return
	}
	if op, x, y := v.operation(n); op == ir.I64Add && r.lo > math.MinInt64/2 && r.hi < math.MaxInt64 {
		// Where x + c lies says where x does, if that cannot have wrapped around.
		if c, ok := v.isConst(y); ok && int64(c) > math.MinInt64 {
			if s, fits := r.sub(span{int64(c), int64(c)}); fits {
				v.bound(x, s, note)
			}
		}
	}
	if met := v.known[n].meet(r); met != v.known[n] && met.lo <= met.hi {
		note(n)
		v.known[n] = met
	}
}
