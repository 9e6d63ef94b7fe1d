// What is different where tow itself is deployed.

package deploy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// ofTow reports whether the plan is to upgrade tow itself. Then
//
//   - only nodes count that follow such deployments (see [World.upgradable]);
//   - nothing is compared, as no request is tow's own: what speaks against a candidate is that
//     nodes die of it, cannot run it, do not come back, or no longer run what they ran;
//   - a node that takes the candidate up starts anew, and is away meanwhile: it is waited for;
//   - from "" is from the tow that is installed, which may differ from node to node.
func (p *Plan) ofTow() bool { return p.Program == release.Tow }

// UpgradePipeline is how tow itself is upgraded without being told otherwise.
func UpgradePipeline() Pipeline {
	const bake = 5 * time.Minute
	return Pipeline{Stages: []Stage{
		{Name: "wave 1", Kind: Wave, Share: 0.05, Bake: bake},
		{Name: "wave 2", Kind: Wave, Share: 0.25, Bake: bake},
		{Name: "wave 3", Kind: Wave, Share: 1, Bake: bake},
	}}
}

// PipelineOf is how a program is deployed without being told otherwise.
func PipelineOf(program string) Pipeline {
	if program == release.Tow {
		return UpgradePipeline()
	}
	return DefaultPipeline()
}

// checkTow says what is wrong with a plan to upgrade tow.
func (p *Plan) checkTow() error {
	for i := range p.Stages {
		s := &p.Stages[i]
		if p.ofTow() && (s.Kind == Onebox || s.Requests > 0) {
			return refuse("the stage %s is an onebox, or waits for requests, and tow itself answers none: upgrade it in waves that bake (\"onebox = false\")", s.Name)
		}
	}
	return nil
}

// upgradable leaves the nodes that follow deployments of tow.
func (w *World) upgradable() {
	for name, n := range w.Nodes {
		if !n.Follows(release.Tow) {
			delete(w.Nodes, name)
		}
	}
}

// counts reports whether the plan waits for a node to do what it shall: one that is attached,
// and of an upgrade one that may be starting anew as well.
func (p *Plan) counts(n *Node) bool { return n.Attached || p.ofTow() && !n.lost() }

// blame is whose doing it is that nodes die of the candidate, or cannot run it.
func (p *Plan) blame() Blame {
	if p.ofTow() {
		return TheUpgrade
	}
	return YourCode
}

// tried is what nodes try out before a stage.
func (p *Plan) tried() string {
	if p.ofTow() {
		return "the new tow"
	}
	return "what both releases call"
}

// ranBy is a release of a program, for people.
func ranBy(program string, d release.Digest) string {
	switch {
	case d != "":
		return d.Short()
	case program == release.Tow:
		return "the tow that is installed"
	}
	return "nothing"
}

// Brings is what the plan's program runs when all went well, for people.
func (p *Plan) Brings() string { return ranBy(p.Program, p.Release) }

// recede has cells run again what they ran, by as many nodes at a time as may be unavailable, and
// one at least: each of them starts anew. It reports whether all are to. Nodes that say that they
// cannot are not waited for, nor those that a person leaves behind.
func (m *move) recede() bool {
	m.leaveReceding()
	var waits []string
	for _, cell := range m.w.cells() {
		if !m.intendedIn(cell, m.s.From) {
			if text := m.recedeIn(cell); text != "" {
				waits = append(waits, text)
			}
		}
	}
	switch {
	case len(m.intents) > 0:
	case len(waits) > 0:
		m.wait(takeUp, "%s (or tow deploy leave %s)", strings.Join(waits[:min(len(waits), 3)], "; "), m.p.ID)
	default:
		return true
	}
	return false
}

// leaveReceding notes whom a person leaves behind: the nodes that were told to change back, which are
// those that the reach of then has no more, and those whose turn is later.
func (m *move) leaveReceding() {
	ask := m.newLeave()
	if ask == nil {
		return
	}
	var left []string
	reach := maps.Clone(m.s.LeftReach)
	for _, cell := range m.w.cells() {
		changing, _ := m.receding(cell)
		if i := m.w.Intents[cell]; len(changing) > 0 {
			if reach == nil {
				reach = map[string]float64{}
			}
			reach[cell] = i.Reach
			left = append(left, changing...)
		}
		left = append(left, m.w.back(m.w.Intents[cell])...)
	}
	m.s.LeftReach, m.s.LeftAt = reach, &ask.At
	m.event(EventReturns, "goes on, and leaves behind %s: %s", or(some(left), "no node"), m.asked(AskLeave))
}

// leftBehind reports whether a person has left a node behind, of which the deployment goes back.
func (m *move) leftBehind(name string) bool {
	i := m.w.Intents[m.w.Nodes[name].Cell]
	if !m.p.ofTow() || m.s.LeftAt == nil || i == nil || i.Deployment != m.p.ID {
		return false
	}
	if _, later := i.Later[name]; later {
		return true
	}
	reach, left := m.s.LeftReach[m.w.Nodes[name].Cell]
	return left && fleet.Order(m.p.ID, name) >= reach
}

// receding are a cell's nodes that were told to run again what they ran, and are waited for; and
// how many others are away.
func (m *move) receding(cell string) (changing []string, away int) {
	i := m.w.Intents[cell]
	if i == nil || i.Deployment != m.p.ID {
		return nil, 0
	}
	for _, name := range m.w.nodesIn(cell) {
		n := m.w.Nodes[name]
		told := i.RoleOf(name).Main == m.s.From && n.Programs[m.p.Program].Main != m.s.From
		switch {
		case told && m.cannot(name) == nil && !m.leftBehind(name):
			changing = append(changing, name)
		case !n.Attached:
			away++
		}
	}
	return changing, away
}

// recedeIn takes some nodes of a cell back, and says what it waits for. What they are taken back from is the
// candidate that all of them have at first, where that had succeeded.
func (m *move) recedeIn(cell string) string {
	i := m.w.Intents[cell]
	if i != nil && i.Deployment != m.p.ID && i.Release != m.s.From {
		m.intend(cell, func(next *fleet.Intent) { *next = fleet.Intent{Release: m.s.From, Candidate: i.Release, Reach: 1} })
		return ""
	}
	if i != nil && m.takeTurns(cell) {
		return ""
	}
	nodes, have := m.w.inTurn(cell), 0
	if i != nil && i.Deployment == m.p.ID {
		have = within(i, nodes)
	}
	if have == 0 {
		m.intend(cell, func(i *fleet.Intent) { *i = fleet.Intent{Release: m.s.From} })
		return ""
	}
	changing, away := m.receding(cell)
	// Those that are away may be so for what is taken back: that goes on, if one by one.
	room := max(1, int(m.unavailable()*float64(len(m.w.nodesIn(cell))))-away) - len(changing)
	if room <= 0 {
		return fmt.Sprintf("%s of %s to run %s again, before others do", some(changing), cell, ranBy(m.p.Program, m.s.From))
	}
	to := fleet.ReachOf(m.p.ID, nodes, have-room)
	m.intend(cell, func(i *fleet.Intent) { i.Reach = min(i.Reach, to) })
	return ""
}

// unwell is what is wrong with nodes since they were to become another tow; nil is nothing. A node
// that is lost meanwhile may be so for another reason, as nobody can tell: to go back is safe.
func (m *move) unwell() *Outcome {
	if !m.p.ofTow() {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		n := m.w.Nodes[name]
		r, i := n.Programs[release.Tow], m.w.Intents[n.Cell]
		if r.Deployment != m.p.ID || i == nil || i.RoleOf(name).Main != m.p.Release {
			continue
		}
		if n.lost() && r.Main != m.p.Release {
			return &Outcome{Result: Returned, Blame: TheUpgrade, Why: fmt.Sprintf("the node %s has not come back as the new tow, for %s", name, lostAfter)}
		}
		if r.Main != m.p.Release {
			continue
		}
		for _, program := range slices.Sorted(maps.Keys(n.Programs)) {
			of := n.Programs[program]
			for _, t := range of.Troubles {
				if program != release.Tow && of.Main == "" && t.Kind.Final() {
					return &Outcome{Result: Returned, Blame: TheUpgrade, Why: fmt.Sprintf("the node %s, which runs it, cannot run %s", name, program), Evidence: t.Text}
				}
			}
		}
	}
	return nil
}

// under reports whether a node is to run the candidate, and does not yet.
func (m *move) under(i *fleet.Intent, name string) bool {
	n := m.w.Nodes[name]
	return m.p.counts(n) && i.RoleOf(name).Main == m.p.Release && n.Programs[m.p.Program].Main != m.p.Release
}

// mostLost is of how many nodes of a cell that are lost it is remembered that they take turns. An intent
// is heard by each node of the cell, and names of machines that are gone for good collect in it.
const mostLost = 1000

// later are the nodes of a cell that do not change to another tow yet, though the cell's next intent has them do,
// and what they run: those that are lost and were not told to change before, and of those that were and are back
// the ones for which there is no room among as many as may be unavailable. Else all of a cell that was cut off
// would start anew when it is back. Who waits has its turn once the intent has it run to, what all are to run in
// the end: nobody becomes another tow on the way there. Who was told, and comes back as what it was told to
// become, stays that.
func (w *World) later(cell string, next *fleet.Intent, to release.Digest, unavailable float64) map[string]release.Digest {
	was := w.Intents[cell]
	if was == nil {
		was = &fleet.Intent{}
	}
	told := *next
	told.Later = nil
	all := map[string]release.Digest{}
	var back, lost []string
	nodes, busy := 0, 0
	for _, name := range w.allIn(cell) {
		n := w.Nodes[name]
		r := n.Programs[release.Tow]
		runs, would := r.Main, told.RoleOf(name).Main
		_, waits := was.Later[name]
		waits = runs != would && (waits || n.lost() && was.RoleOf(name).Main != would)
		t := r.Trouble(would)
		cannot := t != nil && t.Kind.Final()
		if !n.lost() {
			nodes++
		}
		switch {
		case waits && n.lost():
			lost = append(lost, name)
		case waits && n.Attached && would == to:
			back = append(back, name)
		case waits:
			all[name] = runs
		case n.lost():
		case !n.Attached, runs != would && !cannot:
			busy++
		}
	}
	room := max(1, int(unavailable*float64(nodes))) - busy
	back = back[min(max(0, room), len(back)):]
	slices.SortStableFunc(lost, func(a, b string) int { return cmp.Compare(w.Nodes[a].Away, w.Nodes[b].Away) })
	for _, name := range slices.Concat(back, lost[:min(len(lost), mostLost)]) {
		all[name] = w.Nodes[name].Programs[release.Tow].Main
	}
	return all
}

// back are nodes that are attached again, and wait for their turn.
func (w *World) back(i *fleet.Intent) (all []string) {
	if i == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(i.Later)) {
		if n := w.Nodes[name]; n != nil && n.Attached {
			all = append(all, name)
		}
	}
	return all
}

// inTurn are a cell's nodes that are or may come back, but for those whose turn is later.
func (w *World) inTurn(cell string) []string {
	i := w.Intents[cell]
	return slices.DeleteFunc(w.nodesIn(cell), func(name string) bool {
		if i == nil {
			return false
		}
		_, later := i.Later[name]
		return later
	})
}

// later are the nodes of a cell that do not change yet to what its next intent has them run. Of a program there
// are none.
func (m *move) later(cell string, next *fleet.Intent) map[string]release.Digest {
	if !m.p.ofTow() {
		return nil
	}
	to := m.p.Release
	if m.s.Phase == Returning {
		to = m.s.From
	}
	return m.w.later(cell, next, to, m.unavailable())
}

// takeTurns has nodes of a cell be later, or have their turn, and reports whether that changes
// something.
func (m *move) takeTurns(cell string) bool {
	i := m.w.Intents[cell]
	if maps.Equal(i.Later, m.later(cell, i)) {
		return false
	}
	m.intend(cell, func(*fleet.Intent) {})
	return true
}
