package memstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/election"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func put(t *testing.T, s *Store, key, value string, lease election.LeaseID) int64 {
	t.Helper()
	r, err := s.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, []byte(value), lease)}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Revision
}

func keys(t *testing.T, s *Store) string {
	t.Helper()
	page, err := s.Range(t.Context(), election.Span{Keys: election.Keys{First: "\x00", End: "\x00"}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range page.Entries {
		list = append(list, e.Key)
	}
	return strings.Join(list, " ")
}

// TestLeaseEnds: at exactly its time, with all its keys at one revision.
func TestLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		id, ttl, err := s.Grant(t.Context(), 1500*time.Millisecond)
		if err != nil || ttl != 2*time.Second {
			t.Fatalf("%v, %v", ttl, err)
		}
		put(t, s, "a", "", id)
		revision := put(t, s, "b", "", id)
		put(t, s, "b", "", id)
		watch := s.Watch(t.Context(), election.Prefix("a"), revision)
		time.Sleep(2*time.Second - 1)
		if got := keys(t, s); got != "a b" {
			t.Errorf("before the end there are %q", got)
		}
		if ttl, err := s.Renew(t.Context(), id); ttl != 2*time.Second || err != nil {
			t.Errorf("%v, %v", ttl, err)
		}
		time.Sleep(2 * time.Second)
		if _, err := s.Renew(t.Context(), id); !errors.Is(err, election.ErrNoLease) {
			t.Errorf("a renewal at the end: %v", err)
		}
		if got := keys(t, s); got != "" {
			t.Errorf("after the end there are %q", got)
		}
		if b := <-watch; b.Revision != revision+2 || !b.Events[0].Removed {
			t.Errorf("the watch hears %+v", b)
		}
	})
}

// TestNobodyListens: watches that nobody reads hold up neither writers nor Close.
func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		ctx, cancel := context.WithCancel(t.Context())
		watches := []<-chan election.Batch{s.Watch(ctx, election.Key("a"), 0), s.Watch(t.Context(), election.Key("a"), 0), s.Watch(t.Context(), election.Key("b"), 0)}
		for range 10 {
			put(t, s, "a", "", 0)
		}
		cancel()
		synctest.Wait()
		s.Close()
		for i, want := range []error{context.Canceled, election.ErrNotReached, election.ErrNotReached} {
			if b, more := <-watches[i]; !errors.Is(b.Err, want) || !more {
				t.Errorf("watch %d ends with %+v", i, b)
			}
			if _, more := <-watches[i]; more {
				t.Errorf("watch %d is not closed", i)
			}
		}
	})
}

// TestIdleWatchOutlivesCompaction: one that was not meant has not fallen behind.
func TestIdleWatchOutlivesCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		watch := s.Watch(t.Context(), election.Key("b"), 0)
		for range 10 {
			put(t, s, "a", "", 0)
		}
		if err := s.Compact(t.Context(), 11); err != nil {
			t.Fatal(err)
		}
		if r := put(t, s, "b", "", 0); (<-watch).Revision != r {
			t.Error("it has not heard of its key")
		}
	})
}

// TestRestore: everything is as it was, leases live again, watches end.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		id, _, err := s.Grant(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "a", "1", id)
		put(t, s, "b", "1", 0)
		old := s.Snapshot()
		watch := s.Watch(t.Context(), election.Prefix("a"), 0)
		later, _, err := s.Grant(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "c", "1", later)
		time.Sleep(time.Minute)
		if got := keys(t, s); got != "b" {
			t.Errorf("before there are %q", got)
		}
		for range 2 {
			s.Restore(old)
			if got := keys(t, s); got != "a b" {
				t.Errorf("restored there are %q", got)
			}
			if r := put(t, s, "b", "2", 0); r != old.Revision()+1 {
				t.Errorf("the next revision is %d", r)
			}
		}
		if _, err := s.Renew(t.Context(), later); !errors.Is(err, election.ErrNoLease) {
			t.Errorf("a later lease: %v", err)
		}
		var last election.Batch
		for last = range watch {
		}
		if !errors.Is(last.Err, election.ErrNotReached) {
			t.Errorf("the watch ends with %+v", last)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := keys(t, s); got != "b" {
			t.Errorf("after the lease there are %q", got)
		}
		if next, _, err := s.Grant(t.Context(), time.Second); next == later || err != nil {
			t.Errorf("a new lease %v is called as one of before, %v", next, err)
		}
	})
}

// BenchmarkTxn writes one of ten thousand keys while a hundred watches follow.
func BenchmarkTxn(b *testing.B) {
	s := New()
	defer s.Close()
	for i := range 100 {
		batches := s.Watch(b.Context(), election.Prefix(fmt.Sprintf("key/%02d", i)), 0)
		go func() {
			for range batches {
			}
		}()
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Txn(b.Context(), election.Txn{Then: []election.Op{election.Put(fmt.Sprintf("key/%04d", i*7919%10000), nil, 0)}}); err != nil {
			b.Fatal(err)
		}
	}
}
