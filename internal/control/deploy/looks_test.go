package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
)

// hungCounters waits for a control node that never answers, as long as it may.
type hungCounters struct {
	mu    sync.Mutex
	asked map[string][]time.Time // by program
}

func (h *hungCounters) Counters(ctx context.Context, _, program string) ([]*fleet.Counters, error) {
	h.mu.Lock()
	h.asked[program] = append(h.asked[program], time.Now())
	h.mu.Unlock()
	<-ctx.Done()
	return nil, &Unasked{At: []string{"https://c2:9000"}, Err: errors.New("it does not answer")}
}

// TestLooksWhileOneHangs: a control node that does not answer makes no look at a deployment wait for
// those at others: of many deployments of one partition each is looked at before what is counted
// is too far apart to count.
func TestLooksWhileOneHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := memstore.New()
		defer store.Close()
		var programs []string
		for i := 0; len(programs) < 6; i++ {
			if name := fmt.Sprint("shop-", i); partitionOf("prod", name) == partitionOf("prod", "shop-0") {
				programs = append(programs, name)
			}
		}
		for _, name := range programs {
			p := &Plan{ID: idOf(name, "prod", 2), Program: name, Environment: "prod", Release: digest("two"), Pipeline: DefaultPipeline()}
			state := &State{Phase: Running, Step: Baking, From: digest("one"), Onebox: "n"}
			var err error
			if state.Test, err = newTest(&p.Pipeline); err != nil {
				t.Fatal(err)
			}
			i := fleet.Intent{Deployment: p.ID, Release: digest("one"), Candidate: digest("two"), Onebox: "n", Share: 0.1}
			head := &Head{Last: 2, Active: p.ID, Current: digest("one")}
			if _, err := store.Txn(ctx, election.Txn{Then: []election.Op{
				election.Put(planKey(p.ID), encode(p), 0), election.Put(stateKey(p.ID), encode(state), 0),
				election.Put(headKey("prod", name), encode(head), 0), election.Put(fleet.IntentKey("prod", "c", name), i.Encode(), 0),
			}}); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		counters := &hungCounters{asked: map[string][]time.Time{}}
		c, err := NewController(Options{Store: store, Name: "c", TTL: 5 * time.Second, Clock: func() time.Duration { return time.Since(began) }, Counters: counters})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = c.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		<-ended
		for _, name := range programs {
			asked := counters.asked[name]
			if len(asked) < 20 {
				t.Errorf("%s was looked at %d times in a minute", name, len(asked))
			}
			for i := range len(asked) - 1 {
				if apart := asked[i+1].Sub(asked[i]); apart > mostApart/2 {
					t.Errorf("%s was not looked at for %s; expected %s at most", name, apart, mostApart/2)
				}
			}
		}
	})
}
