package interp

import (
	"errors"
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/native"
)

func ofInts(f func(a, b int64) Value) intrinsic {
	return func(in *invocation) (Value, error) { return f(in.int(0), in.int(1)), nil }
}

func ofFloat(f func(x float64) float64) intrinsic {
	return func(in *invocation) (Value, error) { return f(in.float(0)), nil }
}

// saturate is WebAssembly's i64.trunc_sat_f64_s.
func saturate(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= 1<<63:
		return math.MaxInt64
	case f < -1<<63:
		return math.MinInt64
	}
	return int64(f)
}

func decimalToInt(in *invocation) (Value, error) {
	whole, err := decimal.Round(in.decimal(0), 0, decimal.Down)
	n, ok := whole.Int64()
	if err != nil || !ok {
		return nil, refuse(abi.BadArgument, "%s is no Int", in.decimal(0))
	}
	return n, nil
}

// rounding is the mode that a value of the type Rounding names.
func (in *invocation) rounding(i int) decimal.Rounding {
	return decimal.Rounding(in.args[i].(*Record).Ctor.Tag)
}

// scale clamps an Int to what decimal refuses alike.
func (in *invocation) scale(i int) int { return int(min(max(in.int(i), -100), 100)) }

func decimalDivide(in *invocation) (Value, error) {
	d, err := decimal.Divide(in.decimal(0), in.decimal(1), in.scale(2), in.rounding(3))
	return d, decimalRefusal(err)
}

func decimalRound(in *invocation) (Value, error) {
	d, err := decimal.Round(in.decimal(0), in.scale(1), in.rounding(2))
	return d, decimalRefusal(err)
}

// decimalRefusal is the refusal for an error of package decimal.
func decimalRefusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, decimal.ErrDivisionByZero):
		return refuse(abi.DivisionByZero, "")
	case errors.Is(err, decimal.ErrOverflow):
		return refuse(abi.Overflow, "%v", err)
	}
	return refuse(abi.BadArgument, "%v", err)
}

func moneyMake(in *invocation) (Value, error) {
	if !isCurrency(in.str(1)) {
		return nil, refuse(abi.BadArgument, "%s is no currency", quote(in.str(1)))
	}
	return core.Money{Amount: in.decimal(0), Currency: in.str(1)}, nil
}

func instantOffset(in *invocation) (Value, error) {
	seconds, ok := native.ZoneOffset(in.int(0), in.str(1))
	if !ok {
		return nil, refuse(abi.BadArgument, "%s is no time zone", quote(in.str(1)))
	}
	return seconds, nil
}
