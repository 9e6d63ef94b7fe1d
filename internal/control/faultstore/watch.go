package faultstore

import (
	"context"

	"towpath.dev/election"
)

// A watch is one under way.
type watch struct {
	cut chan struct{} // closed when the test ends it; err is why
	err error
}

// Watch is begun at once unless its fault delays it. Fault.After ends it behind its
// first batch.
func (s *Store) Watch(ctx context.Context, keys election.Keys, from int64) <-chan election.Batch {
	fault := s.arrive(Call{Operation: Watch, Keys: keys})
	out := make(chan election.Batch, 1) // a slot for the last batch, which shall not wait
	w := &watch{cut: make(chan struct{})}
	s.mu.Lock()
	s.watches[w] = struct{}{}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var inner <-chan election.Batch
	if fault.Delay <= 0 && fault.Before == nil && s.reached() {
		inner = s.inner.Watch(ctx, keys, from)
	}
	go func() { // ends with ctx, as the inner watch does
		defer cancel()
		err := fault.Before
		if waited := wait(ctx, fault.Delay); waited != nil {
			err = waited
		}
		if err == nil && inner == nil {
			if err = s.pass(ctx, w); err == nil {
				inner = s.inner.Watch(ctx, keys, from)
			}
		}
		if err == nil {
			err = s.forward(ctx, w, inner, out, fault.After)
		}
		s.mu.Lock()
		delete(s.watches, w)
		s.mu.Unlock()
		if err != nil {
			select {
			case <-out: // nobody took it, and who watches on begins behind what was taken
			default:
			}
			out <- election.Batch{Err: err}
		}
		close(out)
	}()
	return out
}

// forward sends what the inner watch does until it ends, and returns why, or nil if it
// has said so. It ends itself, behind a batch, if there is an error for then.
func (s *Store) forward(ctx context.Context, w *watch, inner <-chan election.Batch, out chan<- election.Batch, after error) error {
	for {
		var batch election.Batch
		var more bool
		select {
		case batch, more = <-inner:
		case <-w.cut:
			return w.err
		}
		if !more {
			return context.Cause(ctx)
		}
		if err := s.pass(ctx, w); err != nil {
			return err
		}
		if batch.Err != nil {
			return batch.Err
		}
		select {
		case out <- batch:
		case <-w.cut:
			return w.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if after != nil {
			select {
			case out <- election.Batch{Err: after}: // once the batch was taken
				return nil
			case <-w.cut:
				return w.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// pass waits until watches are not silent.
func (s *Store) pass(ctx context.Context, w *watch) error {
	for {
		s.mu.Lock()
		silent, changed := s.partitioned || s.stalled, s.changed
		s.mu.Unlock()
		if !silent {
			return nil
		}
		select {
		case <-changed:
		case <-w.cut:
			return w.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
