package deploy

import (
	"fmt"
	"time"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// Phase is what a deployment is about.
type Phase string

// The phases.
const (
	Queued    Phase = "queued"    // it has not begun
	Running   Phase = "running"   // a stage is under way
	Finishing Phase = "finishing" // all stages passed; what is left is to run it everywhere
	Returning Phase = "returning" // back to the release before
	Ended     Phase = "ended"
)

// Step is what a stage is about.
type Step string

// The steps.
const (
	Gate    Step = "gate"  // whether it may begin
	Probing Step = "probe" // whether what both releases call is there
	Reach   Step = "reach" // its nodes take the candidate up
	Baking  Step = "bake"  // evidence is waited for
)

// A State is how far a deployment is.
type State struct {
	Phase Phase     `json:"phase"`
	Stage int       `json:"stage"` // from 0
	Step  Step      `json:"step,omitempty"`
	Since time.Time `json:"since"` // of the step, or the phase
	Begun time.Time `json:"begun,omitzero"`
	// Elapsed is for how long the step had been going on as the state was written, added up
	// from what controllers saw pass: clocks on walls may differ.
	Elapsed time.Duration `json:"elapsed,omitempty"`
	// From is what ran when it began, and what it goes back to; "" is nothing.
	From release.Digest `json:"from,omitempty"`
	// Seq is of the last event, and Intent of the intents written last.
	Seq    int64 `json:"seq"`
	Intent int64 `json:"intent,omitempty"`
	// Round is of the probes asked for last, and Failed how often they failed in a row.
	Round  int64 `json:"round,omitempty"`
	Failed int   `json:"failed,omitempty"`
	// Unanswered is how many rounds in a row have found nothing out of the candidate alone.
	Unanswered int `json:"unanswered,omitempty"`
	// Onebox is the node that is it.
	Onebox string        `json:"onebox,omitempty"`
	Test   *verdict.Test `json:"test,omitempty"`
	// Entered is when the stage began.
	Entered time.Time `json:"entered,omitzero"`
	// Baked is for how long the stage has baked, before the step that is under way; Answered is how
	// many requests the candidate had answered when it began to.
	Baked    time.Duration `json:"baked,omitempty"`
	Answered int64         `json:"answered,omitempty"`
	// LeftCells are cells that a person leaves behind. Of those where tow goes back LeftReach has the reach of
	// then, by cell: nodes are left behind whose place in the order is not below it. LeftAt is when
	// it was asked for: it is of what was waited for then.
	LeftCells []string           `json:"leftCells,omitempty"`
	LeftReach map[string]float64 `json:"leftReach,omitempty"`
	LeftAt    *time.Time         `json:"leftAt,omitempty"`
	// PassedOver are the stages before this one that reached none but cells that are left behind. The next one
	// needs an approval, another than the one of Approved, which was given before.
	PassedOver []string   `json:"passedOver,omitempty"`
	Approved   *time.Time `json:"approved,omitempty"`
	Wait       *Wait      `json:"wait,omitempty"`
	Cause      *Outcome   `json:"cause,omitempty"` // why it goes back
	Outcome    *Outcome   `json:"outcome,omitempty"`
}

// A Wait is why a deployment does not go on.
type Wait struct {
	For   string    `json:"for"`             // what ends it
	Since time.Time `json:"since"`           //
	Until time.Time `json:"until,omitempty"` // when that is expected; zero is not known
	// Cells are those that it is for that are away as a whole. They may be left behind.
	Cells []string `json:"cells,omitempty"`
}

// Blame is whose doing an outcome is.
type Blame string

// Whose doing it is. What the platform does makes a deployment late, and nothing else.
const (
	YourCode       Blame = "your code"
	YourDependency Blame = "your dependency"
	TheUpgrade     Blame = "the new tow" // where tow itself is deployed
	APerson        Blame = "a person"
	AnAlarm        Blame = "an alarm" // fired, and nobody has said yet what of
	Nobody         Blame = "nobody"
)

// note is whose doing it is, behind a text; of nobody's doing nothing is said.
func (b Blame) note() string {
	if b == Nobody {
		return ""
	}
	return " (" + string(b) + ")"
}

// Result is how a deployment ended.
type Result string

// The results.
const (
	Succeeded  Result = "succeeded"
	Returned   Result = "returned"   // the release before it runs again
	Cancelled  Result = "cancelled"  // before it began
	Superseded Result = "superseded" // by a newer one, before it began
)

// An Outcome is how a deployment ended, or why it goes back.
type Outcome struct {
	Result Result `json:"result,omitempty"`
	Blame  Blame  `json:"blame"`
	// Why has the reason for a person, and Evidence the numbers.
	Why      string `json:"why"`
	Evidence string `json:"evidence,omitempty"`
}

// A Head is what a program has in an environment.
type Head struct {
	Last     int64          `json:"last"`               // number that was given last
	Active   string         `json:"active,omitempty"`   // deployment under way
	Queue    []string       `json:"queue,omitempty"`    // that wait, the next one first
	Current  release.Digest `json:"current,omitempty"`  // what the last one that succeeded brought
	Previous release.Digest `json:"previous,omitempty"` // and what was before
	// Recent are deployments that have ended, the last one first, and Requests which ids
	// were given for which requests.
	Recent   []string          `json:"recent,omitempty"`
	Requests map[string]string `json:"requests,omitempty"`
	Order    []string          `json:"order,omitempty"` // of the requests
}

// AskKind is what a person may ask of a deployment, or tell it.
type AskKind string

// What may be asked.
const (
	AskBack    AskKind = "back" // to go back, or not to begin
	AskApprove AskKind = "approve"
	AskReplay  AskKind = "replay" // to take a replay of recorded requests for evidence
	AskLeave   AskKind = "leave"  // to end without the nodes that are behind
)

// Valid reports whether it is a kind that there is.
func (k AskKind) Valid() bool {
	return k == AskBack || k == AskApprove || k == AskReplay || k == AskLeave
}

// An Ask is what a person asked for.
type Ask struct {
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
	Stage int       `json:"stage,omitempty"` // of an approval: up to which stage
	Early bool      `json:"early,omitempty"` // it had not begun, so that nobody knew what it would replace
	// Alarm is the one that asks, of which By has told; "" is that a person does.
	Alarm string `json:"alarm,omitempty"`
	// Replay is what a replay showed.
	Replay verdict.Replay `json:"replay,omitzero"`
}

// A Freeze keeps stages from beginning. What is under way goes back all the same.
type Freeze struct {
	// Environment and Program that it is for; "" is all.
	Environment string    `json:"environment,omitempty"`
	Program     string    `json:"program,omitempty"`
	By          string    `json:"by"`
	Why         string    `json:"why"`
	At          time.Time `json:"at"`
	Until       time.Time `json:"until,omitzero"` // zero: until it is lifted
}

// holds reports whether a freeze is for a program now.
func (f *Freeze) holds(environment, program string, now time.Time) bool {
	return (f.Environment == "" || f.Environment == environment) && (f.Program == "" || f.Program == program) &&
		(f.Until.IsZero() || now.Before(f.Until))
}

// An Event is something that happened to a deployment.
type Event struct {
	Deployment string            `json:"deployment"`
	Seq        int64             `json:"seq"`
	Node       string            `json:"node,omitempty"` // whose event it is; "" is the controller's
	Time       time.Time         `json:"time"`
	Type       EventType         `json:"type"`
	Stage      string            `json:"stage,omitempty"`
	Text       string            `json:"text"`
	Data       map[string]string `json:"data,omitempty"`
}

// ID tells events apart.
func (e *Event) ID() string {
	if e.Node != "" {
		return fmt.Sprintf("%s/%s/%d", e.Deployment, e.Node, e.Seq)
	}
	return fmt.Sprintf("%s/%d", e.Deployment, e.Seq)
}

// EventType is what kind of event it is.
type EventType string

// The types of events.
const (
	EventQueued       EventType = "deployment.queued"
	EventBegun        EventType = "deployment.begun"
	EventWaits        EventType = "deployment.waits"
	EventReturns      EventType = "deployment.returns"
	EventFinishes     EventType = "deployment.finishes"
	EventEnded        EventType = "deployment.ended"
	EventReplayed     EventType = "deployment.replayed"
	EventStageBegun   EventType = "stage.begun"
	EventStageProbed  EventType = "stage.probed"
	EventStageReaches EventType = "stage.reaches"
	EventStageBakes   EventType = "stage.bakes"
	EventStagePassed  EventType = "stage.passed"
	EventNode         EventType = "node.changed"
)
