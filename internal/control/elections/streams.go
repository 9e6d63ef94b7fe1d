package elections

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
)

// SessionEvents implements towpath.v1.ElectionService.
func (s *Service) SessionEvents(ctx context.Context, r *v1.SessionEventsRequest, to *connect.ServerStream[v1.SessionEvent]) error {
	return s.events(ctx, r.GetSession(), to.Send)
}

// events sends a session's events until its client leaves, or there are no more.
func (s *Service) events(ctx context.Context, id string, send func(*v1.SessionEvent) error) error {
	h, err := s.session(ctx, id)
	if err != nil {
		return err
	}
	stream := h.listen()
	defer h.leave(stream)
	beat := time.NewTicker(s.opt.Beat)
	defer beat.Stop()
	for {
		events, last := h.take(stream)
		for _, e := range events {
			if err := send(e); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		select {
		case <-stream.more:
		case <-beat.C:
			if err := send(&v1.SessionEvent{Event: &v1.SessionEvent_Beat_{Beat: &v1.SessionEvent_Beat{}}}); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ctx.Done():
			return nil
		}
	}
}

// Observe implements towpath.v1.ElectionService.
func (s *Service) Observe(ctx context.Context, r *v1.ObserveRequest, to *connect.ServerStream[v1.ObserveResponse]) error {
	return s.observe(ctx, r.GetGroup(), r.GetFrom(), to.Send)
}

func (s *Service) observe(ctx context.Context, group string, from int64, send func(*v1.ObserveResponse) error) error {
	g, err := s.group(group)
	if err != nil {
		return err
	}
	if from < 0 {
		return invalid("from is %d: expected a revision, or 0 for all that there is", from)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	changes := g.Observe(ctx, from)
	if err := send(&v1.ObserveResponse{}); err != nil { // it has begun, however quiet the group is
		return err
	}
	beat := time.NewTicker(s.opt.Beat)
	defer beat.Stop()
	for {
		message := &v1.ObserveResponse{}
		select {
		case c, open := <-changes:
			if !open || s.ctx.Err() != nil {
				return nil
			}
			if c.Err != nil {
				return coded(c.Err)
			}
			message = change(c)
		case <-beat.C:
			// Nothing has happened.
		}
		if err := send(message); err != nil {
			return err
		}
	}
}

var kinds = map[election.ChangeKind]v1.ObserveResponse_Kind{
	election.Held: v1.ObserveResponse_KIND_HELD, election.Free: v1.ObserveResponse_KIND_FREE,
	election.Joined: v1.ObserveResponse_KIND_JOINED, election.Left: v1.ObserveResponse_KIND_LEFT,
	election.Configured: v1.ObserveResponse_KIND_CONFIGURED, election.Draining: v1.ObserveResponse_KIND_DRAINING,
	election.Planned: v1.ObserveResponse_KIND_PLANNED, election.Synced: v1.ObserveResponse_KIND_SYNCED,
	election.Gap: v1.ObserveResponse_KIND_GAP,
}

func change(c election.Change) *v1.ObserveResponse {
	m := &v1.ObserveResponse{Kind: kinds[c.Kind], Revision: c.Revision}
	if c.Seat.Name != "" {
		m.Seat = seat(c.Seat)
	}
	if c.Candidate.ID != "" {
		m.Candidate = candidate(c.Candidate)
	}
	if c.Kind == election.Configured {
		m.Config = config(c.Config)
	}
	return m
}

// Lines answers the events of a session, or the changes of a group, as lines of JSON:
// for clients that have no streams of Connect's. The path has the session or the group.
func (s *Service) Lines() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+EventsPath, func(w http.ResponseWriter, r *http.Request) {
		l := &lines{w: w, wire: http.NewResponseController(w)}
		l.end(s.events(r.Context(), r.PathValue("session"), func(e *v1.SessionEvent) error { return l.send(e) }))
	})
	mux.HandleFunc("GET "+ChangesPath, func(w http.ResponseWriter, r *http.Request) {
		l := &lines{w: w, wire: http.NewResponseController(w)}
		from := int64(0)
		if text := r.URL.Query().Get("from"); text != "" {
			var err error
			if from, err = strconv.ParseInt(text, 10, 64); err != nil {
				l.end(invalid("from is %q: expected a revision", text))
				return
			}
		}
		l.end(s.observe(r.Context(), r.PathValue("group"), from, func(m *v1.ObserveResponse) error { return l.send(m) }))
	})
	return mux
}

// The paths that Lines serves.
const (
	EventsPath  = "/v1/election/sessions/{session}/events"
	ChangesPath = "/v1/election/groups/{group}/changes"
)

// lines writes messages as lines of JSON, each at once.
type lines struct {
	w     http.ResponseWriter
	wire  *http.ResponseController
	begun bool
}

// lineTime is how long a client may take to take a line.
const lineTime = 10 * time.Second

func (l *lines) send(m proto.Message) error {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.Header().Set("Cache-Control", "no-store")
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	_ = l.wire.SetWriteDeadline(time.Now().Add(lineTime)) // not all servers have one
	if _, err := l.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return l.wire.Flush()
}

// end answers why there are no lines. Where there were some, the stream just ends.
func (l *lines) end(err error) {
	if err != nil && !l.begun {
		l.w.Header().Set("Content-Type", "application/json")
		l.w.WriteHeader(statusOf(err))
		text, _ := protojson.Marshal(&v1.LineError{Code: connect.CodeOf(err).String(), Message: messageOf(err)})
		_, _ = l.w.Write(text)
	}
}

func messageOf(err error) string {
	if c, ok := err.(*connect.Error); ok {
		return c.Message()
	}
	return err.Error()
}
