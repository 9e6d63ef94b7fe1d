package candidate

import (
	"context"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
)

// fromReceipt is the mistake to measure a lease's time from when a renewal's answer came,
// made from outside: it claims that the lease lives longer by how long the answer took. A
// run has to find it out.
type fromReceipt struct{ election.Store }

func (s fromReceipt) Renew(ctx context.Context, id election.LeaseID) (time.Duration, error) {
	sent := history.Now()
	ttl, err := s.Store.Renew(ctx, id)
	return ttl + time.Duration(history.Now()-sent), err
}

// rated is a clock that runs at another rate.
func rated(rate float64) election.Clock {
	start := history.Now()
	return func() time.Duration { return time.Duration(float64(history.Now()-start) * rate) }
}
