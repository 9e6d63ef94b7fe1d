package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"towpath.dev/election"
)

// A deployment that has succeeded is taken back by another one, which is born going back: it takes the
// fleet to what ran before, needs no evidence and no approval, and waits for no window and no freeze.
// All nodes have what ran before on their disks. Of tow itself nodes start anew, and so it goes
// forward in the same waves.

// AtOnce reports whether the deployment goes to all nodes at once, and not by its stages.
func (p *Plan) AtOnce() bool { return p.Undoes != "" && !p.ofTow() }

// undo begins the deployment that takes back one that has ended, and gives its name. Asking again gives the
// same one while it is under way.
func (s *Service) undo(ctx context.Context, d *Deployment, ask Ask) (string, error) {
	for range tries {
		id, done, err := s.undoOnce(ctx, d, ask)
		if done || err != nil {
			return id, err
		}
	}
	return "", ErrBusy
}

func (s *Service) undoOnce(ctx context.Context, d *Deployment, ask Ask) (id string, done bool, err error) {
	program, environment := d.Plan.Program, d.Plan.Environment
	head, at, err := s.head(ctx, environment, program)
	if err != nil {
		return "", false, err
	}
	txn := election.Txn{If: []election.Compare{unchanged(headKey(environment, program), at)}}
	if head.Active != "" {
		active, err := s.Get(ctx, head.Active)
		if err != nil {
			return "", false, err
		}
		if active.Plan.Undoes == d.Plan.ID {
			return head.Active, true, nil
		}
		waits, err := s.waits(ctx, head.Active)
		if err != nil {
			return "", false, err
		}
		if waits == nil {
			return "", false, refuse("%s has ended, and %s is under way: \"tow deploy rollback %s\" takes that one back first", d.Plan.ID, head.Active, head.Active)
		}
		head.Active, head.Queue = "", append([]string{head.Active}, head.Queue...)
		txn.If = append(txn.If, election.ModifiedAt(waits.Key, waits.Modified)) // it has not begun meanwhile
		txn.Then = append(txn.Then, election.Put(waits.Key, waits.Value, 0))
	}
	if err := s.undoable(ctx, d, head); err != nil {
		return "", false, err
	}
	p := Plan{
		Program: program, Environment: environment, Release: head.Previous, Request: rand.Text(),
		By: ask.By, Why: ask.Why, Created: ask.At, Undoes: d.Plan.ID, Pipeline: d.Plan.Pipeline,
	}
	if head.Last, err = s.free(ctx, program, environment, head.Last+1); err != nil {
		return "", false, err
	}
	p.ID = idOf(program, environment, head.Last)
	waiting := head.Queue
	head.Queue = nil
	head.enter(&p) // at once, whatever its pipeline says of others
	head.Queue = waiting
	state, events := p.born(ask)
	txn.Then = append(txn.Then, election.Put(headKey(environment, program), encode(head), 0),
		election.Put(planKey(p.ID), encode(&p), 0), election.Put(stateKey(p.ID), encode(state), 0))
	for i := range events {
		txn.Then = append(txn.Then, election.Put(eventKey(p.ID, events[i].Seq), encode(&events[i]), 0))
	}
	r, err := s.Store.Txn(ctx, txn)
	return p.ID, err == nil && r.OK, err
}

// undoable says why a deployment cannot be taken back that has ended; nil if it can.
func (s *Service) undoable(ctx context.Context, d *Deployment, head *Head) error {
	id := d.Plan.ID
	if o := d.State.Outcome; o.Result != Succeeded {
		return refuse("%s has ended (%s), and nothing runs that it brought: deploy the release that you want with \"tow deploy\"", id, o.Result)
	}
	for _, later := range head.Recent[:max(0, slices.Index(head.Recent, id))] {
		l, err := s.Get(ctx, later)
		if err != nil {
			return err
		}
		if l.State.Outcome != nil && l.State.Outcome.Result == Succeeded {
			return refuse("%s has succeeded since %s: \"tow deploy rollback %s\" takes that one back", later, id, later)
		}
	}
	switch {
	case head.Current != d.Plan.Release || !slices.Contains(head.Recent, id):
		return refuse("%s is not what runs now, %s is: deploy the release that you want with \"tow deploy\"", d.Plan.Release.Short(), ranBy(d.Plan.Program, head.Current))
	case head.Previous == "":
		return refuse("nothing is known to have run before %s that it could go back to: deploy the release that you want", id)
	}
	return nil
}

// born is the state in which a deployment begins that takes another one back.
func (p *Plan) born(ask Ask) (*State, []Event) {
	by := or(ask.By, "somebody")
	if ask.Alarm != "" {
		by = "the alarm " + ask.Alarm
	}
	s := &State{Phase: Queued, Since: p.Created}
	event := func(kind EventType, format string, args ...any) Event {
		s.Seq++
		return Event{Deployment: p.ID, Seq: s.Seq, Time: p.Created, Type: kind, Text: fmt.Sprintf(format, args...)}
	}
	events := []Event{event(EventQueued, "%s asked to take back %s, which had ended", by, p.Undoes)}
	if !p.AtOnce() {
		return s, events
	}
	why := "takes back " + p.Undoes
	if ask.Why != "" {
		why += ": " + ask.Why
	}
	s.Phase, s.Begun, s.From = Returning, p.Created, p.Release
	s.Cause = &Outcome{Result: Succeeded, Blame: ask.blame(), Why: why}
	return s, append(events, event(EventBegun, "to %s, which ran before", p.Release.Short()), event(EventReturns, "goes back to %s: %s", p.Release.Short(), why))
}

// head reads a program's head, and at which revision it was written; 0 if it never was.
func (s *Service) head(ctx context.Context, environment, program string) (*Head, int64, error) {
	key := headKey(environment, program)
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(key)})
	if err != nil || len(page.Entries) == 0 {
		return &Head{}, 0, err
	}
	head, err := decode[Head](key, page.Entries[0].Value)
	return head, page.Entries[0].Modified, err
}

// alarmedAfter takes back what succeeded last, if the alarm began while that was new: since its last
// stage, in which there is nothing left to compare with, and for as long again as that bakes. It gives the
// deployment that does, "" for none. What takes something back is not taken back itself.
func (s *Service) alarmedAfter(ctx context.Context, by string, a Alarm, h *Head) (string, error) {
	if len(h.Recent) == 0 {
		return "", nil
	}
	d, err := s.Get(ctx, h.Recent[0])
	if err != nil {
		return "", err
	}
	last := d.Plan.Stages[len(d.Plan.Stages)-1]
	switch st := d.State; {
	case st.Outcome == nil || st.Outcome.Result != Succeeded || d.Plan.Undoes != "":
	case a.Since.Before(st.Begun) || s.now().Sub(st.Since) > last.Bake:
	default:
		id, err := s.Ask(ctx, d.Plan.ID, AskBack, Ask{By: by, Alarm: brief(a.Name), Why: brief(a.Text)})
		if _, refused := errors.AsType[*Refused](err); refused {
			return "", nil
		}
		return id, err
	}
	return "", nil
}
