package deploy

import (
	"fmt"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// newWaiting is a scene in which the upgrade from T0 to T1 has succeeded: ten nodes n run T1, and ten nodes z
// of the same cell, which were cut off, are back with T0, and wait for their turns.
func newWaiting() *scene {
	s := newUpgrade()
	s.plan.ID, s.plan.Unavailable = "tow.prod.2", 0.1
	s.world.Head = &Head{Last: 2, Active: "tow.prod.2", Current: digest("T1"), Previous: digest("T0"), Recent: []string{"tow.prod.1"}}
	s.world.Nodes = map[string]*Node{}
	later := map[string]release.Digest{}
	for k := range 10 {
		s.runsTow(fmt.Sprint("n", k), digest("T1"))
		s.runsTow(fmt.Sprint("z", k), digest("T0"))
		later[fmt.Sprint("z", k)] = digest("T0")
	}
	s.world.Intents["c"] = &fleet.Intent{Deployment: "tow.prod.1", Seq: 3, Release: digest("T1"), Later: later}
	return s
}

// runsTow has the scene have a node that runs a tow.
func (s *scene) runsTow(name string, main release.Digest) {
	s.world.Nodes[name] = &Node{Attached: true, Status: &fleet.Status{
		Cell: "c", Upgrades: "linux/amd64", Programs: map[string]fleet.Running{release.Tow: {Deployment: "tow.prod.1", Main: main}},
	}}
}

// startAnew has nodes become the tow that they shall, each of them away for a while, until the deployment has ended,
// and gives how often each did. It fails the test if more are away at once than may be.
func (s *scene) startAnew(t *testing.T, most int) map[string]int {
	t.Helper()
	starts := map[string]int{}
	for range 1000 {
		if s.settle(); s.state.Phase == Ended {
			return starts
		}
		lost := map[string]*Node{}
		for name, n := range s.world.Nodes {
			switch {
			case n.lost():
				lost[name] = n
				delete(s.world.Nodes, name)
			case n.Attached && s.world.Intents[n.Cell].RoleOf(name).Main != n.Programs[release.Tow].Main:
				starts[name]++
			}
		}
		if s.restart(); s.away() > most {
			t.Fatalf("%d nodes start anew at once; expected %d at most", s.away(), most)
		}
		for name, n := range lost {
			s.world.Nodes[name] = n
		}
		s.pass(10 * time.Second)
	}
	t.Fatalf("it is at %s, stage %d, %s, and waits for %+v", s.state.Phase, s.state.Stage, s.state.Step, s.state.Wait)
	return nil
}

// started checks how often nodes whose names begin alike started anew.
func started(t *testing.T, starts map[string]int, begin string, want int) {
	t.Helper()
	for k := range 10 {
		if name := fmt.Sprint(begin, k); starts[name] != want {
			t.Errorf("%s started anew %d times; expected %d", name, starts[name], want)
		}
	}
}

// TestNextWhileSomeWait: nodes that wait for their turn when the next deployment of tow begins become what
// that brings, in turns, and nothing else before; what they run already they go on with.
func TestNextWhileSomeWait(t *testing.T) {
	t.Run("another upgrade", func(t *testing.T) {
		s := newWaiting()
		s.plan.Release = digest("T2")
		starts := s.startAnew(t, 2)
		started(t, starts, "n", 1)
		started(t, starts, "z", 1)
	})
	t.Run("another upgrade goes back", func(t *testing.T) {
		s := newWaiting()
		s.plan.Release = digest("T2")
		s.run(t, "wave 3 to bake")
		s.world.Asks[AskBack] = Ask{By: "ann"}
		starts := s.startAnew(t, 2)
		started(t, starts, "n", 1)
		started(t, starts, "z", 1)
	})
}

// TestGoesBackWhileSomeWait: a rack that was away at its turn, and is back, goes on with what it runs while
// the upgrade goes back to that.
func TestGoesBackWhileSomeWait(t *testing.T) {
	s := newUpgrade()
	s.cutOff()
	for _, n := range s.world.Nodes {
		n.Cell = "c"
	}
	s.run(t, "wave 3 to bake")
	if later := s.world.Intents["c"].Later; len(later) != 10 {
		t.Fatalf("%d nodes are later", len(later))
	}
	s.attach("c")
	s.world.Asks[AskBack] = Ask{By: "ann"}
	starts := s.startAnew(t, 1)
	for name, n := range starts {
		if n > 1 {
			t.Errorf("%s started anew %d times", name, n)
		}
	}
	if most := 6; len(starts) > most { // five that ran it, and the one that had its turn
		t.Errorf("%d nodes started anew; expected %d at most", len(starts), most)
	}
}

// TestTurnsAreBounded: names of nodes that are gone for good, and a person who leaves very many behind, make no write
// too large.
func TestTurnsAreBounded(t *testing.T) {
	s := newUpgrade()
	for cell := range 20 {
		for k := range mostLost + 500 {
			n := &Node{Away: lostAfter + time.Duration(k)*time.Second, Status: &fleet.Status{Cell: fmt.Sprint("cell", cell), Upgrades: "linux/amd64"}}
			s.world.Nodes[fmt.Sprintf("eu-west-1a-node-%d-%05d", cell, k)] = n
		}
	}
	s.state = &State{Phase: Finishing, From: ""}
	for s.world.Intents["cell19"] == nil {
		m := s.move()
		size := 0
		for _, i := range m.Intents {
			size += len(i.Encode())
		}
		if m.State == nil || size > 1<<20 {
			t.Fatalf("%d bytes of intents in a transaction, and the state is %+v", size, s.state)
		}
	}
	_, newer := s.world.Intents["cell3"].Later[fmt.Sprintf("eu-west-1a-node-3-%05d", 0)]
	_, older := s.world.Intents["cell3"].Later[fmt.Sprintf("eu-west-1a-node-3-%05d", mostLost)]
	if later := s.world.Intents["cell3"].Later; len(later) != mostLost || !newer || older {
		t.Errorf("%d nodes are later, the one that went last among them %v, the first %v", len(later), newer, older)
	}

	for _, n := range s.world.Nodes { // they run the candidate, and are to go back
		n.Attached, n.Away, n.Programs = true, 0, map[string]fleet.Running{release.Tow: {Deployment: s.plan.ID, Main: s.plan.Release}}
	}
	for _, i := range s.world.Intents {
		i.Release, i.Later = "", map[string]release.Digest{}
		for name, n := range s.world.Nodes {
			if s.world.Intents[n.Cell] == i && len(i.Later) < mostLost {
				i.Later[name] = s.plan.Release
			}
		}
	}
	s.state = &State{Phase: Returning, Cause: &Outcome{Why: "no", Blame: APerson}}
	s.world.Asks[AskLeave] = Ask{By: "ann", At: s.now}
	if m := s.move(); m.State == nil || len(encode(m.State)) > MaxState/8 {
		t.Errorf("the state is %+v", m.State)
	}
}

// TestBakesWhileOneWaits: a stage goes on where a cell's nodes with the candidate are lost, and one of
// those that wait for their turn is away.
func TestBakesWhileOneWaits(t *testing.T) {
	s := newUpgrade()
	for k := range 5 {
		s.world.Nodes[fmt.Sprint("d", k)] = &Node{Attached: true, Status: &fleet.Status{Cell: "d", Upgrades: "linux/amd64", Programs: map[string]fleet.Running{}}}
	}
	s.run(t, "wave 2 to bake")
	waits := ""
	for name, n := range s.world.Nodes {
		if n.Cell == "c" {
			if n.Attached, n.Away = false, lostAfter; n.Programs[release.Tow].Main == "" {
				waits = name
			}
		}
	}
	s.world.Nodes[waits].Away = time.Minute
	s.world.Intents["c"].Later = map[string]release.Digest{waits: ""}
	s.settle()
	s.waits(t, "wave 2 to bake")
}
