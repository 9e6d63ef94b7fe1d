package codec

import (
	"math"
	"strconv"
)

// AppendFloat appends the shortest text that reads back as the same float: plain
// from 1e-6 to 1e21, else with an exponent; a zero of either sign is "0". The
// float must be finite.
func AppendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	// A decimal of at most fifteen digits that reads as f is the shortest one,
	// since no two such decimals read as the same float.
	if thousandths := math.Round(abs * 1000); thousandths < 1e15 && thousandths/1000 == abs {
		if math.Signbit(f) && abs != 0 {
			dst = append(dst, '-')
		}
		return appendThousandths(dst, uint64(thousandths))
	}
	switch {
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 is e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendThousandths appends n/1000 without trailing zeros.
func appendThousandths(dst []byte, n uint64) []byte {
	dst = strconv.AppendUint(dst, n/1000, 10)
	rest := n % 1000
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', '0'+byte(rest/100), '0'+byte(rest/10%10), '0'+byte(rest%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// AppendDuration appends a Duration in nanoseconds as "1h30m"; zero is "0s".
func AppendDuration(dst []byte, ns int64) []byte {
	if ns == 0 {
		return append(dst, "0s"...)
	}
	rest := uint64(ns)
	if ns < 0 {
		dst = append(dst, '-')
		rest = -rest
	}
	for _, u := range units {
		if n := rest / u.ns; n > 0 {
			dst = strconv.AppendUint(dst, n, 10)
			dst = append(dst, u.name...)
			rest -= n * u.ns
		}
	}
	return dst
}

// AppendInstant appends an Instant, nanoseconds since the Unix epoch, in RFC
// 3339 and UTC, the seconds' fraction without trailing zeros.
func AppendInstant(dst []byte, ns int64) []byte {
	seconds, nanos := floorDiv(ns, 1e9)
	days, second := floorDiv(seconds, secondsPerDay)
	dst = AppendDate(dst, int32(days))
	dst = append(dst, 'T')
	dst = appendPadded(dst, uint64(second/3600), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, uint64(second/60%60), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, uint64(second%60), 2)
	if nanos > 0 {
		width := 9
		for ; nanos%10 == 0; nanos /= 10 {
			width--
		}
		dst = append(dst, '.')
		dst = appendPadded(dst, uint64(nanos), width)
	}
	return append(dst, 'Z')
}

// AppendDate appends a Date, days since 1970-01-01, as "2026-01-31". Years
// outside 0000 to 9999 have a sign; they have no JSON.
func AppendDate(dst []byte, days int32) []byte {
	year, month, day := civilFromDays(days)
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	width := 4
	for limit := 10_000; year >= limit; limit *= 10 {
		width++
	}
	dst = appendPadded(dst, uint64(year), width)
	dst = append(dst, '-')
	dst = appendPadded(dst, uint64(month), 2)
	dst = append(dst, '-')
	return appendPadded(dst, uint64(day), 2)
}

// appendPadded appends v in width digits.
func appendPadded(dst []byte, v uint64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at; i-- {
		dst[i] = '0' + byte(v%10)
		v /= 10
	}
	return dst
}
