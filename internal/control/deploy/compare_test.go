package deploy

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// TestComparedAtItsTurn: a candidate whose turn comes against another release than it was compared with is
// compared with that one, and goes on if it is compatible; a person is asked only if it is not. It waits while
// that cannot be known, and nothing else waits with it.
func TestComparedAtItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := memstore.New()
		defer store.Close()
		service := &Service{Store: store}
		// The first of each program takes the place of nothing, the second one waits for its turn.
		ids := map[string]string{}
		for _, program := range []string{"fits", "breaks", "later", "sure"} {
			for _, name := range []string{"one", "two"} {
				id, err := service.Create(ctx, Plan{
					Program: program, Environment: "prod", Release: digest(name), Against: digest("nought"), Request: name, Pipeline: simPipeline(),
				})
				if err != nil {
					t.Fatal(err)
				}
				ids[program] = id
			}
			if _, err := service.Ask(ctx, program+".prod.1", AskBack, Ask{By: "ann"}); err != nil {
				t.Fatal(err)
			}
			// As if the first one had succeeded.
			head, at, err := service.head(ctx, "prod", program)
			if err != nil {
				t.Fatal(err)
			}
			head.Current = digest("one")
			if _, err := store.Txn(ctx, election.Txn{If: []election.Compare{unchanged(headKey("prod", program), at)}, Then: []election.Op{election.Put(headKey("prod", program), encode(head), 0)}}); err != nil {
				t.Fatal(err)
			}
		}
		// That was of what it was compared with when it was asked for.
		if _, err := service.Ask(ctx, ids["breaks"], AskApprove, Ask{By: "ann"}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var away atomic.Bool
		away.Store(true)
		c, err := NewController(Options{
			Store: store, Name: "c", TTL: 5 * time.Second, Clock: func() time.Duration { return time.Since(began) }, Counters: noCounters{},
			Compare: func(ctx context.Context, p *Plan, from release.Digest, running map[string]release.Digest) (Comparison, error) {
				if from != digest("one") || len(running) != 4 {
					t.Errorf("compared with %s, while %v run", from.Short(), running)
				}
				if (p.Program == "later" || p.Program == "sure") && away.Load() {
					<-ctx.Done()
					return Comparison{}, errors.New("the store of objects does not answer")
				}
				return Comparison{Compatible: p.Program != "breaks", Text: "the view price\n  is gone"}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = c.Run(ctx) }()
		waits := func(program, want string) {
			t.Helper()
			d, err := service.Get(ctx, ids[program])
			if err != nil || d.State.Wait == nil || !strings.Contains(d.State.Wait.For, want) {
				t.Errorf("%s waits for %+v, %v; expected %q", program, d.State.Wait, err, want)
			}
		}
		time.Sleep(10 * time.Second)
		waits("fits", "a node in prod")
		waits("breaks", "an approval of "+simPipeline().Stages[0].Name+", as it is not compatible with "+digest("one").Short()+", which runs now: it was compared with "+digest("nought").Short()+" (the view price is gone): tow deploy approve")
		waits("later", "its types to be compared with those of "+digest("one").Short())
		time.Sleep(compareTime)
		waits("later", "an approval of "+simPipeline().Stages[0].Name+", until its types can be compared with those of ")
		waits("later", "the store of objects does not answer")
		// Who knows better need not wait for that.
		if _, err := service.Ask(ctx, ids["sure"], AskApprove, Ask{By: "ann"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		waits("sure", "a node in prod")
		waits("later", "the store of objects does not answer")
		away.Store(false)
		time.Sleep(compareTime + compareMost)
		waits("later", "a node in prod")
		if _, err := service.Ask(ctx, ids["breaks"], AskApprove, Ask{By: "ann"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		waits("breaks", "a node in prod")
		cancel()
		<-ended
	})
}
