package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A merger makes rewrites of log objects that stay.
type merger struct {
	cover *cover // by all there is
	logs  []Log
	over  time.Time // what ended before is over
}

// merges are hours made of minutes, once an hour is over, and days made of hours, once a
// day is over and all of it is hours.
func (m merger) merges() []Rewrite {
	minutes, hours := m.uncovered(Minute), m.uncovered(Hour)
	incomplete := map[time.Time]bool{}
	for _, l := range minutes {
		incomplete[period(l.Log, day)] = true
	}
	hours = slices.DeleteFunc(hours, func(l piece) bool { return incomplete[period(l.Log, day)] })
	return append(m.rewrites(minutes, Hour, time.Hour), m.rewrites(hours, Day, day)...)
}

// thinnings are the days that are older than what needs all of them.
func (m merger) thinnings() []Rewrite {
	p := m.cover.policy
	var toHours, toDays []piece
	for _, level := range []Level{Day, HourPoints} {
		for _, l := range m.uncovered(level) {
			switch coarsest := m.cover.enough(l.Log); {
			case coarsest == DayPoints && p.Days > 0:
				toDays = append(toDays, l)
			case coarsest == HourPoints && p.Hours > 0 && level == Day:
				toHours = append(toHours, l)
			}
		}
	}
	return append(m.rewrites(toHours, HourPoints, day), m.rewrites(toDays, DayPoints, day)...)
}

// A piece is what of an object nothing above it has: the revisions from first on. So two
// objects of a level never start at the same revision, which would give them one name.
type piece struct {
	Log
	first int64
}

// uncovered is what there is at a level that those above do not have.
func (m merger) uncovered(level Level) []piece {
	var pieces []piece
	for _, l := range m.logs {
		if first := m.first(l, l.Start); l.Level == level && first <= l.End {
			pieces = append(pieces, piece{l, first})
		}
	}
	return pieces
}

// first is the first revision, from one on, that nothing above an object has.
func (m merger) first(l Log, from int64) int64 {
	if h := holding(m.cover.of(l), from); h.Last != 0 {
		return h.Last + 1
	}
	return from
}

// rewrites makes one object of each run of pieces that are of the same period, reach on from
// one to the next, and fit into one; if that period is over.
func (m merger) rewrites(pieces []piece, level Level, step time.Duration) []Rewrite {
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.End, a.End)) })
	var all []Rewrite
	size, last := int64(0), int64(0)
	for _, l := range pieces {
		if l.first = m.first(l.Log, max(l.first, last+1)); l.first > l.End {
			continue // there are others that have it
		}
		if len(all) == 0 || l.first > last+1 || size+l.Size > MaxObject || !follows(all[len(all)-1].Inputs, l.Log, step) {
			all = append(all, Rewrite{Level: level, First: l.first, Reason: reason(level, period(l.Log, step), step)})
			size = 0
		}
		run := &all[len(all)-1]
		run.Inputs = append(run.Inputs, l.Log)
		run.Last, last = l.End, l.End
		size += l.Size
	}
	return slices.DeleteFunc(all, func(r Rewrite) bool { return period(r.Inputs[0], step).Add(step).After(m.over) })
}

// follows reports whether an object is of the period of those before it, and later than
// them. A clock that was turned back ends a run, so that From and To of an object are the
// first and the last time of all that is in it.
func follows(run []Log, l Log, step time.Duration) bool {
	previous := run[len(run)-1]
	return period(l, step).Equal(period(run[0], step)) && !l.To.Before(previous.To) &&
		(l.Start <= previous.End || !l.From.Before(previous.To))
}

// period is when the hour or day of an object begins: the one in which it was begun, as it
// may end in the next.
func period(l Log, step time.Duration) time.Time { return l.From.UTC().Truncate(step) }

func reason(level Level, begins time.Time, step time.Duration) string {
	name := begins.Format("2006-01-02 15:00")
	if step == day {
		name = begins.Format(time.DateOnly)
	}
	switch level {
	case HourPoints:
		return fmt.Sprintf("of %s only whole hours are kept", name)
	case DayPoints:
		return fmt.Sprintf("of %s only its end is kept", name)
	}
	return name + " is over"
}
