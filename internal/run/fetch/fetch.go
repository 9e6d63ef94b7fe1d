// Package fetch decides what becomes of a program's calls between the engine
// that asks them and the sources that answer: which need not be made, since an
// equal one is under way or was answered a moment ago; which are made again; and
// which are not even tried, since their source is down.
//
// A [Fetcher] serves a program in an environment, a [Session] one request:
//
//	fetcher := fetch.New(manifest, bound, fetch.Options{})
//	answer, err := view.Do(ctx, nil, engine.Request{Input: input, Source: fetcher.Session(about)})
//
// It does no I/O of its own. Batches go out as the engine hands them on, which is
// when a pass can go no further; nothing waits for a timer.
//
// Words used throughout:
//
//   - an ask is a batch of calls of one operation, as the engine hands it on;
//   - a slot is a call on its way to a source, with the asks that wait for it:
//     one, or several where the operation is shared;
//   - a flight is the slots that go to the source together, on behalf of the
//     Fetcher that it is of. Asks of others may join it, see [Sources].
package fetch

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/source"
)

// Bound is what answers an operation in an environment.
type Bound struct {
	Caller source.Caller
	Source string // its name in the environment
	// At tells sources of one name apart, as those before and after their settings were
	// changed; breakers and retry budgets are a source's.
	At string
	// Key tells bindings apart, in a cache that outlives them and among calls under way
	// that Fetchers share: two that could answer differently have different keys.
	Key string
}

// Options say how a Fetcher works. The zero value works.
type Options struct {
	// Cache keeps answers beyond their request. Nil: a Cache of its own.
	Cache *Cache
	// Sources keeps what is known of sources' health, and the calls that other Fetchers
	// may join. Nil: a Sources of its own.
	Sources *Sources
	// Observe is told of each ask that has ended; it must be fast. Nil: nobody is.
	Observe func(Event)
}

// Fetcher schedules the calls of a program.
type Fetcher struct {
	ops     map[*artifact.Operation]*operation
	cache   *Cache
	observe func(Event)
	flights sync.WaitGroup
}

// operation is what a Fetcher knows of one.
type operation struct {
	meta   *artifact.Operation
	caller source.Caller
	source *health
	prefix string // of its keys in the cache
	slots  *slots // where the operation is shared, also of other Fetchers
}

// slots are the shared calls of an operation that are under way.
type slots struct {
	mu    sync.Mutex
	byKey map[string]*slot
}

// New makes a Fetcher for the operations of a manifest; bound has one for each,
// in the manifest's order. One without a Caller fails its calls.
func New(m *artifact.Manifest, bound []Bound, opts Options) *Fetcher {
	f := &Fetcher{ops: map[*artifact.Operation]*operation{}, cache: opts.Cache, observe: opts.Observe}
	if f.cache == nil {
		f.cache = NewCache(0)
	}
	sources := opts.Sources
	if sources == nil {
		sources = &Sources{}
	}
	for i := range m.Operations {
		meta := &m.Operations[i]
		op := &operation{
			meta: meta, caller: bound[i].Caller, source: sources.of(bound[i].Source, bound[i].At),
			prefix: prefixOf(meta, bound[i].Key), slots: &slots{},
		}
		if meta.Shared {
			op.slots = sources.slotsOf(op.prefix)
		}
		f.ops[meta] = op
	}
	return f
}

// prefixOf begins an operation's keys in the cache. For how long answers are kept is a part
// of it: a release that has them for 5 s gets none that another one has kept for minutes.
func prefixOf(meta *artifact.Operation, key string) string {
	return meta.QualifiedName() + "\x00" + key + "\x00" + strconv.FormatInt(meta.CacheNS, 36) + "\x00"
}

// Wait returns once nothing is under way any more: flights of this Fetcher, which
// others may have joined, and those of others that its requests have joined. What
// requests asked ends when they do.
func (f *Fetcher) Wait() { f.flights.Wait() }

// Event is how an ask went.
type Event struct {
	Operation  *artifact.Operation
	Begin, End time.Time
	Calls      int // asked
	Hits       int // of them answered from the cache
	Joined     int // of them found under way for another request
	Retried    int // of them asked twice
	Failed     int // of them without an answer
	// Kind and Err are of the first call that failed.
	Kind source.Kind
	Err  error
}

// Session asks on behalf of one request; it is its engine.Source.
type Session struct {
	fetcher *Fetcher
	about   source.About

	mu     sync.Mutex
	events []Event
	open   []*ask
}

// Session begins a request.
func (f *Fetcher) Session(about source.About) *Session { return &Session{fetcher: f, about: about} }

// ErrOpen is the Err of an ask that the request went on without.
var ErrOpen = errors.New("not waited for to its end")

// Events are the asks that have ended, in the order of their ends, and then those
// that have not: their ends are now.
func (s *Session) Events() []Event {
	s.mu.Lock()
	events, open := slices.Clone(s.events), slices.Clone(s.open)
	s.mu.Unlock()
	for _, a := range open { // without s.mu: whoever ends an ask takes that second
		a.mu.Lock()
		e := a.event
		if a.left > 0 {
			e = a.cut()
		}
		a.mu.Unlock()
		events = append(events, e)
	}
	return events
}

// cut is what is to be told of an ask that the request goes on without. a.mu is held.
func (a *ask) cut() Event {
	e := a.event
	e.End, e.Failed = time.Now(), e.Failed+a.left
	if e.Err == nil {
		e.Kind, e.Err = source.Expired, ErrOpen
	}
	return e
}

// ask is a batch that waits for its answers.
type ask struct {
	session *Session
	batch   *engine.Batch
	slots   []*slot // shared ones that it waits for; slots.mu guards it

	mu    sync.Mutex
	event Event
	left  int
}

// waiter is a call of an ask.
type waiter struct {
	ask *ask
	i   int
}

// slot is a call on its way. slots.mu of its operation guards waiters and ended.
type slot struct {
	key     string // in slots.byKey and in the cache
	cached  bool
	args    []byte
	flight  *flight
	waiters []waiter
	ended   bool
}

// flight is a batch on its way to a source.
type flight struct {
	by     *Fetcher
	op     *operation
	about  source.About
	slots  []*slot
	ctx    context.Context
	cancel context.CancelFunc // nil when ctx is the ask's own

	// Of a shared operation, whose slots.mu guards them:
	open   int        // slots that somebody waits for
	guests []*Fetcher // others whose asks have joined, and whose Wait waits for it
	ended  bool
}

// Ask takes a batch on; it is part of engine.Source.
func (s *Session) Ask(ctx context.Context, b *engine.Batch) {
	a, out := s.begin(b)
	if out != nil {
		if out.op.meta.Shared {
			out.ctx, out.cancel = context.WithCancel(deadlineOf(out.op))
		} else {
			out.ctx = ctx
		}
		s.fetcher.flights.Add(1)
		go func() {
			defer s.fetcher.flights.Done()
			out.fly()
			out.end()
		}()
	}
	if b.Operation.Shared && a.pending() {
		a.watch(ctx, s.fetcher.ops[b.Operation])
	}
}

// AskHere answers a batch, unless others may come to share its calls and outlast
// this request, or some of its answers would wait for the others; it is part of
// engine.Direct.
func (s *Session) AskHere(ctx context.Context, b *engine.Batch) bool {
	if b.Operation.Shared || b.Len() > 1 && !s.fetcher.atOnce(b) {
		return false
	}
	if _, out := s.begin(b); out != nil {
		out.ctx = ctx
		out.fly()
	}
	return true
}

// atOnce reports whether the answers of a batch come together.
func (f *Fetcher) atOnce(b *engine.Batch) bool {
	op := f.ops[b.Operation]
	if op == nil || op.meta.CacheNS > 0 {
		return false // the cache may have some
	}
	c, ok := op.caller.(source.AtOnce)
	return ok && c.AtOnce(b.Len())
}

// begin routes a batch. What is left of it is a flight that is to be flown; nil
// when nothing is.
func (s *Session) begin(b *engine.Batch) (*ask, *flight) {
	op := s.fetcher.ops[b.Operation]
	a := &ask{session: s, batch: b, left: b.Len(), event: Event{Operation: b.Operation, Begin: time.Now(), Calls: b.Len()}}
	s.mu.Lock()
	s.open = append(s.open, a)
	s.mu.Unlock()
	if op == nil || op.caller == nil {
		for i := range b.Len() {
			a.end(i, nil, source.Errorf(source.Refused, "the environment binds %s to nothing", b.Operation.QualifiedName()))
		}
		return a, nil
	}
	return a, s.fetcher.route(op, a)
}

// route answers what the cache has, joins what is under way, and gives a flight
// of the rest; nil when there is none.
func (f *Fetcher) route(op *operation, a *ask) *flight {
	type hit struct {
		i    int
		body []byte
	}
	var hits []hit
	out := &flight{by: f, op: op, about: a.session.about}
	if op.meta.Shared {
		out.about.Caller = "" // the answer is to be everybody's
	}
	cached := op.caches(a.session.about.Caller)
	var now time.Time
	if cached {
		now = time.Now()
	}
	// One allocation each for the slots and those who wait for them.
	slots, waiters := make([]slot, 0, a.batch.Len()), make([]waiter, 0, a.batch.Len())
	if op.meta.Shared || cached {
		slots, waiters = nil, nil // mostly there are none
	}
	op.slots.mu.Lock()
	for i := range a.batch.Len() {
		args := a.batch.Args(i)
		key := ""
		if cached || op.meta.Shared {
			key = op.key(a.session.about.Caller, args)
		}
		if cached {
			if body, ok := f.cache.get(key, now); ok {
				hits = append(hits, hit{i, body})
				continue
			}
		}
		if op.meta.Shared {
			if s := op.slots.byKey[key]; s != nil {
				s.flight.join(f)
				s.waiters = append(s.waiters, waiter{a, i})
				a.slots = append(a.slots, s)
				a.event.Joined++
				continue
			}
		}
		if len(slots) == cap(slots) {
			slots, waiters = make([]slot, 0, a.batch.Len()-i), make([]waiter, 0, a.batch.Len()-i)
		}
		waiters = append(waiters, waiter{a, i})
		slots = append(slots, slot{key: key, cached: cached, args: args, flight: out, waiters: waiters[len(waiters)-1 : len(waiters) : len(waiters)]})
		s := &slots[len(slots)-1]
		if out.slots == nil {
			out.slots = make([]*slot, 0, a.batch.Len()-i)
		}
		out.slots = append(out.slots, s)
		if op.meta.Shared {
			op.slots.add(s)
			a.slots = append(a.slots, s)
		}
	}
	out.open = len(out.slots)
	a.event.Hits = len(hits)
	op.slots.mu.Unlock()
	for _, h := range hits {
		a.end(h.i, h.body, nil)
	}
	if len(out.slots) == 0 {
		return nil
	}
	return out
}

// caches reports whether answers to a caller are kept. What is kept for each
// caller cannot be kept for one whom nobody knows.
func (op *operation) caches(caller string) bool {
	return op.meta.CacheNS > 0 && (op.meta.Shared || caller != "")
}

// key is where the cache and the slots know a call. Without `shared` the caller
// is part of it.
func (op *operation) key(caller string, args []byte) string {
	if op.meta.Shared {
		caller = ""
	}
	b := make([]byte, 0, len(op.prefix)+len(caller)+1+len(args))
	b = append(b, op.prefix...)
	b = append(append(b, caller...), 0)
	return string(append(b, args...))
}

// watch lets go of the shared slots when the ask's context ends. A slot that
// nobody waits for any more is given up, and a flight with only such ones.
func (a *ask) watch(ctx context.Context, op *operation) {
	context.AfterFunc(ctx, func() {
		var idle []context.CancelFunc
		op.slots.mu.Lock()
		for _, s := range a.slots {
			if s.ended {
				continue
			}
			kept := s.waiters[:0]
			for _, w := range s.waiters {
				if w.ask != a {
					kept = append(kept, w)
				}
			}
			if clear(s.waiters[len(kept):]); len(kept) == 0 && len(s.waiters) > 0 {
				op.slots.forget(s)
				if s.flight.open--; s.flight.open == 0 {
					idle = append(idle, s.flight.cancel)
				}
			}
			s.waiters = kept
		}
		op.slots.mu.Unlock()
		for _, cancel := range idle {
			cancel()
		}
		a.giveUp()
	})
}

// pending reports whether an answer has not come yet.
func (a *ask) pending() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.left > 0
}

// add lets a slot be joined. s.mu is held.
func (s *slots) add(one *slot) {
	if s.byKey == nil {
		s.byKey = map[string]*slot{}
	}
	s.byKey[one.key] = one
}

// forget takes a slot out of those that may be joined. s.mu is held.
func (s *slots) forget(one *slot) {
	if s.byKey[one.key] == one {
		delete(s.byKey, one.key)
	}
}

// deadlineOf is a context with the operation's own deadline, told to the service but
// not enforced: those who wait enforce theirs, and whoever joins later may have more
// time than who came first.
func deadlineOf(op *operation) context.Context {
	if op.meta.WithinNS == 0 {
		return context.Background()
	}
	return told{context.Background(), time.Now().Add(time.Duration(op.meta.WithinNS)), true}
}

type told struct {
	context.Context
	deadline time.Time
	ok       bool
}

func (t told) Deadline() (time.Time, bool) { return t.deadline, t.ok }

// end gives an ask the answer of a call. What is told of the ask is complete
// before the engine hears of its last answer.
func (a *ask) end(i int, body []byte, err error) {
	a.mu.Lock()
	if err != nil {
		if a.event.Failed++; a.event.Err == nil {
			a.event.Kind, a.event.Err = source.KindOf(err), err
		}
	}
	if a.left--; a.left == 0 {
		a.event.End = time.Now()
		a.publish()
	}
	a.mu.Unlock()
	if err != nil {
		a.batch.Fail(i, err)
		return
	}
	a.batch.Answer(i, body)
}

// publish tells of an ask that has ended. a.mu is held.
func (a *ask) publish() {
	s := a.session
	s.mu.Lock()
	s.events = append(s.events, a.event)
	s.open = slices.DeleteFunc(s.open, func(o *ask) bool { return o == a })
	s.mu.Unlock()
	if s.fetcher.observe != nil {
		s.fetcher.observe(a.event)
	}
}

// giveUp ends an ask whose answers nobody waits for any more, and that none will
// come to.
func (a *ask) giveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left > 0 {
		a.event = a.cut()
		a.left = 0
		a.publish()
	}
}

// Unfit tells that an answer does not fit its operation's type: it is not kept.
func (s *Session) Unfit(meta *artifact.Operation, args []byte) {
	if op := s.fetcher.ops[meta]; op != nil && op.caches(s.about.Caller) {
		s.fetcher.cache.drop(op.key(s.about.Caller, args))
	}
}
