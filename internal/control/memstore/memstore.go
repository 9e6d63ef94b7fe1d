// Package memstore is a [control.Store] in memory that behaves as etcd does: its
// revisions, transactions, watches, leases and compaction. It is for tests, above all
// for those in virtual time: it keeps time by package time, so that in a bubble of
// testing/synctest its leases end at exactly their time.
//
//	store := memstore.New()
//	defer store.Close()
//
// Everything that happened since the last compaction is kept, as in etcd. Watches
// read it from there and have no queue of their own, so that a slow one costs nothing
// and holds up nobody.
//
// Values that it returns are the store's own and must not be changed.
package memstore

import (
	"context"
	"fmt"
	"sync"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// What etcd takes unless it is told otherwise.
const (
	maxOps   = 128           // operations of one branch, or conditions
	maxBytes = 3 * 512 << 10 // of a transaction that writes
)

// A Store is etcd in memory. It has to be closed.
type Store struct {
	watching sync.WaitGroup // one for each watch

	mu        sync.RWMutex
	closed    bool
	revision  int64
	compacted int64 // the oldest revision that can be read
	index     index
	log       history
	leases    map[election.LeaseID]*lease
	lastLease election.LeaseID // outlives a Restore: a lease of before must not come to mean another
	watches   map[*watch]struct{}
}

var _ control.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store {
	return &Store{
		revision: 1, // etcd's first write is at 2
		log:      history{first: 2},
		leases:   map[election.LeaseID]*lease{},
		watches:  map[*watch]struct{}{},
	}
}

// errClosed is what a closed store answers.
var errClosed = fmt.Errorf("%w: it was closed", election.ErrNotReached)

// Close ends the watches and waits until they have. Nobody needs to listen to them.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.leases {
		l.timer.Stop()
	}
	s.endWatches(errClosed)
	s.mu.Unlock()
	s.watching.Wait()
}

// usable is why the store cannot be asked, if there is a reason.
func (s *Store) usable(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.closed {
		return errClosed
	}
	return nil
}

// Range reads keys.
func (s *Store) Range(ctx context.Context, span election.Span) (election.Page, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return election.Page{}, err
	}
	at := s.revision
	switch {
	case span.First == "":
		return election.Page{}, errEmptyKey
	case span.Revision > s.revision:
		return election.Page{}, fmt.Errorf("%w: %d was asked for, it is at %d", election.ErrFuture, span.Revision, s.revision)
	case span.Revision > 0 && span.Revision < s.compacted:
		return election.Page{}, &election.CompactedError{Revision: s.compacted}
	case span.Revision > 0:
		at = span.Revision
	}
	page := election.Page{Revision: s.revision}
	for _, r := range s.index.within(span.Keys) {
		entry, ok := r.at(at)
		if !ok {
			continue
		}
		page.Count++
		if span.Limit > 0 && len(page.Entries) == span.Limit {
			page.More = true
			continue
		}
		if span.KeysOnly {
			entry.Value, entry.Lease = nil, 0
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// Compact forgets what was before a revision. One that has been compacted already
// is an error, as in etcd.
func (s *Store) Compact(ctx context.Context, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.usable(ctx); {
	case err != nil:
		return err
	case revision > s.revision:
		return fmt.Errorf("%w: it cannot be compacted at %d, it is at %d", election.ErrFuture, revision, s.revision)
	case revision <= s.compacted:
		return &election.CompactedError{Revision: s.compacted}
	}
	s.compacted = revision
	s.index.compact(revision)
	s.log.compact(revision)
	for w := range s.watches {
		w.poke() // some may have been left behind
	}
	return nil
}

// Status counts the bytes of keys and values. The store has no quota.
func (s *Store) Status(ctx context.Context) (control.Status, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return control.Status{}, err
	}
	status := control.Status{Revision: s.revision}
	for _, r := range s.index {
		for _, v := range r.versions {
			status.Size += int64(len(v.Entry.Key) + len(v.Entry.Value))
		}
	}
	status.InUse = status.Size
	return status, nil
}
