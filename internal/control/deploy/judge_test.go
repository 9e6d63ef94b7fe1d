package deploy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
)

// judge sees every write, and says what is wrong.
type judge struct {
	s       *simulation
	flapped bool
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu     sync.Mutex
	states map[string]*State
	heads  map[string]*Head
	seqs   map[string]int64 // of intents, by deployment
	seen   int64
	events map[string]Event // all that were ever written, by id
	ended  map[string]chan struct{}
}

func newJudge(s *simulation) *judge {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	j := &judge{
		s: s, cancel: cancel, states: map[string]*State{}, heads: map[string]*Head{}, seqs: map[string]int64{},
		events: map[string]Event{}, ended: map[string]chan struct{}{},
	}
	watch := s.inner.Watch(ctx, election.Prefix(fleet.Prefix), 1)
	j.done.Go(func() {
		for b := range watch {
			if b.Err != nil {
				return
			}
			for _, e := range b.Events {
				j.see(e)
			}
		}
	})
	return j
}

func (j *judge) close() {
	j.cancel()
	j.done.Wait()
}

func (j *judge) wrong(format string, args ...any) {
	j.s.t.Errorf("%s (%s): %s", time.Since(j.s.began).Round(time.Millisecond), j.s.cause.name, fmt.Sprintf(format, args...))
}

// see looks at one write.
func (j *judge) see(e election.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := e.Entry.Key
	switch {
	case e.Removed:
		return
	case strings.HasPrefix(key, statePrefix):
		id := strings.TrimPrefix(key, statePrefix)
		s, err := decode[State](key, e.Entry.Value)
		if err != nil {
			j.wrong("%v", err)
			return
		}
		if was := j.states[id]; was != nil {
			j.step(id, was, s)
		}
		j.states[id] = s
		if s.Phase == Ended {
			close(j.endedOf(id))
		}
	case strings.HasPrefix(key, EventPrefix):
		v, err := decode[Event](key, e.Entry.Value)
		if err != nil {
			j.wrong("%v", err)
			return
		}
		if _, twice := j.events[v.ID()]; twice {
			j.wrong("the event %s was written twice", v.ID())
		}
		j.events[v.ID()] = *v
		if *oneSeed != 0 {
			j.s.t.Logf("%s %s %s", time.Since(j.s.began).Round(time.Millisecond), v.ID(), v.Text)
		}
	case strings.HasPrefix(key, fleet.IntentPrefix):
		i, err := fleet.DecodeIntent(key, e.Entry.Value)
		if err != nil {
			j.wrong("%v", err)
			return
		}
		if last := j.seqs[i.Deployment]; i.Seq <= last && e.Entry.Modified != j.seen {
			j.wrong("%s wrote its intent %d after %d", i.Deployment, i.Seq, last)
		}
		j.seqs[i.Deployment], j.seen = max(i.Seq, j.seqs[i.Deployment]), e.Entry.Modified
	}
}

func (j *judge) endedOf(id string) chan struct{} {
	c := j.ended[id]
	if c == nil {
		c = make(chan struct{})
		j.ended[id] = c
	}
	return c
}

var phases = map[Phase]int{Queued: 0, Running: 1, Finishing: 2, Returning: 3, Ended: 4}

// step looks at one step of a state.
func (j *judge) step(id string, was, is *State) {
	if phases[is.Phase] < phases[was.Phase] || was.Phase == Ended {
		j.wrong("%s went from %s to %s", id, was.Phase, is.Phase)
	}
	if is.Stage < was.Stage || is.Seq < was.Seq || is.Intent < was.Intent || is.Round < was.Round {
		j.wrong("%s went backwards: %+v after %+v", id, is, was)
	}
}

// await waits until a deployment has ended.
func (j *judge) await(id string, most time.Duration) {
	j.mu.Lock()
	ended := j.endedOf(id)
	j.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(most):
		j.mu.Lock()
		defer j.mu.Unlock()
		s := j.states[id]
		j.wrong("%s has not ended after %s: %s, stage %d, %s, waits for %+v", id, most, s.Phase, s.Stage, s.Step, s.Wait)
	}
}

// until waits until a deployment's state is as wanted.
func (j *judge) until(id string, is func(*State) bool) {
	for range 3600 {
		j.mu.Lock()
		s := j.states[id]
		j.mu.Unlock()
		if s != nil && is(s) {
			return
		}
		time.Sleep(time.Second)
	}
	j.wrong("%s never came to what was awaited", id)
}

// check looks at what a deployment came to.
func (j *judge) check(id string) {
	time.Sleep(2 * time.Minute) // events are on their way: a minute at most, after object storage was away
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.states[id]
	if s.Phase != Ended {
		return
	}
	early := j.s.cause.asks && s.Outcome.Result == Cancelled // nobody was there to begin it before
	if s.Outcome.Result != j.s.cause.result && !early || s.Outcome.Blame != j.s.cause.blame {
		j.wrong("it came to %+v; expected %s, %s", *s.Outcome, j.s.cause.result, j.s.cause.blame)
	}
	want := digest("two")
	if s.Outcome.Result != Succeeded {
		want = digest("one")
	}
	for _, n := range j.s.nodes {
		if main, beside := n.runs(); main != want || beside != "" {
			j.wrong("%s runs %s beside %s; expected %s", n.name, main.Short(), beside.Short(), want.Short())
		}
	}
	j.s.mu.Lock()
	if served := j.s.served[digest("two")]; s.Test != nil && s.Test.Requests.Candidate > served {
		j.wrong("%d requests of the candidate are evidence, and it has answered %d", s.Test.Requests.Candidate, served)
	}
	j.s.mu.Unlock()
	service := &Service{Store: j.s.inner}
	got, err := service.Events(j.s.ctx, j.s.objects, id)
	if err != nil {
		j.wrong("%v", err)
	}
	have, seqs := map[string]bool{}, int64(0)
	for _, e := range got {
		have[e.ID()] = true
		if e.Node == "" {
			seqs++
		}
	}
	for name, e := range j.events {
		if e.Deployment == id && !have[name] {
			j.wrong("the event %s is lost: %s", name, e.Text)
		}
	}
	if seqs != s.Seq {
		j.wrong("there are %d events of the controller's, and the last one is number %d", seqs, s.Seq)
	}
	page, err := j.s.inner.Range(j.s.ctx, election.Span{Keys: election.Prefix(EventPrefix)})
	if err != nil || len(page.Entries) > 0 {
		j.wrong("%d events are left in the store (%v)", len(page.Entries), err)
	}
}
