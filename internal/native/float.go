package native

import "strconv"

// IsFloat reports whether the text is a number as JSON writes it, and rounds
// to a finite float.
func IsFloat(text string) bool {
	_, ok := ReadFloat(text)
	return ok
}

// ReadFloat is the float nearest to the number, ties to even. It reports false
// where IsFloat does.
func ReadFloat(text string) (float64, bool) {
	if end := numberEnd(text, 0); end < 0 || end < len(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64) // its error can only be the range
	return f, err == nil
}

// numberEnd is the offset after the number, in JSON's syntax, that starts at
// from, or -1.
func numberEnd(text string, from int) int {
	i := from
	if i < len(text) && text[i] == '-' {
		i++
	}
	first := i
	i = digitsEnd(text, i)
	if i < 0 || text[first] == '0' && i > first+1 {
		return -1
	}
	if i < len(text) && text[i] == '.' {
		if i = digitsEnd(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digitsEnd(text, i)
	}
	return i
}

// digitsEnd is the offset after the digits that start at from, or -1 when
// there are none.
func digitsEnd(text string, from int) int {
	i := from
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}
