package ir

import (
	"math"
	"math/bits"
)

// Apply is what the operator leaves on operands with those bits; y is ignored by
// operators on one. An i32 stands in the low half, the high half being zero. It
// reports false where WebAssembly would trap: a division by zero, or the most
// negative number by -1.
func (o Op) Apply(x, y uint64) (uint64, bool) {
	switch {
	case o.Operand() == I32:
		return o.apply32(uint32(x), uint32(y))
	case o.Operand() == I64:
		return o.apply64(x, y)
	}
	return o.applyFloat(math.Float64frombits(x), math.Float64frombits(y)), true
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (o Op) apply32(x, y uint32) (uint64, bool) {
	sx, sy := int32(x), int32(y)
	switch o {
	case I32Eqz:
		return truth(x == 0), true
	case I32Eq:
		return truth(x == y), true
	case I32Ne:
		return truth(x != y), true
	case I32LtS:
		return truth(sx < sy), true
	case I32LtU:
		return truth(x < y), true
	case I32GtS:
		return truth(sx > sy), true
	case I32GtU:
		return truth(x > y), true
	case I32LeS:
		return truth(sx <= sy), true
	case I32LeU:
		return truth(x <= y), true
	case I32GeS:
		return truth(sx >= sy), true
	case I32GeU:
		return truth(x >= y), true
	case I64ExtendI32S:
		return uint64(int64(sx)), true
	case I64ExtendI32U:
		return uint64(x), true
	case I32DivU, I32RemU:
		if y == 0 {
			return 0, false
		}
	}
	return uint64(o.arith32(x, y)), true
}

func (o Op) arith32(x, y uint32) uint32 {
	switch o {
	case I32Add:
		return x + y
	case I32Sub:
		return x - y
	case I32Mul:
		return x * y
	case I32And:
		return x & y
	case I32Or:
		return x | y
	case I32Xor:
		return x ^ y
	case I32Shl:
		return x << (y & 31)
	case I32ShrS:
		return uint32(int32(x) >> (y & 31))
	case I32ShrU:
		return x >> (y & 31)
	case I32DivU:
		return x / y
	case I32RemU:
		return x % y
	}
	panic("ir: no such operator on i32")
}

func (o Op) apply64(x, y uint64) (uint64, bool) {
	sx, sy := int64(x), int64(y)
	switch o {
	case I64Eqz:
		return truth(x == 0), true
	case I64Eq:
		return truth(x == y), true
	case I64Ne:
		return truth(x != y), true
	case I64LtS:
		return truth(sx < sy), true
	case I64LtU:
		return truth(x < y), true
	case I64GtS:
		return truth(sx > sy), true
	case I64GtU:
		return truth(x > y), true
	case I64LeS:
		return truth(sx <= sy), true
	case I64LeU:
		return truth(x <= y), true
	case I64GeS:
		return truth(sx >= sy), true
	case I64GeU:
		return truth(x >= y), true
	case I64DivU, I64RemU, I64RemS:
		if y == 0 {
			return 0, false
		}
	case I64DivS:
		if y == 0 || sx == math.MinInt64 && sy == -1 {
			return 0, false
		}
	}
	return o.arith64(x, y), true
}

func (o Op) arith64(x, y uint64) uint64 {
	sx, sy := int64(x), int64(y)
	switch o {
	case I64Add:
		return x + y
	case I64Sub:
		return x - y
	case I64Mul:
		return x * y
	case I64And:
		return x & y
	case I64Or:
		return x | y
	case I64Xor:
		return x ^ y
	case I64Shl:
		return x << (y & 63)
	case I64ShrS:
		return uint64(sx >> (y & 63))
	case I64ShrU:
		return x >> (y & 63)
	case I64DivS:
		return uint64(sx / sy)
	case I64DivU:
		return x / y
	case I64RemS:
		return uint64(sx % sy)
	case I64RemU:
		return x % y
	case I64Clz:
		return uint64(bits.LeadingZeros64(x))
	case I64Ctz:
		return uint64(bits.TrailingZeros64(x))
	case I64Popcnt:
		return uint64(bits.OnesCount64(x))
	case I32WrapI64:
		return uint64(uint32(x))
	case F64ConvertI64S:
		return math.Float64bits(float64(sx))
	case F64ReinterpretI64:
		return x
	}
	panic("ir: no such operator on i64")
}

func (o Op) applyFloat(x, y float64) uint64 {
	switch o {
	case F64Eq:
		return truth(x == y)
	case F64Ne:
		return truth(x != y)
	case F64Lt:
		return truth(x < y)
	case F64Gt:
		return truth(x > y)
	case F64Le:
		return truth(x <= y)
	case F64Ge:
		return truth(x >= y)
	case I64TruncSatF64S:
		return truncSat(x)
	case I64ReinterpretF64:
		return math.Float64bits(x)
	}
	return math.Float64bits(o.arithFloat(x, y))
}

func (o Op) arithFloat(x, y float64) float64 {
	switch o {
	case F64Add:
		return x + y
	case F64Sub:
		return x - y
	case F64Mul:
		return x * y
	case F64Div:
		return x / y
	case F64Neg:
		return math.Float64frombits(math.Float64bits(x) ^ 1<<63)
	case F64Abs:
		return math.Abs(x)
	case F64Sqrt:
		return math.Sqrt(x)
	case F64Floor:
		return math.Floor(x)
	case F64Ceil:
		return math.Ceil(x)
	case F64Trunc:
		return math.Trunc(x)
	case F64Nearest:
		return math.RoundToEven(x)
	case F64Min:
		return min(x, y)
	case F64Max:
		return max(x, y)
	case F64Copysign:
		return math.Copysign(x, y)
	}
	panic("ir: no such operator on f64")
}

// truncSat is the integer towards zero, the nearest there is beyond 64 bits, 0
// for NaN.
func truncSat(x float64) uint64 {
	switch {
	case math.IsNaN(x):
		return 0
	case x >= 1<<63:
		return math.MaxInt64
	case x < -1<<63:
		return 1 << 63
	}
	return uint64(int64(x))
}
