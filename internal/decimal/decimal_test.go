package decimal

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

const (
	nines34 = "9999999999999999999999999999999999"
	tiny    = "0.0000000000000000000000000000000001"
	half34  = "0.5000000000000000000000000000000001"
)

func must(t testing.TB, s string) Decimal {
	t.Helper()
	d, err := Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return d
}

func TestParse(t *testing.T) {
	tests := []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"0.000", "0"}, {"-0e99999999999999999999", "0"}, {"0E-99", "0"},
		{"1", "1"}, {"-1", "-1"}, {"1.50", "1.5"}, {"100", "100"}, {"0.05", "0.05"}, {"-0.05", "-0.05"},
		{"1e3", "1000"}, {"1E+3", "1000"}, {"1.25e1", "12.5"}, {"1500e-3", "1.5"}, {"1e-34", tiny}, {"0.001e3", "1"},
		{nines34, nines34}, {"-" + nines34, "-" + nines34}, {nines34 + ".000", nines34},
		{nines34 + "e-34", "0." + nines34}, {nines34 + "0e-1", nines34}, {tiny, tiny},
		{"1e33", "1" + strings.Repeat("0", 33)}, {"1." + strings.Repeat("0", 200), "1"},
		{"1" + strings.Repeat("0", 100) + "e-100", "1"}, {"0." + strings.Repeat("0", 100) + "1e101", "1"},
		{"18446744073709551615", "18446744073709551615"}, {"18446744073709551616", "18446744073709551616"},
		{"10000000000000000000", "10000000000000000000"}, {"100000000000000000000000000000000000000e-5", "1" + strings.Repeat("0", 33)},
	}
	for _, tt := range tests {
		d, err := Parse(tt.in)
		if err != nil || d.String() != tt.want {
			t.Errorf("Parse(%q) = %v, %v, want %s", tt.in, d, err, tt.want)
		}
		if again := must(t, d.String()); again != d {
			t.Errorf("%q: not in normal form: %#v and %#v", tt.in, d, again)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		in     string
		offset int // -1: overflow
	}{
		{"", 0}, {"-", 1}, {"+1", 0}, {".5", 0}, {"1.", 2}, {"1.e3", 2}, {"01", 0}, {"-00", 1}, {"1e", 2}, {"1e+", 3},
		{"1e-x", 3}, {" 1", 0}, {"1 ", 1}, {"1_000", 1}, {"NaN", 0}, {"0x1", 1}, {"1.5.2", 3},
		{"1e34", -1}, {"1e-35", -1}, {nines34 + "9", -1}, {"1" + nines34, -1}, {nines34 + ".1", -1},
		{"1e99999999999999999999999", -1}, {"1e-99999999999999999999999", -1}, {tiny + "1", -1},
		{"1" + strings.Repeat("0", 34), -1}, {"1." + strings.Repeat("0", 33) + "1", -1},
	}
	for _, tt := range tests {
		d, err := Parse(tt.in)
		var syntax *SyntaxError
		switch {
		case tt.offset < 0 && !errors.Is(err, ErrOverflow):
			t.Errorf("Parse(%q) = %v, %v, want overflow", tt.in, d, err)
		case tt.offset >= 0 && (!errors.As(err, &syntax) || syntax.Offset != tt.offset):
			t.Errorf("Parse(%q) = %v, %v, want a syntax error at %d", tt.in, d, err, tt.offset)
		}
	}
}

func TestArithmetic(t *testing.T) {
	tests := []struct{ a, op, b, want string }{
		{"0.1", "+", "0.2", "0.3"}, {"1.5", "+", "-1.5", "0"}, {"1", "-", "1.00", "0"}, {"-1", "-", "-3", "2"},
		{"18446744073709551615", "+", "1", "18446744073709551616"},
		{nines34, "+", "1", "overflow"}, {nines34, "+", "0", nines34}, {nines34, "-", "1", "9999999999999999999999999999999998"},
		{"-" + nines34, "-", "1", "overflow"}, {nines34, "+", "0.1", "overflow"}, {nines34, "+", tiny, "overflow"},
		{nines34, "-", nines34, "0"}, {half34, "+", half34, "overflow"},
		{"5e33", "+", "5e33", "overflow"}, {"0.5", "+", "0.5", "1"},
		{"0." + nines34, "+", tiny, "1"}, {tiny, "-", tiny, "0"}, {tiny, "+", "1", "overflow"},
		{"9e33", "-", tiny, "overflow"},
		{"3", "*", "-4", "-12"}, {"0", "*", "-4", "0"}, {"2.5", "*", "0.4", "1"}, {"19.99", "*", "3", "59.97"},
		{nines34, "*", "1", nines34}, {nines34, "*", "10", "overflow"}, {nines34, "*", "0.1", "999999999999999999999999999999999.9"},
		{"1e17", "*", "1e16", "1" + strings.Repeat("0", 33)}, {"1e17", "*", "1e17", "overflow"},
		{"1e-17", "*", "1e-17", tiny}, {"1e-17", "*", "1e-18", "overflow"}, {"2e-17", "*", "5e-18", tiny},
		{"5e-34", "*", "2e33", "1"}, {"1e-34", "*", "1e33", "0.1"}, {nines34, "*", nines34, "overflow"},
		{"9007199254740993", "*", "9007199254740993", "81129638414606699710187514626049"},
	}
	ops := map[string]func(a, b Decimal) (Decimal, error){"+": Add, "-": Sub, "*": Mul}
	for _, tt := range tests {
		got, err := ops[tt.op](must(t, tt.a), must(t, tt.b))
		if tt.want == "overflow" {
			if !errors.Is(err, ErrOverflow) {
				t.Errorf("%s %s %s = %v, %v, want overflow", tt.a, tt.op, tt.b, got, err)
			}
			continue
		}
		if err != nil || got != must(t, tt.want) {
			t.Errorf("%s %s %s = %v, %v, want %s", tt.a, tt.op, tt.b, got, err, tt.want)
		}
	}
}

var modes = map[string]Rounding{
	"half even": HalfEven, "half up": HalfUp, "half down": HalfDown,
	"up": Up, "down": Down, "ceiling": Ceiling, "floor": Floor,
}

func TestRound(t *testing.T) {
	// The table of java.math.RoundingMode's documentation.
	inputs := []string{"5.5", "2.5", "1.6", "1.1", "1.0", "-1.0", "-1.1", "-1.6", "-2.5", "-5.5"}
	want := map[string][]string{
		"up":        {"6", "3", "2", "2", "1", "-1", "-2", "-2", "-3", "-6"},
		"down":      {"5", "2", "1", "1", "1", "-1", "-1", "-1", "-2", "-5"},
		"ceiling":   {"6", "3", "2", "2", "1", "-1", "-1", "-1", "-2", "-5"},
		"floor":     {"5", "2", "1", "1", "1", "-1", "-2", "-2", "-3", "-6"},
		"half up":   {"6", "3", "2", "1", "1", "-1", "-1", "-2", "-3", "-6"},
		"half down": {"5", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-5"},
		"half even": {"6", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-6"},
	}
	for mode, row := range want {
		for i, in := range inputs {
			if got, err := Round(must(t, in), 0, modes[mode]); err != nil || got.String() != row[i] {
				t.Errorf("%s to an integer, %s = %v, %v, want %s", in, mode, got, err, row[i])
			}
		}
	}
	edges := []struct {
		in    string
		scale int
		mode  Rounding
		want  string
	}{
		{"19.995", 2, HalfEven, "20"}, {"1250", -2, HalfEven, "1200"}, {"1250", -2, HalfUp, "1300"}, {"0.001", 2, Up, "0.01"},
		{"-0.001", 2, Floor, "-0.01"}, {"-0.001", 2, Down, "0"}, {tiny, -34, Down, "0"}, {tiny, -33, Up, "1" + strings.Repeat("0", 33)},
		{tiny, -34, Up, "overflow"}, {nines34, -1, HalfUp, "overflow"}, {nines34, -1, Down, "999999999999999999999999999999999e1"},
		{"0." + nines34, 33, HalfUp, "1"}, {"1.5", 34, HalfUp, "1.5"}, {"5e33", -34, HalfEven, "0"}, {"5e33", -34, HalfUp, "overflow"},
		{"1", 35, HalfUp, "scale"}, {"1", -35, HalfUp, "scale"}, {"0", -34, Up, "0"},
	}
	for _, tt := range edges {
		got, err := Round(must(t, tt.in), tt.scale, tt.mode)
		checkResult(t, "round "+tt.in, got, err, tt.want)
	}
}

func checkResult(t *testing.T, what string, got Decimal, err error, want string) {
	t.Helper()
	kinds := map[string]error{"overflow": ErrOverflow, "zero": ErrDivisionByZero, "scale": ErrScale}
	if kind := kinds[want]; kind != nil {
		if !errors.Is(err, kind) {
			t.Errorf("%s = %v, %v, want %v", what, got, err, kind)
		}
	} else if err != nil || got != must(t, want) {
		t.Errorf("%s = %v, %v, want %s", what, got, err, want)
	}
}

func TestDivide(t *testing.T) {
	tests := []struct {
		a, b  string
		scale int
		mode  Rounding
		want  string
	}{
		{"1", "3", 4, HalfEven, "0.3333"}, {"2", "3", 4, HalfEven, "0.6667"}, {"-2", "3", 4, Down, "-0.6666"},
		{"1", "3", 34, Down, "0.3333333333333333333333333333333333"}, {"10", "3", 34, Down, "overflow"},
		{"10", "3", 33, Down, "3.333333333333333333333333333333333"}, {"1", "1", 34, HalfUp, "1"}, {nines34, "1", 34, HalfUp, nines34},
		{nines34, "0.1", 0, Down, "overflow"}, {nines34, tiny, 34, Down, "overflow"}, {tiny, nines34, 34, Down, "0"},
		{tiny, nines34, 34, Up, tiny}, {tiny, "2", 34, HalfEven, "0"}, {tiny, "2", 34, HalfUp, tiny}, {tiny, tiny, 34, HalfUp, "1"},
		{"0.5", "1", 0, HalfEven, "0"}, {"1.5", "1", 0, HalfEven, "2"}, {"0.05", "1", 0, Ceiling, "1"}, {"1", "0", 2, HalfUp, "zero"},
		{"1", "1", 35, HalfUp, "scale"}, {"1", "1", -1, HalfUp, "scale"}, {"0", "7", 3, Up, "0"}, {nines34, nines34, 34, Up, "1"},
		{"1e33", "1e-33", 0, Up, "overflow"}, {"1e16", "1e-17", 34, Up, "1e33"}, {nines34, "2", 1, Down, "overflow"},
		{"0.4999999999999999999999999999999999", "1", 0, HalfUp, "0"}, {"0.5000000000000000000000000000000001", "1", 0, HalfDown, "1"},
	}
	for _, tt := range tests {
		got, err := Divide(must(t, tt.a), must(t, tt.b), tt.scale, tt.mode)
		checkResult(t, tt.a+" / "+tt.b, got, err, tt.want)
	}
}

func TestConversions(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 10, 100, math.MaxInt64, math.MinInt64, math.MinInt64 + 1} {
		d := FromInt64(n)
		back, ok := d.Int64()
		if !ok || back != n || d.String() != strconv.FormatInt(n, 10) || !d.IsInt() {
			t.Errorf("FromInt64(%d) = %v, back %d, %v", n, d, back, ok)
		}
	}
	for _, s := range []string{"1.5", "9223372036854775808", "-9223372036854775809", nines34} {
		if n, ok := must(t, s).Int64(); ok {
			t.Errorf("Int64 of %s = %d", s, n)
		}
	}
	floats := []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {0.1, "0.1"}, {-2.5e-7, "-0.00000025"}, {1e33, "1e33"}, {1e34, "overflow"},
		{math.MaxFloat64, "overflow"}, {5e-324, "overflow"}, {1e-34, tiny}, {1 << 53, "9007199254740992"},
	}
	for _, tt := range floats {
		got, err := FromFloat64(tt.f)
		checkResult(t, strconv.FormatFloat(tt.f, 'g', -1, 64), got, err, tt.want)
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := FromFloat64(f); !errors.Is(err, ErrNotFinite) {
			t.Errorf("FromFloat64(%v): %v", f, err)
		}
	}
}

func TestParts(t *testing.T) {
	d, ok := FromParts(1500, 0, 2, true)
	if !ok || d.String() != "-15" {
		t.Errorf("FromParts(1500, 0, 2, true) = %v, %v", d, ok)
	}
	if d, ok := FromParts(0, 0, 99, true); !ok || d != (Decimal{}) {
		t.Errorf("a negative zero = %v, %v", d, ok)
	}
	if d, ok := FromParts(^uint64(0), ^uint64(0), 0, false); ok {
		t.Errorf("2^128-1 = %v", d)
	}
	if d, ok := FromParts(1, 0, 35, false); ok {
		t.Errorf("1e-35 = %v", d)
	}
	if _, ok := FromParts(1, 0, -1, false); ok {
		t.Error("a negative scale passed")
	}
	if c, s, ok := must(t, "-9223372036854775.808").Small(); !ok || c != math.MinInt64 || s != 3 {
		t.Errorf("Small = %d, %d, %v", c, s, ok)
	}
	if _, _, ok := must(t, "9223372036854775808").Small(); ok {
		t.Error("2^63 is small")
	}
}

// random draws a Decimal; digits of 9 and 0 at the ends are likelier than by
// chance, since they carry and are stripped.
func random(r *rand.Rand) Decimal {
	n := 1 + r.IntN(MaxDigits)
	digits := make([]byte, n)
	fill := r.IntN(4)
	for i := range digits {
		switch {
		case fill == 0:
			digits[i] = '9'
		case fill == 1 && i > 0:
			digits[i] = '0'
		default:
			digits[i] = byte('0' + r.IntN(10))
		}
	}
	text := strings.TrimLeft(string(digits), "0")
	if text == "" {
		text = "0"
	}
	if r.IntN(2) == 0 {
		text = "-" + text
	}
	d, err := Parse(text + "e-" + strconv.Itoa(r.IntN(MaxScale+1)))
	if err != nil {
		panic(err) // at most 34 digits at a scale of at most 34
	}
	return d
}

func rat(d Decimal) *big.Rat {
	lo, hi, scale, neg := d.Parts()
	n := new(big.Int).SetUint64(hi)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo))
	if neg {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, bigPow10(scale))
}

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// fits reports whether r has a Decimal.
func fits(r *big.Rat) bool {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(bigPow10(MaxScale)))
	if !scaled.IsInt() {
		return false
	}
	n := new(big.Int).Abs(scaled.Num())
	for scale := MaxScale; scale > 0; scale-- {
		q, m := new(big.Int).QuoRem(n, big.NewInt(10), new(big.Int))
		if m.Sign() != 0 {
			break
		}
		n = q
	}
	return n.Cmp(bigPow10(MaxDigits)) < 0
}

// roundRat is the reference for Divide and Round.
func roundRat(r *big.Rat, scale int, mode Rounding) *big.Rat {
	unit := new(big.Rat).SetInt(bigPow10(max(scale, -scale)))
	if scale < 0 {
		unit.Inv(unit)
	}
	scaled := new(big.Rat).Mul(r, unit)
	neg := scaled.Sign() < 0
	scaled.Abs(scaled)
	q, m := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	half := new(big.Int).Lsh(m, 1).Cmp(scaled.Denom())
	up := m.Sign() != 0
	switch mode {
	case HalfEven:
		up = half > 0 || half == 0 && q.Bit(0) == 1
	case HalfUp:
		up = half >= 0
	case HalfDown:
		up = half > 0
	case Down:
		up = false
	case Ceiling:
		up = up && !neg
	case Floor:
		up = up && neg
	}
	if up {
		q.Add(q, big.NewInt(1))
	}
	if neg {
		q.Neg(q)
	}
	out := new(big.Rat).SetInt(q)
	return out.Quo(out, unit)
}

// TestAgainstRationals compares every operation with math/big's.
func TestAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 8_000 {
		a, b := random(r), random(r)
		compareWithRationals(t, a, b, r.IntN(MaxScale+1), Rounding(r.IntN(int(Floor)+1)))
		if t.Failed() {
			return
		}
	}
}

func compareWithRationals(t *testing.T, a, b Decimal, scale int, mode Rounding) {
	t.Helper()
	x, y := rat(a), rat(b)
	check := func(what string, got Decimal, err error, want *big.Rat) {
		t.Helper()
		switch {
		case !fits(want):
			if !errors.Is(err, ErrOverflow) {
				t.Errorf("%v %s %v = %v, %v, want overflow", a, what, b, got, err)
			}
		case err != nil || rat(got).Cmp(want) != 0:
			t.Errorf("%v %s %v = %v, %v, want %s", a, what, b, got, err, want.RatString())
		case must(t, got.String()) != got:
			t.Errorf("%v %s %v is not in normal form", a, what, b)
		}
	}
	got, err := Add(a, b)
	check("+", got, err, new(big.Rat).Add(x, y))
	got, err = Sub(a, b)
	check("-", got, err, new(big.Rat).Sub(x, y))
	got, err = Mul(a, b)
	check("*", got, err, new(big.Rat).Mul(x, y))
	if !b.IsZero() {
		got, err = Divide(a, b, scale, mode)
		check("/", got, err, roundRat(new(big.Rat).Quo(x, y), scale, mode))
	}
	got, err = Round(a, scale, mode)
	check("rounded", got, err, roundRat(x, scale, mode))
	got, err = Round(a, -scale, mode)
	check("rounded to tens", got, err, roundRat(x, -scale, mode))
	if c := Cmp(a, b); c != x.Cmp(y) || (c == 0) != (a == b) {
		t.Errorf("Cmp(%v, %v) = %d", a, b, c)
	}
	if f, _ := x.Float64(); a.Float64() != f {
		t.Errorf("Float64(%v) = %v, want %v", a, a.Float64(), f)
	}
}

func TestFloatsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		f := math.Ldexp(r.Float64()*2-1, r.IntN(100)-40)
		if d, err := FromFloat64(f); err == nil && d.Float64() != f {
			t.Errorf("%v became %v and then %v", f, d, d.Float64())
		}
	}
}

func TestSignAndOrder(t *testing.T) {
	d := must(t, "-1.5")
	if d.Sign() != -1 || d.Neg().Sign() != 1 || (Decimal{}).Sign() != 0 || d.Abs() != d.Neg() || d.IsInt() {
		t.Error("the sign of -1.5")
	}
	if z := (Decimal{}).Neg(); z != (Decimal{}) || !z.IsZero() {
		t.Errorf("-0 = %#v", z)
	}
}

func TestWideDivision(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	words := []uint64{0, 1, math.MaxUint64, 1 << 63, math.MaxUint64 - 1, 10}
	word := func() uint64 {
		if r.IntN(2) == 0 {
			return words[r.IntN(len(words))]
		}
		return r.Uint64()
	}
	toBig := func(ws ...uint64) *big.Int {
		n := new(big.Int)
		for i := len(ws) - 1; i >= 0; i-- {
			n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(ws[i]))
		}
		return n
	}
	for range 50_000 {
		a, d := u256{word(), word(), word(), word()}, u128{hi: word(), lo: word()}
		if d.isZero() {
			continue
		}
		q, m := a.div(d)
		wantQ, wantM := new(big.Int).QuoRem(toBig(a[:]...), toBig(d.lo, d.hi), new(big.Int))
		if toBig(q[:]...).Cmp(wantQ) != 0 || toBig(m.lo, m.hi).Cmp(wantM) != 0 {
			t.Fatalf("%v / %v = %v, %v, want %v, %v", a, d, q, m, wantQ, wantM)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-1.50e3", nines34, tiny, "1e", "1e-34", "00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseBytes(text)
		if err != nil {
			return
		}
		out := d.AppendTo(nil)
		again, err := ParseBytes(out)
		if err != nil || again != d || bytes.ContainsAny(out, "eE+") {
			t.Errorf("%q is %s, which is %v, %v", text, out, again, err)
		}
		if len(text) < 200 {
			if want, ok := new(big.Rat).SetString(string(text)); ok && want.Cmp(rat(d)) != 0 {
				t.Errorf("%q parsed as %v", text, d)
			}
		}
	})
}

func FuzzArithmetic(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint8(2), true, uint64(3), uint64(7), uint8(34), false, uint8(5))
	f.Fuzz(func(t *testing.T, alo, ahi uint64, as uint8, an bool, blo, bhi uint64, bs uint8, bn bool, how uint8) {
		a, ok := FromParts(alo, ahi>>15, int(as%40), an)
		b, ok2 := FromParts(blo, bhi>>15, int(bs%40), bn)
		if ok && ok2 {
			compareWithRationals(t, a, b, int(how%(MaxScale+1)), Rounding(how%7))
		}
	})
}

func benchmarkOp(b *testing.B, x, y string, op func(a, b Decimal) (Decimal, error)) {
	p, q := must(b, x), must(b, y)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := op(p, q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddSmall(b *testing.B) { benchmarkOp(b, "19.99", "5.01", Add) }
func BenchmarkAddWide(b *testing.B)  { benchmarkOp(b, "123456789012345678901.99", "5.012", Add) }
func BenchmarkMulSmall(b *testing.B) { benchmarkOp(b, "19.99", "0.19", Mul) }
func BenchmarkMulWide(b *testing.B)  { benchmarkOp(b, "12345678901234567890", "1.0000000019", Mul) }
func BenchmarkDivide(b *testing.B) {
	benchmarkOp(b, "59.97", "7", func(x, y Decimal) (Decimal, error) { return Divide(x, y, 2, HalfEven) })
}

func BenchmarkParse(b *testing.B) {
	text := []byte("1234.56")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBytes(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTo(b *testing.B) {
	d, buf := must(b, "1234.56"), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = d.AppendTo(buf[:0])
	}
}
