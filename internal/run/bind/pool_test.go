package bind

import (
	"context"
	"encoding/pem"
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

	"go.uber.org/goleak"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/testkit/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pooled binds an environment of a project by a pool.
func pooled(t *testing.T, root, name string, pool *Pool) *Bindings {
	t.Helper()
	e, err := Read(root, name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Bind(manifest(t), Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// ask asks an operation by its place in the manifest: 0 offers, 1 title, 2 lowest.
func (b *Bindings) ask(ctx context.Context, op int) (out string) {
	b.Bound[op].Caller.Call(ctx, &source.Batch{Args: [][]byte{[]byte(`["p"]`)}}, func(_ int, answer []byte, err error) {
		if out = string(answer); err != nil {
			out = "error: " + err.Error()
		}
	})
	return out
}

// TestPoolLendsWhatIsAlike binds two environments, of two projects, and looks which of
// their sources are one.
func TestPoolLendsWhatIsAlike(t *testing.T) {
	certificate := func(s *httptest.Server) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	}
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	secure := strings.Replace(base, `"http://127.0.0.1:1/v1"`, "\"https://127.0.0.1:1/v1\"\nca = \"certs/ca.pem\"\nheaders = { Authorization = \"${file:token}\" }", 1)
	other := "\n[sources.other]\ntype = \"http\"\nurl = \"http://127.0.0.1:2\"\n"
	twice := strings.Replace(base, "[services.Pricing]\nsource = \"api\"", "[sources.same]\ntype = \"http\"\nurl = \"http://127.0.0.1:1/v1\"\n[services.Pricing]\nsource = \"same\"", 1)
	files := map[string]string{"token": "one\n", "certs/ca.pem": certificate(tls)}
	with := func(name, text string) map[string]string {
		out := map[string]string{}
		for k, v := range files {
			out[k] = v
		}
		out[name] = text
		return out
	}
	for name, c := range map[string]struct {
		one, two string
		files    map[string]string // beside the second; the first has files
		alike    bool
	}{
		"the same":                     {base, base, files, true},
		"the same with secrets":        {secure, secure, files, true},
		"said by a reference":          {secure, strings.Replace(secure, "${file:token}", "one", 1), files, true},
		"another operation's settings": {base, strings.Replace(base, "/titles/", "/names/", 1), files, true},
		"another source's settings":    {base + other, base + strings.Replace(other, "2", "3", 1), files, true},
		"another setting":              {base, strings.Replace(base, "type =", "timeout = \"3s\"\ntype =", 1), files, false},
		"another name":                 {base, strings.ReplaceAll(base, "api", "ipa"), files, false},
		"another secret":               {secure, secure, with("token", "two\n"), false},
		"another certificate":          {secure, secure, with("certs/ca.pem", certificate(tls)+"# new\n"), false},
	} {
		t.Run(name, func(t *testing.T) {
			var pool Pool
			bind := func(text string, files map[string]string) *Bindings {
				root := project(t, map[string]string{"x.toml": text})
				for name, text := range files {
					path := filepath.Join(root, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				return pooled(t, root, "x", &pool)
			}
			one, two := bind(c.one, files), bind(c.two, c.files)
			var a, b source.Source
			for _, s := range one.sources {
				a = s.Source
			}
			for _, s := range two.sources {
				b = s.Source
			}
			if (a == b) != c.alike {
				t.Errorf("they ask one source: %t; expected %t", a == b, c.alike)
			}
			if same := one.Bound[0].Key == two.Bound[0].Key; same != c.alike {
				t.Errorf("their offers have one key: %t; expected %t", same, c.alike)
			}
		})
	}
	var pool Pool
	b := pooled(t, project(t, map[string]string{"x.toml": twice}), "x", &pool)
	if len(pool.open) != 2 || b.sources["api"].Source == b.sources["same"].Source {
		t.Error("two sources of one environment are one")
	}
	if b.Close(); len(pool.open) != 0 {
		t.Errorf("%d sources are open after the last Close", len(pool.open))
	}
}

// TestPoolKeepsNothingOfMistakes: bindings that come to nothing leave nothing open.
func TestPoolKeepsNothingOfMistakes(t *testing.T) {
	var pool Pool
	for _, text := range []string{
		strings.Replace(base, "type =", "tiemout = \"3s\"\ntype =", 1),
		strings.Replace(base, `"/lowest/{product}"`, `"/lowest/{prodcut}"`, 1),
	} {
		e, err := Read(project(t, map[string]string{"x.toml": text}), "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Bind(manifest(t), Options{Pool: &pool}); err == nil || len(pool.open) != 0 {
			t.Errorf("%d sources are open after the mistake %v", len(pool.open), err)
		}
	}
}

// accepted counts a server's connections.
type accepted struct {
	mu   sync.Mutex
	open map[net.Conn]bool
	all  int
	most int // open at once
}

func (a *accepted) state(c net.Conn, s http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch s {
	case http.StateNew:
		a.open[c] = true
		a.all++
		a.most = max(a.most, len(a.open))
	case http.StateClosed:
		delete(a.open, c)
	}
}

func (a *accepted) count() (all, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all, a.most
}

// TestReleasesShareConnections: many calls of two releases at once take no more
// connections than the source may have, and go on when one is gone.
func TestReleasesShareConnections(t *testing.T) {
	both := make(chan struct{})
	var once sync.WaitGroup // until as many requests are under way as may be
	once.Add(2)
	go func() { once.Wait(); close(both) }()
	count := &accepted{open: map[net.Conn]bool{}}
	turns := make(chan struct{}, 2)
	turns <- struct{}{}
	turns <- struct{}{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-turns:
			once.Done()
		default:
		}
		<-both
		_, _ = io.WriteString(w, `"x"`)
	}))
	server.Config.ConnState = count.state
	server.Start()
	defer server.Close()
	text := strings.Replace(base, `"http://127.0.0.1:1/v1"`, fmt.Sprintf("%q\nconnections = 2", server.URL), 1)
	var pool Pool
	one := pooled(t, project(t, map[string]string{"x.toml": text}), "x", &pool)
	two := pooled(t, project(t, map[string]string{"x.toml": text}), "x", &pool)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if got := []*Bindings{one, two}[i%2].ask(t.Context(), 1); got != `"x"` {
				t.Errorf("a call is answered %s", got)
			}
		})
	}
	wg.Wait()
	if all, most := count.count(); all != 2 || most != 2 {
		t.Errorf("%d connections were made, %d at once; expected 2", all, most)
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if got := two.ask(t.Context(), 1); got != `"x"` {
		t.Errorf("the release that is left is answered %s", got)
	}
	if all, _ := count.count(); all != 2 {
		t.Error("the release that is left had to connect anew")
	}
}

const market = `
[sources.db]
type = "postgres"
url = %q
connections = 2

[services.Catalog]
source = "db"
offers = { sql = "select call, 'x' as offer from calls" }
title = { sql = %q }

[services.Pricing]
source = "db"
lowest = { sql = "select count(*) from pg_stat_activity where application_name = 'towpath' and :product = 'p'" }
`

// TestReleasesShareADatabase: the same of PostgreSQL; and a probe of one release says
// nothing of the other's statements.
func TestReleasesShareADatabase(t *testing.T) {
	db := postgres.Start(t)
	var pool Pool
	begin := func(title string) *Bindings {
		text := fmt.Sprintf(market, db.URL(), title)
		return pooled(t, project(t, map[string]string{"x.toml": text}), "x", &pool)
	}
	good, bad := begin("select 'a ' || :product"), begin("select nothing from nowhere where product = :product")
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			b := []*Bindings{good, bad}[i%2]
			if got := b.ask(t.Context(), 0); got != `["x"]` {
				t.Errorf("a call is answered %s", got)
			}
			if got := b.ask(t.Context(), 2); got != "1" && got != "2" {
				t.Errorf("the database has %s connections of ours; expected at most 2", got)
			}
		})
	}
	if err := good.Probe(t.Context()); err != nil {
		t.Errorf("a probe speaks for the other release: %v", err)
	}
	if err := bad.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), "Catalog.title") {
		t.Errorf("a probe of what cannot be asked says %v", err)
	}
	wg.Wait()
	if err := bad.Close(); err != nil {
		t.Error(err)
	}
	if got := good.ask(t.Context(), 1); got != `"a p"` {
		t.Errorf("the release that is left is answered %s", got)
	}
	if err := good.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestPoolIsForMany: bindings come and go at once.
func TestPoolIsForMany(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `"x"`) }))
	defer server.Close()
	root := project(t, map[string]string{"x.toml": strings.Replace(base, "http://127.0.0.1:1/v1", server.URL, 1)})
	m := manifest(t)
	var pool Pool
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				e, err := Read(root, "x")
				if err != nil {
					t.Error(err)
					return
				}
				b, err := e.Bind(m, Options{Pool: &pool})
				if err != nil {
					t.Error(err)
					return
				}
				if got := b.ask(t.Context(), 1); got != `"x"` {
					t.Errorf("a call is answered %s", got)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(pool.open) != 0 {
		t.Errorf("%d sources are left open", len(pool.open))
	}
}
