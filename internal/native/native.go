// Package native holds the standard library's functions that are written in Go.
//
// Every machine that runs Tow calls these, so that they agree bit for bit: the
// interpreter with Go values, the engine with what it read from a region. They
// are pure, and depend on no file, no locale and no variable of the
// environment. What each means in Tow, and what it costs, stands in the
// standard library's INTRINSICS.md.
//
//	bits := native.RandomBits(seed, "checkout", 0)
//	offset, ok := native.ZoneOffset(now, "Europe/Berlin") // 3600
package native

import "strings"

// ToUpper maps each character to upper case by Unicode's simple mapping.
func ToUpper(text string) string { return strings.ToUpper(text) }

// ToLower maps each character to lower case by Unicode's simple mapping.
func ToLower(text string) string { return strings.ToLower(text) }

// Find is the first byte offset at or after from at which part stands, or -1.
// from is clamped to the text.
func Find(text, part string, from int64) int64 {
	from = max(0, min(from, int64(len(text))))
	i := strings.Index(text[from:], part)
	if i < 0 {
		return -1
	}
	return from + int64(i)
}
