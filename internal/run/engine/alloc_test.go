//go:build !race

package engine_test

import (
	"testing"

	"towpath.dev/internal/run/engine"
)

// TestNoAllocation holds views without calls, and the last pass of those with
// them, to no allocation.
func TestNoAllocation(t *testing.T) {
	pure := load(t, offersView, engine.Options{})
	v, err := pure.View("best")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	input := offersInput()
	if n := testing.AllocsPerRun(100, func() { out, err = v.AppendCall(t.Context(), out[:0], input) }); n != 0 || err != nil {
		t.Errorf("a request allocates %v times (%v)", n, err)
	}
	calling := load(t, dealView, engine.Options{Source: dealSource()})
	if v, err = calling.View("deal"); err != nil {
		t.Fatal(err)
	}
	h, err := v.Rehearse(t.Context(), []byte(`{"product":"p-1","zip":"10115"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n := testing.AllocsPerRun(100, func() { err = h.Run(1) }); n != 0 || err != nil {
		t.Errorf("a pass allocates %v times (%v)", n, err)
	}
}
