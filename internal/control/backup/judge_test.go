package backup

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

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
