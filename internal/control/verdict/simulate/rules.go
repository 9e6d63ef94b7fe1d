package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"towpath.dev/internal/control/verdict"
)

// Limits of the normal distribution.
const (
	z99 = 2.326 // one-sided, 99%
	z98 = 2.326 // two-sided, 98%
)

// otherRules plays healthy deployments on one host to rules that are common.
func (s *sim) otherRules() {
	kind := func(name string, least float64, run func(*rand.Rand) bool) {
		got := play(s, name, s.part(10), func(rng *rand.Rand) (bool, error) { return run(rng), nil })
		aborted := 0
		for _, yes := range got {
			if yes {
				aborted++
			}
		}
		part := float64(aborted) / float64(len(got))
		r := Row{Group: "no worse, same host, by other rules", Name: name, Runs: len(got), Value: fmt.Sprintf("%d aborted, %.1f%%", aborted, 100*part)}
		if least > 0 { // or what is healthy here would be too tame to say anything
			r.Bar, r.Missed = fmt.Sprintf("≥ %g%%", 100*least), part < least
		}
		s.row(r)
	}
	kind("99% a minute: one metric, an hour, share 50%", 0, func(rng *rand.Rand) bool { return minutes(rng, 0.5, 1, 1) })
	kind("99% a minute: one metric, an hour, share 10%", 0, func(rng *rand.Rand) bool { return minutes(rng, 0.1, 1, 1) })
	kind("99% a minute: four metrics, an hour, share 50%", 0.45, func(rng *rand.Rand) bool { return minutes(rng, 0.5, len(metrics), 1) })
	kind("99% a minute: four metrics, four hours, share 50%", 0.45, func(rng *rand.Rand) bool { return minutes(rng, 0.5, len(metrics), 4) })
	kind("Mann–Whitney of latencies so far, 98%, each minute, an hour", 0, func(rng *rand.Rand) bool { return ranks(rng, 60) })
}

// minutes reports whether the candidate's rate of some metric is, in some minute, greater than the
// control's at 99%, by the test of two proportions.
func minutes(rng *rand.Rand, share float64, of, hours int) bool {
	w := healthy(rng)
	w.share, w.seconds = share, 3600*hours
	counts := make([][len(metrics)]verdict.Pair, 60*hours)
	w.play(rng, func(b bad) bool {
		for m := range metrics {
			switch {
			case b.metrics&(1<<m) == 0:
			case b.candidate:
				counts[b.second/60][m].Candidate++
			default:
				counts[b.second/60][m].Control++
			}
		}
		return true
	})
	for _, minute := range counts {
		n, k := float64(poisson(rng, 60*traffic*share)), float64(poisson(rng, 60*traffic*(1-share)))
		for _, bad := range minute[:of] {
			all := float64(bad.Sum()) / (n + k)
			deviation := math.Sqrt(all * (1 - all) * (1/n + 1/k))
			if float64(bad.Candidate)/n-float64(bad.Control)/k > z99*deviation {
				return true
			}
		}
	}
	return false
}

// ranks reports whether latencies of candidate and control differ at 98% by the test of Mann and
// Whitney, looked at each minute for all so far: the level of Kayenta's judge, without what
// it tolerates. A minute has 10 of the candidate's and 90 of the control's, and is as slow as
// the load is in it.
func ranks(rng *rand.Rand, looks int) bool {
	type answer struct {
		took      float64
		candidate bool
	}
	var all []answer
	for range looks {
		load := 0.2 * rng.NormFloat64()
		for i := range 100 {
			all = append(all, answer{load + rng.NormFloat64(), i < 10})
		}
		slices.SortFunc(all, func(a, b answer) int {
			if a.took < b.took {
				return -1
			}
			return 1
		})
		sum, n := 0.0, 0.0
		for rank, a := range all {
			if a.candidate {
				sum, n = sum+float64(rank+1), n+1
			}
		}
		k := float64(len(all)) - n
		u := sum - n*(n+1)/2
		if math.Abs(u-n*k/2) > z98*math.Sqrt(n*k*(n+k+1)/12) {
			return true
		}
	}
	return false
}
