package faultstore

import (
	"math/rand/v2"
	"time"

	"towpath.dev/election"
)

// An Operation is a method of a store.
type Operation uint8

// The methods.
const (
	Range Operation = iota
	Txn
	Watch
	Grant
	Renew
	Revoke
	Compact
	Status

	operations // how many there are
)

// A Call is what a plan knows of one.
type Call struct {
	Operation Operation
	Count     int              // how many of its operation there were, this one included
	Keys      election.Keys    // of a Range or Watch
	Txn       election.Txn     // of a Txn
	Lease     election.LeaseID // of a Renew or Revoke
}

// A Fault is what goes wrong with a call. Zero is nothing.
type Fault struct {
	Delay       time.Duration // it is on its way for as long
	Before      error         // it never arrives
	DelayAnswer time.Duration // it took effect, and its answer is on its way for as long
	After       error         // it took effect, and its answer never arrives
}

// A Plan says what goes wrong with each call. It is asked by one call at a time.
type Plan func(Call) Fault

// On plans a fault for all calls of an operation.
func On(op Operation, fault Fault) Plan {
	return func(c Call) Fault {
		if c.Operation != op {
			return Fault{}
		}
		return fault
	}
}

// Nth plans a fault for the nth call of an operation, counted from one.
func Nth(op Operation, n int, fault Fault) Plan {
	return func(c Call) Fault {
		if c.Operation != op || c.Count != n {
			return Fault{}
		}
		return fault
	}
}

// Rates are how often what happens: 1 is always.
type Rates struct {
	Before, After float64
	Delay         float64       // of calls, and of answers
	Longest       time.Duration // delay
}

// Random plans faults that follow from the seed and the order of calls. A watch that
// is meant by After is cut behind its first batch.
func Random(seed uint64, rates Rates) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	delay := func() time.Duration {
		if r.Float64() >= rates.Delay || rates.Longest <= 0 {
			return 0
		}
		return time.Duration(r.Int64N(int64(rates.Longest))) + 1
	}
	return func(Call) Fault {
		fault := Fault{Delay: delay(), DelayAnswer: delay()}
		switch n := r.Float64(); {
		case n < rates.Before:
			fault.Before = election.ErrNotReached
		case n < rates.Before+rates.After:
			fault.After = ErrLost
		}
		return fault
	}
}
