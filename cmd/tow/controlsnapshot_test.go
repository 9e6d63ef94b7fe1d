//go:build !solo

package main

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// TestSnapshots: one is written when something has changed, or the last one is old, by
// whoever looks first, and by nobody otherwise.
func TestSnapshots(t *testing.T) {
	store := memstore.New()
	defer store.Close()
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects := release.NewObjects(folder)
	key, err := release.GenerateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	node := func() *snapshots {
		p := &opened{controlPlane: &controlPlane{log: slog.New(slog.DiscardHandler)}}
		return &snapshots{opened: p, store: store, objects: objects, signer: key, last: map[string]*release.Snapshot{}}
	}
	a, b := node(), node()
	intend := func(cell, program string, i *fleet.Intent) {
		t.Helper()
		_, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(fleet.IntentKey("prod", cell, program), i.Encode(), 0)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	one, two := release.DigestOf([]byte("1")), release.DigestOf([]byte("2"))
	begin := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	// written are the times after the beginning of which there are snapshots, once a node has
	// looked.
	written := func(s *snapshots, at time.Duration) (all []time.Duration) {
		t.Helper()
		if err := s.look(t.Context(), begin.Add(at)); err != nil {
			t.Fatal(err)
		}
		for info, err := range folder.List(t.Context(), "snapshots/", "") {
			if err != nil {
				t.Fatal(err)
			}
			when, err := time.Parse("20060102t150405z", filepath.Base(info.Name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, when.Sub(begin))
		}
		return all
	}
	want := func(got []time.Duration, want ...time.Duration) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("there are snapshots of %v; want %v", got, want)
		}
	}
	const minute, second = time.Minute, time.Second
	want(written(a, 0)) // of nothing
	// Keys have another order than cells.
	intend("eu", "shop", &fleet.Intent{Deployment: "shop.prod.1", Release: one})
	intend("eu-1", "shop", &fleet.Intent{Deployment: "shop.prod.1", Release: one})
	want(written(a, second), second)
	want(written(b, 2*second), second)
	want(written(a, minute), second)
	// A candidate is nothing that a new node should run.
	intend("eu", "shop", &fleet.Intent{Deployment: "shop.prod.2", Release: one, Candidate: two, Reach: 0.5})
	want(written(a, 2*minute), second)
	intend("eu", "shop", &fleet.Intent{Deployment: "shop.prod.2", Release: two})
	want(written(b, 3*minute), second, 3*minute)
	want(written(a, 4*minute), second, 3*minute)
	// In the second of another one nothing is written over, and the next look mends it.
	intend("eu-1", "shop", &fleet.Intent{Deployment: "shop.prod.2", Release: two})
	want(written(a, 3*minute), second, 3*minute)
	want(written(a, 5*minute), second, 3*minute, 5*minute)
	want(written(a, 14*minute), second, 3*minute, 5*minute)
	want(written(a, 15*minute), second, 3*minute, 5*minute, 15*minute)

	s, _, err := objects.Snapshot(t.Context(), release.Trust{Environment: "prod", Keys: []release.PublicKey{key.Public()}, Now: begin.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fleet.FromSnapshot(s, nil, "eu")
	if err != nil || m.Intents["shop"].Release != two || m.Policy != nil {
		t.Errorf("a new node would run %+v, %v", m, err)
	}
	if _, err := fleet.FromSnapshot(s, nil, "us"); err == nil || err.Error() != "the snapshot of 2026-11-28T12:15:00Z says nothing of the cell us: it knows eu, eu-1" {
		t.Errorf("of another cell: %v", err)
	}
	// What is old goes.
	const week = 7 * 24 * time.Hour
	want(written(a, week+6*minute), 15*minute, week+6*minute)
}
