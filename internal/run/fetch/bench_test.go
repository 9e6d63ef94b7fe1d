package fetch

import (
	"context"
	"testing"

	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/source"
)

// echo answers at once, with the arguments.
type echo struct{}

func (echo) Call(_ context.Context, b *source.Batch, done func(int, []byte, error)) {
	for i, args := range b.Args {
		done(i, args[1:len(args)-1], nil)
	}
}

// BenchmarkRequest asks a view that calls a service three times, of which requests do
// not share calls, or may.
func BenchmarkRequest(b *testing.B) {
	p, err := engine.Load(b.Context(), built(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	bound := make([]Bound, len(p.Manifest().Operations))
	for i := range bound {
		bound[i] = Bound{Caller: echo{}, Source: "stock", Key: "k"}
	}
	f := New(p.Manifest(), bound, Options{Cache: NewCache(1)}) // keeps nothing
	defer f.Wait()
	for _, view := range []string{"left", "price"} {
		v, err := p.View(view)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(view, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Do(b.Context(), nil, engine.Request{Input: []byte(`{"items":[1,2,3]}`), Source: f.Session(source.About{})}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
