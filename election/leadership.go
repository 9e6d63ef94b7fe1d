package election

import (
	"context"
	"errors"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A Leadership is a seat held. It is a context that ends before the seat can be
// another's: when the lease was not renewed in time, measured on this process's own
// clock from when the last answered renewal was sent; when the session is lost;
// when the health check fails; when it is resigned. context.Cause says which.
//
// A lease that somebody revokes, and a process that is stopped and goes on later, can
// end a seat before its context. Writes that must not happen then need the token as a
// guard: without one a lock is a hint.
type Leadership struct {
	context.Context
	end context.CancelCauseFunc

	of      *candidacy
	seat    string
	token   Token
	counted bool          // by metrics; the candidacy's goroutine owns it
	drained chan struct{} // closed when it is asked to hand over
	gone    chan struct{} // closed when the store says that it is not held

	mu        sync.Mutex
	draining  bool
	suggested string // who asked to have it next
}

// Err is nil while the leadership lasts. Other than a plain context's it looks at the
// clock itself.
func (l *Leadership) Err() error {
	if l.of.session.Err() != nil {
		l.end(context.Cause(l.of.session.ctx))
	}
	return l.Context.Err()
}

// Group is the group of the seat.
func (l *Leadership) Group() string { return l.of.group }

// Seat is the seat's name: its number, or the partition.
func (l *Leadership) Seat() string { return l.seat }

// Name is the seat's name among all groups: GROUP/SEAT.
func (l *Leadership) Name() string { return l.of.group + "/" + l.seat }

// Token is the seat's fencing token.
func (l *Leadership) Token() Token { return l.token }

// Candidate is the id of its holder.
func (l *Leadership) Candidate() string { return l.of.me.id }

// Fence is the name and the token, for guards elsewhere.
func (l *Leadership) Fence() Fence { return Fence{l.Name(), l.token} }

// Draining is closed when the holder is asked to hand over: to finish what it does,
// and to resign. Until it does it goes on to lead.
func (l *Leadership) Draining() <-chan struct{} { return l.drained }

// Guard is the condition that the seat is still held as it was acquired, for a
// transaction of the same store.
func (l *Leadership) Guard() Compare {
	return ModifiedAt(l.of.keys.seat(l.seat), l.token.Revision)
}

// Cmp is Guard for etcd's own client.
func (l *Leadership) Cmp() clientv3.Cmp { return l.Guard().cmp() }

// Resign ends the leadership and hands the seat to who has waited longest, or leaves
// it free. Its context ends at once, so what leads must have finished before; the
// next holder starts when the store has the hand-over.
//
// It returns when the store says that the seat is not held any more. If ctx ends
// before that, the seat is still given up, as soon as the store can be reached.
func (l *Leadership) Resign(ctx context.Context) error {
	return l.resign(ctx, "")
}

// Transfer is Resign with a named successor, which must be waiting for a seat in the
// group; else it fails with ErrNoTaker and the leadership goes on. A partition's
// successor is the one that the plan names, and no other.
func (l *Leadership) Transfer(ctx context.Context, candidate string) error {
	return l.resign(ctx, candidate)
}

func (l *Leadership) resign(ctx context.Context, to string) error {
	ctx, span := l.of.session.tracer.Start(ctx, "election.resign")
	defer span.End()
	err := l.of.do(func() error { return l.of.letGo(l, to, ErrResigned) })
	if errors.Is(err, errLeft) {
		return nil // with the session the seat has ended, or does by itself
	}
	if err != nil {
		return err
	}
	select {
	case <-l.gone:
		return nil
	case <-l.of.session.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("election: %s is given up as soon as the store can be reached: %w", l.Name(), context.Cause(ctx))
	}
}

// drain asks the holder to hand over.
func (l *Leadership) drain(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suggested = to
	if !l.draining {
		l.draining = true
		close(l.drained)
	}
}

// Successor is the candidate that a draining leadership should go to; "" is whoever
// has waited longest. Resign respects it.
func (l *Leadership) Successor() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suggested
}
