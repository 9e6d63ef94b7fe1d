// How an agent hands counters over.

package fleet

import (
	"context"
	"slices"
	"time"
)

// count hands counters over until the context ends: often what somebody compares, and all of them
// now and then. Those of a hundred programs are large, and one of them is on trial.
func (a *Agent) count(ctx context.Context) {
	tick := time.NewTicker(a.o.Counting)
	defer tick.Stop()
	var last time.Time // that all were handed over
	var asked []string
	number := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		stale, often := !a.stale.IsZero(), slices.Concat(a.trial, asked)
		a.mu.Unlock()
		all := time.Since(last) >= a.o.CountingIdle
		if stale || !all && len(often) == 0 {
			continue
		}
		c := a.counters(all, often)
		if !c.Some {
			last = time.Now()
		}
		number++
		c.Number = number
		asking, cancel := context.WithTimeout(ctx, reportTime)
		var err error
		if asked, err = a.o.Link.Count(asking, c); err != nil && ctx.Err() == nil {
			a.o.Log.Debug("counters could not be handed over", "error", err)
		}
		cancel()
	}
}

// counters are all, or those of some programs, of which one that is not in place has none.
func (a *Agent) counters(all bool, some []string) *Counters {
	c := &Counters{Node: a.o.Node, Incarnation: a.o.Incarnation, Programs: a.o.Host.Counts()}
	if all {
		return c
	}
	counts := c.Programs
	c.Programs, c.Some = map[string][]Count{}, true
	for _, program := range some {
		c.Programs[program] = counts[program]
	}
	return c
}
