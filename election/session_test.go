package election_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/memstore"
)

// bubble runs a test in virtual time over a store that can fail.
func bubble(t *testing.T, f func(*testing.T, *faultstore.Store)) {
	t.Helper()
	bubbleOver(t, func(t *testing.T, store *faultstore.Store, _ *memstore.Store) { f(t, store) })
}

// bubbleOver is bubble for tests that see the store below the faults too.
func bubbleOver(t *testing.T, f func(*testing.T, *faultstore.Store, *memstore.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		t.Cleanup(store.Close) // after the sessions
		f(t, faultstore.Wrap(store, nil), store)
	})
}

// open opens a session that ends with the test.
func open(t *testing.T, store election.Store, o election.Options) *election.Session {
	t.Helper()
	if o.Clock == nil {
		o.Clock = virtual()
	}
	s, err := election.Open(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// campaign takes a seat of a group that the session is not in yet.
func campaign(t *testing.T, s *election.Session, group string, o election.SeatsOptions) (*election.Seats, *election.Leadership) {
	t.Helper()
	seats, err := s.Seats(group, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := seats.Campaign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return seats, l
}

// lateAnswers is a store whose renewals are answered late.
type lateAnswers struct {
	election.Store
	mu   sync.Mutex
	late time.Duration
}

func (s *lateAnswers) set(late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = late
}

func (s *lateAnswers) Renew(ctx context.Context, id election.LeaseID) (time.Duration, error) {
	ttl, err := s.Store.Renew(ctx, id)
	s.mu.Lock()
	late := s.late
	s.mu.Unlock()
	select {
	case <-time.After(late):
		return ttl, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// TestEndsBeforeTheLease cuts a session off in every moment of a renewal's life, with
// answers that are late, and holds the end of the leadership against the end of the
// lease at the store.
func TestEndsBeforeTheLease(t *testing.T) {
	for _, late := range []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond} {
		for cut := time.Duration(0); cut < 5*time.Second; cut += 250 * time.Millisecond {
			bubbleOver(t, func(t *testing.T, store *faultstore.Store, below *memstore.Store) {
				slow := &lateAnswers{Store: store}
				_, l := campaign(t, open(t, slow, election.Options{}), "g", election.SeatsOptions{})
				slow.set(late)
				time.Sleep(20*time.Second + cut)
				ended := make(chan time.Time, 1)
				stop := context.AfterFunc(l, func() { ended <- time.Now() })
				defer stop()
				gone := make(chan time.Time, 1)
				watched, cancel := context.WithCancel(t.Context())
				defer cancel()
				other := open(t, below, election.Options{Name: "other"})
				next, err := other.Seats("g", election.SeatsOptions{})
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					if _, err := next.Campaign(watched); err == nil {
						gone <- time.Now()
					}
				}()
				synctest.Wait()
				store.Partition()
				here, there := <-ended, <-gone
				if lead := there.Sub(here); lead < 500*time.Millisecond || lead > 6*time.Second {
					t.Errorf("answers %s late, cut after %s: the leadership ended %s before the next one began", late, cut, lead)
				}
				if !errors.Is(context.Cause(l), election.ErrExpired) {
					t.Errorf("cause: %v", context.Cause(l))
				}
				store.Heal()
			})
		}
	}
}

func TestErrLooksAtTheClock(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		clock, shift := virtual(), time.Duration(0)
		var mu sync.Mutex
		s := open(t, store, election.Options{Clock: func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return clock() + shift
		}})
		_, l := campaign(t, s, "g", election.SeatsOptions{})
		if l.Err() != nil {
			t.Fatal("ended at once")
		}
		mu.Lock()
		shift = time.Hour // the machine was suspended
		mu.Unlock()
		if l.Err() == nil || !errors.Is(context.Cause(l), election.ErrExpired) {
			t.Errorf("after an hour's sleep: %v, cause %v", l.Err(), context.Cause(l))
		}
		select {
		case <-l.Done():
		default:
			t.Error("Err says that it ended, and Done does not")
		}
	})
}

func TestRevokedLeaseIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		s := open(t, store, election.Options{})
		_, l := campaign(t, s, "g", election.SeatsOptions{})
		waiting := open(t, store, election.Options{Name: "waits"})
		seats, err := waiting.Seats("g", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() {
			_, err := seats.Campaign(t.Context())
			failed <- err
		}()
		synctest.Wait()
		if err := store.Revoke(t.Context(), waiting.Lease()); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, election.ErrRevoked) {
			t.Errorf("who waits: %v", err)
		}
		if err := store.Revoke(t.Context(), s.Lease()); err != nil {
			t.Fatal(err)
		}
		<-l.Done()
	})
}

func TestResignOutlivesItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		_, l := campaign(t, open(t, store, election.Options{}), "g", election.SeatsOptions{})
		next, err := open(t, store, election.Options{Name: "next"}).Seats("g", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() { _, err := next.Campaign(t.Context()); got <- err }()
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Resign(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Resign: %v", err)
		}
		if l.Err() == nil {
			t.Error("it leads on")
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestHealthEndsLeaderships(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		var mu sync.Mutex
		sick := error(nil)
		health := &election.HealthCheck{Check: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return sick
		}}
		seats, l := campaign(t, open(t, store, election.Options{}), "g", election.SeatsOptions{Health: health})
		again := make(chan *election.Leadership, 1)
		mu.Lock()
		sick = errors.New("no disk")
		mu.Unlock()
		<-l.Done()
		if !errors.Is(context.Cause(l), election.ErrUnhealthy) {
			t.Errorf("cause: %v", context.Cause(l))
		}
		go func() {
			l, err := seats.Campaign(t.Context())
			if err != nil {
				t.Error(err)
			}
			again <- l
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-again:
			t.Error("it leads, and is not well")
		default:
		}
		mu.Lock()
		sick = nil
		mu.Unlock()
		<-again
	})
}

func TestHangingHealthCheckIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		hang, calls := make(chan struct{}), 0
		health := &election.HealthCheck{Check: func(context.Context) error {
			if calls++; calls > 1 {
				<-hang // whatever its context says
			}
			return nil
		}}
		_, l := campaign(t, open(t, store, election.Options{}), "g", election.SeatsOptions{Health: health})
		<-l.Done()
		close(hang)
	})
}

func TestCampaignLeavesNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		_, l := campaign(t, open(t, store, election.Options{}), "g", election.SeatsOptions{})
		waiting := open(t, store, election.Options{Name: "waits"})
		seats, err := waiting.Seats("g", election.SeatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := seats.Campaign(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Campaign: %v", err)
		}
		synctest.Wait()
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		view, err := g.View(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(view.Candidates) != 1 || view.Seats[0].Candidate != l.Candidate() {
			t.Errorf("left behind: %+v", view)
		}
	})
}

func TestTransferAndMove(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		_, l := campaign(t, open(t, store, election.Options{Name: "a"}), "g", election.SeatsOptions{})
		type waiter struct {
			id  string
			got chan *election.Leadership
		}
		var waiters []waiter
		for _, name := range []string{"b", "c"} {
			seats, err := open(t, store, election.Options{Name: name}).Seats("g", election.SeatsOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w := waiter{seats.Candidate(), make(chan *election.Leadership, 1)}
			go func() {
				if l, err := seats.Campaign(t.Context()); err == nil {
					w.got <- l
				}
			}()
			synctest.Wait()
			waiters = append(waiters, w)
		}
		if err := l.Transfer(t.Context(), "nobody"); !errors.Is(err, election.ErrNoTaker) || l.Err() != nil {
			t.Errorf("to nobody: %v, and the leadership %v", err, l.Err())
		}
		if err := l.Transfer(t.Context(), waiters[1].id); err != nil { // b has waited longer
			t.Fatal(err)
		}
		l = <-waiters[1].got
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Move(t.Context(), "0", waiters[0].id); err != nil {
			t.Fatal(err)
		}
		<-l.Draining()
		if l.Err() != nil {
			t.Error("asked to hand over, it leads no more")
		}
		select {
		case <-waiters[0].got:
			t.Error("the next one leads before the last one has acknowledged")
		default:
		}
		if err := l.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-waiters[0].got
	})
}

func TestSeatsAreTakenAway(t *testing.T) {
	bubble(t, func(t *testing.T, store *faultstore.Store) {
		s := open(t, store, election.Options{})
		seats, err := s.Seats("g", election.SeatsOptions{Seats: 3, Hold: 3})
		if err != nil {
			t.Fatal(err)
		}
		var held []*election.Leadership
		for range 3 {
			l, err := seats.Campaign(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, l)
		}
		if _, err := seats.Campaign(t.Context()); err == nil {
			t.Error("a fourth seat, with Hold 3")
		}
		g, err := election.NewGroup(store, "", "g")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.SetConfig(t.Context(), election.Config{Seats: 1}); err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, l := range held {
			if l.Seat() != "0" {
				<-l.Draining()
				asked++
				if err := l.Resign(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if asked != 2 {
			t.Errorf("%d were asked to hand over", asked)
		}
		view, err := g.View(t.Context())
		if err != nil || len(view.Seats) != 1 || view.Seats[0].Candidate == "" {
			t.Errorf("%+v, %v", view, err)
		}
	})
}
