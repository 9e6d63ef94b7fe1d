//go:build linux

package rollout_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/proof/lab"
	"towpath.dev/internal/proof/rollout"
	"towpath.dev/internal/testkit/required"
)

func TestMain(m *testing.M) {
	rollout.Child()
	os.Exit(m.Run())
}

var (
	runs = flag.Int("runs", 3, "deployments of TestRollout")
	seed = flag.Uint64("seed", 0, "of the first one (default: drawn)")
)

func run(t *testing.T, o rollout.Options) *rollout.Report {
	t.Helper()
	o.Dir = t.TempDir()
	report, err := rollout.Run(o)
	if errors.Is(err, lab.ErrNotPermitted) && !required.All() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestRollout: whatever is killed, deployments come to what is right of their candidates,
// nothing is lost or done twice, and the blame is right.
func TestRollout(t *testing.T) {
	o := rollout.Options{Runs: *runs, Seed: *seed}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000) + 1
	}
	report := run(t, o)
	if len(report.Violations) > 0 {
		t.Errorf("%d violations with the seed %d; see above", len(report.Violations), o.Seed)
	}
	if report.Runs != o.Runs {
		t.Errorf("%d runs of %d", report.Runs, o.Runs)
	}
}

// TestMistakesAreFound: a run that finds nothing says little, unless it finds what is there.
func TestMistakesAreFound(t *testing.T) {
	if !required.All() {
		t.Skip("it takes minutes: set " + required.Variable + " to run it")
	}
	for mutant, kinds := range map[string][]string{
		"unfenced": {deploytest.Backwards, deploytest.Doubled},
		"greedy":   {deploytest.MadeUp},
	} {
		t.Run(mutant, func(t *testing.T) {
			found := 0
			report := run(t, rollout.Options{Runs: 8, Mutant: mutant})
			for _, kind := range kinds {
				found += report.Count(kind)
			}
			if found == 0 {
				t.Errorf("there is nothing of %q", kinds)
			}
		})
	}
}
