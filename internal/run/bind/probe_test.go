package bind

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestCloseEndsProbes: a release is not needed any more while the first of its two sources is
// probed, and hangs. The probe ends, and the second one is not asked.
func TestCloseEndsProbes(t *testing.T) {
	asked := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer hangs.Close()
	var others atomic.Int32
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	other.Config.ConnState = func(net.Conn, http.ConnState) { others.Add(1) }
	other.Start()
	defer other.Close()
	text := strings.Replace(base, "http://127.0.0.1:1/v1", hangs.URL, 1)
	text = strings.Replace(text, "[services.Pricing]\nsource = \"api\"", "[services.Pricing]\nsource = \"other\"", 1)
	text += "\n[sources.other]\ntype = \"http\"\nurl = \"" + other.URL + "\"\n"
	root := project(t, map[string]string{"x.toml": text})
	b := pooled(t, root, "x", &Pool{})
	probed := make(chan error)
	go func() { probed <- b.Probe(context.Background()) }()
	<-asked
	closed := make(chan error)
	go func() { closed <- b.Close() }()
	if err := <-probed; !errors.Is(err, errClosed) {
		t.Errorf("the probe said: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if others.Load() > 0 {
		t.Error("a source was asked that nobody needed any more")
	}
	if err := b.Probe(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("a probe after the end said: %v", err)
	}
}

// TestWhoseProbe: what is wrong came with the program where all of it is in its own files.
func TestWhoseProbe(t *testing.T) {
	for _, c := range []struct {
		name, table string
		own         bool
	}{{"a file, and a service", "{", false}, {"a service", "[]", false}, {"a file", "{", true}} {
		t.Run(c.name, func(t *testing.T) {
			text := base
			if c.own {
				up := httptest.NewServer(http.NotFoundHandler())
				defer up.Close()
				text = strings.Replace(text, "http://127.0.0.1:1/v1", up.URL, 1)
			}
			text = strings.Replace(text, "[services.Pricing]\nsource = \"api\"", "[services.Pricing]\nsource = \"table\"", 1)
			text = strings.Replace(text, "get = \"/lowest/{product}\"\n", "", 1)
			root := project(t, map[string]string{"x.toml": text + "\n[sources.table]\ntype = \"file\"\npath = \"x.json\"\n"})
			if err := os.WriteFile(filepath.Join(root, "x.json"), []byte(c.table), 0o600); err != nil {
				t.Fatal(err)
			}
			b := pooled(t, root, "x", &Pool{})
			err := b.Probe(t.Context())
			var whose interface{ Own() bool }
			if !errors.As(err, &whose) || whose.Own() != c.own {
				t.Errorf("%v; its own is expected to be %v", err, c.own)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
