package interp

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how deep arrays and objects may nest in JSON.
const maxJSONDepth = 128

// jsonKind is the kind of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonTrue
	jsonFalse
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a JSON text taken apart.
type jsonValue struct {
	kind    jsonKind
	offset  int    // of its first byte
	source  string // as it stands in the text
	text    string // of a string: what it stands for
	elems   []*jsonValue
	members []jsonMember // in order, equal names too
}

type jsonMember struct {
	name   string
	offset int
	value  *jsonValue
}

// JSONError says where a text is not what was expected.
type JSONError struct {
	Path     string // "$.offers[3].price"
	Offset   int    // bytes from the text's start
	Expected string // "a Decimal"
	Found    string
}

func (e *JSONError) Error() string {
	return "at " + e.Path + ": expected " + e.Expected + ", found " + e.Found
}

// jsonReader parses RFC 8259 strictly: UTF-8, no lone surrogates.
type jsonReader struct {
	text  string
	at    int
	depth int
}

// parseJSON takes a text apart; the error is a *JSONError.
func parseJSON(text string) (*jsonValue, error) {
	r := &jsonReader{text: text}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(text) {
		return nil, r.fail("the end of the text")
	}
	return v, nil
}

func (r *jsonReader) fail(expected string) error {
	found := "the end of the text"
	if r.at < len(r.text) {
		c, _ := utf8.DecodeRuneInString(r.text[r.at:])
		found = strconv.QuoteRune(c)
	}
	return &JSONError{Path: "$", Offset: r.at, Expected: expected, Found: found}
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// next reports whether the next byte is c, and if so goes past it.
func (r *jsonReader) next(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) value() (*jsonValue, error) {
	r.space()
	v := &jsonValue{offset: r.at}
	var err error
	c := byte(0)
	if r.at < len(r.text) {
		c = r.text[r.at]
	}
	switch c {
	case '{', '[':
		if r.depth++; r.depth > maxJSONDepth {
			return nil, r.fail("at most " + strconv.Itoa(maxJSONDepth) + " levels")
		}
		if c == '{' {
			v.kind, err = jsonObject, r.object(v)
		} else {
			v.kind, err = jsonArray, r.array(v)
		}
		r.depth--
	case '"':
		v.kind = jsonString
		v.text, err = r.string()
	default:
		err = r.scalar(v)
	}
	v.source = r.text[v.offset:r.at]
	return v, err
}

// scalar reads a number or a name.
func (r *jsonReader) scalar(v *jsonValue) error {
	for name, kind := range map[string]jsonKind{"null": jsonNull, "true": jsonTrue, "false": jsonFalse} {
		if strings.HasPrefix(r.text[r.at:], name) {
			v.kind = kind
			r.at += len(name)
			return nil
		}
	}
	v.kind = jsonNumber
	r.next('-')
	if !r.next('0') && !r.digits() {
		return r.fail("a JSON value")
	}
	if r.next('.') && !r.digits() {
		return r.fail("a digit")
	}
	if r.next('e') || r.next('E') {
		_ = r.next('+') || r.next('-')
		if !r.digits() {
			return r.fail("a digit")
		}
	}
	return nil
}

// digits goes past digits and reports whether there was one.
func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

func (r *jsonReader) array(v *jsonValue) error {
	r.at++
	if r.space(); r.next(']') {
		return nil
	}
	for {
		elem, err := r.value()
		if err != nil {
			return err
		}
		v.elems = append(v.elems, elem)
		r.space()
		if r.next(']') {
			return nil
		}
		if !r.next(',') {
			return r.fail("`,` or `]`")
		}
	}
}

func (r *jsonReader) object(v *jsonValue) error {
	r.at++
	if r.space(); r.next('}') {
		return nil
	}
	for {
		r.space()
		m := jsonMember{offset: r.at}
		if r.at >= len(r.text) || r.text[r.at] != '"' {
			return r.fail("a member's name")
		}
		var err error
		if m.name, err = r.string(); err != nil {
			return err
		}
		if r.space(); !r.next(':') {
			return r.fail("`:`")
		}
		if m.value, err = r.value(); err != nil {
			return err
		}
		v.members = append(v.members, m)
		r.space()
		if r.next('}') {
			return nil
		}
		if !r.next(',') {
			return r.fail("`,` or `}`")
		}
	}
}

func (r *jsonReader) string() (string, error) {
	r.at++
	var b strings.Builder
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return b.String(), nil
		case c == '\\':
			if err := r.escape(&b); err != nil {
				return "", err
			}
		case c < ' ':
			return "", r.fail("a character of a string")
		default:
			char, size := utf8.DecodeRuneInString(r.text[r.at:])
			if char == utf8.RuneError && size == 1 {
				return "", r.fail("UTF-8")
			}
			b.WriteRune(char)
			r.at += size
		}
	}
	return "", r.fail("`\"`")
}

func (r *jsonReader) escape(b *strings.Builder) error {
	r.at++
	if r.at >= len(r.text) {
		return r.fail("an escape")
	}
	c := r.text[r.at]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		r.at++
		return nil
	}
	if c != 'u' {
		return r.fail("an escape")
	}
	char, ok := r.hex()
	if ok && utf16.IsSurrogate(char) {
		var low rune
		if ok = strings.HasPrefix(r.text[r.at:], `\u`); ok {
			r.at++
			low, ok = r.hex()
		}
		char = utf16.DecodeRune(char, low)
		ok = ok && char != utf8.RuneError
	}
	if !ok {
		return r.fail("four digits of a character")
	}
	b.WriteRune(char)
	return nil
}

// hex reads the four digits after the `u` that it stands at.
func (r *jsonReader) hex() (rune, bool) {
	if r.at+5 > len(r.text) {
		return 0, false
	}
	n := rune(0)
	for _, c := range []byte(r.text[r.at+1 : r.at+5]) {
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if i < 0 || c < '0' {
			return 0, false
		}
		n = n<<4 | rune(i)
	}
	r.at += 5
	return n, true
}

// compactJSON is a JSON text without the white space between its tokens.
func compactJSON(source string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case quoted && c == '\\':
			b.WriteByte(c)
			i++
			c = source[i]
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
