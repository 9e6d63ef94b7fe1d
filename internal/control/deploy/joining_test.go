package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// joins has nodes join a cell that run nothing yet.
func (s *scene) joins(cell string, names ...string) {
	for _, name := range names {
		s.world.Nodes[name] = &Node{Attached: true, Status: &fleet.Status{Cell: cell, Programs: map[string]fleet.Running{}}}
	}
}

// told are how many nodes of the cell shall run the candidate.
func (s *scene) told() (n int) {
	for name := range s.world.Nodes {
		if s.world.Intents["c"].RoleOf(name).Main == s.plan.Release {
			n++
		}
	}
	return n
}

// TestGrowingCell: a stage is of a share of a cell as it is, and not as it was: nodes that join do
// not all take the candidate up, and what there is to compare it with is there.
func TestGrowingCell(t *testing.T) {
	for _, c := range []struct {
		share      float64
		was, grown int // nodes
		most       int // with the candidate then
	}{{0.05, 1, 20, 1}, {0.25, 4, 40, 10}, {0.5, 2, 5, 3}, {1, 2, 20, 20}} {
		s := newScene()
		s.plan.Stages = []Stage{
			{Name: "some", Kind: Wave, Share: c.share, Bake: time.Hour}, {Name: "held", Kind: Wave, Share: 1, Approval: true},
		}
		for i := c.was; i < 5; i++ {
			delete(s.world.Nodes, fmt.Sprint("n", i))
		}
		s.runTo(t, 0, Baking)
		for i := range c.grown - c.was {
			s.joins("c", fmt.Sprint("joins-", i))
			s.settle()
			if n, most := s.told(), shareOf(c.share, s.world.nodesIn("c")); n > most {
				t.Fatalf("%v of %d nodes: %d shall run the candidate; expected %d at most", c.share, len(s.world.Nodes), n, most)
			}
			s.obey()
			s.heard(0)
			s.pass(10 * time.Second)
		}
		for range 3 {
			s.settle()
			s.obey()
			s.heard(0)
		}
		if n := s.told(); n == 0 || n > c.most || s.state.Stage != 0 || s.state.Step != Baking {
			t.Errorf("%v of %d nodes: %d shall run the candidate, at stage %d, %s (%+v)", c.share, c.grown, n, s.state.Stage, s.state.Step, s.state.Wait)
		}
		if c.share == 1 {
			continue
		}
		s.pass(time.Hour) // the next stage is held up, and nothing is reached meanwhile
		s.count(1000)
		for i := range 20 {
			s.settle()
			s.obey()
			s.joins("c", fmt.Sprint("joins-later-", i))
			s.heard(0)
			s.pass(10 * time.Second)
		}
		s.settle()
		if n, most := s.told(), shareOf(c.share, s.world.nodesIn("c")); s.state.Stage != 1 || n == 0 || n > most {
			t.Errorf("at stage %d %d of %d nodes shall run the candidate; expected %d at most", s.state.Stage, n, len(s.world.Nodes), most)
		}
	}
}

// TestCandidatesNodeGone: where the nodes go that a cell's candidate had, others take it up.
func TestCandidatesNodeGone(t *testing.T) {
	s := newScene()
	s.plan.Stages = []Stage{{Name: "some", Kind: Wave, Share: 0.2, Bake: time.Minute}, {Name: "held", Kind: Wave, Share: 1, Approval: true}}
	s.runTo(t, 0, Baking)
	for name := range s.world.Nodes {
		if s.world.Intents["c"].RoleOf(name).Main == s.plan.Release {
			delete(s.world.Nodes, name)
		}
	}
	s.runTo(t, 1, Gate)
	if n := s.told(); n != 1 {
		t.Errorf("%d of 4 nodes shall run the candidate; expected 1", n)
	}
}

// TestNewCellMeanwhile: a cell that is new runs what the others do, also while a deployment waits
// for its turn or a freeze, and once the store can be written again.
func TestNewCellMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name  string
		phase Phase // of the deployment; "": there is none
		want  bool
	}{{"no deployment", "", true}, {"one that waits", Queued, true}, {"one under way sees to it itself", Running, false}} {
		r := newReplica(nil)
		head := &Head{Current: digest("one"), Recent: []string{"shop.prod.1"}}
		if c.phase != "" {
			head.Active = "shop.prod.2"
			r.plans[head.Active] = &Plan{ID: head.Active, Program: "shop", Environment: "prod"}
			r.states[head.Active] = stored[State]{value: &State{Phase: c.phase}}
		}
		r.heads[headKey("prod", "shop")] = stored[Head]{value: head}
		r.nodes["prod"] = map[string]*fleet.Status{"n": {Cell: "new"}}
		_, adopt, _ := r.work(headKey("prod", "shop"))
		if i := adopt["new"]; (i != nil) != c.want || i != nil && i.Release != digest("one") {
			t.Errorf("with %s the new cell is to run %+v", c.name, i)
		}
	}
}

// TestNewCellTriedAgain: what the store does not take is written when it does, without anything else
// having changed.
func TestNewCellTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		inner := memstore.New()
		defer inner.Close()
		status := fleet.Status{Cell: "new", Programs: map[string]fleet.Running{}}
		if err := Report(ctx, inner, "prod", "n", &status, time.Now()); err != nil {
			t.Fatal(err)
		}
		head := &Head{Current: digest("one"), Recent: []string{"shop.prod.1"}}
		if _, err := inner.Txn(ctx, election.Txn{Then: []election.Op{election.Put(headKey("prod", "shop"), encode(head), 0)}}); err != nil {
			t.Fatal(err)
		}
		failed := 0
		store := faultstore.Wrap(inner, func(call faultstore.Call) faultstore.Fault {
			if len(call.Txn.Then) > 0 && strings.HasPrefix(call.Txn.Then[0].Keys.First, fleet.IntentPrefix) && failed == 0 {
				failed++
				return faultstore.Fault{Before: election.ErrNotReached}
			}
			return faultstore.Fault{}
		})
		began := time.Now()
		c, err := NewController(Options{Store: store, Name: "c", TTL: 5 * time.Second, Clock: func() time.Duration { return time.Since(began) }, Counters: noCounters{}})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = c.Run(ctx) }()
		time.Sleep(time.Minute)
		page, err := inner.Range(ctx, election.Span{Keys: election.Key(fleet.IntentKey("prod", "new", "shop"))})
		if err != nil || len(page.Entries) != 1 || failed != 1 {
			t.Errorf("after a write that failed (%d) the cell has %+v (%v)", failed, page.Entries, err)
		}
		cancel()
		<-ended
	})
}
