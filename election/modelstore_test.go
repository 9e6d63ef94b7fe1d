package election

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A modelStore is etcd as the model has it: keys with revisions and leases, and
// transactions. It is a value: whoever changes one clones it first.
type modelStore struct {
	revision int64
	entries  []Entry // by key; never changed in place
	leases   map[LeaseID]bool
}

func (s modelStore) clone() modelStore {
	s.leases = maps.Clone(s.leases)
	return s
}

func (s *modelStore) find(key string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(s.entries, key, func(e Entry, key string) int { return strings.Compare(e.Key, key) })
	if !ok {
		return Entry{}, false
	}
	return s.entries[i], true
}

// holds evaluates a condition.
func (s *modelStore) holds(c Compare) bool {
	e, there := s.find(c.Key)
	var n int64
	switch c.Field {
	case Created:
		n = e.Created
	case Modified:
		n = e.Modified
	case Version:
		n = e.Version
	case Lease:
		n = int64(e.Lease)
	case Value:
		return there && (bytes.Equal(e.Value, c.Value) == (c.Relation == Equal))
	}
	switch c.Relation {
	case Equal:
		return n == c.Number
	case NotEqual:
		return n != c.Number
	case Less:
		return n < c.Number
	default:
		return n > c.Number
	}
}

// txn runs a transaction, and returns what it changed.
func (s *modelStore) txn(t Txn) (ok bool, events []Event, err error) {
	for _, c := range t.If {
		if !s.holds(c) {
			return false, nil, nil
		}
	}
	for _, op := range t.Then {
		if op.Kind == Write && op.Lease != 0 && !s.leases[op.Lease] {
			return false, nil, ErrNoLease
		}
	}
	entries := slices.Clone(s.entries)
	revision := s.revision + 1
	written := map[string]bool{}
	for _, op := range t.Then {
		switch op.Kind {
		case Write:
			if written[op.Keys.First] {
				panic(fmt.Sprintf("a transaction writes %s twice", op.Keys.First))
			}
			written[op.Keys.First] = true
			e := Entry{Key: op.Keys.First, Value: op.Value, Created: revision, Modified: revision, Version: 1, Lease: op.Lease}
			i, there := slices.BinarySearchFunc(entries, e.Key, func(e Entry, key string) int { return strings.Compare(e.Key, key) })
			if there {
				e.Created, e.Version = entries[i].Created, entries[i].Version+1
				entries[i] = e
			} else {
				entries = slices.Insert(entries, i, e)
			}
			events = append(events, Event{Entry: e})
		case Remove:
			entries = slices.DeleteFunc(entries, func(e Entry) bool {
				if op.Keys.Has(e.Key) {
					events = append(events, Event{true, Entry{Key: e.Key, Modified: revision}})
					return true
				}
				return false
			})
		}
	}
	if len(events) > 0 {
		s.entries, s.revision = entries, revision
	}
	return true, events, nil
}

// end ends a lease.
func (s *modelStore) end(lease LeaseID) []Event {
	delete(s.leases, lease)
	var t Txn
	for _, e := range s.entries {
		if e.Lease == lease {
			t.Then = append(t.Then, Delete(Key(e.Key)))
		}
	}
	_, events, _ := s.txn(t)
	return events
}
