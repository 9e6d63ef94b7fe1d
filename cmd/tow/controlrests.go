//go:build !solo

package main

import (
	"fmt"
	"sync"
	"time"
)

// rests are control nodes that let others wait for nothing when they were asked, and are not asked
// for a while: what all of a fleet counted is looked at twice a second, and would be seldom if each
// look waited for one that is away. One that refuses at once costs nothing, and does not rest.
type rests struct {
	mu  sync.Mutex
	all map[string]rest // by address
}

type rest struct {
	until time.Time
	pause time.Duration // doubles from time to time
	err   error
}

const (
	longWait  = 500 * time.Millisecond // for an answer
	restFirst = 2 * time.Second
	restMost  = 15 * time.Second
)

// why says why a control node rests; nil: it may be asked.
func (r *rests) why(at string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, rests := r.all[at]
	if left := time.Until(one.until); rests && left > 0 {
		return fmt.Errorf("it is asked again in %s: %w", left.Round(100*time.Millisecond), one.err)
	}
	return nil
}

// note notes how a control node answered, and how long that took.
func (r *rests) note(at string, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || took < longWait {
		delete(r.all, at)
		return
	}
	if r.all == nil {
		r.all = map[string]rest{}
	}
	pause := min(max(2*r.all[at].pause, restFirst), restMost)
	r.all[at] = rest{time.Now().Add(pause), pause, err}
}
