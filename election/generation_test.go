package election_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
)

func TestRestoreIsANewGeneration(t *testing.T) {
	registry := election.RegistryDir(t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		o := election.Options{Registry: registry}
		a := open(t, store, o)
		_, l := campaign(t, a, "g", election.SeatsOptions{})
		backup := store.Snapshot()
		if err := l.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := open(t, store, election.Options{Registry: registry, Name: "b"})
		_, later := campaign(t, b, "g", election.SeatsOptions{})

		store.Restore(backup)
		o.Clock = virtual()
		if _, err := election.Open(t.Context(), store, o); !errors.Is(err, election.ErrTurnedBack) {
			t.Fatalf("a store that was turned back: %v", err)
		}
		generation, err := election.Restored(t.Context(), store, "", registry)
		if err != nil || generation.Number != 1 {
			t.Fatalf("%+v, %v", generation, err)
		}
		<-later.Done()
		time.Sleep(time.Minute) // who had a seat in the backup is gone by now
		_, after := campaign(t, open(t, store, election.Options{Registry: registry, Name: "c"}), "g", election.SeatsOptions{})
		if after.Token().Compare(later.Token()) <= 0 {
			t.Errorf("%v after %v", after.Token(), later.Token())
		}

		// The same backup again: its generation is another one, and the store before
		// is not to be used any more.
		second := memstore.New()
		defer second.Close()
		second.Restore(backup)
		generation, err = election.Restored(t.Context(), second, "", registry)
		if err != nil || generation.Number != 2 {
			t.Fatalf("%+v, %v", generation, err)
		}
		o.Clock = virtual()
		if _, err := election.Open(t.Context(), store, o); !errors.Is(err, election.ErrTurnedBack) {
			t.Errorf("the store that was restored first: %v", err)
		}
	})
}

func TestRegistryClaimsOnce(t *testing.T) {
	registry := election.RegistryDir(t.TempDir())
	ctx := context.Background()
	var all sync.WaitGroup
	won := make(chan string, 20)
	for i := range 20 {
		claim := string(rune('a' + i))
		all.Go(func() {
			ours, err := registry.Claim(ctx, 7, claim)
			if err != nil {
				t.Error(err)
			}
			if ours {
				won <- claim
			}
		})
	}
	all.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d claims won", len(won))
	}
	winner := <-won
	if ours, err := registry.Claim(ctx, 7, winner); !ours || err != nil {
		t.Errorf("claimed again: %v, %v", ours, err)
	}
	for range 2 {
		for _, r := range []int64{5, 9, 7} {
			if err := registry.Raise(ctx, 7, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	latest, err := registry.Latest(ctx)
	if err != nil || latest != (election.Generation{Number: 7, Claim: winner, Mark: 9}) {
		t.Errorf("%+v, %v", latest, err)
	}
}
