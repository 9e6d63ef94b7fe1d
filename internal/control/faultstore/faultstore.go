// Package faultstore wraps a [control.Store] so that it fails as stores over a network
// do: calls that never arrive, answers that are lost after the call took effect, delays,
// watches that end or fall silent, partitions. In virtual time, delays are virtual as
// well.
//
//	store := faultstore.Wrap(inner, faultstore.On(faultstore.Renew, faultstore.Fault{Before: election.ErrNotReached}))
//	store.Partition()
//	store.Heal()
//
// To cut off one of many that share a store, wrap it for each of them.
package faultstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// ErrLost is the error of a call that took effect, and whose answer did not arrive.
var ErrLost = errors.New("the answer was lost")

// errPartitioned is the error of calls while the store cannot be reached.
var errPartitioned = fmt.Errorf("%w: a partition", election.ErrNotReached)

// A Store is one with faults.
type Store struct {
	inner control.Store

	mu          sync.Mutex
	plan        Plan
	calls       [operations]int
	partitioned bool
	stalled     bool
	changed     chan struct{} // closed when one of the two changes
	watches     map[*watch]struct{}
}

var _ control.Store = (*Store)(nil)

// Wrap makes a store that fails as planned; nil is not at all.
func Wrap(inner control.Store, plan Plan) *Store {
	return &Store{inner: inner, plan: plan, changed: make(chan struct{}), watches: map[*watch]struct{}{}}
}

// SetPlan plans anew for the calls to come.
func (s *Store) SetPlan(plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = plan
}

// Calls is how many calls of an operation there were, those that failed included.
func (s *Store) Calls(op Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Partition makes all calls fail with [election.ErrNotReached], those under way with
// ErrLost, and watches silent.
func (s *Store) Partition() { s.set(&s.partitioned, true) }

// Heal ends a partition. Watches go on with what happened meanwhile.
func (s *Store) Heal() { s.set(&s.partitioned, false) }

// Stall makes watches silent.
func (s *Store) Stall() { s.set(&s.stalled, true) }

// Resume lets watches go on with what happened meanwhile.
func (s *Store) Resume() { s.set(&s.stalled, false) }

func (s *Store) set(field *bool, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*field = to
	close(s.changed)
	s.changed = make(chan struct{})
}

// Cut ends the watches that there are with an error.
func (s *Store) Cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		w.err = err
		close(w.cut)
	}
	clear(s.watches)
}

// arrive counts a call, and asks the plan for its fault.
func (s *Store) arrive(call Call) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[call.Operation]++
	call.Count = s.calls[call.Operation]
	if s.plan == nil {
		return Fault{}
	}
	return s.plan(call)
}

func (s *Store) reached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.partitioned
}

// do makes a call with its fault.
func (s *Store) do(ctx context.Context, call Call, inner func() error) error {
	fault := s.arrive(call)
	if err := wait(ctx, fault.Delay); err != nil {
		return err
	}
	if !s.reached() {
		return errPartitioned
	}
	if fault.Before != nil {
		return fault.Before
	}
	if err := inner(); err != nil {
		return err
	}
	if err := wait(ctx, fault.DelayAnswer); err != nil {
		return err
	}
	if !s.reached() {
		return ErrLost
	}
	return fault.After
}

// wait waits, or says why not.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answer makes a call that has an answer, which is none if the call failed.
func answer[A any](ctx context.Context, s *Store, call Call, inner func() (A, error)) (A, error) {
	var given A
	err := s.do(ctx, call, func() (err error) {
		given, err = inner()
		return err
	})
	if err != nil {
		return *new(A), err
	}
	return given, nil
}

func (s *Store) Range(ctx context.Context, span election.Span) (election.Page, error) {
	return answer(ctx, s, Call{Operation: Range, Keys: span.Keys}, func() (election.Page, error) { return s.inner.Range(ctx, span) })
}

func (s *Store) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	return answer(ctx, s, Call{Operation: Txn, Txn: txn}, func() (election.Result, error) { return s.inner.Txn(ctx, txn) })
}

func (s *Store) Grant(ctx context.Context, ttl time.Duration) (election.LeaseID, time.Duration, error) {
	type granted struct {
		id  election.LeaseID
		ttl time.Duration
	}
	g, err := answer(ctx, s, Call{Operation: Grant}, func() (g granted, err error) {
		g.id, g.ttl, err = s.inner.Grant(ctx, ttl)
		return g, err
	})
	return g.id, g.ttl, err
}

func (s *Store) Renew(ctx context.Context, id election.LeaseID) (time.Duration, error) {
	return answer(ctx, s, Call{Operation: Renew, Lease: id}, func() (time.Duration, error) { return s.inner.Renew(ctx, id) })
}

func (s *Store) Revoke(ctx context.Context, id election.LeaseID) error {
	return s.do(ctx, Call{Operation: Revoke, Lease: id}, func() error { return s.inner.Revoke(ctx, id) })
}

func (s *Store) Compact(ctx context.Context, revision int64) error {
	return s.do(ctx, Call{Operation: Compact}, func() error { return s.inner.Compact(ctx, revision) })
}

func (s *Store) Status(ctx context.Context) (control.Status, error) {
	return answer(ctx, s, Call{Operation: Status}, func() (control.Status, error) { return s.inner.Status(ctx) })
}
