// Package elections serves leader election to programs that do not speak to etcd. A
// session here is a lease there, and its candidacies are the same keys that package
// election writes, so that clients of both compete for the same seats.
//
// A session is hosted by one control node at a time: the one that its client talks to.
// That node runs its candidacies and tells it what becomes of them; the lease is renewed
// when the client asks, and only then. When the client goes to another node, that one
// attaches to the session, which it knows from the store alone, and the first one lets
// go of it when it sees that.
package elections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// Options say how a Service is.
type Options struct {
	// Node is this control node's name.
	Node string
	// Caller is who asks; a session is its own.
	Caller func(context.Context) string
	// Prefix of the election's keys. "": package election's.
	Prefix   string
	Registry election.Registry
	Metrics  *election.Metrics
	Log      *slog.Logger // nil: none
	// Reattach is how long a client has to open its stream of events anew before a
	// session with early takeover is ended. 0: 200 ms.
	Reattach time.Duration
	// Beat is how often streams show a sign of life. 0: 2 s.
	Beat time.Duration
}

// Service implements towpath.v1.ElectionService.
type Service struct {
	store control.Store
	opt   Options
	ctx   context.Context
	stop  context.CancelFunc
	owned sync.WaitGroup

	mu       sync.Mutex
	sessions map[election.LeaseID]*hosted
	closings map[*hosted]time.Time // with early takeover, that have lost their stream of late
}

var _ towpathv1connect.ElectionServiceHandler = (*Service)(nil)

// New makes a Service. It hosts sessions until it is closed.
func New(store control.Store, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Reattach == 0 {
		o.Reattach = 200 * time.Millisecond
	}
	if o.Beat == 0 {
		o.Beat = 2 * time.Second
	}
	if o.Prefix == "" {
		o.Prefix = "election/"
	}
	if o.Metrics == nil {
		o.Metrics = election.NewMetrics()
	}
	s := &Service{store: store, opt: o, sessions: map[election.LeaseID]*hosted{}, closings: map[*hosted]time.Time{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.owned.Go(s.watchHosts)
	return s
}

// Close lets go of all sessions. Their leases live on: their clients attach to another
// node, or end by their TTL.
func (s *Service) Close() {
	s.stop()
	s.mu.Lock()
	all := s.sessions
	s.sessions = map[election.LeaseID]*hosted{}
	s.mu.Unlock()
	for _, h := range all {
		h.release()
	}
	s.owned.Wait()
}

const maxTTL = 300 // seconds

// OpenSession implements towpath.v1.ElectionService.
func (s *Service) OpenSession(ctx context.Context, r *v1.OpenSessionRequest) (*v1.OpenSessionResponse, error) {
	if ttl := r.GetTtlSeconds(); ttl < 0 || ttl > maxTTL {
		return nil, invalid("ttl_seconds is %d: expected 1 to %d, or 0 for 10", ttl, maxTTL)
	}
	if n := len(r.GetName()); n > 200 {
		return nil, invalid("name has %d bytes: expected at most 200", n)
	}
	name := r.GetName()
	if name == "" {
		name = s.opt.Caller(ctx)
	}
	o := s.options(ctx)
	o.Name, o.TTL = name, time.Duration(r.GetTtlSeconds())*time.Second
	session, err := election.Open(ctx, s.store, o)
	if err != nil {
		return nil, coded(err)
	}
	h := s.host(session, r.GetEarlyTakeover())
	if err := s.claimHost(ctx, session.Lease()); err != nil {
		return nil, coded(errors.Join(err, session.Close(ctx)))
	}
	s.add(h)
	return &v1.OpenSessionResponse{Session: h.id(), TtlSeconds: int64(session.TTL() / time.Second)}, nil
}

func (s *Service) options(ctx context.Context) election.Options {
	return election.Options{
		Prefix: s.opt.Prefix, Owner: s.opt.Caller(ctx), Manual: true, Registry: s.opt.Registry,
		Log: s.opt.Log, Metric: s.opt.Metrics,
	}
}

// RenewSession implements towpath.v1.ElectionService.
func (s *Service) RenewSession(ctx context.Context, r *v1.RenewSessionRequest) (*v1.RenewSessionResponse, error) {
	h, err := s.session(ctx, r.GetSession())
	if err != nil {
		return nil, err
	}
	if err := h.session.Renew(ctx); err != nil {
		return nil, coded(err)
	}
	return &v1.RenewSessionResponse{TtlSeconds: int64(h.session.TTL() / time.Second)}, nil
}

// CloseSession implements towpath.v1.ElectionService.
func (s *Service) CloseSession(ctx context.Context, r *v1.CloseSessionRequest) (*v1.CloseSessionResponse, error) {
	h, err := s.session(ctx, r.GetSession())
	if connect.CodeOf(err) == connect.CodeNotFound {
		return &v1.CloseSessionResponse{}, nil // closed already
	}
	if err != nil {
		return nil, err
	}
	s.remove(h)
	if err := h.session.Close(ctx); err != nil {
		return nil, coded(err)
	}
	return &v1.CloseSessionResponse{}, nil
}

// Campaign implements towpath.v1.ElectionService.
func (s *Service) Campaign(ctx context.Context, r *v1.CampaignRequest) (*v1.CampaignResponse, error) {
	if r.GetWant() < 0 || r.GetSeats() < 0 {
		return nil, invalid("want is %d and seats is %d: expected none below 0", r.GetWant(), r.GetSeats())
	}
	h, err := s.session(ctx, r.GetSession())
	if err != nil {
		return nil, err
	}
	standing, err := h.stand(r.GetGroup(), election.StandOptions{Seats: int(r.GetSeats()), Want: int(r.GetWant()), Labels: r.GetLabels()})
	if err == nil {
		err = standing.Ready(ctx)
	}
	if err != nil {
		return nil, coded(err)
	}
	return &v1.CampaignResponse{Candidate: standing.Candidate()}, nil
}

// Resign implements towpath.v1.ElectionService.
func (s *Service) Resign(ctx context.Context, r *v1.ResignRequest) (*v1.ResignResponse, error) {
	h, err := s.session(ctx, r.GetSession())
	if err != nil {
		return nil, err
	}
	l := h.leadership(r.GetGroup(), r.GetSeat())
	token := r.GetToken()
	if l == nil || l.Token() != (election.Token{Generation: token.GetGeneration(), Revision: token.GetRevision()}) {
		return &v1.ResignResponse{}, nil // not held any more
	}
	if to := r.GetTo(); to != "" {
		err = l.Transfer(ctx, to)
	} else {
		err = l.Resign(ctx)
	}
	if err != nil {
		return nil, coded(err)
	}
	return &v1.ResignResponse{}, nil
}

// session finds a session that the caller may act for, and takes it up if another
// node hosted it before.
func (s *Service) session(ctx context.Context, id string) (*hosted, error) {
	text, early := strings.CutSuffix(id, earlySuffix)
	var lease uint64
	if n, _ := fmt.Sscanf(text, "%016x", &lease); n != 1 || len(text) != 16 {
		return nil, invalid("%q is no session: expected what OpenSession answered", id)
	}
	s.mu.Lock()
	h := s.sessions[election.LeaseID(lease)]
	s.mu.Unlock()
	if h != nil && h.session.Err() == nil {
		if h.owner != s.opt.Caller(ctx) {
			return nil, connect.NewError(connect.CodePermissionDenied, fmt.Errorf("the session %s is another caller's", id))
		}
		return h, nil
	}
	session, err := election.Attach(ctx, s.store, election.LeaseID(lease), s.options(ctx))
	if err != nil {
		return nil, coded(err)
	}
	if err := s.claimHost(ctx, session.Lease()); err != nil {
		session.Detach()
		return nil, coded(err)
	}
	h = s.host(session, early)
	if err := h.resume(ctx); err != nil {
		h.release()
		return nil, coded(err)
	}
	return s.add(h), nil
}

// earlySuffix marks the sessions that may be ended early, in their id: whichever node
// hosts one knows it.
const earlySuffix = ".early"

// add keeps a session, unless another call was faster.
func (s *Service) add(h *hosted) *hosted {
	lease := h.session.Lease()
	s.mu.Lock()
	there := s.sessions[lease]
	if there == nil || there.session.Err() != nil {
		s.sessions[lease] = h
		there = nil
	}
	s.mu.Unlock()
	if there != nil {
		h.release()
		return there
	}
	s.owned.Go(func() { // ended sessions are forgotten
		select {
		case <-h.session.Done():
			h.end()
			s.remove(h)
		case <-s.ctx.Done():
		}
	})
	return h
}

func (s *Service) remove(h *hosted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lease := h.session.Lease(); s.sessions[lease] == h {
		delete(s.sessions, lease)
	}
}

// hostKey says which node hosts a session. It ends with it.
func hostKey(lease election.LeaseID) string { return hostPrefix + lease.String() }

const hostPrefix = "elections/host/"

func (s *Service) claimHost(ctx context.Context, lease election.LeaseID) error {
	_, err := s.store.Txn(ctx, election.Txn{Then: []election.Op{election.Put(hostKey(lease), []byte(s.opt.Node), lease)}})
	return err
}

// watchHosts lets go of the sessions that other nodes have taken up.
func (s *Service) watchHosts() {
	for s.ctx.Err() == nil {
		for b := range s.store.Watch(s.ctx, election.Prefix(hostPrefix), 0) {
			for _, e := range b.Events {
				if e.Removed || string(e.Entry.Value) == s.opt.Node {
					continue
				}
				s.mu.Lock()
				h := s.sessions[e.Entry.Lease]
				delete(s.sessions, e.Entry.Lease)
				s.mu.Unlock()
				if h != nil {
					h.release()
				}
			}
		}
		select { // what was missed meanwhile shows when the lease is not renewed here
		case <-time.After(time.Second):
		case <-s.ctx.Done():
		}
	}
}

func invalid(format string, args ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}

// coded gives an error of package election its code.
func coded(err error) error {
	code := connect.CodeInvalidArgument // what is left are names and numbers
	for _, known := range []struct {
		err  error
		code connect.Code
	}{
		{election.ErrRevoked, connect.CodeNotFound}, {election.ErrNoLease, connect.CodeNotFound},
		{election.ErrExpired, connect.CodeNotFound}, {election.ErrClosed, connect.CodeNotFound},
		{election.ErrNoTaker, connect.CodeFailedPrecondition}, {election.ErrTurnedBack, connect.CodeFailedPrecondition},
		{election.ErrForbidden, connect.CodePermissionDenied}, {election.ErrNotReached, connect.CodeUnavailable},
		{election.ErrNoSpace, connect.CodeResourceExhausted},
		{context.DeadlineExceeded, connect.CodeDeadlineExceeded}, {context.Canceled, connect.CodeCanceled},
	} {
		if errors.Is(err, known.err) {
			code = known.code
			break
		}
	}
	return connect.NewError(code, err)
}

// statusOf is the status of HTTP that stands for a code, as Connect has it.
func statusOf(err error) int {
	switch connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeOutOfRange:
		return http.StatusBadRequest
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
