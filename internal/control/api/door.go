package api

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/internal/control/access"
)

// call is what is known of a call on its way.
type call struct {
	event access.Event // its line in the audit log, so far
	who   *access.Known
	wire  *http.ResponseController
	said  bool // the log has its last line
	// failed is how a route's handler answered, if that was no success.
	failed error
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// end writes the call's last line.
func (s *Server) end(c *call, err error) {
	c.event.Time, c.event.Outcome, c.said = time.Now(), outcome(err), true
	s.opts.Audit.Write(c.event)
}

// outcome is how a call went, as the audit log has it.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

// door lets in calls by who may make them, before their message is read.
func (s *Server) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, c, err := s.enter(w, r, r.URL.Path)
		if err != nil {
			s.turnAway(c, err)
			if s.refused.IsSupported(r) {
				_ = s.refused.Write(w, r, err) // who has left hears nothing
			} else {
				plain(w, http.StatusUnsupportedMediaType, err.Error()+"\n")
			}
			return
		}
		defer s.leave(c)
		next.ServeHTTP(w, r)
	})
}

// route is the door of a route.
func (s *Server) route(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, c, err := s.enter(w, r, route.Procedure)
		if err == nil && route.Subject != nil {
			var environment string
			c.event.Subject, environment = route.Subject(r)
			if environment != "" {
				err = access.PermitIn(c.who.Principal, environment)
			}
		}
		if err != nil {
			s.turnAway(c, err)
			plain(w, statusOf(err), err.Error()+"\n")
			return
		}
		defer s.leave(c)
		_ = c.wire.SetReadDeadline(time.Time{}) // it may last
		ctx, cancel := s.during(r.Context(), c)
		defer cancel()
		s.begin(c)
		route.Handler.ServeHTTP(w, r.WithContext(ctx))
		why := context.Cause(ctx)
		if why == nil {
			why = c.failed
		}
		s.end(c, why)
	})
}

// statusOf is the status of HTTP that stands for why a call was not let in, or not done.
func statusOf(err error) int {
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeInvalidArgument:
		return http.StatusBadRequest
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeFailedPrecondition:
		return http.StatusConflict
	case connect.CodeResourceExhausted:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

// enter tells who calls a procedure, and whether he may.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, procedure string) (*http.Request, *call, error) {
	c := &call{wire: http.NewResponseController(w)}
	c.event = access.Event{Procedure: shorten(procedure), Peer: r.RemoteAddr, Request: requestID(r.Header)}
	w.Header().Set("Towpath-Request", c.event.Request)
	// A server of HTTP/1.1 or 2 takes deadlines; others need none.
	_ = c.wire.SetReadDeadline(time.Now().Add(bodyTime))
	_ = c.wire.SetWriteDeadline(time.Now().Add(bodyTime + s.opts.Timeout + writeTime))

	need, ok := access.NeedOf(procedure)
	if !ok {
		return r, c, connect.NewError(connect.CodeUnimplemented, fmt.Errorf("there is no procedure %s", shorten(procedure)))
	}
	c.who = &access.Known{}
	if !need.Anyone {
		who, err := s.opts.Registry.Authenticate(chainOf(r), r.Header.Get("Authorization"))
		if err != nil {
			return r, c, err
		}
		c.who = who
		c.event.Principal, c.event.Role = who.Name, who.Role
		if err := access.Permit(who.Principal, procedure); err != nil {
			return r, c, err
		}
	}
	if need.Changes && s.opts.Audit.Err() != nil {
		return r, c, connect.NewError(connect.CodeUnavailable, errors.New("this control node cannot write its audit log, and lets nothing be changed; its own log says why"))
	}
	ctx := context.WithValue(access.WithCaller(r.Context(), c.who), callKey{}, c)
	return r.WithContext(ctx), c, nil
}

// chainOf is the certificate that a client has shown, if it was one of the CA's.
func chainOf(r *http.Request) []*x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.VerifiedChains[0]
}

// turnAway writes down that a call was not let in.
func (s *Server) turnAway(c *call, err error) {
	if c.event.Principal == "" {
		more, write := s.flood.admit(time.Now())
		if !write {
			return
		}
		if more > 0 {
			c.event.Subject = fmt.Sprintf("and %d more that showed no good credentials, not written one by one", more)
		}
	}
	s.end(c, err)
}

// leave writes down a call that nothing was written of: its message could not be read.
func (s *Server) leave(c *call) {
	if !c.said {
		s.end(c, connect.NewError(connect.CodeInvalidArgument, errors.New("the message could not be read")))
	}
}

// during is the context of a call that lasts: it ends with the principal's rights and
// with the server.
func (s *Server) during(ctx context.Context, c *call) (context.Context, context.CancelFunc) {
	ctx, release := c.who.During(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.closing.ctx, func() { cancel(errClosing) })
	return ctx, func() { stop(); cancel(nil); release() }
}

// begin writes down that a call that lasts has begun.
func (s *Server) begin(c *call) {
	e := c.event
	e.Time, e.Outcome = time.Now(), "begun"
	s.opts.Audit.Write(e)
}

// panicked is what a caller hears of a panic; the log hears the rest.
func (s *Server) panicked(c *call, p any) error {
	s.opts.Log.Error("a call panicked", "procedure", c.event.Procedure, "request", c.event.Request, "panic", p, "stack", string(debug.Stack()))
	return connect.NewError(connect.CodeInternal, fmt.Errorf("a mistake in the control node; its log has the request %s", c.event.Request))
}

// flood keeps callers that nobody knows from pushing everything else out of the audit
// log: of their calls so many are written each second, the others counted.
type flood struct {
	mu     sync.Mutex
	second int64
	lines  int
	more   int // not written since the last line
}

const floodLines = 50

// admit reports whether to write a line, and how many were not written before it.
func (f *flood) admit(now time.Time) (more int, write bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if second := now.Unix(); second != f.second {
		f.second, f.lines = second, 0
	}
	if f.lines++; f.lines > floodLines {
		f.more++
		return 0, false
	}
	more, f.more = f.more, 0
	return more, true
}

var goodID = regexp.MustCompile(`^[-_.A-Za-z0-9]{1,64}$`)

// requestID is the id that the caller gave, or one that is made up.
func requestID(h http.Header) string {
	if id := h.Get("Towpath-Request"); goodID.MatchString(id) {
		return id
	}
	return rand.Text()
}

func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
