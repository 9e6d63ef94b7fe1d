// Package mirror follows what is below some prefix in a store: all of it once, and then each
// change, for as long as it takes, over lost watches and compactions.
//
//	go mirror.Follow(ctx, store, "fleet/", func(u mirror.Update) {
//		if u.Reset {
//			clear(nodes)
//		}
//		for _, e := range u.Events { … }
//	})
package mirror

import (
	"context"
	"errors"
	"time"

	"towpath.dev/election"
)

// An Update is what is new.
type Update struct {
	// Reset: the events are all keys that there are, and what was heard before is void.
	Reset  bool
	Events []election.Event
	// Revision is the store's up to which all has been told.
	Revision int64
}

const (
	pause = 200 * time.Millisecond // before following again
	most  = 5 * time.Second
	asked = 10 * time.Second // for a read
)

// Follow tells what is below the prefix until the context ends. see is called by one
// goroutine.
func Follow(ctx context.Context, store election.Store, prefix string, see func(Update)) {
	next, wait := int64(0), pause
	for ctx.Err() == nil {
		began := time.Now()
		next = follow(ctx, store, election.Prefix(prefix), next, see)
		if time.Since(began) > most {
			wait = pause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, most)
	}
}

// follow follows from a revision on, or from the beginning for 0, until the watch is lost.
// It gives where to go on.
func follow(ctx context.Context, store election.Store, keys election.Keys, next int64, see func(Update)) int64 {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if next == 0 {
		asking, stop := context.WithTimeout(ctx, asked)
		page, err := store.Range(asking, election.Span{Keys: keys})
		stop()
		if err != nil {
			return 0
		}
		all := Update{Reset: true, Revision: page.Revision}
		for _, e := range page.Entries {
			all.Events = append(all.Events, election.Event{Entry: e})
		}
		see(all)
		next = page.Revision + 1
	}
	for batch := range store.Watch(ctx, keys, next) {
		if batch.Err != nil {
			var gone *election.CompactedError
			if errors.As(batch.Err, &gone) {
				return 0
			}
			return next
		}
		if batch.Revision >= next || len(batch.Events) > 0 {
			see(Update{Events: batch.Events, Revision: batch.Revision})
			next = batch.Revision + 1
		}
	}
	return next
}
