package opt

import (
	"math"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/ir/irtest"
)

// TestPassOrder checks that every pass stands behind those that it needs.
func TestPassOrder(t *testing.T) {
	ran := map[string]bool{}
	for _, p := range passes {
		for _, name := range p.after {
			if !ran[name] {
				t.Errorf("%s must stand behind %s", p.name, name)
			}
		}
		if p.again && !ran[p.name] {
			t.Errorf("%s runs again before it ran", p.name)
		}
		ran[p.name] = true
	}
}

// TestPassesKeepMeaning runs random modules before and after optimising.
func TestPassesKeepMeaning(t *testing.T) {
	for seed := range uint64(400) {
		compare(t, seed)
		if t.Failed() {
			return
		}
	}
}

func FuzzPassesKeepMeaning(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(compare)
}

func compare(t *testing.T, seed uint64) {
	plain, better := irtest.Random(seed), irtest.Random(seed)
	if err := ir.Verify(plain); err != nil {
		t.Fatalf("seed %d: the module is not well made: %v", seed, err)
	}
	if !optimise(t, seed, better) {
		return
	}
	inputs := [][]uint64{
		{0, 0, 0}, {1, 1, math.Float64bits(1)}, {math.MaxUint32, math.MaxUint64, math.Float64bits(-2.5)},
		{5, math.MaxInt64, math.Float64bits(math.Inf(-1))}, {7, 1 << 63, math.Float64bits(math.NaN())},
	}
	for i, in := range inputs {
		gas, grant := int64(1<<40), int64(0)
		if i%2 == 1 {
			gas, grant = 3, 10
		}
		want, got := run(plain, in, gas, grant), run(better, in, gas, grant)
		if want.Error == irtest.Endless || got.Error == irtest.Endless {
			continue
		}
		if !same(want, got) {
			t.Errorf("seed %d, input %x:\ngot  %+v\nwant %+v\n%s\n--- optimised\n%s", seed, in, got, want,
				text(irtest.Random(seed)), text(better))
			return
		}
	}
}

// optimise runs the passes one by one, verifying after each.
func optimise(t *testing.T, seed uint64, m *ir.Module) bool {
	c := newContext(m)
	for _, f := range c.order {
		for _, p := range passes {
			p.run(c, f)
			if err := ir.Verify(m); err != nil {
				t.Errorf("seed %d: after %s of %s: %v\n%s", seed, p.name, f.Name, err, text(m))
				return false
			}
		}
	}
	prune(m)
	if err := ir.Verify(m); err != nil {
		t.Errorf("seed %d: after pruning: %v", seed, err)
		return false
	}
	return true
}

func run(m *ir.Module, in []uint64, gas, grant int64) irtest.Outcome {
	x := irtest.NewMachine(m)
	x.Steps = 200_000
	x.Grant = grant
	x.Set("gas", uint64(gas))
	x.Set("now", 12345)
	x.Host = func(imp *ir.Import, args []uint64) uint64 {
		n := uint64(len(imp.Name))
		for _, a := range args {
			n = n*31 + a
		}
		return n % 1000
	}
	return x.Call(m.Exports[0].Func, in...)
}

func same(a, b irtest.Outcome) bool {
	return a.Value == b.Value && a.Fault == b.Fault && a.Error == b.Error && slices.Equal(a.Trace, b.Trace)
}

func text(m *ir.Module) string {
	var b strings.Builder
	ir.Fprint(&b, m)
	return b.String()
}
