package elections

import (
	"context"
	"maps"
	"sync"
	"time"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// hosted is a session that this node runs for a client.
type hosted struct {
	service *Service
	session *election.Session
	owner   string
	early   bool

	// Held while the groups are asked, which call held.
	asking    sync.Mutex
	standings map[string]*election.Standing

	mu       sync.Mutex                      // never held while they are
	leads    map[string]*election.Leadership // by GROUP/SEAT
	streams  map[*stream]struct{}
	left     int  // how often a stream ended
	released bool // another node has it, or none
}

// stream is a client that listens: what it has not been sent yet.
type stream struct {
	events []*v1.SessionEvent
	more   chan struct{}
	closed bool // after the events
}

// maxBacklog is how many events a client may be behind before it has to begin again.
const maxBacklog = 100_000

func (s *Service) host(session *election.Session, early bool) *hosted {
	return &hosted{
		service: s, session: session, owner: session.Owner(), early: early,
		standings: map[string]*election.Standing{}, leads: map[string]*election.Leadership{}, streams: map[*stream]struct{}{},
	}
}

func (h *hosted) id() string {
	if h.early {
		return h.session.Lease().String() + earlySuffix
	}
	return h.session.Lease().String()
}

// stand says how many seats of a group are wanted.
func (h *hosted) stand(group string, o election.StandOptions) (*election.Standing, error) {
	h.asking.Lock()
	defer h.asking.Unlock()
	if there := h.standings[group]; there != nil {
		return there, there.SetWant(o.Want)
	}
	o.Held = h.held
	standing, err := h.session.Stand(group, o)
	if err == nil {
		h.standings[group] = standing
	}
	return standing, err
}

// resume takes part again in all groups that the session took part in.
func (h *hosted) resume(ctx context.Context) error {
	groups, err := election.Groups(ctx, h.service.store, h.service.opt.Prefix)
	if err != nil {
		return err
	}
	for _, name := range groups {
		g, err := election.NewGroup(h.service.store, h.service.opt.Prefix, name)
		if err != nil {
			continue // not a group of ours
		}
		c, there, err := g.Candidate(ctx, h.session.Lease().String())
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		standing, err := h.stand(name, election.StandOptions{Want: c.Want, Labels: c.Labels})
		if err == nil {
			err = standing.Ready(ctx) // its client asks at once what it holds
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// held notes a seat that the session holds, and follows what becomes of it. The
// group's goroutine calls it.
func (h *hosted) held(l *election.Leadership) {
	h.mu.Lock()
	h.leads[l.Name()] = l
	h.tell(granted(l))
	h.mu.Unlock()
	h.service.owned.Go(func() {
		select {
		case <-l.Draining():
			h.mu.Lock()
			h.tell(draining(l))
			h.mu.Unlock()
			<-l.Done()
		case <-l.Done():
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.leads[l.Name()] == l {
			delete(h.leads, l.Name())
		}
		if !h.released && h.session.Err() == nil {
			h.tell(lost(l))
		}
	})
}

func (h *hosted) leadership(group, seat string) *election.Leadership {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leads[group+"/"+seat]
}

// tell appends an event to all streams. h.mu is held.
func (h *hosted) tell(e *v1.SessionEvent) {
	for s := range h.streams {
		s.put(e)
	}
}

func (s *stream) put(e *v1.SessionEvent) {
	if len(s.events) >= maxBacklog {
		s.closed = true
	} else if !s.closed {
		s.events = append(s.events, e)
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// listen begins a stream with all that is held.
func (h *hosted) listen() *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &stream{more: make(chan struct{}, 1)}
	for _, l := range h.leads {
		s.put(granted(l))
		select {
		case <-l.Draining():
			s.put(draining(l))
		default:
		}
	}
	s.put(&v1.SessionEvent{Event: &v1.SessionEvent_Synced_{Synced: &v1.SessionEvent_Synced{}}})
	if h.released {
		s.closed = true
	}
	h.streams[s] = struct{}{}
	h.service.noteBack(h)
	return s
}

// take is what a stream has not been sent yet, and whether that is all there will be.
func (h *hosted) take(s *stream) ([]*v1.SessionEvent, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := s.events
	s.events = nil
	return events, s.closed
}

// end tells that the session has ended.
func (h *hosted) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	h.tell(&v1.SessionEvent{Event: &v1.SessionEvent_Ended_{Ended: &v1.SessionEvent_Ended{Reason: h.session.Err().Error()}}})
	h.closeStreams()
}

// release lets go of a session that lives on elsewhere: its streams end without a
// word, and its client opens them there.
func (h *hosted) release() {
	h.mu.Lock()
	h.released = true
	h.closeStreams()
	h.mu.Unlock()
	h.session.Detach()
}

func (h *hosted) closeStreams() {
	for s := range h.streams {
		s.closed = true
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// leave ends a stream. If it was the last one of a session with early takeover, its
// client has a moment to open another before the session ends.
func (h *hosted) leave(s *stream) {
	h.mu.Lock()
	delete(h.streams, s)
	suspicious := h.early && len(h.streams) == 0 && !h.released
	h.left++
	left := h.left
	h.mu.Unlock()
	if suspicious && h.service.ctx.Err() == nil {
		h.service.noteClosing(h)
		h.service.owned.Go(func() { h.takeOver(left) })
	}
}

// takeOver ends the session if its client has not come back since it left.
func (h *hosted) takeOver(left int) {
	select {
	case <-time.After(h.service.opt.Reattach):
	case <-h.service.ctx.Done():
		return // who shuts down closes streams itself
	}
	h.mu.Lock()
	back := len(h.streams) > 0 || h.left != left || h.released
	h.mu.Unlock()
	if back || h.session.Err() != nil || !h.service.alone() {
		return
	}
	ctx, cancel := context.WithTimeout(h.service.ctx, h.session.TTL()/3)
	defer cancel()
	// It may have come back at another node.
	page, err := h.service.store.Range(ctx, election.Span{Keys: election.Key(hostKey(h.session.Lease()))})
	if err != nil || len(page.Entries) == 0 || string(page.Entries[0].Value) != h.service.opt.Node {
		return
	}
	h.service.opt.Log.Warn("a client's stream closed and did not come back: its session ends", "session", h.session.Lease().String())
	h.service.remove(h)
	if err := h.session.Close(ctx); err != nil {
		h.service.opt.Log.Warn("the session ends by its TTL", "err", err)
	}
}

// closeWindow is the time in which more than a tenth of the streams may not close
// without all sessions being left to their TTLs.
const closeWindow = time.Second

func (s *Service) noteClosing(h *hosted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closings[h] = time.Now()
}

// noteBack takes a closing back: the client has a stream again.
func (s *Service) noteBack(h *hosted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.closings, h)
}

// alone reports whether no more than a tenth of the sessions with early takeover, or
// a single one, lost their stream of late. More are this node's trouble, not theirs.
func (s *Service) alone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.closings, func(_ *hosted, at time.Time) bool { return time.Since(at) > closeWindow })
	early := 0
	for _, h := range s.sessions {
		if h.early {
			early++
		}
	}
	return len(s.closings) <= max(1, early/10)
}

func token(t election.Token) *v1.Token {
	return &v1.Token{Generation: t.Generation, Revision: t.Revision}
}

func granted(l *election.Leadership) *v1.SessionEvent {
	return &v1.SessionEvent{Event: &v1.SessionEvent_Granted_{Granted: &v1.SessionEvent_Granted{Group: l.Group(), Seat: l.Seat(), Token: token(l.Token())}}}
}

func draining(l *election.Leadership) *v1.SessionEvent {
	return &v1.SessionEvent{Event: &v1.SessionEvent_Draining_{Draining: &v1.SessionEvent_Draining{Group: l.Group(), Seat: l.Seat(), Token: token(l.Token()), To: l.Successor()}}}
}

func lost(l *election.Leadership) *v1.SessionEvent {
	return &v1.SessionEvent{Event: &v1.SessionEvent_Lost_{Lost: &v1.SessionEvent_Lost{Group: l.Group(), Seat: l.Seat(), Token: token(l.Token())}}}
}
