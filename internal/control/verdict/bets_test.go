package verdict

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A bettor must not win on average, whatever share the future has and the past was, if the
// candidate is no worse. These tests take the expectation exactly, over all that can happen.

const slight = 1 + 1e-9 // of rounding

// TestNoWorseSameHost plays all courses of some events whose shares depend on the course so far, as
// a controller's may, and at each of which the candidate is at most as bad as the control. What is
// stopped when it reaches 1/α must be expected to be at most 1, and be there in at most α of all cases.
func TestNoWorseSameHost(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		const n = 7
		alpha := within(r, 0.02, 0.9)
		salt := r.Uint64()
		draw := func(course, which uint64) float64 { // between 0 and 1, of the course so far
			v := (course<<8 | which) ^ salt
			v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
			v = (v ^ v>>27) * 0x94d049bb133111eb
			return float64((v^v>>31)>>11) / (1 << 53)
		}
		expected, reached := 0.0, 0.0
		var play func(test *Test, depth int, course uint64, chance float64)
		play = func(test *Test, depth int, course uint64, chance float64) {
			if test.LogE() >= -math.Log(alpha) {
				reached += chance
				expected += chance * test.E()
				return
			}
			if depth == n {
				expected += chance * test.E()
				return
			}
			w := draw(course, 1)
			better := draw(course, 2) // how bad the candidate is beside the control
			q := w * better / (w*better + 1 - w)
			metric := []string{Error, Slow}[int(2*draw(course, 3))]
			for x, chance := range []float64{chance * (1 - q), chance * q} {
				next := test.Clone()
				if err := next.Add(metric, Stored(w), Pair{int64(x), int64(1 - x)}); err != nil {
					t.Fatal(err)
				}
				if draw(course, 4) < 0.2 {
					next.Stage()
				}
				play(next, depth+1, course<<1|uint64(x)|1<<20, chance)
			}
		}
		test, err := New(Options{Metrics: []string{Error, Slow}})
		if err != nil {
			t.Fatal(err)
		}
		play(test, 0, 1, 1)
		if expected > slight || reached > alpha*slight {
			t.Errorf("E is expected to be %v, at most 1; it reaches 1/α with %v, at most %v", expected, reached, alpha)
		}
	})
}

// expected is the exact expectation of what one bettor has after a window with measured shares: n and k
// requests, the candidate's bad with chance p·times, the control's with p.
func expected(t *testing.T, bettors func(*Metric) Logs, i int, n, k int64, p, times float64) float64 {
	expected := 0.0
	for x := range n + 1 {
		for y := range k + 1 {
			test, err := New(Options{Metrics: []string{Error}})
			if err != nil {
				t.Fatal(err)
			}
			if err := test.Add(Error, Measured(Pair{n, k}), Pair{x, y}); err != nil {
				t.Fatal(err)
			}
			expected += binomial(n, x, p*times) * binomial(k, y, p) * math.Exp(bettors(&test.Metrics[0])[i])
		}
	}
	return expected
}

func binomial(n, x int64, p float64) float64 {
	c := 1.0
	for i := range x {
		c *= float64(n-i) / float64(i+1)
	}
	return c * math.Pow(p, float64(x)) * math.Pow(1-p, float64(n-x))
}

// TestNoWorseHosts does that for windows of the fallback design, for each rate, on hosts up to 1.2 times worse.
func TestNoWorseHosts(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		n, k := r.Int64N(7), r.Int64N(10)
		times := within(r, 0, Slack)
		p := within(r, 0, 1/Slack)
		i := r.IntN(len(defaultRates))
		if got := expected(t, func(m *Metric) Logs { return m.For }, i, n, k, p, times); got > slight {
			t.Errorf("the bettor on %v is expected to have %v", defaultRates[i], got)
		}
	})
}

// TestTooBadHosts does it for those who would pass a candidate that is 1.5 times worse, or more, on
// hosts that may be 1.2 times better.
func TestTooBadHosts(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		n, k := r.Int64N(7), r.Int64N(10)
		times := within(r, 1.5/Slack, 3)
		p := within(r, 0, 1/times)
		i := r.IntN(len(better))
		if got := expected(t, func(m *Metric) Logs { return m.Against }, i, n, k, p, times); got > slight {
			t.Errorf("the bettor on %v is expected to have %v", better[i], got)
		}
	})
}

// TestWorseHosts shows that the null is no wider than it says: on a host beyond it one who bets wins.
func TestWorseHosts(t *testing.T) {
	if got := expected(t, func(m *Metric) Logs { return m.For }, 0, 5, 5, 0.01, 1.5); got <= 1 {
		t.Errorf("on a host that is 1.5 times worse the bettor is expected to have %v", got)
	}
}

// TestOrder adds the same events in one window, one by one, and the other way round.
func TestOrder(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		x, y := r.Int64N(31), r.Int64N(31)
		share := Stored(within(r, 0, 1))
		var tests [3]*Test
		for i := range tests {
			var err error
			if tests[i], err = New(Options{}); err != nil {
				t.Fatal(err)
			}
		}
		events := func(test *Test, one Pair, n int64) {
			for range n {
				if err := test.Add(Error, share, one); err != nil {
					t.Fatal(err)
				}
			}
		}
		events(tests[0], Pair{x, y}, 1)
		events(tests[1], Pair{1, 0}, x)
		events(tests[1], Pair{0, 1}, y)
		events(tests[2], Pair{0, 1}, y)
		events(tests[2], Pair{1, 0}, x)
		for _, test := range tests[1:] {
			if d := test.LogE() - tests[0].LogE(); math.Abs(d) > 1e-9 {
				t.Errorf("log E differs by %v", d)
			}
		}
	})
}

func TestStage(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		test, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range r.IntN(20) {
			window(t, r, test)
		}
		before, copied := test.LogE(), test.Clone()
		test.Stage()
		if d := test.LogE() - before; math.Abs(d) > 1e-9*max(1, math.Abs(before)) {
			t.Errorf("log E was %v, and is %v after a stage began", before, test.LogE())
		}
		if copied.LogE() != before {
			t.Errorf("a copy changed with the test")
		}
	})
}

// TestOneWindowDecidesNothing: between hosts, whatever happens in one window and however many parts
// it has, a bettor's money grows tenfold at most; in some windows it is shown all the same. On one
// host there is no such bound.
func TestOneWindowDecidesNothing(t *testing.T) {
	hosts := Measured(Pair{100, 900})
	for _, parts := range [][]Part{
		{{hosts, Pair{100, 0}}},
		{{hosts, Pair{100, 0}}, {hosts, Pair{50, 1}}, {Measured(Pair{3, 900}), Pair{3, 0}}},
	} {
		test := newTest(t, Options{Metrics: []string{Error}})
		windows := 0
		for ; test.Decision() != Abort; windows++ {
			before := test.LogE()
			if err := test.AddParts(Error, parts...); err != nil {
				t.Fatal(err)
			}
			if grown := test.LogE() - before; grown > math.Log(10)+1e-9 {
				t.Errorf("E grew by %v in a window", math.Exp(grown))
			}
		}
		if windows < 3 || windows > 5 {
			t.Errorf("it took %d windows", windows)
		}
	}
	test := newTest(t, Options{Metrics: []string{Error}})
	if add(t, test, Error, Stored(0.1), 100, 0); test.Decision() != Abort {
		t.Errorf("on one host: %s", test.Verdict())
	}
}
