//go:build linux

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/proof/candidate"
)

func kill(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	healed := w.strike(s, c.Options.Name)
	c.Kill()
	pause(ctx, s.For/2)
	healed()
	return c.Begin()
}

// stop stops a process for longer than its lease lives, wherever it is just then, and
// has it go on.
func stop(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	defer w.strike(s, c.Options.Name)()
	if err := c.process.Stop(); err != nil {
		return err
	}
	pause(ctx, w.TTL+s.For/2)
	return c.process.Continue()
}

// cut cuts a candidate off from all, both ways.
func cut(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	defer w.strike(s, c.Options.Name)()
	return w.unplugged(ctx, c, w.TTL/2+s.For)
}

func (w *World) unplugged(ctx context.Context, c *Candidate, d time.Duration) error {
	if err := c.Host.Unplug(); err != nil {
		return err
	}
	pause(ctx, d)
	return c.Host.Plug()
}

// deaf loses what the store and the register send to a candidate.
func deaf(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	defer w.strike(s, c.Options.Name)()
	hosts := append(w.Cluster.Hosts[:len(w.Cluster.Hosts):len(w.Cluster.Hosts)], w.Register.Host)
	var failed error
	for _, h := range hosts {
		failed = errors.Join(failed, h.Mute(c.Host))
	}
	pause(ctx, w.TTL/2+s.For)
	for _, h := range hosts {
		failed = errors.Join(failed, h.Unmute(c.Host))
	}
	return failed
}

// mute loses what a candidate sends to the store. To the register it may write on.
func mute(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	defer w.strike(s, c.Options.Name)()
	var failed error
	for _, h := range w.Cluster.Hosts {
		failed = errors.Join(failed, c.Host.Mute(h))
	}
	pause(ctx, w.TTL/2+s.For)
	for _, h := range w.Cluster.Hosts {
		failed = errors.Join(failed, c.Host.Unmute(h))
	}
	return failed
}

// slow has answers of the store come so late that a renewal just about works, and then
// not at all. What was answered late must not have made a lease longer.
func slow(ctx context.Context, w *World, s Step) error {
	c := w.victim(ctx, s)
	defer w.strike(s, c.Options.Name)()
	if err := c.process.Tell(fmt.Sprint("slow ", w.TTL/6*4/5)); err != nil {
		return err
	}
	pause(ctx, w.TTL)
	var failed error
	for _, h := range w.Cluster.Hosts {
		failed = errors.Join(failed, c.Host.Mute(h))
	}
	pause(ctx, w.TTL*3/2)
	for _, h := range w.Cluster.Hosts {
		failed = errors.Join(failed, c.Host.Unmute(h))
	}
	return errors.Join(failed, c.process.Tell("slow 0s"))
}

// revoke ends a lease behind its holder's back.
func revoke(ctx context.Context, w *World, s Step) error {
	seat, ok := w.held(ctx, s)
	if !ok {
		return nil
	}
	defer w.strike(s, seat.Holder)()
	lease, err := strconv.ParseUint(seat.Candidate, 16, 64)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.TTL)
	defer cancel()
	_, _ = w.Cluster.Client.Revoke(ctx, clientv3.LeaseID(lease)) // it may have ended, and the store may be broken
	return nil
}

// drain has an operator ask a candidate to hand over, and take that back.
func drain(ctx context.Context, w *World, s Step) error {
	seat, ok := w.held(ctx, s)
	if !ok {
		return nil
	}
	defer w.strike(s, seat.Holder)()
	for _, name := range []string{candidate.Solo, candidate.Pair, candidate.Shards} {
		g, err := election.NewGroup(election.Etcd(w.Cluster.Client), "", name)
		if err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, w.TTL)
		_ = g.Drain(asking, seat.Candidate) // it may have left
		defer func() {
			defer cancel()
			undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.TTL)
			defer cancel()
			_ = g.Undrain(undoing, seat.Candidate) // else it ends with the session
		}()
	}
	pause(ctx, s.For)
	return nil
}

func clockFast(ctx context.Context, w *World, s Step) error { return clock(ctx, w, s, 1.5) }
func clockSlow(ctx context.Context, w *World, s Step) error { return clock(ctx, w, s, 0.5) }

// clock has a candidate live by a clock of another rate, be cut off, and come back.
func clock(ctx context.Context, w *World, s Step, rate float64) error {
	c := w.victim(ctx, s)
	c.Kill()
	c.Options.Rate = rate
	defer w.strike(s, c.Options.Name)()
	if err := c.Begin(); err != nil {
		return err
	}
	pause(ctx, w.TTL+s.For)
	if err := w.unplugged(ctx, c, 2*w.TTL); err != nil {
		return err
	}
	pause(ctx, w.TTL/2)
	c.Kill()
	c.Options.Rate = 0
	return c.Begin()
}
