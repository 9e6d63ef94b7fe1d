package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// rewrite makes one log object of several, and reads it back. Who reads it from then on
// needs the inputs no more.
func (u *Uploader) rewrite(ctx context.Context, r catalog.Rewrite) error {
	header := segment.Header{Cluster: u.shelf.place.cluster, Generation: u.shelf.place.generation}
	w := segment.NewWriter(header, u.segments())
	b := &builder{shelf: u.shelf, identities: u.o.Identities}
	var to recorder = &merging{w: w, next: r.First, last: r.Last}
	if r.Level == catalog.HourPoints || r.Level == catalog.DayPoints {
		to = newThinning(w, r)
	}
	for _, l := range r.Inputs {
		if err := b.read(ctx, l, to.record); err != nil {
			return err
		}
	}
	if err := to.end(); err != nil {
		return err
	}
	object, h, err := w.Seal()
	if err != nil {
		return err
	}
	if h.Start != r.First || h.End != r.Last {
		return fmt.Errorf("%w: the inputs of revisions %d to %d have %d to %d", segment.ErrDamaged, r.First, r.Last, h.Start, h.End)
	}
	return u.keepRewrite(ctx, u.shelf.place.log(r.Level, r.First), object, u.class(h.Size, u.o.Keep.Life(r.Level)))
}

// keepRewrite creates a log object that is made of others, and reads back what is in the store
// by its name, whoever wrote it: for that the inputs will be deleted. What is damaged goes, as the
// inputs are there and have just been read, and so that it is in nobody's way.
func (u *Uploader) keepRewrite(ctx context.Context, name string, object []byte, class blob.Class) error {
	for tries := 1; ; tries++ {
		err := u.o.Store.Create(ctx, name, object, class)
		if err != nil && !errors.Is(err, blob.ErrExists) {
			return err
		}
		err = u.readBack(ctx, name, object)
		if !errors.Is(err, segment.ErrDamaged) {
			return err
		}
		if err := u.o.Store.Delete(ctx, name); err != nil {
			return err
		}
		u.shelf.drop(name)
		if tries == 2 {
			return fmt.Errorf("%w; it was deleted, what it is made of stays, and it is made again within the hour", err)
		}
	}
}

// readBack reads an object that should be this one, or another one that is as good.
func (u *Uploader) readBack(ctx context.Context, name string, object []byte) error {
	there, err := u.o.Store.Get(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, object) {
		_, err = u.shelf.check(ctx, name, there, u.o.Identities)
	}
	u.shelf.found(name, u.o.Identities, err)
	return err
}

// A recorder takes the records of inputs, one after the other.
type recorder interface {
	record(segment.Record) error
	end() error
}

// merging writes each change once.
type merging struct {
	w          *segment.Writer
	next, last int64
	written    segment.Change // the last one
}

func (m *merging) record(r segment.Record) error {
	switch {
	case r.Change != nil:
		c := *r.Change
		if c.Main > m.last || c.Main < m.next || !after(c, m.written) {
			return nil
		}
		if c.Main > m.written.Main+1 && m.written.Main != 0 || m.written.Main == 0 && c.Main != m.next {
			return fmt.Errorf("%w: expected revision %d, found %d", segment.ErrDamaged, max(m.written.Main+1, m.next), c.Main)
		}
		m.w.Change(c)
		m.written = c
	case r.Mark != nil:
		if r.Mark.Revision == m.written.Main {
			m.w.Mark(r.Mark.Time)
		}
	case r.Lease != nil:
		m.w.Lease(*r.Lease)
	}
	return nil
}

func (m *merging) end() error { return nil }

// after says whether a change comes after another one.
func after(c, other segment.Change) bool {
	return cmp.Or(cmp.Compare(c.Main, other.Main), cmp.Compare(c.Sub, other.Sub)) > 0
}

// thinning writes of each key the last change up to the next point.
type thinning struct {
	w       *segment.Writer
	rewrite catalog.Rewrite
	step    time.Duration             // between points
	changes map[string]segment.Change // from the last point to the last mark, by key
	pending map[string]segment.Change // since the last mark
	seen    segment.Change            // the last change that was read
	marked  segment.Point             // the last that is known of the time
	points  []segment.Point
	from    time.Time
}

func newThinning(w *segment.Writer, r catalog.Rewrite) *thinning {
	t := &thinning{w: w, rewrite: r, step: time.Hour, changes: map[string]segment.Change{}, pending: map[string]segment.Change{}}
	if r.Level == catalog.DayPoints {
		t.step = 24 * time.Hour
	}
	return t
}

func (t *thinning) record(r segment.Record) error {
	switch {
	case r.Change != nil:
		c := *r.Change
		if c.Main > t.rewrite.Last || c.Main < t.rewrite.First || !after(c, t.seen) {
			return nil
		}
		key, _, err := keyAndLease(c.Row)
		if err != nil {
			return err
		}
		t.pending[string(key)] = c
		t.seen = c
	case r.Mark != nil && r.Mark.Revision == t.seen.Main:
		p := segment.Point{Revision: r.Mark.Revision, Time: r.Mark.Time}
		if t.marked.Revision != 0 && !p.Time.Truncate(t.step).Equal(t.marked.Time.Truncate(t.step)) {
			t.point(t.marked)
		}
		t.settle()
		if t.from.IsZero() {
			t.from = p.Time
		}
		t.marked = p
	case r.Lease != nil:
		t.w.Lease(*r.Lease)
	}
	return nil
}

// settle counts what was read since the last mark to what was before it.
func (t *thinning) settle() {
	maps.Copy(t.changes, t.pending)
	clear(t.pending)
}

// point writes what leads to a point. What was read since stays for the next one.
func (t *thinning) point(p segment.Point) {
	changes := slices.SortedFunc(maps.Values(t.changes), func(a, b segment.Change) int {
		return cmp.Or(cmp.Compare(a.Main, b.Main), cmp.Compare(a.Sub, b.Sub))
	})
	for _, c := range changes {
		t.w.Change(c)
	}
	clear(t.changes)
	t.w.Mark(p.Time)
	t.points = append(t.points, p)
}

func (t *thinning) end() error {
	if t.seen.Main != t.rewrite.Last {
		return fmt.Errorf("%w: expected changes up to revision %d, found them up to %d", segment.ErrDamaged, t.rewrite.Last, t.seen.Main)
	}
	t.settle()
	to := t.marked.Time
	t.point(segment.Point{Revision: t.seen.Main, Time: to})
	t.w.Cover(t.rewrite.First, t.rewrite.Last, t.from, to, t.points)
	return nil
}
