package kv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/faultstore"
)

// Tests in virtual time.

// TestTTL writes keys with TTLs at many times, by two servers of which one dies, and
// checks when they end.
func TestTTL(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		store := memory(t)
		a, b := serve(t, store, Options{}), serve(t, store, Options{})
		type due struct{ from, to time.Time }
		expected, ended := map[string]due{}, map[string]time.Time{}
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			for batch := range store.Watch(ctx, election.Prefix(keysAt), 0) {
				for _, e := range batch.Events {
					if _, key := placeOf(e.Entry.Key); e.Removed {
						ended[key] = time.Now()
					}
				}
			}
		})
		for i := range 2000 {
			if i == 1000 {
				a.Close() // as far as leases go, it is dead
				a = b
			}
			server := a
			if i%2 == 1 {
				server = b
			}
			ttl := time.Duration(1+random.IntN(300)) * time.Second
			key := fmt.Sprint(i)
			if _, err := server.Put(t.Context(), &towpathv1.PutRequest{Key: key, TtlSeconds: int64(ttl / time.Second)}); err != nil {
				t.Fatal(err)
			}
			expected[key] = due{time.Now().Add(ttl), time.Now().Add(ttl + slack(ttl))}
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		}
		time.Sleep(400 * time.Second)
		cancel()
		watching.Wait()
		for key, d := range expected {
			if at := ended[key]; at.Before(d.from) || at.After(d.to) {
				t.Errorf("key %s ended %s after its TTL, may %s", key, at.Sub(d.from), d.to.Sub(d.from))
			}
		}
	})
}

// TestLeasesAreFew counts the leases of 10,000 keys.
func TestLeasesAreFew(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, c := range []struct {
		name string
		ttl  func(*rand.Rand) int64
		over time.Duration // all keys are written within
		most int
	}{
		{"one TTL, at once", func(*rand.Rand) int64 { return 3600 }, 0, 10},
		{"one TTL, within an hour", func(*rand.Rand) int64 { return 3600 }, time.Hour, 30},
		{"from a second to a day, at once", func(r *rand.Rand) int64 { return 1 + r.Int64N(86400) }, 0, 400},
		{"from a second to a day, within an hour", func(r *rand.Rand) int64 { return 1 + r.Int64N(86400) }, time.Hour, 550},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				store := faultstore.Wrap(memory(t), nil)
				s := serve(t, store, Options{})
				for i := range 10_000 {
					if _, err := s.Put(t.Context(), &towpathv1.PutRequest{Key: fmt.Sprint(i), TtlSeconds: c.ttl(random)}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.over / 10_000)
				}
				grants := store.Calls(faultstore.Grant)
				t.Logf("%d leases", grants)
				if grants > c.most {
					t.Errorf("%d leases, want %d at most", grants, c.most)
				}
			})
		})
	}
}

// TestLeaseEndedEarly has the store end leases that a server still counts on.
func TestLeaseEndedEarly(t *testing.T) {
	store := memory(t)
	s := serve(t, store, Options{})
	request := &towpathv1.PutRequest{Key: "k", TtlSeconds: 60}
	if _, err := s.Put(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if err := store.Revoke(t.Context(), s.leases.granted[0].id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), request); err != nil {
		t.Error(err)
	}
	r, err := s.Get(t.Context(), &towpathv1.GetRequest{Key: "k"})
	if err != nil || r.Entry.GetTtlSeconds() != 60 || r.Entry.Version != 1 {
		t.Errorf("%v, %v", r, err)
	}
}

// filling is a store as full as it is told.
type filling struct {
	control.Store

	mu     sync.Mutex
	status control.Status
}

func (f *filling) Status(context.Context) (control.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, nil
}

func (f *filling) set(status control.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

// TestGate fills the store and empties it.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &filling{Store: memory(t)}
		s := serve(t, store, Options{})
		use := func(percent, size int64, noSpace bool) {
			t.Helper()
			store.set(control.Status{InUse: percent << 20, Size: size << 20, Quota: 100 << 20, NoSpace: noSpace})
			time.Sleep(lookEvery)
			synctest.Wait()
		}
		try := func(open bool, says string) {
			t.Helper()
			_, err := s.Put(t.Context(), &towpathv1.PutRequest{Key: "k"})
			if open && err != nil {
				t.Error(err)
			} else if !open {
				refused(t, err, connect.CodeResourceExhausted, says)
			}
			if _, err := s.Delete(t.Context(), &towpathv1.DeleteRequest{Key: "k"}); err != nil {
				t.Errorf("a delete: %v", err)
			}
		}
		use(69, 69, false)
		try(true, "")
		use(71, 75, false)
		try(false, "the store uses 71.0 MiB of its quota of 100.0 MiB; above 70 % it takes no keys until it is below 65 % again")
		use(66, 75, false)
		try(false, "66.0 MiB")
		use(64, 75, false)
		try(true, "")
		use(64, 91, false)
		try(false, "defragmented")
		use(10, 84, false)
		try(true, "")
		use(10, 10, true)
		try(false, "larger quota")
		use(10, 10, false)
		try(true, "")

		// Between two looks a server counts what it writes itself.
		use(69, 69, false)
		var err error
		for i := 0; i < 5 && err == nil; i++ {
			_, err = s.Put(t.Context(), &towpathv1.PutRequest{Key: "k", Value: make([]byte, maxValue)})
		}
		refused(t, err, connect.CodeResourceExhausted, "of its quota")
	})
}

// TestLostAnswerIsCounted keeps room for a write that may have happened.
func TestLostAnswerIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memory(t), nil)
		s := serve(t, store, Options{})
		if _, err := s.SetNamespace(t.Context(), &towpathv1.SetNamespaceRequest{Name: "shop", QuotaKeys: 1}); err != nil {
			t.Fatal(err)
		}
		store.SetPlan(faultstore.On(faultstore.Txn, faultstore.Fault{Before: election.ErrNotReached}))
		_, err := s.Put(t.Context(), &towpathv1.PutRequest{Namespace: "shop", Key: "a"})
		refused(t, err, connect.CodeUnavailable, "may have been written or not")
		store.SetPlan(nil)
		_, err = s.Put(t.Context(), &towpathv1.PutRequest{Namespace: "shop", Key: "b"})
		refused(t, err, connect.CodeResourceExhausted, "holds 1")
		time.Sleep(lostFor + lookEvery)
		synctest.Wait()
		put(t, s, "shop", "b", "")
	})
}

// TestSlowStore answers in time that there is no answer.
func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memory(t), nil)
		s := serve(t, store, Options{})
		store.SetPlan(faultstore.On(faultstore.Txn, faultstore.Fault{Delay: time.Hour}))
		_, err := s.Put(t.Context(), &towpathv1.PutRequest{Key: "a"})
		refused(t, err, connect.CodeUnavailable, "no answer within 10s", "same Idempotency-Key")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Put(ctx, &towpathv1.PutRequest{Key: "a"})
		refused(t, err, connect.CodeDeadlineExceeded)
	})
}

// TestBeats hears a watch of nothing, and one that its caller does not take.
func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, memory(t), Options{})
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var at []time.Duration
		err := s.watch(ctx, &towpathv1.WatchRequest{Key: "k"}, func(r *towpathv1.WatchResponse) error {
			if at = append(at, time.Since(begin)); len(at) == 4 {
				cancel()
			}
			return nil
		})
		refused(t, err, connect.CodeCanceled)
		if fmt.Sprint(at) != "[0s 10s 20s 30s]" {
			t.Errorf("signs of life at %v", at)
		}
	})
}

// TestStalledWatch ends a watch that nobody takes, and goes on with one that is taken
// late.
func TestStalledWatch(t *testing.T) {
	for name, late := range map[string]time.Duration{"late": stalled - time.Second, "never": stalled + time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, memory(t), Options{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				const writes = 25
				ended, next := make(chan error, 1), 0
				var last int64
				started := make(chan struct{})
				go func() {
					ended <- s.watch(ctx, &towpathv1.WatchRequest{Key: "w", Prefix: true}, func(r *towpathv1.WatchResponse) error {
						if last = r.Revision; len(r.Changes) == 0 {
							close(started)
							return nil
						}
						for _, c := range r.Changes {
							if c.Entry.Key != fmt.Sprintf("w%d", next) {
								t.Errorf("change %s, want w%d", c.Entry.Key, next)
							}
							next++
						}
						if next < 10 {
							time.Sleep(late)
						}
						if next == writes {
							cancel()
						}
						return nil
					})
				}()
				<-started
				for i := range writes {
					put(t, s, "", fmt.Sprintf("w%d", i), strings.Repeat("v", 500<<10))
				}
				err := <-ended
				if late < stalled {
					refused(t, err, connect.CodeCanceled)
					return
				}
				refused(t, err, connect.CodeResourceExhausted, "nothing of the watch was taken for 30 s", fmt.Sprintf("resume from %d", last+1))
				if next == 0 || next >= 20 {
					t.Errorf("%d changes came", next)
				}
			})
		})
	}
}
