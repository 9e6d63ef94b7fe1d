package simulate

import (
	"math"
	"math/rand/v2"

	"towpath.dev/internal/control/verdict"
)

// views of the program, by their part of the traffic and of what goes wrong.
var views = [...]struct{ traffic, bad float64 }{{0.7, 0.5}, {0.3, 2}}

// hosts is a deployment host against hosts: the candidate is alone on one.
type hosts struct {
	world
	factor   float64 // how much worse its host is
	incident float64 // how much worse its host is in one minute of the hour
	naive    bool    // the null is not widened
}

// watch plays it and looks at the end of each second until the test aborts.
func (h hosts) watch(rng *rand.Rand) (out outcome, err error) {
	t, err := newTest(verdict.Options{})
	if err != nil {
		return out, err
	}
	var share [len(views)]float64
	for v := range share {
		share[v] = 0.1
	}
	burst, burstOf, burstTimes := 0, 0, 1.0
	for second := range h.seconds {
		if burst--; burst < 0 && rng.Float64() < 1./300 {
			burst, burstOf, burstTimes = 1+rng.IntN(20), rng.IntN(len(metrics)), 5+45*rng.Float64()
		}
		factor := h.factor
		if h.incident > 0 && second%3600 >= 1800 && second%3600 < 1860 {
			factor *= h.incident
		}
		events := false
		for v, view := range views {
			share[v] = min(max(share[v]*math.Exp(0.05*rng.NormFloat64()), 0.02), 0.5)
			ended := verdict.Pair{
				Candidate: int64(poisson(rng, traffic*view.traffic*share[v])),
				Control:   int64(poisson(rng, traffic*view.traffic*(1-share[v]))),
			}
			measured := verdict.Measured(ended)
			if h.naive && ended.Sum() > 0 {
				measured = verdict.Stored(float64(ended.Candidate) / float64(ended.Sum()))
			}
			for m, p := range h.rates {
				p *= view.bad
				if burst >= 0 && m == burstOf {
					p *= burstTimes
				}
				times := factor
				if m == errs {
					times *= h.worse
				}
				bad := verdict.Pair{
					Candidate: int64(poisson(rng, float64(ended.Candidate)*p*times)),
					Control:   int64(poisson(rng, float64(ended.Control)*p)),
				}
				if bad.Sum() == 0 {
					continue
				}
				events = true
				if m == errs {
					out.all, out.of = out.all+int(bad.Sum()), out.of+int(bad.Candidate)
				}
				if err := t.Add(metrics[m], measured, bad); err != nil {
					return out, err
				}
			}
		}
		if out.aborted = events && t.LogE() >= -math.Log(t.Alpha); out.aborted {
			return out, nil
		}
	}
	return out, nil
}

func (s *sim) fallback() {
	kind := func(name string, n int, limit float64, set func(*rand.Rand, *hosts)) {
		got := play(s, name, n, func(rng *rand.Rand) (bool, error) {
			h := hosts{world: healthy(rng), factor: 1}
			set(rng, &h)
			out, err := h.watch(rng)
			return out.aborted, err
		})
		s.atMost("no worse, host against hosts, a look at the end of every second", name, "aborted", got, limit)
	}
	kind("its host 1/1.2 to 1.2 times worse, share drifts, bursts", s.Deployments, bar, func(rng *rand.Rand, h *hosts) {
		h.factor = math.Pow(1.2, 2*rng.Float64()-1)
	})
	kind("its host 1.2 times worse", s.Deployments, bar, func(_ *rand.Rand, h *hosts) { h.factor = 1.2 })
	kind("beyond: its host 1.5 times worse", s.part(10), 0, func(_ *rand.Rand, h *hosts) { h.factor = 1.5 })
	kind("beyond: its host 5 times worse for one minute", s.part(10), 0, func(_ *rand.Rand, h *hosts) { h.incident = 5 })
	kind("wrong: 1.2 times worse, and the null is not widened", s.part(10), 0, func(_ *rand.Rand, h *hosts) { h.factor, h.naive = 1.2, true })
	name := "errors ×10, share about 10%"
	got := play(s, name+", hosts", s.part(10), func(rng *rand.Rand) (outcome, error) {
		h := hosts{world: healthy(rng), factor: 1}
		h.worse, h.seconds = 10, 20*3600
		return h.watch(rng)
	})
	s.found("worse, host against hosts, four metrics: bad answers until it aborts", name, got, false)
}
