package stdlib_test

import (
	"math"
	"testing"

	"towpath.dev/internal/lang/interp"
)

// TestPowersAgainstGo allows for what the doc comments do.
func TestPowersAgainstGo(t *testing.T) {
	p := newProbe(t)
	run := func(name string, args ...interp.Value) interp.Value {
		v, err := interp.New(p.program, interp.Options{}).Run(p.funcs[name], args)
		if err != nil {
			t.Fatalf("%s(%v): %v", name, args, err)
		}
		return v
	}
	// Go's own stumble at the ends of the range on some machines.
	exp := func(x float64) float64 {
		if x > 709 && x < 710 {
			return math.Exp(x-1) * math.E
		}
		return math.Exp(x)
	}
	log := func(x float64) float64 {
		if x > 0 && x < 0x1p-1022 {
			return math.Log(x*0x1p100) - 100*math.Ln2
		}
		return math.Log(x)
	}
	near := func(got interp.Value, want, relative float64) bool {
		g := got.(float64)
		switch {
		case math.IsNaN(want) || math.IsInf(want, 0) || want == 0:
			return g == want || math.IsNaN(g) && math.IsNaN(want)
		case math.Abs(want) < 0x1p-1022:
			return math.Abs(g-want) <= 0x1p-1073+relative*math.Abs(want)
		}
		return math.Abs(g-want) <= relative*math.Abs(want)
	}
	special := []float64{
		0, 1, -1, 0.5, 2, -2, 3, -0.5, 1e-320, 5e-324, 1e308, math.MaxFloat64, -745, 709.7, 710, 1023, 1024, 1025, -1074, 1e18,
		math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, 0x1p-1022, math.Sqrt2, math.E,
	}
	for _, x := range special {
		for _, y := range special {
			if got, want := run("power", x, y), math.Pow(x, y); !near(got, want, 1e-12) {
				t.Errorf("pow(%g, %g) = %v, want %g", x, y, got, want)
			}
		}
	}
	for i := range 500 {
		x := (p.rand.Float64() - 0.5) * 1500
		if i%2 == 0 {
			x = math.Exp((p.rand.Float64() - 0.5) * 1400)
		}
		if i < len(special) {
			x = special[i]
		}
		got := run("expLog", x).(interp.Tuple)
		if want := exp(x); !near(got[0], want, 0x1p-51) {
			t.Errorf("exp(%g) = %v, want %g", x, got[0], want)
		}
		if want := log(x); !near(got[1], want, 0x1p-51) {
			t.Errorf("log(%g) = %v, want %g", x, got[1], want)
		}
		base, exponent := math.Exp((p.rand.Float64()-0.5)*20), (p.rand.Float64()-0.5)*60
		if got, want := run("power", base, exponent), math.Pow(base, exponent); !near(got, want, 1e-12) {
			t.Errorf("pow(%g, %g) = %v, want %g", base, exponent, got, want)
		}
	}
}
