package deploytest

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

const id = "shop.prod.2"

var one, two = release.DigestOf([]byte("one")), release.DigestOf([]byte("two"))

// story is what happened to a deployment, and what was found of it. Each test changes it.
type story struct {
	writes []election.Event
	trial  Trial
	found  Found
}

func (s *story) write(key string, v any) {
	value, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	s.writes = append(s.writes, election.Event{Entry: election.Entry{Key: key, Value: value, Modified: int64(len(s.writes) + 1)}})
}

func (s *story) state(phase string, seq int64, requests int64, o *Outcome) {
	test, err := verdict.New(verdict.Options{})
	if err != nil {
		panic(err)
	}
	test.Requests = verdict.Pair{Candidate: requests, Control: requests}
	s.write(statePrefix+id, map[string]any{"phase": phase, "seq": seq, "intent": seq, "test": test, "outcome": o})
}

func (s *story) event(node string, seq int64) {
	e := Event{Deployment: id, Node: node, Seq: seq, Text: "it happened"}
	s.write(EventPrefix+id+"/"+e.ID(), &e)
	s.found.Kept[e.ID()] = 1
}

func (s *story) intent(cell string, seq int64) {
	s.write(fleet.IntentKey("prod", cell, "shop"), &fleet.Intent{Deployment: id, Seq: seq, Release: one})
}

// right is a story in which all is as it should be.
func right() *story {
	causes := Causes(time.Second)
	s := &story{
		trial: Trial{ID: id, Cause: causes[2], From: one, To: two},
		found: Found{Nodes: map[string]Placed{"n": {Main: one}}, Kept: map[string]int{}, Served: &Served{}},
	}
	s.state("queued", 1, 0, nil)
	s.event("", 1)
	s.state("running", 2, 100, nil)
	s.event("", 2)
	s.event("n", 7)
	s.intent("east", 2)
	s.intent("west", 1)
	s.writes[len(s.writes)-1].Entry.Modified-- // in one transaction
	s.state("returning", 2, 100, nil)
	s.intent("east", 3)
	s.state("ended", 2, 100, &Outcome{Result: returned, Blame: yourCode})
	for _, d := range []release.Digest{one, two} {
		for _, n := range []int64{40, 100} {
			s.found.Served.Add(&fleet.Counters{Node: "n", Programs: map[string][]fleet.Count{"shop": {{Release: d, View: "v", Requests: n}}}})
		}
	}
	return s
}

// judged is which kinds of violations a judge finds in a story.
func judged(s *story) map[string]int {
	found := map[string]int{}
	j := NewJudge(func(v Violation) { found[v.Kind]++ })
	for _, e := range s.writes {
		j.See(e)
	}
	j.Check(s.trial, s.found)
	return found
}

// TestJudge: a judge that finds nothing says little, unless it finds what is there.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*story)
		kind   string // "": nothing
	}{
		{"all is right", func(*story) {}, ""},
		{"somebody asked before it began", func(s *story) {
			s.trial.Cause = Cause{Asks: true, Result: returned, Blame: aPerson}
			s.writes = s.writes[:len(s.writes)-1]
			s.state("ended", 2, 100, &Outcome{Result: cancelled, Blame: aPerson})
		}, ""},
		{"a phase that goes back", func(s *story) {
			s.writes = s.writes[:len(s.writes)-1]
			s.state("running", 2, 100, nil)
			s.state("ended", 2, 100, &Outcome{Result: returned, Blame: yourCode})
		}, Backwards},
		{"an intent that was written again", func(s *story) { s.intent("west", 2) }, Backwards},
		{"evidence that becomes less", func(s *story) {
			s.writes = s.writes[:len(s.writes)-1]
			s.state("ended", 2, 99, &Outcome{Result: returned, Blame: yourCode})
		}, Backwards},
		{"an end that is written twice", func(s *story) { s.state("ended", 2, 100, &Outcome{Result: returned, Blame: yourCode}) }, Doubled},
		{"one that begins again after its end", func(s *story) { s.state("running", 3, 100, nil) }, Doubled},
		{"an event that is written twice", func(s *story) { s.event("n", 7) }, Doubled},
		{"an event that is kept twice", func(s *story) { s.found.Kept[id+"/2"] = 2 }, Doubled},
		{"an event that is not kept", func(s *story) { delete(s.found.Kept, id+"/n/7") }, Lost},
		{"an event that was never written", func(s *story) {
			s.writes = s.writes[:len(s.writes)-1]
			s.state("ended", 3, 100, &Outcome{Result: returned, Blame: yourCode})
		}, Lost},
		{"an event from nowhere", func(s *story) { s.found.Kept[id+"/n/8"] = 1 }, MadeUp},
		{"evidence from nowhere", func(s *story) { s.found.Served = &Served{} }, MadeUp},
		{"somebody else's blame", func(s *story) { s.trial.Cause.Blame = yourDependency }, Wrong},
		{"a result that is wrong", func(s *story) { s.trial.Cause.Result = succeeded }, Wrong},
		{"a node that runs the candidate", func(s *story) { s.found.Nodes["n"] = Placed{Main: two} }, Wrong},
		{"a node that has the candidate beside", func(s *story) { s.found.Nodes["n"] = Placed{one, two} }, Wrong},
		{"an event that is left", func(s *story) { s.found.Left = 1 }, Stuck},
		{"no end", func(s *story) { s.writes = s.writes[:len(s.writes)-1] }, Stuck},
		{"a state that is none", func(s *story) { s.write(statePrefix+id+"0", "ended") }, Unreadable},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := right()
			c.change(s)
			want := map[string]int{}
			if c.kind != "" {
				want[c.kind] = 1
			}
			if got := judged(s); !maps.Equal(got, want) {
				t.Errorf("there is %v; expected %v", got, want)
			}
		})
	}
}

// TestKeptOfNone: what is no deployment has no events.
func TestKeptOfNone(t *testing.T) {
	if _, err := Kept(t.Context(), nil, "shop"); err == nil {
		t.Error("the events of no deployment were found")
	}
}
