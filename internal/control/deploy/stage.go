package deploy

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/fleet"
)

// gate lets a stage begin.
func (m *move) gate() {
	stage := m.stage()
	if !m.open(false) {
		return
	}
	types, known := m.approvalOfTypes()
	if !known {
		m.wait(0, "%s", types)
		return
	}
	why := ""
	if m.p.Irreversible != "" && m.s.Stage == 0 {
		why = ", as it cannot be taken back: " + m.p.Irreversible
	}
	if types != "" {
		why += ", " + types
	}
	a, approved := m.w.Asks[AskApprove]
	approved = approved && a.Stage >= m.s.Stage && (types == "" || !a.Early)
	if len(m.s.PassedOver) > 0 && !m.allLeft() {
		why += fmt.Sprintf(", as %s reached none but cells that are left behind", some(m.s.PassedOver))
		approved = approved && (m.s.Approved == nil || !m.s.Approved.Equal(a.At))
	}
	if !approved && (stage.Approval || why != "") {
		m.wait(0, "an approval of %s%s: tow deploy approve %s", stage.Name, why, m.p.ID)
		return
	}
	if m.nobody() {
		return
	}
	m.forward = true
	m.event(EventStageBegun, "%s begins in %s", stage.Name, strings.Join(m.w.targets(stage), ", "))
	m.s.Failed, m.s.Unanswered, m.s.Baked, m.s.Entered = 0, 0, 0, m.now
	m.s.PassedOver, m.s.Approved = nil, nil
	m.askProbes()
}

// nobody reports whether the stage reaches no node that is there. It waits for one; a person may leave cells
// behind that are lost, or have no nodes any more, and then the stage is passed over.
func (m *move) nobody() bool {
	m.leaveCells()
	if !m.deserted() {
		return false
	}
	stage := m.stage()
	awaited := slices.DeleteFunc(m.w.targets(stage), m.leftCell)
	switch {
	case m.allLeft():
		m.event(EventStagePassed, "%s is passed over, as it reaches none but cells that are left behind", stage.Name)
		m.s.PassedOver = append(slices.Clone(m.s.PassedOver), stage.Name)
		if a, ok := m.w.Asks[AskApprove]; ok { // it was of what was to come before
			m.s.Approved = &a.At
		}
		m.onwards()
	case len(m.w.attached()) == 0 || slices.ContainsFunc(awaited, func(cell string) bool { return len(m.w.nodesIn(cell)) > 0 }) || len(awaited) == 0:
		next := m.awayFrom(awaited)
		if len(m.w.Nodes) == 0 {
			next = fmt.Sprintf(": \"tow join-token create --env %s\" lets nodes in", m.p.Environment)
		}
		m.wait(0, "a node in %s that %s reaches%s%s", m.p.Environment, stage.Name, stage.where(), next)
	default:
		m.waitFor(awaited, 0, "a node in %s that %s reaches%s%s (or tow deploy leave %s)", m.p.Environment, stage.Name, stage.where(), m.awayFrom(awaited), m.p.ID)
	}
	return true
}

// awayFrom names nodes of cells that have none that is attached.
func (m *move) awayFrom(cells []string) string {
	var away []string
	for _, cell := range cells {
		away = append(away, m.w.allIn(cell)...)
	}
	if len(away) == 0 {
		return ""
	}
	return " (away: " + some(away) + ")"
}

// leftCell reports whether a person has left a cell behind, and allLeft whether the stage reaches no other.
func (m *move) leftCell(cell string) bool { return slices.Contains(m.s.LeftCells, cell) }

func (m *move) allLeft() bool {
	targets := m.w.targets(m.stage())
	return len(targets) > 0 && m.deserted() && !slices.ContainsFunc(targets, func(cell string) bool { return !m.leftCell(cell) })
}

// deserted reports whether the stage's cells have no node that counts.
func (m *move) deserted() bool {
	for _, cell := range m.w.targets(m.stage()) {
		if slices.ContainsFunc(m.w.nodesIn(cell), func(name string) bool { return m.p.counts(m.w.Nodes[name]) }) {
			return false
		}
	}
	return true
}

// proberCount is how many nodes of a cell try out what is called.
const proberCount = 2

// askProbes begins a round of probing.
func (m *move) askProbes() {
	m.s.Round++
	m.step(Probing)
	m.tellProbers()
}

// tellProbers has nodes of each cell probe, and reports whether all know.
func (m *move) tellProbers() bool {
	know := true
	for _, cell := range m.w.targets(m.stage()) {
		if i := m.w.Intents[cell]; i != nil && i.Deployment == m.p.ID && i.Probe != nil && i.Probe.Round == m.s.Round {
			continue
		}
		know = false
		var by []string
		for _, name := range fleet.InOrder(m.p.ID, m.w.nodesIn(cell)) {
			if m.w.Nodes[name].Attached && len(by) < proberCount {
				by = append(by, name)
			}
		}
		m.intend(cell, func(i *fleet.Intent) {
			i.Candidate, i.Probe = m.p.Release, &fleet.Probe{Round: m.s.Round, By: by}
		})
	}
	return know
}

const (
	probeAgain   = 10 * time.Second // after a round that failed
	probesFailed = 3                // rounds of the candidate's alone, and it goes back
	probeTime    = time.Minute      // for a round, before others are asked
)

// backedOff is a time after rounds that found nothing out: it doubles, up to sixteen times.
func (m *move) backedOff(d time.Duration) time.Duration { return d << min(m.s.Unanswered, 4) }

// probeAnew begins a round after one that found nothing out.
func (m *move) probeAnew() {
	m.s.Unanswered++
	wait := m.s.Wait
	m.askProbes()
	m.s.Wait = wait
}

// probe looks at what nodes found out about what both releases call.
func (m *move) probe() {
	if m.nobody() || !m.tellProbers() {
		return
	}
	again := m.backedOff(probeAgain)
	var away, missing, well, both, alone, own []string
	evidence := ""
	for _, cell := range m.w.targets(m.stage()) {
		for _, name := range m.w.Intents[cell].Probe.By {
			n := m.w.Nodes[name]
			if n == nil || !n.Attached {
				away = append(away, name)
				continue
			}
			switch got := n.Programs[m.p.Program].Probed; {
			case !got.In(m.p.ID, m.s.Round):
				missing = append(missing, name)
			case got.Candidate == "":
				well = append(well, name)
			case got.Own: // whatever the release's are
				own, evidence = append(own, name), got.Candidate
			case got.Release != "" || m.s.From == "":
				both, evidence = append(both, name), or(evidence, got.Candidate)
			default:
				alone, evidence = append(alone, name), or(evidence, got.Candidate)
			}
		}
	}
	failed := append(append(alone, both...), own...)
	switch {
	case len(missing) > 0 && m.s.Wait != nil && m.s.Unanswered+m.s.Failed > 0 && m.elapsed() < probeAgain:
		m.look(probeAgain - m.elapsed()) // what is waited for is still so, until the round says otherwise
	case len(missing) > 0 && m.elapsed() < m.backedOff(probeTime):
		m.wait(m.backedOff(probeTime)-m.elapsed(), "%s to try out %s", some(missing), m.p.tried())
	case len(well)+len(failed) == 0 && (len(missing) > 0 || m.elapsed() >= again): // others may know more
		m.probeAnew()
	case len(well)+len(failed) == 0:
		m.wait(again-m.elapsed(), "nodes that can try out %s: %s", m.p.tried(), or(some(away), "none is attached"))
	case len(failed) == 0:
		m.event(EventStageProbed, "%s answers", m.p.tried())
		m.step(Reach)
		m.forward = true
	case m.elapsed() < again:
		what := "neither release's calls are answered"
		if len(both) == 0 {
			what = "the candidate's calls are not answered"
		}
		m.wait(again-m.elapsed(), "what is called to be there (%s at %s: %s)", what, some(failed), evidence)
	default:
		if len(both) > 0 && len(own) == 0 { // it is not the candidate's
			m.s.Failed = 0
			m.probeAnew()
			return
		}
		if m.s.Failed++; m.s.Failed >= probesFailed {
			o := Outcome{Result: Returned, Blame: YourDependency, Evidence: evidence, Why: "what it calls does not answer it, and answers the release that runs: " + some(failed)}
			if len(own) > 0 {
				o.Blame, o.Why = YourCode, "a file of its own environment is not what it needs: "+some(own)
			}
			m.goBack(o)
			return
		}
		m.probeAnew()
		m.s.Unanswered = 0
	}
}

// reach has the stage's nodes take the candidate up.
func (m *move) reach() {
	if f := m.w.frozen(m.p, m.now); f != nil {
		m.wait(m.until(f.Until), "the freeze of %s to end: %s", f.By, f.Why)
		return
	}
	m.forward = true
	if m.stage().Kind == Onebox && m.s.From != "" {
		m.reachOnebox()
		return
	}
	m.reachWave()
}

// reachOnebox chooses the onebox, and waits until it serves both.
func (m *move) reachOnebox() {
	stage := m.stage()
	n := m.w.Nodes[m.s.Onebox]
	gone := n == nil || !n.Attached || m.s.Onebox == ""
	late := !gone && m.elapsed() >= takeUp && !m.oneboxServes() // who knows why
	if name := m.chooseOnebox(); gone || late && name != m.s.Onebox {
		if name == "" {
			if !m.nobody() {
				m.wait(0, "a node that can be the onebox%s", stage.where())
			}
			return
		}
		m.step(Reach)
		m.s.Onebox = name
		for _, cell := range m.w.cells() {
			if i := m.w.Intents[cell]; cell != m.w.Nodes[name].Cell && i != nil && i.Onebox != "" {
				m.intend(cell, func(i *fleet.Intent) { i.Onebox, i.Share = "", 0 })
			}
		}
		m.intend(m.w.Nodes[name].Cell, func(i *fleet.Intent) {
			i.Candidate, i.Onebox, i.Share = m.p.Release, name, stage.Share
		})
		m.event(EventStageReaches, "%s gives the candidate %.3g%% of its requests", name, 100*stage.Share)
		return
	}
	if i := m.w.Intents[n.Cell]; i == nil || i.Onebox != m.s.Onebox || i.Share != stage.Share {
		m.intend(n.Cell, func(i *fleet.Intent) { i.Candidate, i.Onebox, i.Share = m.p.Release, m.s.Onebox, stage.Share })
		return
	}
	if !m.oneboxServes() {
		m.wait(max(takeUp-m.elapsed(), time.Minute), "%s to have the candidate beside the release", m.s.Onebox)
		return
	}
	m.beginBaking()
}

// oneboxServes reports whether the onebox serves both releases, as intended.
func (m *move) oneboxServes() bool {
	n := m.w.Nodes[m.s.Onebox]
	if n == nil || !n.Attached {
		return false
	}
	r := n.Programs[m.p.Program]
	return r.Main == m.s.From && r.Beside == m.p.Release && r.Share == m.stage().Share
}

// chooseOnebox is the node that is named, or the first one in the deployment's order, after the one
// that it is now. One that does not run what runs is so only where all are: it may not be able to.
func (m *move) chooseOnebox() string {
	stage := m.stage()
	var fit, other []string
	for _, cell := range m.w.targets(stage) {
		for _, name := range fleet.InOrder(m.p.ID, m.w.nodesIn(cell)) {
			switch n := m.w.Nodes[name]; {
			case !n.Attached || stage.Node != "" && stage.Node != name:
			case n.Programs[m.p.Program].Main == m.s.From:
				fit = append(fit, name)
			default:
				other = append(other, name)
			}
		}
	}
	if len(fit) == 0 {
		fit = other
	}
	if len(fit) == 0 {
		return ""
	}
	return fit[(slices.Index(fit, m.s.Onebox)+1)%len(fit)]
}

// reachWave raises the reach of the stage's cells, by as many nodes as may be under change.
func (m *move) reachWave() {
	if m.nobody() {
		return
	}
	var waits, away []string
	last := time.Duration(0)
	for _, cell := range m.w.targets(m.stage()) {
		if lost := m.w.lostIn(cell); len(lost) > 0 && !slices.Contains(m.s.LeftCells, cell) {
			away = append(away, cell)
			continue
		}
		if text, within := m.reachCell(cell); text != "" {
			waits = append(waits, text)
			last = max(last, within)
		}
	}
	if len(away) > 0 && len(waits) == 0 {
		waits, last = []string{fmt.Sprintf("a node of the cell %s to be attached again, as all are away (or tow deploy leave %s)", some(away), m.p.ID)}, 0
	}
	switch {
	case len(m.intents) > 0:
		m.event(EventStageReaches, "%s reaches further: %s", m.stage().Name, m.reached())
	case len(waits) > 0:
		m.waitFor(away, last, "%s", strings.Join(waits[:min(len(waits), 3)], "; "))
	default:
		m.beginBaking()
	}
}

// leaveCells notes which cells a person leaves behind: those that were waited for. They take up what
// is intended when they are back.
func (m *move) leaveCells() {
	ask := m.newLeave()
	if ask == nil {
		return
	}
	m.s.LeftAt, m.moved = &ask.At, true
	if w := m.s.Wait; w != nil && len(w.Cells) > 0 {
		m.s.LeftCells = append(slices.Clone(m.s.LeftCells), w.Cells...)
		m.event(EventStageReaches, "%s goes on, and leaves behind the cell %s: %s", m.stage().Name, some(w.Cells), m.asked(AskLeave))
	}
}

// reached is how far the cells are reached with what is about to be written.
func (m *move) reached() string {
	var all []string
	for _, cell := range m.w.targets(m.stage()) {
		i := m.intents[cell]
		if i == nil {
			i = m.w.Intents[cell]
		}
		if i != nil {
			nodes := m.w.nodesIn(cell)
			all = append(all, fmt.Sprintf("%d of %d nodes of %s", within(i, nodes), len(nodes), cell))
		}
	}
	if len(all) > 5 {
		all = append(all[:5], fmt.Sprintf("and %d cells more", len(all)-5))
	}
	return strings.Join(all, ", ")
}

// within is how many of the nodes an intent has run the candidate.
func within(i *fleet.Intent, nodes []string) int {
	if i.Candidate == "" {
		return 0
	}
	n := 0
	for _, name := range nodes {
		if i.RoleOf(name).Main == i.Candidate {
			n++
		}
	}
	return n
}

// recoil lowers the reach of cells that have grown, as nodes that join take the candidate up whose
// place in the order is before that of those that were there: a trial is of so many of a cell, however many it has.
// It reports whether it did. Nobody has tow change twice for it.
func (m *move) recoil() bool {
	if m.p.ofTow() {
		return false
	}
	shares := map[string]float64{} // that the cells' stages so far reach
	for k := range m.s.Stage + 1 {
		stage := &m.p.Stages[k]
		if stage.Kind == Onebox && m.s.From != "" || k == m.s.Stage && (m.s.Step == Gate || m.s.Step == Probing) {
			continue
		}
		for _, cell := range m.w.targets(stage) {
			shares[cell] = max(shares[cell], stage.Share)
		}
	}
	var all []string
	for _, cell := range slices.Sorted(maps.Keys(shares)) {
		i, nodes := m.w.Intents[cell], m.w.nodesIn(cell)
		want := shareOf(shares[cell], nodes)
		if i == nil || i.Deployment != m.p.ID || within(i, nodes) <= want {
			continue
		}
		m.intend(cell, func(i *fleet.Intent) { i.Reach = min(i.Reach, fleet.ReachOf(m.p.ID, nodes, want)) })
		all = append(all, fmt.Sprintf("%d of %d nodes of %s", want, len(nodes), cell))
	}
	if len(all) > 0 {
		m.event(EventStageReaches, "%s reaches less, as there are more nodes: %s", m.stage().Name, some(all))
	}
	return len(all) > 0
}

// shareOf is how many nodes a share of them is.
func shareOf(share float64, nodes []string) int {
	return int(math.Ceil(share*float64(len(nodes)) - 1e-9))
}

// reachCell reaches further in a cell if it has to, and says what it waits for, and for how long
// at most as a rule.
func (m *move) reachCell(cell string) (string, time.Duration) {
	i := m.w.Intents[cell]
	if i == nil {
		i = &fleet.Intent{Deployment: m.p.ID, Release: m.s.From}
	}
	if i.Candidate != m.p.Release || i.Deployment != m.p.ID { // the cell is new
		m.intend(cell, func(i *fleet.Intent) { i.Candidate, i.Reach = m.p.Release, 0 })
		return "", 0
	}
	if m.takeTurns(cell) {
		return "", 0
	}
	nodes := m.w.inTurn(cell)
	want := shareOf(m.stage().Share, nodes)
	have := within(i, nodes)
	var away, changing []string
	for _, name := range nodes {
		switch {
		case m.under(i, name):
			changing = append(changing, name)
		case !m.w.Nodes[name].Attached:
			away = append(away, name)
		}
	}
	if have >= want {
		if len(changing) > 0 {
			return fmt.Sprintf("%s of %s to run the candidate", some(changing), cell), takeUp
		}
		if m.stage().Share == 1 && i.Reach < 1 {
			m.intend(cell, func(i *fleet.Intent) { i.Reach = 1 })
			return "", 0
		}
		if back := m.w.back(i); m.stage().Share == 1 && len(back) > 0 {
			return fmt.Sprintf("a turn of %s of %s, which were away when it was theirs", some(back), cell), takeUp
		}
		return "", 0
	}
	may := max(1, int(m.unavailable()*float64(len(nodes))))
	room := may - len(away) - len(changing)
	if room <= 0 {
		if len(away) >= may {
			gone := lostAfter // one of them is no longer waited for
			for _, name := range away {
				gone = min(gone, max(0, lostAfter-m.w.Nodes[name].Away))
			}
			return fmt.Sprintf("%s of %s to be attached again: %d of %d nodes may be away or under change at once", some(away), cell, may, len(nodes)), gone
		}
		return fmt.Sprintf("%s of %s to run the candidate", some(changing), cell), takeUp
	}
	to := fleet.ReachOf(m.p.ID, nodes, min(want, have+room))
	if m.stage().Share == 1 && have+room >= len(nodes) {
		to = 1
	}
	m.intend(cell, func(i *fleet.Intent) { i.Reach = max(i.Reach, to) })
	return "", 0
}

func (m *move) unavailable() float64 { return m.p.unavailable() }

// beginBaking begins to wait for evidence, or goes on with it.
func (m *move) beginBaking() {
	m.step(Baking)
	if m.s.Test != nil && m.s.Baked == 0 {
		m.s.Answered = m.s.Test.Requests.Candidate
		m.s.Test.Stage()
	}
	m.event(EventStageBakes, "%s bakes until %s at least", m.stage().Name, m.now.Add(m.stage().Bake-m.s.Baked).UTC().Format("15:04:05Z"))
}

// bake waits for evidence, and passes the stage with it.
func (m *move) bake() {
	stage := m.stage()
	if stage.Kind == Onebox && m.s.From != "" {
		if !m.oneboxServes() {
			m.reachAgain() // it is chosen anew, if it has to be
			return
		}
	} else if behind, of := m.behindWave(); behind > int(m.unavailable()*float64(of)) || m.deserted() {
		m.reachAgain()
		return
	}
	if left := stage.Bake - m.s.Baked - m.elapsed(); left > 0 {
		m.wait(left, "%s to bake", stage.Name)
		return
	}
	if text := m.lacks(); text != "" {
		m.look(silence)
		m.wait(0, "%s", text)
		return
	}
	m.pass()
}

// reachAgain sees to nodes that do not run the candidate any more. What has baked has.
func (m *move) reachAgain() {
	m.s.Baked += m.elapsed()
	m.step(Reach)
}

// behindWave is how many nodes of the stage do not run the candidate, as they shall, and how
// many shall. Where some come and go, as in a fleet that grows with what it is asked, others have
// evidence meanwhile.
func (m *move) behindWave() (behind, of int) {
	for _, cell := range m.w.targets(m.stage()) {
		i := m.w.Intents[cell]
		nodes := m.w.inTurn(cell)
		if i == nil || i.Candidate != m.p.Release {
			return len(nodes), 0
		}
		n := within(i, nodes)
		if of += n; n == 0 { // those that had it are gone
			behind += min(1, len(nodes))
		}
		for _, name := range nodes {
			if m.under(i, name) {
				behind++
			}
		}
	}
	return behind, of
}

// pass ends a stage, and begins the next one.
func (m *move) pass() {
	stage := m.stage()
	found := "there was nothing to compare it with"
	switch {
	case m.p.ofTow():
		found = "its nodes live"
	case m.s.From != "":
		found = m.s.Test.Summary(nil, nil).String()
	}
	m.event(EventStagePassed, "%s passed: %s", stage.Name, found)
	if m.s.Test != nil {
		m.s.Test.Stage() // it is looked at while the next one is held up, too
	}
	m.forward = true
	m.onwards()
}

// onwards begins the next stage, or finishes after the last one.
func (m *move) onwards() {
	if m.s.Onebox != "" { // it is of one stage
		m.s.Onebox = ""
		for _, cell := range m.w.cells() {
			if i := m.w.Intents[cell]; i != nil && i.Onebox != "" && slices.Contains(m.w.targets(m.stage()), cell) {
				m.intend(cell, func(i *fleet.Intent) { i.Onebox, i.Share = "", 0 })
			}
		}
	}
	if m.s.Stage++; m.s.Stage < len(m.p.Stages) {
		m.step(Gate)
		return
	}
	m.s.Stage = len(m.p.Stages) - 1
	m.phase(Finishing)
	m.event(EventFinishes, "all stages passed: %s becomes the release", m.p.Release.Short())
	m.intendAll(m.p.Release)
}
