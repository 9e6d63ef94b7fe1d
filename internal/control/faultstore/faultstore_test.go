package faultstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSuite: without faults it is as the store within.
func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) control.Store {
		inner := memstore.New()
		t.Cleanup(inner.Close)
		return faultstore.Wrap(inner, nil)
	})
}

// bubble runs a test in virtual time, with a store and what is within.
func bubble(t *testing.T, test func(t *testing.T, s *faultstore.Store, inner *memstore.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner := memstore.New()
		defer inner.Close()
		test(t, faultstore.Wrap(inner, nil), inner)
	})
}

func put(t *testing.T, s control.Store, key string) error {
	t.Helper()
	_, err := s.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, nil, 0)}})
	return err
}

func revision(t *testing.T, s control.Store) int64 {
	t.Helper()
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Revision
}

// TestCallsFail: before they arrive, and after they took effect.
func TestCallsFail(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, inner *memstore.Store) {
		refused := errors.New("refused")
		for _, c := range []struct {
			fault faultstore.Fault
			want  error
			wrote int64
		}{
			{faultstore.Fault{Before: refused}, refused, 0},
			{faultstore.Fault{After: faultstore.ErrLost}, faultstore.ErrLost, 1},
			{faultstore.Fault{}, nil, 1},
		} {
			start := revision(t, inner)
			s.SetPlan(faultstore.On(faultstore.Txn, c.fault))
			if err := put(t, s, "a"); !errors.Is(err, c.want) {
				t.Errorf("%+v: found the error %v", c.fault, err)
			}
			if got := revision(t, inner) - start; got != c.wrote {
				t.Errorf("%+v: %d transactions took effect", c.fault, got)
			}
		}
	})
}

// TestNth: one call alone fails.
func TestNth(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, _ *memstore.Store) {
		s.SetPlan(faultstore.Nth(faultstore.Txn, 2, faultstore.Fault{Before: election.ErrNotReached}))
		for i, want := range []error{nil, election.ErrNotReached, nil} {
			if err := put(t, s, "a"); !errors.Is(err, want) {
				t.Errorf("call %d: found the error %v", i+1, err)
			}
		}
		if n := s.Calls(faultstore.Txn); n != 3 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestRenewalsFail: a lease ends by itself when it cannot be renewed.
func TestRenewalsFail(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, inner *memstore.Store) {
		id, ttl, err := s.Grant(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s.SetPlan(faultstore.On(faultstore.Renew, faultstore.Fault{Before: election.ErrNotReached}))
		for range 10 {
			if _, err := s.Renew(t.Context(), id); !errors.Is(err, election.ErrNotReached) {
				t.Errorf("found the error %v", err)
			}
			time.Sleep(ttl / 10)
		}
		if _, err := inner.Renew(t.Context(), id); !errors.Is(err, election.ErrNoLease) {
			t.Errorf("found the error %v", err)
		}
	})
}

// TestDelays are of virtual time, and end with the caller's patience.
func TestDelays(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, inner *memstore.Store) {
		s.SetPlan(faultstore.On(faultstore.Txn, faultstore.Fault{Delay: time.Hour, DelayAnswer: 2 * time.Hour}))
		began := time.Now()
		if err := put(t, s, "a"); err != nil || time.Since(began) != 3*time.Hour {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for patience, wrote := range map[time.Duration]int64{30 * time.Minute: 0, 90 * time.Minute: 1} {
			start := revision(t, inner)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := s.Txn(ctx, election.Txn{Then: []election.Op{election.Put("a", nil, 0)}})
			if !errors.Is(err, context.DeadlineExceeded) || revision(t, inner)-start != wrote {
				t.Errorf("within %v: found the error %v, and %d transactions took effect", patience, err, revision(t, inner)-start)
			}
			cancel()
		}
	})
}

// TestPartition: nothing arrives, what is under way is lost, watches are silent; then
// they miss nothing.
func TestPartition(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, inner *memstore.Store) {
		watch := s.Watch(t.Context(), election.Key("a"), 0)
		s.SetPlan(faultstore.On(faultstore.Txn, faultstore.Fault{DelayAnswer: time.Second}))
		underway := make(chan error, 1)
		go func() { underway <- put(t, s, "b") }()
		synctest.Wait()
		s.Partition()
		late := s.Watch(t.Context(), election.Key("a"), 0)
		if err := <-underway; !errors.Is(err, faultstore.ErrLost) {
			t.Errorf("a call under way: found the error %v", err)
		}
		_, _, granting := s.Grant(t.Context(), time.Second)
		_, renewing := s.Renew(t.Context(), 1)
		_, reading := s.Range(t.Context(), election.Span{Keys: election.Key("a")})
		for i, err := range []error{put(t, s, "a"), granting, renewing, reading, s.Revoke(t.Context(), 1), s.Compact(t.Context(), 1)} {
			if !errors.Is(err, election.ErrNotReached) {
				t.Errorf("call %d: found the error %v", i, err)
			}
		}
		if err := put(t, inner, "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case b := <-watch:
			t.Errorf("the watch hears %+v", b)
		default:
		}
		s.Heal()
		if b := <-watch; len(b.Events) != 1 {
			t.Errorf("healed, the watch hears %+v", b)
		}
		synctest.Wait()
		if err := put(t, s, "a"); err != nil {
			t.Error(err)
		}
		if b := <-late; len(b.Events) != 1 || b.Events[0].Entry.Version != 2 {
			t.Errorf("a watch that began meanwhile hears %+v", b)
		}
	})
}

// TestWatchesEnd: by the test, by the plan, and at once.
func TestWatchesEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, inner *memstore.Store) {
		cut := errors.New("cut")
		one, other := s.Watch(t.Context(), election.Key("a"), 0), s.Watch(t.Context(), election.Key("a"), 0)
		s.Cut(cut)
		s.Cut(cut)
		s.SetPlan(faultstore.On(faultstore.Watch, faultstore.Fault{Before: cut}))
		never := s.Watch(t.Context(), election.Key("a"), 0)
		s.SetPlan(faultstore.On(faultstore.Watch, faultstore.Fault{After: cut}))
		once := s.Watch(t.Context(), election.Key("a"), 0)
		for range 2 {
			if err := put(t, inner, "a"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if b := <-once; len(b.Events) == 0 {
			t.Errorf("the watch to end behind a batch hears %+v", b)
		}
		for i, watch := range []<-chan election.Batch{one, other, never, once} {
			if b := <-watch; !errors.Is(b.Err, cut) {
				t.Errorf("watch %d hears %+v", i, b)
			}
			if _, more := <-watch; more {
				t.Errorf("watch %d goes on", i)
			}
		}
	})
}

// TestStall: watches alone are silent.
func TestStall(t *testing.T) {
	bubble(t, func(t *testing.T, s *faultstore.Store, _ *memstore.Store) {
		watch := s.Watch(t.Context(), election.Key("a"), 0)
		s.Stall()
		start := revision(t, s)
		for range 3 {
			if err := put(t, s, "a"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		select {
		case b := <-watch:
			t.Errorf("the watch hears %+v", b)
		default:
		}
		s.Resume()
		for got := start; got < start+3; {
			b := <-watch
			if b.Err != nil || b.Events[0].Entry.Modified != got+1 {
				t.Fatalf("after %d the watch hears %+v", got, b)
			}
			got = b.Revision
		}
	})
}

// TestRandom: faults follow from the seed, and are as frequent as asked.
func TestRandom(t *testing.T) {
	seen := map[string]int{}
	run := func(seed uint64) (story string) {
		bubble(t, func(t *testing.T, s *faultstore.Store, _ *memstore.Store) {
			s.SetPlan(faultstore.Random(seed, faultstore.Rates{Before: 0.2, After: 0.2, Delay: 0.5, Longest: time.Minute}))
			for range 1000 {
				began := time.Now()
				err := put(t, s, "a")
				story += fmt.Sprintln(err, time.Since(began))
				seen[fmt.Sprint(err)]++
			}
		})
		return story
	}
	first, again, other := run(1), run(1), run(2)
	if first != again {
		t.Error("one seed gives two stories")
	}
	if first == other {
		t.Error("two seeds give one story")
	}
	for _, err := range []error{election.ErrNotReached, faultstore.ErrLost} {
		if n := seen[err.Error()]; n < 400 || n > 800 { // of 3000, 600 expected
			t.Errorf("%v: %d times", err, n)
		}
	}
}
