package simulate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"towpath.dev/internal/control/verdict"
)

func newTest(o verdict.Options) (*verdict.Test, error) {
	if o.Metrics == nil {
		o.Metrics = metrics[:]
	}
	return verdict.New(o)
}

// add counts a bad request, once for each answer of it.
func add(t *verdict.Test, b bad) error {
	pair := verdict.Pair{Control: int64(b.answers)}
	if b.candidate {
		pair = verdict.Pair{Candidate: int64(b.answers)}
	}
	for m, name := range metrics {
		if b.metrics&(1<<m) != 0 {
			if err := t.Add(name, verdict.Stored(b.share), pair); err != nil {
				return err
			}
		}
	}
	return nil
}

// An outcome is how a deployment on one host ended.
type outcome struct {
	aborted bool
	all     int // bad answers of errors when it ended, since the candidate was worse
	of      int // the candidate's of those
}

// looks is how a world is watched.
type looks struct {
	options   verdict.Options
	stage     bool // a stage begins when the candidate becomes worse
	takeovers bool // controllers die, and others go on with what was stored
}

// unseen is how long nobody counts when a controller has died, in seconds.
const unseen = 15

// watch plays a world and looks after each bad request until the test aborts.
func (l looks) watch(w world, rng *rand.Rand) (out outcome, err error) {
	t, err := newTest(l.options)
	if err != nil {
		return out, err
	}
	staged, counts := false, 0
	w.play(rng, func(b bad) bool {
		if l.stage && !staged && b.second >= w.from {
			t.Stage()
			staged = true
		}
		if l.takeovers && b.second >= counts && rng.IntN(500) == 0 {
			counts = b.second + unseen
			if t, err = stored(t); err != nil {
				return false
			}
		}
		if b.second < counts {
			return true
		}
		if err = add(t, b); err != nil {
			return false
		}
		if b.second >= w.from {
			out.count(b)
		}
		out.aborted = t.LogE() >= -math.Log(t.Alpha)
		return !out.aborted
	})
	return out, err
}

// stored is what another controller reads of a test.
func stored(t *verdict.Test) (*verdict.Test, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	read := new(verdict.Test)
	return read, json.Unmarshal(data, read)
}

func (o *outcome) count(b bad) {
	switch {
	case b.metrics&(1<<errs) == 0:
	case b.candidate:
		o.of++
		fallthrough
	default:
		o.all++
	}
}

// bar is what false aborts may be at most, as a 99% bound.
const bar = 0.0015

func (s *sim) falseAborts() {
	kind := func(name string, n int, limit float64, set func(*world)) {
		got := play(s, name, n, func(rng *rand.Rand) (bool, error) {
			w := healthy(rng)
			set(&w)
			out, err := looks{takeovers: true}.watch(w, rng)
			return out.aborted, err
		})
		s.atMost("no worse, same host, α = 0.001, a look after every bad request", name, "aborted", got, limit)
	}
	kind("share drifts, hosts differ, bursts, controllers die", s.Deployments, bar, func(*world) {})
	kind("the same, share 50%", s.part(2), 0, func(w *world) { w.share = 0.5 })
	kind("wrong: each of up to 3 retries is counted", s.part(10), 0, func(w *world) { w.retries = 3 })
}

const powerGroup = "worse, same host, four metrics: bad answers until it aborts"

func (s *sim) power() {
	kind := func(worse, share float64, hours int, must bool) {
		name := fmt.Sprintf("errors ×%g, share %g%%", worse, 100*share)
		got := play(s, name, s.part(10), func(rng *rand.Rand) (outcome, error) {
			w := healthy(rng)
			w.share, w.worse, w.seconds = share, worse, 3600*hours
			return looks{}.watch(w, rng)
		})
		s.found(powerGroup, name, got, must)
	}
	kind(10, 0.1, 20, true)
	kind(3, 0.1, 50, false)
	kind(2, 0.1, 100, false)
	kind(2, 0.5, 50, false)
}

// late is for what goes wrong only after a long time.
func (s *sim) late() {
	for _, stage := range []bool{false, true} {
		for _, cash := range []bool{false, true} {
			name := "as it is"
			if stage {
				name = "a stage begins with it"
			}
			o := verdict.Options{}
			if cash {
				name += ", and a bettor keeps what he has"
				o.Rates = []float64{1, 1.25, 1.5, 2, 3, 5, 10, 30}
			}
			got := play(s, "late "+name, s.part(40), func(rng *rand.Rand) (outcome, error) {
				w := healthy(rng)
				w.rates[errs] = 1e-3
				w.share, w.worse, w.from, w.seconds = 0.1, 10, 3*3600, 3600*20
				return looks{options: o, stage: stage}.watch(w, rng)
			})
			s.found("worse late, share 10%: errors ×10 after three healthy hours with about 1,500", name, got, false)
		}
	}
}

// found is a row of how much it took to see something.
func (s *sim) found(group, name string, got []outcome, must bool) {
	seen := 0
	var all, of []int
	for _, o := range got {
		if o.aborted {
			seen++
			all, of = append(all, o.all), append(of, o.of)
		} else {
			all, of = append(all, math.MaxInt), append(of, math.MaxInt)
		}
	}
	r := Row{
		Group: group, Name: name, Runs: len(got),
		Value: fmt.Sprintf("median %d, of them the candidate's %d; %.1f%% aborted", median(all), median(of), 100*float64(seen)/float64(len(got))),
	}
	if must {
		r.Bar = "median ≤ 17, ≤ 10"
		r.Missed = median(all) > 17 || median(of) > 10
	}
	s.row(r)
}

// median is that of an odd or even number, the upper of two.
func median(of []int) int {
	slices.Sort(of)
	return of[len(of)/2]
}
