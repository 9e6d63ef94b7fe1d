package http1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is the other end of connections over net.Pipe: it answers each request by
// what serve says.
type host struct {
	serve func(n int, r *http.Request) (response string, hangUp bool)
	dials atomic.Int32
	asked atomic.Int32
	wg    sync.WaitGroup
}

func (h *host) dial(context.Context) (net.Conn, error) {
	h.dials.Add(1)
	ours, theirs := net.Pipe()
	h.wg.Go(func() {
		defer theirs.Close()
		in := bufio.NewReader(theirs)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			response, hangUp := h.serve(int(h.asked.Add(1)), r)
			if _, err := io.WriteString(theirs, response); err != nil || hangUp {
				return
			}
		}
	})
	return ours, nil
}

func transport(h *host, connections int) *Transport {
	return &Transport{Dial: h.dial, Connections: connections, Idle: time.Minute, Headers: 1 << 10}
}

// places are how many connections count.
func places(t *Transport) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func ask(ctx context.Context, t *Transport, method, body string) (string, error) {
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://host/x", from)
	if err != nil {
		return "", err
	}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, text), err
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	h := &host{serve: func(int, *http.Request) (string, bool) { return ok, false }}
	tr := transport(h, 4)
	for range 10 {
		if got, err := ask(t.Context(), tr, "POST", "body"); err != nil || got != "200 ok" {
			t.Fatal(got, err)
		}
	}
	if n := h.dials.Load(); n != 1 {
		t.Errorf("%d connections for ten requests in turn", n)
	}
	tr.CloseIdleConnections()
	h.wg.Wait()
	if _, err := ask(t.Context(), tr, "GET", ""); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestResponses(t *testing.T) {
	for _, c := range []struct{ name, response, want, err string }{
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "200 abc", ""},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "200 ok", ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", ""},
		{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 ", ""},
		{"interim for ever", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9), "", "interim"},
		{"headers for ever", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2000) + "\r\n\r\n", "", "too large"},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n", "", "malformed"},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", "200 ok", "unexpected EOF"},
		{"until the end", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it", "200 all of it", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			hangUp := c.err != "" || strings.Contains(c.response, "close")
			h := &host{serve: func(int, *http.Request) (string, bool) { return c.response, hangUp }}
			tr := transport(h, 1)
			for range 2 { // the place is free again, whatever happened
				got, err := ask(t.Context(), tr, "GET", "")
				if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%q, %v; want %q, %s", got, err, c.want, c.err)
				}
			}
			tr.CloseIdleConnections()
			h.wg.Wait()
			if n := places(tr); n != 0 {
				t.Errorf("%d places are still taken", n)
			}
		})
	}
}

// TestDyingConnection: what an idle connection swallowed is sent again, once, on a
// new one.
func TestDyingConnection(t *testing.T) {
	h := &host{serve: func(n int, _ *http.Request) (string, bool) {
		if n == 2 {
			return "", true
		}
		return ok, false
	}}
	tr := transport(h, 2)
	for range 3 {
		if got, err := ask(t.Context(), tr, "GET", ""); err != nil || got != "200 ok" {
			t.Error(got, err)
		}
	}
	if d, n := h.dials.Load(), h.asked.Load(); d != 2 || n != 4 {
		t.Errorf("%d connections, %d requests", d, n)
	}
	tr.CloseIdleConnections()
	h.wg.Wait()
}

// TestAskedOnce: a request that may do something is not sent again once any of it
// was sent. The host that hung up may have done it.
func TestAskedOnce(t *testing.T) {
	h := &host{serve: func(n int, _ *http.Request) (string, bool) {
		if n == 2 {
			return "", true
		}
		return ok, false
	}}
	tr := transport(h, 2)
	for i, want := range []string{"200 ok", "", "200 ok"} {
		if got, err := ask(t.Context(), tr, "POST", "body"); got != want || (err == nil) != (want != "") {
			t.Errorf("%d: %q %v", i, got, err)
		}
	}
	if n := h.asked.Load(); n != 3 {
		t.Errorf("the host was asked %d times", n)
	}
	tr.CloseIdleConnections()
	h.wg.Wait()
}

// TestCompressedWhenSentAgain: the second time as well, the answer is unpacked.
func TestCompressedWhenSentAgain(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte("ok")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := &host{serve: func(n int, r *http.Request) (string, bool) {
		if n == 2 {
			return "", true
		}
		if r.Header.Get("Accept-Encoding") != "gzip" {
			return ok, false
		}
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", zipped.Len(), zipped.String()), false
	}}
	tr := transport(h, 2)
	for range 2 {
		if got, err := ask(t.Context(), tr, "GET", ""); err != nil || got != "200 ok" {
			t.Errorf("%q %v", got, err)
		}
	}
	if n := h.asked.Load(); n != 3 {
		t.Errorf("the host was asked %d times", n)
	}
	tr.CloseIdleConnections()
	h.wg.Wait()
}

// TestUnaskedBytes: what a host sends after its answer is not the answer of the
// next request.
func TestUnaskedBytes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nobody can tell there")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	late := make(chan struct{})
	served.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for asked := 0; ; asked++ {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					if _, err := io.WriteString(c, ok); err != nil {
						return
					}
					if n == 0 && asked == 0 {
						<-late
						if _, err := io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\n\r\nbad"); err != nil {
							return
						}
						late <- struct{}{}
					}
				}
			})
		}
	})
	tr := &Transport{Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}, Connections: 1, Idle: time.Minute, Headers: 1 << 10}
	for i := range 2 {
		if got, err := ask(t.Context(), tr, "POST", "body"); err != nil || got != "200 ok" {
			t.Errorf("%q %v", got, err)
		}
		if i == 0 {
			late <- struct{}{}
			<-late // they are written, and on loopback that is to have come
		}
	}
	tr.CloseIdleConnections()
	_ = l.Close()
	served.Wait()
	if n := places(tr); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// half takes the first bytes that are written, and then no more.
type half struct {
	net.Conn
	left int
}

func (h *half) Write(b []byte) (int, error) {
	if len(b) <= h.left {
		h.left -= len(b)
		return h.Conn.Write(b)
	}
	n, err := h.Conn.Write(b[:h.left])
	h.left = 0
	if err == nil {
		err = io.ErrClosedPipe
	}
	return n, err
}

// TestRefusedBody: a host may answer before it has read a body. The connection is
// of no more use then.
func TestRefusedBody(t *testing.T) {
	var served sync.WaitGroup
	tr := &Transport{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		served.Go(func() {
			defer theirs.Close()
			in := bufio.NewReader(theirs)
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			served.Go(func() { _, _ = io.Copy(io.Discard, in) })
			_, _ = io.WriteString(theirs, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		})
		return &half{ours, 4000}, nil
	}, Connections: 1, Idle: time.Minute, Headers: 1 << 10}
	for range 2 {
		if got, err := ask(t.Context(), tr, "POST", strings.Repeat("x", 10_000)); err != nil || got != "413 no" {
			t.Errorf("%q %v", got, err)
		}
	}
	tr.CloseIdleConnections()
	served.Wait()
}

// TestNewConnectionDies: what a new connection swallowed is not sent again.
func TestNewConnectionDies(t *testing.T) {
	h := &host{serve: func(int, *http.Request) (string, bool) { return "", true }}
	tr := transport(h, 2)
	if _, err := ask(t.Context(), tr, "GET", ""); err == nil || h.asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, h.asked.Load())
	}
	h.wg.Wait()
}

// TestBound: no more connections than allowed, and those who wait get theirs, or
// give up and leave it to others.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{serve: func(int, *http.Request) (string, bool) {
			time.Sleep(10 * time.Millisecond)
			return ok, false
		}}
		tr := transport(h, 3)
		begin := time.Now()
		var wg sync.WaitGroup
		var late atomic.Int32
		for i := range 30 {
			wg.Go(func() {
				ctx := t.Context()
				if i%3 == 0 {
					c, cancel := context.WithTimeout(ctx, 35*time.Millisecond)
					defer cancel()
					ctx = c
				}
				if _, err := ask(ctx, tr, "GET", ""); errors.Is(err, context.DeadlineExceeded) {
					late.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := h.dials.Load(); n > 3+late.Load() {
			t.Errorf("%d connections", n)
		}
		if took := time.Since(begin); took > 100*time.Millisecond || late.Load() == 0 {
			t.Errorf("30 requests, three at a time, took %s; %d gave up", took, late.Load())
		}
		tr.CloseIdleConnections()
		h.wg.Wait()
		if n := places(tr); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{serve: func(n int, _ *http.Request) (string, bool) {
			if n == 1 {
				time.Sleep(time.Hour)
			}
			return "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", false
		}}
		tr := transport(h, 1)
		for range 2 { // before the head, then within the body
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			begin := time.Now()
			_, err := ask(ctx, tr, "GET", "")
			cancel()
			if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
				t.Errorf("%v after %s", err, took)
			}
		}
		tr.CloseIdleConnections()
		h.wg.Wait()
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{serve: func(int, *http.Request) (string, bool) { return ok, false }}
		tr := transport(h, 2)
		if _, err := ask(t.Context(), tr, "GET", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		h.wg.Wait() // the host saw its end
		if n := places(tr); n != 0 {
			t.Errorf("%d connections are open", n)
		}
		if _, err := ask(t.Context(), tr, "GET", ""); err != nil || h.dials.Load() != 2 {
			t.Error(err, h.dials.Load())
		}
		tr.CloseIdleConnections()
		h.wg.Wait()
	})
}
