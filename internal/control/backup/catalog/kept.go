package catalog

import (
	"cmp"
	"slices"
	"time"
)

// kept is the revisions that can be restored and that a policy keeps, as a union:
//
//   - of the tier Any, all that were seen since now − Any, and the one that was the newest
//     then;
//   - of Hours and Days, the one that was the newest at each whole hour or midnight, UTC,
//     since now − Hours or Days.
//
// What has ended keeps nothing for instants since then. A catalog knows times of the ends of objects and of points alone. Where it does not
// know which revision of an object was the newest, all of them are kept.
func (c Catalog) kept(p Policy, now time.Time) []Span {
	can := c.Restorable()
	var spans []Span
	if p.Any > 0 {
		since := now.Add(-p.Any)
		spans = c.newestAt(c.before([]time.Time{since}), can)
		for _, l := range c.Logs {
			if l.Points == nil && !l.To.Before(since) {
				spans = append(spans, Span{l.Start, l.End})
			}
		}
		for m := range c.moments() {
			if !m.Time.Before(since) {
				spans = append(spans, Span{m.Revision, m.Revision})
			}
		}
	}
	spans = append(spans, c.newestAt(c.before(instants(now, p.Hours, time.Hour)), can)...)
	spans = append(spans, c.newestAt(c.before(instants(now, p.Days, day)), can)...)
	return intersection(union(spans), can)
}

// before is those of instants at which the backup had not ended.
func (c Catalog) before(instants []time.Time) []time.Time {
	return slices.DeleteFunc(instants, func(t time.Time) bool { return !c.Ended.IsZero() && t.After(c.Ended) })
}

// instants are the whole steps, UTC, of the last reach before now.
func instants(now time.Time, reach, step time.Duration) []time.Time {
	var all []time.Time
	for t := ceil(now.Add(-reach), step); reach > 0 && !t.After(now); t = t.Add(step) {
		all = append(all, t)
	}
	return all
}

// ceil is the first whole step at t or later. Go's zero time is a midnight too.
func ceil(t time.Time, step time.Duration) time.Time {
	down := t.Truncate(step)
	if down.Equal(t) {
		return down
	}
	return down.Add(step)
}

// newestAt is for each instant, in order, the revisions one of which was the greatest that
// had been seen and can be restored.
func (c Catalog) newestAt(instants []time.Time, can []Span) []Span {
	moments := slices.SortedFunc(c.moments(), func(a, b Point) int { return a.Time.Compare(b.Time) })
	newest := make([]Span, len(instants))
	revision := int64(0)
	for i, t := range instants {
		for ; len(moments) > 0 && !moments[0].Time.After(t); moments = moments[1:] {
			if r := moments[0].Revision; r > revision && within(can, r) {
				revision = r
			}
		}
		newest[i] = Span{revision, revision}
	}
	for _, l := range c.Logs {
		if l.Points != nil {
			continue
		}
		i, _ := slices.BinarySearchFunc(instants, l.From, time.Time.Compare)
		for ; i < len(instants) && instants[i].Before(l.To); i++ {
			if newest[i].First == 0 {
				newest[i].First = l.Start
			}
			newest[i].Last = max(newest[i].Last, l.End)
		}
	}
	return newest
}

// superseded says of revisions until when they were the newest at the most: the time at
// which a later one had been seen, or not yet if there is none.
type superseded struct {
	moments []Point // by revision; of each the earliest time of it and all later ones
}

func (c Catalog) superseded() superseded {
	moments := slices.SortedFunc(c.moments(), func(a, b Point) int { return cmp.Compare(a.Revision, b.Revision) })
	for i := len(moments) - 2; i >= 0; i-- {
		if next := moments[i+1].Time; next.Before(moments[i].Time) {
			moments[i].Time = next
		}
	}
	return superseded{moments}
}

// before reports whether all revisions of an object had been followed by later ones at an
// instant: how the store was then and since is not for this object to say.
func (s superseded) before(l Log, t time.Time) bool {
	i, _ := slices.BinarySearchFunc(s.moments, l.End+1, func(p Point, r int64) int { return cmp.Compare(p.Revision, r) })
	return i < len(s.moments) && !s.moments[i].Time.After(t) && l.To.Before(t)
}
