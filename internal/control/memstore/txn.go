// Transactions: checked whole before any of it is done, as etcd does.

package memstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"towpath.dev/election"
)

// Faults of a caller's program, for which election has no kind.
var (
	errEmptyKey     = errors.New("a key must not be empty")
	errDuplicateKey = errors.New("a transaction writes a key once at most")
)

// Txn runs Then or Else.
func (s *Store) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	if err := check(txn); err != nil {
		return election.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return election.Result{}, err
	}
	result := election.Result{OK: true}
	ops := txn.Then
	for _, c := range txn.If {
		if !s.holds(c) {
			result.OK, ops = false, txn.Else
			break
		}
	}
	for _, op := range ops {
		// A lease whose time is up but that was not ended yet will do, as in etcd.
		if op.Kind == election.Write && op.Lease != 0 && s.leases[op.Lease] == nil {
			return election.Result{}, fmt.Errorf("%w: %v, for the key %q", election.ErrNoLease, op.Lease, op.Keys.First)
		}
	}
	t := step{store: s, revision: s.revision + 1}
	result.Outcomes = make([]election.Outcome, len(ops))
	for i, op := range ops {
		switch op.Kind {
		case election.Read:
			result.Outcomes[i].Entries = t.read(op)
		case election.Write:
			t.put(op)
		case election.Remove:
			result.Outcomes[i].Removed = t.remove(op.Keys)
		}
	}
	t.commit()
	result.Revision = s.revision
	return result, nil
}

// check finds what is wrong with a transaction whatever the store holds.
func check(txn election.Txn) error {
	if n := max(len(txn.If), len(txn.Then), len(txn.Else)); n > maxOps {
		return fmt.Errorf("%w: %d, of at most %d", election.ErrTooLarge, n, maxOps)
	}
	size, writes := 0, false
	for _, c := range txn.If {
		if c.Key == "" {
			return errEmptyKey
		}
		size += len(c.Key) + len(c.Value)
	}
	for _, branch := range [][]election.Op{txn.Then, txn.Else} {
		if err := checkBranch(branch); err != nil {
			return err
		}
		for _, op := range branch {
			size += len(op.Keys.First) + len(op.Keys.End) + len(op.Value)
			writes = writes || op.Kind != election.Read
		}
	}
	if writes && size > maxBytes {
		return fmt.Errorf("%w: %d bytes, of at most %d", election.ErrTooLarge, size, maxBytes)
	}
	return nil
}

// checkBranch refuses a key that is put twice, or put and removed.
func checkBranch(ops []election.Op) error {
	put := map[string]bool{}
	for _, op := range ops {
		if op.Keys.First == "" {
			return errEmptyKey
		}
		if op.Kind != election.Write {
			continue
		}
		key := op.Keys.First
		if put[key] || slices.ContainsFunc(ops, func(o election.Op) bool { return o.Kind == election.Remove && o.Keys.Has(key) }) {
			return fmt.Errorf("%w: %q", errDuplicateKey, key)
		}
		put[key] = true
	}
	return nil
}

// holds reports whether a condition is met.
func (s *Store) holds(c election.Compare) bool {
	entry, present := s.index.latest(c.Key)
	var order int
	switch c.Field {
	case election.Created:
		order = cmp.Compare(entry.Created, c.Number)
	case election.Modified:
		order = cmp.Compare(entry.Modified, c.Number)
	case election.Version:
		order = cmp.Compare(entry.Version, c.Number)
	case election.Lease:
		order = cmp.Compare(int64(entry.Lease), c.Number)
	case election.Value:
		if !present {
			return false // not even NotEqual
		}
		order = bytes.Compare(entry.Value, c.Value)
	}
	switch c.Relation {
	case election.Equal:
		return order == 0
	case election.NotEqual:
		return order != 0
	case election.Less:
		return order < 0
	default:
		return order > 0
	}
}

// A step is a transaction that is being done: what it writes is all at one revision.
type step struct {
	store    *Store
	revision int64
	events   []election.Event
}

// read sees what the step wrote so far.
func (t *step) read(op election.Op) []election.Entry {
	var entries []election.Entry
	for _, r := range t.store.index.within(op.Keys) {
		if entry, ok := r.latest(); ok {
			entries = append(entries, entry)
		}
		if op.Limit > 0 && len(entries) == op.Limit {
			break
		}
	}
	return entries
}

func (t *step) put(op election.Op) {
	key := op.Keys.First
	entry, present := t.store.index.latest(key)
	if !present {
		entry = election.Entry{Key: key, Created: t.revision}
	}
	t.store.detach(entry)
	entry.Value = nil // as etcd returns an empty one
	if len(op.Value) > 0 {
		entry.Value = bytes.Clone(op.Value)
	}
	entry.Modified = t.revision
	entry.Version++
	entry.Lease = op.Lease
	t.store.attach(entry)
	t.add(election.Event{Entry: entry})
}

func (t *step) remove(keys election.Keys) int64 {
	removed := int64(0)
	for _, r := range t.store.index.within(keys) { // which stays as it is: nothing is added
		if entry, ok := r.latest(); ok {
			t.store.detach(entry)
			t.add(election.Event{Removed: true, Entry: election.Entry{Key: r.key, Modified: t.revision}})
			removed++
		}
	}
	return removed
}

func (t *step) add(event election.Event) {
	t.store.index.add(event)
	t.events = append(t.events, event)
}

// commit takes the revision if something was written, and lets watches know.
func (t *step) commit() {
	s := t.store
	if len(t.events) == 0 {
		return
	}
	s.revision = t.revision
	s.log.add(t.events)
	for w := range s.watches {
		w.happened(t.revision, t.events)
	}
}
