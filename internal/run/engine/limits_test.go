package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/run/engine"
)

// TestLimits has requests that meet each bound of Options.
func TestLimits(t *testing.T) {
	source := engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
		for i := range b.Len() {
			if b.Operation.Name == "offers" {
				b.Answer(i, []byte(`[]`+strings.Repeat(" ", 4000)))
				continue
			}
			b.Answer(i, []byte("1"))
		}
	})
	for _, c := range []struct {
		opts              engine.Options
		view, input, want string
	}{
		{engine.Options{Passes: 2}, "chain", `{"product":"a"}`, "error: shop.chain takes more than 2 passes: so many calls wait for each other"},
		{engine.Options{Passes: 3}, "chain", `{"product":"a"}`, "1"},
		{engine.Options{Calls: 2}, "each", `{"products":["a","b","c"]}`, "error: shop.each asks more than 2 different calls"},
		{engine.Options{Calls: 3}, "each", `{"products":["a","b","c","a"]}`, "[1,1,1,1]"},
		{engine.Options{Kept: 4000}, "choose", `{"product":"a"}`, "error: the input of shop.choose and the answers to its calls have more than 4000 bytes"},
		{engine.Options{Kept: 5000}, "choose", `{"product":"a"}`, "null"},
		{engine.Options{Kept: 30}, "lowest", `{"product":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`, "error: the input of shop.lowest and the answers to its calls have more than 30 bytes"},
		{engine.Options{Memory: 2000}, "choose", `{"product":"a"}`, "error: out of memory: the answer of shop.Catalog.offers does not fit"},
	} {
		c.opts.Source = source
		if got := answer(t, load(t, shop, c.opts), c.view, c.input); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.opts, got, c.want)
		}
	}
}

// TestUnrulySource has a source that answers twice, late, wrongly and never.
func TestUnrulySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []func()
		source := engine.SourceFunc(func(ctx context.Context, b *engine.Batch) {
			for i := range b.Len() {
				switch string(b.Args(i)) {
				case `["twice"]`:
					b.Answer(i, []byte("1"))
					b.Answer(i, []byte("2"))
					b.Fail(i, errors.New("no"))
				case `["failed"]`:
					b.Fail(i, nil)
					b.Answer(i, []byte("2"))
				case `["empty"]`:
					b.Answer(i, nil)
				case `["late"]`:
					late = append(late, func() { b.Answer(i, []byte("3")) })
				case `["dies"]`:
					go func() {
						<-ctx.Done()
						b.Fail(i, ctx.Err())
					}()
				default:
					b.Answer(i, fmt.Appendf(nil, "%d", len(b.Args(i))))
				}
			}
		})
		p := load(t, shop, engine.Options{Source: source})
		for _, c := range []struct{ view, input, want string }{
			{"lowest", `{"product":"twice"}`, "1"},
			{"guarded", `{"product":"failed"}`, "-1"},
			{"lowest", `{"product":"empty"}`, "error: shop.lowest: shop.Pricing.lowest failed: its answer: at $: expected Int, found the end of the text"},
			{"guarded", `{"product":"late"}`, "-1"},
			{"timed", `{"product":"dies"}`, "-2"},
			{"late", `{"product":"dies"}`, "error: shop.late: the view's time went by"},
		} {
			if got := answer(t, p, c.view, c.input); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.view, c.input, got, c.want)
			}
		}
		for _, f := range late { // the request is over, and its memory another's
			f()
		}
		if got := answer(t, p, "lowest", `{"product":"x"}`); got != "5" {
			t.Errorf("after late answers: %s", got)
		}
		synctest.Wait()
	})
}

// TestReplayOfDeadline replays a request whose view ran out of time.
func TestReplayOfDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 7
		source := engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
			for i := range b.Len() {
				body := fmt.Append(nil, asked)
				asked++
				time.AfterFunc(20*time.Millisecond, func() { b.Answer(i, body) })
			}
		})
		p := load(t, `
			service S { fn get(n: Int) -> Int }
			view v(n: Int) -> Int within 50ms { (S.get(S.get(S.get(n)))) else 1 }
		`, engine.Options{Source: source})
		v, err := p.View("v")
		if err != nil {
			t.Fatal(err)
		}
		var rec engine.Record
		_, err = v.Do(t.Context(), nil, engine.Request{Input: []byte(`{"n":1}`), Record: &rec})
		if !errors.Is(err, engine.ErrDeadline) || len(rec.Answers) != 2 {
			t.Fatalf("got %v, recorded %v", err, rec.Answers)
		}
		if _, again := p.Replay(t.Context(), nil, &rec); !errors.Is(again, engine.ErrDeadline) {
			t.Errorf("replayed: %v", again)
		}
		rec.Artifact = "other"
		if _, err := p.Replay(t.Context(), nil, &rec); !errors.Is(err, engine.ErrArtifact) {
			t.Errorf("of another artifact: %v", err)
		}
		synctest.Wait()
	})
}
