package election

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"towpath.dev/internal/testkit/required"
)

// The model explores all that two or three candidates, their store and what goes wrong
// can do, one step after the other in every order, with the decision that the election
// itself takes. A step is one of
//
//   - an actor sees the next change of the store: replicas are as stale as they like;
//   - an actor decides, patiently or not, and its transaction is under way;
//   - a transaction arrives, and its answer does or does not; or its sender waits no
//     longer, and it arrives later or never;
//   - a session begins, or ends for its process: crash, lost network, or its deadline;
//   - a lease ends at the store after its session has ended, or is revoked before;
//   - a seat is resigned or transferred, a campaign begins or is withdrawn;
//   - an operator drains, moves, or changes the number of seats;
//   - a backup is taken and restored, a generation begins, and what was held is dropped.
//
// Those of the last four kinds, and lost answers, come from a budget.
//
// It holds in every state, whatever happened:
//
//  1. One seat has one holder at the store (it is one key), and at most one that
//     believes to hold it, unless a lease was revoked or the store was turned back.
//  2. A seat is never acquired while its last holder believes in it, with the same
//     exceptions: hand-overs wait for the holder, and leases for the deadline.
//  3. Tokens of one seat grow strictly in the order of acquisition, across restores.
//  4. Who acquires a seat has its record in the group, on a lease that lives, and is of
//     the store's generation.
//  5. What the election made of changes one by one is what it makes of them all at once.
//  6. When nothing goes wrong any more, all comes to rest: every seat that somebody
//     wants is held by one who wants it and believes in it, nobody that drains holds
//     one, partitions are spread evenly, and one candidate assigns them.
//  7. Each part of a plan is a plan too: 1 to 6 hold when only the first move of it arrives.
type model struct {
	t       testing.TB
	name    string
	config  Config
	actors  int
	wants   int
	budget  int
	joins   int // sessions that begin later
	restore bool
	turned  bool // begin when an empty store has been restored
	warm    bool // begin where all has come to rest once
	limit   int  // of states
	whole   bool // it is small enough to be explored to its end
	// mistake changes what is decided, for the model to find out.
	mistake func(*Txn)

	replicas map[replica]*state
	rests    map[[2]uint64]bool // what is known to come to rest as it should
}

func (m *model) partitioned() bool { return len(m.config.Partitions) > 0 }

// compare holds what was applied change by change against what is read at once.
func (m *model) compare(g *state, a *actor) {
	read := newState(modelKeys, a.id)
	read.load(Page{Entries: a.replica, Revision: a.applied}, early)
	read.version, read.changed, read.unassigned = g.version, g.changed, g.unassigned
	read.revision = g.revision
	if !reflect.DeepEqual(read, g) {
		m.t.Fatalf("%s: a replica that was changed is not one that was read:\n%+v\n%+v", m.name, g, read)
	}
}

func (m *model) start() *world {
	w := &world{m: m, store: modelStore{revision: 1, leases: map[LeaseID]bool{}}, tokens: map[string]Token{}, budget: m.budget, joins: m.joins}
	for i := range m.actors {
		w.actors = append(w.actors, w.begin(i))
	}
	if m.turned {
		backup := w.store.clone()
		w.backup = &backup
		if err := w.turnBack(); err != nil {
			m.t.Fatalf("%s: %v", m.name, err)
		}
	}
	if m.warm {
		if err := w.settleDown(); err != nil {
			m.t.Fatalf("%s: %v", m.name, err)
		}
	}
	return w
}

func (w *world) begin(i int) *actor {
	e, _ := w.store.find(modelGeneration)
	a := &actor{id: string(rune('a' + i)), lease: LeaseID(i + 1), started: true, lives: true, waiting: w.m.wants, applied: -1, generationAt: e.Modified}
	if e.Modified != 0 {
		a.generation = 1
	}
	w.store.leases[a.lease] = true
	return a
}

// A step leads to another state; a fault costs.
type step struct {
	what string
	to   *world
}

// next are all steps from a state.
func (w *world) next() ([]step, error) {
	var steps []step
	var failed error
	add := func(cost int, what string, do func(*world) error) {
		if failed != nil || w.budget < cost {
			return
		}
		to := w.clone()
		to.budget -= cost
		if err := do(to); err != nil {
			failed = fmt.Errorf("%s: %w", what, err)
			return
		}
		to.forget()
		if err := to.check(); err != nil {
			failed = fmt.Errorf("%s: %w", what, err)
			return
		}
		steps = append(steps, step{what, to})
	}
	for i, a := range w.actors {
		w.actorSteps(i, a, add)
	}
	w.storeSteps(add)
	return steps, failed
}

func (w *world) actorSteps(i int, a *actor, add func(int, string, func(*world) error)) {
	if a.lives && (a.applied < 0 || len(w.changes) > 0 && w.changes[len(w.changes)-1].revision > a.applied) {
		add(0, a.id+" sees", func(w *world) error { w.see(w.actors[i]); return nil })
	}
	if a.lives && a.applied >= 0 && a.sent == nil {
		if t, planned := w.decision(a, false); t != nil || planned != a.planned {
			add(0, a.id+" decides", func(w *world) error { w.actors[i].sent, w.actors[i].planned = t, planned; return nil })
		} else if t, planned := w.decision(a, true); t != nil || planned != a.planned {
			add(0, a.id+" decides after a while", func(w *world) error { w.actors[i].sent, w.actors[i].planned = t, planned; return nil })
		}
	}
	if t := a.sent; t != nil {
		add(0, "the transaction of "+a.id+" arrives", func(w *world) error {
			w.actors[i].sent = nil
			return w.arrive(w.actors[i], *t, a.lives)
		})
		add(1, a.id+" waits no longer", func(w *world) error {
			w.actors[i].sent = nil
			w.strays = append(w.strays, *t)
			return nil
		})
		if part, ok := partOf(*t); ok {
			add(1, "a part of the plan of "+a.id+" arrives", func(w *world) error {
				w.actors[i].sent = nil
				return w.arrive(w.actors[i], part, true)
			})
		}
	}
	if a.lives {
		add(1, a.id+" ends", func(w *world) error { w.actors[i].lose(); return nil })
		if w.store.leases[a.lease] {
			add(1, "the lease of "+a.id+" is revoked", func(w *world) error {
				for j := range w.actors[i].leads {
					w.actors[i].leads[j].excused = true
				}
				return w.commit(w.store.end(a.lease))
			})
		}
		for j, l := range a.leads {
			to, asked := w.asked(a, l)
			if asked {
				add(0, fmt.Sprintf("%s hands %s over, as it is asked to", a.id, l.seat), func(w *world) error { w.letGo(w.actors[i], j, to); return nil })
			} else if l.believed && !w.m.partitioned() {
				add(1, fmt.Sprintf("%s resigns %s", a.id, l.seat), func(w *world) error { w.letGo(w.actors[i], j, ""); return nil })
			}
		}
		if a.waiting > 0 && !w.m.partitioned() {
			add(1, a.id+" withdraws", func(w *world) error { w.actors[i].waiting--; return nil })
		}
	} else if w.store.leases[a.lease] {
		add(0, "the lease of "+a.id+" ends", func(w *world) error { return w.commit(w.store.end(a.lease)) })
	}
}

// decision is what an actor would write.
func (w *world) decision(a *actor, patient bool) (*Txn, bool) {
	g, me := w.view(a)
	now := early
	if patient {
		now = later
	}
	t, _ := g.decide(me, now)
	if t != nil && w.m.mistake != nil {
		w.m.mistake(t)
	}
	return t, me.planned == g.version
}

// letGo is candidacy's: who hands over campaigns again.
func (w *world) letGo(a *actor, i int, to string) {
	l := &a.leads[i]
	l.believed, l.releases, l.to = false, true, to
	if !w.m.partitioned() {
		a.waiting++
	}
}

// partOf is a plan with its first move alone.
func partOf(t Txn) (Txn, bool) {
	moves := 0
	var first []Op
	for _, op := range t.Then {
		if strings.HasPrefix(op.Keys.First, modelKeys.plan("")) {
			if moves++; moves > 1 {
				continue
			}
		}
		first = append(first, op)
	}
	return Txn{If: t.If, Then: first}, moves > 1
}

func (w *world) storeSteps(add func(int, string, func(*world) error)) {
	for i, t := range w.strays {
		add(0, "a late transaction arrives", func(w *world) error {
			w.strays = slices.Delete(w.strays, i, i+1)
			_, events, _ := w.store.txn(t)
			return w.commit(events)
		})
		add(0, "a late transaction never arrives", func(w *world) error {
			w.strays = slices.Delete(w.strays, i, i+1)
			return nil
		})
	}
	if w.joins > 0 && w.restore != 1 { // none is opened while what was held is dropped
		add(0, "a session begins", func(w *world) error {
			w.joins--
			w.actors = append(w.actors, w.begin(len(w.actors)))
			return nil
		})
	}
	w.operatorSteps(add)
	if w.restore == 1 {
		add(0, "what was held is dropped", func(w *world) error {
			w.restore = 2
			_, events, _ := w.store.txn(dropped())
			return w.commit(events)
		})
	}
	if !w.m.restore {
		return
	}
	if w.backup == nil {
		add(0, "a backup is taken", func(w *world) error {
			backup := w.store.clone()
			w.backup = &backup
			return nil
		})
	} else if e, _ := w.store.find(modelGeneration); e.Modified == 0 {
		add(1, "the backup is restored, and a generation begins", func(w *world) error { return w.turnBack() })
	}
}

func (w *world) operatorSteps(add func(int, string, func(*world) error)) {
	write := func(what string, op Op) {
		add(1, what, func(w *world) error {
			_, events, err := w.store.txn(Txn{Then: []Op{op}})
			if err != nil {
				return nil // it was on a lease that has ended meanwhile
			}
			return w.commit(events)
		})
	}
	for _, e := range w.store.entries {
		if id, ok := strings.CutPrefix(e.Key, modelKeys.candidate("")); ok {
			if _, drains := w.store.find(modelKeys.drain(id)); drains {
				write(id+" is drained no longer", Delete(Key(modelKeys.drain(id))))
			} else {
				write(id+" is drained", Put(modelKeys.drain(id), encode(true), e.Lease))
			}
		}
		if seat, ok := strings.CutPrefix(e.Key, modelKeys.seat("")); ok && !w.m.partitioned() {
			for _, a := range w.actors {
				write(fmt.Sprintf("%s is moved to %s", seat, a.id), Put(modelKeys.move(seat), encode(moveRecord{a.id, e.Modified}), e.Lease))
			}
		}
	}
	if _, configured := w.store.find(modelKeys.config()); configured && w.m.config.Seats > 1 {
		write("the group gets one seat", Put(modelKeys.config(), encode(Config{Seats: 1}), 0))
		write("the group gets all seats", Put(modelKeys.config(), encode(w.m.config), 0))
	}
}

// turnBack restores the backup with greater revisions than there were, and begins a
// generation.
func (w *world) turnBack() error {
	revision := w.store.revision + 10
	w.store = w.backup.clone()
	w.store.revision = revision
	w.changes, w.restore = nil, 1
	for _, a := range w.actors {
		a.applied = -1
		for i := range a.leads {
			a.leads[i].excused = true
		}
	}
	_, events, _ := w.store.txn(Txn{Then: []Op{Put(modelGeneration, encode(generationRecord{Generation: 1, Dropping: true}), 0)}})
	return w.commit(events)
}

// dropped is the transaction of drop, and that with which Restored ends.
func dropped() Txn {
	k := modelKeys
	t := Txn{Then: []Op{Put(modelGeneration, encode(generationRecord{Generation: 1}), 0), Delete(Key(k.assigner())), Delete(Key(k.epoch()))}}
	for _, all := range []string{k.candidate(""), k.seat(""), k.drain(""), k.move(""), k.plan("")} {
		t.Then = append(t.Then, Delete(Prefix(all)))
	}
	return t
}

// rest lets everything come to rest with no more faults, and says what is wrong then.
func (w *world) rest() error {
	w = w.clone()
	w.strays, w.budget, w.backup = nil, 0, nil
	if w.restore == 1 {
		w.restore = 2
		_, events, _ := w.store.txn(dropped())
		if err := w.commit(events); err != nil {
			return err
		}
	}
	for ; w.joins > 0; w.joins-- {
		w.actors = append(w.actors, w.begin(len(w.actors)))
	}
	return w.settleDown()
}

// settleDown lets actors take turns until none has anything to do.
func (w *world) settleDown() error {
	var way [][2]uint64
	for range 200 {
		key := w.key()
		if w.m.rests[key] && w.budget == 0 {
			return nil
		}
		way = append(way, key)
		moved, err := w.round(false)
		if err == nil && !moved {
			moved, err = w.round(true)
		}
		if err != nil {
			return err
		}
		if moved {
			continue
		}
		if err := w.rested(); err != nil {
			return err
		}
		for _, key := range way {
			w.m.rests[key] = true
		}
		return nil
	}
	return fmt.Errorf("it does not come to rest: %s", w.text())
}

// round lets every actor do what it can, or with patience the first that can.
func (w *world) round(patient bool) (moved bool, err error) {
	for _, a := range w.actors {
		if !a.lives {
			if w.store.leases[a.lease] {
				moved = true
				if err := w.commit(w.store.end(a.lease)); err != nil {
					return moved, err
				}
			}
			continue
		}
		if !w.store.leases[a.lease] {
			a.lose() // its next renewal says so
			moved = true
			continue
		}
		for a.applied < 0 || len(w.changes) > 0 && w.changes[len(w.changes)-1].revision > a.applied {
			w.see(a)
			moved = true
		}
		for j, l := range a.leads {
			if to, asked := w.asked(a, l); asked {
				w.letGo(a, j, to)
				moved = true
			}
		}
		t := a.sent
		a.sent = nil
		if t == nil {
			var planned bool
			t, planned = w.decision(a, patient)
			moved = moved || planned != a.planned
			a.planned = planned
		}
		if t != nil {
			revision := w.store.revision
			if err := w.arrive(a, *t, true); err != nil {
				return true, err
			}
			moved = moved || w.store.revision != revision || !a.lives
			if patient && moved {
				return true, w.check()
			}
		}
		w.forget()
		if err := w.check(); err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// rested is what must hold once nothing moves any more.
func (w *world) rested() error {
	g := newState(modelKeys, "")
	g.load(Page{Entries: groupOf(w.store.entries), Revision: w.store.revision}, early)
	wanted, takers, held := 0, 0, map[string]int{}
	for _, a := range w.actors {
		if !a.lives {
			continue
		}
		if !g.drains[a.id] {
			wanted += a.waiting
			takers++
		}
		for _, l := range a.leads {
			if !l.believed || l.releases {
				return fmt.Errorf("at rest %s gives %s up: %s", a.id, l.seat, w.text())
			}
			if g.drains[a.id] {
				return fmt.Errorf("at rest %s holds %s and drains: %s", a.id, l.seat, w.text())
			}
			held[a.id]++
		}
	}
	seats := 0
	for name := range g.names {
		if h := g.seats[name]; h != nil {
			seats++
			continue
		}
		if !w.m.partitioned() && wanted > 0 || w.m.partitioned() && takers > 0 {
			return fmt.Errorf("at rest nobody holds %s, and somebody wants it: %s", name, w.text())
		}
	}
	if n := len(g.seats); n > seats {
		return fmt.Errorf("at rest %d seats are held, and %d of them are of the group: %s", n, seats, w.text())
	}
	total := 0
	for _, n := range held {
		total += n
	}
	if total != len(g.seats) {
		return fmt.Errorf("at rest %d seats are held, and %d are believed in: %s", len(g.seats), total, w.text())
	}
	if w.m.partitioned() && takers > 0 {
		if g.assigner == nil {
			return fmt.Errorf("at rest nobody assigns: %s", w.text())
		}
		least, most := len(g.names), 0
		for _, a := range w.actors {
			if a.lives && !g.drains[a.id] {
				least, most = min(least, held[a.id]), max(most, held[a.id])
			}
		}
		if most-least > 1 {
			return fmt.Errorf("at rest one holds %d partitions and another one %d: %s", most, least, w.text())
		}
	}
	return nil
}

// key is a state's, by which it is known again.
func (w *world) key() [2]uint64 {
	h := fnv.New128a()
	h.Write([]byte(w.text()))
	sum := h.Sum(nil)
	return [2]uint64{binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])}
}

// text is the state in full, with ranks in place of revisions, so that states that
// differ in nothing else are one.
func (w *world) text() string {
	ranks := w.ranks()
	var b strings.Builder
	entries := func(list []Entry) {
		for _, e := range list {
			fmt.Fprintf(&b, "%s=%s@%d/%d/%d;", strings.TrimPrefix(e.Key, "e/group/g/"), inRanks(e.Key, e.Value, ranks), ranks[e.Created], ranks[e.Modified], e.Lease)
		}
	}
	txn := func(t *Txn) {
		if t == nil {
			return
		}
		for _, c := range t.If {
			fmt.Fprintf(&b, "%s%d%d%d,", c.Key, c.Field, c.Relation, ranks[c.Number])
		}
		for _, op := range t.Then {
			fmt.Fprintf(&b, "%d%s=%s/%d,", op.Kind, op.Keys.First, inRanks(op.Keys.First, op.Value, ranks), op.Lease)
		}
	}
	entries(w.store.entries)
	fmt.Fprintf(&b, "\nleases %v", slices.Sorted(maps.Keys(w.store.leases)))
	for _, c := range w.changes {
		fmt.Fprintf(&b, "\nat %d ", ranks[c.revision])
		entries(c.after)
	}
	for _, a := range w.actors {
		fmt.Fprintf(&b, "\n%s %v %d %d at %d %v sent ", a.id, a.lives, a.waiting, ranks[a.generationAt], ranks[a.applied], a.planned)
		if !a.lives && a.sent == nil {
			continue
		}
		txn(a.sent)
		for _, l := range a.leads {
			fmt.Fprintf(&b, " %s %d.%d %v %v %q %v", l.seat, l.token.Generation, ranks[l.token.Revision], l.believed, l.releases, l.to, l.excused)
		}
		b.WriteString("\n  ")
		entries(a.replica)
	}
	for i := range w.strays {
		b.WriteString("\nstray ")
		txn(&w.strays[i])
	}
	if w.backup != nil {
		b.WriteString("\nbackup ")
		entries(w.backup.entries)
		fmt.Fprint(&b, slices.Sorted(maps.Keys(w.backup.leases)))
	}
	for _, seat := range slices.Sorted(maps.Keys(w.tokens)) {
		fmt.Fprintf(&b, "\n%s %d.%d", seat, w.tokens[seat].Generation, ranks[w.tokens[seat].Revision])
	}
	fmt.Fprintf(&b, "\n%d %d %d", w.restore, w.budget, w.joins)
	return b.String()
}

// inRanks is a value with ranks in place of its revisions.
func inRanks(key string, value []byte, ranks map[int64]int) string {
	text := string(value)
	switch {
	case text == "": // removed
	case strings.HasPrefix(key, modelKeys.move("")):
		at := strings.Index(text, `"token":`) + len(`"token":`)
		n, _ := strconv.ParseInt(strings.TrimRight(text[at:], "}"), 10, 64)
		return fmt.Sprint(text[:at], ranks[n])
	case strings.HasPrefix(key, modelKeys.plan("")): // epochs are for people
		return text[:strings.Index(text, `"epoch"`)]
	case key == modelKeys.epoch():
		return ""
	}
	return text
}

// ranks are the revisions that a state knows of, in their order.
func (w *world) ranks() map[int64]int {
	known := map[int64]bool{}
	entries := func(list []Entry) {
		for _, e := range list {
			known[e.Created], known[e.Modified] = true, true
			if strings.HasPrefix(e.Key, modelKeys.move("")) {
				text := string(e.Value)
				at := strings.Index(text, `"token":`) + len(`"token":`)
				n, _ := strconv.ParseInt(strings.TrimRight(text[at:], "}"), 10, 64)
				known[n] = true
			}
		}
	}
	entries(w.store.entries)
	for _, c := range w.changes {
		known[c.revision] = true
		entries(c.after)
	}
	txn := func(t *Txn) {
		if t != nil {
			for _, c := range t.If {
				known[c.Number] = true
			}
		}
	}
	for _, a := range w.actors {
		known[a.applied], known[a.generationAt] = true, true
		txn(a.sent)
		entries(a.replica)
		for _, l := range a.leads {
			known[l.token.Revision] = true
		}
	}
	for i := range w.strays {
		txn(&w.strays[i])
	}
	if w.backup != nil {
		entries(w.backup.entries)
	}
	for _, t := range w.tokens {
		known[t.Revision] = true
	}
	delete(known, -1)
	delete(known, 0)
	ranks := map[int64]int{-1: -1, 0: 0}
	for i, r := range slices.Sorted(maps.Keys(known)) {
		ranks[r] = i + 1
	}
	return ranks
}

// explore visits states breadth first. It returns how many it saw, whether those are
// all, and the way to one in which something does not hold.
func (m *model) explore() (states int, whole bool, wrong error) {
	type reached struct {
		*world
		from int
		what string
	}
	m.replicas, m.rests = map[replica]*state{}, map[[2]uint64]bool{}
	seen := map[[2]uint64]bool{}
	queue := []reached{{m.start(), -1, "the start"}}
	past := []struct {
		from int
		what string
	}{}
	trace := func(i int, last string) string {
		lines := []string{last}
		for ; i >= 0; i = past[i].from {
			lines = append(lines, past[i].what)
		}
		slices.Reverse(lines)
		return strings.Join(lines, "\n")
	}
	for len(queue) > 0 {
		r := queue[0]
		queue[0].world = nil
		queue = queue[1:]
		at := len(past)
		past = append(past, struct {
			from int
			what string
		}{r.from, r.what})
		if err := r.rest(); err != nil {
			return len(seen), false, fmt.Errorf("after\n%s\n%w", trace(at, ""), err)
		}
		steps, err := r.next()
		if err != nil {
			return len(seen), false, fmt.Errorf("after\n%s", trace(at, err.Error()))
		}
		for _, s := range steps {
			key := s.to.key()
			if !seen[key] {
				seen[key] = true
				queue = append(queue, reached{s.to, at, s.what})
			}
		}
		if len(past) == m.limit {
			return len(seen), false, nil
		}
	}
	return len(seen), true, nil
}

var states = flag.Int("states", 0, "explore so many states of each model")

func TestModel(t *testing.T) {
	limit := 1_500
	switch {
	case *states != 0:
		limit = *states
	case required.All():
		limit = 20_000
	}
	x, y, z := []string{"x"}, []string{"x", "y"}, []string{"x", "y", "z"}
	for _, m := range []model{
		{name: "a seat for two, one fault", config: Config{Seats: 1}, actors: 2, wants: 1, budget: 1, warm: true, whole: true},
		{name: "a seat for three, one fault", config: Config{Seats: 1}, actors: 3, wants: 1, budget: 1, warm: true, whole: true},
		{name: "two seats for three, one fault", config: Config{Seats: 2}, actors: 3, wants: 1, budget: 1, warm: true, whole: true},
		{name: "from nothing, one seat", config: Config{Seats: 1}, actors: 2, wants: 1, budget: 1},
		{name: "from nothing, two seats", config: Config{Seats: 2}, actors: 2, wants: 2, budget: 1},
		{name: "from nothing, a partition", config: Config{Partitions: x}, actors: 2, wants: 1, budget: 1},
		{name: "from nothing, a seat for one", config: Config{Seats: 1}, actors: 1, wants: 1, budget: 2},
		{name: "sessions that begin in a restore", config: Config{Seats: 1}, wants: 1, joins: 2, turned: true},
		{name: "a seat for two", config: Config{Seats: 1}, actors: 2, wants: 1, budget: 2, warm: true},
		{name: "a seat for three", config: Config{Seats: 1}, actors: 3, wants: 1, budget: 2, warm: true},
		{name: "two seats for three", config: Config{Seats: 2}, actors: 3, wants: 1, budget: 2, warm: true},
		{name: "two seats for two that want both", config: Config{Seats: 2}, actors: 2, wants: 2, budget: 2, warm: true},
		{name: "a seat, and one comes", config: Config{Seats: 1}, actors: 1, wants: 1, budget: 2, joins: 1, warm: true},
		{name: "a seat and a restore", config: Config{Seats: 1}, actors: 2, wants: 1, budget: 1, joins: 2, restore: true, warm: true},
		{name: "two partitions for two", config: Config{Partitions: y}, actors: 2, wants: 1, budget: 2, warm: true},
		{name: "three partitions for two", config: Config{Partitions: z}, actors: 2, wants: 1, budget: 1, warm: true},
		{name: "three partitions for three", config: Config{Partitions: z}, actors: 3, wants: 1, budget: 1, warm: true},
		{name: "two partitions, and one comes", config: Config{Partitions: y}, actors: 1, wants: 1, budget: 1, joins: 1, warm: true},
		{name: "three partitions, and one comes", config: Config{Partitions: z}, actors: 2, wants: 1, budget: 1, joins: 1, warm: true},
		{name: "partitions and a restore", config: Config{Partitions: y}, actors: 1, wants: 1, budget: 1, joins: 1, restore: true, warm: true},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.t, m.limit = t, limit
			states, whole, wrong := m.explore()
			switch {
			case wrong != nil:
				t.Error(wrong)
			case m.whole && !whole:
				t.Errorf("%d states, and there are more: it was to be explored whole", states)
			case whole:
				t.Logf("all of its %d states", states)
			default:
				t.Logf("%d states, and there are more", states)
			}
		})
	}
}

// TestModelFindsMistakes leaves conditions out, each of which is there for a reason.
func TestModelFindsMistakes(t *testing.T) {
	without := func(leave func(Compare) bool) func(*Txn) {
		return func(t *Txn) { t.If = slices.DeleteFunc(t.If, leave) }
	}
	about := func(key string, present bool) func(Compare) bool {
		return func(c Compare) bool { return strings.HasPrefix(c.Key, key) && (c.Relation == NotEqual) == present }
	}
	one := model{config: Config{Seats: 1}, actors: 2, wants: 1, budget: 2, warm: true}
	for _, c := range []struct {
		name    string
		model   model
		mistake func(*Txn)
		finds   string
	}{
		{"a seat is taken whoever holds it", one, without(about(modelKeys.seat(""), false)), "believes in its token"},
		{"a seat is given to who has left", one, without(about(modelKeys.candidate(""), true)), "which has no record"},
		{"a claim comes after its record has gone", model{config: Config{Seats: 1}, actors: 1, wants: 1, budget: 2}, without(about(modelKeys.candidate(""), true)), "which has no record"},
		{"generations do not matter", model{config: Config{Seats: 1}, actors: 2, wants: 1, budget: 1, restore: true, warm: true}, without(about(modelGeneration, false)), "which is not the store's"},
		{"seats are never freed", model{config: Config{Seats: 1}, actors: 1, wants: 1, budget: 1, warm: true}, func(t *Txn) {
			t.Then = slices.DeleteFunc(t.Then, func(op Op) bool {
				return op.Kind == Remove && strings.HasPrefix(op.Keys.First, modelKeys.seat(""))
			})
		}, "come to rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.model.t, c.model.limit, c.model.mistake = t, 20_000, c.mistake
			states, _, wrong := c.model.explore()
			if wrong == nil || !strings.Contains(wrong.Error(), c.finds) {
				t.Errorf("in %d states nothing was found that %s: %v", states, c.finds, wrong)
			}
		})
	}
}
