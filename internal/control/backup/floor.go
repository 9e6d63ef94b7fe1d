package backup

import (
	"context"
	"fmt"

	"towpath.dev/internal/blob"
)

// Floor asks a store up to which revision it has a cluster, as compaction up to there loses
// nothing: 0 without a base. What is behind a gap does not count until there is a base behind
// it, which reaches back to the compaction, and not further. It reads the headers of all log
// objects, some hundreds of requests, and so is for who asks seldom.
func Floor(ctx context.Context, store blob.Store, cluster string, source Source) (int64, error) {
	etcd, err := etcdID(ctx, source)
	if err != nil {
		return 0, err
	}
	latest, err := Generations(store, cluster).Latest(ctx)
	if err != nil {
		return 0, err
	}
	at, owner, err := ownerOf(ctx, store, cluster, latest.Number, etcd)
	if err != nil {
		return 0, err
	}
	if owner != etcd {
		if owner == "" {
			return 0, nil // nothing is kept yet
		}
		return 0, fmt.Errorf("%s holds the backups of another cluster of etcd (%s) under the name %s, and this one is %s", store, owner, cluster, etcd)
	}
	c, err := newShelf(store, at).load(ctx)
	return c.Durable().Revision, err
}
