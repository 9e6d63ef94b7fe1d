package runtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what is to happen soon.
const patience = 10 * time.Second

var artifacts sync.Map // of program texts

// build compiles a program of one module, "shop".
func build(t testing.TB, text string) []byte {
	t.Helper()
	if data, ok := artifacts.Load(text); ok {
		return data.([]byte)
	}
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Diags.All {
		if d.Severity == diag.Error {
			t.Fatalf("%s\n%s", d, text)
		}
	}
	artifacts.Store(text, res.Artifact)
	return res.Artifact
}

// responder is a server on a listener, with the program "shop".
type responder struct {
	t      *testing.T
	server *serve.Server
	cache  *fetch.Cache
	addr   string
	client *http.Client
}

// respond serves nothing yet, until the test ends.
func respond(t *testing.T, opts serve.Options, limits serve.Limits) *responder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	r := &responder{t, serve.New(opts), fetch.NewCache(0), l.Addr().String(), &http.Client{Transport: transport, Timeout: patience}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Serve(ctx, l, limits, nil, 0) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		last, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.server.Close(last); err != nil {
			t.Error("releases are left:", err)
		}
	})
	return r
}

// release makes a release of a program in an environment.
func (r *responder) release(text, env string, opts engine.Options) *serve.Release {
	r.t.Helper()
	root := r.t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "env"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "env", "test.toml"), []byte(env), 0o644); err != nil {
		r.t.Fatal(err)
	}
	p, err := engine.Load(r.t.Context(), build(r.t, text), opts)
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := bind.Read(root, "test")
	if err != nil {
		r.t.Fatal(err)
	}
	bindings, err := e.Bind(p.Manifest(), bind.Options{Programs: r.server})
	if err != nil {
		r.t.Fatal(err)
	}
	f := fetch.New(p.Manifest(), bindings.Bound, fetch.Options{Cache: r.cache, Observe: r.server.Asked})
	return &serve.Release{Engine: p, Fetcher: f, Close: bindings.Close}
}

// put serves a program in an environment.
func (r *responder) put(text, env string) {
	r.server.Put("shop", r.release(text, env, engine.Options{}))
}

// answer is what a client got.
type answer struct {
	status int
	body   string
	header http.Header
	serve.Problem
}

func (a answer) String() string { return fmt.Sprintf("%d %.300s", a.status, a.body) }

// ask asks a view.
func (r *responder) ask(view, input string, headers ...string) answer {
	r.t.Helper()
	a, err := r.try(r.t.Context(), view, input, headers...)
	if err != nil {
		r.t.Fatalf("%s %s: %v", view, input, err)
	}
	return a
}

func (r *responder) try(ctx context.Context, view, input string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.addr+"/v1/shop/"+view, strings.NewReader(input))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, body: string(text), header: resp.Header}
	if err == nil && resp.Header.Get("Content-Type") == "application/problem+json" {
		err = json.Unmarshal(text, &a.Problem)
	}
	return a, err
}

// expect asks a view and compares.
func (r *responder) expect(view, input, want string) {
	r.t.Helper()
	if a := r.ask(view, input); a.status != 200 || a.body != want {
		r.t.Errorf("%s %s: %s, want %s", view, input, a, want)
	}
}

// service is the far end of an HTTP source, byte by byte.
type service struct {
	addr string
	// serve answers a request on its connection and reports whether that goes on.
	serve func(s *service, c *net.TCPConn, r *http.Request) bool
	// refuse is asked before a request's body is read, and hangs up with true. Nil:
	// nothing is refused.
	refuse func(c *net.TCPConn, r *http.Request) bool

	wg sync.WaitGroup

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	asked map[string]int // requests by method and path
	sent  int64          // bytes of endless answers
	idle  *sync.Cond     // a connection has ended
}

func newService(t *testing.T, serve func(s *service, c *net.TCPConn, r *http.Request) bool) *service {
	t.Helper()
	s := &service{addr: "127.0.0.1:0", serve: serve, conns: map[net.Conn]bool{}, asked: map[string]int{}}
	s.idle = sync.NewCond(&s.mu)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// start listens, at the address that it had before.
func (s *service) start() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.l, s.addr = l, l.Addr().String()
	s.mu.Unlock()
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.wg.Go(func() { s.conn(c.(*net.TCPConn)) })
		}
	})
	return nil
}

// stop hangs up on everybody.
func (s *service) stop() {
	s.mu.Lock()
	_ = s.l.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *service) conn(c *net.TCPConn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.idle.Broadcast()
		s.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if s.refuse != nil && s.refuse(c, r) {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.mu.Lock()
		s.asked[r.Method+" "+r.URL.Path]++
		s.mu.Unlock()
		if !s.serve(s, c, r) {
			return
		}
	}
}

// count is how often a method and path were asked.
func (s *service) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[what]
}

// hungUp waits until all connections have ended.
func (s *service) hungUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		s.idle.Wait()
	}
}

// write writes a text and reports whether the connection took it.
func write(c net.Conn, text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

// gone waits until the other end has closed a connection.
func gone(c net.Conn) bool {
	_, _ = io.Copy(io.Discard, c)
	return false
}

// good is a response of a body.
func good(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
