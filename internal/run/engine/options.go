package engine

import (
	"errors"
	"fmt"
	"time"
)

// Options say how a Program runs. The zero value works for programs whose views
// make no calls.
type Options struct {
	// Source answers calls. Nil: every call fails.
	Source Source
	// Clock tells the time and wakes waiting requests. Nil: the machine's.
	Clock Clock
	// Seed gives each request its seed. Nil: random ones.
	Seed func() int64
	// Shed decides whether an optional scope is left out of its request. It is
	// asked once a scope, when that first waits for a call, before the call is
	// sent; it must be fast. Nil: nothing is shed.
	Shed func(s ScopeInfo) bool
	// Strict refuses members of an input that its type does not know.
	Strict bool

	// CacheDir keeps compiled modules between processes. "", and where a folder
	// cannot be read or written: they are not kept.
	CacheDir string
	// Idle bounds the instances kept ready for the next request. 0: 64.
	Idle int

	// Gas is what a pass may spend. 0: 50,000,000.
	Gas int64
	// Depth is how many calls of recursive functions may nest. 0: 10,000.
	Depth int
	// Memory is how many bytes a request may use. 0: all that the artifact asks.
	Memory int
	// Passes bounds the passes of a request. 0: 1,000.
	Passes int
	// CPU bounds the time that the passes of a request run, together. 0: one
	// second. Waiting for answers does not count.
	CPU time.Duration
	// Calls bounds the different calls of a request. 0: 10,000.
	Calls int
	// Kept bounds the bytes of input and answers of a request. 0: 16 MiB.
	Kept int
}

// Validate reports all that is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Idle", int64(o.Idle)}, {"Gas", o.Gas}, {"Depth", int64(o.Depth)}, {"Memory", int64(o.Memory)},
		{"Passes", int64(o.Passes)}, {"CPU", int64(o.CPU)}, {"Calls", int64(o.Calls)}, {"Kept", int64(o.Kept)},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("option %s is %d: it cannot be negative", f.name, f.value))
		}
	}
	if o.Depth > 1<<31-1 {
		errs = append(errs, fmt.Errorf("option Depth is %d: at most %d", o.Depth, 1<<31-1))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	o.Idle = or(o.Idle, 64)
	o.Gas = or(o.Gas, 50_000_000)
	o.Depth = or(o.Depth, 10_000)
	o.Passes = or(o.Passes, 1000)
	o.CPU = or(o.CPU, time.Second)
	o.Calls = or(o.Calls, 10_000)
	o.Kept = or(o.Kept, 16<<20)
	if o.Clock == nil {
		o.Clock = machineClock{}
	}
	if o.Seed == nil {
		o.Seed = randomSeed
	}
	return o
}

// or is v, or def when v is 0.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
