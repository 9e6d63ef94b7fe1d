package codec

import (
	"math"
	"strconv"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
)

// integer reads an Int: only digits, so that what was written as a fraction or
// with an exponent is never taken for one.
func (d *Decoder) integer(pos uint) (uint64, uint) {
	m := d.mem
	c := m.u8(pos)
	if c <= ' ' {
		pos = d.space(pos)
		c = m.u8(pos)
	}
	p := pos
	if c == '-' {
		p++
	}
	w := m.u64(p)
	n := digitRun(w)
	if n == 0 || byte(w) == '0' && n > 1 {
		return d.fail(pos, "Int")
	}
	v := leadingDigits(w, n)
	p += n
	next := m.u8(p)
	if n == 8 && next-'0' <= 9 {
		if v, p = d.integerTail(v, p, c == '-'); p == 0 {
			return d.fail(pos, "Int of 64 bits")
		}
		next = m.u8(p)
	}
	if next == '.' || next|0x20 == 'e' {
		return d.fail(pos, "Int")
	}
	if c == '-' {
		v = -v
	}
	return v, p
}

// integerTail reads on at p a number of which v are the first eight digits. It
// gives position 0 when that does not fit 64 bits.
func (d *Decoder) integerTail(v uint64, p uint, negative bool) (uint64, uint) {
	for i := 0; ; i++ {
		c := d.mem.u8(p) - '0'
		if c > 9 {
			break
		}
		if i == 11 { // 19 digits are fewer than 1<<64
			return 0, 0
		}
		v = v*10 + uint64(c)
		p++
	}
	if v > math.MaxInt64 && !(negative && v == 1<<63) {
		return 0, 0
	}
	return v, p
}

var pow10 = [...]uint64{1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8}

// plain reads the number of at most fifteen digits, seven of them before the
// point, that most numbers are: coefficient and scale. Position 0 says that it
// is another, or none.
func (d *Decoder) plain(p uint) (coef uint64, scale uint, end uint) {
	m := d.mem
	w := m.u64(p)
	n := digitRun(w)
	if n-1 >= 7 || byte(w) == '0' && n > 1 {
		return 0, 0, 0
	}
	coef = leadingDigits(w, n)
	p += n
	c := m.u8(p)
	if c == '.' {
		w = m.u64(p + 1)
		if n = digitRun(w); n == 0 {
			return 0, 0, 0
		}
		coef = coef*pow10[n] + leadingDigits(w, n)
		scale = n
		p += n + 1
		if c = m.u8(p); n == 8 && c-'0' <= 9 {
			return 0, 0, 0
		}
	}
	if c|0x20 == 'e' {
		return 0, 0, 0
	}
	return coef, scale, p
}

var exactPow10 = [...]float64{1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8}

// float reads a Float.
func (d *Decoder) float(pos uint) (uint64, uint) {
	m := d.mem
	c := m.u8(pos)
	if c <= ' ' {
		pos = d.space(pos)
		c = m.u8(pos)
	}
	p := pos
	if c == '-' {
		p++
	}
	// Below 2^53 a coefficient is an exact float, as the power is, and the one
	// division rounds correctly (Clinger, "How to read floating point numbers
	// accurately", 1990).
	if coef, scale, end := d.plain(p); end != 0 {
		v := math.Float64bits(float64(int64(coef)) / exactPow10[scale])
		if c == '-' {
			v |= 1 << 63
		}
		return v, end
	}
	if c != '-' && c-'0' > 9 {
		return d.fail(pos, "Float")
	}
	end, ok := d.number(pos)
	if !ok {
		return 0, 0
	}
	f, err := strconv.ParseFloat(string(m.bytes(pos, end-pos)), 64)
	if err != nil {
		return d.fail(pos, "Float within 1.7e308 of zero")
	}
	return math.Float64bits(f), end
}

// number checks a number's syntax and gives its end.
func (d *Decoder) number(pos uint) (end uint, ok bool) {
	m := d.mem
	p := pos
	if m.u8(p) == '-' {
		p++
	}
	digits := func() bool {
		from := p
		for m.u8(p)-'0' <= 9 {
			p++
		}
		return p > from
	}
	zero := m.u8(p) == '0'
	if from := p; !digits() || zero && p > from+1 {
		return d.failPos(pos, "a number"), false
	}
	if m.u8(p) == '.' {
		if p++; !digits() {
			return d.failPos(pos, "a digit after the point"), false
		}
	}
	if m.u8(p)|0x20 == 'e' {
		if p++; m.u8(p) == '+' || m.u8(p) == '-' {
			p++
		}
		if !digits() {
			return d.failPos(pos, "a digit in the exponent"), false
		}
	}
	return p, true
}

// decimal reads a Decimal.
func (d *Decoder) decimal(pos uint) (uint64, uint) {
	coef, scale, negative, end := d.plainAmount(pos)
	if end != 0 {
		v := int64(coef)
		if negative {
			v = -v
		}
		return uint64(v)<<abi.DecimalShift | uint64(scale)<<1, end
	}
	number, end := d.amount(pos, "Decimal")
	if end == 0 {
		return 0, 0
	}
	if v, ok := PackDecimal(number); ok {
		return v, end
	}
	return d.boxed(number, 0, end)
}

// plainAmount is plain for a number or a number in a string, with its sign.
func (d *Decoder) plainAmount(pos uint) (coef uint64, scale uint, negative bool, end uint) {
	m := d.mem
	c := m.u8(pos)
	quoted := c == '"'
	if quoted {
		pos++
		c = m.u8(pos)
	}
	if negative = c == '-'; negative {
		pos++
	}
	coef, scale, end = d.plain(pos)
	if quoted && end != 0 {
		if m.u8(end) != '"' {
			return 0, 0, false, 0
		}
		end++
	}
	return coef, scale, negative, end
}

// amount reads any Decimal, as a string or a number.
func (d *Decoder) amount(pos uint, expected string) (decimal.Decimal, uint) {
	pos = d.space(pos)
	var text []byte
	var end uint
	switch c := d.mem.u8(pos); {
	case c == '"':
		var s uint64
		if s, end = d.string(pos); end == 0 {
			return decimal.Decimal{}, 0
		}
		text = d.mem.bytes(uint(s>>32), uint(uint32(s)))
	case c == '-' || c-'0' <= 9:
		var ok bool
		if end, ok = d.number(pos); !ok {
			return decimal.Decimal{}, 0
		}
		text = d.mem.bytes(pos, end-pos)
	default:
		return decimal.Decimal{}, d.failPos(pos, expected)
	}
	number, err := decimal.ParseBytes(text)
	if err == decimal.ErrOverflow {
		return decimal.Decimal{}, d.failPos(pos, expected+" of at most 34 digits")
	}
	if err != nil {
		return decimal.Decimal{}, d.failPos(pos, expected)
	}
	return number, end
}

// boxed puts a number that is not small into a cell; end is handed on.
func (d *Decoder) boxed(number decimal.Decimal, currency uint32, end uint) (uint64, uint) {
	cell := d.alloc(abi.NumberCell)
	if cell == 0 {
		return 0, 0
	}
	return PutNumber(d.mem.bytes(0, uint(d.limit)), uint32(cell), number, currency), end
}

// money reads {"amount": "19.99", "currency": "USD"}.
func (d *Decoder) money(pos uint) (uint64, uint) {
	if v, end := d.plainMoney(pos); end != 0 {
		return v, end
	}
	m := d.mem
	if pos = d.space(pos); m.u8(pos) != '{' {
		return d.fail(pos, "Money")
	}
	if !d.enter(pos) {
		return 0, 0
	}
	pos++
	var number decimal.Decimal
	var currency uint32
	var seen [2]bool
	for guess := 0; ; guess++ {
		i, p, _ := d.member(&moneyObject, guess, pos, guess == 0, false)
		if pos = p; i < 0 {
			break
		}
		if seen[i] {
			return 0, d.failTwice(pos, moneyObject.fields[i].name)
		}
		seen[i] = true
		if i == 0 {
			number, pos = d.amount(pos, "Decimal")
		} else {
			currency, pos = d.currency(pos)
		}
		if pos == 0 {
			d.inMember(moneyObject.fields[i].name)
			return 0, 0
		}
		if pos = d.space(pos); m.u8(pos) == '}' {
			pos++
			break
		}
		if m.u8(pos) != ',' {
			return d.fail(pos, "`,` or `}`")
		}
		pos++
	}
	if pos == 0 {
		return 0, 0
	}
	for i, name := range [...]string{"amount", "currency"} {
		if !seen[i] {
			d.failAs(pos-1, "Money", "no such member")
			d.inMember(name)
			return 0, 0
		}
	}
	d.depth++
	if v, ok := PackMoney(number, currency); ok {
		return v, pos
	}
	return d.boxed(number, currency, pos)
}

// moneyObject is how Money's members are found; they are not read by it.
var moneyObject = object{owner: "Money", count: 2, fields: []field{
	{name: "amount", literal: newLiteral(`"amount":`)}, {name: "currency", literal: newLiteral(`"currency":`)},
}}

// plainMoney reads what Append writes for a small amount, and the same with a
// number. Position 0 says that it is something else.
func (d *Decoder) plainMoney(pos uint) (uint64, uint) {
	m := d.mem
	if d.depth == 0 || m.u64(pos) != amountWord || m.u8(pos+8) != '"' || m.u8(pos+9) != ':' {
		return 0, 0
	}
	coef, scale, negative, pos := d.plainAmount(pos + 10)
	if pos == 0 || coef >= 1<<43 || m.u64(pos) != currencyWord || m.u64(pos+5) != currencyWord2 {
		return 0, 0
	}
	w := m.u64(pos + 13)
	currency, ok := currencyCode(w)
	if !ok || w>>24&0xffff != '}'<<8|'"' {
		return 0, 0
	}
	v := int64(coef)
	if negative {
		v = -v
	}
	return uint64(v)<<abi.MoneyShift | uint64(currency)<<abi.MoneyCurrency | uint64(scale)<<1, pos + 18
}

// The words of `{"amount`, `,"curren` and `rency":"`.
const (
	amountWord    = '{' | '"'<<8 | 'a'<<16 | 'm'<<24 | 'o'<<32 | 'u'<<40 | 'n'<<48 | 't'<<56
	currencyWord  = ',' | '"'<<8 | 'c'<<16 | 'u'<<24 | 'r'<<32 | 'r'<<40 | 'e'<<48 | 'n'<<56
	currencyWord2 = 'r' | 'e'<<8 | 'n'<<16 | 'c'<<24 | 'y'<<32 | '"'<<40 | ':'<<48 | '"'<<56
)

// currency reads three capitals.
func (d *Decoder) currency(pos uint) (uint32, uint) {
	pos = d.space(pos)
	w := d.mem.u64(pos)
	if code, ok := currencyCode(w >> 8); ok && byte(w) == '"' && byte(w>>32) == '"' {
		return code, pos + 5
	}
	d.fail(pos, "a currency such as \"USD\"")
	return 0, 0
}

// currencyCode packs the three capitals in w's lowest bytes.
func currencyCode(w uint64) (uint32, bool) {
	a, b, c := uint32(byte(w))-'A', uint32(byte(w>>8))-'A', uint32(byte(w>>16))-'A'
	return a*676 + b*26 + c, a < 26 && b < 26 && c < 26
}
