package sqlquery

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// class is what kind of value a database gives, and how it is written.
type class uint8

const (
	textual  class = iota // as it is
	integer               // digits
	numeric               // digits with a point, exact; or NaN, Infinity
	floating              // the shortest digits, perhaps with an exponent; or NaN, Infinity
	boolean               // t or f
	jsonText              // JSON that the database has checked
	date                  // big-endian days since 2000-01-01, 4 bytes
	instant               // big-endian microseconds since 2000-01-01, 8 bytes
	interval              // big-endian microseconds, days and months, 16 bytes
	blob                  // bytes
)

var classNames = [...]string{"a text", "a whole number", "a number", "a number", "true or false", "JSON", "a date", "an instant", "an interval", "bytes"}

// The epochs of PostgreSQL, 2000-01-01, from that of Unix.
const (
	epochDays   = 10957
	epochMicros = epochDays * 24 * 3600 * 1_000_000
)

// appendCell appends a value as the JSON of a field. dst is returned as it was
// with the error.
func appendCell(dst []byte, f *field, c class, v []byte) ([]byte, error) {
	switch f.kind {
	case abi.Bool:
		switch {
		case c == boolean && v[0] == 't', c == integer && string(v) == "1":
			return append(dst, "true"...), nil
		case c == boolean, c == integer && string(v) == "0":
			return append(dst, "false"...), nil
		}
	case abi.Int:
		if c == integer || (c == numeric || c == floating) && whole(v) {
			return append(dst, v...), nil
		}
	case abi.Float:
		if c == integer || (c == numeric || c == floating) && finite(v) {
			return append(dst, v...), nil
		}
	case abi.Decimal:
		if c == integer || c == textual || (c == numeric || c == floating) && finite(v) {
			return codec.AppendString(dst, v), nil
		}
	case abi.String, abi.Enum:
		return appendTextual(dst, f, c, v)
	case abi.Duration:
		switch c {
		case textual:
			return codec.AppendString(dst, v), nil
		case interval:
			return appendInterval(dst, f, v)
		}
	case abi.Instant:
		switch c {
		case textual:
			return appendTimestamp(dst, v), nil
		case instant:
			return appendInstant(dst, f, v)
		}
	case abi.Date:
		switch c {
		case textual:
			return codec.AppendString(dst, v), nil
		case date:
			return appendDate(dst, f, v)
		}
	default:
		return appendJSON(dst, f, c, v)
	}
	return dst, unfit(f, c, v)
}

// holds reports whether a value of a class can be one of a kind.
func holds(k abi.Kind, c class) bool {
	switch k {
	case abi.Bool:
		return c == boolean || c == integer
	case abi.Int, abi.Float:
		return c == integer || c == numeric || c == floating
	case abi.Decimal:
		return c == integer || c == numeric || c == floating || c == textual
	case abi.String, abi.Enum:
		return c != blob
	case abi.Duration:
		return c == interval || c == textual
	case abi.Instant:
		return c == instant || c == textual
	case abi.Date:
		return c == date || c == textual
	case abi.Json:
		return c == jsonText || c == textual || c == integer || c == numeric || c == floating || c == boolean
	}
	return c == jsonText || c == textual
}

// unfit says that a value is none of a field's type.
func unfit(f *field, c class, v []byte) error {
	found := classNames[c]
	switch c {
	case textual, integer, numeric, floating:
		found = fmt.Sprintf("%.60q", v)
	}
	hint := ""
	if f.kind == abi.Duration && (c == integer || c == numeric || c == floating) {
		hint = `; give an interval or a text with a unit, such as "90s"`
	}
	return fmt.Errorf("%s is %s; expected %s%s", f.place(), found, f.typ, hint)
}

func (f *field) place() string {
	if f.path == "" {
		return "the column"
	}
	return "`" + f.path + "`"
}

// finite reports whether a number's text is none of NaN and the infinities.
func finite(v []byte) bool {
	return len(v) > 0 && (isDigit(v[0]) || v[0] == '-' && len(v) > 1 && isDigit(v[1]))
}

// whole reports whether a number's text has neither a point nor an exponent.
func whole(v []byte) bool {
	for i, c := range v {
		if !isDigit(c) && (c != '-' || i > 0) {
			return false
		}
	}
	return finite(v)
}

func appendTextual(dst []byte, f *field, c class, v []byte) ([]byte, error) {
	switch c {
	case boolean:
		if v[0] == 't' {
			return append(dst, `"true"`...), nil
		}
		return append(dst, `"false"`...), nil
	case date:
		return appendDate(dst, f, v)
	case instant:
		return appendInstant(dst, f, v)
	case interval:
		return appendInterval(dst, f, v)
	case blob:
		return dst, unfit(f, c, v)
	}
	return codec.AppendString(dst, v), nil
}

// appendJSON appends the JSON of a Json, or of a type that fields cannot spell.
func appendJSON(dst []byte, f *field, c class, v []byte) ([]byte, error) {
	switch {
	case c == jsonText:
		return append(dst, v...), nil
	case c == textual:
		if !json.Valid(v) {
			return dst, fmt.Errorf("%s is %.60q, which is no JSON; expected the JSON of %s", f.place(), v, f.typ)
		}
		return append(dst, v...), nil
	case f.kind != abi.Json:
	case c == integer, (c == numeric || c == floating) && finite(v):
		return append(dst, v...), nil
	case c == boolean && v[0] == 't':
		return append(dst, "true"...), nil
	case c == boolean:
		return append(dst, "false"...), nil
	}
	return dst, unfit(f, c, v)
}

func appendDate(dst []byte, f *field, v []byte) ([]byte, error) {
	days := int64(int32(binary.BigEndian.Uint32(v)))
	if days == math.MaxInt32 || days == math.MinInt32 {
		return dst, infinite(f)
	}
	days += epochDays
	if days < -719528 || days > 2932896 { // 0000-01-01 to 9999-12-31
		return dst, fmt.Errorf("%s is a date beyond the years 0 to 9999, which %s has not", f.place(), f.typ)
	}
	return append(codec.AppendDate(append(dst, '"'), int32(days)), '"'), nil
}

func appendInstant(dst []byte, f *field, v []byte) ([]byte, error) {
	micros := int64(binary.BigEndian.Uint64(v))
	if micros == math.MaxInt64 || micros == math.MinInt64 {
		return dst, infinite(f)
	}
	const most = math.MaxInt64/1000 - 1
	if micros > most-epochMicros || micros < -most-epochMicros {
		return dst, fmt.Errorf("%s is an instant beyond the years 1678 to 2262, which %s has not", f.place(), f.typ)
	}
	return append(codec.AppendInstant(append(dst, '"'), (micros+epochMicros)*1000), '"'), nil
}

func infinite(f *field) error {
	return fmt.Errorf("%s is infinity or -infinity, which %s has not", f.place(), f.typ)
}

func appendInterval(dst []byte, f *field, v []byte) ([]byte, error) {
	micros := int64(binary.BigEndian.Uint64(v))
	days := int64(int32(binary.BigEndian.Uint32(v[8:])))
	if months := int32(binary.BigEndian.Uint32(v[12:])); months != 0 {
		return dst, fmt.Errorf("%s is an interval of %d months, whose length depends on the calendar; expected days, hours and less", f.place(), months)
	}
	total, ok := nanoseconds(days, micros)
	if !ok {
		return dst, fmt.Errorf("%s is an interval of %d days, longer than the 292 years that a Duration may have", f.place(), days)
	}
	return append(codec.AppendDuration(append(dst, '"'), total), '"'), nil
}

// nanoseconds adds days and microseconds up.
func nanoseconds(days, micros int64) (int64, bool) {
	// 2^31 days in microseconds fit 64 bits, their sum perhaps not.
	sum := days * 24 * 3600 * 1_000_000
	if total := sum + micros; (total > sum) == (micros > 0) {
		hi, lo := bits.Mul64(uint64(max(total, -total)), 1000)
		return total * 1000, hi == 0 && lo <= math.MaxInt64 && total != math.MinInt64
	}
	return 0, false
}

// appendTimestamp appends a text for an Instant. The form of SQLite's own
// functions, "2026-01-31 09:30:00" in UTC, becomes RFC 3339's.
func appendTimestamp(dst, v []byte) []byte {
	at := len(dst) + 1
	dst = codec.AppendString(dst, v)
	if len(v) < 19 || v[10] != ' ' || len(dst) != at+len(v)+1 {
		return dst
	}
	for _, c := range v[11:] {
		if !isDigit(c) && c != ':' && c != '.' {
			return dst
		}
	}
	dst[at+10] = 'T'
	return append(dst[:len(dst)-1], 'Z', '"')
}
