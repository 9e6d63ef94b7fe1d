package election

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Etcd is the store that an etcd cluster is. The client stays the caller's to close.
func Etcd(client *clientv3.Client) Store { return etcd{client} }

type etcd struct{ client *clientv3.Client }

func (s etcd) Range(ctx context.Context, span Span) (Page, error) {
	options := rangeOptions(span.Keys, span.Limit)
	if span.Revision != 0 {
		options = append(options, clientv3.WithRev(span.Revision))
	}
	if span.KeysOnly {
		options = append(options, clientv3.WithKeysOnly())
	}
	r, err := s.client.Get(ctx, span.First, options...)
	if err != nil {
		return Page{}, known(err)
	}
	return Page{entriesOf(r.Kvs), r.Header.Revision, r.More, r.Count}, nil
}

func (s etcd) Txn(ctx context.Context, txn Txn) (Result, error) {
	conditions := make([]clientv3.Cmp, len(txn.If))
	for i, c := range txn.If {
		conditions[i] = c.cmp()
	}
	r, err := s.client.Txn(ctx).If(conditions...).Then(opsOf(txn.Then)...).Else(opsOf(txn.Else)...).Commit()
	if err != nil {
		return Result{}, known(err)
	}
	result := Result{OK: r.Succeeded, Revision: r.Header.Revision, Outcomes: make([]Outcome, len(r.Responses))}
	for i, response := range r.Responses {
		switch {
		case response.GetResponseRange() != nil:
			result.Outcomes[i].Entries = entriesOf(response.GetResponseRange().Kvs)
		case response.GetResponseDeleteRange() != nil:
			result.Outcomes[i].Removed = response.GetResponseDeleteRange().Deleted
		}
	}
	return result, nil
}

func (s etcd) Grant(ctx context.Context, ttl time.Duration) (LeaseID, time.Duration, error) {
	r, err := s.client.Grant(ctx, int64(math.Ceil(ttl.Seconds())))
	if err != nil {
		return 0, 0, known(err)
	}
	return LeaseID(r.ID), time.Duration(r.TTL) * time.Second, nil
}

func (s etcd) Renew(ctx context.Context, id LeaseID) (time.Duration, error) {
	// Once opens a stream each time, and so goes to another member when one is cut off.
	r, err := s.client.KeepAliveOnce(ctx, clientv3.LeaseID(id))
	if err != nil {
		return 0, known(err)
	}
	return time.Duration(r.TTL) * time.Second, nil
}

func (s etcd) Revoke(ctx context.Context, id LeaseID) error {
	_, err := s.client.Revoke(ctx, clientv3.LeaseID(id))
	if err = known(err); errors.Is(err, ErrNoLease) {
		return nil
	}
	return err
}

// rewatch is how long a watch that was cut waits before it is opened again.
const rewatch = 50 * time.Millisecond

func (s etcd) Watch(ctx context.Context, keys Keys, from int64) <-chan Batch {
	out := make(chan Batch, 1)
	go func() {
		defer close(out)
		for {
			var err error
			if from, err = s.watchOnce(ctx, keys, from, out); err == nil {
				select {
				case <-time.After(rewatch):
					continue
				case <-ctx.Done():
					err = context.Cause(ctx)
				}
			}
			// There is room for the last batch even where nobody listens any more, if
			// need be in the place of one that nobody took.
			for {
				select {
				case out <- Batch{Err: err}:
					return
				default:
				}
				select {
				case <-out:
				default:
				}
			}
		}
	}()
	return out
}

// watchOnce sends batches until its stream ends, and returns the revision to go on
// from. An error is final.
func (s etcd) watchOnce(ctx context.Context, keys Keys, from int64, out chan<- Batch) (int64, error) {
	stream, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx)) // a member without a leader would be silent
	defer cancel()
	options := append(rangeOptions(keys, 0), clientv3.WithRev(from), clientv3.WithCreatedNotify(), clientv3.WithProgressNotify())
	for r := range s.client.Watch(stream, keys.First, options...) {
		switch {
		case r.CompactRevision != 0:
			return from, &CompactedError{r.CompactRevision}
		case errors.Is(r.Err(), rpctypes.ErrPermissionDenied):
			return from, known(r.Err())
		case r.Err() != nil:
			return from, nil
		case r.Created && len(r.Events) == 0:
			if from == 0 {
				from = r.Header.Revision + 1
			}
			// All up to the header's revision has not been sent yet: no batch.
			continue
		}
		batch := Batch{Revision: r.Header.Revision, Events: make([]Event, len(r.Events))}
		for i, e := range r.Events {
			batch.Events[i] = Event{e.Type == mvccpb.Event_DELETE, entryOf(e.Kv)}
		}
		if n := len(batch.Events); n > 0 {
			// While a watch catches up, the header is ahead of the events.
			batch.Revision = batch.Events[n-1].Entry.Modified
		}
		select {
		case out <- batch:
			from = batch.Revision + 1
		case <-ctx.Done():
			return from, context.Cause(ctx)
		}
	}
	return from, context.Cause(ctx)
}

func rangeOptions(keys Keys, limit int) []clientv3.OpOption {
	var options []clientv3.OpOption
	if keys.End != "" {
		options = append(options, clientv3.WithRange(keys.End))
	}
	if limit != 0 {
		options = append(options, clientv3.WithLimit(int64(limit)))
	}
	return options
}

func opsOf(ops []Op) []clientv3.Op {
	list := make([]clientv3.Op, len(ops))
	for i, op := range ops {
		switch op.Kind {
		case Read:
			list[i] = clientv3.OpGet(op.Keys.First, rangeOptions(op.Keys, op.Limit)...)
		case Write:
			list[i] = clientv3.OpPut(op.Keys.First, string(op.Value), clientv3.WithLease(clientv3.LeaseID(op.Lease)))
		case Remove:
			list[i] = clientv3.OpDelete(op.Keys.First, rangeOptions(op.Keys, 0)...)
		}
	}
	return list
}

// cmp is the condition in etcd's terms.
func (c Compare) cmp() clientv3.Cmp {
	relation := [...]string{Equal: "=", NotEqual: "!=", Less: "<", Greater: ">"}[c.Relation]
	switch c.Field {
	case Created:
		return clientv3.Compare(clientv3.CreateRevision(c.Key), relation, c.Number)
	case Modified:
		return clientv3.Compare(clientv3.ModRevision(c.Key), relation, c.Number)
	case Version:
		return clientv3.Compare(clientv3.Version(c.Key), relation, c.Number)
	case Lease:
		return clientv3.Compare(clientv3.LeaseValue(c.Key), relation, c.Number)
	default:
		return clientv3.Compare(clientv3.Value(c.Key), relation, string(c.Value))
	}
}

func entriesOf(kvs []*mvccpb.KeyValue) []Entry {
	entries := make([]Entry, len(kvs))
	for i, kv := range kvs {
		entries[i] = entryOf(kv)
	}
	return entries
}

func entryOf(kv *mvccpb.KeyValue) Entry {
	return Entry{string(kv.Key), kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version, LeaseID(kv.Lease)}
}

// known puts what etcd says into this package's terms, where it has one.
func known(err error) error {
	kind := error(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		kind = ErrNoLease
	case errors.Is(err, rpctypes.ErrCompacted):
		return &CompactedError{}
	case errors.Is(err, rpctypes.ErrFutureRev):
		kind = ErrFuture
	case errors.Is(err, rpctypes.ErrNoSpace):
		kind = ErrNoSpace
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge),
		strings.Contains(err.Error(), "message larger than max"): // grpc's own bound, which has no error of its own
		kind = ErrTooLarge
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		kind = ErrForbidden
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrTimeout),
		errors.Is(err, rpctypes.ErrTimeoutDueToLeaderFail), errors.Is(err, rpctypes.ErrTimeoutDueToConnectionLost),
		errors.Is(err, rpctypes.ErrLeaderChanged), errors.Is(err, rpctypes.ErrStopped),
		status.Code(err) == codes.Unavailable:
		kind = ErrNotReached
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}
