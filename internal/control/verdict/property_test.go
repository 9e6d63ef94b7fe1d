package verdict

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "the first seed of property tests")
	seedsFlag = flag.Int("seeds", 100, "how many seeds property tests take")
)

// check tests a property with what several seeds give.
func check(t *testing.T, property func(t *testing.T, r *rand.Rand)) {
	for i := range *seedsFlag {
		seed := *seedFlag + uint64(i)
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { property(t, rand.New(rand.NewPCG(seed, 0))) })
		if !ok {
			return
		}
	}
}

// within is a number of a range; its ends are likely.
func within(r *rand.Rand, least, most float64) float64 {
	switch r.IntN(10) {
	case 0:
		return least
	case 1:
		return most
	}
	return least + (most-least)*r.Float64()
}

// size is a number of any size up to most.
func size(r *rand.Rand, most int64) int64 {
	if r.IntN(5) == 0 {
		return r.Int64N(2)
	}
	return int64(math.Exp(r.Float64()*math.Log(float64(most)))) - 1 + r.Int64N(2)
}

// window adds something to a test.
func window(t *testing.T, r *rand.Rand, test *Test) {
	t.Helper()
	share := Stored(within(r, 0, 1))
	if r.IntN(2) == 0 {
		share = Measured(Pair{size(r, 1e6), size(r, 1e6)})
	}
	add(t, test, test.names()[r.IntN(len(test.Metrics))], share, size(r, 1e8), size(r, 1e8))
	serve(t, test, size(r, 1e9), size(r, 1e9))
}
