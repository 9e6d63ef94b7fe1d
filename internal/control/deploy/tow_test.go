package deploy

import (
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// newUpgrade is a scene in which tow itself is deployed for the first time.
func newUpgrade() *scene {
	s := newScene()
	s.plan.ID, s.plan.Program, s.plan.Stages = "tow.prod.1", release.Tow, UpgradePipeline().Stages
	s.world.Head = &Head{Last: 1, Active: s.plan.ID}
	for _, n := range s.world.Nodes {
		n.Upgrades = "linux/amd64"
		n.Programs = map[string]fleet.Running{}
	}
	s.world.Heard = nil // no request is tow's own
	return s
}

// restart has the nodes that are to become another tow do so: at first they are away, and when
// it is called again they are back.
func (s *scene) restart() {
	for name, n := range s.world.Nodes {
		i := s.world.Intents[n.Cell]
		if i == nil {
			continue
		}
		r, role := n.Programs[release.Tow], i.RoleOf(name)
		r.Deployment = i.Deployment
		if round := i.ProbeOf(name); round != 0 {
			r.Probed = &fleet.Probed{Deployment: i.Deployment, Round: round}
		}
		switch {
		case r.Main == role.Main:
		case n.Attached:
			n.Attached = false
		default:
			n.Attached, r.Main = true, role.Main
		}
		n.Programs[release.Tow] = r
	}
}

// away are how many nodes are not attached.
func (s *scene) away() (n int) {
	for _, node := range s.world.Nodes {
		if !node.Attached {
			n++
		}
	}
	return n
}

// TestUpgrade: an upgrade goes from wave to wave without anything to compare, and waits for nodes
// that start anew, no more of them at once than may be unavailable.
func TestUpgrade(t *testing.T) {
	s := newUpgrade()
	baking := map[string]bool{}
	for range 200 {
		s.settle()
		if s.state.Phase == Ended {
			break
		}
		if s.away() > 2 {
			t.Fatalf("%d of 5 nodes are away at once", s.away())
		}
		if s.state.Step == Baking {
			baking[s.plan.Stages[s.state.Stage].Name] = true
			if s.away() > 0 {
				t.Errorf("%s bakes while a node starts anew", s.plan.Stages[s.state.Stage].Name)
			}
		}
		s.restart()
		s.pass(10 * time.Second)
	}
	if s.state.Outcome == nil || s.state.Outcome.Result != Succeeded || len(baking) != 3 {
		t.Fatalf("it ended %+v, with %v baked, and waits for %+v; expected success after three waves", s.state.Outcome, baking, s.state.Wait)
	}
	for name, n := range s.world.Nodes {
		if n.Programs[release.Tow].Main != s.plan.Release {
			t.Errorf("%s runs %+v", name, n.Programs[release.Tow])
		}
	}
}

// TestUpgradeThatDies: deaths of a node take an upgrade back, and it is the new tow's doing.
func TestUpgradeThatDies(t *testing.T) {
	s := newUpgrade()
	for s.state.Step != Baking {
		s.settle()
		s.restart()
	}
	dead := ""
	for name, n := range s.world.Nodes {
		if r := n.Programs[release.Tow]; r.Main == s.plan.Release {
			r.Main, r.Troubles = "", []fleet.Trouble{{Release: s.plan.Release, Kind: fleet.GaveUp, Count: 2}}
			n.Programs[release.Tow] = r
			dead = name
		}
	}
	told := ""
	for range 10 {
		for _, e := range s.move().Events {
			told += e.Text + "\n"
		}
		s.restart()
	}
	if o := s.state.Outcome; o == nil || o.Result != Returned || o.Blame != TheUpgrade || !strings.Contains(o.Evidence, dead) {
		t.Errorf("it ended %+v; expected it to go back as %s died", o, dead)
	}
	if !strings.Contains(told, "goes back to the tow that is installed: nodes died while they ran it") {
		t.Errorf("it told:\n%s", told)
	}
}

// TestUpgradeUnwell: what takes an upgrade back beside deaths.
func TestUpgradeUnwell(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(n *Node) // which runs the candidate
		because string        // "": it goes on
	}{
		{"it has not come back yet", func(n *Node) {
			n.Attached, n.Away = false, time.Minute
			n.Programs[release.Tow] = fleet.Running{Deployment: "tow.prod.1"}
		}, ""},
		{"it never comes back", func(n *Node) {
			n.Attached, n.Away = false, lostAfter
			n.Programs[release.Tow] = fleet.Running{Deployment: "tow.prod.1"}
		}, "has not come back as the new tow, for 10m0s"},
		{"it was gone before", func(n *Node) { n.Attached, n.Away = false, lostAfter; n.Programs[release.Tow] = fleet.Running{} }, ""},
		{"it goes later", func(n *Node) { n.Attached, n.Away = false, lostAfter }, ""},
		{"it cannot run what it ran", func(n *Node) {
			n.Programs["shop"] = fleet.Running{Troubles: []fleet.Trouble{{Release: digest("one"), Kind: fleet.Unfit, Text: "boom"}}}
		}, "which runs it, cannot run shop"},
		{"it cannot run a program's candidate", func(n *Node) {
			n.Programs["shop"] = fleet.Running{Main: digest("one"), Troubles: []fleet.Trouble{{Release: digest("two"), Kind: fleet.Unfit, Text: "boom"}}}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newUpgrade()
			for s.state.Step != Baking {
				s.settle()
				s.restart()
			}
			for _, n := range s.world.Nodes {
				if n.Programs[release.Tow].Main == s.plan.Release {
					c.change(n)
				}
			}
			s.settle()
			cause := s.state.Cause
			if (cause != nil) != (c.because != "") || cause != nil && (cause.Blame != TheUpgrade || !strings.Contains(cause.Why, c.because)) {
				t.Errorf("it goes back as %+v; expected %q", cause, c.because)
			}
		})
	}
}

// TestNobodyUpgrades: nodes that follow no deployments of tow are none of its.
func TestNobodyUpgrades(t *testing.T) {
	s := newUpgrade()
	for _, n := range s.world.Nodes {
		n.Upgrades = ""
	}
	s.world.upgradable()
	s.settle()
	s.waits(t, "a node in prod that wave 1 reaches")
}

// TestUpgradesPipeline: an upgrade has no onebox.
func TestUpgradesPipeline(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	service := Service{Store: store}
	p := Plan{Program: release.Tow, Environment: "prod", Release: digest("two"), Request: "r", Pipeline: DefaultPipeline()}
	if _, err := service.Create(t.Context(), p); err == nil || !strings.Contains(err.Error(), "upgrade it in waves") {
		t.Errorf("it says %v", err)
	}
	p.Pipeline = PipelineOf(release.Tow)
	if id, err := service.Create(t.Context(), p); err != nil || id != "tow.prod.1" {
		t.Errorf("it is %q (%v)", id, err)
	}
}
