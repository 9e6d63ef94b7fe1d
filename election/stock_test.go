package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"towpath.dev/election"
	"towpath.dev/internal/testkit/etcd"
)

// The faults of package concurrency that are known, each shown on it, so that we see
// when it is mended, and shown not to be ours.

// soon is how long something may take that takes a few milliseconds.
const soon = 30 * time.Second

func stockSession(t *testing.T, client *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(client, concurrency.WithTTL(60))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ourSeats(t *testing.T, client *clientv3.Client, name string) (*election.Session, *election.Seats) {
	t.Helper()
	s := open(t, election.Etcd(client), election.Options{Name: name, TTL: time.Minute})
	seats, err := s.Seats("g", election.SeatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, seats
}

// waitFor waits until a group has so many candidates.
func waitFor(t *testing.T, client *clientv3.Client, candidates int) {
	t.Helper()
	g, err := election.NewGroup(election.Etcd(client), "", "g")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	seen := map[string]bool{}
	for c := range g.Observe(ctx, 0) {
		switch c.Kind {
		case election.Joined:
			seen[c.Candidate.ID] = true
		case election.Left:
			delete(seen, c.Candidate.ID)
		}
		if len(seen) == candidates {
			return
		}
	}
	t.Fatalf("%d of %d candidates", len(seen), candidates)
}

// etcd issue 19597: a waiter whose lease was revoked becomes a leader without a key,
// or stays blocked.
func TestWaiterWithoutALease(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	ctx := t.Context()

	leads, waits := stockSession(t, client), stockSession(t, client)
	first, second := concurrency.NewElection(leads, "stock"), concurrency.NewElection(waits, "stock")
	if err := first.Campaign(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	campaigned := make(chan error, 1)
	go func() { campaigned <- second.Campaign(ctx, "b") }()
	await(t, client, "stock/", 2)
	if _, err := client.Revoke(ctx, waits.Lease()); err != nil {
		t.Fatal(err)
	}
	if err := first.Resign(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-campaigned:
		if there, e := client.Get(ctx, second.Key()); e != nil || err != nil || len(there.Kvs) != 0 {
			t.Errorf("concurrency is mended (%v, %v): say so in docs/election.md", err, there)
		}
	case <-time.After(soon):
		t.Error("concurrency's waiter is blocked, and not a leader without a key")
	}

	_, ours := ourSeats(t, client, "a")
	l, err := ours.Campaign(ctx)
	if err != nil {
		t.Fatal(err)
	}
	session, next := ourSeats(t, client, "b")
	go func() { _, err := next.Campaign(ctx); campaigned <- err }()
	waitFor(t, client, 2)
	if _, err := client.Revoke(ctx, clientv3.LeaseID(session.Lease())); err != nil {
		t.Fatal(err)
	}
	if err := <-campaigned; !errors.Is(err, election.ErrRevoked) {
		t.Errorf("ours: %v", err)
	}
	if err := l.Resign(ctx); err != nil {
		t.Error(err)
	}
}

// await waits until there are so many keys with a prefix.
func await(t *testing.T, client *clientv3.Client, prefix string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	changes := client.Watch(ctx, prefix, clientv3.WithPrefix())
	for {
		r, err := client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		if int(r.Count) == n {
			return
		}
		<-changes
	}
}

// etcd issue 22123: a resign that failed forgets that it led, so that the next one
// does nothing and says that all is well.
func TestFailedResign(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	ctx := t.Context()
	ended, cancel := context.WithCancel(ctx)
	cancel()

	stock := concurrency.NewElection(stockSession(t, client), "stock")
	if err := stock.Campaign(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	key := stock.Key()
	if err := stock.Resign(ended); err == nil {
		t.Error("concurrency's Resign with a context that has ended succeeds")
	}
	err := stock.Resign(ctx)
	if there, e := client.Get(ctx, key); e != nil || err != nil || len(there.Kvs) != 1 {
		t.Errorf("concurrency is mended (%v, %v): say so in docs/election.md", err, there)
	}

	_, ours := ourSeats(t, client, "a")
	l, err := ours.Campaign(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Resign(ended) // whatever it says
	if err := l.Resign(ctx); err != nil {
		t.Error(err)
	}
	if free(t, client) {
		return
	}
	t.Error("ours: the seat is held after Resign")
}

func free(t *testing.T, client *clientv3.Client) bool {
	t.Helper()
	g, err := election.NewGroup(election.Etcd(client), "", "g")
	if err != nil {
		t.Fatal(err)
	}
	view, err := g.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return view.Seats[0].Candidate == ""
}

// etcd issue 21128: a campaign that fails for another reason than its context leaves
// its key behind, which keeps all others waiting for as long as its session lives.
func TestKeyLeftBehind(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	ctx := t.Context()
	first := concurrency.NewElection(stockSession(t, client), "stock")
	if err := first.Campaign(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	// A client whose watches are cut, as by a proxy that is restarted.
	broken := etcd.Start(t, 1).Client(t)
	broken.KV, broken.Lease = client.KV, client.Lease
	session, err := concurrency.NewSession(broken, concurrency.WithTTL(60))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	second := concurrency.NewElection(session, "stock")
	failed := make(chan error, 1)
	go func() { failed <- second.Campaign(ctx, "b") }()
	await(t, client, "stock/", 2)
	broken.Watcher.Close()
	if err := <-failed; err == nil {
		t.Fatal("concurrency's campaign succeeded without a watch")
	}
	if there, err := client.Get(ctx, second.Key()); err != nil || len(there.Kvs) != 1 {
		t.Errorf("concurrency is mended (%v, %v): say so in docs/election.md", there, err)
	}
}
