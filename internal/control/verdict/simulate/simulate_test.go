package simulate

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSimulation plays few deployments: what chance cannot explain fails.
func TestSimulation(t *testing.T) {
	o := Options{Seed: rand.Uint64(), Deployments: 400}
	if testing.Short() {
		o.Deployments = 100
	}
	report, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", report)
	for _, row := range report.Missed() {
		if row.Group == powerGroup { // medians of few are anywhere
			continue
		}
		t.Errorf("%s, %s: %s; the bar is %s", row.Group, row.Name, row.Value, row.Bar)
	}
}

// TestSeed has the same come of a seed, however many are played at once.
func TestSeed(t *testing.T) {
	one, two := &sim{Options: Options{Seed: 7, Deployments: 100, Parallel: 1}}, &sim{Options: Options{Seed: 7, Deployments: 100, Parallel: 3}}
	one.power()
	two.power()
	if !reflect.DeepEqual(one.rows, two.rows) {
		t.Errorf("one at a time: %v\nthree at once: %v", one.rows, two.rows)
	}
}

func TestDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 200_000
	for _, mean := range []float64{0.1, 3, 80} {
		sum, squares := 0.0, 0.0
		for range n {
			v := float64(poisson(rng, mean))
			sum, squares = sum+v, squares+v*v
		}
		got := sum / n
		if variance := squares/n - got*got; math.Abs(got/mean-1) > 0.03 || math.Abs(variance/mean-1) > 0.03 {
			t.Errorf("numbers whose mean and variance is %v have %v and %v", mean, got, variance)
		}
	}
	sum := int64(0)
	for range n {
		sum += binomial(rng, 10, 0.3)
	}
	if got := float64(sum) / n; math.Abs(got-3) > 0.02 {
		t.Errorf("of 10 with chance 0.3 there are %v, want 3", got)
	}
	yes := 0
	for i := range n {
		if assigned(uint64(i), 0.1) {
			yes++
		}
	}
	if got := float64(yes) / n; math.Abs(got-0.1) > 0.003 {
		t.Errorf("a share of 0.1 is %v", got)
	}
}
