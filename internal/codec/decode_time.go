package codec

import (
	"math"
	"math/bits"
)

// time reads a Duration, an Instant or a Date.
func (d *Decoder) time(kind op, pos uint) (uint64, uint) {
	expected := [...]string{opDuration: `Duration such as "1h30m"`, opInstant: `Instant such as "2026-01-31T09:30:00Z"`, opDate: `Date such as "2026-01-31"`}[kind]
	pos = d.space(pos)
	if d.mem.u8(pos) != '"' {
		return d.fail(pos, expected)
	}
	text, end := d.string(pos)
	if end == 0 {
		return 0, 0
	}
	v, ok := parseTime(kind, d.mem.bytes(uint(text>>32), uint(uint32(text))))
	if !ok {
		return d.fail(pos, expected)
	}
	return v, end
}

func parseTime(kind op, text []byte) (uint64, bool) {
	switch kind {
	case opDuration:
		v, ok := parseDuration(text)
		return uint64(v), ok
	case opInstant:
		v, ok := parseInstant(text)
		return uint64(v), ok
	}
	days, ok := parseDate(text)
	return uint64(uint32(days)), ok
}

// unit is a unit of Durations.
type unit struct {
	name string
	ns   uint64
}

// units are from the largest to the smallest.
var units = [...]unit{
	{"d", 24 * 3600e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1},
}

// parseDuration reads "1h30m", "-50ms", "1.5s".
func parseDuration(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	var total uint64
	next := 0 // the units that may still come are units[next:]
	for len(b) > 0 {
		whole, n, ok := digits(b)
		if !ok || n == 0 {
			return 0, false
		}
		b = b[n:]
		var fraction uint64
		places := 0
		if len(b) > 0 && b[0] == '.' {
			if fraction, places, ok = digits(b[1:]); !ok || places == 0 || places > 18 {
				return 0, false
			}
			b = b[1+places:]
		}
		for next < len(units) && !isUnit(b, units[next].name) {
			next++
		}
		if next == len(units) {
			return 0, false
		}
		u := &units[next]
		b = b[len(u.name):]
		next++
		if places > 0 && len(b) > 0 {
			return 0, false
		}
		hi, part := bits.Mul64(whole, u.ns)
		sum, carry := bits.Add64(total, part, 0)
		rest, ok := scaleFraction(fraction, places, u.ns)
		if hi != 0 || carry != 0 || !ok {
			return 0, false
		}
		if total, carry = bits.Add64(sum, rest, 0); carry != 0 {
			return 0, false
		}
	}
	if negative {
		return int64(-total), total <= 1<<63
	}
	return int64(total), total <= math.MaxInt64
}

// isUnit reports whether b starts with the unit, and not with a longer one.
func isUnit(b []byte, name string) bool {
	return len(b) >= len(name) && string(b[:len(name)]) == name &&
		(len(b) == len(name) || b[len(name)]-'0' <= 9)
}

// scaleFraction is fraction × 10^-places × ns, if that is whole.
func scaleFraction(fraction uint64, places int, ns uint64) (uint64, bool) {
	for ; places > 0 && fraction%10 == 0; places-- {
		fraction /= 10
	}
	scale := uint64(1)
	for range places {
		scale *= 10
	}
	hi, lo := bits.Mul64(fraction, ns)
	if hi >= scale {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, scale)
	return q, r == 0
}

// digits reads the digits that b starts with; ok is false beyond 64 bits.
func digits(b []byte) (v uint64, n int, ok bool) {
	for n < len(b) && b[n]-'0' <= 9 {
		hi, lo := bits.Mul64(v, 10)
		sum, carry := bits.Add64(lo, uint64(b[n]-'0'), 0)
		if hi != 0 || carry != 0 {
			return 0, 0, false
		}
		v, n = sum, n+1
	}
	return v, n, true
}

const secondsPerDay = 24 * 3600

// parseInstant reads RFC 3339 with up to nine places of seconds. Leap seconds
// are refused: no instant here is one.
func parseInstant(b []byte) (int64, bool) {
	if len(b) < len("2026-01-31T09:30:00Z") || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	days, ok := parseDate(b[:10])
	hour, ok1 := twoDigits(b[11:], 23)
	minute, ok2 := twoDigits(b[14:], 59)
	second, ok3 := twoDigits(b[17:], 59)
	if !ok || !ok1 || !ok2 || !ok3 {
		return 0, false
	}
	seconds := int64(days)*secondsPerDay + int64(hour*3600+minute*60+second)
	b = b[19:]
	nanos := uint64(0)
	if b[0] == '.' {
		v, n, _ := digits(b[1:])
		if n == 0 || n > 9 {
			return 0, false
		}
		b = b[1+n:]
		for nanos = v; n < 9; n++ {
			nanos *= 10
		}
	}
	switch {
	case len(b) == 1 && b[0] == 'Z':
	case len(b) == 6 && (b[0] == '+' || b[0] == '-') && b[3] == ':':
		hour, ok1 := twoDigits(b[1:], 23)
		minute, ok2 := twoDigits(b[4:], 59)
		if !ok1 || !ok2 {
			return 0, false
		}
		if offset := int64(hour*3600 + minute*60); b[0] == '+' {
			seconds -= offset
		} else {
			seconds += offset
		}
	default:
		return 0, false
	}
	// 1e9 × seconds + nanos, in range if the bounds of whole seconds are kept
	// and the fraction does not go beyond the last one's.
	const last, lastNanos = math.MaxInt64 / 1_000_000_000, math.MaxInt64 % 1_000_000_000
	if seconds > last || seconds == last && nanos > lastNanos || seconds < -last-1 {
		return 0, false
	}
	if seconds == -last-1 {
		return (seconds+1)*1e9 + int64(nanos) - 1e9, int64(nanos)-1e9 >= math.MinInt64%1_000_000_000
	}
	return seconds*1e9 + int64(nanos), true
}

func floorDiv(a, b int64) (q, r int64) {
	if q, r = a/b, a%b; r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

// parseDate reads "2026-01-31" as days since 1970-01-01.
func parseDate(b []byte) (int32, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, ok1 := twoDigits(b, 99)
	year, ok2 := twoDigits(b[2:], 99)
	month, ok3 := twoDigits(b[5:], 12)
	day, ok4 := twoDigits(b[8:], 31)
	year += century * 100
	if !ok1 || !ok2 || !ok3 || !ok4 || month == 0 || day == 0 || day > daysIn(year, month) {
		return 0, false
	}
	return daysFromCivil(year, month, day), true
}

// twoDigits reads a number of two digits, at most most.
func twoDigits(b []byte, most int) (int, bool) {
	hi, lo := b[0]-'0', b[1]-'0'
	v := int(hi)*10 + int(lo)
	return v, hi <= 9 && lo <= 9 && v <= most
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil and civilFromDays are Hinnant's algorithms on the proleptic
// Gregorian calendar ("chrono-Compatible Low-Level Date Algorithms", 2013), with
// years that start in March.
func daysFromCivil(year, month, day int) int32 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	ofEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + day - 1
	return int32(era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468)
}

func civilFromDays(days int32) (year, month, day int) {
	era, ofEra64 := floorDiv(int64(days)+719468, 146097)
	ofEra := int(ofEra64)
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*ofYear + 2) / 153
	month = (shifted+2)%12 + 1
	year = yearOfEra + int(era)*400
	if month <= 2 {
		year++
	}
	return year, month, ofYear - (153*shifted+2)/5 + 1
}
