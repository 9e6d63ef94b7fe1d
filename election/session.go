package election

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Why a leadership or a session ends. The cause of a leadership's context is one of
// them, or an error that wraps one.
var (
	ErrExpired    = errors.New("the lease was not renewed in time")
	ErrRevoked    = errors.New("the lease has ended at the store")
	ErrClosed     = errors.New("the session was closed")
	ErrResigned   = errors.New("the leadership was resigned")
	ErrTaken      = errors.New("the seat is no longer held")
	ErrUnhealthy  = errors.New("the health check failed")
	ErrDraining   = errors.New("the leadership is asked to hand over")
	ErrTurnedBack = errors.New("the store was turned back to an earlier state without a new generation")
	ErrNoTaker    = errors.New("the candidate does not wait for a seat")
)

// Options say how a session is. The zero value works.
type Options struct {
	// Prefix of all keys. Default "election/". Sessions of one prefix see each other.
	Prefix string
	// Name by which people know the process. Default: host, program and process id.
	Name string
	// TTL of the lease: how long a seat stays held by a process that has vanished.
	// Default 10 s, at least 1 s, rounded up to whole seconds.
	TTL time.Duration
	// Margin is how long before the lease could end leaderships do: what clocks may
	// differ by in rate, and what it takes to notice. Default TTL/10.
	Margin time.Duration
	// Clock is what deadlines are measured with. Default: the time since boot,
	// suspended time included.
	Clock Clock
	// Patience is how long a candidate waits before it takes a seat that was another
	// candidate's to take. Default TTL/5, at most 2 s.
	Patience time.Duration

	// Registry of generations, outside the store. Without one a store that was
	// restored from a backup cannot be told from what it was.
	Registry Registry
	// Early lets peers end this session when its process dies, without waiting for
	// the TTL. Only for sessions all of whose groups guard what they write. Nil is
	// not to.
	Early *Early
	// Manual leaves renewing to calls of [Session.Renew].
	Manual bool
	// Owner is kept with the session; servers that hold sessions for others use it.
	Owner string

	Log    *slog.Logger         // default: none
	Trace  trace.TracerProvider // default: none
	Metric *Metrics             // default: none
}

// Validate says all that is wrong with options.
func (o Options) Validate() error {
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !utf8.ValidString(o.Name) {
		complain("Name is %q: expected UTF-8, as records are JSON", o.Name)
	}
	if o.TTL != 0 && o.TTL < time.Second {
		complain("TTL is %s: expected at least 1 s", o.TTL)
	}
	if ttl := cmp.Or(o.TTL, defaultTTL); o.Margin < 0 || o.Margin >= ttl {
		complain("Margin is %s: expected less than the TTL, %s", o.Margin, ttl)
	}
	if o.Patience < 0 {
		complain("Patience is %s: expected no negative time", o.Patience)
	}
	return errors.Join(wrong...)
}

const defaultTTL = 10 * time.Second

func (o Options) withDefaults() Options {
	o.Prefix = cmp.Or(o.Prefix, "election/")
	o.TTL = cmp.Or(o.TTL, defaultTTL)
	if o.Name == "" {
		host, _ := os.Hostname()
		o.Name = strings.ToValidUTF8(fmt.Sprintf("%s/%s/%d", cmp.Or(host, "localhost"), filepath.Base(os.Args[0]), os.Getpid()), "?")
	}
	if o.Clock == nil {
		o.Clock = sinceBoot
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Trace == nil {
		o.Trace = noop.NewTracerProvider()
	}
	if o.Metric == nil {
		o.Metric = NewMetrics()
	}
	return o
}

// A Session is a process's part in elections: one lease, however many groups and
// seats. Its methods may be called from several goroutines.
type Session struct {
	store  Store
	opt    Options
	lease  LeaseID
	ttl    time.Duration
	tracer trace.Tracer
	ctx    context.Context
	end    context.CancelCauseFunc
	owned  sync.WaitGroup // all goroutines of the session
	checks chan struct{}  // asks for a renewal at once

	peers *lookout // nil without Early

	generation   generationRecord
	generationAt int64

	mu         sync.Mutex
	deadline   time.Duration // on opt.Clock
	candidates map[string]*candidacy
	ended      bool
}

// Open begins a session. The context is for opening alone; the session lives until
// it is closed or lost.
func Open(ctx context.Context, store Store, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	o = o.withDefaults()
	sent := o.Clock()
	lease, ttl, err := store.Grant(ctx, o.TTL)
	if err != nil {
		return nil, fmt.Errorf("election: a lease for %s: %w", o.Name, err)
	}
	s := newSession(store, o, lease, ttl, sent)
	if err := s.register(ctx); err != nil {
		s.abandon(err)
		return nil, fmt.Errorf("election: the session of %s: %w", o.Name, err)
	}
	s.begin()
	return s, nil
}

// Attach goes on with a session that was opened elsewhere and is still alive, with
// its lease, its TTL and its name. It takes up what the session holds in a group when
// it stands for it again, with [Session.Stand]; what is held in groups that it takes
// part in otherwise is given up where nobody waits for it yet.
func Attach(ctx context.Context, store Store, lease LeaseID, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	o = o.withDefaults()
	page, err := store.Range(ctx, Span{Keys: Key(sessionKey(o.Prefix, lease))})
	if err != nil {
		return nil, fmt.Errorf("election: the session %s: %w", lease, err)
	}
	var r sessionRecord
	if len(page.Entries) == 0 || json.Unmarshal(page.Entries[0].Value, &r) != nil {
		return nil, fmt.Errorf("election: the session %s: %w", lease, ErrRevoked)
	}
	if r.Owner != o.Owner {
		return nil, fmt.Errorf("election: the session %s is not of %q: %w", lease, o.Owner, ErrForbidden)
	}
	o.Name = r.Name
	sent := o.Clock()
	ttl, err := store.Renew(ctx, lease)
	if err != nil {
		return nil, fmt.Errorf("election: the session %s: %w", lease, err)
	}
	s := newSession(store, o, lease, ttl, sent)
	if err := s.readGeneration(ctx); err != nil {
		s.abandon(err)
		return nil, fmt.Errorf("election: the session %s: %w", lease, err)
	}
	s.begin()
	return s, nil
}

func newSession(store Store, o Options, lease LeaseID, ttl, sent time.Duration) *Session {
	if o.Margin == 0 {
		o.Margin = ttl / 10
	}
	if o.Patience == 0 {
		o.Patience = min(ttl/5, 2*time.Second)
	}
	s := &Session{
		store: store, opt: o, lease: lease, ttl: ttl, tracer: o.Trace.Tracer("towpath.dev/election"),
		checks: make(chan struct{}, 1), candidates: map[string]*candidacy{}, deadline: sent + ttl - o.Margin,
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.opt.Log = o.Log.With("session", lease.String())
	return s
}

// register writes the session's record, if the store is what it says it is.
func (s *Session) register(ctx context.Context) error {
	if err := s.readGeneration(ctx); err != nil {
		return err
	}
	r := sessionRecord{Name: s.opt.Name, Owner: s.opt.Owner, TTL: int(s.ttl / time.Second), Early: s.opt.Early != nil}
	if s.opt.Early != nil {
		var err error
		if s.peers, err = s.opt.Early.open(s.lease, s.opt.Clock); err != nil {
			return err
		}
		r.Address = s.peers.Advertise
	}
	result, err := s.store.Txn(ctx, Txn{
		If:   []Compare{ModifiedAt(generationKey(s.opt.Prefix), s.generationAt)},
		Then: []Op{Put(sessionKey(s.opt.Prefix, s.lease), encode(r), s.lease)},
	})
	if err == nil && !result.OK {
		err = errors.New("the store's generation changed just now: open it again")
	}
	return err
}

// begin starts what keeps the session alive.
func (s *Session) begin() {
	s.opt.Metric.sessions.Inc()
	s.owned.Go(s.watchDeadline)
	if !s.opt.Manual {
		s.owned.Go(s.renewLoop)
	}
	if s.peers != nil {
		s.owned.Go(func() { s.peers.serve(s.ctx) })
		s.owned.Go(func() { s.peers.watchPeers(s) })
	}
}

// abandon gives a lease up that never became a session.
func (s *Session) abandon(cause error) {
	s.end(cause)
	if s.peers != nil {
		s.peers.listener.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.ttl)
	defer cancel()
	_ = s.store.Revoke(ctx, s.lease) // else it ends by itself
}

// Lease is the session's lease. Keys that a process puts on it end with the session.
func (s *Session) Lease() LeaseID { return s.lease }

// TTL is the lease's, as the store granted it.
func (s *Session) TTL() time.Duration { return s.ttl }

// Owner is what Options.Owner was.
func (s *Session) Owner() string { return s.opt.Owner }

// Done is closed when the session has ended; Err says why.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err is nil while the session lives. It looks at the clock: a session whose time is
// up has ended, even where nothing had the time to notice yet.
func (s *Session) Err() error {
	if s.ctx.Err() == nil && s.remaining() <= 0 {
		s.lose(ErrExpired)
	}
	return context.Cause(s.ctx)
}

func (s *Session) remaining() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline - s.opt.Clock()
}

// lose ends the session, and with it all leaderships.
func (s *Session) lose(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	s.end(cause) // who sees that it has ended can ask why
	s.opt.Log.Warn("the election session has ended", "cause", cause)
	s.opt.Metric.ended(cause)
}

// watchDeadline ends the session when its time is up. It looks more often than that
// takes, as timers stand still while a machine is suspended, and the session's clock
// may be another one.
func (s *Session) watchDeadline() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		left := s.remaining()
		if left <= 0 {
			s.lose(ErrExpired)
			return
		}
		timer.Reset(min(left, s.ttl/20))
	}
}

// renewLoop renews the lease three times in its TTL, and more often after a failure.
func (s *Session) renewLoop() {
	timer := time.NewTimer(s.ttl / 3)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.checks:
		}
		ctx, cancel := context.WithTimeout(s.ctx, s.ttl/6)
		err := s.Renew(ctx)
		cancel()
		if err != nil {
			s.opt.Log.Debug("a renewal failed", "err", err)
			timer.Reset(s.ttl / 20)
		} else {
			timer.Reset(s.ttl / 3)
		}
	}
}

// Renew renews the lease now. Sessions do so by themselves unless they are Manual.
func (s *Session) Renew(ctx context.Context) error {
	// The lease lives for its TTL from when the store heard of the renewal, which is
	// later than this. From when the answer came would be too late.
	sent := s.opt.Clock()
	ttl, err := s.store.Renew(ctx, s.lease)
	s.opt.Metric.renewed(s.opt.Clock()-sent, err)
	if errors.Is(err, ErrNoLease) {
		s.lose(ErrRevoked)
		return fmt.Errorf("%w (%w)", ErrRevoked, err)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	late := s.opt.Clock() >= s.deadline
	if !late { // what has ended does not begin again
		s.deadline = max(s.deadline, sent+ttl-s.opt.Margin)
	}
	s.mu.Unlock()
	if late {
		s.lose(ErrExpired)
		return ErrExpired
	}
	return nil
}

// check asks for a renewal at once: something looks as if the lease had ended.
func (s *Session) check() {
	select {
	case s.checks <- struct{}{}:
	default: // one is asked for already
	}
}

// Close ends all leaderships, then the lease, and with it everything that the session
// held. It goes on when ctx has ended, for at most the TTL: by then the lease has
// ended by itself, which the error says.
func (s *Session) Close(ctx context.Context) error {
	s.lose(ErrClosed)
	s.owned.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.ttl)
	defer cancel()
	if err := s.store.Revoke(ctx, s.lease); err != nil {
		return fmt.Errorf("election: the lease of %s ends by itself within %s: %w", s.opt.Name, s.ttl, err)
	}
	return nil
}

// Detach ends all leaderships here and leaves the lease alone: another process may
// Attach to it until its TTL is over. A session that has Early cannot be gone on with:
// its peers see it close, and end it.
func (s *Session) Detach() {
	s.lose(ErrClosed)
	s.owned.Wait()
}
