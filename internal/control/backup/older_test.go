package backup

import (
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/etcd"
)

// TestRestoreAnOlderGeneration restores a cluster that was restored once more, as it was
// before: every member's command finds it, and no revision of the life between comes again.
func TestRestoreAnOlderGeneration(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	ctx := t.Context()
	client := etcd.Start(t, 1).Client(t)
	store := openFolder(t, t.TempDir())
	var clock clock
	members := map[string]string{"a": "http://127.0.0.1:1", "b": "http://127.0.0.1:2"}
	restore := func(name string, change func(*RestoreOptions)) (*Restore, Restored) {
		t.Helper()
		o := RestoreOptions{Store: store, Cluster: "prod", DataDir: filepath.Join(t.TempDir(), name), Name: name, Members: members, now: clock.now}
		change(&o)
		plan, err := PlanRestore(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		done, err := plan.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return plan, done
	}

	old := keepValues(t, client, store, &clock, "1", "2", "3")
	before := clock.now()
	clock.pass(time.Minute)
	members = map[string]string{"m": freeMembers(t, 1)["m0"]}
	dir := ""
	first, _ := restore("m", func(o *RestoreOptions) { o.Revision = old - 1; dir = filepath.Dir(o.DataDir) })
	begun := clock.now()
	clock.pass(time.Minute)
	last := keepValues(t, startMembers(t, dir, members), store, &clock, "4", "5")
	if first.Into != 1 || last < 1_000_000_000 {
		t.Fatalf("generation %d at revision %d", first.Into, last)
	}

	members = map[string]string{"a": "http://127.0.0.1:1", "b": "http://127.0.0.1:2"}
	a, done := restore("a", func(o *RestoreOptions) { o.At = before })
	if a.From != 0 || a.Into != 2 || a.Target.Revision != old || done.Revision <= last+1_000_000 {
		t.Errorf("at %s: revision %d of generation %d, expected %d of 0; it begins at %d, and the one before was at %d", before, a.Target.Revision, a.From, old, done.Revision, last)
	}
	// As the first command says.
	b, again := restore("b", func(o *RestoreOptions) { o.Revision = a.Target.Revision })
	if !b.Joins || b.Into != 2 || again != done {
		t.Errorf("the other member joins %v, generation %d, with %+v, the first one with %+v", b.Joins, b.Into, again, done)
	}

	// When the second life had begun, and had no base yet, it was what it was restored to.
	plan, err := PlanRestore(ctx, RestoreOptions{Store: store, Cluster: "prod", At: begun, DataDir: filepath.Join(t.TempDir(), "a"), Name: "a", Members: members})
	if err != nil || plan.Target.Revision != old-1 {
		t.Errorf("at %s: %+v, %v; expected revision %d", begun, plan, err, old-1)
	}
	if _, err := PlanRestore(ctx, RestoreOptions{Store: store, Cluster: "prod", At: before.Add(-time.Hour), DataDir: filepath.Join(t.TempDir(), "a"), Name: "a", Members: members}); err == nil {
		t.Error("before everything, something is restored")
	} else {
		t.Log(err)
	}
}

// keepValues makes a base, and a log object of each value that it puts a minute apart. It
// returns the last revision.
func keepValues(t *testing.T, client *clientv3.Client, store blob.Store, clock *clock, values ...string) int64 {
	t.Helper()
	ctx := t.Context()
	u, err := NewUploader(ctx, Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.MakeBase(ctx, "a test's"); err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, v := range values {
		if _, err := client.Put(ctx, "a", v); err != nil {
			t.Fatal(err)
		}
		clock.pass(time.Minute)
		if err := f.Upload(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return revisionOf(t, client)
}
