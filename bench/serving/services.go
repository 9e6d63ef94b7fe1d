package serving

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"towpath.dev/bench/workload"
)

// services are what the measured servers ask: in this process, over loopback.
type services struct {
	http      *http.Server
	merchants atomic.Int64 // requests for merchants
	prices    atomic.Int64
	narrow    chan struct{}
}

// startServices serves them and tells the children where.
func startServices() (*services, error) {
	s := &services{narrow: make(chan struct{}, narrowSlots)}
	store := workload.W4().Store
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow/{n}", func(w http.ResponseWriter, r *http.Request) {
		after(r, 5*time.Millisecond)
		fmt.Fprint(w, r.PathValue("n"))
	})
	mux.HandleFunc("GET /offers/{n}", func(w http.ResponseWriter, r *http.Request) {
		after(r, catalogTakes)
		_, _ = io.WriteString(w, "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]")
	})
	mux.HandleFunc("POST /merchants", func(w http.ResponseWriter, r *http.Request) {
		s.merchants.Add(1)
		var q struct{ IDs []int }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		after(r, merchantsTake)
		_ = json.NewEncoder(w).Encode(q.IDs)
	})
	mux.HandleFunc("GET /price/{n}", func(w http.ResponseWriter, r *http.Request) {
		d := 2 * time.Millisecond
		if s.prices.Add(1)%2 == 0 {
			d = 50 * time.Millisecond
		}
		after(r, d)
		_, _ = io.WriteString(w, "7")
	})
	mux.HandleFunc("GET /narrow/{n}", s.work)
	mux.HandleFunc("GET /w4/offers/{product}", func(w http.ResponseWriter, r *http.Request) {
		stored(w, func() ([]byte, error) { return store.Offers(r.Context(), r.PathValue("product")) })
	})
	mux.HandleFunc("POST /w4/profiles", func(w http.ResponseWriter, r *http.Request) { profiles(w, r, store) })
	mux.HandleFunc("GET /w4/quote/{offer}/{zip}", func(w http.ResponseWriter, r *http.Request) {
		stored(w, func() ([]byte, error) { return store.Quote(r.Context(), r.PathValue("offer"), r.PathValue("zip")) })
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{Handler: mux}
	go func() { _ = s.http.Serve(l) }()
	return s, os.Setenv("BENCH_SERVICES", l.Addr().String())
}

// What the services take.
const (
	catalogTakes  = 4 * time.Millisecond
	merchantsTake = 4 * time.Millisecond
	narrowSlots   = 8
	narrowTakes   = 20 * time.Millisecond
)

func after(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// work is a service that does so much at a time; the rest queues.
func (s *services) work(w http.ResponseWriter, r *http.Request) {
	select {
	case s.narrow <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	time.Sleep(narrowTakes)
	<-s.narrow
	_, _ = io.WriteString(w, r.PathValue("n"))
}

func stored(w http.ResponseWriter, find func() ([]byte, error)) {
	body, err := find()
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// profiles answers a batch: the profiles in the order of the ids.
func profiles(w http.ResponseWriter, r *http.Request, store *workload.Store) {
	var q struct{ IDs []string }
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := []byte{'['}
	for i, id := range q.IDs {
		body, err := store.Profile(r.Context(), id)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, body...)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(out, ']'))
}

func (s *services) stop() { _ = s.http.Close() }

// someN is a body {"n": …} that no cache has seen.
func someN(name string) []byte {
	return []byte(`{"` + name + `":` + strconv.Itoa(rand.IntN(1<<30)) + `}`)
}
