package backup

import (
	"context"
	"fmt"
	"sync"

	"towpath.dev/internal/blob"
)

// Floor asks a store up to which revision it has a cluster, as compaction up to there loses
// nothing: 0 without a base. What is behind a gap, or behind what is damaged, does not count until
// there is a base behind it: that will reach back to the compaction, and not further.
//
// It reads the headers of all log objects, some hundreds of requests. Who asks again and again
// takes [NewFloor].
func Floor(ctx context.Context, store blob.Store, cluster string, source Source) (int64, error) {
	return NewFloor(store, cluster, source)(ctx)
}

// NewFloor is [Floor] for who asks again and again: it reads each header once, and may be called by
// several at a time.
func NewFloor(store blob.Store, cluster string, source Source) func(context.Context) (int64, error) {
	var mu sync.Mutex
	var s *shelf
	return func(ctx context.Context) (int64, error) {
		at, some, err := keptPlace(ctx, store, cluster, source)
		if err != nil || !some {
			return 0, err
		}
		mu.Lock()
		defer mu.Unlock()
		if s == nil || s.place != at {
			s = newShelf(store, at)
		}
		c, err := s.load(ctx)
		return c.Durable().Revision, err
	}
}

// keptPlace is where a store has a cluster; false if nothing is kept yet.
func keptPlace(ctx context.Context, store blob.Store, cluster string, source Source) (at place, some bool, err error) {
	etcd, err := etcdID(ctx, source)
	if err != nil {
		return at, false, err
	}
	latest, err := (&generations{store, cluster}).progress(ctx)
	if err != nil {
		return at, false, err
	}
	at, owner, err := ownerOf(ctx, store, cluster, latest.Number, etcd)
	if err != nil {
		return at, false, err
	}
	if owner != etcd && owner != "" {
		return at, false, fmt.Errorf("%s holds the backups of another cluster of etcd (%s) under the name %s, and this one is %s", store, owner, cluster, etcd)
	}
	return at, owner == etcd, nil
}
