package serve

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// loop serves HTTP/1.1 without TLS: one goroutine a connection reads requests with
// net/http's parser, and writes each answer at once. net/http's own server has a
// second goroutine listen for the client's end during every request, and writes
// through three buffers; that took more than the views. Here somebody listens once a
// request asks whether its client has left, which views without calls never do.
//
// HTTP/2 is net/http's: its connections are handed on.
type loop struct {
	handler  http.Handler
	limits   Limits
	gate     *gate
	http2    *handed
	draining atomic.Bool
	conns    sync.WaitGroup
	panicked func(any)
}

// newLoop makes a loop whose limits are filled in.
func newLoop(h http.Handler, limits Limits, g *gate, panicked func(any)) *loop {
	return &loop{handler: h, limits: limits, gate: g, http2: newHanded(g.Addr()), panicked: panicked}
}

// accept serves the gate's connections until it is closed.
func (l *loop) accept() error {
	pause := time.Duration(0)
	for {
		c, err := l.gate.Accept()
		if err != nil {
			if temporary(err) && !l.draining.Load() {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				time.Sleep(pause) // as net/http does: files may be short
				continue
			}
			return err
		}
		pause = 0
		l.gate.state(c, http.StateNew)
		l.conns.Add(1)
		go func() {
			defer l.conns.Done()
			k := &wire{Conn: c, loop: l}
			if !k.serve() {
				k.linger()
				l.gate.state(c, http.StateClosed)
				_ = c.Close()
			}
		}()
	}
}

func temporary(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout() || strings.Contains(err.Error(), "too many open files")
}

// shutdown lets requests under way end, and closes what idles. It returns when
// nothing is left, or the context ends, and cuts off the rest then.
func (l *loop) shutdown(ctx context.Context) {
	l.draining.Store(true)
	_ = l.gate.Close()
	l.gate.closeIdle()
	done := make(chan struct{})
	go func() { l.conns.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		l.gate.closeAll()
		<-done
	}
}

// wire is a connection.
type wire struct {
	net.Conn
	loop       *loop
	in         *bufio.Reader
	left       int64 // bytes that may be read yet, while a head is
	out        []byte
	writeUntil time.Time // the deadline that is set for writing
	rest       bool      // there is more of the last request than was read
}

var errHead = errors.New("the head is too large")

// Read is part of net.Conn.
func (k *wire) Read(b []byte) (int, error) {
	if k.left <= 0 {
		return 0, errHead
	}
	if int64(len(b)) > k.left {
		b = b[:k.left]
	}
	n, err := k.Conn.Read(b)
	k.left -= int64(n)
	return n, err
}

// unbounded is more than any body has.
const unbounded = 1 << 62

// serve serves requests until one is the last. It reports whether the connection
// was handed on.
func (k *wire) serve() (handed bool) {
	l := k.loop
	k.in = bufio.NewReaderSize(k, 4<<10)
	for first := true; ; first = false {
		wait := l.limits.Idle
		if first {
			wait = l.limits.Header
		} else {
			l.gate.state(k.Conn, http.StateIdle)
			if l.draining.Load() {
				return false
			}
		}
		k.left = int64(l.limits.HeaderBytes) + 4<<10
		_ = k.SetReadDeadline(time.Now().Add(wait))
		if _, err := k.in.Peek(1); err != nil {
			return false
		}
		l.gate.state(k.Conn, http.StateActive)
		begin := time.Now()
		if !k.headIsHere() {
			_ = k.SetReadDeadline(begin.Add(l.limits.Header))
		}
		if first {
			if start, err := k.in.Peek(4); err == nil && string(start) == "PRI " {
				l.gate.state(k.Conn, http.StateHijacked) // net/http tells of it from here on
				return l.http2.hand(k.Conn, k.in)
			}
		}
		r, err := http.ReadRequest(k.in)
		if err != nil {
			k.refuse(err)
			return false
		}
		if status := check(r); status != 0 {
			k.plain(status)
			return false
		}
		k.left = unbounded
		if r.ContentLength < 0 || r.ContentLength > int64(k.in.Buffered()) {
			_ = k.SetReadDeadline(begin.Add(l.limits.Body))
		}
		if k.writeUntil.Sub(begin) < l.limits.Write {
			// Setting it costs, and half as long again is as good.
			k.writeUntil = begin.Add(l.limits.Write + l.limits.Write/2)
			_ = k.SetWriteDeadline(k.writeUntil)
		}
		if !k.answer(r) {
			return false
		}
	}
}

// headIsHere reports whether the head of the next request has come already, as it
// does in one piece from most clients: then it needs no deadline.
func (k *wire) headIsHere() bool {
	b, err := k.in.Peek(k.in.Buffered())
	return err == nil && bytes.Contains(b, []byte("\r\n\r\n"))
}

// check refuses what net/http's server refuses after it has parsed a request; 0 is
// fine.
func check(r *http.Request) int {
	switch {
	case r.ProtoMajor != 1:
		return http.StatusHTTPVersionNotSupported
	case r.ProtoAtLeast(1, 1) && r.Host == "" && r.Method != http.MethodConnect, r.Host != "" && !httpguts.ValidHostHeader(r.Host):
		return http.StatusBadRequest
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return http.StatusBadRequest
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return http.StatusBadRequest
			}
		}
	}
	if expect := r.Header.Get("Expect"); expect != "" && !strings.EqualFold(expect, "100-continue") {
		return http.StatusExpectationFailed
	}
	return 0
}

// refuse answers a head that is none.
func (k *wire) refuse(err error) {
	switch {
	case errors.Is(err, errHead):
		k.plain(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		k.plain(http.StatusRequestTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.As(err, new(*net.OpError)): // nobody is there
	case strings.Contains(err.Error(), "unsupported transfer encoding"):
		k.plain(http.StatusNotImplemented)
	default:
		k.plain(http.StatusBadRequest)
	}
}

// plain answers with a status alone, and closes.
func (k *wire) plain(status int) {
	k.rest = true
	_ = k.SetWriteDeadline(time.Now().Add(time.Second))
	text := strconv.Itoa(status) + " " + http.StatusText(status)
	_, _ = io.WriteString(k.Conn, "HTTP/1.1 "+text+"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+text)
}

// answer has a request answered, and reports whether another may follow.
func (k *wire) answer(r *http.Request) (more bool) {
	r.RemoteAddr = k.RemoteAddr().String()
	ctx := &presence{Context: context.Background(), wire: k}
	w := &reply{wire: k, header: make(http.Header, 8), request: r}
	body := &incoming{from: r.Body, wire: k, awaited: strings.EqualFold(r.Header.Get("Expect"), "100-continue")}
	r.Body = body
	defer func() {
		ctx.end()
		if p := recover(); p != nil {
			more = false
			if p != http.ErrAbortHandler {
				k.loop.panicked(p)
			}
		}
	}()
	k.loop.handler.ServeHTTP(w, r.WithContext(ctx))
	ctx.end()
	k.rest = !body.drained(r.ContentLength)
	w.last = r.Close || k.rest || k.loop.draining.Load() || ctx.gone
	return w.send() == nil && !w.last
}

// linger takes what the client still sends for a moment, where something was
// answered before all of it was read: closing at once would have the answer thrown
// away on its way.
func (k *wire) linger() {
	c, ok := k.Conn.(interface{ CloseWrite() error })
	if !ok || !k.rest || c.CloseWrite() != nil {
		return
	}
	_ = k.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, k.Conn, mostDrained)
}

// mostDrained is how much of a body that nobody read is read for the sake of the
// next request.
const mostDrained = 256 << 10

// incoming is a request's body.
type incoming struct {
	from    io.ReadCloser
	wire    *wire
	awaited bool // the client waits to be told that its body is wanted
	done    bool
	err     error
}

// Read is part of io.ReadCloser.
func (b *incoming) Read(p []byte) (int, error) {
	if b.awaited {
		b.awaited = false
		if _, err := io.WriteString(b.wire.Conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	n, err := b.from.Read(p)
	if err == io.EOF {
		b.done = true
	} else if err != nil {
		b.err = err
	}
	return n, err
}

// Close is part of io.ReadCloser.
func (b *incoming) Close() error { return nil }

// drained reads the rest of the body, if it is little, and reports whether its end
// was reached.
func (b *incoming) drained(length int64) bool {
	switch {
	case b.done || length == 0:
		return true
	case b.err != nil, b.awaited, length > mostDrained:
		return false
	}
	n, err := io.CopyN(io.Discard, b.from, mostDrained)
	return err == io.EOF && n < mostDrained
}

// reply gathers an answer.
type reply struct {
	wire    *wire
	request *http.Request
	header  http.Header
	status  int
	body    []byte
	last    bool // the connection ends with it
}

// Header, WriteHeader and Write are http.ResponseWriter's.
func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *reply) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, b...)
	return len(b), nil
}

// send writes the answer in one go.
func (w *reply) send() error {
	w.WriteHeader(http.StatusOK)
	k := w.wire
	b := append(k.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(append(append(b, ' '), http.StatusText(w.status)...), "\r\nDate: "...)
	b = append(b, dateNow()...)
	b = append(b, "\r\n"...)
	delete(w.header, "Content-Length")
	for name, values := range w.header {
		for _, v := range values {
			if httpguts.ValidHeaderFieldValue(v) { // what is none would end the head
				b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
			}
		}
	}
	if w.status != http.StatusNoContent && w.status != http.StatusNotModified {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(w.body)), 10), "\r\n"...)
	}
	switch {
	case w.last:
		b = append(b, "Connection: close\r\n"...)
	case !w.request.ProtoAtLeast(1, 1):
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if w.request.Method != http.MethodHead {
		b = append(b, w.body...)
	}
	_, err := k.Conn.Write(b)
	if k.out = b; cap(b) > maxScratch {
		k.out = nil
	}
	return err
}

// dateNow is the Date header's text, made once a second.
func dateNow() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	d := &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
	lastDate.Store(d)
	return d.text
}

type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

// presence is a request's context: it ends when the client leaves, and with the
// request. Only once somebody asks for that is the connection listened to.
type presence struct {
	context.Context
	wire *wire
	gone bool // the client has left; to be read after end

	mu    sync.Mutex
	done  chan struct{} // made when it is first asked for
	err   error
	after []*func()
	ended bool
	heard chan struct{} // closed when nobody listens any more; nil when nobody did
}

// Done is part of context.Context.
func (p *presence) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.err != nil {
			close(p.done)
		} else {
			p.heard = make(chan struct{})
			_ = p.wire.SetReadDeadline(time.Time{})
			go p.listen()
		}
	}
	return p.done
}

// Err is part of context.Context.
func (p *presence) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// AfterFunc is context.AfterFunc for those who derive a context of this one.
func (p *presence) AfterFunc(run func()) (stop func() bool) {
	p.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		go run()
		return func() bool { return false }
	}
	entry := &run
	p.after = append(p.after, entry)
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.Index(p.after, entry)
		if i < 0 {
			return false
		}
		p.after = slices.Delete(p.after, i, i+1)
		return true
	}
}

// listen waits for the client's end. What it sends meanwhile is the next request.
func (p *presence) listen() {
	_, err := p.wire.in.Peek(1)
	p.mu.Lock()
	if err != nil && !p.ended {
		p.gone = true
		p.cancel()
	}
	p.mu.Unlock()
	close(p.heard)
}

// cancel ends the context. p.mu is held.
func (p *presence) cancel() {
	if p.err != nil {
		return
	}
	p.err = context.Canceled
	if p.done != nil {
		close(p.done)
	}
	for _, run := range p.after {
		go (*run)()
	}
	p.after = nil
}

// end ends the context, and the listening before the connection is read on.
func (p *presence) end() {
	p.mu.Lock()
	p.ended = true
	p.cancel()
	heard := p.heard
	p.mu.Unlock()
	if heard != nil {
		_ = p.wire.SetReadDeadline(time.Unix(1, 0))
		<-heard
	}
}

// handed is a listener of the connections that are handed on.
type handed struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHanded(addr net.Addr) *handed {
	return &handed{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// hand hands a connection on, with what was read of it already.
func (h *handed) hand(c net.Conn, in *bufio.Reader) bool {
	start, err := in.Peek(in.Buffered())
	if err != nil {
		return false
	}
	select {
	case h.conns <- &resumed{c, bytes.NewReader(bytes.Clone(start))}:
		return true
	case <-h.closed:
		return false
	}
}

// Accept, Close and Addr are net.Listener's.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handed) Addr() net.Addr { return h.addr }

// resumed is a connection whose first bytes were read before.
type resumed struct {
	net.Conn
	start *bytes.Reader
}

func (r *resumed) Read(b []byte) (int, error) {
	if r.start.Len() > 0 {
		return r.start.Read(b)
	}
	return r.Conn.Read(b)
}
