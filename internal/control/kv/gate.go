// What keeps users' writes from filling the store.

package kv

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/internal/control"
)

// A gate shuts for writes when the store is nearly full, so that leases and the
// cluster's own state always find room. Deletes pass it.
//
// Between two looks at the store it counts what this server wrote. So writes pass the
// mark by what other servers wrote since this one looked last: at most a hundredth of
// the quota each, and what is under way.
type gate struct {
	log  *slog.Logger
	look chan struct{} // asks for a look

	mu     sync.Mutex
	shut   bool
	status control.Status
	since  int64 // bytes written by this server since status
}

const (
	lookEvery = 5 * time.Second

	// Shares of the quota, in percent. What is in use can be brought down by deleting;
	// the file's size, which the store goes by, only by defragmenting, so that it may
	// be larger.
	shutAt, openAt         = 70, 65
	shutAtSize, openAtSize = 90, 85
)

func newGate(log *slog.Logger) *gate { return &gate{log: log, look: make(chan struct{}, 1)} }

// run looks at the store until ctx is done; each time, it calls also.
func (g *gate) run(ctx context.Context, store control.Store, also func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		g.update(ctx, store)
		select {
		case <-tick.C:
			also()
		case <-g.look:
		case <-ctx.Done():
			return
		}
	}
}

// update looks at the store. If it does not answer, what was known holds.
func (g *gate) update(ctx context.Context, store control.Store) {
	g.mu.Lock()
	before := g.since
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	status, err := store.Status(ctx)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
	g.since -= before // what came meanwhile may not be in it
	g.judge()
}

// judge shuts the gate or opens it. While it is shut, the lower marks are what counts.
func (g *gate) judge() {
	s := g.status
	above := func(use, percent int64) bool { return s.Quota > 0 && use >= s.Quota/100*percent }
	mark, markSize := int64(shutAt), int64(shutAtSize)
	if g.shut {
		mark, markSize = openAt, openAtSize
	}
	shut := s.NoSpace || above(s.InUse+g.since, mark) || above(s.Size, markSize)
	if shut != g.shut {
		g.shut = shut
		g.log.Warn("writes of keys", "taken", !shut, "in use", s.InUse, "size", s.Size, "quota", s.Quota)
	}
}

// pass lets a write of so many bytes in, or says why not.
func (g *gate) pass(bytes int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since += int64(bytes)
	if g.status.Quota > 0 && g.since > g.status.Quota/100 {
		select {
		case g.look <- struct{}{}:
		default: // one is due already
		}
	}
	if !g.shut { // only what the store says opens it
		g.judge()
	}
	if !g.shut {
		return nil
	}
	g.since -= int64(bytes)
	s := g.status
	if s.NoSpace || s.Size >= s.Quota/100*openAtSize {
		return refuse(connect.CodeResourceExhausted, "the store's file has %s of the %s it may have, and keys are taken again below %d %%: have the control nodes' stores defragmented, or give them a larger quota; deletes are let through", mib(s.Size), mib(s.Quota), openAtSize)
	}
	return refuse(connect.CodeResourceExhausted, "the store uses %s of its quota of %s; above %d %% it takes no keys until it is below %d %% again, so that elections always find room: delete keys (deletes are let through; they count after the next compaction), or give the control nodes a larger quota", mib(s.InUse+g.since), mib(s.Quota), shutAt, openAt)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
