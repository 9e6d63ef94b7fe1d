package election

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// PartitionsOptions say how a session takes part in a group of partitions.
type PartitionsOptions struct {
	// Partitions the group shall have if nobody has said so yet. Those of an existing
	// group are changed by [Group.SetConfig] alone.
	Partitions []string
	// Policy spreads them over the candidates, all of which must have the same.
	// Default: Balanced.
	Policy Policy
	// Settle is how long the candidates must have been the same before partitions
	// move for balance alone. Those without a holder never wait. Default 2 s.
	Settle time.Duration
	// Labels are for people, and for policies.
	Labels map[string]string
	Health *HealthCheck // default: none
}

// Partitions is a session's part in a group of named leaderships that are spread
// over all of its candidates: shards, queues, tenants.
//
// One candidate holds the assigner's seat and writes the plan; each takes what the
// plan names it for once its last holder has given it up.
type Partitions struct {
	c       *candidacy
	running *partitionRun // the candidacy's goroutine owns it
}

// partitionRun is one Run: what it was given and has not taken up yet.
type partitionRun struct {
	mu   sync.Mutex
	held []*Leadership
	more chan struct{}

	refused chan error
}

func (r *partitionRun) put(l *Leadership) {
	r.mu.Lock()
	r.held = append(r.held, l)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *partitionRun) take() []*Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.held
	r.held = nil
	return held
}

// Partitions takes part in a group. A session does so once a group.
func (s *Session) Partitions(group string, o PartitionsOptions) (*Partitions, error) {
	p := &Partitions{}
	policy := o.Policy
	if policy == nil {
		policy = Balanced
	}
	c, err := s.join(group, Config{Partitions: o.Partitions}, o.Labels, policy, cmp.Or(o.Settle, settleDefault), o.Health, func(c *candidacy) {
		c.spreads, c.deliver, c.refused = true, p.deliver, p.refuse
		c.wanted = func() int {
			if p.running == nil {
				return 0
			}
			return 1
		}
	})
	if err != nil {
		return nil, err
	}
	p.c = c
	return p, nil
}

// deliver starts leading a partition.
func (p *Partitions) deliver(l *Leadership) bool {
	if p.running == nil {
		return false
	}
	p.running.put(l)
	return true
}

// refuse ends Run.
func (p *Partitions) refuse(err error) {
	if p.running != nil {
		select {
		case p.running.refused <- err:
		default: // it ends already
		}
	}
}

// Candidate is the id by which this session is known in the group.
func (p *Partitions) Candidate() string { return p.c.me.id }

// Run takes part until ctx ends, and calls lead for each partition held, in a
// goroutine of its own. The context that lead gets ends with the leadership, and also
// when the partition shall move and when ctx ends; once lead has returned the
// partition goes to its next holder.
//
// When lead returns though its context has not ended, Run ends with its error; it also
// ends when the group turns out to have seats. It returns when all calls of lead have.
func (p *Partitions) Run(ctx context.Context, lead func(context.Context, *Leadership) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	run := &partitionRun{more: make(chan struct{}, 1), refused: make(chan error, 1)}
	err := p.c.do(func() error {
		if p.c.misfit != nil {
			return p.c.misfit
		}
		if p.running != nil {
			return fmt.Errorf("election: the group %s is run already by this session", p.c.group)
		}
		p.running = run
		p.c.present()
		return nil
	})
	if err != nil {
		return err
	}
	var leading sync.WaitGroup
	for ctx.Err() == nil {
		select {
		case <-run.more:
			for _, l := range run.take() {
				leading.Go(func() {
					if again, err := p.c.lead(ctx, l, lead); !again && ctx.Err() == nil {
						stop(returned{err})
					}
				})
			}
		case err := <-run.refused:
			stop(err)
		case <-ctx.Done():
		case <-p.c.session.Done():
			stop(fmt.Errorf("election: %s: %w", p.c.group, context.Cause(p.c.session.ctx)))
		}
	}
	_ = p.c.do(func() error {
		p.running = nil
		for _, l := range run.take() {
			_ = p.c.letGo(l, "", ErrResigned)
		}
		p.c.present()
		return nil
	})
	leading.Wait()
	return causeOf(ctx)
}
