package election_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/faultstore"
)

// configure makes a group.
func configure(t *testing.T, store election.Store, group string, c election.Config) *election.Group {
	t.Helper()
	g, err := election.NewGroup(store, "", group)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.SetConfig(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return g
}

// quiet fails if anything but time passes.
func quiet(t *testing.T, g *election.Group) election.View {
	t.Helper()
	synctest.Wait()
	before, err := g.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	after, err := g.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Revision != before.Revision {
		t.Errorf("%d writes in a minute in which nothing happened", after.Revision-before.Revision)
	}
	return after
}

func TestSeatsOfAGroupOfPartitions(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		g := configure(t, store, "g", election.Config{Partitions: []string{"a", "b", "c"}})
		seats, err := open(t, store, election.Options{}).Seats("g", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // before it has read the group, and after
			if _, err := seats.Campaign(t.Context()); err == nil || !strings.Contains(err.Error(), "3 partitions") {
				t.Errorf("Campaign: %v", err)
			}
		}
		// A server's standing has nobody to tell: it only keeps away, until it fits.
		held := make(chan *election.Leadership, 1)
		_, err = open(t, store, election.Options{}).Stand("g", election.StandOptions{Want: 1, Held: func(l *election.Leadership) { held <- l }})
		if err != nil {
			t.Fatal(err)
		}
		if v := quiet(t, g); len(v.Candidates) != 0 {
			t.Errorf("candidates: %+v", v.Candidates)
		}
		configure(t, store, "g", election.Config{Seats: 2})
		if l := <-held; l.Seat() != "0" && l.Seat() != "1" {
			t.Errorf("it got %s", l.Name())
		}
		synctest.Wait() // for the other one to see it too
		if _, err := seats.Campaign(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestPartitionsOfAGroupOfSeats(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		configure(t, store, "g", election.Config{Partitions: []string{"a", "b"}})
		p, err := open(t, store, election.Options{}).Partitions("g", election.PartitionsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		leads := make(chan struct{}, 2)
		ended := make(chan error, 1)
		go func() {
			ended <- p.Run(t.Context(), func(ctx context.Context, _ *election.Leadership) error {
				leads <- struct{}{}
				<-ctx.Done()
				return nil
			})
		}()
		<-leads
		<-leads
		g := configure(t, store, "g", election.Config{Seats: 1}) // under its feet
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "1 seats") {
			t.Errorf("Run: %v", err)
		}
		if err := p.Run(t.Context(), nil); err == nil {
			t.Error("Run again: no error")
		}
		if v := quiet(t, g); len(v.Candidates) != 0 || len(v.Seats) != 1 || v.Seats[0].Candidate != "" {
			t.Errorf("left behind: %+v", v)
		}
	})
}

func TestConfigurationThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		put := election.Txn{Then: []election.Op{election.Put("election/group/g/config", []byte(`{"seats":"three"}`), 0)}}
		if _, err := store.Txn(t.Context(), put); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		s := open(t, store, election.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		seats, err := s.Seats("g", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() { _, err := seats.Campaign(t.Context()); got <- err }()
		synctest.Wait()
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		quiet(t, g)
		if n := strings.Count(log.String(), "key=election/group/g/config"); n != 1 {
			t.Errorf("it is said %d times: %s", n, log.String())
		}
		configure(t, store, "g", election.Config{Seats: 1})
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}
