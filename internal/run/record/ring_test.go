package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/run/engine"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("TOWPATH_RECORD_CHILD"); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// entry is one whose body has some bytes.
func entry(id string, bytes int) *Entry {
	return &Entry{
		ID: id, Program: "shop", Begin: time.Unix(1_770_000_000, 0).UTC(), Took: time.Millisecond, Outcome: Answered,
		Record: engine.Record{
			Artifact: "a0", View: "market/shop.featured", Input: json.RawMessage(`{"product":"p1"}`),
			Output: json.RawMessage(`"` + strings.Repeat("x", bytes) + `"`),
		},
	}
}

func open(t testing.TB, dir string, opts Options) *Ring {
	t.Helper()
	r, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil && !t.Failed() && opts.disk == nil {
			t.Error(err)
		}
	})
	return r
}

func put(t testing.TB, r *Ring, entries ...*Entry) {
	t.Helper()
	for _, e := range entries {
		if !r.Put(e) {
			t.Fatalf("%s was not taken", e.ID)
		}
	}
	if err := r.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func ids(entries []*Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func TestPutAndGet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	r := open(t, dir, Options{})
	want := entry("r1", 10)
	want.Trace = json.RawMessage(`{"passes":2}`)
	want.Record.Answers = []engine.Answer{{Operation: "market/s.C.offers", Args: json.RawMessage(`["p1"]`), Body: json.RawMessage(`[1,2]`)}}
	wanted, _ := json.Marshal(want)
	put(t, r, want)
	if _, err := r.Get("r2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Put(entry("late", 0)) || r.Stats().Dropped.Closed != 1 {
		t.Error("a closed ring takes entries")
	}
	for _, get := range []func() (*Entry, error){
		func() (*Entry, error) { return r.Get("r1") },
		func() (*Entry, error) { return open(t, dir, Options{}).Get("r1") },
		func() (*Entry, error) {
			reader, err := Read(dir)
			if err != nil {
				return nil, err
			}
			return reader.Get("r1")
		},
	} {
		e, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(e); string(got) != string(wanted) {
			t.Errorf("got %s, want %s", got, wanted)
		}
	}
}

func TestListFilters(t *testing.T) {
	r := open(t, t.TempDir(), Options{})
	begin := time.Unix(1_770_000_000, 0)
	for i := range 10 {
		e := entry(fmt.Sprint("r", i), 10)
		e.Begin = begin.Add(time.Duration(i) * time.Second)
		if i%2 == 1 {
			e.Program, e.Record.View, e.Outcome = "other", "rules.rate", Faulted
		}
		put(t, r, e)
	}
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "r9 r8 r7 r6 r5 r4 r3 r2 r1 r0"},
		{Filter{Limit: 3}, "r9 r8 r7"},
		{Filter{Program: "shop"}, "r8 r6 r4 r2 r0"},
		{Filter{View: "rate", Limit: 2}, "r9 r7"},
		{Filter{View: "market/shop.featured", Since: begin.Add(5 * time.Second)}, "r8 r6"},
		{Filter{Outcome: Faulted, Since: begin.Add(7 * time.Second)}, "r9 r7"},
		{Filter{Program: "none"}, ""},
	} {
		if got := strings.Join(ids(r.List(c.f)), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}

func TestSampleIsDeterministic(t *testing.T) {
	few := &Ring{threshold: threshold(0.1)}
	more := &Ring{threshold: threshold(0.2)}
	all, none := &Ring{threshold: threshold(1)}, &Ring{threshold: threshold(0)}
	n := 0
	for i := range 100_000 {
		id := fmt.Sprintf("%016x", i)
		if few.Sample(id) {
			n++
			if !more.Sample(id) {
				t.Fatalf("%s is of the tenth and not of the fifth", id)
			}
		}
		if !all.Sample(id) || none.Sample(id) {
			t.Fatalf("%s is not of all, or of none", id)
		}
	}
	if n < 9_700 || n > 10_300 {
		t.Errorf("of 100,000 ids a tenth is %d", n)
	}
	// What is sampled is part of what several processes agree on: it never changes.
	picked := ""
	for i := range 64 {
		if more.Sample(fmt.Sprintf("%016x", i)) {
			picked += fmt.Sprint(i, " ")
		}
	}
	if picked != "3 16 20 24 34 35 43 48 53 58 62 " {
		t.Errorf("of the first ids it picks %s", picked)
	}
	if allocs := testing.AllocsPerRun(100, func() { few.Sample("4bf92f3577b34da6a3ce929d0e0e4736") }); allocs > 0 {
		t.Errorf("it allocates %v times", allocs)
	}
}

func TestOldestSegmentGoes(t *testing.T) {
	dir := t.TempDir()
	opts := Options{MaxBytes: 8 << 10, SegmentBytes: 2 << 10}
	r := open(t, dir, opts)
	for i := range 100 {
		put(t, r, entry(fmt.Sprintf("r%02d", i), i))
		if size := folderSize(t, dir); size > opts.MaxBytes {
			t.Fatalf("after %d entries the segments have %d bytes", i+1, size)
		}
	}
	got := ids(r.List(Filter{}))
	if len(got) < 20 || len(got) > 60 || got[0] != "r99" || !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("it has %v", got)
	}
	if s := r.Stats(); s.Written != 100 || s.Dropped.Total() != 0 || s.Entries != len(got) || s.Bytes != folderSize(t, dir) {
		t.Errorf("it counts %+v", s)
	}
	if _, err := r.Get("r00"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the first entry: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{MaxBytes: 4 << 10, SegmentBytes: 2 << 10})
	if s := again.Stats(); s.Bytes > 4<<10 || s.Entries == 0 {
		t.Errorf("with half of the room it has %+v", s)
	}
}

func folderSize(t *testing.T, dir string) int64 {
	t.Helper()
	infos, err := folder(dir).list()
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, info := range infos {
		if strings.HasSuffix(info.Name(), segmentSuffix) {
			n += info.Size()
		}
	}
	return n
}

func TestTooLarge(t *testing.T) {
	r := open(t, t.TempDir(), Options{MaxBytes: 4 << 10, QueueBytes: 1 << 20})
	noise := entry("noise", 0) // that does not deflate
	b := []byte{'"'}
	for i := range 4000 {
		b = append(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[math.MaxInt32/(i+1)%62])
	}
	noise.Record.Output = append(b, '"')
	put(t, r, noise, entry("small", 10))
	if r.Put(entry("large", 2<<20)) {
		t.Error("an entry larger than the queue was taken")
	}
	unfit := entry("unfit", 1)
	unfit.Record.Input = json.RawMessage("{")
	put(t, r, unfit)
	if s := r.Stats(); s.Written != 1 || s.Dropped != (Drops{TooLarge: 2, Unfit: 1}) {
		t.Errorf("it counts %+v", s)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second writer: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

func TestKeyStays(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, Options{})
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir, Options{}); again.Key() != r.Key() || r.Key() == (Key{}) {
		t.Error("the key is another after the ring was opened again")
	}
	if info, err := os.Stat(filepath.Join(dir, keyName)); err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("the key's file: %v %v", info, err)
	}
}

func TestOptionsTellAllFaults(t *testing.T) {
	err := Options{MaxBytes: 1 << 40, SegmentBytes: 1 << 40, Sample: 2, Queue: -1}.Validate()
	for _, want := range []string{"two segments", "4 GiB", "a share", "not negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := Open(t.TempDir(), Options{Sample: 2}); err == nil {
		t.Error("a ring opens with wrong options")
	}
}

// TestQueueIsBounded: a disk that hangs makes the queue fill up, and the requests
// go on.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := &faultyDisk{disk: folder(dir), hang: make(chan struct{})}
		r := open(t, dir, Options{Queue: 10, disk: d})
		taken := 0
		for i := range 100 {
			if r.Put(entry(fmt.Sprint("r", i), 10)) {
				taken++
			}
		}
		if s := r.Stats(); taken != 10 || s.Queued != 10 || s.Dropped.QueueFull != 90 {
			t.Errorf("%d were taken: %+v", taken, s)
		}
		synctest.Wait()
		close(d.hang)
		if err := r.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(t, r, entry("after", 10))
		if s := r.Stats(); s.Written != 11 || s.Queued != 0 {
			t.Errorf("it counts %+v", s)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseGivesUp: Close ends with its context when the disk hangs.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := &faultyDisk{disk: folder(dir), hang: make(chan struct{})}
		r, err := Open(dir, Options{disk: d})
		if err != nil {
			t.Fatal(err)
		}
		r.Put(entry("r0", 10))
		synctest.Wait() // it hangs
		r.Put(entry("r1", 10))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		close(d.hang)
		<-r.done
		if s := r.Stats(); s.Written != 1 || s.Dropped.Closed != 1 || s.Queued != 0 {
			t.Errorf("it counts %+v", s)
		}
	})
}

// TestSyncsWithinASecond: what is written is synced soon, without being asked.
func TestSyncsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := &faultyDisk{disk: folder(dir)}
		r := open(t, dir, Options{disk: d})
		r.Put(entry("r0", 10))
		synctest.Wait()
		if n := d.syncs.Load(); n != 0 {
			t.Errorf("it synced %d times at once", n)
		}
		time.Sleep(time.Second) // of the test's own time
		synctest.Wait()
		if n := d.syncs.Load(); n != 1 {
			t.Errorf("it synced %d times within a second", n)
		}
		time.Sleep(time.Hour)
		if n := d.syncs.Load(); n != 1 {
			t.Errorf("it synced %d times, with nothing new", n)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	r := open(t, t.TempDir(), Options{MaxBytes: 64 << 10, Queue: 100_000})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				r.Put(entry(fmt.Sprint(w, "-", i), i%300))
			}
		})
		wg.Go(func() {
			for i := range 200 {
				if e, err := r.Get(fmt.Sprint(w, "-", i)); err == nil && e.ID != fmt.Sprint(w, "-", i) {
					t.Errorf("asked for %d-%d, got %s", w, i, e.ID)
				}
				r.List(Filter{Limit: 5})
				r.Stats()
			}
		})
	}
	wg.Wait()
	if err := r.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Written != 2000 || s.Dropped.Total() != 0 {
		t.Errorf("it counts %+v", s)
	}
}
