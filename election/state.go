package election

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// state is a candidate's copy of a group: what its keys say, kept current by one
// watch. It decides nothing and asks nobody.
type state struct {
	keys     keys
	revision int64 // all up to it has been applied

	config     Config
	configured bool
	damaged    bool            // the configuration is there and cannot be read
	names      map[string]bool // the seats or partitions that there are

	candidates map[string]*candidate
	seats      map[string]*holding
	me         string
	mine       map[string]*holding      // of the seats, those that the candidate me holds
	held       map[string]int           // seats by candidate
	free       map[string]time.Duration // seats that nobody holds, and since when
	assigner   *holding
	unassigned time.Duration // since when there is no assigner

	drains map[string]bool
	moves  map[string]moveRecord
	plans  map[string]planned
	epoch  int64

	// What a plan depends on: how often it changed, and when it did last.
	version int
	changed time.Duration
}

type candidate struct {
	candidateRecord
	id       string
	lease    LeaseID
	position int64 // in the queue: the revision that wrote it
}

// holding is a seat that somebody holds.
type holding struct {
	seatRecord
	lease LeaseID
	token int64
}

type planned struct {
	planRecord
	modified int64
}

func newState(k keys, me string) *state {
	return &state{
		keys: k, me: me, mine: map[string]*holding{}, names: map[string]bool{}, candidates: map[string]*candidate{},
		seats: map[string]*holding{}, held: map[string]int{}, free: map[string]time.Duration{},
		drains: map[string]bool{}, moves: map[string]moveRecord{}, plans: map[string]planned{},
	}
}

// load takes a whole group in.
func (g *state) load(page Page, now time.Duration) {
	g.unassigned, g.changed = now, now
	for _, e := range page.Entries {
		g.apply(Event{Entry: e}, now)
	}
	g.revision = page.Revision
}

// apply takes one change in. Keys that are not the group's, and records that
// cannot be read, are nobody's: they are left out.
func (g *state) apply(e Event, now time.Duration) {
	g.revision = max(g.revision, e.Entry.Modified)
	kind, name, _ := strings.Cut(strings.TrimPrefix(e.Entry.Key, g.keys.group), "/")
	switch kind {
	case "config":
		g.applyConfig(e, now)
	case "candidate":
		g.applyCandidate(name, e, now)
	case "seat":
		g.applySeat(name, e, now)
	case "assigner":
		g.assigner = holdingOf(e)
		g.unassigned = now
		g.version++ // whoever assigns now has not planned yet
	case "drain":
		set(g.drains, name, e.Removed, true)
		g.touch(now)
	case "move":
		var r moveRecord
		set(g.moves, name, e.Removed || json.Unmarshal(e.Entry.Value, &r) != nil, r)
	case "plan":
		var r planRecord
		set(g.plans, name, e.Removed || json.Unmarshal(e.Entry.Value, &r) != nil, planned{r, e.Entry.Modified})
		g.version++ // it may be one that was given up as lost, of how the group was then
	case "epoch":
		g.epoch = 0
		_ = json.Unmarshal(e.Entry.Value, &g.epoch) // of a removed one: nothing
	}
}

func set[K comparable, V any](m map[K]V, key K, remove bool, value V) {
	if remove {
		delete(m, key)
	} else {
		m[key] = value
	}
}

func (g *state) touch(now time.Duration) {
	g.version++
	g.changed = now
}

func (g *state) applyConfig(e Event, now time.Duration) {
	g.config, g.configured = Config{}, false
	if !e.Removed {
		g.configured = json.Unmarshal(e.Entry.Value, &g.config) == nil && g.config.Validate() == nil
	}
	g.damaged = !g.configured && !e.Removed
	if !g.configured {
		g.config = Config{}
	}
	g.names = make(map[string]bool, g.config.Seats+len(g.config.Partitions))
	for i := range g.config.Seats {
		g.names[seatName(i)] = true
	}
	for _, p := range g.config.Partitions {
		g.names[p] = true
	}
	free := make(map[string]time.Duration)
	for name := range g.names {
		if g.seats[name] != nil {
			continue
		}
		if since, ok := g.free[name]; ok {
			free[name] = since
		} else {
			free[name] = now
		}
	}
	g.free = free
	g.touch(now)
}

func (g *state) applyCandidate(id string, e Event, now time.Duration) {
	before := g.candidates[id]
	var r candidateRecord
	if e.Removed || json.Unmarshal(e.Entry.Value, &r) != nil {
		delete(g.candidates, id)
		g.touch(now)
		return
	}
	g.candidates[id] = &candidate{r, id, e.Entry.Lease, e.Entry.Modified}
	if before == nil {
		g.touch(now)
	}
}

func (g *state) applySeat(name string, e Event, now time.Duration) {
	if before := g.seats[name]; before != nil {
		if g.held[before.Candidate]--; g.held[before.Candidate] == 0 {
			delete(g.held, before.Candidate)
		}
	}
	after := holdingOf(e)
	set(g.mine, name, after == nil || after.Candidate != g.me, after)
	if after == nil {
		delete(g.seats, name)
		if g.names[name] {
			g.free[name] = now
		}
		return
	}
	g.seats[name] = after
	g.held[after.Candidate]++
	delete(g.free, name)
	if plan := g.plans[name]; plan.Candidate != after.Candidate && g.candidates[plan.Candidate] == nil {
		g.version++ // a survivor helped itself: the plan should say so
	}
}

func holdingOf(e Event) *holding {
	h := &holding{lease: e.Entry.Lease, token: e.Entry.Modified}
	if e.Removed || json.Unmarshal(e.Entry.Value, &h.seatRecord) != nil {
		return nil
	}
	return h
}

func (g *state) partitioned() bool { return len(g.config.Partitions) > 0 }

// need is how many seats more a candidate would take.
func (g *state) need(c *candidate) int {
	if c == nil || g.drains[c.id] {
		return 0
	}
	return max(c.Want-g.held[c.id], 0)
}

// takers are the candidates that would take a seat, those with the fewest first, and
// of equals who has waited longest.
func (g *state) takers() []*candidate {
	var list []*candidate
	for _, c := range g.candidates {
		if g.need(c) > 0 {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *candidate) int { return order(g.held[a.id], a, g.held[b.id], b) })
	return list
}

func order(heldA int, a *candidate, heldB int, b *candidate) int {
	switch {
	case heldA != heldB:
		return heldA - heldB
	case a.position != b.position:
		return int(a.position - b.position)
	}
	return strings.Compare(a.id, b.id)
}

// eligible are the candidates that partitions can be planned for, by id.
func (g *state) eligible() []*candidate {
	var list []*candidate
	for _, c := range g.candidates {
		if !g.drains[c.id] {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *candidate) int { return strings.Compare(a.id, b.id) })
	return list
}
