package memstore

import (
	"context"
	"slices"

	"towpath.dev/election"
)

// batchRevisions is how many revisions a watch that catches up looks at in one go.
const batchRevisions = 1000

// A watch reads the store's history at its own pace.
type watch struct {
	keys election.Keys
	wake chan struct{} // of one: there may be something to do

	// ended is closed when the store ends the watch; err is why.
	ended chan struct{}
	err   error

	next int64 // the revision to look at next; the store's lock guards it
}

// Watch sends what happens to keys.
func (s *Store) Watch(ctx context.Context, keys election.Keys, from int64) <-chan election.Batch {
	w := &watch{keys: keys, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	// The slot is for the last batch, which must neither be lost nor wait.
	out := make(chan election.Batch, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		out <- election.Batch{Err: err}
		close(out)
		return out
	}
	w.next = from
	if from == 0 {
		w.next = s.revision + 1
	}
	s.watches[w] = struct{}{}
	s.watching.Go(func() {
		err := s.follow(ctx, w, out)
		select {
		case <-out: // nobody took it, and who watches on begins behind what was taken
		default:
		}
		out <- election.Batch{Err: err}
		close(out)
	})
	return out
}

// follow sends batches until the watch ends, and returns why.
func (s *Store) follow(ctx context.Context, w *watch, out chan<- election.Batch) error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches, w)
	}()
	for {
		batch, more, err := s.read(w)
		if err != nil {
			return err
		}
		switch {
		case len(batch.Events) > 0:
			select {
			case out <- batch:
			case <-w.ended:
				return w.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case !more:
			select {
			case <-w.wake:
			case <-w.ended:
				return w.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// read is what a watch sends next, and whether there are revisions that it has not
// looked at yet.
func (s *Store) read(w *watch) (election.Batch, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.next < s.compacted {
		return election.Batch{}, false, &election.CompactedError{Revision: s.compacted}
	}
	var batch election.Batch
	w.next = max(w.next, s.log.first)
	revisions := s.log.since(w.next)
	revisions = revisions[:min(len(revisions), batchRevisions)]
	for _, events := range revisions {
		for _, e := range events {
			if w.keys.Has(e.Entry.Key) {
				batch.Events = append(batch.Events, e)
			}
		}
	}
	w.next += int64(len(revisions))
	// What was seen beyond the last event is not said: etcd does not say it either.
	if n := len(batch.Events); n > 0 {
		batch.Revision = batch.Events[n-1].Entry.Modified
	}
	return batch, w.next < s.log.end(), nil
}

// happened tells a watch of a revision. One that has seen all before it, and is not
// meant, has thereby seen this one too: it need not wake, and stays ahead of
// compactions.
func (w *watch) happened(revision int64, events []election.Event) {
	switch {
	case slices.ContainsFunc(events, func(e election.Event) bool { return w.keys.Has(e.Entry.Key) }):
		w.poke()
	case w.next == revision:
		w.next++
	}
}

func (w *watch) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// endWatches ends all of them.
func (s *Store) endWatches(err error) {
	for w := range s.watches {
		w.err = err
		close(w.ended)
	}
	clear(s.watches)
}
