package syntax

import (
	"math"
	"strings"
	"time"
)

// durationUnits are nanoseconds; see also unitOrder.
var durationUnits = map[string]int64{
	"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9,
}

// ParseDuration reads a duration literal such as `1h30m` and gives its
// nanoseconds, or says in why what is wrong with it.
func ParseDuration(text string) (ns int64, why string) {
	last := int64(math.MaxInt64)
	for i := 0; i < len(text); {
		n, begin := int64(0), i
		for ; i < len(text) && (isDigit(text[i]) || text[i] == '_'); i++ {
			if text[i] == '_' {
				continue
			}
			d := int64(text[i] - '0')
			if n > (math.MaxInt64-d)/10 {
				return 0, "this duration is longer than a Duration can be"
			}
			n = n*10 + d
		}
		if digits := text[begin:i]; digits == "" || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") {
			return 0, "this duration is malformed"
		}
		begin = i
		for i < len(text) && !isDigit(text[i]) {
			i++
		}
		unit, ok := durationUnits[text[begin:i]]
		switch {
		case !ok:
			return 0, "this duration has an unknown unit"
		case unit >= last:
			return 0, "the units of a duration go from large to small"
		case n > (math.MaxInt64-ns)/unit:
			return 0, "this duration is longer than a Duration can be"
		}
		ns, last = ns+n*unit, unit
	}
	return ns, ""
}

// ParseInstant reads an instant literal, RFC 3339 in UTC, and gives the
// nanoseconds since the Unix epoch, or says in why what is wrong with it.
func ParseInstant(text string) (ns int64, why string) {
	if !strings.HasSuffix(text, "Z") {
		return 0, "an instant is written in UTC and ends with `Z`"
	}
	if len(text) > 20 && len(text) > 20+10 {
		return 0, "an instant has at most nine digits of a second"
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, "this instant is malformed"
	}
	if y := t.Year(); y < 1678 || y > 2261 {
		return 0, "an Instant lies in the years 1678 to 2261"
	}
	return t.UnixNano(), ""
}

// ParseDate reads a date literal and gives the days since the Unix epoch.
func ParseDate(text string) (days int32, ok bool) {
	t, err := time.Parse("2006-01-02", text)
	if err != nil {
		return 0, false
	}
	return int32(t.Unix() / 86400), true
}
