package runtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/serve"
)

// asks is a program whose answers tell which release they are of.
func asks(release int) string {
	return fmt.Sprintf(`
	pub service Stock {
		fn get(item: String) -> Int within 8s
		fn common(item: String) -> Int within 8s cache 1m shared
	}
	view get(item: String) -> (Int, Int) { (%[1]d, Stock.get(item)) }
	view common(item: String) -> (Int, Int) { (%[1]d, Stock.common(item)) }
	`, release)
}

func asksAt(addr, extra string) string {
	return `
[sources.stock]
type = "http"
url = "http://` + addr + `"
` + extra + `
[services.Stock]
source = "stock"
get = { get = "/get/{item}", answer = "/n" }
common = { get = "/common/{item}", answer = "/n" }
`
}

// TestSwapDuringCalls: requests under way end on the release that they began on,
// whose connections are closed afterwards, once.
func TestSwapDuringCalls(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	old := newService(t, func(s *service, c *net.TCPConn, r *http.Request) bool {
		begun <- struct{}{}
		<-goOn
		return write(c, good(seven))
	})
	next := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	var closed atomic.Int32
	var underWay atomic.Int32
	first := r.release(asks(1), asksAt(old.addr, ""), engine.Options{})
	whole := first.Close
	first.Close = func() error {
		if closed.Add(1); underWay.Load() != 0 {
			t.Errorf("it is closed with %d requests under way", underWay.Load())
		}
		return whole()
	}
	r.server.Put("shop", first)
	const requests = 5
	answers := make(chan answer, requests)
	underWay.Store(requests)
	for i := range requests {
		go func() {
			// The last two ask what others could share.
			a, err := r.try(t.Context(), []string{"get", "common"}[i/3], `{"item":"x"}`)
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	for range requests - 1 { // of the shared ones there is one
		<-begun
	}
	r.put(asks(2), asksAt(next.addr, ""))
	r.expect("get", `{"item":"good"}`, "[2,7]")
	select {
	case <-first.Gone():
		t.Error("it is gone while requests are under way")
	default:
	}
	if n := closed.Load(); n != 0 {
		t.Errorf("it was closed %d times while requests are under way", n)
	}
	underWay.Store(0) // from now on any of them may be the last
	close(goOn)
	for range requests {
		if a := <-answers; a.status != 200 || a.body != "[1,7]" {
			t.Errorf("a request from before: %s", a)
		}
	}
	<-first.Gone()
	old.hungUp()
	if n := closed.Load(); n != 1 {
		t.Errorf("it was closed %d times", n)
	}
	r.expect("get", `{"item":"good"}`, "[2,7]")
	r.expect("common", `{"item":"x"}`, "[2,7]")
	if n := next.count("GET /common/x"); n != 1 {
		t.Error("another source's answer was taken from the cache")
	}
}

// TestSwapLeavesHangingCalls: a release whose client is gone goes as well.
func TestSwapLeavesHangingCalls(t *testing.T) {
	begun := make(chan struct{})
	old := newService(t, func(s *service, c *net.TCPConn, r *http.Request) bool {
		begun <- struct{}{}
		return gone(c)
	})
	r := respond(t, serve.Options{}, serve.Limits{})
	first := r.release(asks(1), asksAt(old.addr, ""), engine.Options{})
	r.server.Put("shop", first)
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, view := range []string{"get", "common", "common"} {
		wg.Go(func() {
			if a, err := r.try(ctx, view, `{"item":"x"}`); err == nil {
				t.Error(a)
			}
		})
		if i < 2 {
			<-begun
		}
	}
	r.put(asks(2), asksAt(newService(t, faulty).addr, ""))
	leave()
	wg.Wait()
	<-first.Gone()
	old.hungUp()
	r.expect("get", `{"item":"good"}`, "[2,7]")
}

// TestSwapsUnderLoad swaps while services fail: every answer is of one release.
func TestSwapsUnderLoad(t *testing.T) {
	s := newService(t, faulty)
	r := respond(t, serve.Options{}, serve.Limits{})
	main := r.release(asks(0), asksAt(s.addr, ""), engine.Options{})
	r.server.Put("shop", main)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for j := 0; !stop.Load(); j++ {
				item := []string{"good", "good", "dead", "good", "wrong", "good", "good"}[(i+j)%7]
				a, err := r.try(t.Context(), []string{"get", "common"}[j%2], `{"item":"`+item+`"}`)
				switch {
				case err != nil:
					t.Error(err)
				case item == "good" && (a.status != 200 || !strings.HasSuffix(a.body, ",7]")), item != "good" && a.status != 502:
					t.Errorf("%s: %s", item, a)
				}
			}
		})
	}
	for n := range 12 {
		// Every other environment is the same as the one before the last.
		release := r.release(asks(n%3), asksAt(s.addr, fmt.Sprintf("connections = %d", 4+n%2)), engine.Options{})
		if n%4 == 3 {
			r.server.Place("shop", main, release, 0.5)
			one := r.ask("get", `{"item":"good"}`, "Towpath-Request", "one")
			if again := r.ask("get", `{"item":"good"}`, "Towpath-Request", "one"); one.status != 200 || again.body != one.body {
				t.Errorf("one request went to two releases: %s, %s", one, again)
			}
			if n%8 == 3 { // it takes over
				main = release
			}
			r.server.Place("shop", main, nil, 0)
			continue
		}
		main = release
		r.server.Put("shop", main)
	}
	stop.Store(true)
	wg.Wait()
}

// TestTwoReleases: a request's id decides between them, and neither has calls or
// answers of the other's sources.
func TestTwoReleases(t *testing.T) {
	var services [2]*service
	begun, goOn := make(chan struct{}, 10), make(chan struct{})
	for i := range services {
		services[i] = newService(t, func(s *service, c *net.TCPConn, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/wait") {
				begun <- struct{}{}
				<-goOn
			}
			return write(c, good(fmt.Sprintf(`{"n":%d}`, i)))
		})
	}
	r := respond(t, serve.Options{}, serve.Limits{})
	r.server.Place("shop", r.release(asks(0), asksAt(services[0].addr, ""), engine.Options{}), r.release(asks(1), asksAt(services[1].addr, ""), engine.Options{}), 0.5)
	var ids [2][]string
	for i := range 200 {
		id := fmt.Sprint("request-", i)
		a := r.ask("get", `{"item":"x"}`, "Towpath-Request", id)
		switch a.body {
		case "[0,0]":
			ids[0] = append(ids[0], id)
		case "[1,1]":
			ids[1] = append(ids[1], id)
		default:
			t.Fatal(a)
		}
	}
	if len(ids[0]) < 60 || len(ids[1]) < 60 {
		t.Fatalf("halves of 200 are %d and %d", len(ids[0]), len(ids[1]))
	}
	// Equal calls of requests at the same time: one flight a release.
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if a, err := r.try(t.Context(), "common", `{"item":"wait"}`, "Towpath-Request", ids[i%2][i]); err != nil || a.body != fmt.Sprintf("[%d,%d]", i%2, i%2) {
				t.Errorf("%s went to %s, %v", ids[i%2][i], a, err)
			}
		})
	}
	<-begun
	<-begun
	close(goOn)
	wg.Wait()
	for i, s := range services {
		if n := s.count("GET /common/wait"); n != 1 {
			t.Errorf("the service of release %d was asked %d times for what is shared", i, n)
		}
	}
	// A release in the same environment has its answers.
	r.put(asks(2), asksAt(services[1].addr, ""))
	r.expect("common", `{"item":"wait"}`, "[2,1]")
	if n := services[1].count("GET /common/wait"); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}
