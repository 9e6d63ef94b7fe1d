package opt

import (
	"math"
	"testing"

	"towpath.dev/internal/lang/ir"
)

// TestRangesHold checks that what an operator leaves lies in the range that is
// derived from its operands' ranges.
func TestRangesHold(t *testing.T) {
	points := []int64{math.MinInt64, math.MinInt64 + 1, -1 << 32, math.MinInt32, -9, -1, 0, 1, 7, 31, 64, 255, math.MaxInt32, math.MaxUint32, 1 << 61, math.MaxInt64}
	var v values
	for op := ir.NoOp + 1; op <= ir.I64ReinterpretF64; op++ {
		if op.Operand() == ir.F64 || op.Result() == ir.F64 {
			continue
		}
		for i, lo := range points {
			for _, hi := range points[i:] {
				for _, y := range points {
					v.reset()
					a := v.fresh(op.Operand())
					v.known[a] = span{lo, hi}
					b := vn(0)
					if op.Arity() == 2 {
						b = v.constant(op.Operand(), uint64(y))
					}
					n := v.binary(op, a, b)
					for _, x := range []int64{lo, hi, lo/2 + hi/2} {
						if x < lo || x > hi || op.Operand() == ir.I32 && x != int64(int32(x)) {
							continue
						}
						inside(t, &v, op, n, x, y)
					}
				}
			}
		}
	}
}

func inside(t *testing.T, v *values, op ir.Op, n vn, x, y int64) {
	bits := func(n int64) uint64 {
		if op.Operand() == ir.I32 {
			return uint64(uint32(n))
		}
		return uint64(n)
	}
	out, ok := op.Apply(bits(x), bits(y))
	if !ok {
		return
	}
	got := int64(out)
	if op.Result() == ir.I32 {
		got = int64(int32(out))
	}
	if r := v.rangeOf(n); got < r.lo || got > r.hi {
		t.Fatalf("%s of %d and %d is %d, not within %d to %d", op, x, y, got, r.lo, r.hi)
	}
}
