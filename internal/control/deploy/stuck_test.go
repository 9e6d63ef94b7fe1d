package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// TestBakesOnThroughChurn: in a fleet whose nodes come and go a wave bakes on while few are behind,
// and goes on where it was after more have been.
func TestBakesOnThroughChurn(t *testing.T) {
	s := newScene()
	s.runTo(t, 1, Baking)
	s.pass(50 * time.Second) // of a minute
	s.settle()
	for _, c := range []struct {
		away int
		step Step
	}{{2, Baking}, {3, Reach}} { // two of five may be unavailable
		for i := range c.away {
			name := fmt.Sprint("n", i)
			r := s.world.Nodes[name].Programs["shop"]
			r.Main = digest("one") // it has just come
			s.world.Nodes[name].Programs["shop"] = r
		}
		s.settle()
		if s.state.Step != c.step {
			t.Fatalf("with %d of 5 behind it is at %s; expected %s", c.away, s.state.Step, c.step)
		}
	}
	s.obey()
	s.settle()
	if s.state.Step != Baking {
		t.Fatalf("it is at %s, and waits for %+v", s.state.Step, s.state.Wait)
	}
	s.pass(15 * time.Second)
	s.count(1000)
	s.settle()
	if s.state.Phase == Running {
		t.Errorf("after 65 s in all it is at %s, %s, and waits for %+v; expected it to be over", s.state.Phase, s.state.Step, s.state.Wait)
	}
}

// TestNotWaitedFor: a deployment that goes back ends without nodes that say that they cannot, and
// without those that a person leaves behind.
func TestNotWaitedFor(t *testing.T) {
	back := func(t *testing.T) *scene {
		s := newScene()
		s.runTo(t, 1, Baking)
		s.world.Asks[AskBack] = Ask{By: "ann", Why: "no"}
		s.settle()
		s.world.Nodes["n1"].Attached = false
		s.obey()
		s.world.Nodes["n1"].Attached = true
		s.settle()
		s.waits(t, "n1 to run "+digest("one").Short()+" again")
		return s
	}
	s := back(t)
	r := s.world.Nodes["n1"].Programs["shop"]
	r.Deployment, r.Troubles = s.plan.ID, []fleet.Trouble{{Release: digest("one"), Kind: fleet.Distrust, Text: "its key is revoked"}}
	s.world.Nodes["n1"].Programs = map[string]fleet.Running{"shop": r}
	s.settle()
	if o := s.state.Outcome; o == nil || o.Result != Returned || !strings.HasSuffix(o.Why, "again: n1 (its key is revoked)") {
		t.Errorf("with a node that cannot go back it ended as %+v", o)
	}
	s = back(t)
	s.world.Asks[AskLeave] = Ask{By: "bob", Why: "its disk is full"}
	s.settle()
	if o := s.state.Outcome; o == nil || o.Result != Returned || !strings.HasSuffix(o.Why, "; bob asked for it: its disk is full, and left behind n1") {
		t.Errorf("told to leave a node behind it ended as %+v", o)
	}
}

// TestComparedWithAnother: a replay that was against another release than the one that is
// replaced is no evidence, and that is told.
func TestComparedWithAnother(t *testing.T) {
	for against, want := range map[string]int64{"one": 3000, "nought": 0} {
		s := newScene()
		s.plan.Against, s.plan.Replayed = digest(against), verdict.Replay{Requests: 3000}
		m := s.move()
		if got := s.state.Test.Replayed.Requests; got != want {
			t.Errorf("against %s: %d requests are in the evidence; expected %d", against, got, want)
		}
		if told := strings.Contains(m.Events[0].Text, "it was compared with"); told != (want == 0) {
			t.Errorf("against %s: %q", against, m.Events[0].Text)
		}
	}
}

// TestApprovedAsNobodyCompared: what had its turn after another release had taken the place of the one
// that it was compared with waits for an approval before it moves; tow, and a first release, do not.
func TestApprovedAsNobodyCompared(t *testing.T) {
	for _, c := range []struct {
		name               string
		ran, against, from string
		waits              string // "": it does not
	}{
		{"what it was compared with runs", "one", "one", "one", ""},
		{"nobody says what it was compared with, and nothing has changed", "one", "", "one", ""},
		{"another one runs", "one", "one", "three", "it was compared with " + digest("one").Short()},
		{"another one ran when it was asked for already", "three", "one", "three", "it was compared with " + digest("one").Short()},
		{"nothing ran", "", "", "one", "it was compared with nothing"},
		{"nothing runs", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			named := func(name string) release.Digest {
				if name == "" {
					return ""
				}
				return digest(name)
			}
			s := newScene()
			s.plan.Ran, s.plan.Against, s.world.Head.Current = named(c.ran), named(c.against), named(c.from)
			s.settle()
			if c.waits == "" {
				s.waits(t, "try out")
				return
			}
			s.waits(t, "an approval of onebox, as nobody has looked whether it is compatible with "+named(c.from).Short()+", which runs now: "+c.waits)
			s.world.Asks[AskApprove] = Ask{By: "ann"}
			s.settle()
			s.waits(t, "try out")
		})
	}
	s := newUpgrade()
	s.world.Head.Current = digest("one")
	s.settle()
	s.waits(t, "try out")
}

// TestSupersedes: what has not begun is replaced, be it in the queue or at its head; what has
// begun is not.
func TestSupersedes(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	service := &Service{Store: store}
	create := func(c Concurrency) string {
		t.Helper()
		p := Plan{Program: "shop", Environment: "prod", Release: digest("one"), Request: fmt.Sprint(c, time.Now()), Pipeline: simPipeline()}
		p.Concurrency = c
		id, err := service.Create(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	head := func() string {
		t.Helper()
		heads, err := service.Heads(t.Context(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(heads["shop"].Active, heads["shop"].Queue)
	}
	for _, c := range []struct {
		does Concurrency
		want string
	}{
		{Queue, "shop.prod.1[]"}, {Queue, "shop.prod.1[shop.prod.2]"}, {Supersede, "shop.prod.3[]"}, {Cancel, "shop.prod.4[]"},
	} {
		create(c.does)
		if got := head(); got != c.want {
			t.Errorf("after %q: %s; expected %s", c.does, got, c.want)
		}
	}
	d, err := service.Get(t.Context(), "shop.prod.4")
	if err != nil {
		t.Fatal(err)
	}
	d.State.Phase = Running
	if _, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(stateKey("shop.prod.4"), encode(d.State), 0)}}); err != nil {
		t.Fatal(err)
	}
	create(Supersede)
	create(Supersede)
	if got := head(); got != "shop.prod.4[shop.prod.6]" {
		t.Errorf("after it has begun: %s", got)
	}
}

// TestOneAfterTheOther: of two programs each of which comes after the other, one begins.
func TestOneAfterTheOther(t *testing.T) {
	r := newReplica(nil)
	for _, program := range []string{"shop", "pricing"} {
		id := idOf(program, "prod", 1)
		other := map[string]string{"shop": "pricing", "pricing": "shop"}[program]
		r.plans[id] = &Plan{ID: id, Program: program, Environment: "prod", Pipeline: Pipeline{After: []string{other}}}
		r.states[id] = stored[State]{value: &State{Phase: Queued}, modified: 7}
		r.heads[headKey("prod", program)] = stored[Head]{value: &Head{Active: id}, modified: 5}
	}
	s := r.of("shop.prod.1")
	if len(s.world.Busy) > 0 || s.busy[stateKey("pricing.prod.1")] != 7 || s.busy[headKey("prod", "pricing")] != 5 {
		t.Errorf("while neither has begun: busy is %v, on the condition of %v", s.world.Busy, s.busy)
	}
	r.states["pricing.prod.1"] = stored[State]{value: &State{Phase: Running}, modified: 8}
	if s := r.of("shop.prod.1"); s.world.Busy["pricing"] != "pricing.prod.1" {
		t.Errorf("once it has: busy is %v", s.world.Busy)
	}
}

// TestReceding: tow is taken back by as many nodes at a time as may be unavailable, and goes on
// where nodes do not come back by themselves.
func TestReceding(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		s := newUpgrade()
		for range 100 {
			if s.settle(); s.state.Stage == 2 && s.state.Step == Baking {
				break
			}
			s.restart()
			s.pass(time.Minute)
		}
		if s.state.Step != Baking {
			t.Fatalf("it is at %s, and waits for %+v", s.state.Step, s.state.Wait)
		}
		s.world.Asks[AskBack] = Ask{By: "ann", Why: "no"}
		for n := range 100 {
			if s.settle(); s.state.Phase == Ended {
				break
			}
			if s.away() > 2 {
				t.Fatalf("%d of 5 nodes are away at once", s.away())
			}
			s.restart()
			if n0 := s.world.Nodes["n0"]; hangs {
				if n0.Attached = false; n > 20 {
					n0.Away = time.Hour
				}
			}
			s.pass(10 * time.Second)
		}
		if s.state.Outcome == nil || s.state.Outcome.Result != Returned {
			t.Errorf("hangs %v: it came to %s, waits for %+v", hangs, s.state.Phase, s.state.Wait)
		}
	}
}

// TestRecedingPastOne: a node that cannot become the former tow again, or that a person leaves
// behind, does not keep the others of its cell from it; and no more start anew at once than may.
func TestRecedingPastOne(t *testing.T) {
	for _, c := range []struct {
		name  string
		stuck func(s *scene, name string)
		back  int // of 5 nodes, in the end
		ends  string
	}{
		{"it says that it cannot", func(s *scene, name string) {
			r := s.world.Nodes[name].Programs[release.Tow]
			r.Deployment, r.Troubles = s.plan.ID, []fleet.Trouble{{Kind: fleet.Unfit, Text: "it serves no ABI 3"}}
			s.world.Nodes[name].Programs[release.Tow] = r
		}, 4, "(it serves no ABI 3)"},
		{"it says nothing", func(*scene, string) {}, 1, ""},
		{"it says nothing, and is left", func(s *scene, _ string) {
			if s.state.Wait != nil && strings.Contains(s.state.Wait.For, "tow deploy leave") && len(s.world.Asks) == 1 {
				s.world.Asks[AskLeave] = Ask{By: "bob", At: s.now}
			}
		}, 4, "bob asked for it, and left behind "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newUpgrade()
			s.plan.Unavailable = 0.1
			for range 400 {
				if s.settle(); s.state.Stage == 2 && s.state.Step == Baking {
					break
				}
				s.restart()
				s.pass(10 * time.Second)
			}
			s.world.Asks[AskBack] = Ask{By: "ann", Why: "no"}
			stuck := ""
			for range 100 {
				s.settle()
				for name := range s.world.Nodes {
					if i := s.world.Intents["c"]; stuck == "" && i.RoleOf(name).Main != s.plan.Release {
						stuck = name
					}
				}
				was := s.world.Nodes[stuck]
				delete(s.world.Nodes, stuck)
				s.restart()
				if s.away() > 1 {
					t.Fatalf("%d nodes start anew at once", s.away())
				}
				s.world.Nodes[stuck] = was
				c.stuck(s, stuck)
				s.pass(10 * time.Second)
			}
			back := 0
			for _, n := range s.world.Nodes {
				if n.Programs[release.Tow].Main == "" {
					back++
				}
			}
			if back < c.back-1 || back > c.back {
				t.Errorf("%d of 5 nodes are back; expected %d", back, c.back)
			}
			switch o := s.state.Outcome; {
			case c.ends == "":
				s.waits(t, stuck+" of c to run the tow that is installed again, before others do (or tow deploy leave tow.prod.1)")
			case o == nil || !strings.Contains(o.Why, c.ends):
				t.Errorf("it ended %+v, and waits for %+v; expected %q", o, s.state.Wait, c.ends)
			}
		})
	}
}

// TestOneboxThatCannot: a node that does not run what runs is no onebox while others do; one that
// does not come to run both is one for five minutes, and others are after it.
func TestOneboxThatCannot(t *testing.T) {
	s := newScene()
	order := fleet.InOrder(s.plan.ID, s.world.nodesIn("c"))
	s.world.Nodes[order[0]].Programs["shop"] = fleet.Running{
		Deployment: "shop.prod.1", Troubles: []fleet.Trouble{{Release: digest("one"), Kind: fleet.Distrust, Text: "its key is retired"}},
	}
	began := s.now
	for range 200 {
		s.settle()
		if s.state.Step == Baking {
			break
		}
		before := map[string]fleet.Running{}
		for name, n := range s.world.Nodes {
			before[name] = n.Programs["shop"]
		}
		s.obey()
		for _, name := range order[:2] { // and the second one never has the candidate ready
			r := before[name]
			r.Probed = s.world.Nodes[name].Programs["shop"].Probed
			s.world.Nodes[name].Programs["shop"] = r
		}
		s.pass(10 * time.Second)
	}
	if s.state.Step != Baking || s.state.Onebox != order[2] {
		t.Fatalf("the onebox is %s of %v, at %s, and it waits for %+v", s.state.Onebox, order, s.state.Step, s.state.Wait)
	}
	if took := s.now.Sub(began); took > takeUp+2*probeTime {
		t.Errorf("it took %s; expected %s and what it takes to probe", took, takeUp)
	}
	for _, name := range order[:2] {
		if r := s.world.Intents["c"].RoleOf(name); r.Beside != "" {
			t.Errorf("%s is still to be the onebox: %+v", name, r)
		}
	}
}
