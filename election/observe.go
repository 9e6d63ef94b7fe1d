package election

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ChangeKind is what happened to a group.
type ChangeKind uint8

// What happens to groups.
const (
	Held       ChangeKind = iota + 1 // a seat has a new holder
	Free                             // a seat is held no longer; Seat is as it was
	Joined                           // a candidate came, or wants another number of seats
	Left                             // a candidate left; Candidate is as it was
	Configured                       // the seats or the partitions are others
	Draining                         // a candidate, or a seat's holder, is asked to hand over; or, where Candidate.Draining is false, not any more
	Planned                          // a partition shall go to Seat.Planned; "" is to nobody, as it is no more
	Synced                           // what there was at the beginning has been told
	Gap                              // changes up to Revision are lost: what there is follows, then Synced
)

// String is the kind in lower case.
func (k ChangeKind) String() string {
	names := [...]string{"unknown", "held", "free", "joined", "left", "configured", "draining", "planned", "synced", "gap"}
	if int(k) >= len(names) {
		k = 0
	}
	return names[k]
}

// A Change is one thing that happened to a group.
type Change struct {
	Kind      ChangeKind
	Revision  int64
	Seat      Seat      // of Held, Free, Planned, and of Draining where a seat is asked for
	Candidate Candidate // of Joined, Left, and of Draining where a candidate is
	Config    Config    // of Configured
	Err       error     // why there is no more; the channel closes after it
}

// Observe tells every change of a group in order. From 0 it begins with what there
// is, as changes that end with Synced; from a later revision, with the first change at
// it or after it, so that an observer goes on without a gap where it was cut off.
//
// Only where the store no longer keeps what was missed, or was turned back to before
// it, there is a gap, and it is told: Gap, then all that there is, then Synced.
func (g *Group) Observe(ctx context.Context, from int64) <-chan Change {
	out := make(chan Change)
	go func() {
		defer close(out)
		err := g.observe(ctx, from, func(c Change) bool {
			select {
			case out <- c:
				return true
			case <-ctx.Done():
				return false
			}
		})
		select {
		case out <- Change{Err: err}:
		case <-ctx.Done(): // nobody may be listening any more
		}
	}()
	return out
}

const reread = 100 * time.Millisecond

func (g *Group) observe(ctx context.Context, from int64, tell func(Change) bool) error {
	var s *state
	for {
		err := error(nil)
		if s, err = g.begin(ctx, s, from, tell); err == nil {
			from, err = g.relay(ctx, s, tell)
		}
		var compacted *CompactedError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &compacted):
			if !tell(Change{Kind: Gap, Revision: compacted.Revision}) {
				return context.Cause(ctx)
			}
			s, from = nil, 0
		case errors.Is(err, ErrFuture): // and it has been there
			if !tell(Change{Kind: Gap, Revision: from - 1}) {
				return context.Cause(ctx)
			}
			s, from = nil, 0
		case errors.Is(err, ErrForbidden):
			return err
		default: // the store cannot be reached now
			select {
			case <-time.After(reread):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// begin is the state just before the first change to be told.
func (g *Group) begin(ctx context.Context, s *state, from int64, tell func(Change) bool) (*state, error) {
	if s != nil && from == s.revision+1 {
		// Cut off: it goes on, but in a store that was turned back it would wait for ever.
		if _, err := g.store.Range(ctx, Span{Keys: Key(g.keys.config()), Revision: s.revision, KeysOnly: true}); errors.Is(err, ErrFuture) {
			return nil, err
		}
		return s, nil
	}
	span := Span{Keys: g.keys.all()}
	if from > 1 {
		span.Revision = from - 1
	}
	page, err := g.store.Range(ctx, span)
	if err != nil {
		return nil, err
	}
	s = newState(g.keys, "")
	s.load(page, 0)
	if from != 0 {
		s.revision = from - 1
		return s, nil
	}
	s.revision = page.Revision
	for _, e := range page.Entries {
		if !s.tell(Event{Entry: e}, nil, tell) {
			return nil, context.Cause(ctx)
		}
	}
	if !tell(Change{Kind: Synced, Revision: page.Revision}) {
		return nil, context.Cause(ctx)
	}
	return s, nil
}

// relay tells changes until the watch ends, and returns the revision to go on from.
func (g *Group) relay(ctx context.Context, s *state, tell func(Change) bool) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for b := range g.store.Watch(ctx, g.keys.all(), s.revision+1) {
		if b.Err != nil {
			return s.revision + 1, b.Err
		}
		for _, e := range b.Events {
			before := s.noted(e)
			s.apply(e, 0)
			if !s.tell(e, before, tell) {
				return 0, context.Cause(ctx)
			}
		}
		s.revision = max(s.revision, b.Revision)
	}
	return s.revision + 1, fmt.Errorf("the watch has ended")
}

// noted is what an event is about to take away.
func (g *state) noted(e Event) any {
	if !e.Removed {
		return nil
	}
	switch kind, name, _ := strings.Cut(strings.TrimPrefix(e.Entry.Key, g.keys.group), "/"); kind {
	case "seat":
		return g.seat(name)
	case "candidate":
		if c := g.candidates[name]; c != nil {
			return g.public(c)
		}
	}
	return nil
}

// tell tells what an event that has been applied means; before is what it took away.
func (g *state) tell(e Event, before any, tell func(Change) bool) bool {
	change := Change{Revision: e.Entry.Modified}
	kind, name, _ := strings.Cut(strings.TrimPrefix(e.Entry.Key, g.keys.group), "/")
	switch kind {
	case "config":
		change.Kind, change.Config = Configured, g.config
	case "candidate":
		if c := g.candidates[name]; c != nil {
			change.Kind, change.Candidate = Joined, g.public(c)
		} else if was, ok := before.(Candidate); ok {
			change.Kind, change.Candidate = Left, was
		}
	case "seat":
		if g.seats[name] != nil {
			change.Kind, change.Seat = Held, g.seat(name)
		} else if was, ok := before.(Seat); ok && was.Candidate != "" {
			change.Kind, change.Seat = Free, was
		}
	case "drain":
		if c := g.candidates[name]; c != nil {
			change.Kind, change.Candidate = Draining, g.public(c)
		}
	case "move":
		if m, asked := g.moves[name]; asked {
			change.Kind, change.Seat = Draining, g.seat(name)
			change.Seat.Planned = m.To
		}
	case "plan":
		change.Kind, change.Seat = Planned, g.seat(name)
	}
	return change.Kind == 0 || tell(change)
}
