package deploy

import (
	"sync"
	"time"
)

// A Holdup is why the next step of a deployment cannot be written, and since when. It is
// ours, and is tried again.
type Holdup struct {
	Deployment string    `json:"deployment"`
	Why        string    `json:"why"`
	Since      time.Time `json:"since"` // of the day
}

// Holdups are what holds up the deployments that a process leads. The store cannot have them, as
// it is mostly what they are of.
type Holdups struct {
	mu  sync.Mutex
	all map[string]Holdup // by deployment
}

// Of is what holds a deployment up that this process leads; nil is nothing.
func (h *Holdups) Of(id string) *Holdup {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if one, ok := h.all[id]; ok {
		return &one
	}
	return nil
}

// set notes what holds a deployment up; "" is nothing.
func (h *Holdups) set(id, why string, now time.Time) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if why == "" {
		delete(h.all, id)
		return
	}
	if h.all == nil {
		h.all = map[string]Holdup{}
	}
	was, held := h.all[id]
	if !held {
		was = Holdup{Deployment: id, Since: now}
	}
	was.Why = why
	h.all[id] = was
}
