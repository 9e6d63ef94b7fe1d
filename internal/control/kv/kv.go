// Package kv is a key-value store for users over the control plane's own: namespaces
// with quotas, TTLs, compare-and-swap, transactions, pages at one revision, watches
// that never skip. It serves towpath.v1.KeyValueService; docs/kv.md tells users what
// they can rely on.
//
//	service, err := kv.New(ctx, store, kv.Options{Caller: nameOfPrincipal})
//	defer service.Close()
//	mux.Handle(towpathv1connect.NewKeyValueServiceHandler(service))
//
// Any number of servers may serve one store. What one of them keeps in memory (how
// much a namespace holds, which leases it has granted) it can lose: the store has it.
//
// Words: a step is one write of a user as it is checked and run; a census is what is
// counted of namespaces from a watch; a reservation is room for a write that has not
// been counted yet; the gate shuts when the store is nearly full.
package kv

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/internal/control"
)

// Options say how a Service serves. The zero value serves one caller without a name.
type Options struct {
	// Caller names who asks, for limits and for Idempotency-Keys: a principal's keys
	// are its own. Nil: all are the same caller.
	Caller func(context.Context) string
	// MaxCalls is how many calls of one caller may run at once. 0: 128.
	MaxCalls int
	// MaxWatches is how many watches of one caller may be open. 0: 100.
	MaxWatches int
	// Log hears of the gate and of counting anew. Nil: nobody does.
	Log *slog.Logger
}

// A Service is a KeyValueService. It is safe for concurrent use, and has to be closed.
type Service struct {
	store  control.Store
	caller func(context.Context) string
	calls  limiter
	opened limiter
	census *census
	gate   *gate
	leases *leases

	// What runs until Close: the census, the gate, and the watches of callers.
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

var _ towpathv1connect.KeyValueServiceHandler = (*Service)(nil)

// Ready waits until all keys have been counted once, before which nothing is written.
func (s *Service) Ready(ctx context.Context) error {
	select {
	case <-s.census.first:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// New serves a store until Close, or until ctx is done. It does not wait for the
// store: writes before the first count are refused as unavailable.
func New(ctx context.Context, store control.Store, o Options) (*Service, error) {
	if o.Caller == nil {
		o.Caller = func(context.Context) string { return "" }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		store:  store,
		caller: o.Caller,
		calls:  limiter{most: or(o.MaxCalls, 128), what: "calls at once", running: map[string]int{}},
		opened: limiter{most: or(o.MaxWatches, 100), what: "open watches", running: map[string]int{}},
		census: newCensus(o.Log),
		gate:   newGate(o.Log),
		leases: newLeases(store),
	}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.running.Go(func() { s.census.run(s.ctx, store) })
	s.running.Go(func() { s.gate.run(s.ctx, store, s.census.expire) })
	return s, nil
}

// Close ends the watches, and what runs in the background; for that it waits. Other
// calls go on until they are done.
func (s *Service) Close() {
	s.stop()
	s.running.Wait()
}

// patience is how long a call waits for the store where its caller would wait longer.
const patience = 10 * time.Second

// begin admits a call. What it returns ends it.
func (s *Service) begin(ctx context.Context) (context.Context, func(), error) {
	caller := s.caller(ctx)
	if err := s.calls.enter(caller); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	return ctx, func() { cancel(); s.calls.leave(caller) }, nil
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
