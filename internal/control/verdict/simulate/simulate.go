// Package simulate shows what verdicts are worth: how often they abort a deployment that is no
// worse, how soon they see one that is, and what rules that are common do with the same
// deployments. All that is drawn comes from one seed.
//
//	report, err := simulate.Run(simulate.Options{Seed: 1})
//	…
//	fmt.Print(report)
//	report.Missed() // of the bars that were set beforehand
package simulate

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"towpath.dev/internal/control/verdict"
)

// Options of a simulation. Zero values have the defaults.
type Options struct {
	Seed uint64
	// Deployments of the rows whose bars are on false aborts; others play a part of that. Default
	// 20,000. With fewer, a bound of 0.15% is not to be had, and a bar is missed only if what
	// was found is too much for chance.
	Deployments int
	// Parallel is how many are played at once. Default: one for each processor.
	Parallel int
}

// A Row is what one kind of deployment came to.
type Row struct {
	Group, Name string
	Runs        int
	Value       string // what was found
	Bar         string // what it had to be; "" if it is only told
	Missed      bool
}

// A Report is what all came to.
type Report struct {
	Seed uint64
	Rows []Row
}

// Missed are the rows that do not hold what was set beforehand.
func (r Report) Missed() []Row {
	var missed []Row
	for _, row := range r.Rows {
		if row.Missed {
			missed = append(missed, row)
		}
	}
	return missed
}

// String is a table.
func (r Report) String() string {
	var b strings.Builder
	group := ""
	for _, row := range r.Rows {
		if row.Group != group {
			group = row.Group
			fmt.Fprintf(&b, "%s\n", group)
		}
		line := fmt.Sprintf("  %-58s %6d  %-60s %s", row.Name, row.Runs, row.Value, row.Bar)
		if row.Missed {
			line += "  MISSED"
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	fmt.Fprintf(&b, "seed %d\n", r.Seed)
	return b.String()
}

// A sim is a simulation under way.
type sim struct {
	Options
	rows []Row
	err  error // the first
}

// Run plays all kinds of deployments. It fails if a test refuses what it is given, which would be
// a mistake of this package.
func Run(o Options) (Report, error) {
	if o.Deployments == 0 {
		o.Deployments = full
	}
	if o.Parallel == 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	s := &sim{Options: o}
	s.falseAborts()
	s.fallback()
	s.otherRules()
	s.power()
	s.late()
	s.passing()
	return Report{Seed: o.Seed, Rows: s.rows}, s.err
}

func (s *sim) row(r Row) { s.rows = append(s.rows, r) }

// part is a number of runs for a row that needs fewer.
func (s *sim) part(of int) int { return max(100, s.Deployments/of) }

// A player plays deployment i with what is drawn from rng, which is the same whoever plays it.
type player[T any] func(rng *rand.Rand) (T, error)

// play has n deployments played, some at once, and gives what they came to by their order.
func play[T any](s *sim, kind string, n int, one player[T]) []T {
	out := make([]T, n)
	errs := make([]error, s.Parallel)
	var next atomic.Int64
	var all sync.WaitGroup
	for p := range s.Parallel {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[p] == nil; i = int(next.Add(1)) - 1 {
				out[i], errs[p] = one(rand.New(rand.NewPCG(s.Seed, mix(fingerprint(kind)+uint64(i)))))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && s.err == nil {
			s.err = fmt.Errorf("%s: %w", kind, err)
		}
	}
	return out
}

// full is how many deployments bars need.
const full = 20_000

// atMost is a row of how many did what at most a part limit of them may; 0 is no bar.
func (s *sim) atMost(group, name, what string, of []bool, limit float64) {
	n, k := int64(len(of)), int64(0)
	for _, yes := range of {
		if yes {
			k++
		}
	}
	above, below := verdict.Bound(n, k, 0.01), 1-verdict.Bound(n, n-k, 1e-4)
	r := Row{
		Group: group, Name: name, Runs: len(of),
		Value: fmt.Sprintf("%d %s, %.3f%%; 99%% bound %.3f%%", k, what, 100*float64(k)/float64(n), 100*above),
	}
	switch {
	case limit > 0 && s.Deployments >= full:
		r.Bar, r.Missed = fmt.Sprintf("bound ≤ %g%%", 100*limit), above > limit
	case limit > 0:
		r.Bar, r.Missed = fmt.Sprintf("%g%% not excluded", 100*limit), below > limit
	}
	s.row(r)
}

// mix is the finaliser of SplitMix64: a hash of a number.
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// fingerprint is FNV-1a of a text.
func fingerprint(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
