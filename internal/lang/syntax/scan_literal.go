package syntax

import (
	"strings"
	"time"
)

// stringPiece scans a string's text from s.pos, which stands after the opening
// quote or after a hole's closing brace. It becomes a token of kind last when
// the string ends, of kind more when a hole opens.
func (s *scanner) stringPiece(start int, last, more Token) {
	var flags tokFlags
	end := func(kind Token) {
		s.add(kind, start)
		s.toks[len(s.toks)-1].flags |= flags
		if kind == StringTail {
			s.pop()
		}
	}
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case '"':
			s.pos++
			end(last)
			return
		case '\\':
			flags |= escaped
			s.pos++
			if s.pos < len(s.src) && s.src[s.pos] == 'u' && s.at(1) == '{' {
				s.unicodeEscape()
			} else if s.pos < len(s.src) && s.src[s.pos] != '\n' {
				s.pos++
			}
		case '{':
			if more == StringHead && len(s.stack) >= MaxNesting {
				s.errorf(codeTooDeep, s.pos, s.pos+1, "strings and brackets nest more than %d deep here", MaxNesting)
				s.stopped = true
				return
			}
			s.pos++
			end(more)
			if more == StringHead {
				s.push(StringHead)
			}
			return
		case '\n':
			s.openString(start)
			end(last)
			return
		default:
			s.pos++
		}
	}
	s.openString(start)
	end(last)
}

// unicodeEscape skips `u{…}` so that its braces open no hole.
func (s *scanner) unicodeEscape() {
	i := s.pos + 2
	for i < len(s.src) && (isIdent(s.src[i])) {
		i++
	}
	if i < len(s.src) && s.src[i] == '}' {
		i++
	}
	s.pos = i
}

func (s *scanner) openString(start int) {
	if s.stopped {
		return
	}
	end := s.pos
	if end > start && s.src[end-1] == '\r' {
		end--
	}
	d := s.errorf(codeOpenString, start, max(end, start+1), "this string does not end on its line").
		Expect("`\"`", "the end of the line")
	d.Note(s.span(0, 0), "a line break inside a string is written `\\n`")
	d.Notes[0].At.File = nil
	if s.holes > 0 {
		d.Note(s.span(0, 0), "inside a string, `{` opens an expression; a brace is written `\\{`")
		d.Notes[1].At.File = nil
	}
	d.FixWith("close the string", s.span(end, end), `"`)
}

// endHoles ends all strings that a line break cuts in a hole.
func (s *scanner) endHoles() {
	n := 0
	for s.stack[n].kind != StringHead {
		n++
	}
	s.openString(int(s.toks[s.stack[n].index].start))
	was := s.stopped
	s.stopped = true // the string is reported, what is open inside it is not
	s.closeDownTo(n, s.pos)
	s.stopped = was
}

// number scans a number, and what a number may begin: money, a duration, a
// date or an instant.
func (s *scanner) number() {
	start := s.pos
	if n := len(s.toks); n > 0 && s.toks[n-1].kind == Dot {
		for s.pos < len(s.src) && isDigit(s.src[s.pos]) { // tuple.0.1
			s.pos++
		}
		s.add(Number, start)
		return
	}
	if s.date(start) {
		return
	}
	if s.src[start] == '0' && (s.at(1) == 'x' || s.at(1) == 'b') {
		s.radix(start)
		return
	}
	s.digits()
	fraction := false
	if s.at(0) == '.' && isDigit(s.at(1)) {
		fraction = true
		s.pos++
		s.digits()
	}
	if c := s.at(0); (c == 'e' || c == 'E') && (isDigit(s.at(1)) || (s.at(1) == '-' || s.at(1) == '+') && isDigit(s.at(2))) {
		fraction = true
		s.pos += 2
		s.digits()
	}
	if s.pos < len(s.src) && (isLower(s.src[s.pos]) || isUpper(s.src[s.pos])) {
		s.suffix(start, fraction)
		return
	}
	s.checkDigits(start)
	if s.money(start) {
		return
	}
	s.add(Number, start)
}

func (s *scanner) digits() {
	for s.pos < len(s.src) && (isDigit(s.src[s.pos]) || s.src[s.pos] == '_') {
		s.pos++
	}
}

// checkDigits refuses leading zeros and underscores that part no digits.
func (s *scanner) checkDigits(start int) {
	text := s.src[start:s.pos]
	if len(text) > 1 && text[0] == '0' && (isDigit(text[1]) || text[1] == '_') {
		s.errorf(codeBadNumber, start, s.pos, "a number has no leading zeros").
			FixWith("remove them", s.span(start, start+leadingZeros(text)), "")
		return
	}
	if strings.IndexByte(text, '_') < 0 {
		return
	}
	for i := range len(text) {
		if text[i] == '_' && (i+1 == len(text) || !isDigit(text[i+1]) || !isDigit(text[i-1])) {
			s.errorf(codeBadNumber, start, s.pos, "`_` stands only between two digits of a number")
			return
		}
	}
}

// leadingZeros counts the zeros and underscores that may go, keeping one digit.
func leadingZeros(text string) int {
	n := 0
	for n+1 < len(text) && (text[n] == '0' || text[n] == '_') && (isDigit(text[n+1]) || text[n+1] == '_') {
		n++
	}
	return n
}

// radix scans `0xff` and `0b101`.
func (s *scanner) radix(start int) {
	binary := s.src[start+1] == 'b'
	s.pos += 2
	for s.pos < len(s.src) && isIdent(s.src[s.pos]) {
		s.pos++
	}
	good, last := s.pos > start+2, byte('_')
	for i := start + 2; i < s.pos; i++ {
		c := s.src[i]
		hex := isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		if c == '_' && last == '_' || c != '_' && (!hex || binary && c > '1') {
			good = false
		}
		last = c
	}
	if !good || last == '_' {
		what := "hexadecimal digits after `0x`"
		if binary {
			what = "binary digits after `0b`"
		}
		s.errorf(codeBadNumber, start, s.pos, "this number is malformed").Expect(what, "`"+s.src[start:s.pos]+"`")
	}
	s.add(Number, start)
}

// suffix scans letters that touch a number: a duration, or a mistake.
func (s *scanner) suffix(start int, fraction bool) {
	mantissa := s.pos
	for s.pos < len(s.src) && isIdent(s.src[s.pos]) {
		s.pos++
	}
	text := s.src[start:s.pos]
	letters := s.src[mantissa:s.pos]
	_, isUnit := durationUnits[strings.TrimRight(letters, "0123456789_")]
	switch {
	case isCurrency(letters):
		s.errorf(codeBadMoney, start, s.pos, "a blank stands between an amount and its currency").
			FixWith("insert a blank", s.span(mantissa, mantissa), " ")
		s.add(Money, start)
	case fraction && isUnit:
		s.errorf(codeBadDuration, start, s.pos, "a duration counts whole units").
			Expect("a whole number of a smaller unit, such as `1500ms`", "`"+text+"`")
		s.add(Duration, start)
	case !fraction && strings.IndexByte("numshd", letters[0]) >= 0:
		if _, why := ParseDuration(text); why != "" {
			s.errorf(codeBadDuration, start, s.pos, "%s", why).
				Expect("numbers with the units d, h, m, s, ms, us, ns, from large to small", "`"+text+"`")
		}
		s.add(Duration, start)
	default:
		s.errorf(codeBadNumber, start, s.pos, "a name cannot follow a number directly").
			Expect("a number, or one with a unit such as `50ms`", "`"+text+"`")
		s.add(Number, start)
	}
}

func isCurrency(s string) bool {
	return len(s) == 3 && isUpper(s[0]) && isUpper(s[1]) && isUpper(s[2])
}

// money joins a number and a currency after it on the line to one token.
func (s *scanner) money(start int) bool {
	i := s.pos
	for i < len(s.src) && (s.src[i] == ' ' || s.src[i] == '\t') {
		i++
	}
	if i == s.pos || i+3 > len(s.src) || i+3 < len(s.src) && isIdent(s.src[i+3]) {
		return false
	}
	text, currency := s.src[start:s.pos], s.src[i:i+3]
	if !isCurrency(currency) {
		if !commonCurrency(currency) {
			return false
		}
		upper := strings.ToUpper(currency)
		s.errorf(codeBadMoney, i, i+3, "a currency is written with capitals").
			Expect("`"+upper+"`", "`"+currency+"`").FixWith("write `"+upper+"`", s.span(i, i+3), upper)
	}
	if strings.ContainsAny(text, "eExXb") {
		s.errorf(codeBadMoney, start, i+3, "an amount of money is written without exponent").
			Expect("digits, maybe with a fraction", "`"+text+"`")
	}
	s.pos = i + 3
	s.add(Money, start)
	return true
}

// commonCurrency recognises a currency in small letters, which would be a name.
func commonCurrency(s string) bool {
	switch s {
	case "usd", "eur", "gbp", "jpy", "chf", "cny", "inr", "cad", "aud", "sek", "nok", "dkk", "pln", "brl", "mxn":
		return true
	}
	return false
}

// date scans `2026-01-01` and `2026-01-01T00:00:00Z` where they stand.
func (s *scanner) date(start int) bool {
	text := s.src[start:]
	if !matches(text, "dddd-dd-dd") || len(text) > 10 && isDigit(text[10]) {
		return false
	}
	s.pos += 10
	if len(text) <= 10 || text[10] != 'T' {
		if s.pos < len(s.src) && isIdent(s.src[s.pos]) {
			for s.pos < len(s.src) && isIdent(s.src[s.pos]) {
				s.pos++
			}
			s.badDate(start, "a date is written `2026-01-31`")
		} else if _, err := time.Parse("2006-01-02", text[:10]); err != nil || text[:4] == "0000" {
			s.badDate(start, "this date is in no calendar")
		}
		s.add(Date, start)
		return true
	}
	for s.pos < len(s.src) && (isIdent(s.src[s.pos]) || s.src[s.pos] == ':' && isDigit(s.at(1)) ||
		(s.src[s.pos] == '.' || s.src[s.pos] == '+' || s.src[s.pos] == '-') && isDigit(s.at(1))) {
		s.pos++
	}
	if _, why := ParseInstant(s.src[start:s.pos]); why != "" {
		s.badDate(start, why)
	}
	s.add(Instant, start)
	return true
}

func (s *scanner) badDate(start int, why string) {
	s.errorf(codeBadDate, start, s.pos, "%s", why).
		Expect("a date as `2026-01-31` or an instant as `2026-01-31T12:00:00Z`", "`"+s.src[start:s.pos]+"`")
}

// matches compares the start of text with a shape in which d is a digit.
func matches(text, shape string) bool {
	if len(text) < len(shape) {
		return false
	}
	for i := range len(shape) {
		if shape[i] == 'd' && !isDigit(text[i]) || shape[i] != 'd' && shape[i] != text[i] {
			return false
		}
	}
	return true
}
