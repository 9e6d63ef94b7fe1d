package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"towpath.dev/election"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/deploy"
)

// interceptor sees a call's message: it refuses those of other environments than the
// caller's, bounds their time, and writes down how they went.
type interceptor struct{ *Server }

// WrapUnary is part of connect.Interceptor.
func (s interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (response connect.AnyResponse, err error) {
		c := callOf(ctx)
		// The line is written before the call is answered.
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				response, err = nil, s.panicked(c, p)
			}
			s.end(c, err)
		}()
		about := aboutOf(r.Any())
		c.event.Subject = about.subject
		if err := about.permit(c.who.Principal); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
		defer cancel()
		response, err = next(ctx, r)
		if err != nil {
			return nil, s.plainly(c, err)
		}
		narrow(c.who.Principal, response.Any())
		return response, nil
	}
}

// WrapStreamingHandler is part of connect.Interceptor.
func (s interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) (err error) {
		c := callOf(ctx)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				err = s.panicked(c, p)
			}
			s.end(c, err)
		}()
		ctx, cancel := s.during(ctx, c)
		defer cancel()
		err = next(ctx, &stream{conn, s.Server, c})
		if why := context.Cause(ctx); errors.Is(why, errClosing) || connect.CodeOf(why) == connect.CodeUnauthenticated {
			return why // the handler saw no more than that it was to end
		}
		if err != nil {
			return s.plainly(c, err)
		}
		return nil
	}
}

// WrapStreamingClient is part of connect.Interceptor.
func (interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// stream is a call that lasts. Its first message says what it is about.
type stream struct {
	connect.StreamingHandlerConn
	server *Server
	call   *call
}

// Receive is part of connect.StreamingHandlerConn.
func (t *stream) Receive(message any) error {
	if err := t.StreamingHandlerConn.Receive(message); err != nil {
		return err
	}
	about := aboutOf(message)
	if t.call.event.Subject == "" {
		t.call.event.Subject = about.subject
		t.server.begin(t.call)
	}
	_ = t.call.wire.SetReadDeadline(time.Time{}) // all was sent in time; see enter
	return about.permit(t.call.who.Principal)
}

// Send is part of connect.StreamingHandlerConn. Who does not take what is sent is not
// waited for.
func (t *stream) Send(message any) error {
	_ = t.call.wire.SetWriteDeadline(time.Now().Add(writeTime))
	return t.StreamingHandlerConn.Send(message)
}

// plainly is an error as the caller hears it: with a code, and without what is nobody's
// business.
func (s *Server) plainly(c *call, err error) error {
	var coded *connect.Error
	if errors.As(err, &coded) {
		return coded
	}
	code := connect.CodeInternal
	var compacted *election.CompactedError
	switch {
	case errors.Is(err, context.Canceled):
		code = connect.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		code = connect.CodeDeadlineExceeded
	case errors.Is(err, election.ErrNotReached), unavailable(err):
		code = connect.CodeUnavailable
	case errors.Is(err, election.ErrNoSpace), errors.Is(err, election.ErrTooLarge):
		code = connect.CodeResourceExhausted
	case errors.Is(err, election.ErrFuture), errors.As(err, &compacted):
		code = connect.CodeOutOfRange
	case errors.Is(err, election.ErrNoLease):
		code = connect.CodeNotFound
	case errors.Is(err, deploy.ErrBusy), errors.Is(err, deploy.ErrLate):
		code = connect.CodeAborted
	default:
		s.opts.Log.Error("a call failed", "procedure", c.event.Procedure, "request", c.event.Request, "error", err)
		return connect.NewError(code, errors.New("the control node could not do it; its log says why, under the request "+c.event.Request))
	}
	return connect.NewError(code, err)
}

// unavailable reports whether etcd's client says that its server is not there.
func unavailable(err error) bool {
	var coded interface{ Code() codes.Code }
	return errors.As(err, &coded) && coded.Code() == codes.Unavailable || status.Code(err) == codes.Unavailable
}

// about is what a message is about.
type about struct {
	subject string
	// The environment that it names, or that a namespace or a group which it names is
	// of. Of a message that names none, named is false.
	environment string
	named       bool
}

// permit refuses a caller that is bound to another environment.
func (a about) permit(p access.Principal) error {
	if !a.named {
		return nil
	}
	return access.PermitIn(p, a.environment)
}
