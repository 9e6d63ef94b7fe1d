package engine_test

import (
	"errors"
	"slices"
	"testing"

	"towpath.dev/internal/run/engine"
)

// TestStack faults in functions that were put in the place of their calls, and
// in one that was not.
func TestStack(t *testing.T) {
	p := load(t, `
		fn unit(n: Int) -> Int { 100 / n }
		fn each(ns: List<Int>) -> List<Int> { ns |> map(n => unit(n)) }
		view all(ns: List<Int>) -> List<Int> { each(ns) }
		fn down(n: Int) -> Int { if n == 0 { 1 / n } else { 1 + down(n - 1) } }
		view deep(n: Int) -> Int { down(n) }
	`, engine.Options{})
	for _, c := range []struct {
		view, input string
		want        []string
	}{
		{"all", `{"ns":[1,0]}`, []string{"shop.unit", "shop.each", "shop.each", "shop.all"}},
		{"deep", `{"n":3}`, []string{"shop.down", "shop.down", "shop.down", "shop.down", "shop.deep"}},
	} {
		_, err := p.AppendCall(t.Context(), nil, c.view, []byte(c.input))
		fault := (*engine.Fault)(nil)
		if !errors.As(err, &fault) || !slices.Equal(fault.Stack, c.want) {
			t.Errorf("%s: %v, stack %v, want %v", c.view, err, fault.Stack, c.want)
		}
	}
}
