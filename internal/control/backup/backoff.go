package backup

import (
	"context"
	"math/rand/v2"
	"time"
)

// A backoff waits longer each time, up to half a minute, and half of it by chance.
type backoff struct{ next time.Duration }

func (b *backoff) sleep(ctx context.Context) error {
	b.next = min(max(2*b.next, 200*time.Millisecond), 30*time.Second)
	t := time.NewTimer(b.next/2 + rand.N(b.next/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
