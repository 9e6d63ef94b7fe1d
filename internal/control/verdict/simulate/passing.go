package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"towpath.dev/internal/control/verdict"
)

// passing is how often what must not pass does, and how much it takes to pass what may.
func (s *sim) passing() {
	wrong := func(name string, c candidate) {
		got := play(s, name, s.part(2), func(rng *rand.Rand) (bool, error) {
			p, err := c.pass(rng)
			return p.passed, err
		})
		s.atMost("too bad to pass, β = 0.05, a look every second of an hour", name, "passed", got, 0.05)
	}
	wrong("errors ×1.5, of the control 2%", candidate{rate: 0.02, worse: 1.5, share: 0.1})
	wrong("errors ×1.5, so that they are what is tolerated", candidate{rate: 0.001 / 1.5, worse: 1.5, share: 0.1})
	wrong("errors ×1.5, its host 1.2 times better, host against hosts", candidate{rate: 0.02, worse: 1.5, share: 0.1, better: 1.2})
	right := func(name string, c candidate) {
		got := play(s, name, s.part(20), c.pass)
		var events, requests []int
		for _, p := range got {
			if !p.passed {
				p.events, p.requests = math.MaxInt, math.MaxInt
			}
			events, requests = append(events, p.events), append(requests, p.requests)
		}
		s.row(Row{
			Group: "as the control is: what it takes to pass", Name: name, Runs: len(got),
			Value: fmt.Sprintf("median %d requests of the candidate, %d errors", median(requests), median(events)),
		})
	}
	right("no errors", candidate{worse: 1, share: 0.1})
	right("errors 0.03%, share 10%", candidate{rate: 0.0003, worse: 1, share: 0.1})
	right("errors 2%, share 10%", candidate{rate: 0.02, worse: 1, share: 0.1})
	right("errors 2%, share 50%", candidate{rate: 0.02, worse: 1, share: 0.5})
}

// A candidate has errors, at a rate that is the control's times worse.
type candidate struct {
	rate, worse, share float64
	better             float64 // its host, of the fallback design; 0: on the same host
}

type passed struct {
	passed           bool
	events, requests int // of both; of the candidate
}

// pass plays an hour, or until the candidate passes.
func (c candidate) pass(rng *rand.Rand) (p passed, err error) {
	t, err := newTest(verdict.Options{Metrics: metrics[errs : errs+1]})
	if err != nil {
		return p, err
	}
	for range 3600 {
		ended := verdict.Pair{Candidate: int64(poisson(rng, traffic*c.share)), Control: int64(poisson(rng, traffic*(1-c.share)))}
		share, host := verdict.Stored(c.share), 1.0
		if c.better > 0 {
			share, host = verdict.Measured(ended), 1/c.better
		}
		bad := verdict.Pair{
			Candidate: binomial(rng, ended.Candidate, c.worse*host*c.rate),
			Control:   binomial(rng, ended.Control, c.rate),
		}
		if err := t.Serve(ended); err != nil {
			return p, err
		}
		if err := t.Add(metrics[errs], share, bad); err != nil {
			return p, err
		}
		p.events, p.requests = p.events+int(bad.Sum()), p.requests+int(ended.Candidate)
		if t.Decision() == verdict.Pass {
			p.passed = true
			return p, nil
		}
	}
	return p, nil
}

// binomial draws how many of n are, each with a chance of p, by the gaps between them.
func binomial(rng *rand.Rand, n int64, p float64) (k int64) {
	if p <= 0 {
		return 0
	}
	for at := int64(0); ; at, k = at+1, k+1 {
		gap := math.Log(1-rng.Float64()) / math.Log1p(-p)
		if gap >= float64(n-at) {
			return k
		}
		at += int64(gap)
	}
}
