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
	"towpath.dev/internal/control/verdict"
)

// A Move is what is to be written: all of it or nothing.
type Move struct {
	State   *State                   // nil: nothing is to be written
	Intents map[string]*fleet.Intent // by cell
	Head    *Head                    // nil: it stays
	Events  []Event
	// Forward: it takes the deployment further, which freezes forbid, and other programs'
	// deployments that began meanwhile may.
	Forward bool
	// After is in how long to look again, if nothing happens before; 0 is never.
	After time.Duration
}

// next says what is to be done now. It is pure.
func next(p *Plan, s *State, w *World, now time.Time) Move {
	m := &move{p: p, was: s, s: clone(s), w: w, now: now, intents: map[string]*fleet.Intent{}}
	m.count()
	switch s.Phase {
	case Queued:
		m.queued()
	case Running:
		m.running()
	case Finishing:
		m.finishing()
	case Returning:
		m.returning()
	}
	return m.result()
}

func clone(s *State) *State {
	c := *s
	if s.Test != nil {
		c.Test = s.Test.Clone()
	}
	return &c
}

// move is a Move in the making.
type move struct {
	p       *Plan
	was, s  *State
	w       *World
	now     time.Time
	intents map[string]*fleet.Intent
	head    *Head
	events  []Event
	forward bool
	after   time.Duration
	stepped bool // a step began
	moved   bool // more than the evidence has changed
}

// writtenAfter is for how long evidence, and that time has passed, is not written down.
const writtenAfter = 10 * time.Second

// result is the move. What nodes counted, and that it bakes, is written down now and then.
func (m *move) result() Move {
	out := Move{After: m.after}
	goesOn := m.s.Step == Baking || len(m.w.Counts) > 0
	if !m.moved && (!goesOn || m.w.Passed < writtenAfter) {
		if goesOn {
			m.look(writtenAfter - m.w.Passed)
			out.After = m.after
		}
		return out
	}
	if m.s.Elapsed = m.elapsed(); m.stepped {
		m.s.Elapsed = 0
	}
	out.State, out.Intents, out.Head, out.Events, out.Forward = m.s, m.intents, m.head, m.events, m.forward
	return out
}

// elapsed is for how long the step has been going on, by the clocks of those who looked:
// what nobody saw pass has not.
func (m *move) elapsed() time.Duration { return m.was.Elapsed + m.w.Passed }

// event notes that something happened.
func (m *move) event(kind EventType, format string, args ...any) {
	m.s.Seq++
	m.moved = true
	e := Event{Deployment: m.p.ID, Seq: m.s.Seq, Time: m.now, Type: kind, Text: fmt.Sprintf(format, args...)}
	if m.s.Phase == Running {
		e.Stage = m.stage().Name
	}
	m.events = append(m.events, e)
}

// takeUp is in how long a node that is attached takes up what it shall run: it is what an agent
// gives itself to get a release and make it ready.
const takeUp = 5 * time.Minute

// wait says what is waited for, and for how long probably; 0 is not known. An event is made
// of it when it is something else than before.
func (m *move) wait(after time.Duration, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.look(after)
	if m.s.Wait != nil && m.s.Wait.For == text {
		return
	}
	m.s.Wait = &Wait{For: text, Since: m.now}
	if after > 0 {
		m.s.Wait.Until = m.now.Add(after)
	}
	m.event(EventWaits, "waits: %s", text)
}

// waitFor is wait, for cells that may be left behind, if there are any.
func (m *move) waitFor(cells []string, after time.Duration, format string, args ...any) {
	m.wait(after, format, args...)
	if !slices.Equal(m.s.Wait.Cells, cells) {
		w := *m.s.Wait
		w.Cells, m.s.Wait, m.moved = cells, &w, true
	}
}

// goOn ends a wait.
func (m *move) goOn() {
	if m.s.Wait != nil {
		m.s.Wait = nil
		m.moved = true
	}
}

// look has the deployment looked at again after a time, whatever happens before.
func (m *move) look(after time.Duration) {
	if after > 0 && (m.after == 0 || after < m.after) {
		m.after = after
	}
}

// until is in how long a time of the clock on the wall is; 0 if that is not known.
func (m *move) until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(m.now), time.Second)
}

// phase and step begin a phase and a step.
func (m *move) phase(to Phase) {
	m.s.Phase, m.s.Step, m.s.Since, m.moved, m.stepped = to, "", m.now, true, true
	m.goOn()
}

func (m *move) step(to Step) {
	m.s.Step, m.s.Since, m.moved, m.stepped = to, m.now, true, true
	m.goOn()
}

func (m *move) stage() *Stage { return &m.p.Stages[min(m.s.Stage, len(m.p.Stages)-1)] }

// count adds what nodes counted to the evidence.
func (m *move) count() {
	if m.s.Test == nil {
		return
	}
	for rest := m.w.Counts; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(c Count) bool { return c.Look != rest[0].Look })
		if n < 0 {
			n = len(rest)
		}
		parts := map[string][]verdict.Part{}
		for _, c := range rest[:n] {
			_ = m.s.Test.Serve(c.Requests, c.Unjudged...) // differences of counters that grow
			for metric, bad := range c.Bad {
				parts[metric] = append(parts[metric], verdict.Part{Share: c.Share, Bad: bad})
			}
		}
		for _, metric := range slices.Sorted(maps.Keys(parts)) {
			_ = m.s.Test.AddParts(metric, parts[metric]...) // of metrics that the test has
		}
		rest = rest[n:]
	}
}

// queued begins the deployment when it is its turn and nothing is in its way.
func (m *move) queued() {
	_, cancelled := m.w.Asks[AskBack]
	switch {
	case cancelled:
		m.end(Outcome{Result: Cancelled, Blame: APerson, Why: m.asked(AskBack)})
		return
	case m.w.Head.Active != m.p.ID && !slices.Contains(m.w.Head.Queue, m.p.ID):
		m.end(Outcome{Result: Superseded, Blame: Nobody, Why: "a newer deployment took its place in the queue"})
		return
	case m.w.Head.Active != m.p.ID:
		m.wait(0, "its turn: %s is under way", m.w.Head.Active)
		return
	}
	if !m.open(true) {
		return
	}
	m.forward = true
	m.s.From, m.s.Begun = m.w.Head.Current, m.now
	if m.s.From == m.p.Release && m.everywhere(m.p.Release) {
		m.end(Outcome{Result: Succeeded, Blame: Nobody, Why: "nothing changes: the release runs already"})
		return
	}
	if !m.p.ofTow() {
		m.s.Test, _ = newTest(&m.p.Pipeline) // creating the plan has refused what is wrong
		if m.p.Against == m.s.From {         // else it was of another change
			_ = m.s.Test.Replay(m.p.Replayed)
		}
	}
	m.phase(Running)
	m.s.Step = Gate
	text := ""
	if uncompared(m.p, m.s) {
		text = fmt.Sprintf("; it was compared with %s, which ran when it was asked for, and what was replayed does not count", ranBy(m.p.Program, cmp.Or(m.p.Against, m.p.Ran)))
	}
	m.event(EventBegun, "from %s to %s%s", ranBy(m.p.Program, m.s.From), m.p.Release.Short(), text)
}

// newTest is the test that a plan asks for.
func newTest(p *Pipeline) (*verdict.Test, error) {
	names := p.Metrics
	if names == nil {
		names = metrics
	}
	return verdict.New(verdict.Options{Alpha: p.Alpha, Metrics: names})
}

// everywhere reports whether a release is intended in all cells, and nothing else.
func (m *move) everywhere(d release.Digest) bool {
	for _, cell := range m.w.cells() {
		i := m.w.Intents[cell]
		if i == nil || i.Release != d || i.Candidate != "" {
			return false
		}
	}
	return true
}

// open reports whether a stage may begin: no freeze, a window, nothing else under way that
// it comes after. It waits for what keeps it from that.
func (m *move) open(first bool) bool {
	if f := m.w.frozen(m.p, m.now); f != nil {
		m.wait(m.until(f.Until), "the freeze of %s to end: %s", f.By, f.Why)
		return false
	}
	if at, now := opens(m.p.Windows, m.now); !now {
		m.wait(m.until(at), "the next window, %s", at.UTC().Format("Mon 15:04 UTC"))
		return false
	}
	if !first {
		return true
	}
	for _, other := range m.p.After {
		if busy := m.w.Busy[other]; busy != "" {
			m.wait(0, "the deployment %s, after which this one comes", busy)
			return false
		}
	}
	return true
}

// asked is what somebody asked for, for a person.
func (m *move) asked(kind AskKind) string {
	a := m.w.Asks[kind]
	text := a.By + " asked for it"
	if a.Alarm != "" {
		text = "the alarm " + a.Alarm + " fires"
	}
	if a.Why != "" {
		text += ": " + a.Why
	}
	return text
}

// blame is whose doing it is what an ask comes to.
func (a *Ask) blame() Blame {
	if a.Alarm != "" {
		return AnAlarm
	}
	return APerson
}

// running goes on with the stage, unless something is against the candidate.
func (m *move) running() {
	if m.against() {
		return
	}
	if a, ok := m.w.Asks[AskReplay]; ok && m.s.Test != nil && a.Replay.Requests > m.s.Test.Replayed.Requests {
		_ = m.s.Test.Replay(a.Replay) // it was looked at when it came
		m.event(EventReplayed, "%s replayed %d %s requests: no answer differs, and %d are dearer", a.By, a.Replay.Requests, a.Replay.Kind(), a.Replay.Dearer)
	}
	m.adopt()
	if m.recoil() {
		return
	}
	switch m.s.Step {
	case Gate:
		m.gate()
	case Probing:
		m.probe()
	case Reach:
		m.reach()
	case Baking:
		m.bake()
	}
}

// finishing has all nodes run the candidate as their release.
func (m *move) finishing() {
	if m.against() {
		return
	}
	if !m.intended(m.p.Release) {
		m.intendAll(m.p.Release)
		return
	}
	out := Outcome{Result: Succeeded, Blame: Nobody, Why: "all stages passed"}
	if behind := m.behind(m.p.Release); len(behind) > 0 && !m.left(&out, behind) {
		m.wait(takeUp, "%s to run %s (or tow deploy leave %s)", some(behind), m.p.Release.Short(), m.p.ID)
		return
	}
	m.end(out)
}

// returning has all nodes run what they ran before. A node that says that it cannot is not
// waited for: what comes next is perhaps what it can run.
func (m *move) returning() {
	if m.p.ofTow() && !m.recede() {
		return
	}
	if !m.intended(m.s.From) {
		m.intendAll(m.s.From)
		return
	}
	out := *m.s.Cause
	var behind, cannot []string
	for _, name := range m.behind(m.s.From) {
		if t := m.cannot(name); t != nil {
			cannot = append(cannot, fmt.Sprintf("%s (%s)", name, t.Text))
		} else {
			behind = append(behind, name)
		}
	}
	if len(behind) > 0 && !m.left(&out, behind) {
		m.wait(takeUp, "%s to run %s again (or tow deploy leave %s)", some(behind), ranBy(m.p.Program, m.s.From), m.p.ID)
		return
	}
	if away := m.stayed(); len(away) > 0 {
		out.Why += "; away, and with another release when they were heard last, until they are back: " + some(away)
	}
	if len(cannot) > 0 {
		out.Why += "; these nodes cannot run " + ranBy(m.p.Program, m.s.From) + " again: " + some(cannot)
	}
	m.end(out)
}

// stayed are nodes that nobody hears of, and that may still serve what is taken back.
func (m *move) stayed() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		n := m.w.Nodes[name]
		r := n.Programs[m.p.Program]
		ours := r.Deployment == m.p.ID || m.p.Undoes != "" && r.Deployment == m.p.Undoes
		if !m.p.counts(n) && ours && (r.Main != m.s.From && r.Main != "" || r.Beside != "") {
			all = append(all, name)
		}
	}
	return all
}

// cannot is why a node says that it cannot run again what ran; nil is nothing.
func (m *move) cannot(name string) *fleet.Trouble {
	r := m.w.Nodes[name].Programs[m.p.Program]
	if t := r.Trouble(m.s.From); r.Deployment == m.p.ID && t != nil && t.Kind.Final() {
		return t
	}
	return nil
}

// newLeave is that a person leaves behind what is waited for, if that is not done yet.
func (m *move) newLeave() *Ask {
	if a, ok := m.w.Asks[AskLeave]; ok && (m.s.LeftAt == nil || !m.s.LeftAt.Equal(a.At)) {
		return &a
	}
	return nil
}

// left notes that nodes are left behind, if a person has said so of them all. They take up what is
// intended when they can.
func (m *move) left(out *Outcome, behind []string) bool {
	waited := func(name string) bool { return m.s.Phase != Returning || !m.leftBehind(name) }
	if m.newLeave() == nil && slices.ContainsFunc(behind, waited) {
		return false
	}
	out.Why += "; " + m.asked(AskLeave) + ", and left behind " + some(behind)
	return true
}

// against goes back if something is against the candidate.
func (m *move) against() bool {
	if ask, ok := m.w.Asks[AskBack]; ok {
		m.goBack(Outcome{Result: Returned, Blame: ask.blame(), Why: m.asked(AskBack)})
		return true
	}
	if o := m.troubled(); o != nil {
		m.goBack(*o)
		return true
	}
	if m.s.Test != nil && m.s.Phase == Running {
		if m.s.Test.Decision() == verdict.Abort {
			v := m.s.Test.Verdict()
			m.goBack(Outcome{Result: Returned, Blame: blameOf(v), Why: "it is worse than what it would replace", Evidence: v.String()})
			return true
		}
	}
	return false
}

// metrics are what the verdict looks at without being told.
var metrics = []string{verdict.Error, verdict.Service, verdict.Timeout, verdict.Fault, verdict.Fallback, verdict.Shed, verdict.Slow, verdict.CPU}

// blameOf is whose doing it is that a candidate is worse. Services that fail alike for both
// releases are nothing that a verdict sees.
func blameOf(v verdict.Verdict) Blame {
	if len(v.Ways) > 0 && v.Ways[0].Metric == verdict.Service {
		return YourDependency
	}
	return YourCode
}

// goBack begins to go back, and says so to all nodes at once.
func (m *move) goBack(why Outcome) {
	m.s.Cause = &why
	m.phase(Returning)
	text := why.Why
	if why.Evidence != "" {
		text += "; " + why.Evidence
	}
	m.event(EventReturns, "goes back to %s: %s%s", ranBy(m.p.Program, m.s.From), text, why.Blame.note())
	if !m.p.ofTow() {
		m.intendAll(m.s.From)
	}
}

// end ends the deployment, and lets the next one begin.
func (m *move) end(o Outcome) {
	m.s.Outcome = &o
	m.phase(Ended)
	m.event(EventEnded, "%s: %s%s", o.Result, o.Why, o.Blame.note())
	h := *m.w.Head
	h.Queue = slices.DeleteFunc(slices.Clone(h.Queue), func(id string) bool { return id == m.p.ID })
	if h.Active == m.p.ID {
		h.Active = ""
		if len(h.Queue) > 0 {
			h.Active, h.Queue = h.Queue[0], h.Queue[1:]
		}
	}
	if o.Result == Succeeded && h.Current != m.p.Release {
		h.Previous, h.Current = h.Current, m.p.Release
	}
	h.Recent = append([]string{m.p.ID}, h.Recent...)
	if len(h.Recent) > recentMost {
		h.Recent = h.Recent[:recentMost]
	}
	m.head = &h
}

// recentMost is how many deployments a head remembers that have ended.
const recentMost = 50

// intended reports whether all cells are to run a release, and nothing else.
func (m *move) intended(d release.Digest) bool {
	return !slices.ContainsFunc(m.w.cells(), func(cell string) bool { return !m.intendedIn(cell, d) })
}

// intendedIn reports whether a cell is to run a release, and nothing else, by this
// deployment's intent.
func (m *move) intendedIn(cell string, d release.Digest) bool {
	i := m.w.Intents[cell]
	return i != nil && i.Release == d && i.Candidate == "" && i.Deployment == m.p.ID && maps.Equal(i.Later, m.later(cell, i))
}

// intendAll has all cells run a release, and nothing else but nodes whose turn is later.
func (m *move) intendAll(d release.Digest) {
	for _, cell := range m.w.cells() {
		if !m.intendedIn(cell, d) {
			m.intend(cell, func(i *fleet.Intent) { *i = fleet.Intent{Release: d} })
		}
	}
}

// adopt gives cells that are new what runs, and the candidate's name.
func (m *move) adopt() {
	for _, cell := range m.w.cells() {
		if m.w.Intents[cell] == nil && m.s.From != "" {
			m.intend(cell, func(i *fleet.Intent) { i.Release = m.s.From })
		}
	}
}

// mostIntents and mostLater bound a transaction: its intents, and the nodes that these name. What has no room
// in it is in the next one.
const (
	mostIntents = 100
	mostLater   = 5000 // of about 100 bytes each
)

// intend changes a cell's intent.
func (m *move) intend(cell string, change func(*fleet.Intent)) {
	i := m.intents[cell]
	if i == nil && (len(m.intents) == mostIntents || m.named() >= mostLater) {
		return
	}
	if i == nil {
		i = &fleet.Intent{Release: m.s.From}
		if was := m.w.Intents[cell]; was != nil && was.Deployment == m.p.ID {
			*i = *was
		}
	}
	change(i)
	m.s.Intent++
	i.Deployment, i.Seq = m.p.ID, m.s.Intent
	i.Later = m.later(cell, i)
	m.intents[cell] = i
	m.moved = true
}

// named is how many nodes the intents name that are about to be written.
func (m *move) named() (n int) {
	for _, i := range m.intents {
		n += len(i.Later)
	}
	return n
}

// behind are the nodes that count and do not run a release alone; "" is none at all.
func (m *move) behind(d release.Digest) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		r := m.w.Nodes[name].Programs[m.p.Program]
		if !m.p.counts(m.w.Nodes[name]) {
			continue
		}
		if r.Main != d || r.Beside != "" || r.Deployment != m.p.ID {
			all = append(all, name)
		}
	}
	return all
}

// some names a few of many.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and others", strings.Join(names[:few], ", "))
}
