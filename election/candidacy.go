package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
	"unicode/utf8"
)

// candidacy is a session's part in one group. One goroutine, run, owns all below
// commands; others ask it through do.
type candidacy struct {
	session  *Session
	group    string
	keys     keys
	log      *slog.Logger
	health   *HealthCheck
	commands chan func()
	results  chan outcome
	ready    chan struct{} // closed when the group was read once
	once     sync.Once
	done     chan struct{} // closed when run has ended

	me        self
	state     *state
	leads     map[string]*Leadership
	labels    map[string]string
	wanted    func() int             // how many seats are wanted, those held included
	deliver   func(*Leadership) bool // false: nobody wants it
	gone      func(*Leadership)      // one that was delivered leads no longer
	refused   func(error)            // those who wait wait in vain
	unhealthy error
	spreads   bool  // it is for a group of partitions
	misfit    error // the group is of the other kind
	damaged   bool  // the group's configuration could not be read when it was looked at last
	known     bool  // our record has been seen in the group

	writing  bool          // a transaction is under way,
	since    int64         // sent when the state was at this revision
	failed   bool          // the last one had no answer
	awaited  int64         // decide again when the watch has come to it,
	resumeAt time.Duration // or when the clock has come to this
	pause    time.Duration // how long the last failure made it wait
}

// outcome is what became of a transaction.
type outcome struct {
	result Result
	err    error
}

var errLeft = errors.New("the candidacy has ended")

// join begins a candidacy. prepare completes it before it runs.
func (s *Session) join(group string, initial Config, labels map[string]string, policy Policy, settle time.Duration, health *HealthCheck, prepare func(*candidacy)) (*candidacy, error) {
	if err := validName("group", group); err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	if err := initial.Validate(); err != nil {
		return nil, fmt.Errorf("election: the group %s: %w", group, err)
	}
	for name, value := range labels {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("election: the group %s: the label %q is %q: expected UTF-8, as records are JSON", group, name, value)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, fmt.Errorf("election: the group %s: %w", group, context.Cause(s.ctx))
	}
	if s.candidates[group] != nil {
		return nil, fmt.Errorf("election: the session takes part in the group %s already: use that one", group)
	}
	c := &candidacy{
		session: s, group: group, keys: groupKeys(s.opt.Prefix, group), health: health,
		log:      s.opt.Log.With("group", group),
		commands: make(chan func()), results: make(chan outcome, 1), ready: make(chan struct{}), done: make(chan struct{}),
		leads: map[string]*Leadership{}, labels: maps.Clone(labels),
		me: self{
			id: s.lease.String(), lease: s.lease, initial: initial, release: map[string]string{},
			generation: s.generation.Generation, generationKey: generationKey(s.opt.Prefix), generationAt: s.generationAt,
			patience: s.opt.Patience, settle: settle, policy: policy, planned: -1,
		},
	}
	if health != nil {
		c.unhealthy = errUnchecked
	}
	c.gone, c.refused = func(*Leadership) {}, func(error) {}
	prepare(c)
	s.candidates[group] = c
	s.owned.Go(c.run)
	if health != nil {
		s.owned.Go(c.checkHealth)
	}
	return c, nil
}

// do runs f in the candidacy's goroutine.
func (c *candidacy) do(f func() error) error {
	result := make(chan error, 1)
	select {
	case c.commands <- func() { result <- f() }:
		return <-result
	case <-c.done:
		return errLeft
	}
}

// run keeps the group's copy, decides and writes until the session ends.
func (c *candidacy) run() {
	defer close(c.done)
	defer c.endAll()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-c.session.Done():
			return
		case f := <-c.commands:
			f()
			continue
		case <-retry.C:
		}
		if err := c.follow(); err != nil && c.session.ctx.Err() == nil {
			c.log.Warn("the group cannot be followed", "err", err)
		}
		retry.Reset(c.session.ttl / 40)
	}
}

// follow reads the group and goes along with its changes until the watch breaks.
func (c *candidacy) follow() error {
	ctx, cancel := context.WithCancel(c.session.ctx)
	defer cancel()
	reading, stop := context.WithTimeout(ctx, c.session.ttl/3)
	page, err := c.session.store.Range(reading, Span{Keys: c.keys.all()})
	stop()
	if err != nil {
		return err
	}
	if c.state != nil && page.Revision < c.state.revision {
		c.session.lose(ErrTurnedBack)
		return ErrTurnedBack
	}
	c.state = newState(c.keys, c.me.id)
	c.state.load(page, c.session.opt.Clock())
	c.me.planned = -1
	watch := c.session.store.Watch(ctx, c.keys.all(), page.Revision+1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for first := true; ; first = false {
		c.settle()
		if first {
			c.once.Do(func() { close(c.ready) })
		}
		if wait := c.act(); wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case b, open := <-watch:
			if !open {
				return errors.New("the watch has ended")
			}
			if err := c.apply(b); err != nil {
				return err
			}
			for more := true; more; { // all that has come, before anything is decided
				select {
				case b, open = <-watch:
					if open {
						err = c.apply(b)
					}
					if !open || err != nil {
						return err
					}
				default:
					more = false
				}
			}
		case o := <-c.results:
			c.learn(o)
		case f := <-c.commands:
			f()
		case <-timer.C:
		}
	}
}

func (c *candidacy) apply(b Batch) error {
	if b.Err != nil {
		return b.Err
	}
	now := c.session.opt.Clock()
	for _, e := range b.Events {
		c.state.apply(e, now)
	}
	c.state.revision = max(c.state.revision, b.Revision)
	if c.awaited == 0 && !c.failed { // the last transaction found something else than it expected: this
		c.resumeAt = 0
	}
	return nil
}

// fit sees whether the group is of the kind that this candidacy is for. In one of the
// other kind it takes no part: it would be given what nobody here waits for, give that
// up, and be given it again, for ever.
func (c *candidacy) fit() {
	misfit := error(nil)
	switch config := c.state.config; {
	case c.spreads && config.Seats > 0:
		misfit = fmt.Errorf("election: the group %s has %d seats: take part with Session.Seats, or give it partitions", c.group, config.Seats)
	case !c.spreads && len(config.Partitions) > 0:
		misfit = fmt.Errorf("election: the group %s has %d partitions: take part with Session.Partitions, or give it seats", c.group, len(config.Partitions))
	}
	changed := (misfit == nil) != (c.misfit == nil)
	c.misfit = misfit
	if changed {
		c.present()
	}
	if changed && misfit != nil {
		c.log.Warn("the group is of another kind", "err", misfit)
		c.refused(misfit)
	}
	if c.state.damaged && !c.damaged {
		c.log.Warn("the group's configuration cannot be read: nobody gets a seat until it is written anew", "key", c.keys.config())
	}
	c.damaged = c.state.damaged
}

// settle makes the leaderships those that the store says there are.
func (c *candidacy) settle() {
	c.fit()
	if _, there := c.state.candidates[c.me.id]; there {
		c.known = true
	} else if c.known && c.me.record != nil {
		c.known = false
		c.session.check() // our record is gone: is our lease?
	}
	for seat, l := range c.leads {
		if h := c.state.seats[seat]; h == nil || h.Candidate != c.me.id || h.token != l.token.Revision {
			c.finish(l, ErrTaken)
		}
	}
	for seat, h := range c.state.mine {
		l := c.leads[seat]
		if l == nil {
			l = c.begin(seat, h)
		}
		c.askToHandOver(seat, h, l)
	}
}

// begin takes up a seat that the store says is ours, and gives it away again if
// nobody wants it any more.
func (c *candidacy) begin(seat string, h *holding) *Leadership {
	l := &Leadership{
		of: c, seat: seat, token: Token{h.Generation, h.token},
		drained: make(chan struct{}), gone: make(chan struct{}),
	}
	l.Context, l.end = context.WithCancelCause(c.session.ctx)
	c.leads[seat] = l
	if c.unhealthy != nil || !c.deliver(l) {
		l.end(ErrResigned)
		c.me.release[seat] = ""
		return l
	}
	l.counted = true
	c.session.opt.Metric.began(c.group)
	c.log.Info("a seat is held", "seat", seat, "token", l.token)
	return l
}

// askToHandOver asks a holder to hand over where somebody wants that.
func (c *candidacy) askToHandOver(seat string, h *holding, l *Leadership) {
	g := c.state
	if m, asked := g.moves[seat]; asked && m.Token == h.token {
		l.drain(m.To)
	} else if g.drains[c.me.id] || g.configured && !g.names[seat] {
		l.drain("")
	} else if to := g.plans[seat].Candidate; g.partitioned() && to != c.me.id && g.candidates[to] != nil && !g.drains[to] {
		l.drain(to)
	}
}

// finish forgets a leadership that the store no longer has.
func (c *candidacy) finish(l *Leadership, cause error) {
	if l.Context.Err() == nil {
		c.log.Warn("a seat was lost", "seat", l.seat, "token", l.token, "cause", cause)
	}
	l.end(cause)
	c.count(l, cause)
	close(l.gone)
	delete(c.leads, l.seat)
	delete(c.me.release, l.seat)
	c.present()
}

// count counts a leadership's end, once.
func (c *candidacy) count(l *Leadership, cause error) {
	if l.counted {
		l.counted = false
		c.gone(l)
		c.session.opt.Metric.lost(c.group, cause)
	}
}

// letGo ends a leadership and has its seat given up.
func (c *candidacy) letGo(l *Leadership, to string, cause error) error {
	if c.leads[l.seat] != l {
		return nil // gone already
	}
	if _, already := c.me.release[l.seat]; already {
		return nil
	}
	if to != "" && c.state != nil {
		if plan := c.state.plans[l.seat].Candidate; c.state.partitioned() && to != plan {
			return fmt.Errorf("election: %s cannot go to %q: it is a partition, which goes where the policy says, now %q: %w", l.Name(), to, plan, ErrNoTaker)
		}
		if next := c.state.candidates[to]; next == nil || !c.state.partitioned() && c.state.need(next) == 0 {
			return fmt.Errorf("election: %s cannot go to %q: %w", l.Name(), to, ErrNoTaker)
		}
	}
	if to == "" {
		to = l.Successor()
	}
	l.end(cause)
	c.me.release[l.seat] = to
	c.count(l, cause)
	c.present()
	c.log.Info("a seat is given up", "seat", l.seat, "token", l.token, "to", to, "cause", cause)
	return nil
}

// active counts the seats that are held and not being given up.
func (c *candidacy) active() int { return len(c.leads) - len(c.me.release) }

func (c *candidacy) endAll() {
	for _, l := range c.leads {
		c.finish(l, context.Cause(c.session.ctx))
	}
	if c.writing {
		<-c.results // its context has ended too
	}
}

// act starts the transaction that is right now, if one is, and says when to ask
// again.
func (c *candidacy) act() time.Duration {
	now := c.session.opt.Clock()
	if c.awaited != 0 && c.awaited <= c.state.revision {
		c.awaited, c.resumeAt = 0, 0
	}
	switch {
	case c.writing || c.session.Err() != nil:
		return 0
	case now < c.resumeAt:
		return c.resumeAt - now
	}
	c.awaited = 0
	txn, wait := c.state.decide(&c.me, now)
	if txn == nil {
		return wait
	}
	txn.Else = []Op{Get(Key(c.me.generationKey))} // a likely reason, and a final one
	c.writing, c.since = true, c.state.revision
	go func() {
		ctx, cancel := context.WithTimeout(c.session.ctx, c.session.ttl/3)
		defer cancel()
		result, err := c.session.store.Txn(ctx, *txn)
		c.results <- outcome{result, err}
	}()
	return 0
}

const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// learn takes in what became of a transaction. What it did, the watch shows.
func (c *candidacy) learn(o outcome) {
	c.writing, c.awaited, c.failed = false, 0, o.err != nil
	switch {
	case errors.Is(o.err, ErrNoLease):
		c.session.lose(ErrRevoked)
	case o.err == nil && o.result.Revision < c.since:
		c.session.lose(ErrTurnedBack) // the watch waits for revisions that are yet to come again
	case o.err == nil && o.result.OK:
		// A transaction that only deleted what was gone already shows in no watch:
		// hence not for ever.
		c.awaited, c.resumeAt, c.pause = o.result.Revision, c.session.opt.Clock()+lastPause, 0
		return
	case o.err == nil && generationOf(o.result.Outcomes[0].Entries) != c.me.generationAt:
		c.session.lose(ErrTurnedBack)
	case o.err != nil && c.session.ctx.Err() == nil:
		c.log.Warn("a transaction failed", "err", o.err)
	}
	c.pause = min(max(2*c.pause, firstPause), lastPause)
	c.resumeAt = c.session.opt.Clock() + c.pause
}
