package catalog

import (
	"fmt"
	"iter"
	"time"
)

// A Moment is what a catalog knows of an instant.
type Moment struct {
	// Point is the greatest revision known to have been seen by then that can be
	// restored, and when it was seen. Its Revision is 0 if only Inside can tell.
	Point
	// Inside, if not nil, is the object that was being written then. What it holds says
	// more precisely which revision of it was the newest; if that is greater than
	// Revision, and [Catalog.Chain] leads to it, it is the better one.
	Inside *Log
}

// At finds the greatest revision that can be restored and was seen at t or before. Of an
// instant after the last object it is the last revision: look at its time. An error is
// an [*UnrestorableError].
func (c Catalog) At(t time.Time) (Moment, error) {
	spans := c.Restorable()
	if len(spans) == 0 {
		return Moment{}, c.explain(0)
	}
	var m Moment
	for p := range c.moments() {
		if p.Revision > m.Revision && !p.Time.After(t) && within(spans, p.Revision) {
			m.Point = p
		}
	}
	for _, l := range c.Logs {
		if l.Points != nil || l.From.After(t) || !l.To.After(t) || l.End <= m.Revision || !within(spans, l.End) {
			continue
		}
		// Of several that overlap, the one that begins last: it is the smallest to read.
		if m.Inside == nil || l.Start > m.Inside.Start || l.Start == m.Inside.Start && l.Size < m.Inside.Size {
			m.Inside = &l
		}
	}
	if m.Revision == 0 && m.Inside == nil {
		first := Point{spans[0].First, c.seen(spans[0].First)}
		return Moment{}, &UnrestorableError{
			Why: ErrNoBase, After: first,
			message: fmt.Sprintf("nothing can be restored as it was at %s: the oldest revision that can be is %v", t.UTC().Format(time.RFC3339), first),
		}
	}
	return m, nil
}

// moments is what the catalog itself says of which revision was when the newest. Of a base
// it is when it was made, which says less than a log object that has its revision.
func (c Catalog) moments() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		logged := c.logged()
		for _, b := range c.Bases {
			if !within(logged, b.Revision) && !yield(Point{b.Revision, b.Time}) {
				return
			}
		}
		for _, l := range c.Logs {
			if l.Points == nil && !yield(Point{l.Start, l.From}) || !yield(Point{l.End, l.To}) {
				return
			}
			for _, p := range l.Points {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// logged is the revisions that log objects have, as a union.
func (c Catalog) logged() []Span {
	spans := make([]Span, len(c.Logs))
	for i, l := range c.Logs {
		spans[i] = Span{l.Start, l.End}
	}
	return union(spans)
}
