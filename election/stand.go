package election

import (
	"context"
	"errors"
	"fmt"
)

// StandOptions say how a session stands for a group.
type StandOptions struct {
	// Seats the group shall have if nobody has said so yet: 0 is 1.
	Seats int
	// Want is how many seats to hold.
	Want int
	// Labels are for people, and for policies.
	Labels map[string]string
	// Held is called for each seat that is held, those included that an attached
	// session has already. It must not block: the group stands still meanwhile.
	Held func(*Leadership)
}

// Standing is a session's part in a group of seats as [Seats] is, with a callback in
// place of calls that wait. Servers that hold sessions for others use it.
type Standing struct {
	c *candidacy

	// The candidacy's goroutine owns these.
	want    int
	surplus map[*Leadership]bool // asked to hand over, and not wanted any more
}

// Stand takes part in a group. A session does so once a group.
func (s *Session) Stand(group string, o StandOptions) (*Standing, error) {
	if o.Want < 0 || o.Seats < 0 {
		return nil, fmt.Errorf("election: the group %s: Seats is %d, Want is %d: expected none below 0", group, o.Seats, o.Want)
	}
	standing := &Standing{want: o.Want, surplus: map[*Leadership]bool{}}
	c, err := s.join(group, Config{Seats: max(o.Seats, 1)}, o.Labels, Balanced, 0, nil, func(c *candidacy) {
		c.wanted = func() int { return standing.want + len(standing.surplus) }
		c.deliver = func(l *Leadership) bool {
			if c.active() > c.wanted() { // l is counted
				return false
			}
			o.Held(l)
			return true
		}
		c.gone = func(l *Leadership) {
			if standing.surplus[l] {
				delete(standing.surplus, l)
			} else {
				standing.want = max(standing.want-1, 0)
			}
		}
		c.present()
	})
	if err != nil {
		return nil, err
	}
	standing.c = c
	return standing, nil
}

// Candidate is the id by which this session is known in the group.
func (s *Standing) Candidate() string { return s.c.me.id }

// Ready waits until the group was read once: Held has been called for all that the
// session held then. It fails where the group has partitions.
func (s *Standing) Ready(ctx context.Context) error {
	select {
	case <-s.c.ready:
		return s.asked(s.c.do(func() error { return s.c.misfit }))
	case <-s.c.done:
		return s.asked(errLeft)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SetWant says how many seats to hold, those held included. Each seat that ends, in
// whatever way, is one wanted less. Wanting fewer than are held asks for the others to
// be handed over; wanting none gives all of them up at once.
func (s *Standing) SetWant(n int) error {
	return s.asked(s.c.do(func() error {
		s.want = n
		surplus := s.c.active() - len(s.surplus) - n
		for _, l := range s.c.leads {
			_, already := s.c.me.release[l.seat]
			switch {
			case already:
			case n == 0:
				if err := s.c.letGo(l, "", ErrResigned); err != nil {
					return err
				}
			case surplus > 0 && !s.surplus[l]:
				surplus--
				s.surplus[l] = true
				l.drain("")
			}
		}
		s.c.present()
		return nil
	}))
}

func (s *Standing) asked(err error) error {
	if errors.Is(err, errLeft) {
		return fmt.Errorf("election: %s: %w", s.c.group, s.c.session.Err())
	}
	return err
}
