package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/mirror"
	"towpath.dev/internal/control/release"
)

// NodePrefix is where the keys of attached nodes are, by name, each on the lease of its
// stream.
const NodePrefix = "nodes/"

// stored is a value with the revision that wrote it.
type stored[T any] struct {
	value    *T
	modified int64
}

// replica is what a controller knows of the store: deployments and the fleet, decoded.
type replica struct {
	log *slog.Logger

	mu       sync.Mutex
	seen     int64 // up to which revision all of Prefix has been
	plans    map[string]*Plan
	states   map[string]stored[State]
	heads    map[string]stored[Head] // by key
	asks     map[string]map[AskKind]Ask
	intents  map[string]map[string]*fleet.Intent // ENVIRONMENT/PROGRAM to cell
	filed    map[[2]string]*fleet.Filed          // by environment and node
	nodes    map[string]map[string]*fleet.Status // of those, environment to name
	attached map[string]string                   // name to environment
	away     map[string]time.Time                // ENVIRONMENT/NODE
	freezes  stored[[]Freeze]
	events   map[string]int // how many a deployment has in the store
	changed  chan struct{}  // closed when something has
}

// followed are the prefixes that a replica follows.
var followed = []string{Prefix, NodePrefix}

func newReplica(log *slog.Logger) *replica {
	r := &replica{log: log, attached: map[string]string{}, away: map[string]time.Time{}, changed: make(chan struct{})}
	r.reset(Prefix)
	return r
}

// run follows the store until the context ends.
func (r *replica) run(ctx context.Context, store election.Store) {
	var following sync.WaitGroup
	for _, prefix := range followed {
		following.Go(func() {
			mirror.Follow(ctx, store, prefix, func(u mirror.Update) { r.see(prefix, u) })
		})
	}
	following.Wait()
}

func (r *replica) reset(prefix string) {
	switch prefix {
	case Prefix:
		r.plans, r.states, r.heads = map[string]*Plan{}, map[string]stored[State]{}, map[string]stored[Head]{}
		r.events = map[string]int{}
		r.asks, r.freezes = map[string]map[AskKind]Ask{}, stored[[]Freeze]{value: new([]Freeze)}
		r.intents, r.nodes = map[string]map[string]*fleet.Intent{}, map[string]map[string]*fleet.Status{}
		r.filed = map[[2]string]*fleet.Filed{}
	default:
		clear(r.attached)
	}
}

// see takes over what is new.
func (r *replica) see(prefix string, u mirror.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.Reset {
		r.reset(prefix)
	}
	for _, e := range u.Events {
		if err := r.apply(e); err != nil {
			r.log.Error("a key is not understood, and left out", "error", err)
		}
	}
	if prefix == Prefix {
		r.seen = u.Revision
	}
	r.markAway()
	close(r.changed)
	r.changed = make(chan struct{})
}

// markAway notes since when nodes are not attached.
func (r *replica) markAway() {
	now := time.Now()
	for environment, nodes := range r.nodes {
		for name := range nodes {
			key := environment + "/" + name
			if r.attached[name] == environment {
				delete(r.away, key)
			} else if _, noted := r.away[key]; !noted {
				r.away[key] = now
			}
		}
	}
}

// apply takes over one key.
func (r *replica) apply(e election.Event) error {
	key := e.Entry.Key
	switch {
	case strings.HasPrefix(key, EventPrefix):
		id, _, _ := strings.Cut(strings.TrimPrefix(key, EventPrefix), "/")
		switch {
		case e.Removed && r.events[id] == 1:
			delete(r.events, id)
		case e.Removed:
			r.events[id]--
		default:
			r.events[id]++ // each is written once
		}
		return nil
	case strings.HasPrefix(key, planPrefix):
		return put(r.plans, strings.TrimPrefix(key, planPrefix), e)
	case strings.HasPrefix(key, statePrefix):
		return putStored(r.states, strings.TrimPrefix(key, statePrefix), e)
	case strings.HasPrefix(key, headPrefix):
		return putStored(r.heads, key, e)
	case strings.HasPrefix(key, askPrefix):
		id, kind, _ := strings.Cut(strings.TrimPrefix(key, askPrefix), "/")
		if r.asks[id] == nil {
			r.asks[id] = map[AskKind]Ask{}
		}
		if e.Removed {
			delete(r.asks[id], AskKind(kind))
			return nil
		}
		ask, err := decode[Ask](key, e.Entry.Value)
		if err == nil {
			r.asks[id][AskKind(kind)] = *ask
		}
		return err
	case key == freezeKey:
		r.freezes = stored[[]Freeze]{value: new([]Freeze)}
		if e.Removed {
			return nil
		}
		all, err := decode[[]Freeze](key, e.Entry.Value)
		if err == nil {
			r.freezes = stored[[]Freeze]{all, e.Entry.Modified}
		}
		return err
	}
	return r.applyFleet(key, e)
}

// applyFleet takes over a key of the fleet's.
func (r *replica) applyFleet(key string, e election.Event) error {
	if name, ok := strings.CutPrefix(key, NodePrefix); ok {
		if e.Removed {
			delete(r.attached, name)
			return nil
		}
		var record struct {
			Environment string `json:"environment"`
		}
		err := json.Unmarshal(e.Entry.Value, &record)
		r.attached[name] = record.Environment
		return err
	}
	if environment, cell, program, ok := fleet.ParseIntentKey(key); ok {
		at := environment + "/" + program
		if r.intents[at] == nil {
			r.intents[at] = map[string]*fleet.Intent{}
		}
		if e.Removed {
			delete(r.intents[at], cell)
			return nil
		}
		i, err := fleet.DecodeIntent(key, e.Entry.Value)
		if err == nil {
			r.intents[at][cell] = i
		}
		return err
	}
	if environment, name, ok := fleet.ParseNodeKey(key); ok {
		return r.applyNode(environment, name, e)
	}
	return nil
}

// applyNode takes over a key of a node's status.
func (r *replica) applyNode(environment, name string, e election.Event) error {
	of := [2]string{environment, name}
	if r.nodes[environment] == nil {
		r.nodes[environment] = map[string]*fleet.Status{}
	}
	if r.filed[of] == nil {
		r.filed[of] = &fleet.Filed{}
	}
	value := e.Entry.Value
	if e.Removed {
		value = nil
	}
	err := r.filed[of].Take(e.Entry.Key, value)
	s := r.filed[of].Status()
	switch {
	case s != nil && fleet.Keyed(s.Cell):
		r.nodes[environment][name] = s
		return err
	case s != nil: // what would be intended there would not be found again
		err = errors.Join(err, fmt.Errorf("%s in the store: %.80q can be no cell", e.Entry.Key, s.Cell))
	}
	delete(r.nodes[environment], name)
	if r.filed[of].Empty() {
		delete(r.filed, of)
	}
	return err
}

func put[T any](all map[string]*T, name string, e election.Event) error {
	if e.Removed {
		delete(all, name)
		return nil
	}
	v, err := decode[T](e.Entry.Key, e.Entry.Value)
	if err == nil {
		all[name] = v
	}
	return err
}

func putStored[T any](all map[string]stored[T], name string, e election.Event) error {
	if e.Removed {
		delete(all, name)
		return nil
	}
	v, err := decode[T](e.Entry.Key, e.Entry.Value)
	if err == nil {
		all[name] = stored[T]{v, e.Entry.Modified}
	}
	return err
}

// wait returns when all up to a revision that wrote something here has been seen, or the
// context ends.
func (r *replica) wait(ctx context.Context, revision int64) error {
	for {
		r.mu.Lock()
		seen, changed := r.seen, r.changed
		r.mu.Unlock()
		if seen >= revision && seen > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// snapshot is what is known of a deployment at a time, and what it rests on.
type snapshot struct {
	plan   *Plan
	state  stored[State]
	head   stored[Head]
	freeze int64            // the revision of the freezes; 0: there are none
	busy   map[string]int64 // revisions of what says whether others are under way, by key
	world  World
}

// heads are the programs of a partition, and a channel that is closed when something
// changes.
func (r *replica) programs(partition string) (all []string, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.heads {
		environment, program, _ := strings.Cut(strings.TrimPrefix(key, headPrefix), "/")
		if partitionOf(environment, program) == partition {
			all = append(all, key)
		}
	}
	return all, r.changed
}

// running are the releases of an environment's programs, by name.
func (r *replica) running(environment string) map[string]release.Digest {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]release.Digest{}
	for key, h := range r.heads {
		if in, program, _ := strings.Cut(strings.TrimPrefix(key, headPrefix), "/"); in == environment && h.value.Current != "" {
			all[program] = h.value.Current
		}
	}
	return all
}

// of is what is known of a deployment; nil if it is not known.
func (r *replica) of(id string) *snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, s := r.plans[id], r.states[id]
	if p == nil || s.value == nil {
		return nil
	}
	head := r.heads[headKey(p.Environment, p.Program)]
	if head.value == nil {
		return nil
	}
	out := &snapshot{plan: p, state: s, head: head, freeze: r.freezes.modified, busy: map[string]int64{}, world: World{
		Head: head.value, Busy: map[string]string{}, Intents: maps.Clone(r.intents[p.Environment+"/"+p.Program]),
		Freezes: *r.freezes.value, Asks: maps.Clone(r.asks[id]),
	}}
	for _, other := range p.After {
		key := headKey(p.Environment, other)
		h := r.heads[key]
		out.busy[key] = h.modified
		if h.value == nil || h.value.Active == "" || other == p.Program {
			continue
		}
		// One that has not begun may be waiting for this one: who begins first goes first.
		s := r.states[h.value.Active]
		if s.value == nil || s.value.Phase != Queued {
			out.world.Busy[other] = h.value.Active
		}
		out.busy[stateKey(h.value.Active)] = s.modified
	}
	out.world.Nodes = r.nodesOf(p.Environment)
	if p.ofTow() {
		out.world.upgradable()
	}
	return out
}

// nodesOf are an environment's nodes; the caller holds mu.
func (r *replica) nodesOf(environment string) map[string]*Node {
	all := map[string]*Node{}
	for name, status := range r.nodes[environment] {
		n := &Node{Status: status, Attached: r.attached[name] == environment}
		if since, away := r.away[environment+"/"+name]; away {
			n.Away = time.Since(since)
		}
		all[name] = n
	}
	return all
}

// turns are the intents of cells with nodes that were away when tow changed there, and are back;
// the caller holds mu.
func (r *replica) turns(environment string) map[string]*fleet.Intent {
	all, w := map[string]*fleet.Intent{}, World{Nodes: map[string]*Node{}, Intents: map[string]*fleet.Intent{}}
	for cell, i := range r.intents[environment+"/"+release.Tow] {
		if i.Candidate == "" && r.plans[i.Deployment] != nil && r.awaits(environment, cell, i) {
			w.Intents[cell] = i
		}
	}
	if len(w.Intents) == 0 {
		return all
	}
	for name, n := range r.nodesOf(environment) {
		if w.Intents[n.Cell] != nil {
			w.Nodes[name] = n
		}
	}
	w.upgradable()
	for cell, i := range w.Intents {
		n := *i
		n.Later, n.Seq = w.later(cell, i, i.Release, r.plans[i.Deployment].unavailable()), i.Seq+1
		if !maps.Equal(n.Later, i.Later) {
			all[cell] = &n
		}
	}
	return all
}

// awaits reports whether a node that has its turn later is there, or is none of the cell's any more; the caller
// holds mu.
func (r *replica) awaits(environment, cell string, i *fleet.Intent) bool {
	for name := range i.Later {
		if s := r.nodes[environment][name]; s == nil || s.Cell != cell || r.attached[name] == environment {
			return true
		}
	}
	return false
}

// work is what there is to be done for a program: its deployments that are not over, and,
// where none has begun, what its cells should run and are not told.
func (r *replica) work(key string) (ids []string, adopt map[string]*fleet.Intent, head stored[Head]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head = r.heads[key]
	if head.value == nil {
		return nil, nil, head
	}
	environment, program, _ := strings.Cut(strings.TrimPrefix(key, headPrefix), "/")
	if head.value.Active != "" {
		ids = append(ids, head.value.Active)
	}
	ids = append(ids, head.value.Queue...)
	for id, s := range r.states { // those that others took the place of
		if p := r.plans[id]; s.value.Phase == Queued && p != nil && p.Program == program && p.Environment == environment && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if s := r.states[head.value.Active]; head.value.Active != "" && (s.value == nil || s.value.Phase != Queued) {
		return ids, nil, head // one that is under way sees to its cells itself
	}
	adopt = map[string]*fleet.Intent{}
	if program == release.Tow {
		adopt = r.turns(environment)
	}
	if head.value.Current == "" {
		return ids, adopt, head
	}
	for _, n := range r.nodes[environment] {
		if r.intents[environment+"/"+program][n.Cell] == nil && len(head.value.Recent) > 0 {
			adopt[n.Cell] = &fleet.Intent{Deployment: head.value.Recent[0], Seq: 1, Release: head.value.Current}
		}
	}
	return ids, adopt, head
}

// outbox are the deployments of a partition that have events in the store.
func (r *replica) outbox(partition string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for id := range r.events {
		program, environment, _, err := ParseID(id)
		if err == nil && partitionOf(environment, program) == partition {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}
