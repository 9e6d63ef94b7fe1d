package codec

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"towpath.dev/internal/abi"
)

// string reads a string. Without escapes it stays where it lies.
func (d *Decoder) string(pos uint) (uint64, uint) {
	m := d.mem
	if m.u8(pos) != '"' {
		if pos = d.space(pos); m.u8(pos) != '"' {
			return d.fail(pos, "String")
		}
	}
	start := pos + 1
	p := start
	var high uint64
	for {
		w := m.u64(p)
		if s := stops(w); s != 0 {
			n := uint(bits.TrailingZeros64(s)) >> 3
			high |= w & (1<<(8*n) - 1)
			p += n
			break
		}
		high |= w
		p += 8
	}
	if m.u8(p) != '"' || high&highs != 0 {
		return d.stringSlow(start, p)
	}
	return uint64(start)<<32 | uint64(p-start), p + 1
}

// stringSlow reads on at p a string from start on, in which something else
// than plain ASCII was seen.
func (d *Decoder) stringSlow(start, p uint) (uint64, uint) {
	m := d.mem
	escaped := false
	for {
		w := m.u64(p)
		s := stops(w)
		if s == 0 {
			p += 8
			continue
		}
		p += uint(bits.TrailingZeros64(s)) >> 3
		switch c := m.u8(p); {
		case c == '"':
			if at := invalidUTF8(m.bytes(start, p-start)); at >= 0 {
				return d.failAs(start+uint(at), "UTF-8", "another byte in a string")
			}
			if escaped {
				return d.unescape(start, p)
			}
			return uint64(start)<<32 | uint64(p-start), p + 1
		case c == '\\':
			escaped = true
			p += 2 // the sentinel is a stop, even as the character escaped
			if p > d.end {
				return d.fail(d.end, "the string's end")
			}
		case p == d.end:
			return d.fail(p, "the string's end")
		default:
			return d.failAs(p, "a character or an escape in a string", d.found(p))
		}
	}
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

// unescape copies the string from start to its quote at end onto the heap,
// with its escapes replaced.
func (d *Decoder) unescape(start, end uint) (uint64, uint) {
	raw := d.mem.bytes(start, end-start)
	to := d.alloc(abi.Align(uint32(len(raw)), 8))
	if to == 0 {
		return 0, 0
	}
	out := d.mem.bytes(to, uint(len(raw)))[:0]
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		r, n := escape(raw[i:])
		if n == 0 {
			return d.failAs(start+uint(i), "an escape", escapeFound(raw[i:]))
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	d.heap = abi.Align(uint32(to)+uint32(len(out)), 8)
	return uint64(to)<<32 | uint64(len(out)), end + 1
}

func escapeFound(raw []byte) string {
	if len(raw) >= 6 && raw[1] == 'u' {
		if _, ok := hex4(raw[2:]); ok {
			return "the lone surrogate " + string(raw[:6])
		}
	}
	return "`" + string(raw[:min(2, len(raw))]) + "`"
}

// escape reads the escape that raw starts with; n is its length, 0 when it is
// none or half a pair of surrogates.
func escape(raw []byte) (r rune, n int) {
	if len(raw) < 2 {
		return 0, 0
	}
	switch raw[1] {
	case '"', '\\', '/':
		return rune(raw[1]), 2
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
		r, ok := hex4(raw[2:])
		switch {
		case !ok:
			return 0, 0
		case !utf16.IsSurrogate(r):
			return r, 6
		}
		if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
			if low, ok := hex4(raw[8:]); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, 12
				}
			}
		}
	}
	return 0, 0
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

// json reads any value, as its text without white space.
func (d *Decoder) json(pos uint) (uint64, uint) {
	start := d.space(pos)
	d.spaced = false
	end := d.skip(start)
	if end == 0 {
		return 0, 0
	}
	if !d.spaced {
		return uint64(start)<<32 | uint64(end-start), end
	}
	raw := d.mem.bytes(start, end-start)
	to := d.alloc(abi.Align(uint32(len(raw)), 8))
	if to == 0 {
		return 0, 0
	}
	out := minify(d.mem.bytes(to, uint(len(raw)))[:0], raw)
	d.heap = abi.Align(uint32(to)+uint32(len(out)), 8)
	return uint64(to)<<32 | uint64(len(out)), end
}

// minify appends valid JSON without its white space.
func minify(out, raw []byte) []byte {
	inString := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString:
			if c == '\\' {
				out = append(out, c)
				i++
				c = raw[i]
			} else if c == '"' {
				inString = false
			}
		case c <= ' ':
			continue
		case c == '"':
			inString = true
		}
		out = append(out, c)
	}
	return out
}

// skip checks any value and gives the position after it.
func (d *Decoder) skip(pos uint) uint {
	m := d.mem
	pos = d.spaceSeen(pos)
	switch c := m.u8(pos); {
	case c == '"':
		return d.skipString(pos)
	case c == '{' || c == '[':
		if !d.enter(pos) {
			return 0
		}
		pos = d.skipElements(pos, c)
		d.depth++
		return pos
	case c == '-' || '0' <= c && c <= '9':
		end, _ := d.number(pos)
		return end
	case m.u32(pos) == null4, m.u32(pos) == 'e'<<24|'u'<<16|'r'<<8|'t':
		return pos + 4
	case m.u32(pos) == 's'<<24|'l'<<16|'a'<<8|'f' && m.u8(pos+4) == 'e':
		return pos + 5
	}
	return d.failPos(pos, "a value")
}

// skipElements checks what is between the brackets that open at pos.
func (d *Decoder) skipElements(pos uint, open byte) uint {
	m := d.mem
	if pos = d.spaceSeen(pos + 1); m.u8(pos) == open+2 { // `[` and `]`, `{` and `}`
		return pos + 1
	}
	for {
		if open == '{' {
			if pos = d.spaceSeen(pos); m.u8(pos) != '"' {
				return d.failPos(pos, "a member's name")
			}
			if pos = d.skipString(pos); pos == 0 {
				return 0
			}
			if pos = d.spaceSeen(pos); m.u8(pos) != ':' {
				return d.failPos(pos, "`:`")
			}
			pos++
		}
		if pos = d.skip(pos); pos == 0 {
			return 0
		}
		switch pos = d.spaceSeen(pos); m.u8(pos) {
		case ',':
			pos++
		case open + 2:
			return pos + 1
		default:
			if open == '{' {
				return d.failPos(pos, "`,` or `}`")
			}
			return d.failPos(pos, "`,` or `]`")
		}
	}
}

// spaceSeen is space that remembers whether there was any.
func (d *Decoder) spaceSeen(pos uint) uint {
	end := d.space(pos)
	d.spaced = d.spaced || end != pos
	return end
}

// skipString checks a string, from its quote on, without taking memory for it.
func (d *Decoder) skipString(pos uint) uint {
	m := d.mem
	for p := pos + 1; ; {
		s := stops(m.u64(p))
		if s == 0 {
			p += 8
			continue
		}
		p += uint(bits.TrailingZeros64(s)) >> 3
		switch c := m.u8(p); {
		case c == '"':
			if at := invalidUTF8(m.bytes(pos+1, p-pos-1)); at >= 0 {
				d.failAs(pos+1+uint(at), "UTF-8", "another byte in a string")
				return 0
			}
			return p + 1
		case c == '\\':
			raw := m.bytes(p, min(d.end-p, 12))
			_, n := escape(raw)
			if n == 0 {
				d.failAs(p, "an escape", escapeFound(raw))
				return 0
			}
			p += uint(n)
		case p == d.end:
			return d.failPos(p, "the string's end")
		default:
			d.failAs(p, "a character or an escape in a string", d.found(p))
			return 0
		}
	}
}
