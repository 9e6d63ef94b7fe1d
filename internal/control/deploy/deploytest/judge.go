package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// Where the store has what the judge looks at.
const (
	statePrefix = fleet.Prefix + "state/" // ID
	EventPrefix = fleet.Prefix + "event/" // ID/…
)

// State is how far a deployment is.
type State struct {
	Phase              string
	Stage              int
	Step               string
	Seq, Intent, Round int64
	Test               *verdict.Test
	Wait               *struct{ For string }
	Outcome            *Outcome
}

func (s *State) String() string {
	text := fmt.Sprintf("%s, stage %d, %s, event %d, intent %d, round %d", s.Phase, s.Stage, s.Step, s.Seq, s.Intent, s.Round)
	if s.Wait != nil {
		text += ", waits for " + s.Wait.For
	}
	return text
}

// Outcome is what a deployment came to.
type Outcome struct{ Result, Blame, Why, Evidence string }

// Event is what was written down of a deployment.
type Event struct {
	Deployment, Node string
	Seq              int64
	Text             string
}

// ID tells events apart.
func (e *Event) ID() string {
	if e.Node != "" {
		return fmt.Sprintf("%s/%s/%d", e.Deployment, e.Node, e.Seq)
	}
	return fmt.Sprintf("%s/%d", e.Deployment, e.Seq)
}

// A Violation is something that is wrong.
type Violation struct {
	Kind       string
	Deployment string // "" is not known
	Text       string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %s: %s", v.Kind, v.Deployment, v.Text) }

// The kinds of violations.
const (
	Unreadable = "unreadable" // what was written is not understood
	Backwards  = "backwards"  // a deployment, its intents or its evidence
	Doubled    = "doubled"    // an event, or an end
	Lost       = "lost"       // an event
	Wrong      = "wrong"      // an outcome, its blame, or what nodes run
	MadeUp     = "made up"    // an event that nobody wrote, or evidence of what was not served
	Stuck      = "stuck"      // a deployment that does not end, or events that are not carried on
)

// Kinds are all of them.
func Kinds() []string { return []string{Unreadable, Backwards, Doubled, Lost, Wrong, MadeUp, Stuck} }

// Judge sees every write, in order, and says what is wrong: with one write, or with what all of
// them came to.
type Judge struct {
	say func(Violation)

	mu          sync.Mutex
	deployments map[string]*deployment
}

// deployment is what a judge has seen of one.
type deployment struct {
	state  *State           // as it was written last
	intent int64            // the highest
	at     int64            // the revision that wrote it
	events map[string]Event // all that were ever written, by id
	ended  chan struct{}    // closed when it has
}

// NewJudge makes a judge that says what is wrong: one thing at a time, and who hears it must
// not call the judge.
func NewJudge(say func(Violation)) *Judge {
	return &Judge{say: say, deployments: map[string]*deployment{}}
}

func (j *Judge) wrong(kind, id, format string, args ...any) {
	j.say(Violation{kind, id, fmt.Sprintf(format, args...)})
}

// of is what has been seen of a deployment; the caller holds mu.
func (j *Judge) of(id string) *deployment {
	d := j.deployments[id]
	if d == nil {
		d = &deployment{events: map[string]Event{}, ended: make(chan struct{})}
		j.deployments[id] = d
	}
	return d
}

// State is how far a deployment is; nil is not known.
func (j *Judge) State(id string) *State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of(id).state
}

// Ended is closed when a deployment has ended.
func (j *Judge) Ended(id string) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of(id).ended
}

// See looks at one write, and gives the event if it is one.
func (j *Judge) See(e election.Event) *Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := e.Entry.Key
	switch {
	case e.Removed:
	case strings.HasPrefix(key, statePrefix):
		id := strings.TrimPrefix(key, statePrefix)
		if s := decode[State](j, id, e); s != nil {
			j.state(id, s)
		}
	case strings.HasPrefix(key, EventPrefix):
		id, _, _ := strings.Cut(strings.TrimPrefix(key, EventPrefix), "/")
		v := decode[Event](j, id, e)
		if v == nil {
			return nil
		}
		d := j.of(id)
		if _, twice := d.events[v.ID()]; twice {
			j.wrong(Doubled, id, "the event %s was written twice", v.ID())
		}
		d.events[v.ID()] = *v
		return v
	case strings.HasPrefix(key, fleet.IntentPrefix):
		i, err := fleet.DecodeIntent(key, e.Entry.Value)
		if err != nil {
			j.wrong(Unreadable, "", "%v", err)
			return nil
		}
		d := j.of(i.Deployment)
		if i.Seq <= d.intent && e.Entry.Modified != d.at { // several cells' are in one transaction
			j.wrong(Backwards, i.Deployment, "its intent %d was written after %d", i.Seq, d.intent)
		}
		d.intent, d.at = max(i.Seq, d.intent), e.Entry.Modified
	}
	return nil
}

func decode[T any](j *Judge, id string, e election.Event) *T {
	v := new(T)
	if err := json.Unmarshal(e.Entry.Value, v); err != nil {
		j.wrong(Unreadable, id, "%s: %v", e.Entry.Key, err)
		return nil
	}
	return v
}

// phases are in order: a deployment may leave some out, and never goes back.
var phases = map[string]int{"queued": 0, "running": 1, "finishing": 2, "returning": 3, ended: 4}

const ended = "ended"

// state looks at one step of a deployment.
func (j *Judge) state(id string, is *State) {
	d := j.of(id)
	was := d.state
	if was != nil && was.Phase == ended {
		j.wrong(Doubled, id, "it had ended, and was written again: %s", is)
		return
	}
	d.state = is
	if _, known := phases[is.Phase]; !known {
		j.wrong(Unreadable, id, "its phase is %q", is.Phase)
	}
	if was != nil {
		switch {
		case phases[is.Phase] < phases[was.Phase]:
			j.wrong(Backwards, id, "it went from %s to %s", was.Phase, is.Phase)
		case is.Stage < was.Stage, is.Seq < was.Seq, is.Intent < was.Intent, is.Round < was.Round, fewer(is.Test, was.Test):
			j.wrong(Backwards, id, "%s after %s", is, was)
		}
	}
	if is.Phase == ended {
		close(d.ended)
	}
}

// fewer reports whether evidence has become less.
func fewer(is, was *verdict.Test) bool {
	if was == nil {
		return false
	}
	return is == nil || is.Requests.Candidate < was.Requests.Candidate || is.Requests.Control < was.Requests.Control
}

// Found is what was found outside of the store, after a deployment had ended and its events
// had time to reach object storage.
type Found struct {
	Nodes  map[string]Placed // what nodes serve, by name
	Kept   map[string]int    // see [Kept]
	Left   int               // events that are in the store yet
	Served *Served           // nil: it is not known
}

// Check looks at what a deployment came to. It must have ended.
func (j *Judge) Check(t Trial, f Found) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.of(t.ID)
	if d.state == nil || d.state.Phase != ended || d.state.Outcome == nil {
		j.wrong(Stuck, t.ID, "it has not ended: %v", d.state)
		return
	}
	o := d.state.Outcome
	if !t.permits(o) {
		j.wrong(Wrong, t.ID, "it came to %+v; expected %s, %s", *o, t.Cause.Result, t.Cause.Blame)
	}
	want := Placed{Main: t.Left(o)}
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		if got := f.Nodes[name]; got != want {
			j.wrong(Wrong, t.ID, "%s runs %s beside %q; expected %s", name, got.Main.Short(), got.Beside, want.Main.Short())
		}
	}
	if f.Left > 0 {
		j.wrong(Stuck, t.ID, "%d events are left in the store", f.Left)
	}
	j.events(t.ID, d, f.Kept)
	if f.Served != nil && d.state.Test != nil {
		f.Served.covers(t, d.state.Test, func(format string, args ...any) { j.wrong(MadeUp, t.ID, format, args...) })
	}
}

// events compares what was written with what is kept.
func (j *Judge) events(id string, d *deployment, kept map[string]int) {
	controllers := int64(0)
	for name, e := range d.events {
		if kept[name] == 0 {
			j.wrong(Lost, id, "the event %s is lost: %s", name, e.Text)
		}
		if e.Node == "" {
			controllers++
		}
	}
	for name, n := range kept {
		if _, written := d.events[name]; !written {
			j.wrong(MadeUp, id, "the event %s is in object storage, and was never written", name)
		}
		if n > 1 {
			j.wrong(Doubled, id, "the event %s is %d times in object storage", name, n)
		}
	}
	if controllers != d.state.Seq {
		j.wrong(Lost, id, "there are %d events of controllers, and the last one is number %d", controllers, d.state.Seq)
	}
}
