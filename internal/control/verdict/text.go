package verdict

import (
	"math"
	"strconv"
)

// count writes a number with commas between thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short writes evidence, which is never rounded up.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v, 'e', 0, 64)
	case v >= 10:
		return strconv.FormatInt(int64(v), 10)
	case v >= 0.1:
		return strconv.FormatFloat(math.Floor(v*10)/10, 'f', 1, 64)
	case v > 0:
		return "<0.1"
	}
	return "0"
}
