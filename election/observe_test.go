package election_test

import (
	"testing"

	"testing/synctest"
	"towpath.dev/election"
	"towpath.dev/internal/control/faultstore"
)

func TestObserversMissNothing(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		seats, l := campaign(t, open(t, store, election.Options{Name: "a"}), "g", election.SeatsOptions{})
		changes := g.Observe(t.Context(), 0)
		var seen []election.ChangeKind
		var last int64
		until := func(kind election.ChangeKind) election.Change {
			for c := range changes {
				if c.Err != nil {
					t.Fatal(c.Err)
				}
				seen = append(seen, c.Kind)
				last = c.Revision
				if c.Kind == kind {
					return c
				}
			}
			t.Fatal("the changes ended")
			return election.Change{}
		}
		until(election.Synced)
		store.Cut(nil) // the watches break, and go on
		tokens := []election.Token{l.Token()}
		for range 5 {
			if err := l.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			until(election.Free)
			if l, err = seats.Campaign(t.Context()); err != nil {
				t.Fatal(err)
			}
			c := until(election.Held)
			if c.Seat.Token != l.Token() {
				t.Errorf("told %v, holds %v", c.Seat.Token, l.Token())
			}
			tokens = append(tokens, l.Token())
		}
		// From a revision on.
		again := g.Observe(t.Context(), tokens[2].Revision)
		if c := <-again; c.Kind != election.Held || c.Seat.Token != tokens[2] {
			t.Errorf("from %d: %+v", tokens[2].Revision, c)
		}
		// And where that is no longer kept, the gap is told.
		synctest.Wait()
		if err := store.Compact(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		gap := g.Observe(t.Context(), tokens[2].Revision)
		var kinds []election.ChangeKind
		for c := range gap {
			kinds = append(kinds, c.Kind)
			if c.Kind == election.Synced {
				break
			}
		}
		if kinds[0] != election.Gap || len(kinds) < 4 {
			t.Errorf("after compaction: %v", kinds)
		}
	})
}
