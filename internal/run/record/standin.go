package record

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/decimal"
)

// Stand-ins are of the type of what they stand for, and equal where that was
// equal, so that a replay compares, looks up and groups as the request did:
//
//	texts          "•••" and 13 letters and digits, a keyed hash; then as many • as
//	               bring it to 16, 32, 64 … characters, at most 1024, that the
//	               text had no more than. "" stays
//	numbers        a whole number from 100,000 to 999,999, by a keyed hash: none
//	               divides by zero or overflows. An amount keeps its currency
//	dates          one of the year 2000; instants one of that year, to the second
//	durations      from 100,000 to 999,999 seconds
//	true, false    false
//	alternatives   the simplest, see jsonschema.Example
//	Json           a text
//
// What a value is made of keeps its shape: null stays null, and lists, sets and
// maps keep their sizes, except where stand-ins of different elements are equal.

// class is a kind of stand-in. Values of one class that are the same have the same.
type class byte

const (
	classText     class = 's'
	classNumber   class = 'n'
	classDate     class = 'd'
	classInstant  class = 'i'
	classDuration class = 't'
)

// classOf is the class of a kind that has one token in JSON.
func classOf(k abi.Kind) (class, bool) {
	switch k {
	case abi.String:
		return classText, true
	case abi.Int, abi.Float, abi.Decimal, abi.Money:
		return classNumber, true
	case abi.Date:
		return classDate, true
	case abi.Instant:
		return classInstant, true
	case abi.Duration:
		return classDuration, true
	}
	return 0, false
}

// canonical is a value's one spelling, so that 1.0 and 1.00 are the same. What has
// none is as it is.
func canonical(c class, text []byte) string {
	switch c {
	case classNumber:
		if d, err := decimal.ParseBytes(text); err == nil {
			return d.String()
		}
		if f, err := strconv.ParseFloat(string(text), 64); err == nil && !math.IsInf(f, 0) {
			return string(codec.AppendFloat(nil, f))
		}
	case classInstant:
		if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
			return string(codec.AppendInstant(nil, t.UnixNano()))
		}
	}
	return string(text)
}

const (
	leastText = 16 // characters of a text's stand-in
	mostText  = 1024
	bullet    = "•"
)

var letters = base32.HexEncoding.WithPadding(base32.NoPadding)

// standIn is that of a value in its canonical spelling.
func (k *Key) standIn(c class, text string) string {
	h := k.hash(c, text)
	switch c {
	case classNumber:
		return strconv.FormatUint(100_000+h%900_000, 10)
	case classDate:
		return string(codec.AppendDate(nil, int32(day2000+h%366)))
	case classInstant:
		return string(codec.AppendInstant(nil, int64(day2000*86400+h%(366*86400))*1e9))
	case classDuration:
		return string(codec.AppendDuration(nil, int64(100_000+h%900_000)*1e9))
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(bullet, 3))
	b.WriteString(strings.ToLower(letters.EncodeToString(binary.BigEndian.AppendUint64(nil, h))))
	size := leastText
	for n := utf8.RuneCountInString(text); size < n && size < mostText; {
		size *= 2
	}
	b.WriteString(strings.Repeat(bullet, size-leastText))
	return b.String()
}

const day2000 = 10957 // days since 1970

// hash is a keyed hash of a value. The digest is cut to a quarter, so that what
// SHA-256 lets an onlooker append is of no use.
func (k *Key) hash(c class, text string) uint64 {
	b := make([]byte, 0, 256)
	b = append(append(b, k[:]...), byte(c))
	sum := sha256.Sum256(append(b, text...))
	return binary.BigEndian.Uint64(sum[:])
}

// A private value may be found again where nothing is marked: handed to an
// operation, said in an answer, put into a text. carried finds it there, if it is
// no value that turns up by chance: a text anywhere as a whole, and as a part from
// four bytes on; a number from five digits on; dates and instants.
type carried struct {
	key *Key
	// whole has stand-ins by class and canonical spelling. Texts are spelled as JSON
	// escapes them.
	whole [3]map[string]string // texts, numbers, dates and instants
	parts map[[4]byte][]part   // by their first bytes
	seen  [64]uint64           // a bit for the first bytes of each part
}

type part struct{ text, standIn string }

const (
	leastPart   = 4
	leastDigits = 5
)

func (c *carried) reset() {
	for i := range c.whole {
		clear(c.whole[i])
	}
	clear(c.parts)
	c.seen = [64]uint64{}
}

func (c *carried) empty() bool { return len(c.whole[0])+len(c.whole[1])+len(c.whole[2]) == 0 }

func tableOf(of class) int {
	switch of {
	case classText:
		return 0
	case classNumber:
		return 1
	}
	return 2
}

// hide gives the stand-in of a private value, and remembers the value.
func (c *carried) hide(of class, text string) string {
	if text == "" {
		return ""
	}
	if of == classDuration {
		return c.key.standIn(of, text)
	}
	table := &c.whole[tableOf(of)]
	if s, ok := (*table)[text]; ok {
		return s
	}
	s := c.key.standIn(of, text)
	if of == classNumber && digits(text) < leastDigits {
		return s
	}
	if *table == nil {
		*table = map[string]string{}
	}
	(*table)[text] = s
	if len(text) >= leastPart {
		if c.parts == nil {
			c.parts = map[[4]byte][]part{}
		}
		first := [4]byte([]byte(text[:4]))
		c.parts[first] = append(c.parts[first], part{text, s})
		at := bloom(first)
		c.seen[at/64] |= 1 << (at % 64)
	}
	return s
}

// digits counts those of a number that matter.
func digits(text string) int {
	n := 0
	for _, d := range []byte(text) {
		if d >= '1' && d <= '9' || d == '0' && n > 0 {
			n++
		}
	}
	return n
}

func bloom(first [4]byte) uint32 {
	return binary.LittleEndian.Uint32(first[:]) * 0x9E3779B1 >> 20 // 12 bits
}

// find gives the stand-in of a value that stands where nothing is marked.
func (c *carried) find(of class, text []byte) (string, bool) {
	table := c.whole[tableOf(of)]
	if len(table) == 0 {
		return "", false
	}
	if of == classText {
		s, ok := table[string(text)]
		return s, ok
	}
	s, ok := table[canonical(of, text)]
	return s, ok
}

// appendText appends a text, escaped as in JSON, with stand-ins for the private
// values that it holds.
func (c *carried) appendText(dst, text []byte) []byte {
	if s, ok := c.find(classText, text); ok {
		return append(dst, s...)
	}
	if len(c.parts) == 0 {
		return append(dst, text...)
	}
	from := 0
	for at := 0; at+leastPart <= len(text); {
		first := [4]byte(text[at:])
		if b := bloom(first); c.seen[b/64]&(1<<(b%64)) != 0 {
			if p := c.longest(c.parts[first], text[at:]); p != nil {
				dst = append(append(dst, text[from:at]...), p.standIn...)
				at += len(p.text)
				from = at
				continue
			}
		}
		at += escapeLen(text[at:])
	}
	return append(dst, text[from:]...)
}

// longest is the longest of parts that text begins with, or nil.
func (c *carried) longest(parts []part, text []byte) *part {
	var best *part
	for i := range parts {
		p := &parts[i]
		if len(p.text) <= len(text) && string(text[:len(p.text)]) == p.text && (best == nil || len(p.text) > len(best.text)) {
			best = p
		}
	}
	return best
}

// escapeLen is how far to go on in an escaped text so as not to stop in an escape.
func escapeLen(text []byte) int {
	switch {
	case text[0] != '\\' || len(text) < 2:
		return 1
	case text[1] == 'u':
		return min(6, len(text))
	}
	return 2
}
