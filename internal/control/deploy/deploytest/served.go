package deploytest

import (
	"sync"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// Served is all that nodes said that they have served, of one program in one environment.
type Served struct {
	mu  sync.Mutex
	all map[counter]fleet.Count
}

// counter is what a counter is of: it only grows.
type counter struct {
	node, incarnation string
	release           release.Digest
	since             int64
	view              string
}

// Add adds what a node hands over.
func (s *Served) Add(c *fleet.Counters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[counter]fleet.Count{}
	}
	for _, counts := range c.Programs {
		for _, n := range counts {
			key := counter{c.Node, c.Incarnation, n.Release, n.Since.UnixNano(), n.View}
			if n.Requests >= s.all[key].Requests {
				s.all[key] = n
			}
		}
	}
}

// of is what a release has served, and what of it was bad, by metric.
func (s *Served) of(d release.Digest) (requests int64, bad map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bad = map[string]int64{}
	for key, n := range s.all {
		if key.release != d {
			continue
		}
		requests += n.Requests
		for metric, x := range n.Bad {
			bad[metric] += x
		}
		bad[verdict.Slow] += n.Latency.Above(2 * quick)
		bad[verdict.CPU] += n.CPU.Above(2 * cheap)
	}
	return requests, bad
}

// covers says where there is more evidence than was served.
func (s *Served) covers(t Trial, test *verdict.Test, wrong func(string, ...any)) {
	candidate, candidateBad := s.of(t.To)
	control, controlBad := s.of(t.From)
	if test.Requests.Candidate > candidate || test.Requests.Control > control {
		wrong("the evidence is of %d requests of the candidate and %d of the release; %d and %d were served", test.Requests.Candidate, test.Requests.Control, candidate, control)
	}
	for _, m := range test.Metrics {
		if m.Bad.Candidate > candidateBad[m.Name] || m.Bad.Control > controlBad[m.Name] {
			wrong("the evidence is of %d and %d bad events of %s; there were %d and %d", m.Bad.Candidate, m.Bad.Control, m.Name, candidateBad[m.Name], controlBad[m.Name])
		}
	}
}
