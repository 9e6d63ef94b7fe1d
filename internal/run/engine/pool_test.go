package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

func TestClosed(t *testing.T) {
	p, err := newHandMade().load(t, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.AppendCall(t.Context(), nil, "v", []byte(`{"n":1}`)); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a request: %v", err)
	}
	if err := p.Warm(3); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("warming: %v", err)
	}
}

func TestWarm(t *testing.T) {
	p, err := newHandMade().load(t, engine.Options{Idle: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 1, 9} {
		if err := p.Warm(n); err != nil {
			t.Fatal(err)
		}
		if got, want := len(engine.WholeIdleMemory(p)), map[int]int{3: 3, 1: 3, 9: 5}[n]; got != want {
			t.Errorf("%d are idle after Warm(%d), want %d", got, n, want)
		}
	}
}

// TestCloseWaits closes a program under a request that waits for its answer,
// and under one that computes.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
			time.AfterFunc(time.Second, func() { b.Answer(0, []byte("7")) })
		})
		p := load(t, shop, engine.Options{Source: source})
		answered := make(chan string)
		go func() { answered <- answer(t, p, "guarded", `{"product":"a"}`) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closing for ten milliseconds: %v", err)
		}
		if got := answer(t, p, "guarded", `{"product":"a"}`); got != "error: "+engine.ErrClosed.Error() {
			t.Errorf("a request after Close: %s", got)
		}
		closed := make(chan error)
		go func() { closed <- p.Close(context.Background()) }()
		synctest.Wait()
		if got := <-answered; got != "-1" { // the operation's time went by
			t.Errorf("the request under way: %s", got)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second) // the answer comes too late for everyone
		synctest.Wait()
	})
}

// TestRehearsal runs a pass again, and not after the program was closed.
func TestRehearsal(t *testing.T) {
	p := load(t, dealView, engine.Options{Source: dealSource()})
	v, err := p.View("deal")
	if err != nil {
		t.Fatal(err)
	}
	h, err := v.Rehearse(t.Context(), []byte(`{"product":"p-1","zip":"10115"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Run(3); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := h.Run(1); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	h.Close()
	h.Close()
}
