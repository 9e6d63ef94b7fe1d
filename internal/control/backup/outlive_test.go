package backup

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

// TestOutlivesARestore: an uploader that ran on while its cluster was restored in the same
// place does not take the new cluster's revisions for the old one's.
func TestOutlivesARestore(t *testing.T) {
	for name, run := range everyRun {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outliveARestore(t, run)
		})
	}
}

// everyRun are the ways in which a cluster is kept.
var everyRun = map[string]func(context.Context, Options) error{
	"alone":   RunAlone,
	"elected": RunElected,
	"shared": func(ctx context.Context, o Options) error {
		for {
			s, err := NewShared(ctx, "fleet", []Options{o})
			if err != nil {
				return err
			}
			if err := s.Run(ctx); !errors.Is(err, ErrAnother) {
				return err
			}
		}
	},
}

func outliveARestore(t *testing.T, run func(context.Context, Options) error) {
	var at member.Options
	cluster := etcd.Start(t, 1, func(o *member.Options) { at = *o })
	client := cluster.Client(t)
	store := openFolder(t, t.TempDir())
	o, err := Options{
		Source: Source{client, dialer}, Store: store, Cluster: "prod", Every: 50 * time.Millisecond, Scratch: t.TempDir(), Log: testLog(t),
	}.filled()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- run(ctx, o) }()
	defer func() { cancel(); <-running }()
	random := rand.New(rand.NewPCG(5009, 1))
	write(t, client, random, 20)
	old := place{"prod", 0}
	awaitKept(t, client, store, old)

	cluster.Stop(0)
	dir := filepath.Join(t.TempDir(), "restored")
	plan, err := PlanRestore(ctx, RestoreOptions{Store: store, Cluster: "prod", DataDir: dir, Name: at.Name, Members: map[string]string{at.Name: "http://" + at.Peer}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Run(ctx); err != nil {
		t.Fatal(err)
	}
	before := objectsOf(t, store, old)
	at.Dir = dir
	m, err := member.Start(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	write(t, client, random, 20)
	awaitKept(t, client, store, place{"prod", 1})
	if after := objectsOf(t, store, old); after != before {
		t.Errorf("the generation 0 had %d objects when its cluster ended, and has %d", before, after)
	}
}

// awaitKept waits until what a cluster has now is in the store, in a generation.
func awaitKept(t *testing.T, client *clientv3.Client, store blob.Store, at place) {
	t.Helper()
	s, want := newShelf(store, at), hashNow(t, client).revision
	await(t, func() bool {
		c, err := s.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c.Durable().Revision >= want
	})
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatal("the test has ended")
		}
	}
}

// objectsOf is how many objects a generation has.
func objectsOf(t *testing.T, store blob.Store, at place) (n int) {
	t.Helper()
	for _, err := range store.List(t.Context(), at.root(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
