package cluster

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
)

// reasonOf is what was wrong with a call, without what gRPC puts around it.
func reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	text := err.Error()
	if at := strings.LastIndex(text, "desc = "); at >= 0 {
		text = text[at+len("desc = "):]
	}
	text = strings.Trim(text, `"`)
	text = strings.TrimPrefix(text, "transport: Error while dialing: ")
	text = strings.TrimPrefix(text, "transport: authentication handshake failed: ")
	switch {
	case strings.Contains(text, "context deadline exceeded"), strings.Contains(text, "DeadlineExceeded"), strings.Contains(text, "RST_STREAM"):
		return "no answer in time"
	case strings.Contains(text, "connection refused"):
		return "nothing listens there"
	}
	return strings.TrimPrefix(text, "etcdserver: ")
}

// answered reports whether an error is etcd's own, and not one of getting to it.
func answered(err error) bool { return errors.As(rpctypes.Error(err), new(rpctypes.EtcdError)) }

// insistAgain is how soon a call is made again that fell into an election.
const insistAgain = 50 * time.Millisecond

// insist calls until etcd does what is asked, or says something else than that there is no
// leader now: an election passes.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		var known rpctypes.EtcdError
		if !errors.As(rpctypes.Error(err), &known) || known.Code() != codes.Unavailable {
			return err
		}
		select {
		case <-time.After(insistAgain):
		case <-ctx.Done():
			return err
		}
	}
}
