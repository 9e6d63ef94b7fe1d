//go:build !solo

package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/memstore"
)

// TestUnasked: a control node that cannot be asked what its nodes counted is named, and keeps what
// others know from nobody.
func TestUnasked(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	dir := filepath.Join(t.TempDir(), trustDir)
	trust, _, err := access.InitTrust(dir, access.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const own, gone = "https://127.0.0.1:2", "https://127.0.0.1:1"
	ctx, cancel := context.WithCancel(t.Context())
	var standing sync.WaitGroup
	defer standing.Wait()
	defer cancel()
	for _, at := range []string{own, gone} {
		session, err := election.Open(ctx, store, election.Options{Name: at})
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := session.Partitions(deploy.Group, election.PartitionsOptions{Partitions: deploy.Partitions(), Labels: map[string]string{urlLabel: at}})
		if err != nil {
			t.Fatal(err)
		}
		standing.Go(func() {
			_ = partitions.Run(ctx, func(ctx context.Context, _ *election.Leadership) error { <-ctx.Done(); return nil })
			_ = session.Close(context.WithoutCancel(ctx))
		})
	}
	group, err := election.NewGroup(store, "", deploy.Group)
	if err != nil {
		t.Fatal(err)
	}
	for view := (election.View{}); len(view.Candidates) < 2; {
		if view, err = group.View(ctx); err != nil {
			t.Fatal(err)
		}
	}
	all := &otherControls{Hub: api.NewHub(), group: group, own: own, trust: trust, dir: dir, clients: map[string]*client.Control{}}
	defer all.close()
	asking, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	_, err = all.Counters(asking, "prod", "shop")
	var unasked *deploy.Unasked
	if !errors.As(err, &unasked) || len(unasked.At) != 1 || unasked.At[0] != gone {
		t.Errorf("%v", err)
	}
}
