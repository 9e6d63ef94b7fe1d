package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
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

// judge holds all that is in the store against what the cluster had.
func (w *witness) judge(t *testing.T, random *rand.Rand) {
	t.Helper()
	c, err := w.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.note(t) // afterwards, as leases still end
	for _, gap := range c.Gaps() {
		t.Errorf("a gap: %+v", gap)
	}
	spans := c.Restorable()
	if len(spans) != 1 || spans[0].Last < w.acked.Load() {
		t.Errorf("revision %d was acknowledged, and what can be restored is %v", w.acked.Load(), spans)
	}
	if len(spans) == 0 {
		return
	}
	b := &builder{shelf: w.shelf}
	for _, l := range c.Logs {
		w.judgeLog(t, b, l)
	}
	for _, base := range c.Bases {
		w.judgeBase(t, b, base)
	}
	w.judgeChain(t, b, c, spans[0])
	w.judgeHashes(t, b, c, spans[0], random)
	levels := map[catalog.Level]int{}
	for _, l := range c.Logs {
		levels[l.Level]++
	}
	t.Logf("log objects: %v; bases: %d; the revisions %d to %d", levels, len(c.Bases), spans[0].First, spans[0].Last)
}

// judgeLog reads one object: it has all changes of its revisions, once, as the cluster
// had them, whoever wrote it and whatever others have of the same revisions.
func (w *witness) judgeLog(t *testing.T, b *builder, l catalog.Log) {
	t.Helper()
	next, changes := l.Start, 0
	err := b.read(t.Context(), l, func(r segment.Record) error {
		if r.Change == nil {
			return nil
		}
		if changes++; r.Change.Main == next {
			next++
		}
		if r.Change.Main != next-1 {
			return fmt.Errorf("expected revision %d, found %d", next, r.Change.Main)
		}
		return w.truth.had(*r.Change)
	})
	if err == nil && next != l.End+1 {
		err = fmt.Errorf("it ends at revision %d", next-1)
	}
	if want := w.truth.count(t, l.Start, l.End); err == nil && changes != want {
		err = fmt.Errorf("it has %d changes, the cluster had %d", changes, want)
	}
	if err != nil {
		t.Errorf("%s, of the revisions %d to %d: %v", l, l.Start, l.End, err)
	}
}

// judgeBase restores a base by itself.
func (w *witness) judgeBase(t *testing.T, b *builder, base catalog.Base) {
	t.Helper()
	f, err := b.build(t.Context(), filepath.Join(t.TempDir(), "db"), catalog.Chain{Target: base.Revision, Base: base}, "")
	if err != nil {
		t.Error(err)
		return
	}
	defer f.discard()
	want, err := hashKV(w.truth.db, base.Revision, base.Revision)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := hashKV(f.db, base.Revision, base.Revision); err != nil || got != want {
		t.Errorf("%s is restored as %08x (%v), the cluster had %08x", base, got, err, want)
	}
}

// judgeChain reads what leads from the oldest base that it leads on from to the last revision:
// every change comes in it once.
func (w *witness) judgeChain(t *testing.T, b *builder, c catalog.Catalog, all catalog.Span) {
	t.Helper()
	var chain catalog.Chain
	slices.SortFunc(c.Bases, func(a, b catalog.Base) int { return cmp.Compare(a.Revision, b.Revision) })
	i := slices.IndexFunc(c.Bases, func(base catalog.Base) (leads bool) {
		var err error
		chain, err = catalog.Catalog{Logs: c.Logs, Bases: []catalog.Base{base}}.Chain(all.Last)
		return err == nil
	})
	if i < 0 {
		t.Error("from no base the log leads to the end")
		return
	}
	oldest := c.Bases[i]
	times := map[spot]int{}
	for _, s := range chain.Steps {
		err := b.read(t.Context(), s.Log, func(r segment.Record) error {
			if r.Change != nil && s.First <= r.Change.Main && r.Change.Main <= s.Last {
				times[spot{r.Change.Main, r.Change.Sub}]++
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for at, n := range times {
		if n != 1 {
			t.Errorf("the change %d.%d comes %d times in the chain", at.main, at.sub, n)
		}
	}
	if want := w.truth.count(t, oldest.Revision+1, all.Last); len(times) != want {
		t.Errorf("%d changes in the chain of the revisions %d to %d, the cluster had %d", len(times), oldest.Revision+1, all.Last, want)
	}
}

// judgeHashes restores some revisions whose HashKV the cluster had told, and some others.
func (w *witness) judgeHashes(t *testing.T, b *builder, c catalog.Catalog, all catalog.Span, random *rand.Rand) {
	t.Helper()
	const most = 8
	restored := 0
	restore := func(revision, compacted int64, want uint32) {
		t.Helper()
		chain, err := c.Chain(revision)
		if err != nil {
			t.Error(err)
			return
		}
		f, err := b.build(t.Context(), filepath.Join(t.TempDir(), "db"), chain, "")
		if err != nil {
			t.Error(err)
			return
		}
		defer f.discard()
		if got, err := hashKV(f.db, compacted, revision); err != nil || got != want {
			t.Errorf("revision %d, compacted at %d, is restored as %08x (%v), the cluster had %08x", revision, compacted, got, err, want)
		}
		if revision == all.Last {
			w.judgeLeases(t, f)
		}
		restored++
	}
	random.Shuffle(len(w.seen), func(i, j int) { w.seen[i], w.seen[j] = w.seen[j], w.seen[i] })
	for _, h := range w.seen {
		if restored < most && h.revision >= all.First && h.revision <= all.Last {
			restore(h.revision, h.compacted, h.hash)
		}
	}
	for range most {
		revision := all.First + random.Int64N(all.Last-all.First+1)
		want, err := hashKV(w.truth.db, revision, revision)
		if err != nil {
			t.Fatal(err)
		}
		restore(revision, revision, want)
	}
	last, err := hashKV(w.truth.db, all.Last, all.Last)
	if err != nil {
		t.Fatal(err)
	}
	restore(all.Last, all.Last, last)
	t.Logf("%d revisions restored", restored)
}

// judgeLeases compares the leases that are restored with those that the cluster has.
func (w *witness) judgeLeases(t *testing.T, f *storeFile) {
	t.Helper()
	leases, unknown := 0, 0
	for key, id := range f.leased {
		answer, err := w.client.TimeToLive(t.Context(), clientv3.LeaseID(id))
		if err != nil {
			t.Fatal(err)
		}
		if answer.TTL < longTTL/2 {
			continue // it ends by itself, meanwhile too
		}
		if leases++; f.ttl[id] != answer.GrantedTTL {
			unknown++
			t.Logf("the lease of %s is restored for %d s, it was granted for %d", key, f.ttl[id], answer.GrantedTTL)
		}
	}
	if unknown > 0 {
		t.Errorf("%d leases, of %d of which it is not known for how long they were granted", leases, unknown)
	}
}

// had says whether a change is what the cluster had.
func (h *truth) had(c segment.Change) error {
	return h.db.View(func(tx *bolt.Tx) error {
		if row := tx.Bucket(keyBucket).Get(appendRevision(nil, c)); row == nil || !bytes.Equal(row, c.Row) {
			return fmt.Errorf("the change %d.%d is %x, the cluster had %x", c.Main, c.Sub, c.Row, row)
		}
		return nil
	})
}

// count is how many changes the cluster had in the revisions from one to another.
func (h *truth) count(t *testing.T, first, last int64) (n int) {
	t.Helper()
	err := h.db.View(func(tx *bolt.Tx) error {
		rows := tx.Bucket(keyBucket).Cursor()
		for k, _ := rows.Seek(appendRevision(nil, segment.Change{Main: first})); k != nil; k, _ = rows.Next() {
			c, err := parseRevision(k)
			if err != nil || c.Main > last {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
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
