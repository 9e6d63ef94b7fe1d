//go:build !solo

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestOwnServer: what a node finds as it asks its own server whether that is ready.
func TestOwnServer(t *testing.T) {
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				status, text = http.StatusNotFound, "expected /readyz"
			}
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}
	}
	for _, c := range []struct {
		name    string
		answers http.HandlerFunc // nil: nobody listens
		want    string           // of the error; "" is ready
	}{
		{"ready", answer(http.StatusOK, "ready\n"), ""},
		{"stale", answer(http.StatusOK, "ready\nstale since 2026-11-28T12:00:00Z\n"), ""},
		{"draining", answer(http.StatusServiceUnavailable, "draining\n"), ""},
		{"not ready", answer(http.StatusServiceUnavailable, "no program is served yet\nnor soon\n"), `/readyz says "no program is served yet"`},
		{"nothing", answer(http.StatusBadGateway, ""), `/readyz says "" (502 Bad Gateway)`},
		{"it does not answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "/readyz does not answer in time"},
		{"nobody listens", nil, "/readyz does not answer: "},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secure %v", c.name, secure), func(t *testing.T) {
				s := httptest.NewUnstartedServer(c.answers)
				if secure {
					s.StartTLS()
				} else {
					s.Start()
				}
				defer s.Close()
				var o ownServer
				if err := o.ask(t.Context()); err != nil {
					t.Errorf("before it listens: %v", err)
				}
				o.listens(s.URL)
				if c.answers == nil {
					s.Close()
				}
				most := 10 * time.Second
				if strings.Contains(c.want, "in time") {
					most = 50 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), most)
				defer cancel()
				err := o.ask(ctx)
				if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.HasPrefix(got, c.want) && c.want != "" {
					t.Errorf("it is %v; expected %q", err, c.want)
				}
			})
		}
	}
}
