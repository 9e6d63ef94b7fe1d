package memstore

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"towpath.dev/election"
)

// A Snapshot is all that a store held at a time, as a backup has it.
type Snapshot struct {
	revision, compacted int64
	index               index
	log                 history
	leases              map[election.LeaseID]held
}

// held is a lease in a snapshot: how much of its time was left is not kept, as in etcd.
type held struct {
	ttl  time.Duration
	keys map[string]struct{}
}

// Revision is the store's as the snapshot was taken.
func (n Snapshot) Revision() int64 { return n.revision }

// Snapshot is the store as it is.
func (s *Store) Snapshot() Snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := Snapshot{s.revision, s.compacted, s.index.clone(), s.log.clone(), map[election.LeaseID]held{}}
	for id, l := range s.leases {
		n.leases[id] = held{l.ttl, maps.Clone(l.keys)}
	}
	return n
}

// Restore turns the store back to what it was, its revision included, as restoring
// an etcd's backup does. Leases of then live again, for their whole time. Watches end with
// an error that is [election.ErrNotReached], for the members they were at are gone.
func (s *Store) Restore(n Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	for _, l := range s.leases {
		l.timer.Stop()
	}
	s.endWatches(fmt.Errorf("%w: the store was restored to revision %d", election.ErrNotReached, n.revision))
	s.revision, s.compacted = n.revision, n.compacted
	s.index, s.log = n.index.clone(), n.log.clone() // it may be restored again
	s.leases = map[election.LeaseID]*lease{}
	for id, h := range n.leases {
		s.start(id, h.ttl, maps.Clone(h.keys))
	}
}

func (h *history) clone() history { return history{h.first, slices.Clone(h.revisions)} }
