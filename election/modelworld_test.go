package election

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// In the model time is two instants: one at which nobody's patience is over, and one at
// which everybody's is. Everything since then or since ever happened at the first.
const (
	early time.Duration = 0
	later time.Duration = 1 << 50
)

var (
	modelKeys       = groupKeys("e/", "g")
	modelGeneration = generationKey("e/")
)

// A lead is a seat that an actor has taken up.
type lead struct {
	seat     string
	token    Token
	believed bool   // its context has not ended
	releases bool   // it is given up,
	to       string // to this one
	excused  bool   // somebody revoked the lease or turned the store back: its context may be wrong
}

// An actor is a session that takes part in the group.
type actor struct {
	id      string
	lease   LeaseID
	started bool // it has a session,
	lives   bool // which has not ended, as far as it knows
	waiting int  // calls of Campaign; 1 is Run's of partitions
	leads   []lead

	generation   uint64
	generationAt int64

	applied int64   // its replica has come to this revision; -1 must be read anew
	replica []Entry // what it is
	planned bool    // its last plan is of this version of the group
	sent    *Txn    // under way, and answered if it arrives
}

func (a *actor) clone() *actor {
	b := *a
	b.leads = slices.Clone(a.leads)
	return &b
}

func (a *actor) lead(seat string) *lead {
	for i := range a.leads {
		if a.leads[i].seat == seat {
			return &a.leads[i]
		}
	}
	return nil
}

// A change is one revision.
type change struct {
	revision int64
	events   []Event
	after    []Entry
}

// A world is a state of the model: the store, what happened that somebody has not seen yet,
// the actors, and what may still arrive.
type world struct {
	m       *model
	store   modelStore
	changes []change
	actors  []*actor
	strays  []Txn // transactions whose senders wait no longer; they arrive some time, or never
	backup  *modelStore
	restore int // 1: a generation has begun, and what was before is not dropped yet
	tokens  map[string]Token
	budget  int // faults that may still happen
	joins   int // sessions that may still begin
}

func (w *world) clone() *world {
	c := *w
	c.store = w.store.clone()
	c.changes = slices.Clone(w.changes)
	c.actors = make([]*actor, len(w.actors))
	for i, a := range w.actors {
		c.actors[i] = a.clone()
	}
	c.strays = slices.Clone(w.strays)
	c.tokens = maps.Clone(w.tokens)
	return &c
}

// commit takes in what a transaction changed, and checks what must hold of every
// acquisition.
func (w *world) commit(events []Event) error {
	if len(events) == 0 {
		return nil
	}
	w.changes = append(w.changes, change{w.store.revision, events, w.store.entries})
	for _, e := range events {
		seat, ok := strings.CutPrefix(e.Entry.Key, modelKeys.seat(""))
		if !ok || e.Removed {
			continue
		}
		var r seatRecord
		if err := json.Unmarshal(e.Entry.Value, &r); err != nil {
			return err
		}
		token := Token{r.Generation, e.Entry.Modified}
		if last, ok := w.tokens[seat]; ok && token.Compare(last) <= 0 {
			return fmt.Errorf("%s was acquired with the token %s after %s", seat, token, last)
		}
		w.tokens[seat] = token
		if _, turned := w.store.find(modelGeneration); turned != (r.Generation == 1) {
			return fmt.Errorf("%s was acquired for %s in the generation %d, which is not the store's", seat, r.Candidate, r.Generation)
		}
		if c, ok := w.store.find(modelKeys.candidate(r.Candidate)); !ok || c.Lease != e.Entry.Lease {
			return fmt.Errorf("%s was acquired for %s, which has no record on that lease", seat, r.Candidate)
		}
		for _, a := range w.actors {
			if l := a.lead(seat); l != nil && l.believed && !l.excused {
				return fmt.Errorf("%s was acquired for %s while %s believes in its token %s", seat, r.Candidate, a.id, l.token)
			}
		}
	}
	return nil
}

// check is what must hold of every state.
func (w *world) check() error {
	holders := map[string]string{}
	for _, a := range w.actors {
		for _, l := range a.leads {
			if !l.believed {
				continue
			}
			if !a.lives {
				return fmt.Errorf("%s believes in %s after its session has ended", a.id, l.seat)
			}
			if l.excused {
				continue
			}
			if other := holders[l.seat]; other != "" {
				return fmt.Errorf("%s and %s both believe in %s", other, a.id, l.seat)
			}
			holders[l.seat] = a.id
			if !w.store.leases[a.lease] {
				return fmt.Errorf("%s believes in %s, and its lease has ended", a.id, l.seat)
			}
		}
	}
	for _, e := range w.store.entries {
		if e.Lease != 0 && !w.store.leases[e.Lease] {
			return fmt.Errorf("%s is on the lease %s, which has ended", e.Key, e.Lease)
		}
	}
	return nil
}

// A replica is which entries an actor has seen. Entries are never changed in place.
type replica struct {
	first    *Entry
	n        int
	id       string
	revision int64
}

// read is an actor's replica as the election has it, for reading alone.
func (w *world) read(a *actor) *state {
	r := replica{n: len(a.replica), id: a.id, revision: a.applied}
	if r.n > 0 {
		r.first = &a.replica[0]
	}
	g := w.m.replicas[r]
	if g == nil {
		if len(w.m.replicas) > 10_000 {
			clear(w.m.replicas)
		}
		g = w.fresh(a)
		w.m.replicas[r] = g
	}
	return g
}

func (w *world) fresh(a *actor) *state {
	g := newState(modelKeys, a.id)
	g.load(Page{Entries: a.replica, Revision: a.applied}, early)
	return g
}

// view is an actor's replica, and what it knows of itself.
func (w *world) view(a *actor) (*state, *self) {
	g := w.read(a)
	me := &self{
		id: a.id, lease: a.lease, initial: w.m.config, release: map[string]string{},
		generation: a.generation, generationKey: modelGeneration, generationAt: a.generationAt,
		patience: time.Second, settle: time.Second, policy: Balanced, planned: -1,
	}
	if a.planned {
		me.planned = g.version
	}
	want := a.waiting
	for _, l := range a.leads {
		if l.releases {
			me.release[l.seat] = l.to
		} else if !w.m.partitioned() {
			want++
		}
	}
	if want > 0 {
		me.record = &candidateRecord{Name: a.id, Want: want}
	}
	return g, me
}

// see shows an actor the next change, or all there is if it has to read anew.
func (w *world) see(a *actor) {
	if a.applied < 0 {
		a.applied, a.replica, a.planned = w.store.revision, groupOf(w.store.entries), false
		w.settle(a)
		return
	}
	for _, c := range w.changes {
		if c.revision <= a.applied {
			continue
		}
		g := w.fresh(a)
		before := g.version
		for _, e := range c.events {
			if modelKeys.all().Has(e.Entry.Key) {
				g.apply(e, early)
			}
		}
		a.planned = a.planned && g.version == before
		a.applied, a.replica = c.revision, groupOf(c.after)
		w.m.compare(g, a)
		w.settle(a)
		return
	}
}

func groupOf(entries []Entry) []Entry {
	all := modelKeys.all()
	from := slices.IndexFunc(entries, func(e Entry) bool { return all.Has(e.Key) })
	if from < 0 {
		return nil
	}
	to := from
	for to < len(entries) && all.Has(entries[to].Key) {
		to++
	}
	return entries[from:to]
}

// settle is candidacy's.
func (w *world) settle(a *actor) {
	if !a.lives {
		return
	}
	g := w.read(a)
	a.leads = slices.DeleteFunc(a.leads, func(l lead) bool {
		h := g.mine[l.seat]
		return h == nil || h.token != l.token.Revision
	})
	for _, seat := range slices.SortedFunc(maps.Keys(g.mine), byNumber) {
		if a.lead(seat) != nil {
			continue
		}
		h := g.mine[seat]
		l := lead{seat: seat, token: Token{h.Generation, h.token}, believed: a.waiting > 0}
		// Who takes part in what was before a restore, or had its lease revoked, cannot know.
		l.excused = w.store.holds(Compare{Key: modelGeneration, Field: Modified, Relation: NotEqual, Number: a.generationAt}) || !w.store.leases[a.lease]
		if !l.believed {
			l.releases = true
		} else if !w.m.partitioned() {
			a.waiting--
		}
		a.leads = append(a.leads, l)
	}
	slices.SortFunc(a.leads, func(a, b lead) int { return byNumber(a.seat, b.seat) })
}

// asked is whether an actor is asked to hand a seat over, and to whom.
func (w *world) asked(a *actor, l lead) (string, bool) {
	g := w.read(a)
	h := g.mine[l.seat]
	if h == nil || !l.believed {
		return "", false
	}
	if m, ok := g.moves[l.seat]; ok && m.Token == h.token {
		return m.To, true
	}
	if g.drains[a.id] || g.configured && !g.names[l.seat] {
		return "", true
	}
	if to := g.plans[l.seat].Candidate; g.partitioned() && to != a.id && g.candidates[to] != nil && !g.drains[to] {
		return to, true
	}
	return "", false
}

// lose ends a session, as its process sees it.
func (a *actor) lose() {
	a.lives, a.leads, a.waiting = false, nil, 0
}

// arrive runs an actor's transaction; answered says that it hears of it.
func (w *world) arrive(a *actor, t Txn, answered bool) error {
	ok, events, err := w.store.txn(t)
	if e := w.commit(events); e != nil {
		return fmt.Errorf("%s: %w", show(t), e)
	}
	if answered {
		e, _ := w.store.find(modelGeneration)
		if err != nil || !ok && e.Modified != a.generationAt {
			a.lose()
		}
	}
	return nil
}

// forget drops changes that everybody has seen.
func (w *world) forget() {
	seen := w.store.revision
	for _, a := range w.actors {
		if a.lives && a.applied >= 0 {
			seen = min(seen, a.applied)
		}
	}
	w.changes = slices.DeleteFunc(w.changes, func(c change) bool { return c.revision <= seen })
}

func show(t Txn) string {
	var parts []string
	for _, op := range t.Then {
		parts = append(parts, fmt.Sprintf("%s=%s", op.Keys.First, op.Value))
	}
	return strings.Join(parts, " ")
}
