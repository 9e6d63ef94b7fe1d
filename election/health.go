package election

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// A HealthCheck says whether a process can lead. When it cannot, its leaderships in
// the group end and it takes no part until it can again.
type HealthCheck struct {
	// Check returns nil for a process that is well.
	Check func(context.Context) error
	// Every is the time from one check's end to the next one. Default: TTL/3.
	Every time.Duration
	// Timeout ends Check's context; a check that has not returned by then has
	// failed. Default: TTL/3.
	Timeout time.Duration
}

var errUnchecked = errors.New("the first check has not ended yet")

// checkHealth checks, and tells the candidacy, until that ends. It never runs two
// checks at once: one that hangs is a failure, and stays one until it returns.
func (c *candidacy) checkHealth() {
	every := cmp.Or(c.health.Every, c.session.ttl/3)
	timeout := cmp.Or(c.health.Timeout, c.session.ttl/3)
	for c.session.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(c.session.ctx, timeout)
		result := make(chan error, 1)
		go func() { result <- c.health.Check(ctx) }()
		select {
		case err := <-result:
			c.tell(err)
		case <-ctx.Done():
			c.tell(fmt.Errorf("no answer within %s", timeout))
			select {
			case err := <-result:
				c.tell(err)
			case <-c.session.Done():
			}
		}
		cancel()
		select {
		case <-time.After(every):
		case <-c.session.Done():
		}
	}
}

func (c *candidacy) tell(verdict error) {
	_ = c.do(func() error { c.judge(verdict); return nil })
}

// judge acts on what a health check said.
func (c *candidacy) judge(err error) {
	was := c.unhealthy
	c.unhealthy = err
	if err != nil && (was == nil || errors.Is(was, errUnchecked)) {
		c.log.Warn("the health check failed", "err", err)
		for _, l := range c.leads {
			_ = c.letGo(l, "", fmt.Errorf("%w: %w", ErrUnhealthy, err)) // fails for named successors alone
		}
	}
	c.present()
}

// present has the candidate's record say what is wanted now.
func (c *candidacy) present() {
	want := 0
	if c.unhealthy == nil && c.misfit == nil {
		want = c.wanted()
	}
	if want == 0 {
		c.me.record = nil
		return
	}
	c.me.record = &candidateRecord{c.session.opt.Name, want, c.labels}
}
