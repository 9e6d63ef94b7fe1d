// What callers hear.

package kv

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"towpath.dev/election"
)

func refuse(code connect.Code, format string, args ...any) *connect.Error {
	return connect.NewError(code, fmt.Errorf(format, args...))
}

// errSlow is why a call ended that waited too long.
var errSlow = fmt.Errorf("%w: no answer within %s", election.ErrNotReached, patience)

// ofStore is an error of the store's as its caller hears it. After a write it is
// open whether the write happened, unless the store has refused it.
func ofStore(ctx context.Context, err error, write bool) error {
	var compacted *election.CompactedError
	switch {
	case errors.As(err, new(*connect.Error)):
		return err
	case errors.As(err, &compacted):
		return forgotten(compacted)
	case errors.Is(err, election.ErrFuture):
		return refuse(connect.CodeOutOfRange, "%w: name a revision that a response had, or 0 for now", err)
	case errors.Is(err, election.ErrNoSpace):
		return refuse(connect.CodeResourceExhausted, "%w: delete keys, or give the control nodes a larger one", err)
	case errors.Is(err, election.ErrTooLarge):
		return refuse(connect.CodeInvalidArgument, "%w: split it", err)
	case errors.Is(err, election.ErrNoLease):
		return refuse(connect.CodeUnavailable, "nothing was written: the store ended the TTL's lease early: %w; send this again", err)
	case errors.Is(err, election.ErrForbidden):
		return refuse(connect.CodeInternal, "the control node may not use its own store: %w", err)
	}
	code, next := connect.CodeUnavailable, "send this again"
	if write {
		next = "it may have been written or not: read it, or send this again under the same Idempotency-Key as before"
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSlow):
		err = cause
	case errors.Is(cause, context.Canceled):
		code = connect.CodeCanceled
	case errors.Is(cause, context.DeadlineExceeded):
		code = connect.CodeDeadlineExceeded
	}
	return refuse(code, "%w; %s", err, next)
}

func forgotten(compacted *election.CompactedError) error {
	return refuse(connect.CodeOutOfRange, "%w: begin again, with a list at revision 0 (now) and a watch from its revision plus one", compacted)
}

// certain reports whether the store has refused a write: nothing was written.
func certain(err error) bool {
	for _, refusal := range []error{election.ErrNoLease, election.ErrNoSpace, election.ErrTooLarge, election.ErrForbidden} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
