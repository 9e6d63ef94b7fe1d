package telemetry

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSource = "https://tow.example.com"

var (
	v1    = release.DigestOf([]byte("v1"))
	v2    = release.DigestOf([]byte("v2"))
	began = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

// story is a timeline in the making, as controllers and nodes write it.
type story struct {
	*Timeline
	now   time.Time
	stage string
	nodes map[string]int64
}

// newStory is a deployment that was asked for.
func newStory(id string) *story {
	s := &story{now: began, nodes: map[string]int64{}, Timeline: &Timeline{
		ID: id, Plan: &deploy.Plan{ID: id, Program: "shop", Environment: "prod", Release: v2, By: "ada"}, State: &deploy.State{Phase: deploy.Queued},
	}}
	s.tell(deploy.EventQueued, "ada asked for "+v2.Short())
	return s
}

// tell has a controller write an event, a minute later.
func (s *story) tell(kind deploy.EventType, text string) {
	state := *s.State
	s.State = &state
	s.State.Seq++
	s.now = s.now.Add(time.Minute)
	e := deploy.Event{Deployment: s.ID, Seq: s.State.Seq, Time: s.now, Type: kind, Text: text}
	switch kind {
	case deploy.EventBegun:
		s.State.From = v1
	case deploy.EventReturns, deploy.EventFinishes, deploy.EventEnded:
		s.stage = ""
	}
	e.Stage = s.stage
	s.Events = append(s.Events, e)
}

// begin begins a stage, and pass passes it.
func (s *story) begin(stage string) {
	s.stage = stage
	s.tell(deploy.EventStageBegun, stage+" begins in eu-1")
}

func (s *story) pass() { s.tell(deploy.EventStagePassed, s.stage+" passed") }

// node has a node write an event, some seconds later.
func (s *story) node(name string) {
	s.nodes[name] += 3 // its other statuses were of other programs
	s.Events = append(s.Events, deploy.Event{
		Deployment: s.ID, Node: name, Seq: s.nodes[name], Time: s.now.Add(time.Duration(len(s.Events)) * time.Second), Type: deploy.EventNode,
		Text: "runs " + v2.Short(), Data: map[string]string{"main": string(v2), "cell": "eu-1"},
	})
}

// returns goes back, and end ends it.
func (s *story) returns(o deploy.Outcome) {
	s.State.Cause = &o
	s.tell(deploy.EventReturns, fmt.Sprintf("goes back to %s: %s", v1.Short(), o.Why))
}

func (s *story) end(o deploy.Outcome) {
	s.State.Outcome = &o
	s.tell(deploy.EventEnded, fmt.Sprintf("%s: %s (%s)", o.Result, o.Why, o.Blame))
}

var worse = deploy.Outcome{Result: deploy.Returned, Blame: deploy.YourCode, Why: "it is worse than what it would replace", Evidence: "abort: 9 of 16 errors are the candidate's"}

// badStory is of a deployment that passes its onebox and goes back from its first wave.
func badStory() *story {
	s := newStory("shop.prod.17")
	s.tell(deploy.EventBegun, "from v1 to v2")
	s.begin("onebox")
	s.tell(deploy.EventStageProbed, "what both releases call answers")
	s.tell(deploy.EventStageReaches, "a gives the candidate 10% of its requests")
	s.node("a")
	s.tell(deploy.EventStageBakes, "onebox bakes")
	s.pass()
	s.tell(deploy.EventWaits, "waits: an approval of wave 1")
	s.tell(deploy.EventReplayed, "ann replayed 3000 recorded requests, and none differs")
	s.begin("wave 1")
	s.node("b")
	s.node("a")
	s.returns(worse)
	s.node("b")
	s.end(worse)
	return s
}

// goodStory is of a deployment that comes to its end.
func goodStory() *story {
	s := newStory("shop.prod.18")
	s.tell(deploy.EventWaits, "waits: its turn")
	s.tell(deploy.EventBegun, "from v1 to v2")
	s.begin("all")
	s.node("a")
	s.pass()
	s.tell(deploy.EventFinishes, "all stages passed")
	s.node("a")
	s.end(deploy.Outcome{Result: deploy.Succeeded, Blame: deploy.Nobody, Why: "all stages passed"})
	return s
}
