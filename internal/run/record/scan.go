package record

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"towpath.dev/internal/codec"
)

// space goes to the next token and gives its first byte, 0 at the end.
func (w *walker) space() byte {
	for ; w.pos < len(w.src); w.pos++ {
		switch c := w.src[w.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// array goes over an array; elem goes over an element, and may write nothing of it.
func (w *walker) array(elem func() bool) bool { return w.container('[', ']', elem, nil) }

// object goes over an object; member goes over a member's value, and writes it with
// its name, or nothing of it. The name is as JSON escapes it.
func (w *walker) object(member func(name []byte) bool) bool { return w.objectAnd(member, nil) }

// objectAnd is object that writes more members behind the last.
func (w *walker) objectAnd(member func(name []byte) bool, more func()) bool {
	return w.container('{', '}', func() bool {
		if w.space() != '"' {
			return false
		}
		name, ok := w.text()
		if !ok || w.space() != ':' {
			return false
		}
		w.pos++
		return member(name)
	}, more)
}

func (w *walker) container(open, end byte, part func() bool, more func()) bool {
	w.pos++ // open, which whoever calls has seen
	if w.depth++; w.depth > codec.MaxDepth {
		return false
	}
	w.out = append(w.out, open)
	begin := len(w.out)
	for isEmpty := w.space() == end; !isEmpty; {
		before := len(w.out)
		if before > begin {
			w.out = append(w.out, ',')
		}
		start := len(w.out)
		if !part() {
			return false
		}
		if len(w.out) == start {
			w.out = w.out[:before]
		}
		c := w.space()
		if c == end {
			break
		}
		if c != ',' {
			return false
		}
		w.pos++
	}
	w.pos++
	if more != nil {
		more()
	}
	w.depth--
	w.out = append(w.out, end)
	return true
}

// literal goes over true, false or null.
func (w *walker) literal(private bool) bool {
	for _, l := range [...]string{"null", "true", "false"} {
		if !bytes.HasPrefix(w.src[min(w.pos, len(w.src)):], []byte(l)) {
			continue
		}
		w.pos += len(l)
		if private && l != "null" {
			w.hidden++
			l = "false"
		}
		return w.put(l)
	}
	return false
}

func isNumber(c byte) bool { return c == '-' || isDigit(c) }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// number goes over a number.
func (w *walker) number() ([]byte, bool) {
	start := w.pos
	if w.at() == '-' {
		w.pos++
	}
	if w.at() == '0' {
		w.pos++
	} else if !w.digits() {
		return nil, false
	}
	if w.at() == '.' {
		if w.pos++; !w.digits() {
			return nil, false
		}
	}
	if c := w.at(); c == 'e' || c == 'E' {
		w.pos++
		if c := w.at(); c == '+' || c == '-' {
			w.pos++
		}
		if !w.digits() {
			return nil, false
		}
	}
	return w.src[start:w.pos], true
}

func (w *walker) at() byte {
	if w.pos < len(w.src) {
		return w.src[w.pos]
	}
	return 0
}

func (w *walker) digits() bool {
	start := w.pos
	for isDigit(w.at()) {
		w.pos++
	}
	return w.pos > start
}

// text goes over a text and gives what stands between its quotes, with only those
// characters escaped that must be.
func (w *walker) text() ([]byte, bool) {
	start := w.pos + 1
	escaped := false
	for w.pos++; w.pos < len(w.src); w.pos++ {
		switch c := w.src[w.pos]; {
		case c == '"':
			text := w.src[start:w.pos]
			w.pos++
			if !utf8.Valid(text) {
				return nil, false
			}
			if escaped {
				return plain(text)
			}
			return text, true
		case c == '\\':
			escaped = true
			w.pos++
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// plain rewrites a text that has escapes.
func plain(text []byte) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++ // a backslash is never the last, or it would escape the quote
		if text[i] != 'u' {
			c, ok := unescape(text[i])
			if !ok {
				return nil, false
			}
			out = codec.AppendEscaped(out, string(c))
			continue
		}
		r, ok := hex4(text[i+1:])
		if !ok {
			return nil, false
		}
		i += 4
		if utf16.IsSurrogate(r) {
			if len(text) < i+3 || text[i+1] != '\\' || text[i+2] != 'u' {
				return nil, false
			}
			low, ok := hex4(text[i+3:])
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return nil, false
			}
			i += 6
		}
		out = codec.AppendEscaped(out, string(r))
	}
	return out, true
}

func unescape(c byte) (rune, bool) {
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

func hex4(text []byte) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range text[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func mustEscape(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

// tag is the text of the member "type" of the object that begins here, which is
// then gone over again; nil when it has none.
func (w *walker) tag() (tag []byte, ok bool) {
	pos, depth, out, spans := w.pos, w.depth, len(w.out), len(w.spans)
	ok = w.object(func(name []byte) bool {
		if string(name) != "type" || tag != nil || w.space() != '"' {
			return w.any(false)
		}
		var ok bool
		tag, ok = w.text()
		return ok
	})
	w.retract(out, spans)
	w.pos, w.depth = pos, depth
	return tag, ok
}
