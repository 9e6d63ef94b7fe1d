package opt

import (
	"math"
	"math/bits"

	"towpath.dev/internal/lang/ir"
)

// fold is the value of an operator on constants, 0 when they are none, when it
// would trap, and when it is NaN: which one is the engine's choice.
func (v *values) fold(op ir.Op, a, b vn) vn {
	x, ok := v.isConst(a)
	if !ok {
		return 0
	}
	y := uint64(0)
	if b != 0 {
		if y, ok = v.isConst(b); !ok {
			return 0
		}
	}
	out, ok := op.Apply(x, y)
	if !ok || op.Result() == ir.F64 && math.IsNaN(math.Float64frombits(out)) {
		return 0
	}
	return v.constant(op.Result(), out)
}

// simplify is a value that an operator on a and b leaves and that is made in
// another, shorter way; 0 when there is none.
func (v *values) simplify(op ir.Op, a, b vn) vn {
	if b == 0 {
		return v.simplifyUnary(op, a)
	}
	if _, ok := v.isConst(a); ok {
		if m := op.Mirror(); m != ir.NoOp {
			op, a, b = m, b, a
		}
	}
	switch op {
	case ir.I32Add, ir.I64Add:
		return v.simplifyAdd(op, a, b)
	case ir.I32Sub, ir.I64Sub:
		return v.simplifySub(op, a, b)
	case ir.I32Mul, ir.I64Mul:
		return v.simplifyMul(op, a, b)
	case ir.I32And, ir.I64And:
		return v.simplifyAnd(op, a, b)
	case ir.I32Or, ir.I64Or, ir.I32Xor, ir.I64Xor:
		return v.simplifyOr(op, a, b)
	case ir.I32Shl, ir.I32ShrS, ir.I32ShrU, ir.I64Shl, ir.I64ShrS, ir.I64ShrU:
		return v.simplifyShift(op, a, b)
	}
	if op.Compares() && op.Operand() != ir.F64 {
		return v.simplifyCompare(op, a, b)
	}
	return 0
}

func (v *values) simplifyUnary(op ir.Op, a vn) vn {
	inner, x, y := v.operation(a)
	switch op {
	case ir.I32Eqz, ir.I64Eqz:
		return v.simplifyEqz(op, a)
	case ir.I32WrapI64:
		return v.simplifyWrap(a)
	case ir.I64ExtendI32U:
		if inner == ir.I32WrapI64 && v.rangeOf(x).within(0, math.MaxUint32) {
			return x
		}
	case ir.I64ExtendI32S:
		switch {
		case inner == ir.I32WrapI64 && v.rangeOf(x).within(math.MinInt32, math.MaxInt32):
			return x
		case v.rangeOf(a).lo >= 0:
			return v.unary(ir.I64ExtendI32U, a)
		}
	case ir.I64ReinterpretF64:
		if inner == ir.F64ReinterpretI64 {
			return x
		}
	case ir.F64ReinterpretI64:
		if inner == ir.I64ReinterpretF64 {
			return x
		}
	case ir.F64Neg:
		if inner == ir.F64Neg {
			return x
		}
	}
	_ = y
	return 0
}

func (v *values) simplifyEqz(op ir.Op, a vn) vn {
	inner, x, y := v.operation(a)
	switch {
	case inner == ir.I64ExtendI32U || inner == ir.I64ExtendI32S:
		return v.unary(ir.I32Eqz, x)
	case inner == ir.I32Eqz && v.boolean(x):
		return x
	case inner == ir.I32Eqz:
		return v.binary(ir.I32Ne, x, v.constant(ir.I32, 0))
	case inner == ir.I64Eqz:
		return v.binary(ir.I64Ne, x, v.constant(ir.I64, 0))
	case inner.Opposite() != ir.NoOp:
		return v.binary(inner.Opposite(), x, y)
	}
	if r := v.rangeOf(a); r.lo > 0 || r.hi < 0 {
		return v.constant(ir.I32, 0)
	}
	return 0
}

// simplifyWrap looks for a shorter way to the low half of a.
func (v *values) simplifyWrap(a vn) vn {
	inner, x, y := v.operation(a)
	switch inner {
	case ir.I64ExtendI32U, ir.I64ExtendI32S:
		return x
	case ir.I64And:
		if c, ok := v.isConst(y); ok && uint32(c) == math.MaxUint32 {
			return v.unary(ir.I32WrapI64, x)
		}
	case ir.I64Or, ir.I64Xor:
		switch {
		case v.lowZero(x):
			return v.unary(ir.I32WrapI64, y)
		case v.lowZero(y):
			return v.unary(ir.I32WrapI64, x)
		}
	case ir.I64Add:
		// Counting up a packed list: the sum of the low half and an i32.
		if op, z, _ := v.operation(y); op == ir.I64ExtendI32U {
			return v.binary(ir.I32Add, v.unary(ir.I32WrapI64, x), z)
		}
		if c, ok := v.isConst(y); ok {
			return v.binary(ir.I32Add, v.unary(ir.I32WrapI64, x), v.constant(ir.I32, c))
		}
	}
	if v.lowZero(a) {
		return v.constant(ir.I32, 0)
	}
	return 0
}

// lowZero reports that the low half of an i64 is zero.
func (v *values) lowZero(n vn) bool {
	if c, ok := v.isConst(n); ok {
		return uint32(c) == 0
	}
	switch op, _, y := v.operation(n); op {
	case ir.I64Shl:
		c, ok := v.isConst(y)
		return ok && c >= 32 && c < 64
	case ir.I64And:
		c, ok := v.isConst(y)
		return ok && uint32(c) == 0
	}
	return false
}

func (v *values) simplifyAdd(op ir.Op, a, b vn) vn {
	if v.is(b, 0) {
		return a
	}
	inner, x, y := v.operation(a)
	if c, ok := v.isConst(b); ok {
		if d, ok := v.isConst(y); ok && inner == op {
			return v.binary(op, x, v.constant(op.Result(), c+d))
		}
		return 0
	}
	// (x - b) + b
	if inner == subOf(op) && y == b {
		return x
	}
	if other, p, q := v.operation(b); other == subOf(op) && q == a {
		return p
	}
	return 0
}

func subOf(add ir.Op) ir.Op {
	if add == ir.I32Add {
		return ir.I32Sub
	}
	return ir.I64Sub
}

func addOf(sub ir.Op) ir.Op {
	if sub == ir.I32Sub {
		return ir.I32Add
	}
	return ir.I64Add
}

func (v *values) simplifySub(op ir.Op, a, b vn) vn {
	if a == b {
		return v.constant(op.Result(), 0)
	}
	if c, ok := v.isConst(b); ok {
		return v.binary(addOf(op), a, v.constant(op.Result(), -c))
	}
	// (x + b) - b, (b + y) - b
	if inner, x, y := v.operation(a); inner == addOf(op) {
		switch {
		case y == b:
			return x
		case x == b:
			return y
		}
	}
	return 0
}

func (v *values) simplifyMul(op ir.Op, a, b vn) vn {
	c, ok := v.isConst(b)
	switch {
	case !ok:
		return 0
	case c == 0:
		return b
	case c == 1:
		return a
	case c&(c-1) == 0:
		shift := ir.I64Shl
		if op == ir.I32Mul {
			shift = ir.I32Shl
		}
		return v.binary(shift, a, v.constant(op.Result(), uint64(bits.TrailingZeros64(c))))
	}
	return 0
}

func (v *values) simplifyAnd(op ir.Op, a, b vn) vn {
	if a == b {
		return a
	}
	c, ok := v.isConst(b)
	if !ok {
		if op == ir.I32And && v.boolean(a) && v.boolean(b) {
			if n := v.both(a, b); n != 0 {
				return n
			}
			return v.both(b, a)
		}
		return 0
	}
	ones := uint64(math.MaxUint64)
	if op == ir.I32And {
		ones = math.MaxUint32
	}
	switch {
	case c == 0:
		return b
	case c == ones:
		return a
	case c&(c+1) == 0 && v.rangeOf(a).within(0, int64(c)):
		return a // a mask that covers every bit there can be
	case bits.TrailingZeros64(c) <= v.zeros(a) && c|(1<<bits.TrailingZeros64(c)-1) == ones:
		return a // a mask that takes low bits that are not set
	}
	inner, x, y := v.operation(a)
	if d, ok := v.isConst(y); ok {
		switch {
		case inner == op:
			return v.binary(op, x, v.constant(op.Result(), c&d))
		case (inner == ir.I32Or || inner == ir.I64Or) && c&d == 0:
			return v.binary(op, x, b)
		}
	}
	if inner == ir.I64Or && c == math.MaxUint32 {
		// The low half of what packs an address and a length.
		switch {
		case v.lowZero(x):
			return v.binary(op, y, b)
		case v.lowZero(y):
			return v.binary(op, x, b)
		}
	}
	return 0
}

// both simplifies the conjunction of two truths by what b says of a.
func (v *values) both(a, b vn) vn {
	opA, x, y := v.operation(a)
	opB, p, q := v.operation(b)
	switch opB {
	case ir.I32Eqz:
		if a == p {
			return v.constant(ir.I32, 0)
		}
	case ir.I32Eq, ir.I64Eq:
		// x == q decides every comparison of x with a constant.
		d, ok := v.isConst(q)
		if c, ok2 := v.isConst(y); ok && ok2 && opA.Compares() && opA.Arity() == 2 && x == p && opA.Operand() == opB.Operand() {
			if n, _ := opA.Apply(d, c); n != 0 {
				return b
			}
			return v.constant(ir.I32, 0)
		}
	case ir.F64Eq:
		// not x >= c, and x is a number: x < c, c being one.
		if p != q || opA != ir.I32Eqz {
			return 0
		}
		op, left, c := v.operation(x)
		if bits, ok := v.isConst(c); !ok || left != p || math.IsNaN(math.Float64frombits(bits)) {
			return 0
		}
		switch op {
		case ir.F64Ge:
			return v.binary(ir.F64Lt, left, c)
		case ir.F64Gt:
			return v.binary(ir.F64Le, left, c)
		case ir.F64Le:
			return v.binary(ir.F64Gt, left, c)
		case ir.F64Lt:
			return v.binary(ir.F64Ge, left, c)
		}
	}
	return 0
}

// zeros is how many low bits of a value are known not to be set.
func (v *values) zeros(n vn) int {
	x := &v.list[n]
	switch op := x.op(); {
	case x.kind == kindConst:
		return bits.TrailingZeros64(x.aux)
	case x.kind == kindCell:
		return 3
	case op == ir.I32Shl || op == ir.I64Shl:
		if c, ok := v.isConst(x.b); ok && c < 32 {
			return int(c)
		}
	case op == ir.I32Add || op == ir.I64Add || op == ir.I32Or:
		return min(v.zeros(x.a), v.zeros(x.b))
	case op == ir.I32And:
		return max(v.zeros(x.a), v.zeros(x.b))
	}
	return 0
}

// simplifyOr simplifies or and xor.
func (v *values) simplifyOr(op ir.Op, a, b vn) vn {
	xor := op == ir.I32Xor || op == ir.I64Xor
	switch {
	case v.is(b, 0):
		return a
	case a == b && xor:
		return v.constant(op.Result(), 0)
	case a == b:
		return a
	}
	inner, x, y := v.operation(a)
	if d, ok := v.isConst(y); ok && inner == op {
		if c, ok := v.isConst(b); ok {
			n, _ := op.Apply(c, d)
			return v.binary(op, x, v.constant(op.Result(), n))
		}
	}
	if op == ir.I32Xor && v.is(b, 1) && v.boolean(a) {
		return v.unary(ir.I32Eqz, a)
	}
	return 0
}

func (v *values) simplifyShift(op ir.Op, a, b vn) vn {
	c, ok := v.isConst(b)
	if !ok {
		return 0
	}
	width := uint64(64)
	if op.Operand() == ir.I32 {
		width = 32
	}
	switch {
	case c%width == 0:
		return a
	case v.is(a, 0):
		return a
	case c >= width:
		return v.binary(op, a, v.constant(op.Result(), c%width))
	}
	if op == ir.I64ShrU && c == 32 {
		return v.highHalf(a)
	}
	return 0
}

// highHalf looks for a shorter way to a >> 32, unsigned.
func (v *values) highHalf(a vn) vn {
	inner, x, y := v.operation(a)
	switch inner {
	case ir.I64Or:
		// x<<32 | y, y of the low half: what packs an address and a length.
		for range 2 {
			if half := v.shifted(x); half != 0 && v.rangeOf(y).within(0, math.MaxUint32) {
				return half
			}
			x, y = y, x
		}
	case ir.I64Shl:
		return v.shifted(a)
	}
	if v.rangeOf(a).within(0, math.MaxUint32) {
		return v.constant(ir.I64, 0)
	}
	return 0
}

// shifted is x where a is x<<32 and x has no high half.
func (v *values) shifted(a vn) vn {
	if op, x, by := v.operation(a); op == ir.I64Shl && v.is(by, 32) && v.rangeOf(x).within(0, math.MaxUint32) {
		return x
	}
	return 0
}
