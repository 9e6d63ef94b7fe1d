package deploy

import (
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// TestMissingCounters: a stage does not pass without counters, and nothing goes back for it.
func TestMissingCounters(t *testing.T) {
	s := newScene()
	s.runTo(t, 0, Baking)
	s.count(100_000)
	s.pass(2 * time.Minute)
	one, two := source{s.state.Onebox, digest("one")}, source{s.state.Onebox, digest("two")}
	for _, c := range []struct {
		quiet source
		waits string
	}{{two, "counters of the candidate, which " + two.node + " did not hand over of late"}, {one, "counters of the release that runs, which " + one.node}} {
		s.heard(0)
		s.world.Heard[c.quiet] = time.Hour
		s.settle()
		s.waits(t, c.waits)
		delete(s.world.Heard, c.quiet)
		s.settle()
		s.waits(t, c.waits)
	}
	s.heard(time.Hour) // others are not asked
	s.world.Heard[one], s.world.Heard[two] = 0, 0
	s.settle()
	if s.state.Stage != 1 {
		t.Errorf("it is at stage %d, and waits for %+v", s.state.Stage, s.state.Wait)
	}
}

// TestSilentNodes: that one of many is heard is not enough, on either side; that all are but
// those that may be away is.
func TestSilentNodes(t *testing.T) {
	for _, c := range []struct {
		name              string
		candidate, silent int // nodes with the candidate, and of those silent
		control           int // of the others, silent
		unasked           []string
		waits             string // "": it passes
	}{
		{"all are heard", 10, 0, 0, nil, ""},
		{"as many are silent as may be away", 10, 2, 2, nil, ""},
		{"too many of the candidate's", 10, 3, 0, nil, "counters of the candidate, which "},
		{"all but one", 10, 9, 0, nil, " and others did not hand over of late"},
		{"too many of the others", 10, 0, 3, nil, "counters of the release that runs, which "},
		{"the only one", 1, 1, 0, nil, "counters of the candidate, which "},
		{"one of two", 2, 1, 0, nil, ""},
		{"a control node cannot be asked", 10, 5, 0, []string{"https://c2:9000"}, "while the control nodes at https://c2:9000 cannot be asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			clear(s.world.Nodes)
			s.plan.Unavailable = 0.2
			s.plan.Stages = []Stage{{Name: "some", Kind: Wave, Share: 0.5}, {Name: "all", Kind: Wave, Share: 1}}
			i := &fleet.Intent{Deployment: s.plan.ID, Release: digest("one"), Candidate: digest("two")}
			var names []string
			for k := range c.candidate + 10 {
				names = append(names, "n"+strings.Repeat("x", k))
			}
			i.Reach = fleet.ReachOf(s.plan.ID, names, c.candidate)
			s.world.Intents["c"] = i
			for _, name := range names {
				role := i.RoleOf(name)
				s.world.Nodes[name] = &Node{Attached: true, Status: &fleet.Status{Cell: "c", Programs: map[string]fleet.Running{
					"shop": {Deployment: s.plan.ID, Main: role.Main},
				}}}
			}
			s.heard(0)
			for k, name := range fleet.InOrder(s.plan.ID, names) {
				if k < c.silent || k >= c.candidate && k < c.candidate+c.control {
					s.world.Heard[source{name, i.RoleOf(name).Main}] = silence + time.Second
				}
			}
			test, err := newTest(&s.plan.Pipeline)
			if err != nil {
				t.Fatal(err)
			}
			s.state.Phase, s.state.Step, s.state.From, s.state.Test = Running, Baking, digest("one"), test
			s.world.Unasked = c.unasked
			m := &move{p: s.plan, was: s.state, s: s.state, w: s.world}
			if got := m.lacks(); !strings.Contains(got, c.waits) || c.waits == "" && got != "" {
				t.Errorf("it lacks %q; expected %q", got, c.waits)
			}
		})
	}
}

// TestReplayInstead: a candidate that few requests reach passes the onebox by a replay that passes
// all that is looked at, and with nothing less.
func TestReplayInstead(t *testing.T) {
	for _, c := range []struct {
		name   string
		replay verdict.Replay
		waits  string
	}{
		{"none", verdict.Replay{}, "10 requests that the candidate answers in onebox"},
		{"one that is dearer", verdict.Replay{Requests: 3000, Dearer: 300}, "10 requests that the candidate answers in onebox"},
		{"too few", verdict.Replay{Requests: 200}, "10 requests that the candidate answers in onebox"},
		{"enough", verdict.Replay{Requests: 3000}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			s.plan.Stages[0].Requests = 10
			for range 20 {
				if s.settle(); s.state.Step == Baking {
					break
				}
				s.obey()
				s.pass(10 * time.Second)
			}
			if c.replay.Requests > 0 {
				s.world.Asks[AskReplay] = Ask{By: "ann", Replay: c.replay}
			}
			s.pass(2 * time.Minute)
			s.settle()
			if c.waits != "" {
				s.waits(t, c.waits)
			} else if s.state.Stage != 1 {
				t.Errorf("it is at stage %d, and waits for %+v", s.state.Stage, s.state.Wait)
			}
		})
	}
}
