// Package decimal computes with exact decimal numbers: Tow's Decimal, and the
// amount in its Money.
//
// A [Decimal] is ±coefficient × 10^-scale, with a coefficient of at most 34
// digits and a scale of 0 to 34. It is always in normal form: the scale is the
// smallest that holds the value (1.50 is 15 × 10^-1) and zero has no sign.
// Equal numbers are therefore equal Go values, and == compares them.
//
// Nothing is ever rounded unasked: a sum, difference or product with no exact
// Decimal is [ErrOverflow], and only [Divide] and [Round], which are told how,
// drop digits.
//
//	price, _ := decimal.Parse("19.99")
//	total, err := decimal.Mul(price, decimal.FromInt64(3)) // 59.97
//	share, err := decimal.Divide(total, decimal.FromInt64(7), 2, decimal.HalfEven) // 8.57
package decimal

import (
	"errors"
	"math"
	"strconv"
)

// The bounds of a Decimal in normal form.
const (
	MaxDigits = 34 // of the coefficient
	MaxScale  = 34
)

var (
	// ErrOverflow says that the exact result has more than 34 digits, or more
	// than 34 of them after the point.
	ErrOverflow = errors.New("the result does not fit a Decimal of 34 digits")
	// ErrDivisionByZero says that a divisor is zero.
	ErrDivisionByZero = errors.New("division by zero")
	// ErrScale says that the scale asked of Divide or Round is out of range.
	ErrScale = errors.New("the scale is out of range")
	// ErrNotFinite says that a float is an infinity or not a number.
	ErrNotFinite = errors.New("an infinity or NaN is no Decimal")
)

// Decimal is an exact number. The zero value is 0.
type Decimal struct {
	coef  u128
	scale uint8
	neg   bool
}

// FromInt64 is n.
func FromInt64(n int64) Decimal {
	if n < 0 {
		return Decimal{coef: u128{lo: -uint64(n)}, neg: true}
	}
	return Decimal{coef: u128{lo: uint64(n)}}
}

// FromParts is ±(hi×2^64 + lo) × 10^-scale, brought to normal form. It reports
// false when there is no such Decimal.
func FromParts(lo, hi uint64, scale int, negative bool) (Decimal, bool) {
	if scale < 0 {
		return Decimal{}, false
	}
	d, err := fromU128(u128{hi: hi, lo: lo}, scale, negative)
	return d, err == nil
}

// Parts is the Decimal taken apart: ±(hi×2^64 + lo) × 10^-scale.
func (d Decimal) Parts() (lo, hi uint64, scale int, negative bool) {
	return d.coef.lo, d.coef.hi, int(d.scale), d.neg
}

// Small is d as coef × 10^-scale when coef fits an int64.
func (d Decimal) Small() (coef int64, scale int, ok bool) {
	switch {
	case d.coef.hi != 0:
		return 0, 0, false
	case d.coef.lo <= math.MaxInt64:
		coef = int64(d.coef.lo)
		if d.neg {
			coef = -coef
		}
	case d.neg && d.coef.lo == 1<<63:
		coef = math.MinInt64
	default:
		return 0, 0, false
	}
	return coef, int(d.scale), true
}

// Int64 is d as an integer. It reports false when d is not one, or too large.
func (d Decimal) Int64() (int64, bool) {
	coef, scale, ok := d.Small()
	if !ok || scale != 0 {
		return 0, false
	}
	return coef, true
}

// FromFloat64 is the shortest decimal that parses back to f. The error is
// ErrNotFinite, or ErrOverflow when that decimal is too long.
func FromFloat64(f float64) (Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, ErrNotFinite
	}
	var buf [32]byte
	return ParseBytes(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
}

// exactFloatPowers are the powers of ten that a float64 holds exactly.
var exactFloatPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// Float64 is the float nearest to d, ties to the even one.
func (d Decimal) Float64() float64 {
	// With an exact coefficient and an exact power, the one division rounds
	// once and so correctly (Clinger, "How to read floating point numbers
	// accurately", 1990).
	if d.coef.hi == 0 && d.coef.lo <= 1<<53 && int(d.scale) < len(exactFloatPowers) {
		f := float64(d.coef.lo) / exactFloatPowers[d.scale]
		if d.neg {
			return -f
		}
		return f
	}
	f, _ := strconv.ParseFloat(d.String(), 64) // every Decimal is in range
	return f
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.neg:
		return -1
	case d.coef.isZero():
		return 0
	}
	return 1
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.coef.isZero() }

// IsInt reports whether d is an integer.
func (d Decimal) IsInt() bool { return d.scale == 0 }

// Neg is -d.
func (d Decimal) Neg() Decimal {
	d.neg = !d.neg && !d.coef.isZero()
	return d
}

// Abs is d without its sign.
func (d Decimal) Abs() Decimal {
	d.neg = false
	return d
}

// String is d in plain notation, "-0.05": no exponent, no trailing zeros.
func (d Decimal) String() string {
	var buf [40]byte
	return string(d.AppendTo(buf[:0]))
}

// AppendTo appends String's text to dst.
func (d Decimal) AppendTo(dst []byte) []byte {
	if d.neg {
		dst = append(dst, '-')
	}
	var buf [40]byte
	digits := d.coef.appendTo(buf[:0])
	whole := len(digits) - int(d.scale)
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:whole]...)
	if d.scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, digits[whole:]...)
	}
	return dst
}

// fromU128 makes the Decimal ±coef × 10^-scale for any scale ≥ 0.
func fromU128(coef u128, scale int, neg bool) (Decimal, error) {
	coef, scale = coef.stripZeros(scale)
	if coef.isZero() {
		return Decimal{}, nil
	}
	if scale > MaxScale || !coef.less(pow10[MaxDigits]) {
		return Decimal{}, ErrOverflow
	}
	return Decimal{coef: coef, scale: uint8(scale), neg: neg}, nil
}

// fromU256 is fromU128 for the results of a product or an alignment.
func fromU256(coef u256, scale int, neg bool) (Decimal, error) {
	if narrow, ok := coef.narrow(); ok {
		return fromU128(narrow, scale, neg)
	}
	for _, step := range [...]int{16, 8, 4, 2, 1} {
		for scale >= step {
			q, r := coef.divSmall(pow10[step].lo)
			if r != 0 {
				break
			}
			coef, scale = q, scale-step
		}
	}
	narrow, ok := coef.narrow()
	if !ok {
		return Decimal{}, ErrOverflow
	}
	return fromU128(narrow, scale, neg)
}
