package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/mirror"
)

// Service is what may be asked of deployments. What it writes, controllers act on.
type Service struct {
	Store election.Store
	// Now is the time of the day. Default: time.Now.
	Now func() time.Time
	// Objects is where events of deployments are; nil: in the store alone. A number of a
	// deployment that is known there is not given again, as a restored store would.
	Objects blob.Store
}

// Refused is that something was asked for that is not possible, and why.
type Refused struct{ Why string }

func (r *Refused) Error() string { return r.Why }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// tries is how often a write is tried that others were faster at.
const tries = 20

// ErrBusy is that others were faster all the time.
var ErrBusy = errors.New("others write the same all the time; ask again")

// ErrObjects is that the store of objects does not say what has to be known.
var ErrObjects = errors.New("the store of objects cannot be asked now; ask again")

// Create begins a deployment, or has it wait for its turn, and gives its name. A request
// that was made before gives the same name again.
func (s *Service) Create(ctx context.Context, p Plan) (string, error) {
	if err := p.Validate(); err != nil {
		return "", refuse("the pipeline: %v", err)
	}
	if err := p.checkTow(); err != nil {
		return "", err
	}
	if p.Request == "" || p.Program == "" || p.Environment == "" || p.Release == "" {
		return "", refuse("a deployment needs a program, an environment, a release, and the request's own name")
	}
	var last error
	for range tries {
		id, done, err := s.create(ctx, p)
		if done || ctx.Err() != nil {
			return id, err
		}
		last = err // it may have been written: the next look tells
	}
	if last != nil {
		return "", last
	}
	return "", ErrBusy
}

// create tries once. It is not done where others were faster, or where it is not known whether the
// last write has been made.
func (s *Service) create(ctx context.Context, p Plan) (id string, done bool, err error) {
	key := headKey(p.Environment, p.Program)
	head, at, err := s.head(ctx, p.Environment, p.Program)
	if err != nil {
		return "", true, err
	}
	if id := head.Requests[p.Request]; id != "" {
		return id, true, nil
	}
	if len(head.Queue) >= maxQueue {
		return "", true, refuse("%d deployments of %s wait already: cancel some with \"tow deploy rollback\"", len(head.Queue), p.Program)
	}
	txn := election.Txn{If: []election.Compare{unchanged(key, at)}}
	if head.Last, err = s.free(ctx, p.Program, p.Environment, head.Last+1); err != nil {
		return "", true, err
	}
	p.ID, p.Created = idOf(p.Program, p.Environment, head.Last), s.now()
	if head.Active != "" && p.Concurrency.replaces() {
		waits, err := s.waits(ctx, head.Active)
		if err != nil {
			return "", true, err
		}
		if waits != nil { // written as it is, so that it cannot begin by what was known before
			head.Active, head.Queue = "", nil
			txn.If = append(txn.If, election.ModifiedAt(waits.Key, waits.Modified))
			txn.Then = append(txn.Then, election.Put(waits.Key, waits.Value, 0))
		}
	}
	p.Ran = head.Current
	head.enter(&p)
	plan := encode(&p)
	if len(plan) > MaxPlan {
		return "", true, refuse("the plan of %s has %d bytes, more than %d: its checks or stages are too long", p.Program, len(plan), MaxPlan)
	}
	if p.Concurrency == Cancel && head.Active != p.ID {
		ask := Ask{By: p.By, Why: "replaced by " + p.ID, At: s.now()}
		txn.Then = append(txn.Then, election.Put(askKey(head.Active, AskBack), encode(&ask), 0))
	}
	state := State{Phase: Queued, Since: s.now(), Seq: 1}
	event := Event{Deployment: p.ID, Seq: 1, Time: s.now(), Type: EventQueued, Text: fmt.Sprintf("%s asked for %s", or(p.By, "somebody"), p.Release.Short())}
	txn.Then = append(txn.Then,
		election.Put(key, encode(head), 0), election.Put(planKey(p.ID), plan, 0),
		election.Put(stateKey(p.ID), encode(&state), 0), election.Put(eventKey(p.ID, 1), encode(&event), 0))
	r, err := s.Store.Txn(ctx, txn)
	return p.ID, err == nil && r.OK, err
}

// free is the first number from n on that no deployment has had.
func (s *Service) free(ctx context.Context, program, environment string, n int64) (int64, error) {
	for s.Objects != nil {
		had := false
		for _, err := range s.Objects.List(ctx, eventsPrefix(environment, program, n), "") {
			if err != nil {
				return 0, fmt.Errorf("%w (which numbers of deployments were given: %w)", ErrObjects, err)
			}
			had = true
			break
		}
		if !had {
			break
		}
		n++
	}
	return n, nil
}

// waits is the state of a deployment that has not begun; nil if it has.
func (s *Service) waits(ctx context.Context, id string) (*election.Entry, error) {
	key := stateKey(id)
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(key)})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	state, err := decode[State](key, page.Entries[0].Value)
	if err != nil || state.Phase != Queued {
		return nil, err
	}
	return &page.Entries[0], nil
}

// enter gives a deployment its place.
func (h *Head) enter(p *Plan) {
	switch {
	case h.Active == "":
		h.Active = p.ID
	case p.Concurrency.replaces():
		h.Queue = []string{p.ID}
	default:
		h.Queue = append(h.Queue, p.ID)
	}
	if h.Requests == nil {
		h.Requests = map[string]string{}
	}
	h.Requests[p.Request] = p.ID
	h.Order = append(h.Order, p.Request)
	if over := len(h.Order) - keptRequests; over > 0 {
		for _, old := range h.Order[:over] {
			delete(h.Requests, old)
		}
		h.Order = slices.Clone(h.Order[over:])
	}
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// Ask asks a deployment to go back, approves its next stage, or adds a replay to its evidence.
// When it was asked, and what stage that approves, is found here. It gives the deployment that does
// it: another one where one that has succeeded is to go back.
func (s *Service) Ask(ctx context.Context, id string, kind AskKind, ask Ask) (string, error) {
	if _, _, _, err := ParseID(id); err != nil {
		return "", refuse("%v", err)
	}
	d, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	ask.At, ask.Why = s.now(), brief(ask.Why) // it comes to the state
	if d.State.Phase == Ended && kind == AskBack {
		return s.undo(ctx, d, ask)
	}
	if err := d.takes(kind, &ask); err != nil {
		return "", err
	}
	_, err = s.Store.Txn(ctx, election.Txn{
		If:   []election.Compare{election.Present(stateKey(id))},
		Then: []election.Op{election.Put(askKey(id, kind), encode(&ask), 0)},
	})
	return id, err
}

// takes says why nothing of a kind can be asked of a deployment now; nil if it can. Of an approval it
// finds the stage.
func (d *Deployment) takes(kind AskKind, ask *Ask) error {
	id := d.Plan.ID
	switch st := d.State; {
	case st.Phase == Ended:
		return refuse("%s has ended (%s): deploy the release that you want with \"tow deploy\"", id, st.Outcome.Result)
	case kind == AskBack:
	case kind == AskLeave && st.Phase != Returning && st.Phase != Finishing && (st.Wait == nil || len(st.Wait.Cells) == 0):
		return refuse("%s still has stages before it, and waits for no cell that is away: \"tow deploy rollback %s\" takes it back", id, id)
	case kind == AskLeave:
	case st.Phase == Returning:
		return refuse("%s goes back, and does not go on any more", id)
	case kind == AskReplay && st.Test == nil:
		return refuse("%s takes no replay: it has not begun, or is of tow itself", id)
	case kind == AskReplay && (ask.Replay.Requests <= 0 || ask.Replay.Differed > 0):
		return refuse("a replay of %d requests of which %d differ says nothing for %s; expected at least 1, of which none differs", ask.Replay.Requests, ask.Replay.Differed, id)
	case kind == AskReplay:
	case st.Phase == Running && st.Step != Gate: // the stage that is under way needs none any more
		if ask.Stage = st.Stage + 1; ask.Stage == len(d.Plan.Stages) {
			return refuse("%s has no stage after this one that could be approved", id)
		}
	case st.Phase == Finishing:
		return refuse("%s has passed its last stage", id)
	default:
		ask.Stage, ask.Early = st.Stage, st.Phase == Queued
	}
	return nil
}

// Freeze keeps stages from beginning. A second one for the same takes the first one's place.
func (s *Service) Freeze(ctx context.Context, f Freeze) error {
	f.At = s.now()
	return s.freezes(ctx, func(all []Freeze) ([]Freeze, error) {
		all = slices.DeleteFunc(all, f.same)
		return append(all, f), nil
	})
}

// Unfreeze lifts a freeze.
func (s *Service) Unfreeze(ctx context.Context, environment, program string) error {
	f := Freeze{Environment: environment, Program: program}
	return s.freezes(ctx, func(all []Freeze) ([]Freeze, error) {
		left := slices.DeleteFunc(slices.Clone(all), f.same)
		if len(left) == len(all) {
			return nil, refuse("there is no freeze of %s; \"tow fleet freezes\" shows which there are", f.of())
		}
		return left, nil
	})
}

func (f Freeze) same(other Freeze) bool {
	return f.Environment == other.Environment && f.Program == other.Program
}

// of is what a freeze is for.
func (f Freeze) of() string {
	return or(f.Program, "all programs") + " in " + or(f.Environment, "all environments")
}

// freezes changes the list of freezes.
func (s *Service) freezes(ctx context.Context, change func([]Freeze) ([]Freeze, error)) error {
	for range tries {
		all, at, err := s.readFreezes(ctx)
		if err != nil {
			return err
		}
		if all, err = change(all); err != nil {
			return err
		}
		r, err := s.Store.Txn(ctx, election.Txn{
			If: []election.Compare{unchanged(freezeKey, at)}, Then: []election.Op{election.Put(freezeKey, encode(all), 0)},
		})
		if err != nil {
			return err
		}
		if r.OK {
			return nil
		}
	}
	return ErrBusy
}

// Freezes are those in force, and those that have ended by themselves.
func (s *Service) Freezes(ctx context.Context) ([]Freeze, error) {
	all, _, err := s.readFreezes(ctx)
	return all, err
}

func (s *Service) readFreezes(ctx context.Context) ([]Freeze, int64, error) {
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Key(freezeKey)})
	if err != nil || len(page.Entries) == 0 {
		return nil, 0, err
	}
	all, err := decode[[]Freeze](freezeKey, page.Entries[0].Value)
	if err != nil {
		return nil, 0, err
	}
	return *all, page.Entries[0].Modified, nil
}

// A Deployment is one as it is stored.
type Deployment struct {
	Plan  *Plan  `json:"plan"`
	State *State `json:"state"`
}

// Get reads a deployment.
func (s *Service) Get(ctx context.Context, id string) (*Deployment, error) {
	r, err := s.Store.Txn(ctx, election.Txn{Then: []election.Op{election.Get(election.Key(planKey(id))), election.Get(election.Key(stateKey(id)))}})
	if err != nil {
		return nil, err
	}
	plan, state := r.Outcomes[0].Entries, r.Outcomes[1].Entries
	if len(plan) == 0 || len(state) == 0 {
		return nil, refuse("there is no deployment %.80q; \"tow deploy list\" shows which there are", id)
	}
	d := &Deployment{}
	if d.Plan, err = decode[Plan](planKey(id), plan[0].Value); err == nil {
		d.State, err = decode[State](stateKey(id), state[0].Value)
	}
	return d, err
}

// Heads are the programs that were deployed to an environment, by name.
func (s *Service) Heads(ctx context.Context, environment string) (map[string]*Head, error) {
	prefix := headPrefix + environment + "/"
	page, err := s.Store.Range(ctx, election.Span{Keys: election.Prefix(prefix)})
	if err != nil {
		return nil, err
	}
	all := map[string]*Head{}
	for _, e := range page.Entries {
		if all[strings.TrimPrefix(e.Key, prefix)], err = decode[Head](e.Key, e.Value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// seen returns when nobody has to see first what a restored store says (see
// [election.Pending]), or the context ends. hold is called once, if somebody has to.
func seen(ctx context.Context, store election.Store, hold func()) {
	for held := false; ctx.Err() == nil; {
		_, waits, err := election.Pending(ctx, store, "")
		if err == nil && !waits {
			return
		}
		if waits && !held {
			held = true
			hold()
		}
		select {
		case <-ctx.Done():
		case <-time.After(heldAgain):
		}
	}
}

// A Change is that a deployment's state is another one, and what happened by that.
type Change struct{ Events []Event }

// Changes tells of a deployment whenever its state is written or a node's event is, until
// the context ends.
func (s *Service) Changes(ctx context.Context, id string) <-chan Change {
	out := make(chan Change)
	go func() {
		defer close(out)
		mirror.Follow(ctx, s.Store, fleet.Prefix, func(u mirror.Update) {
			c, news := Change{}, u.Reset
			for _, e := range u.Events {
				news = news || e.Entry.Key == stateKey(id)
				if e.Removed || !strings.HasPrefix(e.Entry.Key, EventPrefix+id+"/") {
					continue
				}
				if v, err := decode[Event](e.Entry.Key, e.Entry.Value); err == nil {
					c.Events, news = append(c.Events, *v), true
				}
			}
			if !news {
				return
			}
			select {
			case out <- c:
			case <-ctx.Done():
			}
		})
	}()
	return out
}
