package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"towpath.dev/internal/control/backup/segment"
)

// A Feed is a cluster that is followed from where the store ends. It has to be closed.
type Feed struct {
	u         *Uploader
	t         *tail
	ctx       context.Context // ends when following has; its cause is why
	cancel    context.CancelCauseFunc
	following sync.WaitGroup
	due       time.Time // when the next object is
	late      bool      // it was due before it was followed, and has not all come yet
	patience  time.Duration
}

// Follow finds where the store ends, and follows the cluster from there on until the
// context ends.
func (u *Uploader) Follow(ctx context.Context) (*Feed, error) {
	due, err := u.locate(ctx)
	if err != nil {
		return nil, err
	}
	f := &Feed{u: u, due: due, late: !due.After(u.o.Now()), patience: pieceTime, t: newTail(u, u.Durable()+1)}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	f.following.Go(func() { f.cancel(f.t.follow(f.ctx)) })
	return f, nil
}

// Close ends following.
func (f *Feed) Close() {
	f.cancel(nil)
	f.following.Wait()
}

// locate finds where the store ends, and when the next object is due.
func (u *Uploader) locate(ctx context.Context) (due time.Time, err error) {
	last, some, err := u.shelf.last(ctx)
	if err != nil {
		return due, err
	}
	newest, _, err := u.shelf.newestBase(ctx)
	if err != nil {
		return due, err
	}
	base := newest.Revision
	now, err := u.revision(ctx)
	if err != nil {
		return due, err
	}
	// Asked for once now is known, so that the first base is of now or later.
	if base > 0 {
		select {
		case u.look <- struct{}{}:
		default: // it is asked for
		}
	} else {
		u.Base("there is none yet")
	}
	if kept := max(last.End, base); kept > now {
		return due, fmt.Errorf("the store has revision %d of %s, and the cluster is at %d: it was turned back without a restore that says so. Restore with \"tow backup restore\", or give this cluster another name", kept, u.o.Cluster, now)
	}
	due = u.o.Now().Add(u.o.Every)
	switch {
	case some:
		u.setDurable(last.End, time.Time{})
		// What came while nobody was here is late already.
		if next := last.To.Add(u.o.Every); next.Before(due) {
			due = next
		}
	case base > 0 && u.Durable() < base:
		// Whoever made it got no further.
		u.resume(base + 1)
		due = u.o.Now()
	case u.Durable() == 0:
		// Of what is older, the base has what counts.
		u.resume(now + 1)
	}
	return due, nil
}

// wait waits until it is time for an object, or there is enough for one, or ctx ends.
func (f *Feed) wait(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(f.ctx, f.due.Sub(f.u.o.Now()))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	_ = f.t.full(waiting)
	if err := context.Cause(f.ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// A cutting is what was gathered since the last one: no object, if that is nothing.
type cutting struct {
	object []byte
	header segment.Header
	// When all revisions that there were are in the objects up to this one; zero if not
	// all of them had come.
	proven time.Time
}

// cut takes what there is now. What is late is taken in pieces, as it comes: reading all of it
// may take longer than this process lives.
func (f *Feed) cut(ctx context.Context) (c cutting, err error) {
	at := f.u.o.Now()
	f.due = at.Add(f.u.o.Every)
	now, err := f.u.revision(ctx)
	if err != nil {
		return c, err
	}
	patience := answerTime
	if f.late {
		patience = f.patience
	}
	catching, cancel := context.WithTimeout(f.ctx, patience)
	defer cancel()
	if f.t.reached(catching, now) == nil {
		c.proven, f.late = at, false
	}
	c.object, c.header, err = f.t.cut(ctx)
	if f.late {
		f.due = at
		if c.object == nil {
			f.patience = min(2*f.patience, answerTime)
		}
	}
	return c, err
}

// pieceTime is for how long a piece of what is late is gathered.
const pieceTime = 250 * time.Millisecond

// landed notes that a cutting is in the store.
func (f *Feed) landed(c cutting) {
	if c.object != nil {
		f.u.gauge.uploaded(len(c.object), c.header)
	}
	f.u.setDurable(c.header.End, c.proven)
}

// Upload uploads all that there is now, without waiting for its time. While the store
// fails it tries again: what was gathered is not gathered again from the cluster.
func (f *Feed) Upload(ctx context.Context) error {
	for {
		c, err := f.cut(ctx)
		if err == nil && c.object != nil {
			err = f.put(c)
		}
		if cause := context.Cause(f.ctx); cause != nil {
			return cause // that following has ended is why
		}
		if err != nil {
			return err
		}
		f.landed(c)
		if !f.late || c.object == nil && f.patience == answerTime {
			return nil
		}
	}
}

func (f *Feed) put(c cutting) error {
	var wait backoff
	for {
		err := f.u.put(f.ctx, c.object, c.header)
		if err == nil || errors.Is(err, errOvertaken) {
			return err
		}
		f.u.o.Log.Warn("backup: the store does not take an object; trying again", "cluster", f.u.o.Cluster, "start", c.header.Start, "error", err)
		if err := wait.sleep(f.ctx); err != nil {
			return err
		}
	}
}
