package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"towpath.dev/client"
)

func ask(t *testing.T, handler http.HandlerFunc, opts client.Options) *client.Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCall(t *testing.T) {
	c := ask(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/shop/rules/fees.fee" || string(body) != `{"n":2}` || r.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("asked %s with %s, %v", r.URL.Path, body, r.Header)
		}
		if ms := r.Header.Get("Towpath-Deadline"); ms == "" || len(ms) > 5 {
			t.Errorf("the deadline is %q", ms)
		}
		_, _ = io.WriteString(w, `{"fee":4}`)
	}, client.Options{Token: "t"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out struct{ Fee int }
	if err := c.Call(ctx, "shop", "rules/fees.fee", map[string]int{"n": 2}, &out); err != nil || out.Fee != 4 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestProblems(t *testing.T) {
	c := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "proxy") {
			http.Error(w, "<html>bad gateway", http.StatusBadGateway)
			return
		}
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"type":"https://towpath.dev/problems/overloaded","title":"Too much","detail":"wait","request":"r1"}`)
	}, client.Options{})
	var p *client.Problem
	_, err := c.Do(t.Context(), client.Request{Program: "shop", View: "v"})
	if !errors.As(err, &p) || p.RetryAfter != 3*time.Second || p.Status != 503 || p.Request != "r1" {
		t.Errorf("%+v", p)
	}
	_, err = c.Do(t.Context(), client.Request{Program: "shop", View: "proxy"})
	if !errors.As(err, &p) || p.Type != "about:blank" || !strings.Contains(p.Detail, "<html>") {
		t.Errorf("%+v", p)
	}
}

// TestThrottle: of many requests to a responder that refuses all, few are sent;
// other criticalities go on.
func TestThrottle(t *testing.T) {
	var sent atomic.Int64
	c := ask(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		if r.Header.Get("Towpath-Criticality") == "critical" {
			_, _ = io.WriteString(w, "1")
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}, client.Options{})
	throttled := 0
	for range 1000 {
		if _, err := c.Do(t.Context(), client.Request{Program: "p", View: "v"}); errors.Is(err, client.ErrThrottled) {
			throttled++
		}
	}
	if n := sent.Load(); n > 150 || int(n)+throttled != 1000 {
		t.Errorf("%d sent, %d throttled", n, throttled)
	}
	for range 50 {
		if _, err := c.Do(t.Context(), client.Request{Program: "p", View: "v", Criticality: client.Critical}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:80", "ftp://x", "http://"} {
		if _, err := client.New(bad, client.Options{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
