package backups

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// TestRecords: a record depends on its number and version alone, is JSON, has a key of its own,
// and an update changes a part of it.
func TestRecords(t *testing.T) {
	a, b := NewRecords(1, 1000), NewRecords(1, 1000)
	keys, bytesAll := map[string]bool{}, 0
	for i := range a.Len() {
		before := a.Value(i)
		if !json.Valid(before) || !bytes.Equal(before, b.Value(i)) {
			t.Fatalf("record %d: %s", i, before)
		}
		bytesAll += len(before)
		keys[a.Key(i)] = true
		a.Update(i, begun.AddDate(0, 7, 0))
		after := a.Value(i)
		if bytes.Equal(before, after) {
			t.Errorf("record %d is the same at its next version", i)
		}
		if same := prefixAndSuffix(before, after); same < 20 {
			t.Errorf("record %d is all new at its next version:\n%s\n%s", i, before, after)
		}
	}
	if len(keys) != a.Len() {
		t.Errorf("%d keys of %d records", len(keys), a.Len())
	}
	if mean := bytesAll / a.Len(); mean < 1300 || mean > 1500 {
		t.Errorf("records have %d bytes on average: expected some 1,400", mean)
	}
}

func prefixAndSuffix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// TestLedger: what a ledger counts by kinds is what a meter counts in all.
func TestLedger(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clock := dayBegins
	meter := blob.NewMeter(folder)
	l := newLedger(meter, func() time.Time { return clock })
	ctx := t.Context()
	for range 500 {
		name := fmt.Sprintf("%s/000000/log/%s/%020d", cluster, []string{"minute", "hour"}[random.IntN(2)], random.IntN(20))
		switch random.IntN(6) {
		case 0, 1:
			_ = l.Create(ctx, name, make([]byte, random.IntN(100)), blob.Class(random.IntN(2)))
		case 2:
			_, _ = l.Get(ctx, name)
		case 3:
			_, _, _ = l.Head(ctx, name, 10)
		case 4:
			_ = l.Delete(ctx, name)
		case 5:
			for _, err := range l.List(ctx, cluster+"/", "") {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		clock = clock.Add(time.Minute)
	}
	lines := l.Lines()
	if err := agrees(lines, meter.Usage()); err != nil {
		t.Errorf("seed %d: %v: %+v, %+v", seed, err, lines, meter.Usage())
	}
	if len(since(lines, lines)) == 0 || since(lines, lines)[0].Create != 0 {
		t.Errorf("nothing happened since, and found %+v", since(lines, lines))
	}
}

// TestDeltas: a period's events are one object, which can be read.
func TestDeltas(t *testing.T) {
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := newDeltas(time.Minute, dayBegins)
	d.meter = blob.NewMeter(store)
	d.name = "deltas"
	for i := range 3 {
		e := &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), Value: fmt.Append(nil, i), ModRevision: int64(i)}}
		if err := d.take(t.Context(), e, dayBegins.Add(time.Duration(i)*40*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.pass(t.Context(), dayBegins.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if d.made != 2 {
		t.Errorf("%d objects: expected 2, of two minutes with events", d.made)
	}
	object, err := store.Get(t.Context(), "deltas/1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var events []deltaEvent
	if err := json.Unmarshal(text[:len(text)-sha256.Size], &events); err != nil || len(events) != 2 {
		t.Errorf("%d events, %v: expected the first two", len(events), err)
	}
}

// TestChunks: of a snapshot that has changed in one place, little is stored again.
func TestChunks(t *testing.T) {
	const seed = 1
	c, err := newChunked()
	if err != nil {
		t.Fatal(err)
	}
	snapshot := random(rand.New(rand.NewPCG(seed, 0)), 32<<20)
	for range 2 {
		if err := c.take(context.Background(), snapshot); err != nil {
			t.Fatal(err)
		}
		snapshot[len(snapshot)/2]++
	}
	if c.fresh[0] < 32<<20 || c.fresh[1] == 0 || c.fresh[1] > 9<<20 {
		t.Errorf("seed %d: %d bytes were stored at first, and %d then", seed, c.fresh[0], c.fresh[1])
	}
}

// TestSteady: bases are as far apart as their rule says, and what is kept reaches back
// thirty days.
func TestSteady(t *testing.T) {
	const base, log = 50 << 20, 10 << 20
	s, err := steady(catalog.Base{Size: base, Raw: 4 * base}, catalog.Log{Start: 1, End: 1000, Size: log, Raw: 4 * log})
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Sqrt(2 * base * 30 / log); math.Abs(s.spacing-want) > 1 {
		t.Errorf("bases are %.1f days apart: expected %.1f", s.spacing, want)
	}
	if days := s.logs / log; days < 30 || days > 31+s.spacing {
		t.Errorf("%.1f days of log are kept", days)
	}
}
