package verdict

import "math"

// Bettors against "the candidate's rate of bad answers is what is tolerated, or more" say by
// what part of that it is less. Half of what they have is on none at all, so that a candidate
// without a bad answer passes after 4 requests for each one that would be tolerated.
var (
	fewer       = []float64{0, 0.25, 0.5}
	fewerWeight = []float64{0.5, 0.25, 0.25}
)

// logRate is the logarithm of what they have after n requests, x of which were bad, if tolerated is
// the rate that they bet against. It depends on nothing that came in between.
func logRate(n, x, tolerated float64) float64 {
	have := make([]float64, 0, len(fewer))
	for i, part := range fewer {
		if part == 0 && x > 0 {
			continue // it said none, and has nothing left
		}
		l := math.Log(fewerWeight[i]) + (n-x)*(math.Log1p(-part*tolerated)-math.Log1p(-tolerated))
		if x > 0 {
			l += x * math.Log(part)
		}
		have = append(have, l)
	}
	return logMean(have) + math.Log(float64(len(have)))
}

// Bound is the upper bound, of confidence 1 − beta, of the chance of a bad one if x of n were:
// Clopper and Pearson's, exact for an n that was stated beforehand. If none was, it is
// 1 − beta^(1/n), about 3/n for 0.05, and holds at every look. Of nothing it is 1.
func Bound(n, x int64, beta float64) float64 {
	switch {
	case n <= 0 || x >= n:
		return 1
	case x <= 0:
		return -math.Expm1(math.Log(beta) / float64(n))
	}
	// The rate at which so few would be seen with probability beta.
	low, high := float64(x)/float64(n), 1.0
	for range 60 {
		p := (low + high) / 2
		if atMost(n, x, p) > beta {
			low = p
		} else {
			high = p
		}
	}
	return high
}

// atMost is the chance of x or fewer of n, each with chance p: the regularised incomplete beta
// function I(1−p; n−x, x+1).
func atMost(n, x int64, p float64) float64 {
	return incompleteBeta(1-p, float64(n-x), float64(x+1))
}

// incompleteBeta is the regularised incomplete beta function, by Lentz's method for its continued
// fraction (NIST, Digital Library of Mathematical Functions, 8.17.22).
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) { // the fraction converges quickly below
		return 1 - incompleteBeta(1-x, b, a)
	}
	whole, _ := math.Lgamma(a + b)
	first, _ := math.Lgamma(a)
	second, _ := math.Lgamma(b)
	front := math.Exp(whole-first-second+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 100_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		f *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		f *= d * c
		if math.Abs(d*c-1) < 1e-14 {
			break
		}
	}
	return front * f
}
