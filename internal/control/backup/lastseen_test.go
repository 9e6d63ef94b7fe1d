package backup

import (
	"errors"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
)

// TestLastSeen: sessions open during an outage of the store by what it said within an hour, and
// not where it refuses, or has said nothing yet.
func TestLastSeen(t *testing.T) {
	var fault error
	memory := blobtest.NewMemory()
	store := blobtest.Faulty(memory, func(blobtest.Call) blobtest.Fault { return blobtest.Fault{Before: fault} })
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	l := NewLastSeen(Generations(store, "prod"), testLog(t))
	l.now = func() time.Time { return now }

	fault = blobtest.ErrUnreached
	if _, err := l.Latest(t.Context()); !errors.Is(err, blobtest.ErrUnreached) {
		t.Errorf("before anything was seen: %v", err)
	}
	fault = nil
	if is, err := l.Claim(t.Context(), 1, "restored"); !is || err != nil {
		t.Fatal(is, err)
	}
	if _, err := l.Latest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Raise(t.Context(), 1, 77); err != nil {
		t.Fatal(err)
	}
	fault = blobtest.ErrUnreached
	now = now.Add(time.Hour)
	latest, err := l.Latest(t.Context())
	if err != nil || latest.Number != 1 || latest.Claim != "restored" || latest.Mark != 77 {
		t.Errorf("in an outage: %+v, %v", latest, err)
	}
	if err := l.Raise(t.Context(), 1, 78); err != nil {
		t.Errorf("in an outage: %v", err)
	}
	if _, err := l.Claim(t.Context(), 2, "another"); !errors.Is(err, blobtest.ErrUnreached) {
		t.Errorf("a claim in an outage: %v", err)
	}
	now = now.Add(time.Second)
	if _, err := l.Latest(t.Context()); !errors.Is(err, blobtest.ErrUnreached) {
		t.Errorf("after an hour: %v", err)
	}
	if err := l.Raise(t.Context(), 1, 79); !errors.Is(err, blobtest.ErrUnreached) {
		t.Errorf("after an hour: %v", err)
	}
	now = now.Add(-time.Minute)
	fault = blob.ErrRefused
	if _, err := l.Latest(t.Context()); !errors.Is(err, blob.ErrRefused) {
		t.Errorf("a refusal: %v", err)
	}
}
