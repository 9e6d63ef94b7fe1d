package deploy

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// fullStore takes no more states of deployments while it is full, as etcd does beyond its quota.
type fullStore struct {
	control.Store
	full atomic.Bool
}

func (s *fullStore) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	for _, op := range txn.Then {
		if s.full.Load() && op.Kind == election.Write && strings.HasPrefix(op.Keys.First, statePrefix) {
			return election.Result{}, errors.New("database space exceeded")
		}
	}
	return s.Store.Txn(ctx, txn)
}

// TestHoldups: that a step cannot be written is told while it is so, since when, and no longer.
func TestHoldups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		inner := memstore.New()
		defer inner.Close()
		store := &fullStore{Store: inner}
		service := &Service{Store: store}
		id, err := service.Create(ctx, Plan{Program: "shop", Environment: "prod", Release: digest("one"), Request: "r", Pipeline: simPipeline()})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		holdups := &Holdups{}
		c, err := NewController(Options{
			Store: store, Name: "c", TTL: 5 * time.Second, Clock: func() time.Duration { return time.Since(began) },
			Counters: noCounters{}, Holdups: holdups,
		})
		if err != nil {
			t.Fatal(err)
		}
		store.full.Store(true)
		ended := make(chan struct{})
		go func() { defer close(ended); _ = c.Run(ctx) }()
		time.Sleep(time.Minute)
		h := holdups.Of(id)
		if h == nil || h.Why != "database space exceeded" || time.Since(h.Since) < 50*time.Second {
			t.Errorf("after a minute: %+v", h)
		}
		store.full.Store(false)
		time.Sleep(time.Minute)
		if h := holdups.Of(id); h != nil {
			t.Errorf("once there is room: %+v", h)
		}
		store.full.Store(true)
		if _, err := service.Ask(ctx, id, AskBack, Ask{By: "ann"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if holdups.Of(id) == nil {
			t.Error("nothing is told of a second time")
		}
		cancel()
		<-ended
		if h := holdups.Of(id); h != nil {
			t.Errorf("it tells of what others lead: %+v", h)
		}
	})
}

// noCounters has nothing.
type noCounters struct{}

func (noCounters) Counters(context.Context, string, string) ([]*fleet.Counters, error) {
	return nil, nil
}
