package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// cutOff adds a cell of ten nodes that are away for long, and run what the others do.
func (s *scene) cutOff() {
	s.plan.Unavailable = 0.1
	for k := range 10 {
		n := &Node{Away: lostAfter, Status: &fleet.Status{Cell: "z", Upgrades: "linux/amd64", Programs: map[string]fleet.Running{}}}
		if s.plan.Program != release.Tow {
			n.Programs[s.plan.Program] = fleet.Running{Deployment: "shop.prod.1", Main: digest("one")}
		}
		s.world.Nodes[fmt.Sprint("z", k)] = n
	}
}

// attach has the nodes of the cell be there again.
func (s *scene) attach(cell string) {
	for _, n := range s.world.Nodes {
		if n.Cell == cell {
			n.Attached, n.Away = true, 0
		}
	}
}

// run has nodes do what they shall until the deployment waits for what begins with a text, or has ended.
func (s *scene) run(t *testing.T, until string) {
	t.Helper()
	for range 400 {
		s.settle()
		if s.state.Phase == Ended || until != "" && s.state.Wait != nil && strings.HasPrefix(s.state.Wait.For, until) {
			return
		}
		if s.plan.ofTow() {
			lost := map[string]*Node{}
			for name, n := range s.world.Nodes {
				if n.lost() {
					lost[name] = n
					delete(s.world.Nodes, name)
				}
			}
			s.restart()
			if s.away() > 2 {
				t.Fatalf("%d nodes start anew at once", s.away())
			}
			for name, n := range lost {
				s.world.Nodes[name] = n
			}
		} else {
			s.obey()
			s.heard(0)
			s.count(1000)
		}
		s.pass(10 * time.Second)
	}
	t.Fatalf("it is at %s, stage %d, %s, and waits for %+v", s.state.Phase, s.state.Stage, s.state.Step, s.state.Wait)
}

// TestCellCutOff: a cell that is away as a whole is waited for, and takes the candidate as the others do
// when it is back; or it is left behind.
func TestCellCutOff(t *testing.T) {
	const waits = "a node of the cell z to be attached again, as all are away (or tow deploy leave "
	for _, of := range []string{"shop", release.Tow} {
		for _, left := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, left %v", of, left), func(t *testing.T) {
				s := newScene()
				s.plan.Stages = s.plan.Stages[1:] // a wave of all
				s.world.Intents["z"] = &fleet.Intent{Deployment: "shop.prod.1", Release: digest("one")}
				if of == release.Tow {
					s = newUpgrade()
				}
				s.cutOff()
				s.run(t, waits+s.plan.ID)
				d := Deployment{Plan: s.plan, State: s.state}
				if err := d.takes(AskLeave, &Ask{}); err != nil {
					t.Errorf("it cannot be left: %v", err)
				}
				if left {
					s.world.Asks[AskLeave] = Ask{By: "bob", Why: "it burnt", At: s.now}
				} else {
					s.attach("z")
				}
				s.run(t, "")
				ran := 0
				for _, n := range s.world.Nodes {
					if n.Programs[of].Main == s.plan.Release {
						ran++
					}
				}
				if want := map[bool]int{false: 15, true: 5}[left]; s.state.Outcome.Result != Succeeded || ran != want {
					t.Errorf("it ended %+v, and %d nodes run the candidate; expected %d", s.state.Outcome, ran, want)
				}
			})
		}
	}
}

// TestLeavesNoStage: what waits for no cell that is away leaves none behind.
func TestLeavesNoStage(t *testing.T) {
	s := newScene()
	s.runTo(t, 0, Baking)
	d := Deployment{Plan: s.plan, State: s.state}
	if err := d.takes(AskLeave, &Ask{}); err == nil || !strings.Contains(err.Error(), "waits for no cell that is away") {
		t.Errorf("it says %v", err)
	}
}

// TestTurnsAfterwards: nodes that were away when tow changed, forward or back, do the same one after the
// other when they are back, also after the deployment has ended; and nobody waits for those that
// are not.
func TestTurnsAfterwards(t *testing.T) {
	t.Run("forward", func(t *testing.T) {
		s := newUpgrade()
		s.cutOff()
		s.run(t, "a node of the cell z")
		s.world.Asks[AskLeave] = Ask{By: "bob", At: s.now}
		s.run(t, "")
		s.takesTurns(t, s.plan.Release)
	})
	t.Run("back", func(t *testing.T) {
		s := newUpgrade()
		s.cutOff()
		s.attach("z")
		s.run(t, "wave 3 to bake")
		for _, n := range s.world.Nodes {
			if n.Cell == "z" {
				n.Attached, n.Away = false, lostAfter
			}
		}
		s.world.Asks[AskBack] = Ask{By: "ann"}
		s.run(t, "")
		if o := s.state.Outcome; !strings.HasSuffix(o.Why, "until they are back: z0, z1, z2 and others") {
			t.Errorf("it ended %+v", o)
		}
		s.takesTurns(t, "")
	})
}

// takesTurns has the nodes of the cell z be back, after the deployment has ended, and sees them become a
// tow one after the other.
func (s *scene) takesTurns(t *testing.T, to release.Digest) {
	t.Helper()
	r := newReplica(nil)
	r.plans[s.plan.ID], r.heads[headKey("prod", release.Tow)] = s.plan, stored[Head]{value: s.world.Head}
	r.intents["prod/"+release.Tow], r.nodes["prod"] = s.world.Intents, map[string]*fleet.Status{}
	for name, n := range s.world.Nodes {
		r.nodes["prod"][name] = n.Status
		if n.Attached {
			r.attached[name] = "prod"
		} else {
			r.away["prod/"+name] = time.Now().Add(-lostAfter)
		}
	}
	turn := func() (starts int) {
		_, intents, _ := r.work(headKey("prod", release.Tow))
		for cell, i := range intents {
			r.intents["prod/"+release.Tow][cell] = i
		}
		for name, status := range r.nodes["prod"] {
			if i := s.world.Intents[status.Cell]; r.attached[name] == "prod" && i.RoleOf(name).Main != status.Programs[release.Tow].Main {
				status.Programs[release.Tow] = fleet.Running{Deployment: s.plan.ID, Main: i.RoleOf(name).Main}
				starts++
			}
		}
		return starts
	}
	if n := turn(); n != 0 || len(s.world.Intents["z"].Later) != 10 {
		t.Fatalf("%d nodes start anew while the cell is away, of which the intent is %+v", n, s.world.Intents["z"])
	}
	for k := range 9 { // the tenth never comes back
		delete(r.away, fmt.Sprint("prod/z", k))
		r.attached[fmt.Sprint("z", k)] = "prod"
	}
	for k := range 9 {
		if n := turn(); n != 1 {
			t.Fatalf("turn %d: %d nodes start anew; expected 1 of 9", k, n)
		}
	}
	if n := turn(); n != 0 {
		t.Errorf("%d nodes start anew when all have", n)
	}
	delete(r.nodes["prod"], "z9") // it was forgotten
	turn()
	if i := s.world.Intents["z"]; i.Release != to || i.Candidate != "" || len(i.Later) > 0 {
		t.Errorf("in the end the intent is %+v", i)
	}
}

// TestReturnsWhileAway: a rollback ends while no node is attached, and names those that may still serve
// what it takes back.
func TestReturnsWhileAway(t *testing.T) {
	s := newScene()
	s.runTo(t, 1, Baking)
	s.world.Asks[AskBack] = Ask{By: "ann", Why: "no"}
	for _, n := range s.world.Nodes {
		n.Attached = false
	}
	s.settle()
	const names = "; away, and with another release when they were heard last, until they are back: n0, n1, n2 and others"
	if o := s.state.Outcome; o == nil || !strings.HasSuffix(o.Why, names) {
		t.Errorf("it ended %+v", o)
	}
}

// TestDeadCell: a stage that reaches none but a cell without nodes waits for one, and names it, and
// nothing is written meanwhile; or the cell is left behind, and the stage is passed over.
func TestDeadCell(t *testing.T) {
	s := newScene()
	s.plan.Stages = []Stage{
		{Name: "canary", Kind: Wave, Share: 1, Cells: []string{"dead"}, Bake: time.Minute}, {Name: "all", Kind: Wave, Share: 1, Bake: time.Minute},
	}
	s.world.Intents["dead"] = &fleet.Intent{Deployment: "shop.prod.1", Release: digest("one")}
	s.world.Intents["c"] = &fleet.Intent{Deployment: "shop.prod.1", Release: digest("one")}
	writes := 0
	for range 8640 { // a day
		for s.move().State != nil {
			writes++
		}
		s.obey()
		s.pass(10 * time.Second)
	}
	if s.waits(t, "a node in prod that canary reaches: cell dead, as its pipeline says (or tow deploy leave "); writes > 5 {
		t.Errorf("%d writes in a day", writes)
	}
	s.world.Asks[AskLeave] = Ask{By: "ann", At: s.now}
	s.run(t, "an approval of all, as canary reached none but cells that are left behind: tow deploy approve ")
	s.world.Asks[AskApprove] = Ask{By: "ann", At: s.now, Stage: 1}
	s.run(t, "")
	if s.state.Outcome == nil || s.state.Outcome.Result != Succeeded {
		t.Errorf("it ended %+v", s.state.Outcome)
	}
}

// TestOneboxCutOff: where all nodes are away that can be the onebox, they are named, and can be left behind. What has
// been tried nowhere then goes on with an approval that was given since, and only one.
func TestOneboxCutOff(t *testing.T) {
	for _, step := range []Step{Probing, Reach, Baking} {
		t.Run(string(step), func(t *testing.T) {
			s := newScene()
			s.plan.Stages = []Stage{
				{Name: "onebox", Kind: Onebox, Share: 0.1, Cells: []string{"c"}, Bake: time.Minute},
				{Name: "first", Kind: Wave, Share: 0.2, Cells: []string{"c"}, Bake: time.Minute},
				{Name: "all", Kind: Wave, Share: 1, Bake: time.Minute},
			}
			s.joins("d", "d0", "d1")
			s.runTo(t, 0, step)
			s.world.Asks[AskApprove] = Ask{By: "bob", At: s.now, Stage: 2}
			for _, n := range s.world.Nodes {
				if n.Cell == "c" {
					n.Attached, n.Away = false, lostAfter
				}
			}
			s.run(t, "a node in prod that onebox reaches: cell c, as its pipeline says (away: n0, n1, n2 and others) (or tow deploy leave ")
			s.pass(time.Minute)
			s.world.Asks[AskLeave] = Ask{By: "ann", At: s.now}
			s.run(t, "an approval of all, as onebox, first reached none but cells that are left behind: tow deploy approve ")
			if i := s.world.Intents["c"]; s.state.Phase != Running || s.state.Onebox != "" || i != nil && i.Onebox != "" {
				t.Errorf("it is at %s, and its onebox %q, %+v", s.state.Phase, s.state.Onebox, i)
			}
			s.pass(time.Minute)
			s.world.Asks[AskApprove] = Ask{By: "ann", At: s.now, Stage: 2}
			s.run(t, "")
			if s.state.Outcome == nil || s.state.Outcome.Result != Succeeded {
				t.Errorf("it ended %+v", s.state.Outcome)
			}
		})
	}
}

// TestCanaryCutOff: a stage's only cell that is cut off while the stage is under way is waited for, and
// the stage goes on when it is back.
func TestCanaryCutOff(t *testing.T) {
	for _, step := range []Step{Probing, Reach, Baking} {
		s := newScene()
		s.plan.Stages = []Stage{
			{Name: "canary", Kind: Wave, Share: 0.5, Cells: []string{"c"}, Bake: time.Minute}, {Name: "all", Kind: Wave, Share: 1, Bake: time.Minute},
		}
		s.joins("d", "d0")
		s.runTo(t, 0, step)
		for _, n := range s.world.Nodes {
			if n.Cell == "c" {
				n.Attached, n.Away = false, lostAfter
			}
		}
		s.run(t, "a node in prod that canary reaches: cell c")
		for range 100 {
			s.settle()
			s.pass(time.Minute)
		}
		if s.state.Seq > 20 {
			t.Errorf("%s: %d events while it is away", step, s.state.Seq)
		}
		s.attach("c")
		s.run(t, "")
		if s.state.Outcome.Result != Succeeded {
			t.Errorf("%s: it ended %+v", step, s.state.Outcome)
		}
	}
}

// TestProbesBackOff: rounds that find nothing out are fewer and fewer, and an answer is heard at once.
func TestProbesBackOff(t *testing.T) {
	for _, c := range []struct {
		name string
		says *fleet.Probed // what probers say; nil is nothing
		most int64         // rounds in a day
	}{{"neither is answered", &fleet.Probed{Candidate: "no route", Release: "no route"}, 600}, {"they say nothing", nil, 120}} {
		s := newScene()
		answer := func(p fleet.Probed) {
			i := s.world.Intents["c"]
			for name, n := range s.world.Nodes {
				if i.ProbeOf(name) != 0 {
					p.Deployment, p.Round = s.plan.ID, i.Probe.Round
					r := n.Programs["shop"]
					r.Probed = &p
					n.Programs["shop"] = r
				}
			}
		}
		for range 8640 {
			s.settle()
			if c.says != nil {
				answer(*c.says)
			}
			s.pass(10 * time.Second)
		}
		if s.state.Step != Probing || s.state.Round > c.most || s.state.Seq > 30 {
			t.Errorf("%s: %d rounds and %d events in a day, at %s; expected %d at most", c.name, s.state.Round, s.state.Seq, s.state.Step, c.most)
		}
		for range 20 {
			s.settle()
			answer(fleet.Probed{})
			s.pass(10 * time.Second)
		}
		if s.settle(); s.state.Step == Probing {
			t.Errorf("%s: once it is well it waits for %+v", c.name, s.state.Wait)
		}
	}
}
