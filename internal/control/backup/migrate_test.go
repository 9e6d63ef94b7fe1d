package backup

import (
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestFromOwnToShared: an uploader of its own is ended when one that is shared has begun, or
// the other way round. Both have begun objects at one revision, and the longer one counts.
func TestFromOwnToShared(t *testing.T) {
	for _, sharedStays := range []bool{true, false} {
		client := etcd.Start(t, 1).Client(t)
		var clock clock
		w := watchOver(t, client, withClock(openFolder(t, t.TempDir()), clock.now), 1, 0)
		clock.pass(30 * time.Minute)
		o := Options{
			Source: Source{client, dialer}, Store: w.shelf.store, Cluster: "prod", Keep: catalog.Policy{Any: 24 * time.Hour},
			Scratch: t.TempDir(), Now: clock.now, Log: testLog(t),
		}
		own, err := NewUploader(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.MakeBase(t.Context(), "a test's"); err != nil {
			t.Fatal(err)
		}
		shared, err := NewShared(t.Context(), "fleet", []Options{o})
		if err != nil {
			t.Fatal(err)
		}
		feed, err := own.Follow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		stop, err := shared.Follow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		random := rand.New(rand.NewPCG(5017, 1))
		minute := func(upload ...func() error) {
			t.Helper()
			for _, up := range upload {
				write(t, client, random, 5)
				if err := up(); err != nil {
					t.Fatal(err)
				}
				clock.pass(time.Second)
			}
			clock.pass(time.Minute)
			w.acked.Store(hashNow(t, client).revision)
		}
		viaOwn := func() error { return feed.Upload(t.Context()) }
		viaShared := func() error { return shared.Upload(t.Context()) }
		if sharedStays {
			minute(viaOwn, viaShared)
			minute(viaShared)
		} else {
			minute(viaShared, viaOwn)
			minute(viaOwn)
		}
		w.judge(t, random)

		clock.pass(2 * time.Hour)
		for range 3 {
			if err := shared.Uploaders()[0].Care(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := shared.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.judge(t, random)
		for info, err := range w.shelf.store.List(t.Context(), w.shelf.place.level(catalog.Minute), "") {
			t.Errorf("%s is left (%v)", info.Name, err)
		}
	}
}
