package serve

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Limits bound what connections may cost. The zero value works.
type Limits struct {
	// Connections that may be open. When there are more, those that have been idle
	// longest are closed; when none is idle, new ones wait. 0: 10,000.
	Connections int
	// Header is how long a request's headers may take, and a new connection's first
	// bytes. 0: 5 s.
	Header time.Duration
	// Body is how long a whole request may take to arrive. 0: 30 s.
	Body time.Duration
	// Write is how long its answer may take to be taken, from the end of its headers.
	// 0: 60 s.
	Write time.Duration
	// Idle is how long a connection may wait for its next request. 0: 2 min.
	Idle time.Duration
	// HeaderBytes bounds a request's headers. 0: 32 KiB.
	HeaderBytes int
}

func orElse[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Serve answers on a listener until the context ends, then drains: /readyz says no
// for the time of grace, requests under way end, and what is left after as long
// again is cut off. With a TLS configuration it speaks TLS.
func (s *Server) Serve(ctx context.Context, l net.Listener, limits Limits, secure *tls.Config, grace time.Duration) error {
	limits = limits.filled()
	door := newGate(l, limits.Connections)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(secure != nil)
	protocols.SetUnencryptedHTTP2(secure == nil)
	h := &http.Server{
		Handler: s, TLSConfig: secure, Protocols: &protocols,
		ReadHeaderTimeout: limits.Header, ReadTimeout: limits.Body, WriteTimeout: limits.Write, IdleTimeout: limits.Idle,
		MaxHeaderBytes: limits.HeaderBytes, ConnState: door.state, ErrorLog: log.New(quiet{s.opts.Log}, "", 0),
	}
	var plain *loop
	served := make(chan error, 2)
	if secure != nil {
		go func() { served <- h.ServeTLS(door, "", "") }()
	} else {
		plain = newLoop(s, limits, door, func(p any) { s.opts.Log.Error("a request panicked", "panic", p, "stack", string(debug.Stack())) })
		go func() { served <- h.Serve(plain.http2) }()
		go func() { served <- plain.accept() }()
	}
	var failed error
	select {
	case failed = <-served:
	case <-ctx.Done():
	}
	s.Drain()
	if grace > 0 && failed == nil {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case failed = <-served:
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(grace, time.Second))
	defer cancel()
	if plain != nil {
		plain.shutdown(last)
	}
	if err := h.Shutdown(last); err != nil {
		_ = h.Close()
	}
	if failed != nil && !errors.Is(failed, http.ErrServerClosed) {
		return failed
	}
	return nil
}

// filled has the defaults for what is not said.
func (l Limits) filled() Limits {
	return Limits{
		Connections: orElse(l.Connections, 10_000), Header: orElse(l.Header, 5*time.Second), Body: orElse(l.Body, 30*time.Second),
		Write: orElse(l.Write, time.Minute), Idle: orElse(l.Idle, 2*time.Minute), HeaderBytes: orElse(l.HeaderBytes, 32<<10),
	}
}

// quiet hands on what net/http has to say of broken connections.
type quiet struct{ log *slog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	q.log.Debug("http", "message", string(b))
	return len(b), nil
}

// gate is a listener that bounds the connections that are open.
type gate struct {
	net.Listener
	most int

	mu   sync.Mutex
	open map[net.Conn]*list.Element // of idle, nil while a request is under way
	idle list.List                  // of net.Conn, idle longest first
	room *sync.Cond
	shut bool
}

func newGate(l net.Listener, most int) *gate {
	g := &gate{Listener: l, most: most, open: map[net.Conn]*list.Element{}}
	g.room = sync.NewCond(&g.mu)
	return g
}

// Accept makes room for the connection that it gives, or waits until there is some;
// the rest wait with the kernel meanwhile.
func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.open) >= g.most && !g.shut {
		if oldest := g.idle.Front(); oldest != nil {
			old := oldest.Value.(net.Conn)
			g.forget(old)
			go old.Close()
			continue
		}
		g.room.Wait()
	}
	return c, nil
}

// Close ends Accept, also one that waits for room.
func (g *gate) Close() error {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	g.room.Broadcast()
	return g.Listener.Close()
}

// closeIdle closes the connections that wait for a request.
func (g *gate) closeIdle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for e := g.idle.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
}

// closeAll closes all connections.
func (g *gate) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		_ = c.Close()
	}
}

// state follows the connections; it is for http.Server.ConnState.
func (g *gate) state(c net.Conn, to http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch to {
	case http.StateNew, http.StateIdle:
		if old, known := g.open[c]; known && old != nil {
			g.idle.Remove(old)
		} else if !known && to == http.StateIdle {
			return // closed to make room
		}
		g.open[c] = g.idle.PushBack(c)
		g.room.Signal() // there is one that may be closed
	case http.StateActive:
		if old, known := g.open[c]; known {
			if old != nil {
				g.idle.Remove(old)
			}
			g.open[c] = nil
		}
	case http.StateClosed, http.StateHijacked:
		g.forget(c)
	}
}

// forget takes a connection out of those that count. g.mu is held.
func (g *gate) forget(c net.Conn) {
	at, known := g.open[c]
	if !known {
		return
	}
	if at != nil {
		g.idle.Remove(at)
	}
	delete(g.open, c)
	g.room.Signal()
}
