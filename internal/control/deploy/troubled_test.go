package deploy

import (
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// TestTroubled: what nodes say is counted together and told apart, and a loss of readiness that is
// not the candidate's alone is not held against it.
func TestTroubled(t *testing.T) {
	two, when := digest("two"), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	died := func(s *scene, node string, kind fleet.Kind, count, starved int) {
		s.says(node, func(r *fleet.Running) {
			r.Troubles = []fleet.Trouble{{Release: two, Kind: kind, Count: count, Starved: starved, Text: "boom"}}
		})
	}
	lost := func(s *scene, node string, of release.Digest, at ...time.Time) {
		s.says(node, func(r *fleet.Running) {
			for _, at := range at {
				r.Lost = append(r.Lost, fleet.Loss{At: at, Release: of})
			}
			if of == two && len(r.Troubles) == 0 {
				r.Troubles = []fleet.Trouble{{Release: two, Kind: fleet.Unready, Count: len(at), Text: "boom"}}
			}
		})
	}
	for _, c := range []struct {
		name          string
		set           func(*scene)
		why, evidence string // "": nothing is against it
	}{
		{"a death", func(s *scene) { died(s, "n0", fleet.Crashed, 1, 1) }, "", ""},
		{"two deaths", func(s *scene) { died(s, "n0", fleet.GaveUp, 2, 0) }, "nodes died while they ran it", "2 deaths: n0"},
		{"deaths for want of memory", func(s *scene) {
			died(s, "n1", fleet.Crashed, 1, 1)
			died(s, "n3", fleet.Crashed, 1, 0)
		}, "nodes died while they ran it", "2 deaths, 1 for want of memory: n1, n3"},
		{"a loss", func(s *scene) { lost(s, "n0", two, when) }, "", ""},
		{"two losses of a node", func(s *scene) { lost(s, "n0", two, when, when.Add(time.Hour)) }, "nodes were not ready while they ran it", "2 losses of readiness: n0"},
		{"a loss each", func(s *scene) { lost(s, "n0", two, when); lost(s, "n2", two, when) }, "nodes were not ready while they ran it", "2 losses of readiness: n0, n2"},
		{"a death and a loss of one node", func(s *scene) {
			died(s, "n0", fleet.Crashed, 1, 0)
			lost(s, "n0", two, when)
		}, "nodes died, or were not ready, while they ran it", "1 death, 1 loss of readiness: n0"},
		{"all kinds", func(s *scene) {
			died(s, "n0", fleet.GaveUp, 2, 2)
			lost(s, "n1", two, when)
		}, "nodes died, or were not ready, while they ran it", "2 deaths, 2 for want of memory, 1 loss of readiness: n0, n1"},
		{"a loss of a node without the candidate as well", func(s *scene) {
			lost(s, "n0", two, when, when.Add(10*time.Second))
			lost(s, "n4", "", when.Add(together/2))
		}, "", ""},
		{"one of another release on trial", func(s *scene) {
			lost(s, "n0", two, when, when.Add(10*time.Second))
			lost(s, "n4", digest("one"), when.Add(-together/2))
		}, "", ""},
		{"one of the two losses is the fleet's", func(s *scene) {
			lost(s, "n0", two, when, when.Add(time.Hour))
			lost(s, "n4", "", when)
		}, "", ""},
		{"deaths are never the fleet's", func(s *scene) {
			died(s, "n0", fleet.GaveUp, 2, 0)
			lost(s, "n1", two, when)
			lost(s, "n4", "", when)
		}, "nodes died while they ran it", "2 deaths: n0"},
		{"a loss elsewhere at another time", func(s *scene) {
			lost(s, "n0", two, when, when.Add(time.Second))
			lost(s, "n4", "", when.Add(-time.Hour))
		}, "nodes were not ready while they ran it", "2 losses of readiness: n0"},
		{"losses of an earlier deployment", func(s *scene) {
			lost(s, "n0", two, when, when)
			s.says("n0", func(r *fleet.Running) { r.Deployment = "shop.prod.1" })
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			s.runTo(t, 0, Baking)
			c.set(s)
			s.settle()
			switch o := s.state.Cause; {
			case c.why == "" && o != nil:
				t.Errorf("it goes back: %+v", o)
			case c.why != "" && (o == nil || o.Blame != YourCode || o.Why != c.why || o.Evidence != c.evidence):
				t.Errorf("it came to %+v; expected %q, %q", o, c.why, c.evidence)
			}
		})
	}
}

// says has a node say something of the program.
func (s *scene) says(node string, what func(*fleet.Running)) {
	r := s.world.Nodes[node].Programs["shop"]
	what(&r)
	s.world.Nodes[node].Programs["shop"] = r
}
