package engine

import (
	"math/rand/v2"
	"time"
)

// Clock is where all time comes from, so that a test can own it.
type Clock interface {
	Now() time.Time
	// After gives a channel that receives once d has gone by, and what stops it.
	After(d time.Duration) (fired <-chan time.Time, stop func() bool)
}

// machineClock is the machine's clock. In a testing/synctest bubble its time is
// the bubble's.
type machineClock struct{}

func (machineClock) Now() time.Time { return time.Now() }

func (machineClock) After(d time.Duration) (<-chan time.Time, func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}

func randomSeed() int64 { return int64(rand.Uint64()) }
