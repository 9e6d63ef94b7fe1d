package decimal

import (
	"fmt"
	"math"
)

// SyntaxError says why a text is no number.
type SyntaxError struct {
	Text   string // the text, cut after 64 bytes
	Offset int    // of the byte at which it went wrong
	Reason string // "a digit is expected"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%q is not a number: %s at byte %d", e.Text, e.Reason, e.Offset+1)
}

// Parse reads a number in JSON's syntax, "-12.50" or "1.25e3". The error is a
// *SyntaxError, or ErrOverflow when the value has no Decimal.
func Parse(s string) (Decimal, error) { return parse(s) }

// ParseBytes is Parse for bytes.
func ParseBytes(b []byte) (Decimal, error) { return parse(b) }

// number collects digits as they are read. Trailing zeros are only counted
// until a digit follows them, so that any run of them is accepted.
type number struct {
	coef   u128
	digits int // of coef, from its first that is not zero
	zeros  int // read after coef's digits
}

func (n *number) add(digit byte) {
	if digit == '0' {
		if n.digits > 0 {
			n.zeros++
		}
		return
	}
	n.digits += n.zeros + 1
	if n.digits > MaxDigits {
		n.zeros = 0
		return // too long, whatever follows
	}
	for ; n.zeros > 0; n.zeros-- {
		n.coef, _ = n.coef.mulAdd(10, 0)
	}
	n.coef, _ = n.coef.mulAdd(10, uint64(digit-'0'))
}

func parse[T string | []byte](s T) (Decimal, error) {
	i, neg := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, neg = 1, true
	}
	var n number
	start := i
	for ; i < len(s) && isDigit(s[i]); i++ {
		n.add(s[i])
	}
	if i == start {
		return Decimal{}, syntaxError(s, i, "a digit is expected")
	}
	if s[start] == '0' && i > start+1 {
		return Decimal{}, syntaxError(s, start, "a number has no leading zeros")
	}
	exp := 0 // the value is coef × 10^(exp+zeros)
	if i < len(s) && s[i] == '.' {
		i++
		start = i
		for ; i < len(s) && isDigit(s[i]); i++ {
			n.add(s[i])
		}
		if i == start {
			return Decimal{}, syntaxError(s, i, "a digit is expected after the point")
		}
		exp = start - i
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		e, end := parseExponent(s, i+1)
		if end < 0 {
			return Decimal{}, syntaxError(s, -end, "a digit is expected in the exponent")
		}
		exp, i = exp+e, end
	}
	if i < len(s) {
		return Decimal{}, syntaxError(s, i, "the number should end")
	}
	return n.decimal(exp, neg)
}

// decimal makes the Decimal of what was read.
func (n *number) decimal(exp int, neg bool) (Decimal, error) {
	if n.digits == 0 {
		return Decimal{}, nil
	}
	exp += n.zeros
	if n.digits > MaxDigits || exp < -MaxScale || exp > MaxDigits-n.digits {
		return Decimal{}, ErrOverflow
	}
	// coef does not end in a zero digit, so it is in normal form below.
	if exp <= 0 {
		return Decimal{coef: n.coef, scale: uint8(-exp), neg: neg}, nil
	}
	coef, _ := n.coef.times(pow10[exp]).narrow()
	return Decimal{coef: coef, neg: neg}, nil
}

// parseExponent reads a sign and digits from i on. It gives the exponent and
// where it ends; or, where a digit is missing, the negated offset of that.
// Exponents beyond any text's length are cut: they mean overflow or zero.
func parseExponent[T string | []byte](s T, i int) (exp, end int) {
	neg := false
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		neg = s[i] == '-'
		i++
	}
	start := i
	for ; i < len(s) && isDigit(s[i]); i++ {
		if exp < math.MaxInt/100 {
			exp = exp*10 + int(s[i]-'0')
		}
	}
	if i == start {
		return 0, -i
	}
	if neg {
		exp = -exp
	}
	return exp, i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func syntaxError[T string | []byte](s T, offset int, reason string) error {
	return &SyntaxError{Text: string(s[:min(len(s), 64)]), Offset: offset, Reason: reason}
}
