// Stores with faults.

package blobtest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"towpath.dev/internal/blob"
)

// What calls with faults fail with.
var (
	ErrUnreached = errors.New("the store was not reached")
	ErrLost      = errors.New("the answer was lost")
)

// An Operation is a method of a store.
type Operation uint8

// The methods.
const (
	Create Operation = iota
	Get
	Head
	List // each page of 1,000 objects is a call
	Delete

	operations // how many there are
)

// A Call is what a plan knows of one.
type Call struct {
	Operation Operation
	Count     int    // how many of its operation there were, this one included
	Name      string // of the object; of a List its prefix
}

// A Fault is what goes wrong with a call. Zero is nothing.
type Fault struct {
	Delay  time.Duration // it is on its way for as long
	Before error         // it never arrives
	After  error         // it took effect, and its answer never arrives
}

// A Plan says what goes wrong with each call. It is asked by one call at a time.
type Plan func(Call) Fault

// Nth plans a fault for the nth call of an operation, counted from one.
func Nth(op Operation, n int, fault Fault) Plan {
	return func(c Call) Fault {
		if c.Operation != op || c.Count != n {
			return Fault{}
		}
		return fault
	}
}

// On plans a fault for all calls of an operation.
func On(op Operation, fault Fault) Plan {
	return func(c Call) Fault {
		if c.Operation != op {
			return Fault{}
		}
		return fault
	}
}

// Random plans faults that follow from the seed and the order of calls: before and after
// are how often calls never arrive and answers are lost, 1 being always.
func Random(seed uint64, before, after float64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(Call) Fault {
		switch n := r.Float64(); {
		case n < before:
			return Fault{Before: ErrUnreached}
		case n < before+after:
			return Fault{After: ErrLost}
		default:
			return Fault{}
		}
	}
}

// A FaultyStore fails as stores over a network do.
type FaultyStore struct {
	inner blob.Store

	mu    sync.Mutex
	plan  Plan
	calls [operations]int
}

// Faulty makes a store that fails as planned; nil is not at all.
func Faulty(inner blob.Store, plan Plan) *FaultyStore { return &FaultyStore{inner: inner, plan: plan} }

// SetPlan plans anew for the calls to come.
func (s *FaultyStore) SetPlan(plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = plan
}

// Calls is how many calls of an operation there were, those that failed included.
func (s *FaultyStore) Calls(op Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// do makes a call with its fault.
func (s *FaultyStore) do(ctx context.Context, op Operation, name string, inner func() error) error {
	s.mu.Lock()
	s.calls[op]++
	var fault Fault
	if s.plan != nil {
		fault = s.plan(Call{op, s.calls[op], name})
	}
	s.mu.Unlock()
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if fault.Before != nil {
		return fault.Before
	}
	err := inner()
	if fault.After != nil {
		return fault.After
	}
	return err
}

func (s *FaultyStore) String() string { return s.inner.String() }

// Create is the store's, with faults.
func (s *FaultyStore) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	return s.do(ctx, Create, name, func() error { return s.inner.Create(ctx, name, data, class) })
}

// Get is the store's, with faults.
func (s *FaultyStore) Get(ctx context.Context, name string) (data []byte, err error) {
	err = s.do(ctx, Get, name, func() error { data, err = s.inner.Get(ctx, name); return err })
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Head is the store's, with faults.
func (s *FaultyStore) Head(ctx context.Context, name string, n int) (data []byte, size int64, err error) {
	err = s.do(ctx, Head, name, func() error { data, size, err = s.inner.Head(ctx, name, n); return err })
	if err != nil {
		return nil, 0, err
	}
	return data, size, nil
}

// Delete is the store's, with faults.
func (s *FaultyStore) Delete(ctx context.Context, name string) error {
	return s.do(ctx, Delete, name, func() error { return s.inner.Delete(ctx, name) })
}

// List is the store's, with faults: at its beginning, and after every 1,000 objects.
func (s *FaultyStore) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	page := func() error { return s.do(ctx, List, prefix, func() error { return nil }) }
	return func(yield func(blob.Info, error) bool) {
		if err := page(); err != nil {
			yield(blob.Info{}, err)
			return
		}
		n := 0
		for info, err := range s.inner.List(ctx, prefix, after) {
			if n++; err == nil && n > 1000 {
				n = 1
				err = page()
			}
			if err != nil {
				yield(blob.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}
