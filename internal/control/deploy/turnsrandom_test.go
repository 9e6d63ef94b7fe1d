package deploy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// TestTurnsAtRandom: whatever upgrades come, end and are taken back while racks and cells are cut off and are back,
// no more nodes of a cell are told to start anew at once than may be unavailable, beside those that were
// lost after they were told; and in the end all run what is to run.
func TestTurnsAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		f := newTows(seed)
		for range 200 {
			f.happen()
			f.tick(t)
		}
		f.calm(t)
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, f.log)
		}
	}
}

// tows is a fleet that is upgraded, told what it is told by what a controller knows.
type tows struct {
	random *rand.Rand
	r      *replica
	s      *scene                    // the deployment under way; its state is nil where there is none
	back   map[string]time.Duration  // nodes that start anew or are cut off, until when
	to     map[string]release.Digest // what those that start anew become
	told   map[string]bool           // nodes that were told to start anew, and were lost before it was heard of
	now    time.Duration
	last   int
	log    []string
}

func newTows(seed uint64) *tows {
	f := &tows{random: rand.New(rand.NewPCG(seed, 3)), r: newReplica(nil), back: map[string]time.Duration{}, to: map[string]release.Digest{}, told: map[string]bool{}}
	f.s = newUpgrade()
	f.s.state = nil
	f.s.world = &World{Head: &Head{}, Nodes: map[string]*Node{}, Intents: map[string]*fleet.Intent{}, Asks: map[AskKind]Ask{}}
	for k := range 24 {
		name := fmt.Sprintf("n%02d", k)
		f.s.world.Nodes[name] = &Node{Attached: true, Status: &fleet.Status{Cell: fmt.Sprint("c", k%2), Upgrades: "linux/amd64", Programs: map[string]fleet.Running{}}}
	}
	f.r.intents["prod/"+release.Tow], f.r.nodes["prod"] = f.s.world.Intents, map[string]*fleet.Status{}
	return f
}

func (f *tows) note(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf("\n%s ", f.now)+fmt.Sprintf(format, args...))
}

// happen has something happen, or nothing.
func (f *tows) happen() {
	names := slices.Sorted(maps.Keys(f.s.world.Nodes))
	switch f.random.IntN(12) {
	case 0: // a rack is cut off, for some minutes or an hour
		from, n, away := f.random.IntN(len(names)), 1+f.random.IntN(12), time.Duration(1+f.random.IntN(30))*time.Minute
		for k := range n {
			name := names[(from+2*k)%len(names)] // of one cell
			f.back[name] = max(f.back[name], f.now+away)
			f.s.world.Nodes[name].Attached = false
		}
		f.note("%d from %s are cut off for %s", n, names[from], away)
	case 1, 2:
		if f.s.state == nil {
			f.deploy()
			return
		}
		f.s.world.Asks[AskBack] = Ask{By: "ann", At: f.s.now}
		f.note("%s goes back", f.s.plan.ID)
	}
}

// deploy begins a deployment, or one that takes the last one back.
func (f *tows) deploy() {
	f.last++
	h := f.s.world.Head
	undoes := ""
	if len(h.Recent) > 0 && f.s.plan.Undoes == "" && f.s.plan.Release == h.Current && f.random.IntN(2) == 0 {
		undoes = f.s.plan.ID
	}
	f.s.plan = &Plan{
		ID: fmt.Sprint("tow.prod.", f.last), Program: release.Tow, Environment: "prod", Release: digest(fmt.Sprint("T", f.random.IntN(4))),
		Undoes: undoes, Pipeline: UpgradePipeline(),
	}
	f.s.plan.Unavailable = 0.2
	f.s.world.Asks = map[AskKind]Ask{}
	f.s.state = &State{Phase: Queued}
	h.Active = f.s.plan.ID
	if undoes != "" {
		f.s.plan.Release = h.Previous
		f.s.state, _ = f.s.plan.born(Ask{By: "ann"})
	}
	f.r.plans[f.s.plan.ID] = f.s.plan
	f.note("%s brings %s, undoes %q", f.s.plan.ID, f.s.plan.Brings(), undoes)
}

// tick has the controller say what it says, nodes do what they are told, and half a minute pass.
func (f *tows) tick(t *testing.T) {
	if f.s.state != nil {
		f.s.settle()
		if f.s.state.Phase == Ended {
			f.note("ended: %+v", *f.s.state.Outcome)
			f.s.state = nil
		}
	} else {
		f.turns()
	}
	f.obey(t)
	f.now += 30 * time.Second
	f.s.pass(30 * time.Second)
	for name, n := range f.s.world.Nodes {
		if n.Attached {
			continue
		}
		n.Away += 30 * time.Second
		if f.now >= f.back[name] {
			n.Attached, n.Away = true, 0
			if to, anew := f.to[name]; anew {
				r := n.Programs[release.Tow]
				r.Main = to
				n.Programs[release.Tow] = r
				delete(f.to, name)
			}
		}
	}
}

// turns are those that nodes have while nothing is under way.
func (f *tows) turns() {
	clear(f.r.attached)
	clear(f.r.away)
	for name, n := range f.s.world.Nodes {
		f.r.nodes["prod"][name] = n.Status
		if n.Attached {
			f.r.attached[name] = "prod"
		} else {
			f.r.away["prod/"+name] = time.Now().Add(-n.Away)
		}
	}
	for cell, i := range f.r.turns("prod") {
		f.s.world.Intents[cell] = i
	}
}

// obey has attached nodes do what they are told.
func (f *tows) obey(t *testing.T) {
	start := map[string][]string{}
	for name, n := range f.s.world.Nodes {
		i := f.s.world.Intents[n.Cell]
		if i == nil {
			continue
		}
		if n.lost() && i.RoleOf(name).Main != n.Programs[release.Tow].Main {
			f.told[name] = true
		}
		if _, anew := f.to[name]; anew && !n.lost() && !f.told[name] {
			start[n.Cell] = append(start[n.Cell], name)
		}
		if !n.Attached {
			continue
		}
		r, role := n.Programs[release.Tow], i.RoleOf(name)
		r.Deployment = i.Deployment
		if round := i.ProbeOf(name); round != 0 {
			r.Probed = &fleet.Probed{Deployment: i.Deployment, Round: round}
		}
		n.Programs[release.Tow] = r
		switch {
		case r.Main == role.Main:
			delete(f.told, name)
		default:
			if !f.told[name] {
				start[n.Cell] = append(start[n.Cell], name)
			}
			n.Attached, f.to[name], f.back[name] = false, role.Main, f.now+30*time.Second
		}
	}
	for cell, names := range start {
		const most = 2 // a fifth of twelve
		if len(names) > most {
			t.Errorf("%v of %s start anew at once; expected %d at most", names, cell, most)
		}
	}
}

// calm has nothing more happen, and sees that all run what is to run.
func (f *tows) calm(t *testing.T) {
	for range 2000 {
		if t.Failed() {
			return
		}
		f.tick(t)
	}
	if f.s.state != nil {
		t.Errorf("it is at %s, stage %d, %s, and waits for %+v", f.s.state.Phase, f.s.state.Stage, f.s.state.Step, f.s.state.Wait)
		return
	}
	for name, n := range f.s.world.Nodes {
		if len(f.s.world.Intents[n.Cell].Later) > 0 || n.Programs[release.Tow].Main != f.s.world.Head.Current {
			t.Errorf("%s runs %q, and is told %+v", name, n.Programs[release.Tow].Main, f.s.world.Intents[n.Cell])
		}
	}
}
