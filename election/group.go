package election

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Group is a group seen from outside: asked, watched, and told what to do, without
// taking part.
type Group struct {
	store Store
	name  string
	keys  keys
}

// NewGroup names a group of the sessions with the prefix, "" for the default one.
func NewGroup(store Store, prefix, name string) (*Group, error) {
	if err := validName("group", name); err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	return &Group{store, name, groupKeys(cmp.Or(prefix, "election/"), name)}, nil
}

// Groups are the names of all groups with the prefix, "" for the default one.
func Groups(ctx context.Context, store Store, prefix string) ([]string, error) {
	prefix = cmp.Or(prefix, "election/") + "group/"
	var names []string
	keys := Prefix(prefix)
	for { // a jump from group to group
		page, err := store.Range(ctx, Span{Keys: keys, Limit: 1, KeysOnly: true})
		if err != nil {
			return nil, fmt.Errorf("election: the groups: %w", err)
		}
		if len(page.Entries) == 0 {
			return names, nil
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(page.Entries[0].Key, prefix), "/")
		names = append(names, name)
		keys.First = Prefix(prefix + name + "/").End
	}
}

// A Seat is a seat of a group, held or not.
type Seat struct {
	Name      string
	Candidate string // who holds it; "" is nobody
	Holder    string // the candidate's name, for people
	Token     Token
	// Planned is the candidate that a partition shall go to, or has gone to.
	Planned string
}

// A View is a group as it is at one revision.
type View struct {
	Config     Config
	Seats      []Seat      // those that there are, and others that are still held
	Candidates []Candidate // by id
	Assigner   string      // the candidate that plans partitions
	Revision   int64
}

// View is who holds what now. It is linearizable: it shows every hand-over that was
// over before it was called.
func (g *Group) View(ctx context.Context) (View, error) {
	s, err := g.read(ctx)
	if err != nil {
		return View{}, err
	}
	return s.view(), nil
}

func (g *Group) read(ctx context.Context) (*state, error) {
	page, err := g.store.Range(ctx, Span{Keys: g.keys.all()})
	if err != nil {
		return nil, fmt.Errorf("election: the group %s: %w", g.name, err)
	}
	s := newState(g.keys, "")
	s.load(page, 0)
	return s, nil
}

func (g *state) view() View {
	v := View{Config: g.config, Revision: g.revision}
	names := maps.Clone(g.names)
	for name := range g.seats {
		names[name] = true
	}
	for _, name := range slices.SortedFunc(maps.Keys(names), byNumber) {
		v.Seats = append(v.Seats, g.seat(name))
	}
	for _, id := range slices.Sorted(maps.Keys(g.candidates)) {
		v.Candidates = append(v.Candidates, g.public(g.candidates[id]))
	}
	if g.assigner != nil {
		v.Assigner = g.assigner.Candidate
	}
	return v
}

func (g *state) seat(name string) Seat {
	seat := Seat{Name: name, Planned: g.plans[name].Candidate}
	if h := g.seats[name]; h != nil {
		seat.Candidate, seat.Holder, seat.Token = h.Candidate, h.Name, Token{h.Generation, h.token}
	}
	return seat
}

// SetConfig makes the group, or changes its seats or partitions. Holders of those
// that are no more are asked to give them up.
func (g *Group) SetConfig(ctx context.Context, c Config) (revision int64, err error) {
	if err := c.Validate(); err != nil {
		return 0, fmt.Errorf("election: the group %s: %w", g.name, err)
	}
	r, err := g.store.Txn(ctx, Txn{Then: []Op{Put(g.keys.config(), encode(c), 0)}})
	if err != nil {
		return 0, fmt.Errorf("election: the group %s: %w", g.name, err)
	}
	return r.Revision, nil
}

// Candidate is one candidate of the group, without the count of what it holds, and
// whether there is such a one.
func (g *Group) Candidate(ctx context.Context, id string) (Candidate, bool, error) {
	page, err := g.store.Range(ctx, Span{Keys: Key(g.keys.candidate(id))})
	if err != nil {
		return Candidate{}, false, fmt.Errorf("election: the group %s: %w", g.name, err)
	}
	s := newState(g.keys, "")
	s.load(page, 0)
	c := s.candidates[id]
	if c == nil {
		return Candidate{}, false, nil
	}
	return s.public(c), true, nil
}

// Drain asks a candidate to hand over all that it holds in the group, and to take
// nothing new, until its session ends or Undrain is called.
func (g *Group) Drain(ctx context.Context, candidate string) error {
	s, err := g.read(ctx)
	if err != nil {
		return err
	}
	c := s.candidates[candidate]
	if c == nil {
		return fmt.Errorf("election: %q is no candidate of %s: expected one of %s", candidate, g.name, oneOf(s.candidates))
	}
	return g.write(ctx, []Compare{Present(g.keys.candidate(candidate))}, Put(g.keys.drain(candidate), encode(true), c.lease))
}

// Undrain takes a drain back.
func (g *Group) Undrain(ctx context.Context, candidate string) error {
	return g.write(ctx, nil, Delete(Key(g.keys.drain(candidate))))
}

// Move asks the holder of a seat to hand it over, to a candidate that waits for one;
// "" is whoever has waited longest. Partitions go where their plan says.
func (g *Group) Move(ctx context.Context, seat, to string) error {
	s, err := g.read(ctx)
	if err != nil {
		return err
	}
	h := s.seats[seat]
	switch {
	case h == nil:
		return fmt.Errorf("election: nobody holds %s/%s: expected one of %s", g.name, seat, oneOf(s.seats))
	case s.partitioned():
		return fmt.Errorf("election: %s/%s is a partition, which goes where the policy says: drain its holder, %s, instead", g.name, seat, h.Candidate)
	case to != "" && s.need(s.candidates[to]) == 0:
		var waiting []string
		for _, c := range s.takers() {
			waiting = append(waiting, c.id)
		}
		return fmt.Errorf("election: %s/%s cannot go to %q: %w; those that do: %s", g.name, seat, to, ErrNoTaker, cmp.Or(strings.Join(waiting, ", "), "none"))
	}
	return g.write(ctx, []Compare{ModifiedAt(g.keys.seat(seat), h.token)}, Put(g.keys.move(seat), encode(moveRecord{to, h.token}), h.lease))
}

// write writes what was decided from what was read, if that still holds.
func (g *Group) write(ctx context.Context, conditions []Compare, op Op) error {
	r, err := g.store.Txn(ctx, Txn{If: conditions, Then: []Op{op}})
	if err == nil && !r.OK {
		err = errors.New("the group changed meanwhile: look again")
	}
	if err != nil {
		return fmt.Errorf("election: the group %s: %w", g.name, err)
	}
	return nil
}

func oneOf[V any](m map[string]V) string {
	names := slices.SortedFunc(maps.Keys(m), byNumber)
	if len(names) > 10 {
		return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:10], ", "), len(names))
	}
	return cmp.Or(strings.Join(names, ", "), "none: there are none")
}
