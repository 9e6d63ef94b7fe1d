package client

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Throttle is a RoundTripper that fails requests with ErrThrottled while those
// before them, of the same Towpath-Criticality, were mostly answered 429 or 503.
// Nil stands for http.DefaultTransport.
func Throttle(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &throttled{next: next}
}

type throttled struct {
	next   http.RoundTripper
	counts [classes]throttle
}

// RoundTrip is part of http.RoundTripper.
func (t *throttled) RoundTrip(r *http.Request) (*http.Response, error) {
	class := Default
	for c := Default; int(c) < classes; c++ {
		if r.Header.Get("Towpath-Criticality") == c.String() {
			class = c
		}
	}
	counts := &t.counts[class]
	if !counts.admit(time.Now()) {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper closes it whatever happens
		}
		return nil, ErrThrottled
	}
	resp, err := t.next.RoundTrip(r)
	if err == nil && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		counts.accepted(time.Now())
	}
	return resp, err
}

// CloseIdleConnections closes those of the RoundTripper below.
func (t *throttled) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// throttle counts requests and those that were accepted, over the last while, and
// lets so many through that about every second one is accepted: the others are
// what the responder learns from that there are more.
//
// A request counts before it is sent, so that what is refused here counts too.
type throttle struct {
	mu       sync.Mutex
	at       time.Time
	requests float64
	accepts  float64
}

// The counts are halved every halfLife; a ratio below 1/multiple throttles.
const (
	halfLife = 10 * time.Second
	multiple = 2
	// few requests show nothing.
	few = 10
)

// admit counts a request, and reports whether to send it.
func (t *throttle) admit(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fade(now)
	t.requests++
	excess := (t.requests - few - multiple*t.accepts) / (t.requests + 1)
	return excess <= 0 || rand.Float64() >= excess
}

func (t *throttle) accepted(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fade(now)
	t.accepts++
}

// fade lets what was longer ago count less. Halving in steps is enough.
func (t *throttle) fade(now time.Time) {
	if t.at.IsZero() {
		t.at = now
	}
	for now.Sub(t.at) >= halfLife && t.requests > 0 {
		t.requests, t.accepts = t.requests/2, t.accepts/2
		if t.at = t.at.Add(halfLife); t.requests < 1 {
			t.requests, t.accepts, t.at = 0, 0, now
		}
	}
	if now.Sub(t.at) >= halfLife {
		t.at = now
	}
}
