package verdict

import (
	"math"
	"testing"
)

func TestBound(t *testing.T) {
	for _, c := range []struct {
		n, x       int64
		beta, want float64
	}{
		{0, 0, 0.05, 1},
		{10, 10, 0.05, 1},
		{10, 0, 0.05, 0.258866},     // 1 − 0.05^(1/10)
		{3000, 0, 0.05, 0.00099808}, // 3/N
		{10, 1, 0.05, 0.394163},
		{100, 5, 0.025, 0.112835},
		{20, 19, 0.05, 0.997439}, // 0.95^(1/20)
	} {
		if got := Bound(c.n, c.x, c.beta); math.Abs(got-c.want) > 1e-5*c.want {
			t.Errorf("Bound(%d, %d, %v) is %v, want %v", c.n, c.x, c.beta, got, c.want)
		}
	}
}

// TestBoundCovers adds up how often the bound is below the truth.
func TestBoundCovers(t *testing.T) {
	const n, beta = 40, 0.05
	for p := 0.005; p < 1; p += 0.0149 {
		wrong := 0.0
		for x := range int64(n + 1) {
			if Bound(n, x, beta) < p {
				wrong += binomial(n, x, p)
			}
		}
		if wrong > beta*slight {
			t.Errorf("at %v the bound is below it with chance %v", p, wrong)
		}
	}
}

// TestAtMost holds the beta function against a sum, where one can add up.
func TestAtMost(t *testing.T) {
	for _, n := range []int64{1, 2, 30, 200} {
		for _, p := range []float64{1e-6, 0.01, 0.3, 0.5, 0.9} {
			sum := 0.0
			for x := range n {
				sum += binomial(n, x, p)
				if got := atMost(n, x, p); math.Abs(got-sum) > 1e-9 {
					t.Errorf("the chance of at most %d of %d at %v is %v, want %v", x, n, p, got, sum)
				}
			}
		}
	}
	if b := Bound(1e9, 1e6, 0.05); !(b > 0.001 && b < 0.00101) {
		t.Errorf("the bound for 1e6 of 1e9 is %v", b)
	}
}

// TestRateHolds adds up how often a rate that is just not tolerated passes at some look.
func TestRateHolds(t *testing.T) {
	const looks = 3000
	for _, tolerated := range []float64{0.001, 0.01, 0.3} {
		for _, times := range []float64{1, 1.5} {
			alive := map[int64]float64{0: 1} // by how many were bad
			passed := 0.0
			for n := int64(1); n <= looks; n++ {
				next := map[int64]float64{}
				for x, chance := range alive {
					if chance < 1e-15 {
						continue
					}
					next[x] += chance * (1 - tolerated*times)
					next[x+1] += chance * tolerated * times
				}
				for x, chance := range next {
					if logRate(float64(n), float64(x), tolerated) >= math.Log(20) {
						passed += chance
						delete(next, x)
					}
				}
				alive = next
			}
			if passed > 0.05 {
				t.Errorf("a rate of %v passes with %v, at most 0.05", tolerated*times, passed)
			}
		}
	}
}
