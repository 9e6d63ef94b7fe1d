package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/source"
)

// query is a request to a view, from its admission on.
type query struct {
	server  *Server
	program string
	release *Release
	view    *view
	permit  admit.Permit
	settled bool // the permit was given back
	inner   bool // a call of another program, admitted with the request behind it
	begin   time.Time
	about   source.About
	scratch *scratch

	deadline time.Time // that the caller gave; zero without
	ran      time.Duration
	trace    engine.Trace // of views that call, and of requests that are kept
	session  *fetch.Session
	events   []fetch.Event
	shed     int
	span     span
}

// answer reads the input, answers it, and accounts for it.
func (q *query) answer(w http.ResponseWriter, r *http.Request) {
	s := q.server
	input, problem := q.input(r)
	if problem == nil {
		q.deadline, problem = deadlineOf(r.Header, q.begin)
	}
	if problem != nil {
		q.settle(false)
		q.release.counts.Requests.Add(1)
		q.release.counts.Invalid.Add(1)
		s.refuse(w, q.about.Request, problem)
		return
	}
	ctx := r.Context()
	if s.opts.Tracer != nil {
		ctx = q.startSpan(ctx, r.Header)
	} else {
		q.about.TraceParent = traceParentOf(r.Header)
	}
	out, err := q.run(ctx, input)
	q.settle(err == nil)
	q.count(err)
	if s.opts.Tracer != nil {
		q.endSpan(err)
	}
	if err != nil {
		p := problemOf(err)
		if s.opts.Tokens != nil && p.Type == ServiceFailed {
			// Addresses and what services say of themselves are for the log: who has a
			// token may be of another team.
			p.Detail = fmt.Sprintf("%s: no answer of %s: %s", q.view.name, p.Operation, source.KindOf(err))
		}
		if p.Status >= 500 && p.Type != DeadlineGone {
			s.opts.Log.Warn("a request has no answer", "program", q.program, "view", q.view.name, "request", q.about.Request, "error", err)
		}
		q.head(w.Header())
		s.refuse(w, q.about.Request, p)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	q.head(h)
	if len(out) > 2000 { // shorter ones get their length by themselves
		h["Content-Length"] = []string{strconv.Itoa(len(out))}
	}
	_, _ = w.Write(out)
}

// head writes what answers and problems alike say of the request.
func (q *query) head(h http.Header) {
	// One allocation for the values of all.
	values := [3]string{q.about.Request, q.timing(), ""}
	all := values[:]
	h["Towpath-Request"] = all[0:1:1]
	h["Server-Timing"] = all[1:2:2]
	if q.shed > 0 {
		all[2] = strconv.Itoa(q.shed)
		h["Towpath-Shed"] = all[2:3:3]
	}
}

// run answers an input.
func (q *query) run(ctx context.Context, input []byte) ([]byte, error) {
	s, v := q.server, q.view
	records := s.opts.Records
	keep := records != nil && !q.inner && records.Sample(q.about.Request)
	if !v.calls && !keep {
		begin := time.Now()
		out, err := v.engine.AppendCall(ctx, q.scratch.out[:0], input)
		q.ran = time.Since(begin)
		q.scratch.out = out
		return out, err
	}
	req := engine.Request{Input: input, Trace: &q.trace, Deadline: q.deadline}
	if most := q.begin.Add(s.opts.Timeout); req.Deadline.IsZero() || req.Deadline.After(most) {
		req.Deadline = most
	}
	if q.release.Fetcher != nil && v.calls {
		q.session = q.release.Fetcher.Session(q.about)
		req.Source = q.session
	}
	if !q.inner && q.permit.Shed() {
		req.Shed = func(engine.ScopeInfo) bool { return true }
	}
	var rec engine.Record
	if keep {
		req.Record = &rec
	}
	out, err := v.engine.Do(ctx, q.scratch.out[:0], req)
	q.scratch.out = out
	q.after()
	if keep {
		q.keep(&rec, err)
	}
	return out, err
}

// after gathers how a request with calls went.
func (q *query) after() {
	for _, p := range q.trace.Passes {
		q.ran += p.End.Sub(p.Begin)
	}
	for _, v := range q.trace.Verdicts {
		if v.Shed {
			q.shed++
		}
	}
	if q.session != nil {
		q.events = q.session.Events()
	}
}

// calls is how many calls the request made itself.
func (q *query) calls() int {
	n := 0
	for _, e := range q.events {
		n += e.Calls - e.Hits - e.Joined
	}
	return n
}

// settle gives the permit back, once.
func (q *query) settle(ok bool) {
	if !q.inner && !q.settled {
		q.settled = true
		q.permit.Done(q.ran, q.calls(), ok)
	}
}

// count accounts for how the request ended.
func (q *query) count(err error) {
	c := &q.release.counts
	c.Requests.Add(1)
	c.CPU.Add(int64(q.ran))
	c.Shed.Add(int64(q.shed))
	var input *engine.InputError
	var fault *engine.Fault
	var call *engine.CallError
	var limit *engine.LimitError
	how, fallbacks := errorOutcome, 0
	switch {
	case err == nil:
		how, fallbacks = answered, q.fallbacks()
		c.Answered.Add(1)
		c.Fallbacks.Add(int64(fallbacks))
	case errors.As(err, &input):
		c.Invalid.Add(1)
	case errors.As(err, &fault):
		how = faultOutcome
		c.Faults.Add(1)
	case expired(err):
		if how = timeoutOutcome; q.waited(time.Now()) {
			how = serviceOutcome
		}
		c.Expired.Add(1)
	case errors.As(err, &call):
		how = serviceOutcome
		c.Failed.Add(1)
	case errors.Is(err, context.Canceled):
		how = gone
		c.Abandoned.Add(1)
	case errors.As(err, &limit):
		how = faultOutcome
		c.Limits.Add(1)
	default:
		c.Broken.Add(1)
	}
	took := time.Since(q.begin)
	q.view.metrics.observe(took, q.about.Request, q.span.sampled)
	if !q.inner { // those of one root request are one
		q.view.tally.count(how, took, q.ran, fallbacks > 0, q.shed > 0)
	}
}

// waited reports whether one call that did not come had more than half of a request's time until
// now: then it is that service's doing that the time was up, and else the program's, which makes many
// calls one after the other, or computes.
func (q *query) waited(now time.Time) bool {
	half := now.Sub(q.begin) / 2
	for _, e := range q.events {
		if e.Failed > 0 && e.End.Sub(e.Begin) > half {
			return true
		}
	}
	return false
}

// fallbacks is how many times an else stood in for what did not come.
func (q *query) fallbacks() int {
	n := q.trace.Failed
	for _, v := range q.trace.Verdicts {
		if !v.Shed {
			n++
		}
	}
	return n
}

// keep puts the request among the records.
func (q *query) keep(rec *engine.Record, err error) {
	e := &record.Entry{
		ID: q.about.Request, Program: q.program, Begin: q.begin, Took: time.Since(q.begin),
		Criticality: q.about.Criticality, Caller: q.about.Caller, Trace: q.story(), Record: *rec,
	}
	q.release.redactor.Redact(e, err)
	q.server.opts.Records.Put(e) // what it drops it counts
}

// input reads the request's input as JSON.
func (q *query) input(r *http.Request) ([]byte, *Problem) {
	if r.Method == http.MethodGet {
		return q.view.fromQuery(q.scratch.body[:0], r.URL.RawQuery)
	}
	most := q.server.opts.MaxBody
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	b, err := readAll(q.scratch.body[:0], r.Body, r.ContentLength, most)
	q.scratch.body = b
	var timeout net.Error
	switch {
	case err == errTooLarge:
		return nil, tooLarge(most)
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, &Problem{Type: TooSlow, Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time"}
	case err != nil:
		return nil, &Problem{Type: InvalidInput, Status: http.StatusBadRequest, Detail: "the body cannot be read to its end: " + err.Error()}
	}
	return b, nil
}

func tooLarge(most int64) *Problem {
	return &Problem{Type: TooLarge, Status: http.StatusRequestEntityTooLarge, Detail: "the body has more than " + strconv.FormatInt(most, 10) + " bytes"}
}

var errTooLarge = errors.New("the body is too large")

// readAll reads a body of a length, -1 when it is not known, into b.
func readAll(b []byte, body io.Reader, length, most int64) ([]byte, error) {
	if room := min(length, 64<<10) + 1; int64(cap(b)) < room {
		b = make([]byte, 0, room)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > most:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}
