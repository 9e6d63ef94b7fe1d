package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
)

const (
	// seenFor is for how long a generation counts that was seen, while the store of objects
	// cannot be reached. A restore has to claim its generation there.
	seenFor   = time.Hour
	seenAgain = 15 * time.Minute
	seenTime  = 5 * time.Second // how long who opens a session waits for the store
)

// LastSeen is a registry of generations that an outage of its store does not close: sessions
// open by what it said last, for an hour. A refusal of the store's is no outage.
type LastSeen struct {
	inner election.Registry
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	latest election.Generation
	at     time.Time // zero before anything was seen
}

// NewLastSeen remembers what a registry says.
func NewLastSeen(inner election.Registry, log *slog.Logger) *LastSeen {
	return &LastSeen{inner: inner, log: log, now: time.Now}
}

// Run asks now and then until the context ends, so that what was seen is not old when an outage
// begins.
func (l *LastSeen) Run(ctx context.Context) {
	ticker := time.NewTicker(seenAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, _ = l.Latest(ctx) // which says what is wrong
		case <-ctx.Done():
			return
		}
	}
}

// Latest implements [election.Registry].
func (l *LastSeen) Latest(ctx context.Context) (election.Generation, error) {
	asking, cancel := context.WithTimeout(ctx, seenTime)
	defer cancel()
	latest, err := l.inner.Latest(asking)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.latest, l.at = latest, l.now()
		return latest, nil
	}
	return l.latest, l.outage(ctx, err)
}

// Raise implements [election.Registry]. What it could not note is noted by the next session.
func (l *LastSeen) Raise(ctx context.Context, generation uint64, revision int64) error {
	asking, cancel := context.WithTimeout(ctx, seenTime)
	defer cancel()
	err := l.inner.Raise(asking, generation, revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		return l.outage(ctx, err)
	}
	if generation == l.latest.Number {
		l.latest.Mark = max(l.latest.Mark, revision)
	}
	return nil
}

// Claim implements [election.Registry]. Nothing stands in for the store here.
func (l *LastSeen) Claim(ctx context.Context, generation uint64, claim string) (bool, error) {
	return l.inner.Claim(ctx, generation, claim)
}

// outage is nil while what was seen last counts.
func (l *LastSeen) outage(ctx context.Context, err error) error {
	since := l.now().Sub(l.at)
	if ctx.Err() != nil || errors.Is(err, blob.ErrRefused) || l.at.IsZero() {
		return err
	}
	if since > seenFor {
		return fmt.Errorf("%w (what it said last is from %s, and counts for %s)", err, l.at.UTC().Format("15:04:05Z"), seenFor)
	}
	l.log.Warn("the registry of generations beside the backups cannot be reached; what it said last counts", "generation", l.latest.Number, "seen", l.at.UTC(), "error", err)
	return nil
}
