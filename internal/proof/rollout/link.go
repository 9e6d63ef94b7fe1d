//go:build linux

package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

// link is a node's way to the control plane: it does itself what control nodes do for nodes.
type link struct {
	o     nodeOptions
	store election.Store
	hub   hubClient
}

// Follow attaches the node, for as long as its lease lives, and tells what it shall run.
func (l *link) Follow(ctx context.Context) (<-chan fleet.Heard, error) {
	ctx, cancel := context.WithCancel(ctx)
	opening, opened := context.WithTimeout(ctx, ttl)
	defer opened()
	lease, _, err := l.store.Grant(opening, ttl)
	if err == nil {
		var record []byte
		if record, err = json.Marshal(map[string]string{"environment": l.o.Environment, "incarnation": l.o.Incarnation}); err == nil {
			_, err = l.store.Txn(opening, election.Txn{Then: []election.Op{election.Put(deploy.NodePrefix+l.o.Name, record, lease)}})
		}
	}
	if err != nil {
		cancel()
		return nil, err
	}
	out := make(chan fleet.Heard)
	var beating sync.WaitGroup
	beating.Go(func() {
		defer cancel()
		l.beat(ctx, lease)
	})
	go func() { // until the channel is closed
		defer close(out)
		defer beating.Wait()
		defer cancel()
		deploy.FollowIntents(ctx, l.store, l.o.Environment, l.o.Cell, func(h fleet.Heard) {
			select {
			case out <- h:
			case <-ctx.Done():
			}
		})
	}()
	return out, nil
}

// beat renews a lease until it has ended.
func (l *link) beat(ctx context.Context, lease election.LeaseID) {
	for last := time.Now(); ctx.Err() == nil && time.Since(last) < ttl; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(ttl / 6):
		}
		renewing, cancel := context.WithTimeout(ctx, ttl/3)
		_, err := l.store.Renew(renewing, lease)
		cancel()
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, election.ErrNoLease):
			return
		}
	}
}

func (l *link) Report(ctx context.Context, s *fleet.Status) error {
	return deploy.Report(ctx, l.store, l.o.Environment, l.o.Name, s, time.Now())
}

func (l *link) Count(ctx context.Context, c *fleet.Counters) ([]string, error) {
	return slices.Collect(maps.Keys(c.Programs)), l.hub.count(ctx, l.o.Environment, c)
}
