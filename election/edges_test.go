package election_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/memstore"
)

// Records are JSON, which would change other bytes: a candidate would never find its
// record to say what it shall, and write it again and again.
func TestRecordsAreText(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		if _, err := election.Open(t.Context(), store, election.Options{Name: "caf\xe9"}); err == nil {
			t.Error("a name that is no UTF-8 is taken")
		}
		s := open(t, store, election.Options{Name: "<café> & \"co\""})
		if _, err := s.Seats("g", election.SeatsOptions{Labels: map[string]string{"zone": "caf\xe9"}}); err == nil {
			t.Error("a label that is no UTF-8 is taken")
		}
		labels := map[string]string{"zone": "é<>\u2028"}
		_, l := campaign(t, s, "g", election.SeatsOptions{Labels: labels})
		labels["zone"] = "another" // theirs to change
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		if v := quiet(t, g); v.Seats[0].Holder != "<café> & \"co\"" || v.Candidates[0].Labels["zone"] != "é<>\u2028" {
			t.Errorf("%+v", v)
		}
		if l.Err() != nil {
			t.Error(context.Cause(l))
		}
	})
}

// Who sees that a session has ended can always ask why.
func TestWhyASessionEnded(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		for range 200 {
			s := open(t, store, election.Options{})
			var all sync.WaitGroup
			all.Go(s.Detach)
			all.Go(func() {
				for {
					if _, err := s.Seats("g", election.SeatsOptions{}); errors.Is(err, election.ErrClosed) {
						return
					} else if s.Err() != nil && err != nil && !errors.Is(err, election.ErrClosed) {
						if _, err := s.Seats("h", election.SeatsOptions{}); !errors.Is(err, election.ErrClosed) {
							t.Errorf("ended, and: %v", err)
						}
						return
					}
				}
			})
			all.Wait()
		}
	})
}

func TestTransferOfAPartition(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		got := make(chan *election.Leadership, 100)
		for range 2 {
			p, err := open(t, store, election.Options{}).Partitions("g", election.PartitionsOptions{Partitions: []string{"a", "b"}})
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_ = p.Run(t.Context(), func(ctx context.Context, l *election.Leadership) error {
					got <- l
					<-ctx.Done()
					return nil
				})
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		close(got)
		leads := map[string]*election.Leadership{} // by candidate
		for l := range got {
			if l.Err() == nil {
				leads[l.Candidate()] = l
			}
		}
		all := slices.Collect(maps.Values(leads))
		if len(all) != 2 {
			t.Fatalf("%d candidates lead", len(all))
		}
		one, other := all[0], all[1]
		if err := one.Transfer(t.Context(), other.Candidate()); !errors.Is(err, election.ErrNoTaker) || one.Err() != nil {
			t.Errorf("against the plan: %v, and the leadership %v", err, one.Err())
		}
	})
}

// deaf is a store whose watches do not notice when it is turned back, as etcd's do not:
// they wait for the revision that they ask for to come again.
type deaf struct{ election.Store }

func (s deaf) Watch(ctx context.Context, keys election.Keys, from int64) <-chan election.Batch {
	out := make(chan election.Batch)
	go func() {
		defer close(out)
		for b := range s.Store.Watch(ctx, keys, from) {
			if b.Err != nil {
				<-ctx.Done()
				return
			}
			select {
			case out <- b:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

func TestTransactionNoticesATurnedBackStore(t *testing.T) {
	bubbleOver(t, func(t *testing.T, _ *faultstore.Store, store *memstore.Store) {
		s := open(t, deaf{store}, election.Options{})
		seats, l := campaign(t, s, "g", election.SeatsOptions{Seats: 2, Hold: 2})
		backup := store.Snapshot()
		for range 5 {
			if err := l.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			var err error
			if l, err = seats.Campaign(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		store.Restore(backup)
		_, err := seats.Campaign(t.Context())
		if !errors.Is(err, election.ErrTurnedBack) || !errors.Is(context.Cause(l), election.ErrTurnedBack) {
			t.Errorf("Campaign: %v; the other seat: %v", err, context.Cause(l))
		}
	})
}

func TestObserversOfATurnedBackStore(t *testing.T) {
	bubbleOver(t, func(t *testing.T, _ *faultstore.Store, store *memstore.Store) {
		g := configure(t, store, "g", election.Config{Seats: 1})
		backup := store.Snapshot()
		last, err := g.SetConfig(t.Context(), election.Config{Seats: 2})
		if err != nil {
			t.Fatal(err)
		}
		changes := g.Observe(t.Context(), last)
		if c := <-changes; c.Config.Seats != 2 {
			t.Errorf("%+v", c)
		}
		synctest.Wait()
		store.Restore(backup)
		for name, from := range map[string]<-chan election.Change{"cut off": changes, "begun later": g.Observe(t.Context(), last+1)} {
			for _, kind := range []election.ChangeKind{election.Gap, election.Configured, election.Synced} {
				if c := <-from; c.Kind != kind || kind == election.Configured && c.Config.Seats != 1 {
					t.Errorf("%s: %+v, expected %s", name, c, kind)
				}
			}
		}
	})
}
