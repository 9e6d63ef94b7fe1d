package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
)

// A Timeline is a deployment with all its events.
type Timeline struct {
	ID string
	// Plan and State are at least as new as the events. Nil: they are not known any more.
	Plan   *deploy.Plan
	State  *deploy.State
	Events []deploy.Event // in any order
}

// A Mark is how far somebody has been told of a deployment: the number of the last event, by
// writer.
type Mark map[string]int64

// Has reports whether an event has been told.
func (m Mark) Has(e *deploy.Event) bool { return e.Seq <= m[e.Node] }

// With is the mark moved on by an event.
func (m Mark) With(e *deploy.Event) Mark {
	with := Mark{e.Node: e.Seq}
	for writer, seq := range m {
		with[writer] = max(seq, with[writer])
	}
	return with
}

// mark is the mark behind all events.
func (t *Timeline) mark() Mark {
	m := Mark{}
	for i := range t.Events {
		m[t.Events[i].Node] = max(m[t.Events[i].Node], t.Events[i].Seq)
	}
	return m
}

// after are the events behind a mark: each writer's in their order, and all by their times as
// far as that allows.
func (t *Timeline) after(m Mark) []*deploy.Event {
	var all []*deploy.Event
	latest := map[string]time.Time{}
	at := map[*deploy.Event]time.Time{}
	for i := range t.Events {
		all = append(all, &t.Events[i])
	}
	slices.SortFunc(all, func(a, b *deploy.Event) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Seq, b.Seq))
	})
	for _, e := range all {
		if e.Time.After(latest[e.Node]) {
			latest[e.Node] = e.Time
		}
		at[e] = latest[e.Node]
	}
	slices.SortStableFunc(all, func(a, b *deploy.Event) int { return at[a].Compare(at[b]) })
	return slices.DeleteFunc(all, m.Has)
}

// controllers are the controllers' events, in order.
func (t *Timeline) controllers() []*deploy.Event {
	var all []*deploy.Event
	for i := range t.Events {
		if t.Events[i].Node == "" {
			all = append(all, &t.Events[i])
		}
	}
	slices.SortFunc(all, func(a, b *deploy.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// names are a deployment's program and environment.
func (t *Timeline) names() (program, environment string) {
	program, environment, _, err := deploy.ParseID(t.ID)
	if err != nil {
		return t.ID, ""
	}
	return program, environment
}

// candidate and from are the releases that it is about; "" is not known, or none.
func (t *Timeline) candidate() release.Digest {
	if t.Plan == nil {
		return ""
	}
	return t.Plan.Release
}

func (t *Timeline) from() release.Digest {
	if t.State == nil {
		return ""
	}
	return t.State.From
}

// begunBy reports whether what it replaces was known as an event was written: what an event says
// does not depend on when it is told.
func (t *Timeline) begunBy(e *deploy.Event) bool {
	return e.Node != "" || e.Type == deploy.EventEnded || slices.ContainsFunc(t.Events, func(other deploy.Event) bool {
		return other.Type == deploy.EventBegun && other.Node == "" && other.Seq <= e.Seq
	})
}

// outcome is why it goes back, or how it has ended: what an event says of the two is in the
// state that was written with it, and does not change.
func (t *Timeline) outcome(of deploy.EventType) *deploy.Outcome {
	switch {
	case t.State == nil:
	case of == deploy.EventReturns:
		return t.State.Cause
	case of == deploy.EventEnded:
		return t.State.Outcome
	}
	return nil
}

// A part is a stage, or what comes after the stages: to finish, or to return.
type part struct {
	name       string
	stage      bool
	from, to   int64 // the controllers' events that open and close it; to is 0 while it is open
	start, end time.Time
	passed     bool // closed by having been passed
}

// parts are the parts of a deployment so far, in order, and the whole.
func (t *Timeline) parts() (all []part, whole part) {
	var open *part
	var now time.Time // clocks of controllers differ, and do not make a part end before it began
	closeAt := func(e *deploy.Event, passed bool) {
		if open != nil {
			open.to, open.end, open.passed = e.Seq, now, passed
			all, open = append(all, *open), nil
		}
	}
	for _, e := range t.controllers() {
		if e.Time.After(now) {
			now = e.Time
		}
		if whole.start.IsZero() {
			whole.from, whole.start = e.Seq, now
		}
		switch e.Type {
		case deploy.EventStageBegun:
			closeAt(e, true)
			open = &part{name: e.Stage, stage: true, from: e.Seq, start: now}
		case deploy.EventStagePassed:
			closeAt(e, true)
		case deploy.EventFinishes:
			closeAt(e, true)
			open = &part{name: "finish", from: e.Seq, start: now}
		case deploy.EventReturns:
			closeAt(e, false)
			open = &part{name: "return", from: e.Seq, start: now}
		case deploy.EventEnded:
			closeAt(e, true)
			whole.to, whole.end = e.Seq, now
		}
	}
	if open != nil {
		all = append(all, *open)
	}
	return all, whole
}

// stageAt is the stage that was under way as a controller's event was written; "" is none.
func (t *Timeline) stageAt(e *deploy.Event) string {
	if e.Stage != "" || e.Node != "" {
		return e.Stage
	}
	all, _ := t.parts()
	for _, p := range all {
		if p.stage && p.from <= e.Seq && (p.to == 0 || e.Seq <= p.to) {
			return p.name
		}
	}
	return ""
}
