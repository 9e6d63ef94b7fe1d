package sqlquery

import (
	"unicode/utf16"
	"unicode/utf8"
)

// inner is what stands between the quotes of a JSON string; all of what is none.
func inner(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' {
		return quoted
	}
	return quoted[1 : len(quoted)-1]
}

// appendUnquoted appends what a JSON string says.
func appendUnquoted(dst, quoted []byte) []byte {
	text := inner(quoted)
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r := hex4(text, i+1)
			if i += 4; utf16.IsSurrogate(r) && i+2 < len(text) && text[i+1] == '\\' && text[i+2] == 'u' {
				r = utf16.DecodeRune(r, hex4(text, i+3))
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// hex4 is the four hexadecimal digits at i; U+FFFD when they are none.
func hex4(text []byte, i int) rune {
	if i+4 > len(text) {
		return utf8.RuneError
	}
	var r rune
	for _, c := range text[i : i+4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20-'a' < 6:
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}
