package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// undoes has the scene's deployment take back the one before it.
func (s *scene) undoes(to release.Digest, ask Ask) {
	s.plan.Release, s.plan.Undoes = to, "tow.prod.1"
	s.state, _ = s.plan.born(ask)
}

// TestUndoesTow: what takes an upgrade back that has succeeded goes in turns, and is held up by no freeze, window or
// approval, and not taken back as a node is lost on the way, or cannot run what it ran.
func TestUndoesTow(t *testing.T) {
	for _, to := range []release.Digest{digest("T0"), ""} {
		s := newWaiting()
		for k := range 10 {
			delete(s.world.Nodes, fmt.Sprint("z", k))
		}
		s.world.Intents["c"].Later = nil
		s.world.Freezes = []Freeze{{By: "bob", Why: "Christmas"}}
		s.plan.Windows, s.plan.Irreversible = []Window{"Mon 00:00-00:01"}, "tables"
		for i := range s.plan.Stages {
			s.plan.Stages[i].Approval = true
		}
		s.undoes(to, Ask{By: "ann", Why: "slow"})
		s.settle()
		wedged := ""
		for name, n := range s.world.Nodes {
			if s.world.Intents["c"].RoleOf(name).Main == to {
				wedged, n.Attached, n.Away = name, false, lostAfter
			}
		}
		if wedged == "" {
			t.Fatalf("nobody is told to go back: %+v", s.world.Intents["c"])
		}
		starts := s.startAnew(t, 1)
		if o := s.state.Outcome; o.Result != Succeeded || o.Blame != APerson || !strings.HasSuffix(o.Why, "until they are back: "+wedged) || len(starts) != 9 {
			t.Errorf("to %q it ended %+v, after starts %v; expected all but %s", to, o, starts, wedged)
		}
		if h := s.world.Head; h.Current != to || h.Previous != digest("T1") {
			t.Errorf("the head is %+v", h)
		}
	}
}

// TestUndoesTowWhileSomeWait: who waits for its turn, and runs what the upgrade is taken back to, goes on with that.
func TestUndoesTowWhileSomeWait(t *testing.T) {
	s := newWaiting()
	s.undoes(digest("T0"), Ask{By: "ann"})
	starts := s.startAnew(t, 2)
	started(t, starts, "n", 1)
	started(t, starts, "z", 0)
}

// TestLeavesTow: who goes back with tow and is left behind is not waited for, others that
// are told afterwards are.
func TestLeavesTow(t *testing.T) {
	s := newWaiting()
	s.undoes(digest("T0"), Ask{By: "ann"})
	told := func() (all []string) {
		for name, n := range s.world.Nodes {
			if s.world.Intents["c"].RoleOf(name).Main != n.Programs[release.Tow].Main {
				all = append(all, name)
			}
		}
		return all
	}
	s.settle()
	first := told()
	s.world.Asks[AskLeave] = Ask{By: "bob", Why: "a dead disk", At: s.now}
	s.settle()
	if all := told(); len(first) != 2 || len(all) != 4 {
		t.Fatalf("%v are told first, and after they are left %v; expected two, and two more", first, all)
	}
	s.pass(time.Hour)
	s.settle()
	if all := told(); len(all) != 4 {
		t.Errorf("%v are told while the next ones are waited for", all)
	}
	s.startAnew(t, 20)
	if s.state.Outcome.Result != Succeeded {
		t.Errorf("it ended %+v", s.state.Outcome)
	}
}
