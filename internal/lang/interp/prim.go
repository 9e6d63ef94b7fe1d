package interp

import (
	"fmt"
	"math"
	"math/bits"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
)

// prim applies a primitive operator.
func (m *Machine) prim(e *core.Prim, env *Env) (Value, error) {
	args, err := m.evalAll(e.Args, env)
	if err != nil {
		return nil, err
	}
	var v Value
	switch e.Op {
	case core.Not:
		return !args[0].(bool), nil
	case core.Show:
		return m.Show(env.resolve(e.Args[0].TypeOf()), args[0]), nil
	case core.Equal, core.NotEqual:
		var ok bool
		ok, err = m.comparer(e.At).equal(m.operand(e, env), args[0], args[1], -1)
		v = ok == (e.Op == core.Equal)
	case core.Less, core.LessEq, core.Greater, core.GreaterEq, core.Compare:
		var order int
		order, err = m.comparer(e.At).order(m.operand(e, env), args[0], args[1], -1)
		v = ordered(e.Op, order)
	default:
		v, err = arithmetic(e.Op, args)
	}
	if err != nil {
		return nil, place(err, e.At)
	}
	return v, nil
}

// operand is the shape of what a generic operator compares.
func (m *Machine) operand(e *core.Prim, env *Env) *shape {
	return m.shape(env.resolve(e.Args[0].TypeOf()))
}

// ordered is the answer of a comparison.
func ordered(op core.Op, order int) Value {
	switch op {
	case core.Less:
		return order < 0
	case core.LessEq:
		return order <= 0
	case core.Greater:
		return order > 0
	case core.GreaterEq:
		return order >= 0
	}
	return int64(order)
}

// arithmetic applies an operator on numbers; args are of the operator's types.
func arithmetic(op core.Op, args []Value) (Value, error) {
	switch a := args[0].(type) {
	case int64:
		if op == core.IntNeg || op == core.DurationNeg {
			return subtract(0, a)
		}
		return integer(op, a, args[1].(int64))
	case float64:
		if op == core.FloatNeg {
			return -a, nil
		}
		return float(op, a, args[1].(float64))
	case decimal.Decimal:
		if op == core.DecimalNeg {
			return a.Neg(), nil
		}
		return decimals(op, a, args[1].(decimal.Decimal))
	case core.Money:
		return money(op, a, args[1:])
	}
	return nil, fmt.Errorf("operator %d on %T", op, args[0])
}

// integer computes with Ints, Durations, Instants and Dates.
func integer(op core.Op, a, b int64) (Value, error) {
	switch op {
	case core.IntAdd, core.DurationAdd, core.InstantAdd:
		sum := a + b
		if (a^sum)&(b^sum) < 0 {
			return nil, refuse(abi.Overflow, "%d + %d", a, b)
		}
		return sum, nil
	case core.IntSub, core.DurationSub, core.InstantSub, core.InstantDiff, core.DateDiff:
		return subtract(a, b)
	case core.IntMul, core.DurationMul:
		return multiply(a, b)
	case core.IntDiv, core.DurationDiv:
		switch {
		case b == 0:
			return nil, refuse(abi.DivisionByZero, "%d / 0", a)
		case a == math.MinInt64 && b == -1:
			return nil, refuse(abi.Overflow, "%d / %d", a, b)
		}
		return a / b, nil
	case core.IntRem:
		if b == 0 {
			return nil, refuse(abi.DivisionByZero, "%d %% 0", a)
		}
		return a % b, nil // Go too has MinInt64 % -1 == 0
	case core.DateAdd, core.DateSub:
		return addDays(op, a, b)
	}
	return nil, fmt.Errorf("operator %d on integers", op)
}

func subtract(a, b int64) (Value, error) {
	diff := a - b
	if (a^b)&(a^diff) < 0 {
		return nil, refuse(abi.Overflow, "%d - %d", a, b)
	}
	return diff, nil
}

func multiply(a, b int64) (Value, error) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The high word of the signed product; it must be the low word's sign.
	hi -= uint64(a>>63)&uint64(b) + uint64(b>>63)&uint64(a)
	if int64(hi) != int64(lo)>>63 {
		return nil, refuse(abi.Overflow, "%d * %d", a, b)
	}
	return int64(lo), nil
}

// The first and the last day of the years 1 to 9999, which a Date lies in.
const (
	minDate = -719162
	maxDate = 2932896
)

// addDays moves a Date.
func addDays(op core.Op, date, days int64) (Value, error) {
	var v Value
	var err error
	if op == core.DateAdd {
		v, err = integer(core.IntAdd, date, days)
	} else {
		v, err = subtract(date, days)
	}
	if err == nil && (v.(int64) < minDate || v.(int64) > maxDate) {
		err = refuse(abi.Overflow, "%s and %d days", showDate(date), days)
	}
	return v, err
}

func float(op core.Op, a, b float64) (Value, error) {
	// The conversions keep the compiler from fusing operations.
	switch op {
	case core.FloatAdd:
		return float64(a + b), nil
	case core.FloatSub:
		return float64(a - b), nil
	case core.FloatMul:
		return float64(a * b), nil
	case core.FloatDiv:
		return float64(a / b), nil
	}
	return nil, fmt.Errorf("operator %d on Floats", op)
}

func decimals(op core.Op, a, b decimal.Decimal) (Value, error) {
	var d decimal.Decimal
	var err error
	var sign string
	switch op {
	case core.DecimalAdd:
		d, err = decimal.Add(a, b)
		sign = "+"
	case core.DecimalSub:
		d, err = decimal.Sub(a, b)
		sign = "-"
	case core.DecimalMul:
		d, err = decimal.Mul(a, b)
		sign = "*"
	default:
		return nil, fmt.Errorf("operator %d on Decimals", op)
	}
	if err != nil {
		return nil, refuse(abi.Overflow, "%s %s %s", a, sign, b)
	}
	return d, nil
}

func money(op core.Op, a core.Money, rest []Value) (Value, error) {
	var v Value
	var err error
	switch op {
	case core.MoneyNeg:
		v = a.Amount.Neg()
	case core.MoneyMul:
		v, err = decimals(core.DecimalMul, a.Amount, rest[0].(decimal.Decimal))
	case core.MoneyAdd, core.MoneySub:
		b := rest[0].(core.Money)
		if a.Currency != b.Currency {
			return nil, refuse(abi.MixedCurrencies, "%s and %s", showMoney(a), showMoney(b))
		}
		v, err = decimals(op-core.MoneyAdd+core.DecimalAdd, a.Amount, b.Amount)
	default:
		return nil, fmt.Errorf("operator %d on Money", op)
	}
	if err != nil {
		return nil, err
	}
	return core.Money{Amount: v.(decimal.Decimal), Currency: a.Currency}, nil
}
