package engine

import (
	"errors"
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/decimal"
)

// decimal is the number that a Decimal's word stands for.
func (in *instance) decimal(v uint64) decimal.Decimal {
	number, ok := codec.LoadDecimal(in.mem, v)
	if !ok {
		in.corrupt()
	}
	return number
}

// money is a Money's amount and currency.
func (in *instance) money(v uint64) (decimal.Decimal, uint32) {
	number, currency, ok := codec.LoadMoney(in.mem, v)
	if !ok {
		in.corrupt()
	}
	return number, currency
}

// putDecimal packs a Decimal, or allocates its cell; site is that of running
// out of memory.
func (in *instance) putDecimal(number decimal.Decimal, site int32) uint64 {
	if v, ok := codec.PackDecimal(number); ok {
		return v
	}
	return codec.PutNumber(in.mem, in.alloc(abi.NumberCell, site), number, 0)
}

// putMoney packs a Money, or allocates its cell.
func (in *instance) putMoney(number decimal.Decimal, currency uint32, site int32) uint64 {
	if v, ok := codec.PackMoney(number, currency); ok {
		return v
	}
	return codec.PutNumber(in.mem, in.alloc(abi.NumberCell, site), number, currency)
}

type operator func(a, b decimal.Decimal) (decimal.Decimal, error)

func (in *instance) decimalOp(stack []uint64, op operator) {
	number, err := op(in.decimal(stack[0]), in.decimal(stack[1]))
	if err != nil {
		in.fault(int32(stack[2]), abi.Overflow)
	}
	stack[0] = in.putDecimal(number, int32(stack[2]))
}

func decimalAdd(in *instance, stack []uint64) { in.decimalOp(stack, decimal.Add) }
func decimalSub(in *instance, stack []uint64) { in.decimalOp(stack, decimal.Sub) }
func decimalMul(in *instance, stack []uint64) { in.decimalOp(stack, decimal.Mul) }

func (in *instance) moneyOp(stack []uint64, op operator) {
	a, currency := in.money(stack[0])
	b, other := in.money(stack[1])
	if currency != other {
		in.fault(int32(stack[3]), abi.MixedCurrencies)
	}
	number, err := op(a, b)
	if err != nil {
		in.fault(int32(stack[2]), abi.Overflow)
	}
	stack[0] = in.putMoney(number, currency, int32(stack[2]))
}

func moneyAdd(in *instance, stack []uint64) { in.moneyOp(stack, decimal.Add) }
func moneySub(in *instance, stack []uint64) { in.moneyOp(stack, decimal.Sub) }

func moneyMul(in *instance, stack []uint64) {
	amount, currency := in.money(stack[0])
	number, err := decimal.Mul(amount, in.decimal(stack[1]))
	if err != nil {
		in.fault(int32(stack[2]), abi.Overflow)
	}
	stack[0] = in.putMoney(number, currency, int32(stack[2]))
}

func decimalNeg(in *instance, stack []uint64) {
	stack[0] = in.putDecimal(in.decimal(stack[0]).Neg(), int32(stack[1]))
}

func moneyNeg(in *instance, stack []uint64) {
	amount, currency := in.money(stack[0])
	stack[0] = in.putMoney(amount.Neg(), currency, int32(stack[1]))
}

func decimalCompare(in *instance, stack []uint64) {
	stack[0] = api32(decimal.Cmp(in.decimal(stack[0]), in.decimal(stack[1])))
}

func moneyCompare(in *instance, stack []uint64) {
	a, currency := in.money(stack[0])
	b, other := in.money(stack[1])
	if currency != other {
		in.fault(int32(stack[2]), abi.MixedCurrencies)
	}
	stack[0] = api32(decimal.Cmp(a, b))
}

// api32 is an i32 on the stack.
func api32(n int) uint64 { return uint64(uint32(n)) }

func decimalEqual(in *instance, stack []uint64) {
	stack[0] = boolean(in.decimal(stack[0]) == in.decimal(stack[1]))
}

func moneyEqual(in *instance, stack []uint64) {
	a, currency := in.money(stack[0])
	b, other := in.money(stack[1])
	stack[0] = boolean(a == b && currency == other)
}

func decimalIsNumber(in *instance, stack []uint64) {
	_, err := decimal.Parse(in.text(stack[0]))
	stack[0] = boolean(err == nil)
}

func decimalRead(in *instance, stack []uint64) {
	site := int32(stack[1])
	number, err := decimal.Parse(in.text(stack[0]))
	if err != nil {
		in.fault(site+siteBadArgument, 0)
	}
	stack[0] = in.putDecimal(number, site+siteOutOfMemory)
}

func decimalFromInt(in *instance, stack []uint64) {
	stack[0] = in.putDecimal(decimal.FromInt64(int64(stack[0])), int32(stack[1])+siteOutOfMemory)
}

func decimalToInt(in *instance, stack []uint64) {
	number, err := decimal.Round(in.decimal(stack[0]), 0, decimal.Down)
	n, ok := number.Int64()
	if err != nil || !ok {
		in.fault(int32(stack[1])+siteBadArgument, 0)
	}
	stack[0] = uint64(n)
}

func decimalToFloat(in *instance, stack []uint64) {
	stack[0] = math.Float64bits(in.decimal(stack[0]).Float64())
}

// scale is a scale that may be out of any range, cut to an int.
func scale(v uint64) int { return int(max(-1000, min(int64(v), 1000))) }

// rounded answers the result of Divide or Round, or faults.
func (in *instance) rounded(number decimal.Decimal, err error, site int32) uint64 {
	switch {
	case err == nil:
		return in.putDecimal(number, site+siteOutOfMemory)
	case errors.Is(err, decimal.ErrDivisionByZero):
		in.fault(site+siteDivisionByZero, 0)
	case errors.Is(err, decimal.ErrOverflow):
		in.fault(site+siteOverflow, 0)
	}
	in.fault(site+siteBadArgument, 0)
	return 0
}

func decimalDivide(in *instance, stack []uint64) {
	site := int32(stack[4])
	if n := scale(stack[2]); n < 0 || n > decimal.MaxScale { // looked at before the divisor
		in.fault(site+siteBadArgument, 0)
	}
	number, err := decimal.Divide(in.decimal(stack[0]), in.decimal(stack[1]), scale(stack[2]), decimal.Rounding(stack[3]))
	stack[0] = in.rounded(number, err, site)
}

func decimalRound(in *instance, stack []uint64) {
	number, err := decimal.Round(in.decimal(stack[0]), scale(stack[1]), decimal.Rounding(stack[2]))
	stack[0] = in.rounded(number, err, int32(stack[3]))
}

func moneyAmount(in *instance, stack []uint64) {
	amount, _ := in.money(stack[0])
	stack[0] = in.putDecimal(amount, int32(stack[1])+siteOutOfMemory)
}

func moneyCurrency(in *instance, stack []uint64) {
	_, currency := in.money(stack[0])
	stack[0] = in.putText(abi.CurrencyName(currency), int32(stack[1])+siteOutOfMemory)
}

func moneyMake(in *instance, stack []uint64) {
	site := int32(stack[2])
	currency := in.text(stack[1])
	if len(currency) != 3 {
		in.fault(site+siteBadArgument, 0)
	}
	for i := range 3 {
		if currency[i]-'A' > 25 {
			in.fault(site+siteBadArgument, 0)
		}
	}
	stack[0] = in.putMoney(in.decimal(stack[0]), abi.CurrencyCode(currency), site+siteOutOfMemory)
}
