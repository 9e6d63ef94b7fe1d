//go:build linux

package rollout

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

// unfenced is a store to which some writes of deployments' states come twice, the second time
// without conditions.
type unfenced struct{ election.Store }

func (u unfenced) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	if len(txn.Then) > 0 && strings.HasPrefix(txn.Then[0].Keys.First, fleet.Prefix+"state/") && rand.IntN(4) == 0 {
		again := txn
		again.If = nil
		time.AfterFunc(time.Second, func() { // or never, if the process has ended by then
			ctx, cancel := context.WithTimeout(context.Background(), ttl)
			defer cancel()
			_, _ = u.Store.Txn(ctx, again) // it is a mistake, and may fail
		})
	}
	return u.Store.Txn(ctx, txn)
}

// greedy has each request counted twice, and what was bad of them as often as it was.
type greedy struct{ from deploy.Counters }

func (g greedy) Counters(ctx context.Context, environment, program string) ([]*fleet.Counters, error) {
	all, err := g.from.Counters(ctx, environment, program)
	for _, c := range all {
		for _, counts := range c.Programs {
			for i := range counts {
				counts[i].Requests *= 2
			}
		}
	}
	return all, err
}
