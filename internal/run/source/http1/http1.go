// Package http1 carries HTTP/1.1 requests to one host, each written and read by
// the goroutine that asks.
//
// net/http's Transport gives each connection two goroutines of its own, since it
// cannot know who reads an answer and when. Here answers are read to their end by
// those who asked, so nothing is handed from goroutine to goroutine: a round over
// loopback takes about two thirds of the time, and a request that waits keeps one
// stack and not three. Requests and responses themselves are net/http's to write
// and to parse.
//
// A [Transport] is an http.RoundTripper without redirects, proxies, cookies and
// HTTP/2. Response bodies are to be read to their end or closed, in the goroutine
// that asked or after it.
package http1

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Transport is connections to a host. It is safe for concurrent use. The fields
// are set before the first request.
type Transport struct {
	// Dial makes a connection to the host.
	Dial func(ctx context.Context) (net.Conn, error)
	// Connections are at most open at once; requests beyond them wait.
	Connections int
	// Idle is how long a connection waits for the next request.
	Idle time.Duration
	// Headers bounds the bytes of a response's headers.
	Headers int64

	mu      sync.Mutex
	idle    []*conn // the one last used at the end
	open    int     // idle ones, those in use and those being made
	waiting []*waiter
	sweep   *time.Timer // runs while there are idle ones
	closed  bool
}

// waiter is a request for which there was no connection: it gets one, or with nil
// leave to make one.
type waiter struct{ turn chan *conn }

// conn is a connection. Who has taken it owns it.
type conn struct {
	net.Conn
	transport *Transport
	in        *bufio.Reader
	out       *bufio.Writer
	left      int64 // bytes that may be read yet, while headers are
	sent      int64 // bytes of the request that were written
	ear       ear
	since     time.Time
}

// BrokenError is what went wrong after the first byte of a response had come: the
// host is there, and what it says is no answer.
type BrokenError struct{ Err error }

func (e *BrokenError) Error() string { return e.Err.Error() }
func (e *BrokenError) Unwrap() error { return e.Err }

var (
	errClosed  = errors.New("the transport is closed")
	errHeaders = errors.New("the response's headers are too large")
)

// Read is part of net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeaders
	}
	if int64(len(b)) > c.left {
		b = b[:c.left]
	}
	n, err := c.Conn.Read(b)
	c.left -= int64(n)
	return n, err
}

// Write is part of net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent += int64(n)
	return n, err
}

// noLimit is more than any body has.
const noLimit = 1 << 62

// RoundTrip is part of http.RoundTripper. A request that a connection swallowed
// which the host was about to close is sent once more, on a new one: if nothing of
// it was sent, or it only reads. The host may have done what any other asks.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	c, reused, err := t.take(ctx, false)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	zip := r.Method != http.MethodHead && len(r.Header["Accept-Encoding"]) == 0
	resp, began, err := c.exchange(ctx, r, zip)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if err == nil || !reused || began || c.sent > 0 && !reads || ctx.Err() != nil || r.Body != nil && r.GetBody == nil {
		return resp, err
	}
	again := r
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		again = r.WithContext(ctx)
		again.Body = body
	}
	if c, _, err = t.take(ctx, true); err != nil {
		closeBody(again)
		return nil, err
	}
	resp, _, err = c.exchange(ctx, again, zip)
	return resp, err
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// take gives a connection: an idle one unless it must be new.
func (t *Transport) take(ctx context.Context, fresh bool) (c *conn, reused bool, err error) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, false, errClosed
	}
	if n := len(t.idle); n > 0 {
		c := t.idle[n-1]
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		if !fresh && time.Since(c.since) < t.Idle && c.ear.quiet() {
			return c, true, nil
		}
		_ = c.Conn.Close() // its place is this request's
		return t.dial(ctx)
	}
	if t.open < t.Connections {
		t.open++
		t.mu.Unlock()
		return t.dial(ctx)
	}
	w := &waiter{make(chan *conn, 1)}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case c := <-w.turn:
		if c == nil {
			return t.dial(ctx)
		}
		if fresh || !c.ear.quiet() {
			_ = c.Conn.Close()
			return t.dial(ctx)
		}
		return c, true, nil
	case <-ctx.Done():
		t.giveUp(w)
		return nil, false, ctx.Err()
	}
}

// giveUp takes a waiter back, and hands on what it was given meanwhile.
func (t *Transport) giveUp(w *waiter) {
	t.mu.Lock()
	for i, other := range t.waiting {
		if other == w {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	if c := <-w.turn; c != nil {
		t.give(c)
	} else {
		t.leave()
	}
}

// dial makes a connection in a place that is taken already.
func (t *Transport) dial(ctx context.Context) (*conn, bool, error) {
	nc, err := t.Dial(ctx)
	if err != nil {
		t.leave()
		return nil, false, err
	}
	c := &conn{Conn: nc, transport: t}
	c.ear.open(nc)
	c.in, c.out = bufio.NewReaderSize(c, 4<<10), bufio.NewWriterSize(c, 4<<10)
	return c, false, nil
}

// leave gives a place back.
func (t *Transport) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.waiting); n > 0 && !t.closed {
		t.waiting[0].turn <- nil
		t.waiting = t.waiting[1:]
		return
	}
	t.open--
}

// give makes a connection available to the next request.
func (t *Transport) give(c *conn) {
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		t.open--
		_ = c.Conn.Close()
	case len(t.waiting) > 0:
		t.waiting[0].turn <- c
		t.waiting = t.waiting[1:]
	default:
		t.idle = append(t.idle, c)
		if t.sweep == nil {
			t.sweep = time.AfterFunc(t.Idle, t.sweepIdle)
		}
	}
}

// drop closes a connection that is of no more use.
func (c *conn) drop() {
	_ = c.Conn.Close()
	c.transport.leave()
}

// sweepIdle closes the connections that nobody has used for long.
func (t *Transport) sweepIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep = nil
	now, old := time.Now(), 0
	for old < len(t.idle) && now.Sub(t.idle[old].since) >= t.Idle {
		_ = t.idle[old].Conn.Close()
		old++
	}
	t.idle = append(t.idle[:0], t.idle[old:]...)
	t.open -= old
	if len(t.idle) > 0 && !t.closed {
		t.sweep = time.AfterFunc(t.Idle-now.Sub(t.idle[0].since), t.sweepIdle)
	}
}

// CloseIdleConnections closes those that no request uses, and has the others closed
// when theirs ends.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.idle {
		_ = c.Conn.Close()
	}
	t.open -= len(t.idle)
	t.idle = nil
	if t.sweep != nil {
		t.sweep.Stop()
		t.sweep = nil
	}
}

// past is a deadline that ends whatever is under way.
var past = time.Unix(1, 0)

// most1xx bounds the interim responses before one, as net/http does.
const most1xx = 5

// exchange sends a request and reads the head of its response; with zip it asks
// for a compressed one. began reports that the response had begun when it failed.
func (c *conn) exchange(ctx context.Context, r *http.Request, zip bool) (resp *http.Response, began bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(past) })
	fail := func(err error) (*http.Response, bool, error) {
		stop()
		c.drop()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if began {
			err = &BrokenError{err}
		}
		return nil, began, err
	}
	if zip {
		r.Header["Accept-Encoding"] = gzipOnly
	}
	c.left, c.sent = c.transport.Headers, 0
	if err = r.Write(c.out); err == nil {
		err = c.out.Flush()
	}
	whole := err == nil // else the connection is of no more use
	if err != nil {
		// A host may refuse a body before it has read it.
		if _, peek := c.in.Peek(1); peek != nil {
			return fail(err)
		}
	}
	if _, err := c.in.Peek(1); err != nil {
		return fail(err)
	}
	began = true
	for range most1xx {
		if resp, err = http.ReadResponse(c.in, r); err != nil {
			return fail(err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		return fail(errors.New("too many interim responses"))
	}
	c.left = noLimit
	b := &body{ReadCloser: resp.Body, conn: c, stop: stop, keep: !resp.Close && resp.StatusCode != http.StatusSwitchingProtocols && whole, ctx: ctx}
	resp.Body = b
	if resp.ContentLength == 0 || resp.StatusCode == http.StatusSwitchingProtocols || r.Method == http.MethodHead || bodyless(resp.StatusCode) {
		b.end(b.keep)
		resp.Body = http.NoBody
		return resp, true, nil
	}
	if zip && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
		resp.Body = &unzipped{body: b}
	}
	return resp, true, nil
}

var gzipOnly = []string{"gzip"}

func bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// body is a response's body, which gives its connection back at its end.
type body struct {
	io.ReadCloser
	conn *conn
	stop func() bool
	keep bool // the connection lives on
	ctx  context.Context
	done bool
}

// Read is part of io.ReadCloser.
func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if err != io.EOF && b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.end(err == io.EOF)
	}
	return n, err
}

// Close is part of io.ReadCloser. What is left of the body costs the connection.
func (b *body) Close() error {
	b.end(false)
	return nil
}

func (b *body) end(whole bool) {
	if b.done {
		return
	}
	b.done = true
	// A deadline that came too late may still be set on the connection.
	if quiet := b.stop(); quiet && whole && b.keep && b.conn.in.Buffered() == 0 {
		b.conn.transport.give(b.conn)
		return
	}
	b.conn.drop()
}

// unzipped is a compressed body. The reader is made when it is first read, so that
// its error is the body's.
type unzipped struct {
	body *body
	zip  *gzip.Reader
	err  error
}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.zip == nil && u.err == nil {
		u.zip, u.err = gzip.NewReader(u.body)
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.zip.Read(p)
	if err == io.EOF {
		// The trailer of chunks stands behind the compressed data.
		if m, more := u.body.Read(make([]byte, 1)); m > 0 || more != io.EOF {
			u.body.end(false)
		}
	}
	return n, err
}

func (u *unzipped) Close() error { return u.body.Close() }
