package election_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
)

// failing is a store whose transactions fail from a certain one on.
type failing struct {
	election.Store
	after int
}

var errBroken = errors.New("it is broken")

func (s *failing) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	if s.after--; s.after < 0 {
		return election.Result{}, errBroken
	}
	return s.Store.Txn(ctx, txn)
}

// TestNobodyBeginsDuringARestore: a session that was opened after the generation had
// begun could acquire a seat that was then deleted under its hands, for another one to
// acquire while it still led.
func TestNobodyBeginsDuringARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		ctx := t.Context()
		options := election.Options{Clock: virtual(), Registry: election.RegistryDir(t.TempDir())}
		before, err := election.Open(ctx, store, options)
		if err != nil {
			t.Fatal(err)
		}
		defer before.Close(context.Background())
		seats, err := before.Seats("a", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := seats.Campaign(ctx); err != nil {
			t.Fatal(err)
		}
		// It puts the generation, deletes sessions, the group, and puts the generation.
		for after := 1; after < 4; after++ {
			if _, err := election.Restored(ctx, &failing{store, after}, "", options.Registry); !errors.Is(err, errBroken) {
				t.Fatalf("a restore that failed after %d transactions says %v", after, err)
			}
			if _, err := election.Open(ctx, store, options); !errors.Is(err, election.ErrTurnedBack) {
				t.Errorf("after %d transactions of a restore a session opens: %v", after, err)
			}
		}
		g, err := election.Restored(ctx, store, "", options.Registry)
		if err != nil || g.Number != 4 {
			t.Fatalf("%v, %v", g, err)
		}
		s, err := election.Open(ctx, store, options)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
