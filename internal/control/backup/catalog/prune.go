package catalog

import (
	"fmt"
	"slices"
	"time"
)

// A Plan is what to do with a backup so that it costs what its policy is worth. Its parts
// can be done in any order, some of them or none: what is deleted is needed by nothing
// that is kept, as the catalog was when the plan was made, so nothing that the same plan
// creates permits it. Doing a part twice does no harm.
type Plan struct {
	Merge  []Rewrite // into objects of a higher level that have all that was in the lower ones
	Thin   []Rewrite // into objects that keep points
	Delete []Deletion
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Merge)+len(p.Thin)+len(p.Delete) == 0 }

// A Rewrite makes one object of the log of several, each of which reaches on from the one
// before.
type Rewrite struct {
	Level       Level
	First, Last int64 // the revisions of the new object, out of those of the inputs
	Inputs      []Log
	Reason      string
}

// A Deletion deletes one of a log object, a base with all its chunks, a chunk that no
// base has, and a dictionary. Once an object is gone a slow uploader may take its name for
// another one, which reaches further: so a plan is not to be done hours after it was made.
//
// What is deleted because others have what is worth keeping of it may only go when these have
// been read, whole: a header, which is all that a catalog knows, says nothing of what is
// behind it. By are log objects, and Behind is a base. Without either it goes by its age alone.
type Deletion struct {
	Log        *Log
	Base       *Base
	Orphan     *Orphan
	Dictionary *Dictionary
	By         []Log
	Behind     *Base
	Reason     string
}

// String names what is deleted.
func (d Deletion) String() string {
	switch {
	case d.Log != nil:
		return d.Log.String()
	case d.Base != nil:
		return d.Base.String()
	case d.Orphan != nil:
		return d.Orphan.Name
	}
	return "log/dictionary/" + d.Dictionary.Name
}

// MaxObject is the stored bytes that the inputs of a [Rewrite] have together at most, unless it
// has only one. So objects stay small enough to be read whole, and to be written in one
// request.
const MaxObject = 16 << 20

// Patience with the clocks and the uploaders of others: how long after the end of an hour
// or a day its objects are merged, and after how long nobody will write a base's manifest.
const (
	grace     = 10 * time.Minute
	abandoned = day
)

// Plan says what is to be done at an instant. That instant should be of a clock that can
// be trusted, such as the store's: with one that is a month ahead all looks a month older
// than it is.
//
// The log is only cut at its old end: so a hole in it always is a loss, never a policy.
// The newest base and the log behind it stay whatever their age, unless the backup has ended.
func (c Catalog) Plan(p Policy, now time.Time) Plan {
	var plan Plan
	left := c.without(&plan, c.covered(p, now))
	left = left.without(&plan, left.outlived(p, now))
	plan.Delete = slices.Concat(plan.Delete, c.orphaned(now), c.unused(now), c.hopeless(p, now))
	m := merger{cover: c.newCover(p, now), logs: left.Logs, over: now.Add(-grace)}
	plan.Merge = m.merges()
	plan.Thin = m.thinnings()
	return plan
}

// without notes deletions in a plan; what it returns is the catalog without what they
// delete.
func (c Catalog) without(plan *Plan, deletions []Deletion) Catalog {
	plan.Delete = append(plan.Delete, deletions...)
	type name struct {
		level Level
		start int64
	}
	logs, bases := map[name]bool{}, map[string]bool{}
	for _, d := range deletions {
		if d.Log != nil {
			logs[name{d.Log.Level, d.Log.Start}] = true
		} else {
			bases[d.Base.Folder()] = true
		}
	}
	return c.filter(func(l Log) bool { return !logs[name{l.Level, l.Start}] }, func(b Base) bool { return !bases[b.Folder()] })
}

func (c Catalog) filter(log func(Log) bool, base func(Base) bool) Catalog {
	left := Catalog{Orphans: c.Orphans, Ended: c.Ended}
	for _, l := range c.Logs {
		if log(l) {
			left.Logs = append(left.Logs, l)
		}
	}
	for _, b := range c.Bases {
		if base(b) {
			left.Bases = append(left.Bases, b)
		}
	}
	return left
}

// covered deletes log objects of which higher levels have all that the policy keeps.
func (c Catalog) covered(p Policy, now time.Time) []Deletion {
	covers := c.newCover(p, now)
	var deletions []Deletion
	for _, l := range c.Logs {
		if h := holding(covers.of(l), l.Start); h.Last >= l.End {
			by, _ := c.having(l, covers.enough(l))
			deletions = append(deletions, Deletion{Log: &l, By: by, Reason: "objects of higher levels cover it"})
		}
	}
	return deletions
}

// having is objects of higher levels than one's, up to another, that have all its revisions, and
// few of them; false if there are none.
func (c Catalog) having(l Log, coarsest Level) (by []Log, all bool) {
	for next := l.Start; next <= l.End; {
		var best Log
		for _, other := range c.Logs {
			further := other.End > best.End || other.End == best.End && other.Level > best.Level
			if other.Level > l.Level && other.Level <= coarsest && other.Start <= next && further {
				best = other
			}
		}
		if best.End < next {
			return nil, false
		}
		by, next = append(by, best), best.End+1
	}
	return by, true
}

// A cover says which revisions an object is not needed for, as those of higher levels
// have them.
type cover struct {
	catalog Catalog
	policy  Policy
	now     time.Time
	until   superseded
	unions  map[[2]Level][]Span
}

func (c Catalog) newCover(p Policy, now time.Time) *cover {
	return &cover{c, p, now, c.superseded(), map[[2]Level][]Span{}}
}

// of is what covers an object: whatever is above its level and as fine as its age asks.
// It need not be one object that does, as each can be entered anywhere, and left at its
// end.
func (c *cover) of(l Log) []Span {
	coarsest := c.enough(l)
	key := [2]Level{l.Level, coarsest}
	if u, known := c.unions[key]; known {
		return u
	}
	var spans []Span
	for _, other := range c.catalog.Logs {
		if other.Level > l.Level && other.Level <= coarsest {
			spans = append(spans, Span{other.Start, other.End})
		}
	}
	u := union(spans)
	c.unions[key] = u
	return u
}

// enough is the coarsest level that has of an object what the policy keeps.
func (c *cover) enough(l Log) Level {
	switch {
	case !c.until.before(l, c.now.Add(-c.policy.Any)):
		return Day
	case !c.until.before(l, c.now.Add(-c.policy.Hours)):
		return HourPoints
	}
	return DayPoints
}

// outlived deletes what no point that is kept needs. That is the log and the bases before
// the last base that all these points are behind, and of the bases since then those that
// serve none of them.
func (c Catalog) outlived(p Policy, now time.Time) []Deletion {
	kept := c.kept(p, now)
	if len(kept) == 0 {
		return c.over(p, now)
	}
	bases := slices.SortedFunc(slices.Values(c.Bases), Base.compare)
	serves := c.serving(bases, kept)
	var deletions []Deletion
	var cut Base
	for i, b := range bases {
		if b.Revision <= kept[0].First {
			cut = b
		}
		if i == len(bases)-1 {
			break // the newest one stays
		}
		switch next := bases[i+1]; {
		case next.Revision <= kept[0].First:
			deletions = append(deletions, Deletion{Base: &b, Reason: fmt.Sprintf("all that %q keeps is behind the next one, %s", p, next)})
		case !serves[i]:
			deletions = append(deletions, Deletion{Base: &b, Reason: fmt.Sprintf("%q keeps nothing from it to the next one, %s", p, next)})
		}
	}
	for i := range deletions {
		deletions[i].Behind = staying(bases, deletions, *deletions[i].Base)
	}
	behind := staying(bases, deletions, cut)
	for _, l := range c.Logs {
		if l.End <= cut.Revision {
			deletions = append(deletions, Deletion{Log: &l, Behind: behind, Reason: fmt.Sprintf("all that %q keeps is behind %s", p, cut)})
		}
	}
	return deletions
}

// over deletes all of a backup that has ended so long ago that nothing of it is kept.
func (c Catalog) over(p Policy, now time.Time) []Deletion {
	if c.Ended.IsZero() || !c.Ended.Before(now.Add(-p.Reach())) {
		return nil
	}
	reason := fmt.Sprintf("it ended on %s, and %q keeps nothing that old", c.Ended.UTC().Format(time.DateOnly), p)
	var deletions []Deletion
	for _, l := range c.Logs {
		deletions = append(deletions, Deletion{Log: &l, Reason: reason})
	}
	for _, b := range c.Bases {
		deletions = append(deletions, Deletion{Base: &b, Reason: reason})
	}
	return deletions
}

// staying is the first base, from one on, that is not deleted: the newest one never is.
func staying(bases []Base, deletions []Deletion, from Base) *Base {
	for _, b := range bases {
		gone := slices.ContainsFunc(deletions, func(d Deletion) bool { return d.Base.Folder() == b.Folder() })
		if b.compare(from) >= 0 && !gone {
			return &b
		}
	}
	return nil
}

// serving says which bases, ascending, points need: each the last one before it from which
// the log leads to it, or, if none does, the first one behind it that reaches back to it. Which
// one that is does not change when others are deleted: so of two runners, one of which does
// an old plan, neither takes what the other one relies on.
func (c Catalog) serving(bases []Base, kept []Span) []bool {
	forwards := c
	forwards.Bases = slices.Clone(c.Bases)
	for i := range forwards.Bases {
		forwards.Bases[i].Compacted = forwards.Bases[i].Revision
	}
	led := intersection(kept, forwards.Restorable())
	others := difference(kept, led)
	serves := make([]bool, len(bases))
	for i, b := range bases {
		if i == len(bases)-1 || len(intersection(led, []Span{{b.Revision, bases[i+1].Revision - 1}})) > 0 {
			serves[i] = true
		}
		history := []Span{{b.oldest(), b.Revision}}
		if len(intersection(others, history)) > 0 {
			serves[i] = true
			others = difference(others, history)
		}
	}
	return serves
}

// orphaned deletes chunks of bases that nobody will finish.
func (c Catalog) orphaned(now time.Time) []Deletion {
	newest := map[string]time.Time{}
	for _, o := range c.Orphans {
		if o.Time.After(newest[o.Base]) {
			newest[o.Base] = o.Time
		}
	}
	var deletions []Deletion
	for _, o := range c.Orphans {
		if now.Sub(newest[o.Base]) > abandoned {
			deletions = append(deletions, Deletion{Orphan: &o, Reason: "its base has no manifest, and got no chunk for a day"})
		}
	}
	return deletions
}
