package decimal

import "math/bits"

// Add is a+b, or ErrOverflow.
func Add(a, b Decimal) (Decimal, error) {
	if a.scale == b.scale && a.coef.hi|b.coef.hi == 0 {
		return addWords(a, b)
	}
	x, y, scale := align(a, b)
	if a.neg == b.neg {
		return fromU256(x.add(y), scale, a.neg)
	}
	if x.cmp(y) < 0 {
		return fromU256(y.sub(x), scale, b.neg)
	}
	return fromU256(x.sub(y), scale, a.neg)
}

// addWords adds coefficients of one word and one scale.
func addWords(a, b Decimal) (Decimal, error) {
	switch {
	case a.neg == b.neg:
		lo, hi := bits.Add64(a.coef.lo, b.coef.lo, 0)
		return fromU128(u128{hi: hi, lo: lo}, int(a.scale), a.neg)
	case a.coef.lo < b.coef.lo:
		return fromU128(u128{lo: b.coef.lo - a.coef.lo}, int(a.scale), b.neg)
	}
	return fromU128(u128{lo: a.coef.lo - b.coef.lo}, int(a.scale), a.neg)
}

// Sub is a-b, or ErrOverflow.
func Sub(a, b Decimal) (Decimal, error) { return Add(a, b.Neg()) }

// Mul is a×b, or ErrOverflow.
func Mul(a, b Decimal) (Decimal, error) {
	scale, neg := int(a.scale)+int(b.scale), a.neg != b.neg
	if a.coef.hi|b.coef.hi == 0 {
		hi, lo := bits.Mul64(a.coef.lo, b.coef.lo)
		return fromU128(u128{hi: hi, lo: lo}, scale, neg)
	}
	return fromU256(a.coef.times(b.coef), scale, neg)
}

// Cmp is -1 when a<b, 0 when a==b, 1 when a>b.
func Cmp(a, b Decimal) int {
	if a == b {
		return 0
	}
	if s, t := a.Sign(), b.Sign(); s != t {
		if s < t {
			return -1
		}
		return 1
	}
	x, y, _ := align(a, b)
	if a.neg {
		return y.cmp(x)
	}
	return x.cmp(y)
}

// align gives the coefficients at the larger of the two scales.
func align(a, b Decimal) (x, y u256, scale int) {
	switch {
	case a.scale < b.scale:
		return a.coef.times(pow10[b.scale-a.scale]), b.coef.wide(), int(b.scale)
	case a.scale > b.scale:
		return a.coef.wide(), b.coef.times(pow10[a.scale-b.scale]), int(a.scale)
	}
	return a.coef.wide(), b.coef.wide(), int(a.scale)
}

// Rounding says which neighbour stands for a number between two.
type Rounding uint8

// The modes of rounding. The halves go to the nearer neighbour and differ on
// a tie alone.
const (
	HalfEven Rounding = iota // a tie to the even neighbour: the banker's rounding
	HalfUp                   // a tie away from zero
	HalfDown                 // a tie toward zero
	Up                       // away from zero
	Down                     // toward zero
	Ceiling                  // toward +∞
	Floor                    // toward -∞
)

// away reports whether a magnitude is rounded away from zero. half compares
// what is dropped with one half of the last place; exact: nothing is dropped.
func (m Rounding) away(odd bool, half int, exact, neg bool) bool {
	if exact {
		return false
	}
	switch m {
	case HalfEven:
		return half > 0 || half == 0 && odd
	case HalfUp:
		return half >= 0
	case HalfDown:
		return half > 0
	case Up:
		return true
	case Ceiling:
		return !neg
	case Floor:
		return neg
	}
	return false
}

// Divide is a÷b with scale digits after the point, 0 to 34. The error is
// ErrDivisionByZero, ErrScale, or ErrOverflow when the rounded quotient does
// not fit.
func Divide(a, b Decimal, scale int, mode Rounding) (Decimal, error) {
	if scale < 0 || scale > MaxScale {
		return Decimal{}, ErrScale
	}
	if b.coef.isZero() {
		return Decimal{}, ErrDivisionByZero
	}
	neg := a.neg != b.neg
	// The quotient's coefficient is a.coef × 10^shift ÷ b.coef.
	shift := scale + int(b.scale) - int(a.scale)
	if shift < 0 {
		// Divide by 10^-shift first; both remainders count.
		unit := pow10[-shift]
		q, low := a.coef.wide().div(unit)
		q, rest := q.div(b.coef)
		rem := rest.times(unit).add(low.wide())
		half := rem.add(rem).cmp(b.coef.times(unit))
		return rounded(q, half, rem.isZero(), scale, neg, mode)
	}
	first := min(shift, MaxScale)
	q, rem := a.coef.times(pow10[first]).div(b.coef)
	if more := shift - first; more > 0 {
		var low u256
		low, rem = rem.times(pow10[more]).div(b.coef)
		// A coefficient of 10^68 at a scale of at most 34 is beyond any Decimal.
		if q.cmp(pow10[34].times(pow10[34-more])) >= 0 {
			return Decimal{}, ErrOverflow
		}
		q = q.timesPow10(more).add(low)
	}
	half := rem.wide().add(rem.wide()).cmp(b.coef.wide())
	return rounded(q, half, rem.isZero(), scale, neg, mode)
}

// Round is a with at most scale digits after the point, -34 to 34: a negative
// scale rounds to tens, hundreds and so on. The error is ErrScale, or
// ErrOverflow when rounding away from zero needs a 35th digit.
func Round(a Decimal, scale int, mode Rounding) (Decimal, error) {
	if scale < -MaxScale || scale > MaxScale {
		return Decimal{}, ErrScale
	}
	drop := int(a.scale) - scale
	if drop <= 0 || a.coef.isZero() {
		return a, nil
	}
	var q u256
	var rem, unit u128
	half := -1
	if drop <= MaxScale {
		unit = pow10[drop]
		q, rem = a.coef.wide().div(unit)
		half = rem.wide().add(rem.wide()).cmp(unit.wide())
	} else {
		rem = a.coef // below 10^34, so less than half of any unit beyond
	}
	if scale >= 0 {
		return rounded(q, half, rem.isZero(), scale, a.neg, mode)
	}
	if mode.away(q[0]&1 == 1, half, rem.isZero(), a.neg) {
		q = q.add(u256{1})
	}
	narrow, _ := q.narrow()
	return fromU256(narrow.times(pow10[-scale]), 0, a.neg)
}

// rounded adds what the mode demands to a quotient's coefficient.
func rounded(q u256, half int, exact bool, scale int, neg bool, mode Rounding) (Decimal, error) {
	if mode.away(q[0]&1 == 1, half, exact, neg) {
		q = q.add(u256{1})
	}
	return fromU256(q, scale, neg)
}
