package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"

	"towpath.dev/bench/peers/golang"
	"towpath.dev/bench/workload"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/record"
	"towpath.dev/internal/run/serve"
)

// servers are what a child process may be.
var servers = map[string]func() (http.Handler, error){
	"bare":      bare,
	"go-std":    goStd,
	"tow":       towW1,
	"tow-w4":    func() (http.Handler, error) { return towOver("w4") },
	"go-w4":     goW4,
	"tow-burn":  func() (http.Handler, error) { return towOver("w3") },
	"tow-calls": func() (http.Handler, error) { return towOver("calls") },
	// It is told that it can do more than it would find out about a service that
	// never answers.
	"hang": hang,
	"tow-waiting": func() (http.Handler, error) {
		s := serve.New(serve.Options{Admission: admit.Options{Capacity: 1000}})
		return s, put(s, "calls", "calls")
	},
}

// RunServer is the main of a child process: it serves until its input ends.
func RunServer(name string) error {
	make := servers[name]
	if make == nil {
		return fmt.Errorf("no server %q", name)
	}
	handler, err := make()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening", l.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if s, ok := handler.(*serve.Server); ok {
		debug.SetGCPercent(400) // as cmd/tow does
		return s.Serve(ctx, l, serve.Limits{Connections: 20_000}, nil, 0)
	}
	h := &http.Server{Handler: handler}
	go func() { <-ctx.Done(); _ = h.Close() }()
	if err := h.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// bare reads the body and answers a constant: what any handler costs.
func bare() (http.Handler, error) {
	answer := []byte(`{"offer":"o-1000","price":5612,"score":112.5,"reason":"value"}`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}), nil
}

// hang is a service that answers when it is told to: in a process of its own, since
// ten thousand connections have two ends each.
func hang() (http.Handler, error) {
	var waiting atomic.Int64
	released := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hang/{n}", func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		select {
		case <-released:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "1")
	})
	mux.HandleFunc("GET /waiting", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, waiting.Load()) })
	mux.HandleFunc("GET /release", func(w http.ResponseWriter, r *http.Request) { close(released) })
	return mux, nil
}

// goStd is W1 by hand, on net/http and encoding/json.
func goStd() (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request workload.OffersRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var answer any
		if choice, ok := golang.Best(&request); ok {
			answer = &choice
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			return // the client has left
		}
	}), nil
}

// towW1 is W1 as a responder serves it: admission, metrics, 1 % recorded.
func towW1() (http.Handler, error) {
	dir, err := os.MkdirTemp("", "bench-records-")
	if err != nil {
		return nil, err
	}
	ring, err := record.Open(dir, record.Options{Sample: 0.01})
	if err != nil {
		return nil, err
	}
	s := serve.New(serve.Options{Records: ring})
	return s, put(s, "w1", "w1")
}

// towOver serves a project over the HTTP services of the parent process, whose
// address is in BENCH_SERVICES.
func towOver(project string) (http.Handler, error) {
	s := serve.New(serve.Options{})
	return s, put(s, project, project)
}

func put(s *serve.Server, name, project string) error {
	root := filepath.Join(Root, "tow", project)
	built, err := compile.Build(os.DirFS(root), compile.Options{Name: name})
	if err != nil {
		return err
	}
	if built.Diags.HasErrors() {
		return built.Diags.All[0]
	}
	p, err := engine.Load(context.Background(), built.Artifact, engine.Options{})
	if err != nil {
		return err
	}
	release := &serve.Release{Engine: p}
	if err := attach(s, release, p.Manifest(), root); err != nil {
		return err
	}
	s.Put(name, release)
	return nil
}

func attach(s *serve.Server, release *serve.Release, m *artifact.Manifest, root string) error {
	if len(m.Operations) == 0 {
		return nil
	}
	env, err := bind.Read(root, "bench")
	if err != nil {
		return err
	}
	bindings, err := env.Bind(m, bind.Options{})
	if err != nil {
		return err
	}
	release.Fetcher, release.Close = fetch.New(m, bindings.Bound, fetch.Options{Observe: s.Asked}), bindings.Close
	return nil
}

// Root is the folder of the comparison module.
var Root = "."
