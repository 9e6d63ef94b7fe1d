package httpjson

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/http1"
)

// The headers that say on whose behalf a call is.
const (
	headerDeadline    = "Towpath-Deadline" // milliseconds that are left, at least 1
	headerRequest     = "Towpath-Request"
	headerCriticality = "Towpath-Criticality"
	headerTraceParent = "Traceparent"
)

// request is how calls become an HTTP request.
type request struct {
	method  string
	where   string // "GET from http://prices.internal", for messages: nothing of it is secret
	header  http.Header
	target  *target
	body    body    // nil without
	members members // for the body
}

// where says in messages what is asked.
func (s *Source) where(method string) string {
	preposition := " to "
	if method == http.MethodGet || method == http.MethodHead {
		preposition = " from "
	}
	return method + preposition + s.scheme + "://" + s.host
}

// ask sends the request for the calls in m, and reads the response into m.body.
// The error is a *source.Error; a response of any status is none.
func (s *Source) ask(ctx context.Context, r *request, m *scratch, about *source.About) (*reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, expired(r.where, err)
	}
	req, err := s.newRequest(r, m)
	if err != nil {
		return nil, err
	}
	bounded, left, cancel := s.bound(ctx)
	defer cancel()
	req.Header = headersOf(r.header, about, left)
	// A response has begun with its first byte: a failure after it is the
	// response's, one before it the connection's.
	resp, began, err := s.roundTrip(bounded, req)
	if err == nil {
		defer resp.Body.Close()
		if r.method == http.MethodHead { // its headers are those of another response
			return &reply{status: resp.StatusCode, header: resp.Header}, nil
		}
		return s.read(ctx, bounded, r.where, resp, m)
	}
	switch {
	case bounded.Err() != nil:
		return nil, s.late(ctx, bounded, r.where)
	case began:
		return nil, source.Errorf(source.Unfit, "%s: the response is broken: %w", r.where, err)
	}
	return nil, unreachable(r.where, err)
}

// roundTrip sends a request. began reports that its response had begun when it
// failed.
func (s *Source) roundTrip(ctx context.Context, req *http.Request) (resp *http.Response, began bool, err error) {
	if direct, ok := s.transport.(*http1.Transport); ok {
		resp, err = direct.RoundTrip(req.WithContext(ctx))
		var broken *http1.BrokenError
		return resp, errors.As(err, &broken), err
	}
	var first atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { first.Store(true) }})
	resp, err = s.transport.RoundTrip(req.WithContext(traced))
	return resp, first.Load(), err
}

// bound gives the context that ends with the source's timeout, if that is earlier,
// and how long it lasts from now on.
func (s *Source) bound(ctx context.Context) (context.Context, time.Duration, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left <= s.timeout {
			return ctx, left, func() {}
		}
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	return bounded, s.timeout, cancel
}

// late is the error when bounded has ended: with the call's own time, or the
// source's.
func (s *Source) late(ctx, bounded context.Context, where string) error {
	if err := ctx.Err(); err != nil {
		return expired(where, err)
	}
	return source.Errorf(source.Expired, "%s: no answer within %s, the `timeout` of the source: %w", where, s.timeout, bounded.Err())
}

func expired(where string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return source.Errorf(source.Expired, "%s: no answer in time: %w", where, err)
	}
	return source.Errorf(source.Expired, "%s: the answer is not wanted any more: %w", where, err)
}

// newRequest fills the templates in.
func (s *Source) newRequest(r *request, m *scratch) (*http.Request, error) {
	target := append(m.target[:0], s.path...)
	var err error
	if target, err = r.target.appendPath(target, &m.calls); err != nil {
		return nil, err
	}
	queryAt := len(target)
	if target, err = r.target.appendQuery(append(target, s.query...), queryAt, &m.calls); err != nil {
		return nil, err
	}
	m.target = target
	text := string(target)
	u := &url.URL{Scheme: s.scheme, Host: s.host, RawPath: text[:queryAt], RawQuery: text[queryAt:]}
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, source.Errorf(source.Failed, "%s: the path is none: %w", r.where, err)
	}
	if u.Path == "" {
		u.Path, u.RawPath = "/", ""
	}
	req := &http.Request{Method: r.method, URL: u, Host: s.host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if hosts := r.header["Host"]; len(hosts) > 0 {
		req.Host = hosts[0]
	}
	if r.body == nil {
		return req, nil
	}
	// The transport may read the body for a while after the response came, so its
	// memory is not used again.
	content := make([]byte, 0, r.body.size(r.members, &m.calls))
	if content, err = r.body.append(content, r.members, &m.calls); err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(content))
	// With GetBody, the transport may send again what a dying connection did not
	// take.
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	req.Body, err = req.GetBody()
	return req, err
}

// headersOf are the headers of one request. What no header can carry is left out.
func headersOf(static http.Header, about *source.About, left time.Duration) http.Header {
	h := make(http.Header, len(static)+4)
	maps.Copy(h, static)
	delete(h, "Host")
	criticality := about.Criticality
	if criticality == "" {
		criticality = "default"
	}
	values := make([]string, 0, 4)
	set := func(name, value string) {
		if value == "" || !httpguts.ValidHeaderFieldValue(value) {
			return
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set(headerDeadline, strconv.FormatInt(max(left.Milliseconds(), 1), 10))
	set(headerRequest, about.Request)
	set(headerCriticality, criticality)
	set(headerTraceParent, about.TraceParent)
	return h
}

// read reads a response whole, within the limits. Of one that is no answer only
// the beginning is of use, and the rest just frees the connection: when that fails
// or is too much, the connection is closed.
func (s *Source) read(ctx, bounded context.Context, where string, resp *http.Response, m *scratch) (*reply, error) {
	re := &reply{status: resp.StatusCode, header: resp.Header}
	most := s.most
	if !re.ok() {
		most = min(most, mostRefusal)
	}
	if re.ok() && resp.ContentLength > int64(most) {
		return nil, s.tooLarge(where)
	}
	var err error
	m.body, err = readAll(resp.Body, m.body[:0], resp.ContentLength, most)
	re.body = m.body
	switch {
	case !re.ok() || err == nil:
	case bounded.Err() != nil:
		return nil, s.late(ctx, bounded, where)
	case errors.Is(err, errTooLarge):
		return nil, s.tooLarge(where)
	default:
		return nil, source.Errorf(source.Unfit, "%s: the response broke off after %d bytes: %w", where, len(m.body), err)
	}
	if coding := resp.Header.Get("Content-Encoding"); re.ok() && coding != "" && coding != "identity" {
		return nil, source.Errorf(source.Unfit, "%s: the response is encoded as %q, which was not asked for", where, excerpt([]byte(coding), 40))
	}
	return re, nil
}

func (s *Source) tooLarge(where string) error {
	return source.Errorf(source.Unfit, "%s: the response has more than %d bytes, the `max_answer` of the source", where, s.most)
}

var errTooLarge = errors.New("too large")

// readAll reads into buf until the end, or until more than most bytes came.
// length is how many are announced, -1 when unknown; it is believed only so far
// as it costs little.
func readAll(from io.Reader, buf []byte, length int64, most int) ([]byte, error) {
	const believed = 64 << 10
	if want := int(min(max(length, 0), believed, int64(most))) + 1; cap(buf) < want {
		buf = make([]byte, 0, max(want, 4<<10))
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := from.Read(buf[len(buf):min(cap(buf), most+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > most:
			return buf[:most], errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}
