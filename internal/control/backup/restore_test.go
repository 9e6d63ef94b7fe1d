package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/ports"
	"towpath.dev/internal/testkit/etcd"
)

// TestRestoreWholeCluster: three members are restored by one command each, are one cluster,
// and nothing in it goes back: revisions, watches, fencing tokens.
func TestRestoreWholeCluster(t *testing.T) {
	t.Parallel() // most of the time it waits for etcd
	ctx := t.Context()
	client := etcd.Start(t, 3).Client(t)
	store := openFolder(t, t.TempDir())
	registry := Generations(store, "prod")
	old, err := election.Open(ctx, election.Etcd(client), election.Options{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Detach()
	before := lead(t, old).Token()
	lease, err := client.Grant(ctx, 4711)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(ctx, "leased", "1", clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
	upload(t, client, store)
	put, err := client.Put(ctx, "lost", "1") // which nobody uploads
	if err != nil {
		t.Fatal(err)
	}

	members := freeMembers(t, 3)
	dir := t.TempDir()
	options := func(name string) RestoreOptions {
		return RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(dir, name), Name: name, Members: members}
	}
	var hash uint32
	for i, name := range []string{"m0", "m1", "m2"} {
		plan, err := PlanRestore(ctx, options(name))
		if err != nil {
			t.Fatal(err)
		}
		if plan.Into != 1 || plan.Joins != (i > 0) {
			t.Errorf("%s goes into generation %d, joins %v", name, plan.Into, plan.Joins)
		}
		done, err := plan.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !done.Paused || i > 0 && done.HashKV != hash {
			t.Errorf("%s: %+v, others had the hash %08x", name, done, hash)
		}
		hash = done.HashKV
	}
	if _, err := PlanRestore(ctx, options("m1")); err == nil || !strings.Contains(err.Error(), "is not empty: nothing is written over") {
		t.Errorf("a member over one that is there: %v", err)
	}
	restored := startMembers(t, dir, members)

	if now := revisionOf(t, restored); now <= put.Header.Revision+1_000_000 {
		t.Errorf("restored at revision %d, the source was at %d", now, put.Header.Revision)
	}
	if r := <-restored.Watch(ctx, "lost", clientv3.WithRev(put.Header.Revision)); r.CompactRevision == 0 {
		t.Errorf("a watch from revision %d of before: %+v", put.Header.Revision, r)
	}
	if ttl, err := restored.TimeToLive(ctx, lease.ID); err != nil || ttl.GrantedTTL != 4711 || ttl.TTL < 4600 {
		t.Errorf("the lease: %+v, %v", ttl, err)
	}
	if _, err := election.Open(ctx, election.Etcd(restored), election.Options{Registry: registry}); !errors.Is(err, election.ErrTurnedBack) {
		t.Errorf("a session before resuming: %v", err)
	}
	if _, err := election.Resume(ctx, election.Etcd(restored), "", registry); err != nil {
		t.Fatal(err)
	}
	s, err := election.Open(ctx, election.Etcd(restored), election.Options{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	if after := lead(t, s).Token(); before.Compare(after) >= 0 {
		t.Errorf("the token %v after %v", after, before)
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestRestoreAgain: who restores a member once more begins a generation, and is told when
// another restore is under way.
func TestRestoreAgain(t *testing.T) {
	ctx := t.Context()
	client := etcd.Start(t, 1).Client(t)
	store := openFolder(t, t.TempDir())
	if _, err := client.Put(ctx, "a", "1"); err != nil {
		t.Fatal(err)
	}
	first := revisionOf(t, client)
	upload(t, client, store)
	if _, err := client.Put(ctx, "a", "2"); err != nil {
		t.Fatal(err)
	}
	upload(t, client, store)
	members := map[string]string{"a": "http://127.0.0.1:1", "b": "http://127.0.0.1:2"}
	dir := t.TempDir()
	options := func(name, folder string) RestoreOptions {
		return RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(dir, folder), Name: name, Members: members}
	}
	restore := func(o RestoreOptions) *Restore {
		t.Helper()
		plan, err := PlanRestore(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return plan
	}
	restore(options("a", "1"))
	other := options("b", "2")
	other.Revision = first
	if _, err := PlanRestore(ctx, other); err == nil || !strings.Contains(err.Error(), "to join it, add --revision") || !strings.Contains(err.Error(), "add --again") {
		t.Errorf("another revision than the first member's: %v", err)
	}
	other.Again = true
	if plan := restore(other); plan.Into != 2 || plan.Joins {
		t.Errorf("again: generation %d, joins %v", plan.Into, plan.Joins)
	}
	late := options("a", "3")
	late.Revision = first
	if plan := restore(late); plan.Into != 2 || !plan.Joins {
		t.Errorf("the other member: generation %d, joins %v", plan.Into, plan.Joins)
	}
	if plan := restore(options("a", "4")); plan.Into != 3 {
		t.Errorf("a member once more: generation %d", plan.Into)
	}
	for _, wrong := range []struct {
		of   RestoreOptions
		want string
	}{
		{RestoreOptions{Store: store, Cluster: "none", DataDir: filepath.Join(dir, "5"), Name: "a", Members: members}, "has no base of a cluster \"none\""},
		{RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(dir, "5"), Name: "c", Members: members}, `the member "c" is not one of a, b`},
		{RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(dir, "5"), Name: "a", Members: members, Revision: 1 << 40}, "was not backed up"},
		{RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(dir, "5"), Name: "a", Members: members, Revision: 2, At: time.Now()}, "name one of them"},
	} {
		if _, err := PlanRestore(ctx, wrong.of); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%v, want %q", err, wrong.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "5")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused restore has left something: %v", err)
	}
}

// TestRestoreAnInstant: what there was at a second is restored, also inside of a minute.
func TestRestoreAnInstant(t *testing.T) {
	ctx := t.Context()
	client := etcd.Start(t, 1).Client(t)
	store := openFolder(t, t.TempDir())
	var mu sync.Mutex
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	u, err := NewUploader(ctx, Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := u.MakeBase(ctx, "the first"); err != nil {
		t.Fatal(err)
	}
	revisions := map[int]int64{}
	for second := 1; second <= 90; second++ {
		mu.Lock()
		now = now.Add(time.Second)
		mu.Unlock()
		put, err := client.Put(ctx, "second", fmt.Sprint(second))
		if err != nil {
			t.Fatal(err)
		}
		revisions[second] = put.Header.Revision
		if err := f.t.reached(ctx, put.Header.Revision); err != nil {
			t.Fatal(err)
		}
		if second%40 == 0 {
			if err := f.Upload(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Upload(ctx); err != nil {
		t.Fatal(err)
	}
	for _, second := range []int{1, 7, 39, 40, 41, 62, 89, 90} {
		plan, err := PlanRestore(ctx, RestoreOptions{
			Store: store, Cluster: "prod", At: time.Date(2026, 11, 27, 10, 0, second, 500_000_000, time.UTC),
			DataDir: filepath.Join(t.TempDir(), "m"), Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Target.Revision != revisions[second] {
			t.Errorf("at second %d: revision %d, want %d", second, plan.Target.Revision, revisions[second])
		}
	}
}

// upload makes a base if there is none, and uploads what there is.
func upload(t *testing.T, client *clientv3.Client, store blob.Store) {
	t.Helper()
	u, err := NewUploader(t.Context(), Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := u.Care(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lead is a leadership of a group of one.
func lead(t *testing.T, s *election.Session) *election.Leadership {
	t.Helper()
	seats, err := s.Seats("jobs", election.SeatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	led := make(chan *election.Leadership)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	running.Go(func() {
		_ = seats.Run(ctx, func(ctx context.Context, l *election.Leadership) error {
			led <- l
			<-ctx.Done()
			return ctx.Err()
		})
	})
	return <-led
}

func revisionOf(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	r, err := client.Get(t.Context(), "\x00", clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Revision
}

// freeMembers is peer URLs of free ports by the members' names.
func freeMembers(t *testing.T, n int) map[string]string {
	t.Helper()
	free, err := ports.Free(n)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]string{}
	for i, at := range free {
		members[fmt.Sprintf("m%d", i)] = "http://" + at
	}
	return members
}

// startMembers starts restored members, and connects to them.
func startMembers(t *testing.T, dir string, members map[string]string) *clientv3.Client {
	t.Helper()
	cluster := map[string]string{}
	for name, url := range members {
		cluster[name] = strings.TrimPrefix(url, "http://")
	}
	var mu sync.Mutex
	var endpoints []string
	var kills []func()
	var starting sync.WaitGroup
	for name := range members {
		starting.Go(func() {
			m, err := member.Start(t.Context(), member.Options{Dir: filepath.Join(dir, name), Name: name, Peer: cluster[name], Cluster: cluster, UnsafeNoSync: true})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			kills = append(kills, m.Kill)
			endpoints = append(endpoints, m.Endpoints()...)
		})
	}
	starting.Wait()
	t.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, kill := range kills {
			stopping.Go(kill)
		}
		stopping.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.Get(t.Context(), "a"); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		t.Fatal(err)
	}
	return client
}
