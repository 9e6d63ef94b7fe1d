package election

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// SeatsOptions say how a session takes part in a group of seats.
type SeatsOptions struct {
	// Seats the group shall have if nobody has said so yet: 0 is 1. The number of an
	// existing group is changed by [Group.SetConfig] alone.
	Seats int
	// Hold is how many of them this session holds at most: 0 is 1.
	Hold int
	// Labels are for people, and for policies.
	Labels map[string]string
	Health *HealthCheck // default: none
}

// Seats is a session's part in a group that has a number of equal seats: one for a
// classic leader, several for as many leaders at once.
type Seats struct {
	c       *candidacy
	hold    int
	waiting []*waiter // the candidacy's goroutine owns it
}

type waiter struct {
	got     chan *Leadership
	refused chan error
}

// Seats takes part in a group. A session does so once a group.
func (s *Session) Seats(group string, o SeatsOptions) (*Seats, error) {
	if o.Hold < 0 || o.Seats < 0 {
		return nil, fmt.Errorf("election: the group %s: Seats is %d, Hold is %d: expected none below 0", group, o.Seats, o.Hold)
	}
	seats := &Seats{hold: max(o.Hold, 1)}
	c, err := s.join(group, Config{Seats: max(o.Seats, 1)}, o.Labels, Balanced, 0, o.Health, func(c *candidacy) {
		c.deliver, c.refused = seats.deliver, seats.refuse
		c.wanted = func() int { return c.active() + len(seats.waiting) }
	})
	if err != nil {
		return nil, err
	}
	seats.c = c
	return seats, nil
}

// deliver hands a seat to who has waited longest.
func (s *Seats) deliver(l *Leadership) bool {
	if len(s.waiting) == 0 {
		return false
	}
	s.waiting[0].got <- l
	s.waiting = s.waiting[1:]
	return true
}

// refuse ends all campaigns.
func (s *Seats) refuse(err error) {
	for _, w := range s.waiting {
		w.refused <- err
	}
	s.waiting = nil
}

// Candidate is the id by which this session is known in the group.
func (s *Seats) Candidate() string { return s.c.me.id }

// Campaign waits for a seat. Each call is for one seat; those of one session wait for
// several at once, up to Hold with those held.
//
// It ends with an error when ctx ends, when the session does, or when the group turns
// out to have partitions, and then leaves nothing behind: a seat that comes too late is
// given up at once.
func (s *Seats) Campaign(ctx context.Context) (*Leadership, error) {
	ctx, span := s.c.session.tracer.Start(ctx, "election.campaign")
	defer span.End()
	begun := s.c.session.opt.Clock()
	w := &waiter{make(chan *Leadership, 1), make(chan error, 1)}
	err := s.c.do(func() error {
		if s.c.misfit != nil {
			return s.c.misfit
		}
		if n := s.c.active() + len(s.waiting); n >= s.hold {
			return fmt.Errorf("election: the session holds or waits for %d seats of %s, and Hold is %d: resign one first", n, s.c.group, s.hold)
		}
		s.waiting = append(s.waiting, w)
		s.c.present()
		return nil
	})
	if err == nil {
		select {
		case l := <-w.got:
			s.c.session.opt.Metric.waited(s.c.group, s.c.session.opt.Clock()-begun)
			return l, nil
		case err = <-w.refused:
		case <-ctx.Done():
			err = context.Cause(ctx)
			_ = s.c.do(func() error { s.withdraw(w); return nil })
		case <-s.c.session.Done():
			err = errLeft
		}
	}
	if errors.Is(err, errLeft) {
		err = fmt.Errorf("election: no seat of %s: %w", s.c.group, context.Cause(s.c.session.ctx))
	}
	span.RecordError(err)
	return nil, err
}

// withdraw takes a waiter out, and gives up what it was given meanwhile.
func (s *Seats) withdraw(w *waiter) {
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		select {
		case l := <-w.got:
			_ = s.c.letGo(l, "", ErrResigned)
		default: // it was refused
		}
	}
	s.c.present()
}

// Run leads whenever it can, until ctx ends: it campaigns for Hold seats and calls
// lead for each one held, in a goroutine of its own. The context that lead gets ends
// with the leadership, and also when the holder is asked to hand over and when ctx
// ends; once lead has returned the seat goes to the next, and Run campaigns again.
//
// When lead returns though its context has not ended, Run ends with its error.
func (s *Seats) Run(ctx context.Context, lead func(context.Context, *Leadership) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for range s.hold {
		running.Go(func() {
			for {
				l, err := s.Campaign(ctx)
				if err == nil {
					var again bool
					if again, err = s.c.lead(ctx, l, lead); again {
						continue
					}
				}
				if ctx.Err() == nil {
					stop(returned{err})
				}
				return
			}
		})
	}
	running.Wait()
	return causeOf(ctx)
}

// returned wraps what lead returned, so that nil is a cause too.
type returned struct{ err error }

func (r returned) Error() string { return fmt.Sprint(r.err) }

func causeOf(ctx context.Context) error {
	cause := context.Cause(ctx)
	var r returned
	if errors.As(cause, &r) {
		return r.err
	}
	return cause
}

// lead runs one leadership to its end, and reports whether to go on campaigning.
func (c *candidacy) lead(ctx context.Context, l *Leadership, lead func(context.Context, *Leadership) error) (bool, error) {
	leading, stop := context.WithCancelCause(l)
	ended := make(chan struct{})
	go func() {
		select {
		case <-l.Draining():
			stop(ErrDraining)
		case <-ctx.Done():
			stop(context.Cause(ctx))
		case <-ended:
		}
	}()
	err := lead(leading, l)
	again := leading.Err() != nil && ctx.Err() == nil && c.session.Err() == nil
	close(ended)
	stop(nil)
	if c.session.Err() != nil {
		return false, fmt.Errorf("election: %s: %w", c.group, context.Cause(c.session.ctx))
	}
	// The one that ended may be why we resign.
	resigning, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.session.ttl)
	defer cancel()
	if e := l.Resign(resigning); e != nil {
		c.log.Warn("a seat could not be given up yet", "seat", l.seat, "err", e)
	}
	return again, err
}

// settleDefault is how long partitions stay where they are after the last candidate
// came or went.
const settleDefault = 2 * time.Second
