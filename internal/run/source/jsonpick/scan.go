package jsonpick

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner checks a text from left to right. Its methods take the position where
// something starts and give the one after it, or -1 with err set.
type scanner struct {
	text    []byte
	depth   int
	escaped bool // the last string had an escape
	err     *Error

	found      bool // what find looks for, from start to end
	start, end int
}

func (s *scanner) fail(pos int, expected string) int {
	s.err = &Error{Offset: pos, Expected: expected, Found: s.seen(pos)}
	return -1
}

// seen says what stands at pos.
func (s *scanner) seen(pos int) string {
	if pos >= len(s.text) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRune(s.text[pos:])
	if !strconv.IsPrint(r) {
		return strconv.QuoteRuneToASCII(r)
	}
	return "`" + string(r) + "`"
}

// space is the first position from pos on that is no white space.
func (s *scanner) space(pos int) int {
	for pos < len(s.text) {
		switch s.text[pos] {
		case ' ', '\n', '\r', '\t':
			pos++
		default:
			return pos
		}
	}
	return pos
}

// at is the byte at pos, 0 at the end: no token has one.
func (s *scanner) at(pos int) byte {
	if uint(pos) < uint(len(s.text)) {
		return s.text[pos]
	}
	return 0
}

// find checks the value at pos, and notes where in it the tokens lead.
func (s *scanner) find(pos int, tokens []token) int {
	if len(tokens) == 0 {
		end := s.value(pos)
		s.found, s.start, s.end = end >= 0, pos, end
		return end
	}
	switch s.at(pos) {
	case '{':
		return s.findMember(pos, tokens)
	case '[':
		return s.findElement(pos, tokens)
	}
	return s.value(pos)
}

func (s *scanner) findMember(at int, tokens []token) int {
	seen := false
	pos, more := s.open(at)
	for more {
		start := pos
		if pos = s.name(start); pos < 0 {
			return -1
		}
		is := s.names(start, pos, tokens[0].name)
		if is && seen {
			s.err = &Error{Offset: start, Expected: "one member " + strconv.Quote(tokens[0].name), Found: "a second"}
			return -1
		}
		seen = seen || is
		if pos = s.colon(pos); pos < 0 {
			return -1
		}
		if is {
			pos = s.find(pos, tokens[1:])
		} else {
			pos = s.value(pos)
		}
		if pos < 0 {
			return -1
		}
		pos, more = s.next(pos, '}')
	}
	return pos
}

func (s *scanner) findElement(at int, tokens []token) int {
	pos, more := s.open(at)
	for i := 0; more; i++ {
		if i == tokens[0].index {
			pos = s.find(pos, tokens[1:])
		} else {
			pos = s.value(pos)
		}
		if pos < 0 {
			return -1
		}
		pos, more = s.next(pos, ']')
	}
	return pos
}

// names reports whether the string from start to end, just read, says name.
func (s *scanner) names(start, end int, name string) bool {
	if s.escaped {
		return string(unquote(s.text[start:end])) == name
	}
	return string(s.text[start+1:end-1]) == name
}

// value checks the value at pos.
func (s *scanner) value(pos int) int {
	switch c := s.at(pos); {
	case c == '"':
		return s.string(pos)
	case c == '{':
		pos, more := s.open(pos)
		for more {
			if pos = s.name(pos); pos < 0 {
				return -1
			}
			if pos = s.colon(pos); pos < 0 {
				return -1
			}
			if pos = s.value(pos); pos < 0 {
				return -1
			}
			pos, more = s.next(pos, '}')
		}
		return pos
	case c == '[':
		pos, more := s.open(pos)
		for more {
			if pos = s.value(pos); pos < 0 {
				return -1
			}
			pos, more = s.next(pos, ']')
		}
		return pos
	case c == '-' || c-'0' <= 9:
		return s.number(pos)
	case c == 't':
		return s.word(pos, "true")
	case c == 'f':
		return s.word(pos, "false")
	case c == 'n':
		return s.word(pos, "null")
	}
	return s.fail(pos, "a value")
}

// open enters the array or object at pos. more says that there is something in
// it, at the position given; else that is the one behind it, or -1.
func (s *scanner) open(at int) (pos int, more bool) {
	if s.depth == MaxDepth {
		s.err = &Error{Offset: at, Expected: "at most " + strconv.Itoa(MaxDepth) + " levels", Found: "one more"}
		return -1, false
	}
	if pos = s.space(at + 1); s.at(pos) == s.text[at]+2 { // `[` and `]`, `{` and `}`
		return pos + 1, false
	}
	s.depth++
	return pos, true
}

// next reads the comma, or what closes the array or object, at pos.
func (s *scanner) next(pos int, closing byte) (int, bool) {
	c := s.at(pos)
	if c <= ' ' {
		pos = s.space(pos)
		c = s.at(pos)
	}
	switch c {
	case ',':
		if pos++; s.at(pos) <= ' ' {
			pos = s.space(pos)
		}
		return pos, true
	case closing:
		s.depth--
		return pos + 1, false
	}
	return s.fail(pos, "`,` or `"+string(rune(closing))+"`"), false
}

// name checks a member's name.
func (s *scanner) name(pos int) int {
	if s.at(pos) != '"' {
		return s.fail(pos, "a member's name")
	}
	return s.string(pos)
}

// colon reads the colon at pos, and gives where the member's value starts.
func (s *scanner) colon(pos int) int {
	if s.at(pos) != ':' {
		if pos = s.space(pos); s.at(pos) != ':' {
			return s.fail(pos, "`:`")
		}
	}
	if pos++; s.at(pos) <= ' ' {
		pos = s.space(pos)
	}
	return pos
}

func (s *scanner) word(pos int, word string) int {
	if end := pos + len(word); end <= len(s.text) && string(s.text[pos:end]) == word {
		return end
	}
	return s.fail(pos, "a value")
}

func (s *scanner) number(start int) int {
	pos := start
	if s.at(pos) == '-' {
		pos++
	}
	from := pos
	if pos = s.digits(pos); pos == from || s.text[from] == '0' && pos > from+1 {
		return s.fail(start, "a number")
	}
	if s.at(pos) == '.' {
		from = pos + 1
		if pos = s.digits(from); pos == from {
			return s.fail(pos, "a digit after the point")
		}
	}
	if s.at(pos)|0x20 == 'e' {
		if pos++; s.at(pos) == '+' || s.at(pos) == '-' {
			pos++
		}
		from = pos
		if pos = s.digits(from); pos == from {
			return s.fail(pos, "a digit in the exponent")
		}
	}
	return pos
}

func (s *scanner) digits(pos int) int {
	for pos < len(s.text) && s.text[pos]-'0' <= 9 {
		pos++
	}
	return pos
}

// string checks the string whose quote is at pos, eight bytes at a time where
// there are so many.
func (s *scanner) string(pos int) int {
	s.escaped = false
	text := s.text
	for i := pos + 1; i < len(text); {
		if len(text)-i >= 8 {
			stop := stops(binary.LittleEndian.Uint64(text[i:]))
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) >> 3
		}
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escape(text[i:])
			if n == 0 {
				return s.fail(i, "an escape")
			}
			s.escaped = true
			i += n
		case c < ' ':
			return s.fail(i, "a character or an escape in a string")
		default:
			i++
		}
	}
	return s.fail(len(text), "the string's end")
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops marks, in the high bit of each byte, the quotes, backslashes and control
// characters of w, the byte at the lowest address being the lowest. Marks above
// the lowest one may be false. (Lamport, "Multiple byte processing with full-word
// instructions", 1975.)
func stops(w uint64) uint64 {
	quote := w ^ '"'*ones
	slash := w ^ '\\'*ones
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-' '*ones)&^w) & highs
}

// escape is the length of the escape that text starts with, 0 when it is none.
func escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(text[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote is what a string that was checked says. Half a pair of surrogates
// becomes U+FFFD.
func unquote(quoted []byte) []byte {
	inside := quoted[1 : len(quoted)-1]
	i := 0
	for i < len(inside) && inside[i] != '\\' {
		i++
	}
	if i == len(inside) {
		return inside
	}
	out := append(make([]byte, 0, len(inside)), inside[:i]...)
	for i < len(inside) {
		c := inside[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		switch c = inside[i+1]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, n := codePoint(inside[i:])
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		out = append(out, c)
		i += 2
	}
	return out
}

// codePoint is the character that one \u escape, or two of them, stand for.
func codePoint(text []byte) (r rune, n int) {
	r, _ = hex4(text[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if low, ok := hex4(text[8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return utf8.RuneError, 6
}

// invalidUTF8 is where text stops to be UTF-8, or -1.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}
