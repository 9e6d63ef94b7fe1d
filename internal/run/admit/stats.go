package admit

import (
	"cmp"
	"slices"
	"time"
)

// Stats is the state of a Limiter, for metrics.
type Stats struct {
	Capacity float64 // cores: what the server completes, as measured
	Limit    float64 // cores: what may be in flight before it is refused
	InFlight float64 // cores
	Requests int     // in flight
	Known    bool    // whether the capacity is measured, or a guess
	Classes  [classes]ClassStats
	Views    []ViewStats // by name
}

// ClassStats is of one class; Class.String names it, Critical comes first.
type ClassStats struct {
	Class    Class
	Demand   float64 // cores: what arrives, taken on or not
	Admitted int
	Shed     int          // of them without their optional scopes
	Refused  [reasons]int // by reason, as Reasons has them
	Callers  int          // that are told apart at the moment
}

// ViewStats is of one view, as its requests run with their optional scopes.
type ViewStats struct {
	Name     string
	Cost     time.Duration // of work
	Baseline time.Duration // from Admit to Done when nothing waits
}

// Stats takes the state as of now.
func (l *Limiter) Stats() Stats {
	now := time.Since(l.start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	s := Stats{
		Capacity: l.meter.capacity, Limit: l.meter.limit(), Known: l.meter.known,
		InFlight: l.inFlight, Requests: l.requests,
	}
	for i := range l.classes {
		c := &l.classes[i]
		s.Classes[i] = ClassStats{Class(i) + Critical, c.demand, c.admitted, c.shed, c.refused, len(c.callers.list) - 1}
	}
	for _, v := range l.views {
		s.Views = append(s.Views, ViewStats{v.name, duration(v.full.cost), duration(v.full.base)})
	}
	slices.SortFunc(s.Views, func(a, b ViewStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
