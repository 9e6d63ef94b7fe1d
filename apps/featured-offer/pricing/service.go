package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// service answers for prices.
type service struct {
	market map[string]euros // by product; nil without a market
	delays *delays
}

const (
	maxBody     = 1 << 20 // bytes
	maxProducts = 1000    // of a batch
)

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // who asked may be gone
	})
	mux.HandleFunc("GET /lowest/{product}", func(w http.ResponseWriter, r *http.Request) {
		if !s.wait(r) {
			return
		}
		p := s.lowest(r.PathValue("product"))
		if p == nil {
			problem(w, http.StatusNotFound, "no other market has the product %q", r.PathValue("product"))
			return
		}
		answer(w, http.StatusOK, "application/json", p)
	})
	mux.HandleFunc("POST /lowest", s.batch)
	return mux
}

func (s *service) batch(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Products []string `json:"products"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked); err != nil {
		problem(w, http.StatusBadRequest, `the body is not as expected, {"products":["p-00001"]}: %v`, err)
		return
	}
	if len(asked.Products) > maxProducts {
		problem(w, http.StatusRequestEntityTooLarge, "%d products are asked for; expected at most %d at a time", len(asked.Products), maxProducts)
		return
	}
	if !s.wait(r) {
		return
	}
	prices := make(map[string]*money, len(asked.Products))
	for _, p := range asked.Products {
		prices[p] = s.lowest(p)
	}
	answer(w, http.StatusOK, "application/json", map[string]any{"prices": prices})
}

// wait lets the time pass that an answer takes. It reports whether anybody still
// waits for it.
func (s *service) wait(r *http.Request) bool {
	t := time.NewTimer(s.delays.next())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func answer(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}

// problem answers as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, format string, args ...any) {
	answer(w, status, "application/problem+json", map[string]any{
		"title": http.StatusText(status), "status": status, "detail": fmt.Sprintf(format, args...),
	})
}
