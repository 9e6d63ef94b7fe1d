// Package serve answers HTTP: the views of programs, and what a responder tells
// of itself.
//
//	server := serve.New(serve.Options{})
//	server.Put("shop", &serve.Release{Engine: program, Fetcher: fetcher})
//	http.Serve(listener, server)
//
//	POST /v1/{program}/{view}           a JSON object with a member a parameter; the answer is JSON
//	GET  /v1/{program}/{view}?a=1&b=2   the same, where all parameters are scalars or lists of them
//	GET  /v1/{program}/openapi.json     the program's views as OpenAPI 3.1
//	GET  /healthz /readyz /metrics      of the process
//
// What goes wrong is told as a problem document (RFC 9457), see [Problem].
//
// Requests carry, and calls hand on:
//
//	Towpath-Request      the id of the root request; made up when it is missing
//	Towpath-Criticality  critical, default, sheddable or bulk
//	Towpath-Deadline     milliseconds that the caller waits
//	traceparent          W3C Trace Context
//
// and answers Towpath-Request, Server-Timing, and Towpath-Shed with the number of
// optional scopes that were left out under load.
package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/source"
)

// Options say how a Server works. The zero value works.
type Options struct {
	// MaxBody bounds a request's body, in bytes. 0: 1 MiB.
	MaxBody int64
	// Timeout is how long a request may take, whatever its caller and its view say.
	// 0: 30 s.
	Timeout time.Duration
	// Admission bounds what is under way.
	Admission admit.Options
	// Tokens tells who calls by the token that he brings. Nil: nobody needs one, and
	// the caller is whom the header Towpath-Caller names.
	Tokens *Tokens
	// Records keeps a sample of the requests. Nil: none are kept.
	Records *record.Ring
	// Tracer makes spans of requests, passes and calls. Nil: none are made.
	Tracer trace.Tracer
	// Log hears of what went wrong here. Nil: nobody does.
	Log *slog.Logger
	// Incarnation names this run of the process. "": one is made up.
	Incarnation string
}

// Server answers requests to programs. It is an http.Handler.
type Server struct {
	opts     Options
	door     *admit.Limiter
	metrics  *metrics
	started  time.Time
	draining atomic.Bool
	programs atomic.Pointer[programs]
	scratch  sync.Pool // of *scratch
	notice   atomic.Pointer[[]string]
	stale    atomic.Pointer[func() time.Time]

	mu sync.Mutex // of changes to programs
}

// New makes a Server that serves nothing yet.
func New(opts Options) *Server {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1 << 20
	}
	if opts.Timeout == 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Incarnation == "" {
		opts.Incarnation = newID()
	}
	s := &Server{opts: opts, door: admit.New(opts.Admission), started: time.Now()}
	s.scratch.New = func() any { return new(scratch) }
	s.programs.Store(&programs{})
	s.metrics = newMetrics(s)
	return s
}

// Drain makes /readyz say no, so that nobody sends more; what comes all the same
// is answered.
func (s *Server) Drain() { s.draining.Store(true) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/v1/"); ok {
		name, viewName, _ := strings.Cut(rest, "/")
		if viewName == "openapi.json" {
			s.openapi(w, r, name)
			return
		}
		s.view(w, r, name, viewName)
		return
	}
	switch r.URL.Path {
	case "/healthz":
		plain(w, http.StatusOK, "ok\n")
	case "/readyz":
		s.ready(w)
	case "/metrics":
		if _, problem := s.caller(r); problem != nil {
			s.unknown(w, newID(), problem)
			return
		}
		s.metrics.handler.ServeHTTP(w, r)
	default:
		s.refuse(w, newID(), &Problem{Type: NotFound, Status: http.StatusNotFound,
			Detail: fmt.Sprintf("there is nothing at %s; views are at /v1/{program}/{view}", shorten(r.URL.Path))})
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// ready says whether requests are welcome.
func (s *Server) ready(w http.ResponseWriter) {
	switch {
	case s.draining.Load():
		plain(w, http.StatusServiceUnavailable, "draining\n")
	case len(s.programs.Load().byName) == 0:
		plain(w, http.StatusServiceUnavailable, "no program is served yet\n")
	default:
		text := "ready\n"
		if since := s.staleSince(); !since.IsZero() {
			text += "stale since " + since.UTC().Format(time.RFC3339) + ": no control node says what is to be served\n"
		}
		plain(w, http.StatusOK, text)
	}
}

// Stale has the server tell since when it is not known any more what is to be served; the
// zero time is that it is. Requests are welcome all the same.
func (s *Server) Stale(since func() time.Time) { s.stale.Store(&since) }

func (s *Server) staleSince() time.Time {
	if since := s.stale.Load(); since != nil {
		return (*since)()
	}
	return time.Time{}
}

// enter tells who asks, and takes the release of a program that the request is for,
// until its leave. Without one it has refused the request: first those of whom
// nobody knows, since what is served here is not for everybody.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, id, name string) (caller string, release *Release) {
	caller, problem := s.caller(r)
	if problem != nil {
		s.unknown(w, id, problem)
		return "", nil
	}
	if p := s.programs.Load().byName[name]; p != nil {
		if release, err := p.take(id); err == nil {
			return caller, release
		}
	}
	s.refuse(w, id, s.noProgram(name))
	return "", nil
}

// view answers a request to a view.
func (s *Server) view(w http.ResponseWriter, r *http.Request, name, viewName string) {
	begin := time.Now()
	if notice := s.notice.Load(); notice != nil {
		w.Header()["Towpath-Notice"] = *notice
	}
	id := requestID(r.Header)
	caller, release := s.enter(w, r, id, name)
	if release == nil {
		return
	}
	defer release.leave()
	v := release.views[viewName]
	if v == nil {
		s.refuse(w, id, release.noView(name, viewName))
		return
	}
	if problem := v.method(r); problem != nil {
		if problem.Status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", v.allow())
		}
		s.refuse(w, id, problem)
		return
	}
	class, problem := classOf(r.Header)
	if problem != nil {
		s.refuse(w, id, problem)
		return
	}
	permit, refusal := s.door.Admit(v.cost, class, caller)
	if refusal != nil {
		s.turnAway(w, id, refusal)
		return
	}
	c := s.scratch.Get().(*scratch)
	q := &query{
		server: s, program: name, release: release, view: v, permit: permit, begin: begin, scratch: c,
		about: source.About{Request: id, Caller: caller, Criticality: class.String()},
	}
	defer q.settle(false) // of one that panicked
	q.answer(w, r)
	c.body, c.out = trim(c.body), trim(c.out)
	s.scratch.Put(c)
}

// scratch is memory that requests use one after the other.
type scratch struct{ body, out []byte }

// maxScratch is how much of it is worth keeping.
const maxScratch = 64 << 10

func trim(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b[:0]
}

// unknown turns away a caller that cannot be told.
func (s *Server) unknown(w http.ResponseWriter, id string, problem *Problem) {
	if problem.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.refuse(w, id, problem)
}

func (s *Server) noProgram(name string) *Problem {
	var names []string
	for n := range s.programs.Load().byName {
		names = append(names, n)
	}
	return &Problem{Type: NotFound, Status: http.StatusNotFound,
		Detail: fmt.Sprintf("no program %q is served here; %s", shorten(name), listed(names))}
}

func (r *Release) noView(name, viewName string) *Problem {
	var names []string
	for _, v := range r.Engine.Views() {
		names = append(names, v.Meta().QualifiedName())
	}
	return &Problem{Type: NotFound, Status: http.StatusNotFound,
		Detail: fmt.Sprintf("the program %s has no view %q; %s", name, shorten(viewName), listed(names))}
}

// turnAway answers a request that is not admitted. It is to cost next to nothing.
func (s *Server) turnAway(w http.ResponseWriter, id string, refusal *admit.Refusal) {
	seconds := int64((refusal.RetryAfter + time.Second - 1) / time.Second)
	w.Header()["Retry-After"] = []string{fmt.Sprint(max(seconds, 1))}
	kind := Overloaded
	if refusal.Status == http.StatusTooManyRequests {
		kind = OverShare
	}
	s.refuse(w, id, &Problem{Type: kind, Status: refusal.Status, Detail: refusal.Reason})
}

// mostWithin bounds how deep programs may ask each other.
const mostWithin = 16

// Answer answers a view of a program for another one in this process; it is part
// of viewcall.Programs. Such requests were admitted with those behind them.
func (s *Server) Answer(ctx context.Context, name, viewName string, input []byte, about source.About) ([]byte, error) {
	p := s.programs.Load().byName[name]
	if p == nil {
		return nil, source.Errorf(source.Refused, "%s", s.noProgram(name).Detail)
	}
	release, err := p.take(about.Request)
	if err != nil {
		return nil, source.Errorf(source.Unavailable, "%w", err)
	}
	defer release.leave()
	v := release.views[viewName]
	if v == nil {
		return nil, source.Errorf(source.Refused, "%s", release.noView(name, viewName).Detail)
	}
	if about.Within++; about.Within > mostWithin {
		return nil, source.Errorf(source.Refused, "%d programs ask each other for this request: is there a circle through %s?", about.Within, name)
	}
	q := &query{server: s, program: name, release: release, view: v, inner: true, begin: time.Now(), about: about, scratch: new(scratch)}
	out, err := q.run(ctx, input)
	q.count(err)
	if err != nil && expired(err) {
		return nil, source.Errorf(source.Expired, "%w", err)
	}
	return out, err
}

// Notice has all answers carry a text in the header Towpath-Notice; "" ends that.
func (s *Server) Notice(text string) {
	if text == "" {
		s.notice.Store(nil)
		return
	}
	const most = 500
	values := []string{strings.Map(printable, shortenTo(text, most))}
	s.notice.Store(&values)
}

// printable drops what a header may not hold.
func printable(c rune) rune {
	if c < ' ' || c > '~' {
		return -1
	}
	return c
}
