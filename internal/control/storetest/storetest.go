// Package storetest is the suite that every [control.Store] passes: what etcd does,
// as far as Towpath relies on it.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) control.Store { return … })
//	}
//
// Compare is its other half: it does the same random things to two stores.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// patience is for how long a test waits for what has to come.
const patience = time.Minute

// Run runs the suite. Each test has a store of its own, which must be empty and
// nobody else's.
func Run(t *testing.T, open func(t *testing.T) control.Store) {
	for _, c := range []struct {
		name string
		test func(*kit)
	}{
		{"Revisions", revisions},
		{"Conditions", conditions},
		{"Operations", operations},
		{"RefusedTransactions", refusedTransactions},
		{"Ranges", ranges},
		{"Paging", paging},
		{"Compaction", compaction},
		{"Leases", leases},
		{"LeaseEnds", leaseEnds},
		{"KeysMoveBetweenLeases", keysMove},
		{"WatchOrder", watchOrder},
		{"WatchKeys", watchKeys},
		{"WatchFromNow", watchFromNow},
		{"WatchFromLater", watchFromLater},
		{"WatchCompacted", watchCompacted},
		{"WatchCancelled", watchCancelled},
		{"WatchSlow", watchSlow},
		{"Cancelled", cancelled},
		{"Status", status},
		{"Increments", increments},
		{"OneCreates", oneCreates},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.test(&kit{t, open(t), ctx})
		})
	}
}

// A kit is a test with its store: short ways to say what is done all the time.
type kit struct {
	*testing.T
	store control.Store
	ctx   context.Context
}

// txn does it, or fails the test.
func (k *kit) txn(txn election.Txn) election.Result {
	k.Helper()
	r, err := k.store.Txn(k.ctx, txn)
	if err != nil {
		k.Fatalf("a transaction: %v", err)
	}
	return r
}

// do does operations, and returns the revision.
func (k *kit) do(ops ...election.Op) int64 {
	k.Helper()
	return k.txn(election.Txn{Then: ops}).Revision
}

func (k *kit) read(span election.Span) election.Page {
	k.Helper()
	page, err := k.store.Range(k.ctx, span)
	if err != nil {
		k.Fatalf("reading %q: %v", span.Keys, err)
	}
	return page
}

func (k *kit) revision() int64 {
	k.Helper()
	return k.read(election.Span{Keys: election.Key("none")}).Revision
}

func (k *kit) grant(ttl time.Duration) election.LeaseID {
	k.Helper()
	id, _, err := k.store.Grant(k.ctx, ttl)
	if err != nil {
		k.Fatalf("a lease: %v", err)
	}
	return id
}

func (k *kit) revoke(id election.LeaseID) {
	k.Helper()
	if err := k.store.Revoke(k.ctx, id); err != nil {
		k.Fatalf("revoking: %v", err)
	}
}

// fails checks for an error of a kind.
func (k *kit) fails(what string, err, kind error) {
	k.Helper()
	if !errors.Is(err, kind) {
		k.Errorf("%s: found the error %v, expected: %v", what, err, kind)
	}
}

// compacted checks for an error that says so.
func (k *kit) compacted(what string, err error) {
	k.Helper()
	if _, ok := errors.AsType[*election.CompactedError](err); !ok {
		k.Errorf("%s: found the error %v, expected that it was compacted", what, err)
	}
}

func put(key, value string) election.Op { return election.Put(key, []byte(value), 0) }

func remove(key string) election.Op { return election.Delete(election.Key(key)) }

var everything = election.Keys{First: "\x00", End: "\x00"}

// expect compares what is there, as "key=value" with spaces between, and "key=value@N" for
// the Nth version.
func (k *kit) expect(what string, entries []election.Entry, want string) {
	k.Helper()
	if got := show(entries); got != want {
		k.Errorf("%s: found %q, expected %q", what, got, want)
	}
}

func show(entries []election.Entry) string {
	var list []string
	for _, e := range entries {
		s := e.Key + "=" + string(e.Value)
		if e.Version > 1 {
			s += fmt.Sprint("@", e.Version)
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

// showEvents is events as "+key=value" and "-key".
func showEvents(events []election.Event) string {
	var list []string
	for _, e := range events {
		if e.Removed {
			list = append(list, "-"+e.Entry.Key)
		} else {
			list = append(list, "+"+show([]election.Entry{e.Entry}))
		}
	}
	return strings.Join(list, " ")
}

// watched is the batches of a watch up to a revision.
func (k *kit) watched(keys election.Keys, from, to int64) []election.Batch {
	k.Helper()
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	return k.until(k.store.Watch(ctx, keys, from), to)
}

func (k *kit) until(watch <-chan election.Batch, to int64) []election.Batch {
	k.Helper()
	var batches []election.Batch
	for b := range watch {
		if b.Err != nil {
			k.Fatalf("a watch ended before the revision %d: %v", to, b.Err)
		}
		batches = append(batches, b)
		if b.Revision >= to {
			return batches
		}
	}
	k.Fatalf("a watch was closed before the revision %d, without an error", to)
	return nil
}

func eventsOf(batches []election.Batch) []election.Event {
	var all []election.Event
	for _, b := range batches {
		all = append(all, b.Events...)
	}
	return all
}

// end is the last batch of a watch, which others may come before.
func (k *kit) end(watch <-chan election.Batch) election.Batch {
	k.Helper()
	var last election.Batch
	for {
		select {
		case b, more := <-watch:
			if !more {
				return last
			}
			last = b
		case <-k.ctx.Done():
			k.Fatal("a watch does not end")
		}
	}
}

// whole checks that batches are in order, without one revision being in two.
func (k *kit) whole(batches []election.Batch) {
	k.Helper()
	said := int64(0)
	for _, b := range batches {
		in := slices.IsSortedFunc(b.Events, func(a, b election.Event) int { return int(a.Entry.Modified - b.Entry.Modified) })
		if !in || len(b.Events) > 0 && (b.Events[0].Entry.Modified <= said || b.Events[len(b.Events)-1].Entry.Modified > b.Revision) || b.Revision < said {
			k.Errorf("after all up to %d came %+v", said, b)
		}
		said = b.Revision
	}
}
