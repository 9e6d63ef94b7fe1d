package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"towpath.dev/election"
)

// A deployment that has succeeded is taken back by another one, which is born going back: it takes the
// fleet to what ran before, needs no evidence and no approval, and waits for no window and no freeze.
// Nodes mostly have what ran before on their disks. It goes by no stages: to all nodes at once, and of tow
// itself, for which each starts anew, to as many at a time as may be unavailable.

// undo begins the deployment that takes back one that has ended, and gives its name. Asking again gives the
// same one, as long as nothing has succeeded since: it is what was asked for, and not that it be
// taken back in turn.
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
	if by, err := s.undoable(ctx, d, head); by != "" || err != nil {
		return by, by != "", err
	}
	p := Plan{
		Program: program, Environment: environment, Release: head.Previous, Request: rand.Text(),
		By: ask.By, Why: ask.Why, Created: ask.At, Undoes: d.Plan.ID, Pipeline: d.Plan.Pipeline,
	}
	if head.Last, err = s.freeSoon(ctx, program, environment, head.Last+1); err != nil {
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

// freeSoon is free, where going back must not wait for object storage: while that does not answer, numbers are
// passed over that a restored store may have forgotten.
func (s *Service) freeSoon(ctx context.Context, program, environment string, n int64) (int64, error) {
	const soon, gap = 2 * time.Second, 1000
	looking, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	free, err := s.free(looking, program, environment, n)
	if errors.Is(err, ErrObjects) && ctx.Err() == nil {
		return n + gap, nil
	}
	return free, err
}

// brought reports whether a deployment has brought what runs since.
func (d *Deployment) brought() bool {
	o := d.State.Outcome
	return o != nil && o.Result == Succeeded && (d.Plan.Undoes != "" || d.State.From != d.Plan.Release)
}

// undoable says why a deployment cannot be taken back that has ended; nil if it can. by is the deployment that has
// done it already.
func (s *Service) undoable(ctx context.Context, d *Deployment, head *Head) (by string, err error) {
	id := d.Plan.ID
	switch o := d.State.Outcome; {
	case o.Result != Succeeded:
		return "", refuse("%s has ended (%s), and nothing runs that it brought: deploy the release that you want with \"tow deploy\"", id, o.Result)
	case !d.brought():
		return "", refuse("%s changed nothing, as its release ran already: deploy the release that you want with \"tow deploy\"", id)
	}
	for _, later := range head.Recent[:max(0, slices.Index(head.Recent, id))] {
		switch l, err := s.Get(ctx, later); {
		case err != nil:
			return "", err
		case !l.brought():
		case l.Plan.Undoes == id:
			return later, nil
		default:
			return "", refuse("%s has succeeded since %s; \"tow deploy rollback %s\" takes that one back, and brings %s", later, id, later, ranBy(d.Plan.Program, head.Previous))
		}
	}
	switch {
	case head.Current != d.Plan.Release || !slices.Contains(head.Recent, id):
		return "", refuse("%s is not what runs now, %s is: deploy the release that you want with \"tow deploy\"", d.Plan.Brings(), ranBy(d.Plan.Program, head.Current))
	case head.Previous == "" && !d.Plan.ofTow(): // of tow that is the one that is installed
		return "", refuse("nothing is known to have run before %s that it could go back to: deploy the release that you want", id)
	}
	return "", nil
}

// born is the state in which a deployment begins that takes another one back.
func (p *Plan) born(ask Ask) (*State, []Event) {
	by := or(ask.By, "somebody")
	if ask.Alarm != "" {
		by = "the alarm " + ask.Alarm
	}
	to, why := p.Brings(), "takes back "+p.Undoes
	if ask.Why != "" {
		why += ": " + ask.Why
	}
	s := &State{
		Phase: Returning, Since: p.Created, Begun: p.Created, From: p.Release,
		Cause: &Outcome{Result: Succeeded, Blame: ask.blame(), Why: why},
	}
	var events []Event
	event := func(kind EventType, format string, args ...any) {
		s.Seq++
		events = append(events, Event{Deployment: p.ID, Seq: s.Seq, Time: p.Created, Type: kind, Text: fmt.Sprintf(format, args...)})
	}
	event(EventQueued, "%s asked to take back %s, which had ended", by, p.Undoes)
	event(EventBegun, "to %s, which ran before", to)
	event(EventReturns, "goes back to %s: %s", to, why)
	return s, events
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
	for _, id := range h.Recent {
		d, err := s.Get(ctx, id)
		if err != nil {
			return "", err
		}
		if !d.brought() {
			continue // what ran before it runs
		}
		last := d.Plan.Stages[len(d.Plan.Stages)-1]
		if d.Plan.Undoes != "" || a.Since.Before(d.State.Begun) || s.now().Sub(d.State.Since) > last.Bake {
			return "", nil
		}
		id, err = s.Ask(ctx, id, AskBack, Ask{By: by, Alarm: brief(a.Name), Why: brief(a.Text)})
		if _, refused := errors.AsType[*Refused](err); refused {
			return "", nil
		}
		return id, err
	}
	return "", nil
}
