package fetch

import (
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"towpath.dev/internal/run/source"
)

// A source that fails more than half of its attempts, of twenty or more in ten
// seconds, is left alone for a second; then a few attempts show whether it has
// recovered.
const (
	breakerShare    = 0.5
	breakerAttempts = 20
	breakerPeriod   = 10 * time.Second
	breakerPause    = time.Second
	breakerTrials   = 3
)

// Retries may be a tenth of the calls: each call earns a source a tenth of one,
// of which it keeps ten at most, so that a service that is down is not asked
// twice as often.
const (
	retryShare = 0.1
	retrySaved = 10
)

// Sources is what Fetchers in one environment have in common: what is known of the
// health of its sources, and the calls under way of shared operations, which
// requests of all of them may join. It outlives them. The zero value knows of none.
type Sources struct {
	mu       sync.Mutex
	health   map[[2]string]*health // by Bound.Source and Bound.At
	underWay map[string]*slots     // by the prefix of an operation's keys
}

// slotsOf are the calls under way of a shared operation, by the prefix of its keys:
// those of the same operation in the same binding, whichever release asks it.
//
// They are never dropped. An empty one takes some 200 bytes, and there is another
// only when somebody has changed the operation or its binding.
func (s *Sources) slotsOf(prefix string) *slots {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.underWay[prefix]
	if at == nil {
		at = &slots{}
		if s.underWay == nil {
			s.underWay = map[string]*slots{}
		}
		s.underWay[prefix] = at
	}
	return at
}

func (s *Sources) of(name, at string) *health {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{name, at}
	h := s.health[key]
	if h == nil {
		h = newHealth(name)
		if s.health == nil {
			s.health = map[[2]string]*health{}
		}
		s.health[key] = h
	}
	return h
}

// Open lists the sources that are left alone at the moment.
func (s *Sources) Open() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, h := range s.health {
		if h.breaker.IsOpen() && !slices.Contains(names, h.name) {
			names = append(names, h.name)
		}
	}
	return names
}

// health is a source's breaker and its budget for retries.
type health struct {
	name    string
	breaker circuitbreaker.CircuitBreaker[any]

	mu    sync.Mutex
	saved float64 // retries that may be made
}

func newHealth(name string) *health {
	return &health{name: name, saved: 1, breaker: circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(breakerShare, breakerAttempts, breakerPeriod).
		WithDelay(breakerPause).WithJitterFactor(0.2).WithSuccessThreshold(breakerTrials).Build()}
}

func (h *health) earn(calls int) {
	h.mu.Lock()
	h.saved = min(retrySaved, h.saved+retryShare*float64(calls))
	h.mu.Unlock()
}

// spend pays for retries, or reports that there is not enough for them.
func (h *health) spend(calls int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.saved < float64(calls) {
		return false
	}
	h.saved -= float64(calls)
	return true
}

// record tells the breaker how an attempt went. One that ended since nobody
// wanted its answer says nothing, unless it took longer than the operation's own
// time: scopes may well be more impatient than the service ever promised.
func (h *health) record(o outcome, took, within time.Duration) {
	switch {
	case o == wasAnswered:
		h.breaker.RecordSuccess()
	case o == wasDown, within > 0 && took >= within:
		h.breaker.RecordFailure()
	case h.breaker.IsHalfOpen():
		h.breaker.RecordFailure() // a trial that showed nothing
	}
}

// outcome is what an attempt says of its source.
type outcome int32

const (
	wasGivenUp  outcome = iota // by those who asked
	wasDown                    // every call met no service
	wasAnswered                // some answer came, be it an error
)

// tally is what an attempt has brought so far.
type tally struct {
	retry bool // calls that met no service are kept back

	mu             sync.Mutex
	seen           []bool
	heard          int
	answered, down int
	again          map[int]error // the calls that are kept back
}

// hear notes the outcome of a call, and reports whether it is to be handed out:
// the first is, unless the call is kept back.
func (t *tally) hear(i int, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[i] {
		return false
	}
	t.seen[i] = true
	t.heard++
	if err == nil {
		t.answered++
		return true
	}
	switch kind := source.KindOf(err); {
	case kind == source.Unreachable, kind == source.Unavailable:
		t.down++
		if t.retry {
			if t.again == nil {
				t.again = map[int]error{}
			}
			t.again[i] = err
			return false
		}
	case kind != source.Expired:
		t.answered++
	}
	return true
}

// missing reports whether a call has no outcome yet.
func (t *tally) missing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard < len(t.seen)
}

func (t *tally) outcome() outcome {
	switch {
	case t.answered > 0:
		return wasAnswered
	case t.down > 0:
		return wasDown
	}
	return wasGivenUp
}
