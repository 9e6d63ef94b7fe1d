package backup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
)

// A witness has writers write to a cluster, and remembers what the cluster had: all rows,
// whatever was compacted since, and HashKV of some revisions.
type witness struct {
	client *clientv3.Client
	shelf  *shelf // what is in the store, without faults
	truth  *truth
	seen   history
	acked  atomic.Int64 // the last revision that a writer was told of

	others   []*shelf // where the cluster is kept as well
	tolerant bool     // of a cluster that is broken on purpose

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// watchOver has writers begin to write to a cluster that is backed up to a store.
func watchOver(t *testing.T, client *clientv3.Client, store blob.Store, seed uint64, writers int, change ...func(*witness)) *witness {
	t.Helper()
	w := &witness{client: client, shelf: newShelf(store, place{cluster: "prod"}), truth: newTruth(t)}
	for _, do := range change {
		do(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	for i := range writers {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		w.wg.Go(func() {
			if err := w.churn(ctx, random); err != nil && ctx.Err() == nil {
				t.Errorf("the writer %d: %v", i, err)
			}
		})
	}
	t.Cleanup(w.rest)
	return w
}

// rest ends the writers.
func (w *witness) rest() {
	w.stop()
	w.wg.Wait()
}

// churn writes, at most five hundred times a second: transactions of several operations, deletions
// of one key and of many, and keys on leases that live long, end soon, or are revoked.
func (w *witness) churn(ctx context.Context, random *rand.Rand) error {
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	key := func() string { return fmt.Sprintf("k/%03d", random.IntN(300)) }
	value := func() string { return fmt.Sprintf("%0*d", random.IntN(200), random.Int()) }
	lease := clientv3.NoLease
	for {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil
		}
		var err error
		var revision int64
		switch random.IntN(12) {
		case 0:
			var r *clientv3.DeleteResponse
			if r, err = w.client.Delete(ctx, key()); err == nil {
				revision = r.Header.Revision
			}
		case 1:
			from := key()
			var r *clientv3.DeleteResponse
			if r, err = w.client.Delete(ctx, from, clientv3.WithRange(from[:4]+"\xff")); err == nil {
				revision = r.Header.Revision
			}
		case 2, 3, 4:
			ops := []clientv3.Op{clientv3.OpDelete("k/1", clientv3.WithRange("k/13"))}
			for i := range 1 + random.IntN(20) {
				ops = append(ops, clientv3.OpPut(fmt.Sprintf("t/%02d", i), value(), clientv3.WithLease(lease)))
			}
			var r *clientv3.TxnResponse
			if r, err = w.client.Txn(ctx).Then(ops...).Commit(); err == nil {
				revision = r.Header.Revision
			}
		case 5:
			var g *clientv3.LeaseGrantResponse
			if g, err = w.client.Grant(ctx, longTTL); err == nil {
				_, err = w.client.Put(ctx, fmt.Sprintf("l/%02d", random.IntN(50)), value(), clientv3.WithLease(g.ID))
			}
		case 6:
			if lease != clientv3.NoLease && random.IntN(2) == 0 {
				_, _ = w.client.Revoke(ctx, lease) // it may have ended
				lease = clientv3.NoLease
			} else if g, granted := w.client.Grant(ctx, []int64{1, longTTL}[random.IntN(2)]); granted == nil {
				lease = g.ID
			}
		default:
			var r *clientv3.PutResponse
			if r, err = w.client.Put(ctx, key(), value(), clientv3.WithLease(lease)); err == nil {
				revision = r.Header.Revision
			}
		}
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			lease, err = clientv3.NoLease, nil
		}
		if err != nil && w.tolerant {
			continue // whether it was done, the cluster itself will tell
		}
		if err != nil {
			return err
		}
		for known := w.acked.Load(); revision > known && !w.acked.CompareAndSwap(known, revision); known = w.acked.Load() {
		}
	}
}

// longTTL is that of leases that do not end by themselves while a test runs.
const longTTL = 6000

// note remembers what the cluster has now.
func (w *witness) note(t *testing.T) {
	t.Helper()
	w.truth.note(t, &Uploader{o: Options{Source: Source{w.client, dialer}}})
	w.seen = append(w.seen, hashNow(t, w.client))
}

// durable is the last revision that is in the store, as a person would find it there.
func (w *witness) durable(t *testing.T) int64 {
	t.Helper()
	durable := int64(math.MaxInt64)
	for _, s := range append(w.others, w.shelf) {
		c, err := s.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		durable = min(durable, c.Durable().Revision)
	}
	return durable
}

// compact compacts the cluster at the last revision that is in the store, once all before it
// is remembered.
func (w *witness) compact(t *testing.T, durable int64) {
	t.Helper()
	w.note(t)
	if _, err := w.client.Compact(t.Context(), durable, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		t.Fatal(err)
	}
}

// alarms is how many of a kind an uploader raised, as its metrics say, or of all kinds.
func alarms(t *testing.T, u *Uploader, kind ...string) (n int) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(u.o.Metrics)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if f.GetName() == "towpath_backup_alarms_total" && l.GetName() == "alarm" && (len(kind) == 0 || slices.Contains(kind, l.GetValue())) {
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}
