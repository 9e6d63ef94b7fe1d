package backup

import (
	"context"
	"math/rand/v2"
	"time"
)

// A backoff waits longer each time, up to half a minute, and half of it by chance.
type backoff struct{ next time.Duration }

// longer is how long to wait this time.
func (b *backoff) longer() time.Duration {
	b.next = min(max(2*b.next, 200*time.Millisecond), 30*time.Second)
	return b.next/2 + rand.N(b.next/2)
}

func (b *backoff) sleep(ctx context.Context) error {
	t := time.NewTimer(b.longer())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
