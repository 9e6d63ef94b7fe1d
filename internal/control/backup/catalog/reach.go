package catalog

import (
	"cmp"
	"slices"
	"time"
)

// A Span is the revisions First to Last, both included.
type Span struct{ First, Last int64 }

// Restorable is the revisions to which a chain leads, as spans in order, none touching
// the next. A point of a thinned object is a span of one.
func (c Catalog) Restorable() []Span {
	r := newReach(c)
	var spans []Span
	for at := int64(-1); ; {
		next := Span{First: at + 1}
		if next.Last = r.on(at); next.Last == 0 {
			if next.First = r.jump(at); next.First == 0 {
				return spans
			}
			next.Last = max(next.First, r.on(next.First))
		}
		if n := len(spans); n > 0 && spans[n-1].Last+1 == next.First {
			spans[n-1].Last = next.Last
		} else {
			spans = append(spans, next)
		}
		at = next.Last
	}
}

// reach walks over what can be restored, upwards. What can be after a revision depends
// only on that revision: a log object can be entered anywhere.
type reach struct {
	whole  []Span  // what can be left anywhere: bases, and objects that were not thinned
	passed int     // how many of whole begin at or before where the walk is
	last   int64   // the greatest Last of these
	bases  []int64 // their oldest revisions
	points []exit  // of thinned objects
}

// An exit is a point of an object that starts at start.
type exit struct{ start, at int64 }

func newReach(c Catalog) *reach {
	r := &reach{}
	for _, b := range c.Bases {
		r.bases = append(r.bases, b.oldest())
		r.whole = append(r.whole, Span{b.oldest(), b.Revision})
	}
	for _, l := range c.Logs {
		if l.Points == nil {
			r.whole = append(r.whole, Span{l.Start, l.End})
		}
		for _, p := range l.Points {
			r.points = append(r.points, exit{l.Start, p.Revision})
		}
	}
	slices.Sort(r.bases)
	slices.SortFunc(r.whole, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	slices.SortFunc(r.points, func(a, b exit) int { return cmp.Compare(a.at, b.at) })
	return r
}

// on is how far everything can be restored from a revision that can be on, or 0.
func (r *reach) on(at int64) int64 {
	for ; r.passed < len(r.whole) && r.whole[r.passed].First <= at+1; r.passed++ {
		r.last = max(r.last, r.whole[r.passed].Last)
	}
	if r.last > at {
		return r.last
	}
	return 0
}

// jump is the next revision that can be restored where those between cannot, or 0.
func (r *reach) jump(at int64) int64 {
	next := int64(0)
	i, _ := slices.BinarySearch(r.bases, at+1)
	if i < len(r.bases) {
		next = r.bases[i]
	}
	i, _ = slices.BinarySearchFunc(r.points, at+1, func(e exit, r int64) int { return cmp.Compare(e.at, r) })
	for ; i < len(r.points) && (next == 0 || r.points[i].at < next); i++ {
		if r.points[i].start <= at+1 {
			return r.points[i].at
		}
	}
	return next
}

// A Gap is revisions that no chain covers: they, and how the store was at any of them,
// are lost. Revisions between the points of a thinned object are none: they were given
// up.
type Gap struct {
	Span
	From, To time.Time // when the last revision before and the first one after were seen, at the latest
}

// Gaps is what is missing between the first revision that can be restored and the
// last one that there is an object of.
func (c Catalog) Gaps() []Gap {
	spans := c.Restorable()
	if len(spans) == 0 {
		return nil
	}
	last := int64(0)
	for _, b := range c.Bases {
		last = max(last, b.Revision)
	}
	for _, l := range c.Logs {
		last = max(last, l.End)
	}
	spans = append(spans, Span{First: last + 1})
	var gaps []Gap
	for i, next := range spans[1:] {
		gap := Span{spans[i].Last + 1, next.First - 1}
		if gap.First <= gap.Last && !c.thinned(gap) {
			gaps = append(gaps, Gap{Span: gap, From: c.seen(gap.First - 1), To: c.seen(next.First)})
		}
	}
	return gaps
}

// thinned reports whether revisions lie between points of an object that is reached.
func (c Catalog) thinned(s Span) bool {
	return slices.ContainsFunc(c.Logs, func(l Log) bool {
		return l.Points != nil && l.Start <= s.First && s.Last < l.End
	})
}

// seen is when a revision was seen at the latest: the time of the least revision from
// there on of which the time is known. It is zero if there is none.
func (c Catalog) seen(revision int64) time.Time {
	var best Point
	for p := range c.moments() {
		if p.Revision >= revision && (best.Revision == 0 || p.Revision < best.Revision ||
			p.Revision == best.Revision && p.Time.Before(best.Time)) {
			best = p
		}
	}
	return best.Time
}

// Durable is the last revision to which the newest base and the log behind it lead: what
// is after it would be lost with the cluster. It is zero without a base.
func (c Catalog) Durable() Point {
	newest, ok := c.Newest()
	if !ok {
		return Point{}
	}
	at := newest.Revision
	logs := slices.SortedFunc(slices.Values(c.Logs), func(a, b Log) int { return cmp.Compare(a.Start, b.Start) })
	for _, l := range logs {
		if l.Start <= at+1 {
			at = max(at, l.End)
		}
	}
	return Point{Revision: at, Time: c.seen(at)}
}
