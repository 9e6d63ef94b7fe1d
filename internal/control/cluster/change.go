package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// What commands keep in the store while they change the cluster.
const (
	changePrefix = "towpath/cluster/"
	changeKey    = changePrefix + "change"    // a Change, on its holder's lease
	replacingKey = changePrefix + "replacing" // a replacing, for good
	busyKey      = changePrefix + "busy"      // a Change: a defragmentation, which goes on without who began it
)

// A Change is who changes a cluster.
type Change struct {
	Who   string    `json:"who"`
	What  string    `json:"what"`
	Since time.Time `json:"since"`
}

// replacing is a replacement that was begun. One that removes the old member first leaves no
// other sign of what it is in the middle of.
type replacing struct {
	Old   string   `json:"old"` // as the user called it
	New   string   `json:"new"`
	Peers []string `json:"peers"`
}

// changes reads both keys; what is not there, or may not be read, is nil.
func changes(ctx context.Context, client *clientv3.Client) (change *Change, begun *replacing) {
	r, err := client.Get(ctx, changePrefix, clientv3.WithPrefix())
	if err != nil {
		return nil, nil
	}
	for _, kv := range r.Kvs { // "busy" comes before "change", which says more
		switch string(kv.Key) {
		case busyKey:
			change = changeOf(kv.Value)
		case changeKey:
			change = changeOf(kv.Value)
		case replacingKey:
			begun = &replacing{}
			if json.Unmarshal(kv.Value, begun) != nil {
				begun = nil
			}
		}
	}
	return change, begun
}

// changeOf reads a change. Whatever is there, somebody has put it there.
func changeOf(text []byte) *Change {
	c := &Change{}
	if err := json.Unmarshal(text, c); err != nil || c.Who == "" {
		return &Change{Who: "somebody", What: "a command that is not known here"}
	}
	return c
}

// lockTime is how long a command that was killed keeps others out.
const lockTime = 10 * time.Second

// A Lock keeps others from changing the cluster, for as long as it is renewed: two commands
// would each find safe what both together are not. It is no proof, as no lock is: what etcd
// refuses by itself it refuses under one too.
type Lock struct {
	client *clientv3.Client
	lease  clientv3.LeaseID
	done   <-chan struct{}
	lost   context.CancelCauseFunc
}

// errLockLost is why what is done under a lock ends early.
var errLockLost = errors.New("the lock on changes of the cluster was lost, as etcd could not be reached for too long: run the command again, which goes on where the cluster is")

// A HeldError says who changes the cluster already.
type HeldError struct{ Change }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s changes the cluster since %s: %s; wait until that is over, and run the command again", e.Who, e.Since.Local().Format(time.TimeOnly), e.What)
}

// Acquire takes the lock. A holder that was killed is waited for, and what it may have left a
// member at: its lease is no longer renewed. One that lives is a [HeldError]. The context is for what is done under the lock,
// and ends when the lock is lost.
func Acquire(ctx context.Context, client *clientv3.Client, c Change) (context.Context, *Lock, error) {
	lease, err := client.Grant(ctx, int64(lockTime/time.Second))
	if err != nil {
		return nil, nil, err
	}
	held, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	l := &Lock{client: client, lease: lease.ID, done: done, lost: lost}
	renewals, err := client.KeepAlive(held, lease.ID)
	if err != nil {
		close(done)
		l.Release()
		return nil, nil, err
	}
	go func() { // until the lock is lost, or released
		defer close(done)
		for range renewals {
		}
		lost(errLockLost)
	}()
	if err := l.take(held, c); err != nil {
		if held.Err() != nil {
			err = context.Cause(held)
		}
		l.Release()
		return nil, nil, err
	}
	return held, l, nil
}

// take puts the key there, once nobody else's is.
func (l *Lock) take(ctx context.Context, c Change) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	seen := int64(-1)
	for {
		r, err := l.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(changeKey), "=", 0), clientv3.Compare(clientv3.CreateRevision(busyKey), "=", 0)).
			Then(clientv3.OpPut(changeKey, string(text), clientv3.WithLease(l.lease))).Else(clientv3.OpGet(changeKey), clientv3.OpGet(busyKey)).Commit()
		if err != nil || r.Succeeded {
			return err
		}
		kvs := r.Responses[0].GetResponseRange().Kvs
		if busy := r.Responses[1].GetResponseRange().Kvs; len(kvs) == 0 && len(busy) > 0 {
			// Who began it has gone, and it has not; nothing renews it.
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		}
		if len(kvs) == 0 {
			continue
		}
		held := &HeldError{*changeOf(kvs[0].Value)}
		if kvs[0].Lease == 0 {
			return held // nothing ends it
		}
		left, err := l.client.TimeToLive(ctx, clientv3.LeaseID(kvs[0].Lease))
		if err != nil {
			return err
		}
		if seen >= 0 && left.TTL > seen {
			return held // it was renewed
		}
		seen = left.TTL
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(lockAgain):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lockAgain is how often it is looked whether a lock is renewed, which is every third of
// its time.
const lockAgain = time.Second

// slowest is how many bytes a second a member that is defragmented copies at least.
const slowest = 20 << 20

// DefragTime is how long a defragmentation takes at most that was begun by somebody who has not
// told its end: of a file of so many bytes, on a slow disk.
func DefragTime(size int64) time.Duration {
	return lockTime + time.Duration(size/slowest)*time.Second
}

// Busy keeps others out for as long as a member may be defragmented, as etcd goes on with that
// when who asked for it is gone, and the lock with it. It ends by done, which is called when the
// member has answered.
func (l *Lock) Busy(ctx context.Context, c Change, size int64) (done func(), err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	lease, err := l.client.Grant(ctx, int64(DefragTime(size)/time.Second))
	if err != nil {
		return nil, err
	}
	end := func() {
		ctx, cancel := context.WithTimeout(context.Background(), lockTime)
		defer cancel()
		_, _ = l.client.Revoke(ctx, lease.ID) // otherwise it ends by itself
	}
	if _, err := l.client.Put(ctx, busyKey, string(text), clientv3.WithLease(lease.ID)); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// Release lets others in.
func (l *Lock) Release() {
	l.lost(nil)
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), lockTime)
	defer cancel()
	_, _ = l.client.Revoke(ctx, l.lease) // otherwise it ends by itself
}
