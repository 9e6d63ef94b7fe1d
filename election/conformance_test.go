package election_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
)

// vectors reads a file that all languages' tests run.
func vectors[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "sdk", "conformance", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []T }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(file.Cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return file.Cases
}

type vectorToken struct{ Generation, Revision string }

func (v vectorToken) token(t *testing.T) election.Token {
	t.Helper()
	token, err := election.ParseToken(v.Generation + "." + v.Revision)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenVectors(t *testing.T) {
	type vector struct {
		Name  string
		A, B  vectorToken
		Order int
	}
	for _, v := range vectors[vector](t, "tokens.json") {
		if got := v.A.token(t).Compare(v.B.token(t)); got != v.Order {
			t.Errorf("%s: %d, expected %d", v.Name, got, v.Order)
		}
	}
}

func TestFenceVectors(t *testing.T) {
	type vector struct {
		Name, Header         string
		Group                *string
		Seat                 string
		Generation, Revision string
		Written              string
	}
	for _, v := range vectors[vector](t, "fences.json") {
		f, err := election.ParseFence(v.Header)
		if v.Group == nil {
			if err == nil {
				t.Errorf("%s: %q is read as %+v", v.Name, v.Header, f)
			}
			continue
		}
		generation, _ := strconv.ParseUint(v.Generation, 10, 64)
		revision, _ := strconv.ParseInt(v.Revision, 10, 64)
		want := election.Fence{Seat: *v.Group + "/" + v.Seat, Token: election.Token{Generation: generation, Revision: revision}}
		if err != nil || f != want {
			t.Errorf("%s: %q is read as %+v, %v", v.Name, v.Header, f, err)
			continue
		}
		written := v.Header
		if v.Written != "" {
			written = v.Written
		}
		if f.String() != written {
			t.Errorf("%s: written as %q, expected %q", v.Name, f, written)
		}
	}
}

// answering is a store that renews a lease with the answers of a vector.
type answering struct {
	election.Store
	ttl    time.Duration
	answer func(context.Context) (time.Duration, error)
}

func (s *answering) Grant(ctx context.Context, _ time.Duration) (election.LeaseID, time.Duration, error) {
	id, _, err := s.Store.Grant(ctx, time.Hour)
	if err != nil {
		return 0, 0, err
	}
	_, err = s.answer(ctx)
	return id, s.ttl, err
}

func (s *answering) Renew(ctx context.Context, _ election.LeaseID) (time.Duration, error) {
	return s.answer(ctx)
}

func TestDeadlineVectors(t *testing.T) {
	type renewal struct {
		Sent     int64  `json:"sent_ms"`
		Answered *int64 `json:"answered_ms"`
		TTL      int64  `json:"ttl_ms"`
	}
	type vector struct {
		Name     string
		Margin   int64 `json:"margin_ms"`
		Renewals []renewal
		Deadline int64 `json:"deadline_ms"`
		Expired  bool
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, v := range vectors[vector](t, "deadlines.json") {
		t.Run(v.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				t.Cleanup(store.Close)
				begun := time.Now()
				at := func(n int64) { time.Sleep(ms(n) - time.Since(begun)) }
				var of renewal
				answers := &answering{Store: store, ttl: ms(v.Renewals[0].TTL)}
				answers.answer = func(ctx context.Context) (time.Duration, error) {
					answered := of
					if answered.Answered == nil {
						return 0, election.ErrNotReached
					}
					at(*answered.Answered)
					return ms(answered.TTL), nil
				}
				of = v.Renewals[0]
				at(of.Sent)
				s, err := election.Open(t.Context(), answers, election.Options{
					TTL: ms(v.Renewals[0].TTL), Margin: max(ms(v.Margin), 1), // 0 is the default
					Manual: true, Clock: func() time.Duration { return time.Since(begun) },
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close(context.Background()) })
				ended := make(chan time.Duration, 1)
				stop := context.AfterFunc(sessionContext{s}, func() { ended <- time.Since(begun) })
				defer stop()
				for _, r := range v.Renewals[1:] {
					at(r.Sent)
					of = r
					go func() { _ = s.Renew(t.Context()) }() // reads of at once
					synctest.Wait()
				}
				got := <-ended
				if want := ms(v.Deadline); got < want-1 || got > want+time.Millisecond {
					t.Errorf("ended after %s, expected %s", got, want)
				}
				if !errors.Is(s.Err(), election.ErrExpired) {
					t.Errorf("cause: %v", s.Err())
				}
				time.Sleep(time.Hour) // answers that are still to come
			})
		})
	}
}

// sessionContext is a session as a context, for AfterFunc.
type sessionContext struct{ *election.Session }

func (sessionContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (sessionContext) Value(any) any               { return nil }
