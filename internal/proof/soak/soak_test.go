//go:build linux

package soak_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"towpath.dev/internal/proof/lab"
	"towpath.dev/internal/proof/soak"
	"towpath.dev/internal/proof/verdict"
	"towpath.dev/internal/testkit/required"
)

func TestMain(m *testing.M) {
	soak.Child()
	os.Exit(m.Run())
}

func run(t *testing.T, o soak.Options) *verdict.Report {
	t.Helper()
	o.Dir = t.TempDir()
	report, err := soak.Run(o)
	if errors.Is(err, lab.ErrNotPermitted) && !required.All() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestSoak breaks everything, for a minute where tests may take their time.
func TestSoak(t *testing.T) {
	o := soak.Options{Seconds: 10, Seed: rand.Uint64N(1_000_000) + 1}
	if required.All() {
		o.Seconds = 60
	}
	report := run(t, o)
	if len(report.Violations) > 0 {
		t.Errorf("%d violations with the seed %d; see above", len(report.Violations), o.Seed)
	}
	if report.Operations == 0 || report.Leaderships == 0 {
		t.Error("nobody led, or wrote anything")
	}
}

// TestMistakesAreFound: a run that finds nothing says little, unless it finds what is there.
func TestMistakesAreFound(t *testing.T) {
	if !required.All() {
		t.Skip("it takes minutes: set " + required.Variable + " to run it")
	}
	for _, c := range []struct {
		options soak.Options
		find    string
	}{
		{soak.Options{Mutant: "unfenced", Nemeses: "stop,cut", Seconds: 30}, verdict.StaleWrite},
		{soak.Options{Mutant: "stock", Nemeses: "cut,mute,deaf,slow", Seconds: 55}, verdict.Overlap},
		{soak.Options{Mutant: "receipt", Nemeses: "slow", Seconds: 55, TTL: 3, Margin: 1}, verdict.Overlap},
	} {
		t.Run(c.options.Mutant, func(t *testing.T) {
			report := run(t, c.options)
			if !slices.ContainsFunc(report.Violations, func(v verdict.Violation) bool { return v.Kind == c.find }) {
				t.Errorf("no %s was found", c.find)
			}
		})
	}
}
