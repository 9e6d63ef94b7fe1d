package election_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
)

// virtual is the clock of a synctest bubble.
func virtual() election.Clock {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}

func TestOneSeatGoesFromHandToHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		ctx := t.Context()
		var tokens []election.Token
		open := func(name string) *election.Seats {
			s, err := election.Open(ctx, store, election.Options{Name: name, Clock: virtual()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close(context.Background()) })
			seats, err := s.Seats("invoices", election.SeatsOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return seats
		}
		a, b := open("a"), open("b")
		l, err := a.Campaign(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, l.Token())
		for i := range 10 {
			got := make(chan *election.Leadership, 1)
			go func() {
				next, err := b.Campaign(ctx)
				if err != nil {
					t.Error(err)
				}
				got <- next
			}()
			synctest.Wait()
			if err := l.Resign(ctx); err != nil {
				t.Fatal(err)
			}
			if l.Err() == nil || !errors.Is(context.Cause(l), election.ErrResigned) {
				t.Fatalf("round %d: resigned, and still leads: %v", i, context.Cause(l))
			}
			l = <-got
			tokens = append(tokens, l.Token())
			a, b = b, a
		}
		for i := 1; i < len(tokens); i++ {
			if tokens[i].Compare(tokens[i-1]) <= 0 {
				t.Errorf("token %d is %v after %v", i, tokens[i], tokens[i-1])
			}
		}
	})
}

func TestManySeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		ctx := t.Context()
		const n, seats = 10, 1000
		var all sync.WaitGroup
		held := make([][]*election.Leadership, n)
		for i := range n {
			s, err := election.Open(ctx, store, election.Options{Name: fmt.Sprint("p", i), Clock: virtual()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(context.Background())
			g, err := s.Seats("many", election.SeatsOptions{Seats: seats, Hold: seats / n})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			for range seats / n {
				all.Go(func() {
					l, err := g.Campaign(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					held[i] = append(held[i], l)
					mu.Unlock()
				})
			}
		}
		all.Wait()
		seen := map[string]bool{}
		for i := range held {
			if len(held[i]) != seats/n {
				t.Errorf("p%d holds %d", i, len(held[i]))
			}
			for _, l := range held[i] {
				if seen[l.Seat()] {
					t.Errorf("seat %s is held twice", l.Seat())
				}
				seen[l.Seat()] = true
			}
		}
	})
}

func TestPartitionsSpreadAndMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		ctx := t.Context()
		const n, partitions = 5, 53
		var names []string
		for i := range partitions {
			names = append(names, fmt.Sprintf("p%02d", i))
		}
		var mu sync.Mutex
		holder := map[string]string{}
		moves := 0
		var running sync.WaitGroup
		join := func(name string) (*election.Session, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			s, err := election.Open(ctx, store, election.Options{Name: name, Clock: virtual()})
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Partitions("shards", election.PartitionsOptions{Partitions: names})
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				err := p.Run(ctx, func(ctx context.Context, l *election.Leadership) error {
					mu.Lock()
					if h := holder[l.Seat()]; h != "" {
						t.Errorf("%s starts to lead %s, and %s does still", name, l.Seat(), h)
					}
					holder[l.Seat()] = name
					moves++
					mu.Unlock()
					<-ctx.Done()
					mu.Lock()
					delete(holder, l.Seat())
					mu.Unlock()
					return nil
				})
				if !errors.Is(err, context.Canceled) && !errors.Is(err, election.ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
			})
			return s, cancel
		}
		check := func(what string, n, most int) {
			t.Helper()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			counts := map[string]int{}
			for _, h := range holder {
				counts[h]++
			}
			t.Logf("%s: %v, %d moves", what, counts, moves)
			if len(holder) != partitions || len(counts) != n {
				t.Errorf("%s: %d partitions are held by %d candidates: %v", what, len(holder), len(counts), counts)
			}
			for h, c := range counts {
				if c < partitions/n || c > (partitions+n-1)/n {
					t.Errorf("%s: %s holds %d", what, h, c)
				}
			}
			if most > 0 && moves > most {
				t.Errorf("%s: %d moves, expected at most %d", what, moves, most)
			}
			moves = 0
		}
		sessions := map[string]*election.Session{}
		cancels := map[string]context.CancelFunc{}
		for i := range n {
			name := fmt.Sprint("c", i)
			sessions[name], cancels[name] = join(name)
		}
		check("start", n, 0)
		sessions["c5"], cancels["c5"] = join("c5")
		check("join", n+1, partitions/(n+1)+2)
		cancels["c2"]()
		check("leave", n, partitions/(n+1)+2)
		sessions["c0"].Close(ctx)
		check("close", n-1, partitions/n+2)
		for name, s := range sessions {
			cancels[name]()
			s.Close(context.Background())
		}
		running.Wait()
	})
}
