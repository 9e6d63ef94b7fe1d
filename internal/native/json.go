package native

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxJSONDepth is how deep arrays and objects may nest in JSON.
const MaxJSONDepth = 128

// IsJSON reports whether the text is one JSON value: RFC 8259, nested at most
// MaxJSONDepth deep, without lone surrogates in its strings.
func IsJSON(text string) bool {
	s := jsonScanner{text: text}
	return s.document()
}

// ReadJSON is a JSON value's compact text, all tokens as they were but no
// white space between them. It reports false where IsJSON does.
func ReadJSON(text string) (string, bool) {
	s := jsonScanner{text: text}
	if !s.document() {
		return "", false
	}
	if len(s.gaps) == 0 {
		return text, true
	}
	var b strings.Builder
	b.Grow(len(text))
	from := 0
	for _, gap := range s.gaps {
		b.WriteString(text[from:gap[0]])
		from = gap[1]
	}
	b.WriteString(text[from:])
	return b.String(), true
}

// JSONEnd is the byte offset just after the value that starts at from in
// compact JSON. It reports false when no value starts there.
func JSONEnd(text string, from int64) (int64, bool) {
	if from < 0 || from >= int64(len(text)) {
		return 0, false
	}
	s := jsonScanner{text: text, at: int(from)}
	if !s.value() {
		return 0, false
	}
	return int64(s.at), true
}

// jsonScanner goes over a JSON text and keeps nothing but the gaps.
type jsonScanner struct {
	text  string
	at    int
	depth int
	gaps  [][2]int // where white space stands, from and to
}

func (s *jsonScanner) document() bool {
	s.space()
	if !s.value() {
		return false
	}
	s.space()
	return s.at == len(s.text)
}

func (s *jsonScanner) space() {
	from := s.at
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t' || s.text[s.at] == '\n' || s.text[s.at] == '\r') {
		s.at++
	}
	if s.at > from {
		s.gaps = append(s.gaps, [2]int{from, s.at})
	}
}

func (s *jsonScanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *jsonScanner) skip(word string) bool {
	if strings.HasPrefix(s.text[s.at:], word) {
		s.at += len(word)
		return true
	}
	return false
}

func (s *jsonScanner) value() bool {
	switch s.peek() {
	case 'n':
		return s.skip("null")
	case 't':
		return s.skip("true")
	case 'f':
		return s.skip("false")
	case '"':
		return s.str()
	case '[':
		return s.sequence(']', s.value)
	case '{':
		return s.sequence('}', s.member)
	}
	end := numberEnd(s.text, s.at)
	if end < 0 {
		return false
	}
	s.at = end
	return true
}

// sequence goes over an array or an object, from its opening bracket on.
func (s *jsonScanner) sequence(end byte, item func() bool) bool {
	if s.depth == MaxJSONDepth {
		return false
	}
	s.depth++
	defer func() { s.depth-- }()
	s.at++
	s.space()
	if s.peek() == end {
		s.at++
		return true
	}
	for {
		if !item() {
			return false
		}
		s.space()
		switch s.peek() {
		case end:
			s.at++
			return true
		case ',':
			s.at++
			s.space()
		default:
			return false
		}
	}
}

func (s *jsonScanner) member() bool {
	if !s.str() {
		return false
	}
	s.space()
	if s.peek() != ':' {
		return false
	}
	s.at++
	s.space()
	return s.value()
}

// str goes over a string, from its quote on.
func (s *jsonScanner) str() bool {
	end, ok := stringEnd(s.text, s.at)
	s.at = end
	return ok
}

// stringEnd is the offset after the JSON string that starts at from.
func stringEnd(text string, from int) (end int, ok bool) {
	if from >= len(text) || text[from] != '"' {
		return from, false
	}
	for i := from + 1; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			return i + 1, true
		case c == '\\':
			_, n := unescape(text[i:])
			if n == 0 {
				return i, false
			}
			i += n
		case c < 0x20:
			return i, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && n == 1 {
				return i, false
			}
			i += n
		}
	}
	return len(text), false
}

// unescape reads the escape at the start of text. n is its bytes, both halves
// of a surrogate pair together, or 0 where it is no escape.
func unescape(text string) (r rune, n int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(text)
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if low, ok := hex4(text[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return 0, 0
}

// hex4 reads `\u` and four hexadecimal digits.
func hex4(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	r := rune(0)
	for i := 2; i < 6; i++ {
		c := text[i]
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

// QuoteJSON is the text as a JSON string with its quotes. Only what must be
// escaped is.
func QuoteJSON(text string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(text)+2)
	b = append(b, '"')
	from := 0
	for i := range len(text) {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, text[from:i]...)
		from = i + 1
		if j := strings.IndexByte("\"\\\n\r\t\b\f", c); j >= 0 {
			b = append(b, '\\', `"\nrtbf`[j])
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, text[from:]...)
	return string(append(b, '"'))
}

// UnquoteJSON is what a JSON string with its quotes stands for. It reports
// false when the text is none.
func UnquoteJSON(text string) (string, bool) {
	if end, ok := stringEnd(text, 0); !ok || end < len(text) {
		return "", false
	}
	inner := text[1 : len(text)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	b := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); {
		if inner[i] != '\\' {
			b = append(b, inner[i])
			i++
			continue
		}
		r, n := unescape(inner[i:])
		b = utf8.AppendRune(b, r)
		i += n
	}
	return string(b), true
}
