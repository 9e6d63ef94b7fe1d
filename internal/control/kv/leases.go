// TTLs.

package kv

import (
	"context"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// leases are those that this server has granted, for keys with TTLs. They are shared:
// a key gets one that ends within a twentieth of its TTL, and a second at least, after
// its time. Nobody renews them, so that they end in time whatever becomes of the
// server.
//
// One lease a key would cost the store a proposal to grant and one to end each, and a
// place in its heap. Sharing by when they end, and not by TTL, bounds them however many
// TTLs are in use: 10,000 keys with random TTLs between a second and a day take about
// 320 leases of one server, keys of one TTL at most 21 and those for full ones. A lease
// ends in one revision of the store, so that it takes a bounded number of keys.
type leases struct {
	store control.Store
	// Held while a lease is granted, so that a thousand writes at once make one. A
	// channel, for one can stop waiting for it.
	turn    chan struct{}
	mu      sync.Mutex
	granted []lease
	// What the store grants at least, if it ever granted more than was asked.
	least time.Duration
}

type lease struct {
	id   election.LeaseID
	ends time.Time // at the earliest: counted from before it was asked for
	keys int
}

const keysOfLease = 1000

// slack is how much longer than its TTL a key may live. Whole seconds, since the store
// would round them up.
func slack(ttl time.Duration) time.Duration {
	return max(time.Second, (ttl / 20).Truncate(time.Second))
}

func newLeases(store control.Store) *leases {
	return &leases{store: store, turn: make(chan struct{}, 1)}
}

// take is a lease for one key that is to live for ttl from now on.
func (l *leases) take(ctx context.Context, ttl time.Duration) (election.LeaseID, error) {
	if id := l.find(ttl); id != 0 {
		return id, nil
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if id := l.find(ttl); id != 0 {
		return id, nil
	}
	sent, asked := time.Now(), l.longest(ttl)
	id, got, err := l.store.Grant(ctx, asked)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if got > asked {
		l.least = max(l.least, got)
	}
	l.granted = append(l.granted, lease{id: id, ends: sent.Add(got), keys: 1})
	return id, nil
}

// longest is how long a key with this TTL may live.
func (l *leases) longest(ttl time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(ttl+slack(ttl), l.least)
}

// find takes the lease that ends next after ttl, if one ends soon enough.
func (l *leases) find(ttl time.Duration) election.LeaseID {
	longest := l.longest(ttl)
	l.mu.Lock()
	defer l.mu.Unlock()
	now, best := time.Now(), -1
	left := l.granted[:0]
	for _, g := range l.granted {
		if !g.ends.After(now) {
			continue
		}
		left = append(left, g)
		if g.keys < keysOfLease && !g.ends.Before(now.Add(ttl)) && !g.ends.After(now.Add(longest)) &&
			(best < 0 || g.ends.Before(left[best].ends)) {
			best = len(left) - 1
		}
	}
	l.granted = left
	if best < 0 {
		return 0
	}
	left[best].keys++
	return left[best].id
}

// forget drops leases that the store does not know any more.
func (l *leases) forget(ids map[int64]election.LeaseID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		for i := range l.granted {
			if l.granted[i].id == id {
				l.granted[i].ends = time.Time{} // find drops it
			}
		}
	}
}
