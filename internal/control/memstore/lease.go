package memstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"towpath.dev/election"
)

// A lease is one that has not ended. The store's lock guards it.
type lease struct {
	ttl   time.Duration
	ends  time.Time
	timer *time.Timer
	keys  map[string]struct{}
}

// Grant makes a lease, of one second at least.
func (s *Store) Grant(ctx context.Context, ttl time.Duration) (election.LeaseID, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, 0, err
	}
	whole := ttl.Truncate(time.Second)
	if whole < ttl || whole < time.Second {
		whole = max(whole, 0) + time.Second
	}
	s.lastLease++
	s.start(s.lastLease, whole, nil)
	return s.lastLease, whole, nil
}

// start begins a lease's time.
func (s *Store) start(id election.LeaseID, ttl time.Duration, keys map[string]struct{}) {
	if keys == nil {
		keys = map[string]struct{}{}
	}
	l := &lease{ttl: ttl, ends: time.Now().Add(ttl), keys: keys}
	l.timer = time.AfterFunc(ttl, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.leases[id] == l { // and not one of the same name that a Restore brought
			s.live(id)
		}
	})
	s.leases[id] = l
}

// live is the lease unless it has ended. It ends one whose time is up, so that it
// does not matter whether a late renewal comes before the timer or after.
func (s *Store) live(id election.LeaseID) *lease {
	l := s.leases[id]
	if l == nil || s.closed {
		return nil
	}
	if time.Now().Before(l.ends) {
		return l
	}
	s.end(id, l)
	return nil
}

// end deletes the lease's keys at one revision.
func (s *Store) end(id election.LeaseID, l *lease) {
	l.timer.Stop()
	delete(s.leases, id)
	t := step{store: s, revision: s.revision + 1}
	for _, key := range slices.Sorted(maps.Keys(l.keys)) {
		t.remove(election.Key(key))
	}
	t.commit()
}

// attach and detach keep a lease's keys as they come and go.
func (s *Store) attach(entry election.Entry) {
	if l := s.leases[entry.Lease]; l != nil {
		l.keys[entry.Key] = struct{}{}
	}
}

func (s *Store) detach(entry election.Entry) {
	if l := s.leases[entry.Lease]; l != nil {
		delete(l.keys, entry.Key)
	}
}

// Renew begins a lease's time again.
func (s *Store) Renew(ctx context.Context, id election.LeaseID) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	l := s.live(id)
	if l == nil {
		return 0, fmt.Errorf("%w: %v", election.ErrNoLease, id)
	}
	l.ends = time.Now().Add(l.ttl)
	l.timer.Reset(l.ttl)
	return l.ttl, nil
}

// Revoke ends a lease.
func (s *Store) Revoke(ctx context.Context, id election.LeaseID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if l := s.live(id); l != nil {
		s.end(id, l)
	}
	return nil
}
