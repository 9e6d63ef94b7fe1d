package fetch

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"towpath.dev/internal/run/source"
)

// fly asks the source, a second time what may be asked again, and hands the
// outcomes out.
func (f *flight) fly() {
	if f.cancel != nil {
		defer f.cancel()
	}
	begin := time.Now()
	h := f.op.source
	if !h.breaker.TryAcquirePermit() {
		err := source.Errorf(source.Unavailable, "%s failed so often that it is left alone for %s",
			h.name, h.breaker.RemainingDelay().Round(time.Millisecond))
		for _, s := range f.slots {
			f.land(s, nil, err)
		}
		return
	}
	h.earn(len(f.slots))
	again, worst := f.attempt(f.slots, f.op.meta.Idempotent)
	h.record(worst, time.Since(begin), time.Duration(f.op.meta.WithinNS))
	if len(again) == 0 {
		return
	}
	if !h.spend(len(again)) || !f.pause(again) {
		for _, r := range again {
			f.land(r.slot, nil, r.err)
		}
		return
	}
	slots := make([]*slot, len(again))
	for i, r := range again {
		slots[i] = r.slot
	}
	f.retried(slots)
	begin = time.Now()
	_, worst = f.attempt(slots, false)
	h.record(worst, time.Since(begin), time.Duration(f.op.meta.WithinNS))
}

// join counts a flight among those that another Fetcher waits for. slots.mu is held.
//
// The answer is given to the other's ask by the goroutine of this flight; so that
// it never meets what was freed, the other ends no sooner than it.
func (f *flight) join(by *Fetcher) {
	if f.by == by || f.ended || slices.Contains(f.guests, by) {
		return
	}
	by.flights.Add(1)
	f.guests = append(f.guests, by)
}

// end tells the guests of a flight that it is over.
func (f *flight) end() {
	if !f.op.meta.Shared {
		return // nobody joins it
	}
	f.op.slots.mu.Lock()
	guests := f.guests
	f.guests, f.ended = nil, true
	f.op.slots.mu.Unlock()
	for _, g := range guests {
		g.flights.Done()
	}
}

// refused is a call that may be asked again.
type refused struct {
	slot *slot
	err  error
}

// attempt asks the source once. With retry it keeps back, and gives, the calls
// that are worth another attempt. worst is the kind of failure that says most
// about the source's health; answered is none.
func (f *flight) attempt(slots []*slot, retry bool) (again []refused, worst outcome) {
	args := make([][]byte, len(slots))
	for i, s := range slots {
		args[i] = s.args
	}
	tally := &tally{seen: make([]bool, len(slots)), retry: retry}
	f.op.caller.Call(f.ctx, &source.Batch{Args: args, About: f.about}, func(i int, body []byte, err error) {
		if tally.hear(i, err) {
			f.land(slots[i], body, err)
		}
	})
	if tally.missing() {
		err := source.Errorf(source.Failed, "the source %s ended without an answer", f.op.source.name)
		for i, s := range slots {
			if tally.hear(i, err) {
				f.land(s, nil, err)
			}
		}
	}
	for i, err := range tally.again {
		again = append(again, refused{slots[i], err})
	}
	return again, tally.outcome()
}

// The pause before a second attempt, in which others may go first.
const leastPause, mostPause = 5 * time.Millisecond, 25 * time.Millisecond

// pause waits before a second attempt; a service may ask for longer. It reports
// false when there is no time left for it.
func (f *flight) pause(again []refused) bool {
	d := leastPause + rand.N(mostPause-leastPause)
	for _, r := range again {
		if e, ok := r.err.(*source.Error); ok {
			d = max(d, e.After)
		}
	}
	if end, ok := f.ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.ctx.Done():
		return false
	}
}

// retried notes in the asks that calls of theirs are asked again.
func (f *flight) retried(slots []*slot) {
	f.op.slots.mu.Lock()
	defer f.op.slots.mu.Unlock()
	for _, s := range slots {
		for _, w := range s.waiters {
			w.ask.mu.Lock()
			w.ask.event.Retried++
			w.ask.mu.Unlock()
		}
	}
}

// land gives the outcome of a call to all that wait for it, and to the cache.
func (f *flight) land(s *slot, body []byte, err error) {
	if err == nil && s.cached {
		f.by.cache.put(s.key, body, time.Now().Add(time.Duration(f.op.meta.CacheNS)))
	}
	if !f.op.meta.Shared { // nobody else has come or goes
		for _, w := range s.waiters {
			w.ask.end(w.i, body, err)
		}
		return
	}
	f.op.slots.mu.Lock()
	waiters := s.waiters
	s.waiters, s.ended = nil, true
	f.op.slots.forget(s)
	if len(waiters) > 0 { // otherwise it was given up, and counts no more
		f.open--
	}
	idle := f.open == 0
	f.op.slots.mu.Unlock()
	for _, w := range waiters {
		w.ask.end(w.i, body, err)
	}
	if idle {
		f.cancel() // those that are left were given up
	}
}

var _ context.Context = told{}
