package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/elected"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// Group is the election's group in which controllers divide the programs.
const Group = "deploy"

// Options say what a controller works with. Store and Counters are needed.
type Options struct {
	Store election.Store
	// Elections is the prefix of elections. Default: election's own.
	Elections string
	Name      string // of the process, for people
	TTL       time.Duration
	Registry  election.Registry
	Clock     election.Clock // default: election's own
	// Labels of the candidate, for who looks at the election.
	Labels   map[string]string
	Counters Counters
	// Objects is where events go to, below deployments/. Nil: they stay in the store.
	Objects blob.Store
	// Compare says whether a candidate is compatible with what runs when its turn comes, if that is another
	// release than when it was asked for. Nil: a person has to say so.
	Compare Comparer
	// Every is how often counters are asked for while a candidate is on trial. 0: 500 ms.
	Every time.Duration
	// Now is the time of the day, for people and windows. Default: time.Now.
	Now      func() time.Time
	Election *election.Metrics // default: none
	Metrics  *Metrics          // default: none
	Holdups  *Holdups          // where it says what holds deployments up; default: nowhere
	Log      *slog.Logger      // default: none
}

// Counters has what nodes counted of a program, of some nodes perhaps more than once. Where not all
// control nodes can be asked, it has what the others know, and an [Unasked] error.
type Counters interface {
	Counters(ctx context.Context, environment, program string) ([]*fleet.Counters, error)
}

// Unasked is that control nodes could not be asked what their nodes counted.
type Unasked struct {
	At  []string // where they are
	Err error
}

func (u *Unasked) Error() string {
	return fmt.Sprintf("what nodes of %s counted is not known: %v", strings.Join(u.At, ", "), u.Err)
}

func (u *Unasked) Unwrap() error { return u.Err }

// Controller carries out deployments of the programs that it is elected for.
type Controller struct {
	o       Options
	replica *replica
}

// NewController makes a controller that does nothing before Run.
func NewController(o Options) (*Controller, error) {
	if o.Store == nil || o.Counters == nil {
		return nil, errors.New("a controller of deployments needs a store and counters")
	}
	o.Every = cmp.Or(o.Every, 500*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	return &Controller{o: o, replica: newReplica(o.Log)}, nil
}

// Run carries deployments out until the context ends.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { c.replica.run(ctx, c.o.Store) })
	for ctx.Err() == nil {
		err := c.stand(ctx)
		if ctx.Err() == nil {
			c.o.Log.Warn("the controller of deployments stands for election again", "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(standAgain):
		}
	}
	return context.Cause(ctx)
}

const (
	standAgain = time.Second
	askTime    = 10 * time.Second // bounds a call of the store
)

// stand is one session's part in the election.
func (c *Controller) stand(ctx context.Context) error {
	o := election.Options{
		Prefix: c.o.Elections, Name: c.o.Name, TTL: c.o.TTL, Registry: c.o.Registry, Clock: c.o.Clock, Log: c.o.Log, Metric: c.o.Election,
	}
	return elected.Once(ctx, c.o.Store, o, func(session *election.Session) error {
		partitions, err := session.Partitions(Group, election.PartitionsOptions{Partitions: Partitions(), Labels: c.o.Labels})
		if err != nil {
			return err
		}
		return partitions.Run(ctx, c.lead)
	})
}

// lead does the work of a partition until it is another's.
func (c *Controller) lead(ctx context.Context, l *election.Leadership) error {
	w := &worker{c: c, l: l, trials: map[string]*trial{}}
	defer w.running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		for id := range w.trials { // they are another's to tell of
			c.o.Holdups.set(id, "", time.Time{})
		}
	}()
	if c.o.Objects != nil {
		f := &flusher{w: w}
		var flushing sync.WaitGroup
		defer flushing.Wait()
		flushing.Go(func() { f.run(ctx) })
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		keys, changed := c.replica.programs(l.Seat())
		slices.Sort(keys)
		w.look(ctx, keys)
		after := time.Duration(0)
		for _, key := range keys {
			after = sooner(after, w.program(ctx, key))
		}
		if ctx.Err() != nil {
			return nil
		}
		timer.Stop()
		if after > 0 {
			timer.Reset(after)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.Draining():
			return nil // between two moves
		case <-changed:
		case <-timer.C:
		}
	}
}

// sooner is the shorter of two times to wait; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// worker does the work of one partition, while it is held.
type worker struct {
	c      *Controller
	l      *election.Leadership
	trials map[string]*trial // by deployment
	// running are comparisons, which end with the partition's context.
	running sync.WaitGroup
}

// trial is what a worker knows of a deployment beside what is stored.
type trial struct {
	written time.Time // when the state was written last, or taken over
	counts  []Count   // since then
	collect collector
	asked   time.Time // when counters were asked for last
	unasked []string  // the control nodes that could not be asked then
	// comparing is how it compares with what runs; nil if that was not asked.
	comparing *comparing
	pause     time.Duration
	notYet    time.Time // a write failed: not before
}

// program does what there is to do for a program, and gives when to look again.
func (w *worker) program(ctx context.Context, key string) time.Duration {
	ids, adopt, head := w.c.replica.work(key)
	after := time.Duration(0)
	if strings.HasSuffix(key, "/"+release.Tow) {
		after = time.Minute // nothing tells that a node is lost, and another one's turn may be next
	}
	if len(adopt) > 0 {
		after = sooner(after, w.adopt(ctx, key, adopt, head))
	}
	for _, id := range ids {
		after = sooner(after, w.deployment(ctx, id))
	}
	for id := range w.trials {
		if s := w.c.replica.of(id); s == nil || s.state.value.Phase == Ended {
			delete(w.trials, id)
			w.c.o.Holdups.set(id, "", time.Time{})
		}
	}
	return after
}

// movesAtOnce bounds how many moves a deployment makes before others have their turn.
const movesAtOnce = 20

// deployment makes a deployment's moves, and gives when to look again.
func (w *worker) deployment(ctx context.Context, id string) time.Duration {
	t := w.trial(id)
	for range movesAtOnce {
		if left := time.Until(t.notYet); left > 0 {
			return left
		}
		s := w.c.replica.of(id)
		if s == nil || s.state.value.Phase == Ended || ctx.Err() != nil {
			return 0
		}
		after := time.Duration(0)
		if in, ok := w.due(t, s); ok {
			after = max(in, time.Millisecond)
		}
		s.world.Counts, s.world.Passed = t.counts, time.Since(t.written)
		s.world.Heard, s.world.Unasked = t.collect.heardAgo(), t.unasked
		after = sooner(after, w.compared(ctx, t, s))
		m := next(s.plan, s.state.value, &s.world, w.c.o.Now().UTC())
		if m.State == nil {
			return sooner(after, m.After)
		}
		if !w.commit(ctx, t, s, &m) {
			return max(time.Until(t.notYet), time.Millisecond)
		}
	}
	return time.Millisecond
}

// trial is what is known of a deployment beside what is stored.
func (w *worker) trial(id string) *trial {
	t := w.trials[id]
	if t == nil {
		t = &trial{written: time.Now()}
		w.trials[id] = t
	}
	return t
}

// due is in how long to ask for a deployment's counters, where they matter: in each step, while
// a node may run the candidate.
func (w *worker) due(t *trial, s *snapshot) (in time.Duration, matters bool) {
	st := s.state.value
	return w.c.o.Every - time.Since(t.asked), st.Phase == Running && st.Test != nil && s.world.placed(s.plan)
}

// look asks for the counters of all deployments for which it is time to. It asks for all at once:
// one after the other, each would wait for a control node that does not answer, and be looked at so
// seldom that nothing counts (see mostApart).
func (w *worker) look(ctx context.Context, keys []string) {
	asking, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	var waiting sync.WaitGroup
	var take []func()
	for _, key := range keys {
		ids, _, _ := w.c.replica.work(key)
		for _, id := range ids {
			s := w.c.replica.of(id)
			if s == nil {
				continue
			}
			t := w.trial(id)
			if in, matters := w.due(t, s); !matters || in > 0 {
				continue
			}
			t.asked = time.Now()
			var all []*fleet.Counters
			var err error
			waiting.Go(func() { all, err = w.c.o.Counters.Counters(asking, s.plan.Environment, s.plan.Program) })
			take = append(take, func() { w.take(t, s, all, err) })
		}
	}
	waiting.Wait()
	for _, f := range take {
		f()
	}
}

// take makes evidence of counters, as far as they could be had.
func (w *worker) take(t *trial, s *snapshot, all []*fleet.Counters, err error) {
	var unasked []string
	if some := (*Unasked)(nil); errors.As(err, &some) {
		unasked = slices.Sorted(slices.Values(some.At))
	}
	if err != nil && (unasked == nil || !slices.Equal(unasked, t.unasked)) {
		w.c.o.Log.Warn("not all counters can be had now; evidence waits", "deployment", s.plan.ID, "error", err)
	}
	t.unasked = unasked
	t.counts = append(t.counts, t.collect.take(s.plan, s.state.value, all)...)
}

// countTime bounds asking for counters.
const countTime = 2 * time.Second

// commit writes a move, in one transaction or not at all, and reports whether it is
// written and the replica has it.
func (w *worker) commit(ctx context.Context, t *trial, s *snapshot, m *Move) bool {
	id := s.plan.ID
	txn, err := w.txn(s, m)
	if err != nil { // ours
		w.later(t, id, err)
		return false
	}
	writing, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err := w.c.o.Store.Txn(writing, txn)
	switch {
	case err != nil:
		w.c.o.Metrics.trouble(err)
		w.settle(ctx, t, s)
		w.later(t, id, err)
		return false
	case !r.OK:
		// Something changed meanwhile, and the replica will have it; or the seat is another's.
		w.settle(ctx, t, s)
		w.later(t, id, nil)
		return false
	}
	w.wrote(t)
	t.pause, t.notYet = 0, time.Time{}
	w.c.o.Holdups.set(id, "", time.Time{})
	for _, e := range m.Events {
		w.c.o.Log.Info("deployment: "+e.Text, "deployment", id, "type", e.Type, "stage", e.Stage)
	}
	return w.c.replica.wait(writing, r.Revision) == nil
}

// txn is a move as a transaction.
func (w *worker) txn(s *snapshot, m *Move) (election.Txn, error) {
	p := s.plan
	state := encode(m.State)
	if len(state) > MaxState {
		return election.Txn{}, fmt.Errorf("the state of %s would have %d bytes, more than %d", p.ID, len(state), MaxState)
	}
	txn := election.Txn{If: []election.Compare{w.l.Guard(), election.ModifiedAt(stateKey(p.ID), s.state.modified)}}
	txn.Then = append(txn.Then, election.Put(stateKey(p.ID), state, 0))
	if m.Forward {
		txn.If = append(txn.If, unchanged(freezeKey, s.freeze))
		for key, at := range s.busy {
			if s.state.value.Phase == Queued {
				txn.If = append(txn.If, unchanged(key, at))
			}
		}
	}
	if m.Head != nil {
		key := headKey(p.Environment, p.Program)
		txn.If = append(txn.If, election.ModifiedAt(key, s.head.modified))
		txn.Then = append(txn.Then, election.Put(key, encode(m.Head), 0))
	}
	for cell, i := range m.Intents {
		txn.Then = append(txn.Then, election.Put(fleet.IntentKey(p.Environment, cell, p.Program), i.Encode(), 0))
	}
	for i := range m.Events {
		txn.Then = append(txn.Then, election.Put(eventKey(p.ID, m.Events[i].Seq), encode(&m.Events[i]), 0))
	}
	return txn, nil
}

// unchanged holds while a key is as it was at a revision; 0 is absent.
func unchanged(key string, at int64) election.Compare {
	if at == 0 {
		return election.Absent(key)
	}
	return election.ModifiedAt(key, at)
}

// wrote notes that the state is written with all evidence.
func (w *worker) wrote(t *trial) {
	t.written, t.counts = time.Now(), nil
}

// settle finds out what became of a write, and waits until the replica has it. The evidence
// that was in it is in the state now, or lost: it is never counted twice.
func (w *worker) settle(ctx context.Context, t *trial, s *snapshot) {
	w.wrote(t)
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	page, err := w.c.o.Store.Range(asking, election.Span{Keys: election.Key(stateKey(s.plan.ID))})
	if err == nil && len(page.Entries) > 0 {
		_ = w.c.replica.wait(asking, page.Entries[0].Modified)
	}
}

const (
	laterFirst = 100 * time.Millisecond
	laterMost  = 5 * time.Second
)

// later has a deployment wait a little after a write that failed. That is ours, and never
// the deployment's.
func (w *worker) later(t *trial, id string, err error) {
	t.pause = min(max(2*t.pause, laterFirst), laterMost)
	t.notYet = time.Now().Add(t.pause)
	if err != nil {
		w.c.o.Log.Warn("a deployment's next step could not be written, and is tried again", "deployment", id, "error", err)
		w.c.o.Holdups.set(id, err.Error(), w.c.o.Now().UTC())
	}
}

// adopt has cells run a program that are new, or whose intents were lost, while no
// deployment is under way, and gives when to try again.
func (w *worker) adopt(ctx context.Context, key string, intents map[string]*fleet.Intent, head stored[Head]) time.Duration {
	environment, program, _ := strings.Cut(strings.TrimPrefix(key, headPrefix), "/")
	txn := election.Txn{If: []election.Compare{w.l.Guard(), election.ModifiedAt(key, head.modified)}}
	named := 0
	for cell, i := range intents {
		at := fleet.IntentKey(environment, cell, program)
		if i.Seq > 1 { // it has one, and gets the next
			txn.If = append(txn.If, election.Present(at))
		} else {
			txn.If = append(txn.If, election.Absent(at))
		}
		txn.Then = append(txn.Then, election.Put(at, i.Encode(), 0))
		if named += len(i.Later); len(txn.Then) == mostIntents/2 || named >= mostLater {
			break
		}
	}
	writing, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r, err := w.c.o.Store.Txn(writing, txn)
	if err != nil {
		w.c.o.Log.Warn("new cells cannot be told what to run now, and are later", "program", program, "error", err)
		return laterMost
	}
	if r.OK {
		_ = w.c.replica.wait(writing, r.Revision)
	}
	return 0
}
