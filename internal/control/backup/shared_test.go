package backup

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestSharedUploader: three clusters in one uploader take one request a minute, and each of
// them can be restored, before its minutes are merged and after.
func TestSharedUploader(t *testing.T) {
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	meter := blob.NewMeter(folder)
	clock := &clock{}
	clock.pass(30 * time.Minute)
	store := withClock(meter, clock.now)
	var all []Options
	var clients []*clientv3.Client
	for i := range 3 {
		clients = append(clients, etcd.Start(t, 1).Client(t))
		all = append(all, Options{
			Source: Source{clients[i], dialer}, Store: store, Cluster: fmt.Sprintf("c%d", i), Keep: catalog.Policy{Any: 24 * time.Hour},
			Scratch: t.TempDir(), Now: clock.now, Log: testLog(t),
		})
	}
	const seed = 5007
	random := rand.New(rand.NewPCG(seed, 2))
	s, err := NewShared(t.Context(), "fleet", all)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	minute := func() {
		for _, c := range clients {
			write(t, c, random, 5)
		}
		if err := s.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.pass(time.Minute)
	}
	care := func() {
		for _, u := range s.Uploaders() {
			if err := u.Care(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		for i, u := range s.Uploaders() {
			want := hashNow(t, clients[i])
			f := restoredFile(t, newShelf(folder, u.shelf.place), want.revision)
			if got, err := hashKV(f.db, want.compacted, want.revision); err != nil || got != want.hash {
				t.Errorf("seed %d: cluster %d is restored as %08x (%v), the source had %08x", seed, i, got, err, want.hash)
			}
			f.discard()
		}
	}
	for _, c := range clients[1:] { // the first one has too little for a dictionary
		fill(t, c, 400)
	}
	care() // the bases
	before := meter.Usage().Create
	for range 10 {
		minute()
	}
	if made := meter.Usage().Create - before; made != 10 {
		t.Errorf("%d objects for 10 minutes of 3 clusters, expected 10", made)
	}
	check()
	for i, u := range s.Uploaders() {
		for name, p := range u.shelf.packed() {
			if own := u.dictionary(); own == nil && p.Header.Dictionary != "" || own != nil && p.Header.Dictionary != own.Name || (own == nil) != (i == 0) {
				t.Errorf("of the cluster %d, %s is behind %q, and its dictionary is %+v", i, name, p.Header.Dictionary, own)
			}
		}
	}
	stop()

	// Another one of the same name is overtaken, and goes on behind.
	other, err := NewShared(t.Context(), "fleet", all)
	if err != nil {
		t.Fatal(err)
	}
	stopOther, err := other.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stop, err = s.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	minute()
	if err := other.Upload(t.Context()); err == nil || !strings.Contains(err.Error(), "going on behind it") {
		t.Errorf("the other uploader: %v", err)
	}
	stopOther()
	check()

	clock.pass(2 * time.Hour)
	minute()
	for range 3 {
		care()
	}
	check()
	packs := 0
	for _, err := range folder.List(t.Context(), packsOf("fleet"), "") {
		if err != nil {
			t.Fatal(err)
		}
		packs++
	}
	if packs > 2 {
		t.Errorf("%d packs are left of 12, though all but the last were merged", packs)
	}
	stop()
}
