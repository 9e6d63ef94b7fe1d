package backup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestCareKeepsWhatIsKept: over days, with merging, thinning, new bases and deletions, all that can
// be restored is what the source had.
func TestCareKeepsWhatIsKept(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		if encrypted && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("encrypted=%v", encrypted), func(t *testing.T) { careForDays(t, encrypted) })
	}
}

func careForDays(t *testing.T, encrypted bool) {
	const seed = 5006
	client := etcd.Start(t, 1).Client(t)
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keep, err := catalog.Parse("any minute for 1 day, hours for 2 days, days for 4 days")
	if err != nil {
		t.Fatal(err)
	}
	clock := &clock{}
	clock.pass(30 * time.Minute)
	o := Options{
		Source: Source{client, dialer}, Store: withClock(store, clock.now), Cluster: "prod", Keep: keep, Scratch: t.TempDir(),
		Now: clock.now, Log: testLog(t),
	}
	if encrypted {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		o.Recipients, o.Identities = []age.Recipient{identity.Recipient()}, []age.Identity{identity}
	}
	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	random := rand.New(rand.NewPCG(seed, 1))
	fill(t, client, 400)
	source := newTruth(t)
	var hourAgo int64
	for range 6*24*3 + 18 {
		if random.IntN(4) > 0 {
			write(t, client, random, random.IntN(12))
		}
		if err := feed.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.pass(20 * time.Minute)
		if clock.now().Minute() == 30 {
			if err := u.Care(t.Context()); err != nil {
				t.Fatalf("seed %d, at %s: %v", seed, clock.now(), err)
			}
			source.note(t, u)
			if hourAgo > 0 {
				if _, err := client.Compact(t.Context(), hourAgo, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
					t.Fatal(err)
				}
			}
			hourAgo = u.Durable()
		}
	}
	for range 3 { // what one has merged, the next one merges further and deletes
		if err := u.Care(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c, err := u.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	levels := map[catalog.Level]int{}
	for _, l := range c.Logs {
		levels[l.Level]++
	}
	for level := catalog.Minute; level <= catalog.DayPoints; level++ {
		if levels[level] == 0 {
			t.Errorf("no object of the level %s", level)
		}
	}
	if len(c.Dictionaries) == 0 {
		t.Error("there is no dictionary")
	}
	if plan := c.Plan(keep, clock.now()); len(c.Logs) > 60 || !plan.Empty() {
		t.Errorf("%d objects, and to do: %+v", len(c.Logs), plan)
	}
	source.note(t, u)
	restored := 0
	for _, span := range c.Restorable() {
		for _, revision := range []int64{span.First, span.First + random.Int64N(span.Last-span.First+1), span.Last} {
			want, err := hashKV(source.db, revision, revision)
			if err != nil {
				t.Fatal(err)
			}
			f, err := restoreTo(t, u, c, revision)
			if err != nil {
				t.Errorf("seed %d: revision %d: %v", seed, revision, err)
				continue
			}
			if got, err := hashKV(f.db, revision, revision); err != nil || got != want {
				t.Errorf("seed %d: revision %d is restored as %08x (%v), the source had %08x", seed, revision, got, err, want)
			}
			f.discard()
			restored++
		}
	}
	t.Logf("%d objects, %d bases, %d revisions restored", len(c.Logs), len(c.Bases), restored)
	names, err := proofNames(t.Context(), store, u.shelf.place)
	if err != nil || len(names) < 10 {
		t.Errorf("%d proofs in six days (%v)", len(names), err)
	}
	thinned := 0 // days of which only midnights are left, and these are proven
	for _, name := range names {
		p, err := readProof(t.Context(), store, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := checkProof(t.Context(), u.builder(), c, p, filepath.Join(t.TempDir(), "db")); err != nil {
			t.Error(err)
		}
		if chain, err := c.Chain(p.Revision); err == nil && thinnedUpTo(chain.Steps) > 0 {
			thinned++
		}
	}
	if thinned < 2 {
		t.Errorf("of %d proofs %d are of days that were thinned", len(names), thinned)
	}
}

// A truth is all that a source ever had, whatever it was compacted to since.
type truth struct{ db *bolt.DB }

func newTruth(t *testing.T) *truth {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "truth.db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &truth{db}
}

// note adds what the source has now.
func (h *truth) note(t *testing.T, u *Uploader) {
	t.Helper()
	b := &baser{scratch: t.TempDir(), client: u.o.Source.Client, dial: dialer, now: time.Now}
	var m Manifest
	path, err := b.snapshot(t.Context(), u.o.Source.Client.Endpoints()[0], &m)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = h.db.Update(func(to *bolt.Tx) error {
		rows, err := to.CreateBucketIfNotExists(keyBucket)
		if err != nil {
			return err
		}
		return db.View(func(from *bolt.Tx) error { return from.Bucket(keyBucket).ForEach(rows.Put) })
	})
	if err != nil {
		t.Fatal(err)
	}
}

func restoreTo(t *testing.T, u *Uploader, c catalog.Catalog, revision int64) (*storeFile, error) {
	t.Helper()
	chain, err := c.Chain(revision)
	if err != nil {
		return nil, err
	}
	return u.builder().build(context.Background(), filepath.Join(t.TempDir(), "db"), chain, "")
}
