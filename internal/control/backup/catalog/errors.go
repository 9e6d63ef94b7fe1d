package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Why a revision cannot be restored: what an [*UnrestorableError] unwraps to.
var (
	ErrNoBase  = errors.New("no base reaches back to it")
	ErrGap     = errors.New("the log before it has a gap")
	ErrThinned = errors.New("it lies between the points that were kept")
	ErrBeyond  = errors.New("it is beyond what was backed up")
)

// An UnrestorableError says why a revision cannot be restored, and which ones next to it
// can be.
type UnrestorableError struct {
	Target        int64
	Why           error // ErrNoBase, ErrGap, ErrThinned or ErrBeyond
	Missing       Span  // with ErrGap: the revisions that would have to be there
	Before, After Point // the nearest revisions that can be restored; zero if there is none

	message string
}

func (e *UnrestorableError) Error() string { return e.message }

// Unwrap makes errors.Is(err, ErrGap) and the like true.
func (e *UnrestorableError) Unwrap() error { return e.Why }

// explain says why no chain leads to a target.
func (c Catalog) explain(target int64) error {
	e := c.unrestorable(target)
	if e.Why == ErrGap || e.Why == ErrBeyond {
		if lost := c.LostError(e.Before.Revision, target); lost != nil {
			e.message += "; " + lost.Error()
		}
	}
	if e.Why == ErrNoBase {
		for _, d := range c.Damaged {
			e.message += fmt.Sprintf("; %s is damaged: %s", d.Name, d.Why)
		}
	}
	return e
}

func (c Catalog) unrestorable(target int64) *UnrestorableError {
	e := &UnrestorableError{Target: target, Why: ErrNoBase}
	spans := c.Restorable()
	if len(spans) == 0 {
		e.message = "nothing can be restored: this backup has no complete base (yet); the first one is made when the backup starts"
		return e
	}
	i, _ := slices.BinarySearchFunc(spans, target, func(s Span, r int64) int { return cmp.Compare(s.First, r) })
	if i < len(spans) {
		e.After = Point{spans[i].First, c.seen(spans[i].First)}
	}
	if i == 0 {
		e.message = fmt.Sprintf("revision %d cannot be restored: no base reaches back to it; the oldest revision that can be restored is %v", target, e.After)
		return e
	}
	e.Before = Point{spans[i-1].Last, c.seen(spans[i-1].Last)}
	last := e.Before.Revision
	start, stored := c.runOf(target)
	switch {
	case c.thinned(Span{last + 1, target}):
		e.Why = ErrThinned
		e.message = fmt.Sprintf("revision %d cannot be restored: its time has been thinned to points; the nearest ones are %v and %v", target, e.Before, e.After)
	case i == len(spans) && !stored:
		e.Why = ErrBeyond
		e.message = fmt.Sprintf("revision %d was not backed up: the last revision that can be restored is %v", target, e.Before)
	default:
		e.Why, e.Missing = ErrGap, Span{last + 1, e.After.Revision - 1}
		if stored {
			e.Missing.Last = start - 1
		}
		e.message = fmt.Sprintf("revision %d cannot be restored: the revisions %d to %d are missing; the nearest ones that can be restored are %v", target, e.Missing.First, e.Missing.Last, e.Before)
		if i < len(spans) {
			e.message += fmt.Sprintf(" and %v", e.After)
		}
	}
	return e
}

// runOf is where the log objects that lead to a revision without a gap begin.
func (c Catalog) runOf(revision int64) (start int64, stored bool) {
	logs := slices.SortedFunc(slices.Values(c.Logs), func(a, b Log) int { return cmp.Compare(b.End, a.End) })
	start = revision + 1
	for _, l := range logs {
		if l.Start < start && start <= l.End+1 {
			start = l.Start
		}
	}
	return start, start <= revision
}
