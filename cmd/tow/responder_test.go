package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/serve"
	"towpath.dev/internal/run/source"
)

const twoReleases = `
service Prices {
  fn lowest(product: String) -> Int within 10s cache 1s shared
  fn mark(product: String) -> Int within 10s
}

view cheapest(product: String) -> Int { Prices.lowest(product) + Prices.mark(product) + %d }
`

const twoReleasesEnv = `
[sources.api]
type = "http"
url = %q
connections = 2

[services.Prices]
source = "api"
lowest = { get = "/lowest/{product}" }
mark = { get = "/mark/{product}?by=%d" }
`

// slowPrices is a service that answers what is shared once two requests have asked for
// what is not, and counts its connections.
type slowPrices struct {
	begun  chan struct{} // closed when what is shared is asked for
	marked sync.WaitGroup

	mu          sync.Mutex
	asked       map[string]int
	connections int
}

func (p *slowPrices) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	first := p.asked[r.URL.Path] == 1
	p.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/mark/") {
		p.marked.Done()
		_, _ = io.WriteString(w, "0")
		return
	}
	if first {
		close(p.begun)
	}
	p.marked.Wait()
	_, _ = io.WriteString(w, "100")
}

func (p *slowPrices) connected(_ net.Conn, s http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == http.StateNew {
		p.connections++
	}
}

// TestReleasesShareWhatIsUnderWay: a request of one release joins the call that a
// request of another has begun, by the connections of both; the release that began it
// is retired meanwhile, and freed once it has ended.
func TestReleasesShareWhatIsUnderWay(t *testing.T) {
	service := &slowPrices{begun: make(chan struct{}), asked: map[string]int{}}
	service.marked.Add(2)
	backend := httptest.NewUnstartedServer(service)
	backend.Config.ConnState = service.connected
	backend.Start()
	defer backend.Close()
	server := serve.New(serve.Options{})
	r := newResponder(server)
	load := func(n int) *serve.Release {
		res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: fmt.Appendf(nil, twoReleases, n)}}, compile.Options{Name: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if res.Diags.HasErrors() {
			t.Fatal(res.Diags.All[0])
		}
		root := t.TempDir() // as a node has it: the binding is another's
		if err := os.Mkdir(filepath.Join(root, "env"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "env", "dev.toml"), fmt.Appendf(nil, twoReleasesEnv, backend.URL, n), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := engine.Load(t.Context(), res.Artifact, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		release := &serve.Release{Engine: p}
		if _, err := r.bind(release, "shop", root, "dev"); err != nil {
			t.Fatal(err)
		}
		return release
	}
	ask := func(want string) {
		answer, err := server.Answer(t.Context(), "shop", "shop.cheapest", []byte(`{"product":"p"}`), source.About{})
		if err != nil || string(answer) != want {
			t.Errorf("it answers %s, %v; expected %s", answer, err, want)
		}
	}
	one, two := load(1), load(2)
	var wg sync.WaitGroup
	server.Place("shop", one, nil, 0)
	wg.Go(func() { ask("101") })
	<-service.begun
	server.Place("shop", two, nil, 0)
	ask("102")
	wg.Wait()
	<-one.Gone()
	service.mu.Lock()
	if service.asked["/lowest/p"] != 1 || service.asked["/mark/p"] != 2 || service.connections > 2 {
		t.Errorf("the service was asked %v, by %d connections", service.asked, service.connections)
	}
	service.mu.Unlock()
	if err := server.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if len(r.envs) != 0 {
		t.Errorf("what releases of %d environments shared is left", len(r.envs))
	}
}
