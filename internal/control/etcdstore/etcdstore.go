// Package etcdstore makes a [control.Store] of an etcd cluster.
package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/control"
)

// New is the store that the client's cluster is. The client stays the caller's to
// close.
func New(client *clientv3.Client) control.Store { return store{election.Etcd(client), client} }

type store struct {
	election.Store
	client *clientv3.Client
}

func (s store) Compact(ctx context.Context, revision int64) error {
	_, err := s.client.Compact(ctx, revision)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrCompacted):
		return &election.CompactedError{}
	case errors.Is(err, rpctypes.ErrFutureRev):
		return fmt.Errorf("%w (%w)", election.ErrFuture, err)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("%w (%w)", election.ErrForbidden, err)
	}
	return notReached(ctx, err)
}

// Status asks all members at once, as there is no telling which can be reached, and
// takes the first answer.
func (s store) Status(ctx context.Context) (control.Status, error) {
	type answer struct {
		*clientv3.StatusResponse
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	endpoints := s.client.Endpoints()
	answers := make(chan answer, len(endpoints)) // those not waited for end with ctx
	for _, endpoint := range endpoints {
		go func() {
			r, err := s.client.Status(ctx, endpoint)
			answers <- answer{r, err}
		}()
	}
	var faults []error
	for range endpoints {
		a := <-answers
		if a.err != nil {
			faults = append(faults, a.err)
			continue
		}
		return control.Status{
			Revision: a.Header.Revision,
			Size:     a.DbSize, InUse: a.DbSizeInUse, Quota: a.DbSizeQuota,
			NoSpace: noSpace(a.Errors),
		}, nil
	}
	return control.Status{}, notReached(ctx, errors.Join(faults...))
}

// noSpace looks for the alarm in what the member says is wrong: the list of alarms
// itself would take a leader.
func noSpace(faults []string) bool {
	for _, f := range faults {
		if strings.Contains(f, etcdserverpb.AlarmType_NOSPACE.String()) {
			return true
		}
	}
	return false
}

// notReached is an error that no member answered.
func notReached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w (%w)", election.ErrNotReached, err)
}
