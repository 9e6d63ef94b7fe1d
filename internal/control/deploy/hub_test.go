package deploy

import (
	"context"
	"errors"
	"time"

	"towpath.dev/internal/control/fleet"
)

// hub is what a control node has heard that nodes counted. As the real one it tells it for a
// while, whether the node is still attached to it or not.
type hub struct {
	all   map[string]heardOnce
	asked time.Time
	away  bool // nobody can ask it
}

type heardOnce struct {
	*fleet.Counters
	at time.Time
}

func (h *hub) hear(c *fleet.Counters) (asked bool) {
	if h.all == nil {
		h.all = map[string]heardOnce{}
	}
	h.all[c.Node] = heardOnce{c, time.Now()}
	return !h.asked.IsZero() && time.Since(h.asked) <= toldFor/2
}

const toldFor = 30 * time.Second

func (h *hub) tell() (all []*fleet.Counters) {
	h.asked = time.Now()
	for _, c := range h.all {
		if age := time.Since(c.at); age <= toldFor {
			told := *c.Counters
			told.Age = age
			all = append(all, &told)
		}
	}
	return all
}

// everybodys is what all hubs have, the own one's first, and some of it twice.
type everybodys struct {
	w   *world
	own int
}

func (e everybodys) Counters(ctx context.Context, _, _ string) ([]*fleet.Counters, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	all := e.w.hubs[e.own].tell()
	if other := &e.w.hubs[1-e.own]; other.away {
		return all, &Unasked{At: []string{"the other hub"}, Err: errors.New("it is away")}
	} else {
		all = append(all, other.tell()...)
	}
	return all, ctx.Err()
}
