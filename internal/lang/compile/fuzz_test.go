package compile_test

import (
	"flag"
	"math/rand/v2"
	"testing"

	"towpath.dev/internal/testkit/bothways"
)

// Which generated programs a run of the tests compares: always the same ones,
// and some that nobody chose. A failure prints its seed, which then goes among
// the seeds of FuzzBothWays.
var (
	programs = flag.Int("programs", 40, "how many generated programs are run both ways, besides a fifth as many of random seeds")
	from     = flag.Uint64("from", 0, "the seed of the first generated program")
)

// TestGenerated runs generated programs through the interpreter and through the
// engine, with and without the optimiser.
func TestGenerated(t *testing.T) {
	fixed, random := *programs, *programs/5
	if testing.Short() {
		fixed, random = fixed/5, 0
	}
	kinds := map[string]int{}
	run := func(seed uint64) {
		for kind, n := range bothways.Seed(t, seed) {
			kinds[kind] += n
		}
	}
	for i := range uint64(fixed) {
		run(*from + i)
	}
	for range random {
		run(rand.Uint64())
	}
	t.Logf("how the interpreter's runs ended: %v", kinds)
}

// FuzzBothWays does the same for as long as it is let:
//
//	go test -fuzz FuzzBothWays ./internal/lang/compile
func FuzzBothWays(f *testing.F) {
	for _, seed := range []uint64{1, 3, 14, 10043, 10125, 10160} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { bothways.Seed(t, seed) })
}
