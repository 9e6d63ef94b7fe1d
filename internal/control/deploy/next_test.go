package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// scene is a deployment in a small world: a cell of five nodes, which run one, and two is
// the candidate.
type scene struct {
	plan  *Plan
	state *State
	world *World
	now   time.Time
}

func newScene() *scene {
	s := &scene{now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	s.plan = &Plan{ID: "shop.prod.2", Program: "shop", Environment: "prod", Release: digest("two"), Ran: digest("one"), Pipeline: Pipeline{Stages: []Stage{
		{Name: "onebox", Kind: Onebox, Share: 0.1, Bake: time.Minute, Requests: 10},
		{Name: "all", Kind: Wave, Share: 1, Bake: time.Minute},
	}, Unavailable: 0.4}}
	s.state = &State{Phase: Queued, Seq: 1}
	s.world = &World{
		Head: &Head{Last: 2, Active: s.plan.ID, Current: digest("one")}, Busy: map[string]string{}, Nodes: map[string]*Node{},
		Intents: map[string]*fleet.Intent{}, Asks: map[AskKind]Ask{},
	}
	for i := range 5 {
		s.world.Nodes[fmt.Sprint("n", i)] = &Node{Attached: true, Status: &fleet.Status{
			Cell: "c", Region: "eu", Programs: map[string]fleet.Running{"shop": {Deployment: "shop.prod.1", Main: digest("one")}},
		}}
	}
	s.heard(0)
	return s
}

// heard has counters of all nodes be heard so long ago.
func (s *scene) heard(ago time.Duration) {
	s.world.Heard = map[source]time.Duration{}
	for name := range s.world.Nodes {
		s.world.Heard[source{name, digest("one")}], s.world.Heard[source{name, digest("two")}] = ago, ago
	}
}

// move makes a move, and has it written.
func (s *scene) move() Move {
	m := next(s.plan, s.state, s.world, s.now)
	if m.State != nil {
		s.state = m.State
		s.world.Passed, s.world.Counts = 0, nil
	}
	for cell, i := range m.Intents {
		s.world.Intents[cell] = i
	}
	if m.Head != nil {
		s.world.Head = m.Head
	}
	return m
}

// settle makes moves until nothing is to be done.
func (s *scene) settle() Move {
	for range 50 {
		if m := s.move(); m.State == nil {
			return m
		}
	}
	panic("it never settles")
}

// obey has the nodes do what they shall.
func (s *scene) obey() {
	for name, n := range s.world.Nodes {
		i := s.world.Intents[n.Cell]
		if i == nil || !n.Attached {
			continue
		}
		r, role := n.Programs["shop"], i.RoleOf(name)
		r.Deployment, r.Main, r.Beside, r.Share = i.Deployment, role.Main, role.Beside, role.Share
		if round := i.ProbeOf(name); round != 0 {
			r.Probed = &fleet.Probed{Deployment: i.Deployment, Round: round}
		}
		n.Programs["shop"] = r
	}
}

// pass has time pass.
func (s *scene) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.world.Passed += d
}

// count has nodes count good requests of both.
func (s *scene) count(requests int64) {
	s.world.Counts = append(s.world.Counts, Count{Share: verdict.Stored(0.1), Requests: verdict.Pair{Candidate: requests, Control: 9 * requests}})
}

// runTo goes on until a step of a stage.
func (s *scene) runTo(t *testing.T, stage int, step Step) {
	t.Helper()
	for range 100 {
		s.settle()
		if s.state.Stage == stage && s.state.Step == step {
			return
		}
		s.obey()
		s.pass(10 * time.Second)
		s.count(1000)
	}
	t.Fatalf("it is at %s, stage %d, %s, and waits for %+v; expected stage %d, %s", s.state.Phase, s.state.Stage, s.state.Step, s.state.Wait, stage, step)
}

func (s *scene) waits(t *testing.T, text string) {
	t.Helper()
	if s.state.Wait == nil || !strings.Contains(s.state.Wait.For, text) {
		t.Errorf("it waits for %+v; expected %q", s.state.Wait, text)
	}
}

func (s *scene) trouble(node string, kind fleet.Kind, count int) {
	r := s.world.Nodes[node].Programs["shop"]
	r.Troubles = []fleet.Trouble{{Release: digest("two"), Kind: kind, Count: count, Text: "boom"}}
	s.world.Nodes[node].Programs["shop"] = r
}

// TestGates: what keeps a deployment, or a stage of it, from beginning.
func TestGates(t *testing.T) {
	saturday := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		set   func(*scene)
		waits string
	}{
		{"another one's turn", func(s *scene) { s.world.Head.Active, s.world.Head.Queue = "shop.prod.1", []string{"shop.prod.2"} }, "its turn: shop.prod.1 is under way"},
		{"frozen", func(s *scene) { s.world.Freezes = []Freeze{{By: "ann", Why: "black friday"}} }, "the freeze of ann to end: black friday"},
		{"another program's freeze", func(s *scene) { s.world.Freezes = []Freeze{{Program: "pricing", By: "ann", Why: "x"}} }, "try out"},
		{"a freeze that has ended", func(s *scene) { s.world.Freezes = []Freeze{{By: "ann", Why: "x", Until: saturday.Add(-time.Hour)}} }, "try out"},
		{"no window", func(s *scene) { s.plan.Windows = []Window{"Mon-Fri 08:00-17:00"} }, "the next window, Mon 08:00 UTC"},
		{"a window", func(s *scene) { s.plan.Windows = []Window{"Sat 08:00-17:00"} }, "try out"},
		{"after another program", func(s *scene) { s.plan.After = []string{"pricing"}; s.world.Busy["pricing"] = "pricing.prod.9" }, "the deployment pricing.prod.9"},
		{"an approval", func(s *scene) { s.plan.Stages[0].Approval = true }, "an approval of onebox: tow deploy approve shop.prod.2"},
		{"what cannot be taken back", func(s *scene) { s.plan.Irreversible = "writes orders" }, "as it cannot be taken back: writes orders"},
		{"approved", func(s *scene) { s.plan.Stages[0].Approval = true; s.world.Asks[AskApprove] = Ask{By: "ann"} }, "try out"},
		{"nobody there", func(s *scene) { clear(s.world.Nodes) }, "a node in prod that onebox reaches: \"tow join-token create --env prod\" lets nodes in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			c.set(s)
			s.settle()
			s.waits(t, c.waits)
		})
	}
}

// TestOutcomes: what makes a deployment end how, and by whose doing.
func TestOutcomes(t *testing.T) {
	bad := func(metric string) func(*scene) {
		return func(s *scene) {
			s.world.Counts = append(s.world.Counts, Count{
				Share: verdict.Stored(0.1), Requests: verdict.Pair{Candidate: 100, Control: 900}, Bad: map[string]verdict.Pair{metric: {Candidate: 30}},
			})
		}
	}
	for _, c := range []struct {
		name   string
		set    func(*scene) // while the onebox bakes
		result Result
		blame  Blame
	}{
		{"nothing", func(*scene) {}, "", ""},
		{"errors", bad(verdict.Error), Returned, YourCode},
		{"a service's failures", bad(verdict.Service), Returned, YourDependency},
		{"one death", func(s *scene) { s.trouble("n0", fleet.Crashed, 1) }, "", ""},
		{"two deaths of one node", func(s *scene) { s.trouble("n0", fleet.GaveUp, 2) }, Returned, YourCode},
		{"a death each of two", func(s *scene) { s.trouble("n0", fleet.Crashed, 1); s.trouble("n1", fleet.Crashed, 1) }, Returned, YourCode},
		{"it cannot be had now", func(s *scene) { s.trouble("n0", fleet.Fetching, 0) }, "", ""},
		{"nobody trusted signed it", func(s *scene) { s.trouble("n0", fleet.Distrust, 0) }, Returned, YourCode},
		{"a secret is missing", func(s *scene) { s.trouble("n0", fleet.Unbound, 0) }, Returned, YourCode},
		{"asked for", func(s *scene) { s.world.Asks[AskBack] = Ask{By: "ann", Why: "no"} }, Returned, APerson},
		{"an alarm", func(s *scene) { s.world.Asks[AskBack] = Ask{By: "alertmanager", Alarm: "TooSlow"} }, Returned, AnAlarm},
		{"asked for while frozen", func(s *scene) {
			s.world.Freezes = []Freeze{{By: "bob", Why: "x"}}
			s.world.Asks[AskBack] = Ask{By: "ann"}
		}, Returned, APerson},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			s.runTo(t, 0, Baking)
			c.set(s)
			s.settle()
			s.obey()
			s.settle()
			o := s.state.Outcome
			switch {
			case c.result == "" && o != nil:
				t.Errorf("it ended: %+v", o)
			case c.result != "" && (o == nil || o.Result != c.result || o.Blame != c.blame):
				t.Errorf("it came to %+v, waits for %+v; expected %s, %s", o, s.state.Wait, c.result, c.blame)
			case c.result != "" && (s.world.Intents["c"].Release != digest("one") || s.world.Intents["c"].Candidate != "" || s.world.Head.Active != ""):
				t.Errorf("%+v is intended, %+v is the head", s.world.Intents["c"], s.world.Head)
			}
		})
	}
}

// TestProbes: a source that neither release reaches is waited for; one that the candidate
// alone does not is the candidate's dependency, and what came with the candidate its own, also
// where nothing ran before.
func TestProbes(t *testing.T) {
	for _, c := range []struct {
		name    string
		release string
		own     bool
		first   bool
		want    Phase
		blame   Blame
	}{
		{"alone", "", false, false, Returning, YourDependency}, {"both", "no answer", false, false, Running, ""},
		{"its own file", "", true, false, Returning, YourCode}, {"its own file, and the release's source", "no answer", true, false, Returning, YourCode},
		{"the first one's source", "", false, true, Running, ""}, {"the first one's own file", "", true, true, Returning, YourCode},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			if c.first {
				s.world.Head.Current = ""
			}
			for range 10 {
				s.settle()
				if s.state.Phase == Returning {
					break
				}
				for name, n := range s.world.Nodes {
					if i := s.world.Intents["c"]; i.ProbeOf(name) != 0 {
						r := n.Programs["shop"]
						r.Probed = &fleet.Probed{Deployment: s.plan.ID, Round: i.Probe.Round, Candidate: "no answer", Release: c.release, Own: c.own}
						n.Programs["shop"] = r
					}
				}
				s.pass(probeAgain)
			}
			if s.state.Phase != c.want {
				t.Errorf("it is %s, and waits for %+v; expected %s", s.state.Phase, s.state.Wait, c.want)
			}
			if c.want == Returning && (s.state.Cause.Blame != c.blame || s.state.Cause.Evidence != "no answer") {
				t.Errorf("%+v", s.state.Cause)
			}
		})
	}
}

// TestReach: no more nodes are under change or away at once than may be.
func TestReach(t *testing.T) {
	s := newScene()
	s.runTo(t, 1, Reach)
	if n := within(s.world.Intents["c"], s.world.nodesIn("c")); n != 2 {
		t.Fatalf("%d of 5 nodes are reached at once; expected 2", n)
	}
	s.waits(t, "to run the candidate")
	away := fleet.InOrder(s.plan.ID, s.world.nodesIn("c"))[4] // the last one
	s.world.Nodes[away].Attached = false
	s.obey()
	s.settle()
	if n := within(s.world.Intents["c"], s.world.nodesIn("c")); n != 3 {
		t.Errorf("%d of 5 nodes are reached, and one is away; expected 3", n)
	}
	// One that has been away for long is not counted any more.
	s.world.Nodes[away].Away = lostAfter
	s.obey()
	s.settle()
	s.obey()
	s.settle()
	if n := within(s.world.Intents["c"], s.world.nodesIn("c")); n != 4 {
		t.Errorf("%d of the 4 nodes are reached; expected all", n)
	}
}

// TestThrough: a good candidate goes through all stages, and becomes the release.
func TestThrough(t *testing.T) {
	s := newScene()
	for range 100 {
		s.settle()
		if s.state.Phase == Ended {
			break
		}
		s.obey()
		s.pass(10 * time.Second)
		s.count(1000)
	}
	if o := s.state.Outcome; o == nil || o.Result != Succeeded {
		t.Fatalf("%s, %+v, %+v", s.state.Phase, s.state.Wait, o)
	}
	if h := s.world.Head; h.Current != digest("two") || h.Previous != digest("one") || h.Active != "" {
		t.Errorf("%+v", h)
	}
}

// TestEnter: what becomes of others when a deployment is asked for.
func TestEnter(t *testing.T) {
	for _, c := range []struct {
		how   Concurrency
		queue string
	}{{Queue, "[b c d]"}, {"", "[b c d]"}, {Supersede, "[d]"}, {Cancel, "[d]"}} {
		h := &Head{Active: "a", Queue: []string{"b", "c"}}
		h.enter(&Plan{ID: "d", Request: "r", Pipeline: Pipeline{Concurrency: c.how}})
		if got := fmt.Sprint(h.Queue); got != c.queue || h.Active != "a" {
			t.Errorf("%q: %s waits behind %s; expected %s", c.how, got, h.Active, c.queue)
		}
	}
	s := newScene()
	s.world.Head.Active, s.world.Head.Queue = "shop.prod.3", nil
	s.settle()
	if o := s.state.Outcome; o == nil || o.Result != Superseded {
		t.Errorf("one whose place is taken came to %+v", o)
	}
}

// TestReplayedWhileItWaits: a replay that is added lets a candidate pass that few requests
// reach; of the same requests twice nothing is learnt.
func TestReplayedWhileItWaits(t *testing.T) {
	s := newScene()
	s.runTo(t, 0, Baking)
	s.world.Counts = []Count{{Share: verdict.Stored(0.1), Requests: verdict.Pair{Candidate: 20, Control: 180}}}
	s.world.Passed = 2 * time.Minute
	s.settle()
	s.waits(t, "evidence that it is not worse")
	for _, n := range []int64{2, 1} {
		s.world.Asks[AskReplay] = Ask{By: "ann", Replay: verdict.Replay{Requests: n}}
		s.settle()
	}
	if s.state.Test.Replayed.Requests != 2 {
		t.Errorf("%+v is in the evidence of two", s.state.Test.Replayed)
	}
	s.world.Asks[AskReplay] = Ask{By: "ann", Replay: verdict.Replay{Requests: 5000}}
	m := s.move()
	if len(m.Events) == 0 || m.Events[0].Type != EventReplayed || !strings.Contains(m.Events[0].Text, "ann replayed 5000") {
		t.Errorf("the events are %+v", m.Events)
	}
	for _, way := range s.state.Test.Verdict().Ways {
		if way.Metric == verdict.Error && way.How != verdict.ByReplay {
			t.Errorf("errors do not pass by replay: %+v", way)
		}
	}
}
