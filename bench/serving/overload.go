package serving

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing/fstest"
	"time"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/serve"
)

// outcome is what requests of one kind came to.
type outcome struct {
	mu       sync.Mutex
	answered []time.Duration
	refused  int
	failed   int
	first    error
}

func (o *outcome) add(status int, took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil && status == 200:
		o.answered = append(o.answered, took)
	case err == nil && (status == 503 || status == 429):
		o.refused++
	default:
		if o.failed++; o.first == nil {
			o.first = fmt.Errorf("status %d, %w", status, err)
		}
	}
}

// pool holds connections that wait for a request.
type pool struct {
	addr string
	mu   sync.Mutex
	idle []*conn
}

func (p *pool) get() (*conn, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	return dial(p.addr)
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

func (p *pool) close() {
	for _, c := range p.idle {
		_ = c.Close()
	}
}

// openLoop sends requests at a rate, however long the answers take. Times count
// from when a request was due.
func openLoop(p *pool, path string, rate int, span time.Duration, o *outcome, headers ...string) {
	loop(p, func() []byte { return post(path, someN("n"), headers...) }, rate, span, o)
}

// openLoopOf is openLoop with one request.
func openLoopOf(p *pool, request []byte, rate int, span time.Duration, o *outcome) {
	loop(p, func() []byte { return request }, rate, span, o)
}

func loop(p *pool, next func() []byte, rate int, span time.Duration, o *outcome) {
	var wg sync.WaitGroup
	begin := time.Now()
	for i := 0; ; i++ {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if due.Sub(begin) >= span {
			break
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		request := next()
		wg.Go(func() {
			c, err := p.get()
			if err != nil {
				o.add(0, 0, err)
				return
			}
			status, _, err := c.ask(request)
			o.add(status, time.Since(due), err)
			if err != nil {
				_ = c.Close()
				return
			}
			p.put(c)
		})
	}
	wg.Wait()
}

// overloadRows: ten times what a service with eight places of 20 ms can do.
func overloadRows() (rows []Row, err error) {
	const path = "/v1/calls/narrow"
	const span = 12 * time.Second
	const peak = narrowSlots * int(time.Second/narrowTakes) // 400 a second
	err = withCalls("tow-calls", path, func(s *services, c *child) error {
		p := &pool{addr: c.addr}
		defer p.close()
		// What it does with just enough to do.
		var calm outcome
		openLoop(p, path, peak*7/10, 5*time.Second, &calm)
		if calm.failed > 0 {
			return calm.first
		}
		var full outcome
		begin := time.Now()
		var wg sync.WaitGroup
		for range narrowSlots * 2 {
			wg.Go(func() {
				for time.Since(begin) < 5*time.Second {
					c, err := p.get()
					if err != nil {
						return
					}
					at := time.Now()
					status, _, err := c.ask(post(path, someN("n")))
					full.add(status, time.Since(at), err)
					p.put(c)
				}
			})
		}
		wg.Wait()
		best := float64(len(full.answered)) / time.Since(begin).Seconds()
		openLoop(p, path, 10*peak, 4*time.Second, new(outcome)) // until it has found its limit
		var critical, rest outcome
		begin = time.Now()
		wg.Go(func() { openLoop(p, path, peak*3/4, span, &critical, "Towpath-Criticality: critical") })
		wg.Go(func() { openLoop(p, path, 10*peak-peak*3/4, span, &rest) })
		wg.Wait()
		took := time.Since(begin).Seconds()
		if critical.failed+rest.failed > 0 {
			return fmt.Errorf("%d requests failed: %w", critical.failed+rest.failed, firstOf(critical.first, rest.first))
		}
		goodput := float64(len(critical.answered)+len(rest.answered)) / took
		accepted := append(append([]time.Duration{}, critical.answered...), rest.answered...)
		share := float64(len(critical.answered)) / float64(len(critical.answered)+critical.refused)
		p99, calm99 := quantile(accepted, 0.99), quantile(calm.answered, 0.99)
		rows = []Row{
			{Name: "10× overload: goodput by the peak's", Ratio: goodput / best, Bar: 0.9, Least: true, Value: fmt.Sprintf("%.0f vs %.0f a second", goodput, best)},
			{Name: "10× overload: critical answered, 75 % of the peak", Ratio: share, Bar: 0.999, Least: true, Value: fmt.Sprintf("%d of %d", len(critical.answered), len(critical.answered)+critical.refused)},
			{Name: "10× overload: p99 of the accepted by the calm one's", Ratio: float64(p99) / float64(calm99), Bar: 2, Value: fmt.Sprintf("%s vs %s", p99.Round(time.Millisecond/10), calm99.Round(time.Millisecond/10))},
		}
		return nil
	})
	return rows, err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// swapRows: releases take turns under load. Each answers with its number twice,
// and a slow call between would show a mix.
func swapRows() ([]Row, error) {
	server := serve.New(serve.Options{})
	ctx := context.Background()
	defer server.Close(ctx)
	release := func(n int) (*serve.Release, error) {
		source := fmt.Sprintf("view both() -> (Int, Int) { (first(), list.range(0, %d) |> fold(0, (n, i) => n + 1)) }\nfn first() -> Int { %d }\n", n, n)
		built, err := compile.Build(fstest.MapFS{"main.tow": {Data: []byte(source)}}, compile.Options{Name: "swap"})
		if err != nil {
			return nil, err
		}
		if built.Diags.HasErrors() {
			return nil, built.Diags.All[0]
		}
		p, err := engine.Load(ctx, built.Artifact, engine.Options{})
		if err != nil {
			return nil, err
		}
		return &serve.Release{Engine: p}, p.Warm(2)
	}
	first, err := release(1)
	if err != nil {
		return nil, err
	}
	server.Put("swap", first)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.Serve(serving, l, serve.Limits{}, nil, 0) }()
	var asked, failed, mixed atomic.Int64
	load, unload := context.WithCancel(ctx)
	defer unload()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c, err := dial(l.Addr().String())
			if err != nil {
				failed.Add(1)
				return
			}
			defer c.Close()
			for request := post("/v1/swap/both", []byte("{}")); load.Err() == nil; asked.Add(1) {
				status, body, err := c.ask(request)
				if err != nil || status != 200 {
					failed.Add(1)
					return
				}
				one, two, _ := strings.Cut(strings.Trim(string(body), "[]\n"), ",")
				if one != two {
					mixed.Add(1)
				}
			}
		})
	}
	const swaps = 200
	for n := range swaps {
		next, err := release(n + 2)
		if err != nil {
			return nil, err
		}
		server.Put("swap", next)
	}
	unload()
	wg.Wait()
	stop()
	if err := <-served; err != nil {
		return nil, err
	}
	value := fmt.Sprintf("%d requests, %d failed, %d mixed", asked.Load(), failed.Load(), mixed.Load())
	return []Row{{Name: "200 hot swaps under load: failed or mixed answers", Value: value, Ratio: float64(failed.Load() + mixed.Load()), Bar: 0}}, nil
}

// waitingRows: requests that wait for a service that does not answer.
func waitingRows() ([]Row, error) {
	// The responder has a connection on each side of a request.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return nil, err
	}
	n := min(10_000, int(files.Max)/2-50)
	service, err := startSelf("hang", "")
	if err != nil {
		return nil, err
	}
	defer service.stop()
	if err := os.Setenv("BENCH_SERVICES", service.addr); err != nil {
		return nil, err
	}
	c, err := startSelf("tow-waiting", "")
	if err != nil {
		return nil, err
	}
	defer c.stop()
	before, err := resident(c.pid)
	if err != nil {
		return nil, err
	}
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for i := range n {
		one, err := net.Dial("tcp", c.addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, one)
		if _, err := one.Write(post("/v1/calls/hanging", fmt.Appendf(nil, `{"n":%d}`, i), "Towpath-Criticality: critical")); err != nil {
			return nil, err
		}
	}
	waiting := 0
	for begin := time.Now(); waiting < n && time.Since(begin) < 30*time.Second; {
		text, err := getText("http://" + service.addr + "/waiting")
		if err != nil {
			return nil, err
		}
		if waiting, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	if waiting < n {
		return nil, fmt.Errorf("only %d of %d requests wait", waiting, n)
	}
	during, err := resident(c.pid)
	if err != nil {
		return nil, err
	}
	if _, err := getText("http://" + service.addr + "/release"); err != nil {
		return nil, err
	}
	answered := 0
	for _, c := range conns {
		status, err := bufio.NewReader(c).ReadString('\n')
		if err == nil && strings.Contains(status, " 200 ") {
			answered++
		}
	}
	each := float64(during-before) / float64(n) / 1024
	row := Row{Name: "10,000 requests waiting, KiB each", Value: fmt.Sprintf("%d: %.1f KiB, %d answered then", n, each, answered), Ratio: each, Bar: 64}
	if answered < n {
		row.Note = fmt.Sprintf("%d were not answered", n-answered)
	}
	return []Row{row}, nil
}

func getText(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// resident is a process's resident memory in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, io.ErrUnexpectedEOF
}
