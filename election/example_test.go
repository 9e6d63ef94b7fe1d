package election_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
)

// store stands for election.Etcd(client) in the examples, which need no etcd.
func store() (election.Store, func()) {
	s := memstore.New()
	return s, s.Close
}

// member opens a session that the example ends.
func member(store election.Store, name string) *election.Session {
	s, err := election.Open(context.Background(), store, election.Options{Name: name})
	if err != nil {
		panic(err)
	}
	return s
}

// One process of several leads. When it resigns, the next one does.
func Example() {
	store, closeStore := store()
	defer closeStore()
	ctx := context.Background()

	a, b := member(store, "a"), member(store, "b")
	defer a.Close(ctx)
	defer b.Close(ctx)

	seatsA, err := a.Seats("invoices", election.SeatsOptions{})
	if err != nil {
		panic(err)
	}
	leads, err := seatsA.Campaign(ctx) // waits for the seat
	if err != nil {
		panic(err)
	}
	fmt.Println("a leads", leads.Name())

	seatsB, err := b.Seats("invoices", election.SeatsOptions{})
	if err != nil {
		panic(err)
	}
	next := make(chan *election.Leadership)
	go func() {
		l, err := seatsB.Campaign(ctx)
		if err != nil {
			panic(err)
		}
		next <- l
	}()

	if err := leads.Resign(ctx); err != nil {
		panic(err)
	}
	fmt.Println("a leads no more:", context.Cause(leads))
	l := <-next
	fmt.Println("b leads", l.Name(), "with a greater token:", l.Token().Compare(leads.Token()) > 0)
	// Output:
	// a leads invoices/0
	// a leads no more: the leadership was resigned
	// b leads invoices/0 with a greater token: true
}

// Run campaigns, leads, hands over when it is asked to, and campaigns again.
func ExampleSeats_Run() {
	store, closeStore := store()
	defer closeStore()
	s := member(store, "a")
	defer s.Close(context.Background())
	seats, err := s.Seats("invoices", election.SeatsOptions{})
	if err != nil {
		panic(err)
	}

	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	err = seats.Run(ctx, func(ctx context.Context, l *election.Leadership) error {
		fmt.Println("leads", l.Name())
		stop() // the program shall end
		<-ctx.Done()
		fmt.Println("finishes:", context.Cause(ctx))
		return nil // the seat is given up now
	})
	fmt.Println("Run:", err)
	// Output:
	// leads invoices/0
	// finishes: context canceled
	// Run: context canceled
}

// Three seats, of which one session holds at most two.
func ExampleSession_Seats() {
	store, closeStore := store()
	defer closeStore()
	ctx := context.Background()
	var mu sync.Mutex
	var held []string
	var campaigns sync.WaitGroup
	for name, hold := range map[string]int{"a": 2, "b": 1} {
		s := member(store, name)
		defer s.Close(ctx)
		seats, err := s.Seats("mailers", election.SeatsOptions{Seats: 3, Hold: hold})
		if err != nil {
			panic(err)
		}
		for range hold {
			campaigns.Go(func() {
				l, err := seats.Campaign(ctx)
				if err != nil {
					panic(err)
				}
				mu.Lock()
				defer mu.Unlock()
				held = append(held, l.Name())
			})
		}
	}
	campaigns.Wait()
	slices.Sort(held)
	fmt.Println(strings.Join(held, " "))
	// Output: mailers/0 mailers/1 mailers/2
}

// Partitions are spread over all sessions that run.
func ExampleSession_Partitions() {
	store, closeStore := store()
	defer closeStore()
	s := member(store, "a")
	defer s.Close(context.Background())
	shards, err := s.Partitions("shards", election.PartitionsOptions{Partitions: []string{"eu-1", "eu-2", "us-1"}})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Add(3)
	go func() { working.Wait(); stop() }() // it has had all three
	var mu sync.Mutex
	var led []string
	err = shards.Run(ctx, func(ctx context.Context, l *election.Leadership) error {
		mu.Lock()
		led = append(led, l.Seat())
		mu.Unlock()
		working.Done()
		<-ctx.Done() // work on the shard
		return nil
	})
	slices.Sort(led)
	fmt.Println(led, err)
	// Output: [eu-1 eu-2 us-1] context canceled
}

// Observers see who holds what, beginning with what there is.
func ExampleGroup_Observe() {
	store, closeStore := store()
	defer closeStore()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := member(store, "a")
	defer s.Close(context.Background())
	seats, err := s.Seats("invoices", election.SeatsOptions{})
	if err != nil {
		panic(err)
	}
	l, err := seats.Campaign(ctx)
	if err != nil {
		panic(err)
	}
	group, err := election.NewGroup(store, "", "invoices")
	if err != nil {
		panic(err)
	}
	for c := range group.Observe(ctx, 0) {
		switch {
		case c.Err != nil:
			panic(c.Err)
		case c.Kind == election.Held:
			fmt.Println(c.Seat.Name, "is held by", c.Seat.Holder)
		case c.Kind == election.Free:
			fmt.Println(c.Seat.Name, "is free")
			return
		case c.Kind == election.Synced:
			fmt.Println("now it resigns")
			if err := l.Resign(ctx); err != nil {
				panic(err)
			}
		}
	}
	// Output:
	// 0 is held by a
	// now it resigns
	// 0 is free
}

// A guard in a transaction: it writes only while the seat is held as it was acquired.
func ExampleLeadership_Guard() {
	store, closeStore := store()
	defer closeStore()
	ctx := context.Background()
	s := member(store, "a")
	defer s.Close(ctx)
	seats, err := s.Seats("invoices", election.SeatsOptions{})
	if err != nil {
		panic(err)
	}
	l, err := seats.Campaign(ctx)
	if err != nil {
		panic(err)
	}
	write := func(value string) {
		r, err := store.Txn(ctx, election.Txn{
			If:   []election.Compare{l.Guard()},
			Then: []election.Op{election.Put("last-invoice", []byte(value), 0)},
		})
		if err != nil {
			panic(err)
		}
		fmt.Println(value, "is written:", r.OK)
	}
	write("4711")
	if err := l.Resign(ctx); err != nil {
		panic(err)
	}
	write("4712")
	// Output:
	// 4711 is written: true
	// 4712 is written: false
}

// The same with etcd's own client.
func ExampleLeadership_Cmp() {
	var client *clientv3.Client
	write := func(ctx context.Context, l *election.Leadership, value string) error {
		r, err := client.Txn(ctx).If(l.Cmp()).Then(clientv3.OpPut("last-invoice", value)).Commit()
		if err == nil && !r.Succeeded {
			err = election.ErrFenced
		}
		return err
	}
	_ = write
}

// The mark is raised in the transaction of the write, before it.
func ExampleFence_Raise() {
	var db *sql.DB // has election.MarksTable
	send := func(ctx context.Context, l *election.Leadership, invoice int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := l.Fence().Raise(ctx, tx); err != nil {
			return err // with election.ErrFenced: somebody else leads
		}
		if _, err := tx.ExecContext(ctx, "UPDATE invoices SET sent = true WHERE id = $1", invoice); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = send
}

// A service takes orders of the leader alone, who sends its fence along.
func ExampleHandler() {
	var db *sql.DB // has election.MarksTable
	http.Handle("POST /payments", election.Handler{
		DB:   db,
		Seat: func(*http.Request) string { return "invoices/0" },
		Do: func(w http.ResponseWriter, r *http.Request, tx *sql.Tx) error {
			if _, err := tx.ExecContext(r.Context(), "INSERT INTO payments DEFAULT VALUES"); err != nil {
				return err
			}
			w.WriteHeader(http.StatusCreated)
			return nil
		},
	})
	pay := func(ctx context.Context, l *election.Leadership) error {
		r, err := http.NewRequestWithContext(ctx, "POST", "https://payments.example/payments", nil)
		if err != nil {
			return err
		}
		r.Header.Set(election.FenceHeader, l.Fence().String())
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusPreconditionFailed {
			return errors.New("another one leads")
		}
		return nil
	}
	_ = pay
}
