package types

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/native"
)

// numeral is the value of a number literal whose type is still sought: its text
// with its sign. Finishing turns it into an int64, a float64 or a Decimal.
type numeral string

// isFraction reports whether a number's text has a fraction or an exponent.
func isFraction(text string) bool {
	return !isRadix(text) && strings.ContainsAny(text, ".eE")
}

func isRadix(text string) bool {
	text = strings.TrimPrefix(text, "-")
	return strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0b")
}

// number checks a number literal, which takes the type that is wanted.
func (b *body) number(text string, at span.Span, want core.Type, w why) core.Expr {
	t := b.numberType(text, at, want)
	return b.is(b.lit(at, t, numeral(text)), want, w)
}

func (b *body) numberType(text string, at span.Span, want core.Type) core.Type {
	kind := wholeLit
	if isFraction(text) {
		kind = fracLit
	}
	if want != nil {
		if t := prune(want); b.std.isNumber(t, kind) {
			return t
		}
	}
	m := &meta{lit: kind, at: at}
	b.literals = append(b.literals, m)
	return m
}

// defaultLit gives a literal that nothing determines its own type.
func (b *body) defaultLit(m *meta) {
	if m.lit == fracLit {
		b.unify(m, b.std.decimalT)
	} else {
		b.unify(m, b.std.intT)
	}
}

// numeralValue is a literal's value at its type, nil after a mistake.
func (c *checker) numeralValue(text string, at span.Span, t core.Type) any {
	con, ok := t.(*core.Con)
	if !ok {
		return nil
	}
	plain := strings.ReplaceAll(text, "_", "")
	switch con.Def {
	case c.std.Int:
		n, err := parseInt(plain)
		if err == nil {
			return n
		}
		c.diags.Errorf(codeLiteral, at, "this number does not fit an Int").
			Note(span.Span{}, "an Int lies between -9223372036854775808 and 9223372036854775807")
	case c.std.Float:
		if isRadix(plain) {
			if n, err := parseInt(plain); err == nil {
				return float64(n)
			}
		} else if f, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsInf(f, 0) {
			return f
		}
		c.diags.Errorf(codeLiteral, at, "this number does not fit a Float")
	case c.std.Decimal:
		if isRadix(plain) {
			if n, err := parseInt(plain); err == nil {
				return decimal.FromInt64(n)
			}
		} else if d, err := decimal.Parse(plain); err == nil {
			return d
		}
		c.diags.Errorf(codeLiteral, at, "this number does not fit a Decimal, which holds 34 digits")
	}
	return nil
}

func parseInt(text string) (int64, error) {
	if isRadix(text) {
		return strconv.ParseInt(text, 0, 64)
	}
	return strconv.ParseInt(text, 10, 64)
}

func (b *body) unknownCurrency(e *syntax.MoneyLit) {
	d := b.errorf(codeLiteral, e.Span, "ISO 4217 has no currency `%s`", e.Currency)
	if meant := nearest(e.Currency, native.Currencies); meant != "" {
		d.FixWith("write `"+e.Number+" "+meant+"`", e.Span, e.Number+" "+meant)
	}
}

// unitLit checks a literal that tells its type itself, perhaps under a minus.
func (b *body) unitLit(e syntax.Expr, negative bool) core.Expr {
	switch e := e.(type) {
	case *syntax.MoneyLit:
		text := strings.ReplaceAll(e.Number, "_", "")
		amount, err := decimal.Parse(text)
		if err != nil {
			b.errorf(codeLiteral, e.Span, "this amount does not fit Money, which holds 34 digits")
			return broken(e.Span)
		}
		if _, known := slices.BinarySearch(native.Currencies, e.Currency); !known {
			b.unknownCurrency(e)
		}
		if negative {
			amount = amount.Neg()
		}
		return b.lit(e.Span, b.std.moneyT, core.Money{Amount: amount, Currency: e.Currency})
	case *syntax.DurationLit:
		ns, fault := syntax.ParseDuration(e.Text)
		if fault != "" {
			b.c.quietly(codeLiteral, e.Span, "%s", fault)
			return broken(e.Span)
		}
		if negative {
			ns = -ns
		}
		return b.lit(e.Span, b.std.durationT, ns)
	case *syntax.InstantLit:
		ns, fault := syntax.ParseInstant(e.Text)
		if fault != "" {
			b.c.quietly(codeLiteral, e.Span, "%s", fault)
			return broken(e.Span)
		}
		return b.lit(e.Span, b.std.instantT, ns)
	case *syntax.DateLit:
		days, ok := syntax.ParseDate(e.Text)
		if !ok {
			b.c.quietly(codeLiteral, e.Span, "this date is malformed")
			return broken(e.Span)
		}
		return b.lit(e.Span, b.std.dateT, int64(days))
	}
	return broken(e.Pos())
}
