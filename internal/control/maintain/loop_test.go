package maintain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

// world is a cluster as maintainers see it, and checks what they do to it.
type world struct {
	t *testing.T

	mu        sync.Mutex
	members   []cluster.Member
	leader    cluster.ID
	revision  int64
	compacted int64
	written   []sample // which revision there was when, for the history that is promised
	alarms    []cluster.Alarm
	busy      cluster.ID // being defragmented; 0 is none
	dropped   []cluster.ID
	takes     time.Duration // a defragmentation
	events    []Event
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, leader: 1, revision: 1000, takes: 10 * time.Second}
	for id := range cluster.ID(3) {
		w.members = append(w.members, cluster.Member{ID: id + 1, Name: fmt.Sprintf("m%d", id+1), State: cluster.Well, Index: 1, Applied: 1, Size: 100 * mib, InUse: 90 * mib, Quota: quota})
	}
	return w
}

// look is the cluster as the process sees it that reaches one member, or all for 0.
func (w *world) look(own cluster.ID) *cluster.Observed {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := &cluster.Observed{Majority: true, Leader: w.leader, Revision: w.revision, Alarms: append([]cluster.Alarm{}, w.alarms...)}
	for _, m := range w.members {
		switch {
		case own != 0 && m.ID != own:
			m = cluster.Member{ID: m.ID, Name: m.Name, State: cluster.Hidden}
		case m.ID == w.busy:
			m = cluster.Member{ID: m.ID, Name: m.Name, State: cluster.Down, Reason: "no answer in time"}
		}
		seen.Members = append(seen.Members, m)
	}
	return seen
}

// write makes revisions.
func (w *world) write(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision += n
	w.written = append(w.written, sample{time.Now(), w.revision})
	for i := range w.members {
		w.members[i].Index += uint64(n)
		w.members[i].Applied = w.members[i].Index
	}
}

func (w *world) compactedAt() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.compacted
}

// view is a process's view of the world.
type view struct {
	*world
	own cluster.ID
}

func (v view) Observe(ctx context.Context) (*cluster.Observed, error) {
	return v.look(v.own), ctx.Err()
}

func (v view) Compact(ctx context.Context, revision int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if revision > v.revision {
		return election.ErrFuture
	}
	v.compacted = max(v.compacted, revision)
	for i := range v.members {
		v.members[i].InUse = min(v.members[i].InUse, 40*mib)
	}
	return ctx.Err()
}

func (v view) Defragment(ctx context.Context, m *cluster.Member) error {
	v.mu.Lock()
	if v.own != 0 && m.ID != v.own {
		v.t.Errorf("a process that reaches %d alone defragments %s", v.own, m)
	}
	if v.busy != 0 {
		v.t.Errorf("%s is defragmented while %d is", m, v.busy)
	}
	if v.leader == m.ID && len(v.members) > 1 {
		v.t.Errorf("%s is defragmented while it leads", m)
	}
	v.busy = m.ID
	v.dropped = append(v.dropped, m.ID)
	v.mu.Unlock()
	done := make(chan struct{})
	go func() { // it goes on without who asked for it
		time.Sleep(v.takes)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.busy = 0
		v.members[m.ID-1].Size = v.members[m.ID-1].InUse
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (v view) CaughtUp(ctx context.Context, m *cluster.Member) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy == m.ID {
		return errors.New("no answer")
	}
	return ctx.Err()
}

func (v view) MoveLeader(ctx context.Context, leader *cluster.Member, to cluster.ID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.leader != leader.ID {
		return errors.New("it does not lead")
	}
	v.leader = to
	return ctx.Err()
}

func (v view) Disarm(ctx context.Context, alarm cluster.Alarm) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, a := range v.alarms {
		if a == alarm {
			v.alarms = append(v.alarms[:i], v.alarms[i+1:]...)
			break
		}
	}
	for _, m := range v.members {
		if float64(m.Size) >= roomy*float64(m.Quota) {
			v.t.Errorf("the alarm of %d is disarmed while %s is full", alarm.Member, m.Name)
		}
	}
	return ctx.Err()
}

// limited is a store that takes no writes while the world is full.
type limited struct {
	election.Store
	world *world
}

func (l limited) full() bool {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	return len(l.world.alarms) > 0
}

func (l limited) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	if l.full() {
		for _, op := range append(txn.Then, txn.Else...) {
			if op.Kind == election.Write {
				return election.Result{}, election.ErrNoSpace
			}
		}
	}
	return l.Store.Txn(ctx, txn)
}

func (l limited) Grant(ctx context.Context, ttl time.Duration) (election.LeaseID, time.Duration, error) {
	if l.full() {
		return 0, 0, election.ErrNoSpace
	}
	return l.Store.Grant(ctx, ttl)
}

// start runs a maintainer, and gives what ends it.
func (w *world) start(store election.Store, own cluster.ID, with func(*Options)) (stop func()) {
	w.t.Helper()
	o := Options{
		Store: store, Cluster: view{w, own}, Name: fmt.Sprintf("n%d", own), Own: own,
		Event: func(e Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	if with != nil {
		with(&o)
	}
	m, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("it ended with %v", err)
		}
	}
}

// happened is what was done, in order: "defragment m2", …
func (w *world) happened() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.events {
		if e.Do != Nothing && e.Do != Ask {
			all = append(all, strings.TrimSpace(string(e.Do)+" "+e.Member))
		}
	}
	return strings.Join(all, ", ")
}

func (w *world) fragmented() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for i := range w.members {
		if pays(&w.members[i], Bounds{}.filled()) {
			n++
		}
	}
	return n
}

// TestHistoryIsKept: under writes everything is forgotten after its hour, and nothing
// before. A cluster that is idle is left alone.
func TestHistoryIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		defer memory.Close()
		w := newWorld(t)
		defer w.start(memory, 0, nil)()
		for range 5 * 60 {
			w.write(600)
			time.Sleep(time.Minute)
			w.mu.Lock()
			compacted, revision := w.compacted, w.revision
			for _, s := range w.written {
				if time.Since(s.at) < time.Hour && s.revision < compacted {
					t.Errorf("at the revision %d it is compacted at %d, and %d is only %s old", revision, compacted, s.revision, time.Since(s.at))
				}
			}
			w.mu.Unlock()
		}
		if at := w.compactedAt(); at < 300*600-(60+7)*600 { // an hour, and a tenth of it between compactions
			t.Errorf("after five hours it is compacted at %d, of %d", at, 300*600)
		}
		time.Sleep(3 * time.Hour)
		before, err := memory.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		if after, err := memory.Status(t.Context()); err != nil || after.Revision != before.Revision {
			t.Errorf("in two idle days the revision went from %d to %d: %v", before.Revision, after.Revision, err)
		}
	})
}

// TestControlNodes: each reaches its own member alone; all members are defragmented, one
// at a time, the leader last.
func TestControlNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		defer memory.Close()
		w := newWorld(t)
		for i := range w.members {
			w.members[i].InUse = 40 * mib
		}
		for _, id := range []cluster.ID{1, 2, 3} {
			defer w.start(memory, id, nil)()
			time.Sleep(time.Second) // the leader's is elected first
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if w.fragmented() > 0 || len(w.dropped) != 3 || w.dropped[2] != 1 {
			t.Errorf("the order was %v: %s", w.dropped, w.happened())
		}
	})
}

// TestKills: whoever looks after the cluster is killed again and again, at any step, and
// another one goes on. See [world] for what is checked meanwhile.
func TestKills(t *testing.T) {
	for range 10 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			memory := memstore.New()
			defer memory.Close()
			w := newWorld(t)
			alone := r.IntN(2) == 0 // a process that reaches all members, or one for each
			start := func(i int) func() {
				own := cluster.ID(i + 1)
				if alone {
					own = 0
				}
				return w.start(memory, own, func(o *Options) { o.Bounds.Backoff = 5 * time.Minute })
			}
			var stops [3]func()
			for i := range stops {
				stops[i] = start(i)
			}
			for range 60 {
				if r.IntN(4) == 0 {
					w.mu.Lock()
					w.members[r.IntN(3)].Size = 200 * mib
					w.mu.Unlock()
				}
				w.write(r.Int64N(1000))
				time.Sleep(time.Duration(r.Int64N(int64(2 * time.Minute))))
				i := r.IntN(3)
				stops[i]()
				time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
				stops[i] = start(i)
			}
			time.Sleep(3 * time.Hour)
			if n := w.fragmented(); n > 0 {
				t.Errorf("%d members are still fragmented: %s", n, w.happened())
			}
			if events, err := NewJournal(memory, "").Read(t.Context()); err != nil || len(events) > Kept {
				t.Errorf("the journal has %d entries: %v", len(events), err)
			}
			for _, stop := range stops {
				stop()
			}
		})
	}
}

// fill makes the world full.
func (w *world) fill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.members {
		w.members[i].Size, w.members[i].InUse = quota, 700*mib
	}
	w.alarms = []cluster.Alarm{{Member: 1, Kind: cluster.NoSpace}, {Member: 3, Kind: cluster.NoSpace}}
}

// TestFull: a store that is full is mended: by whoever holds the seat, without a holder,
// and by processes that start when nobody can be elected.
func TestFull(t *testing.T) {
	for _, c := range []struct {
		what        string
		owns        []cluster.ID
		late, abort bool // they start when it is full; the holder is killed when it is
	}{
		{what: "one that reaches all", owns: []cluster.ID{0}},
		{what: "control nodes", owns: []cluster.ID{1, 2, 3}},
		{what: "one that reaches all, late", owns: []cluster.ID{0}, late: true},
		{what: "control nodes, late", owns: []cluster.ID{1, 2, 3}, late: true},
		{what: "control nodes, the holder dies", owns: []cluster.ID{1, 2, 3}, abort: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			memory := memstore.New()
			defer memory.Close()
			w := newWorld(t)
			store := limited{memory, w}
			if c.late {
				w.fill()
			}
			var stops []func()
			for _, own := range c.owns {
				stops = append(stops, w.start(store, own, nil))
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
			if !c.late {
				w.fill()
			}
			if c.abort {
				stops[0]()
				time.Sleep(time.Minute)
				stops[0] = w.start(store, c.owns[0], nil)
			}
			time.Sleep(30 * time.Minute)
			synctest.Wait()
			if len(w.alarms) > 0 || len(w.dropped) != 3 {
				t.Errorf("%s: the alarms are %v; %s", c.what, w.alarms, w.happened())
			}
			events, err := NewJournal(memory, "").Read(t.Context())
			written := 0
			for _, e := range events {
				if e.Do == Defragment && e.Outcome == Done {
					written++
				}
			}
			if err != nil || written < 3-len(stops)+1 {
				t.Errorf("%s: what was done was not written down when there was room: %+v, %v", c.what, events, err)
			}
			for _, stop := range stops {
				stop()
			}
		})
	}
}

// TestTells: what waits is told once, with its reason, and an alarm when it is over.
func TestTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		defer memory.Close()
		w := newWorld(t)
		w.members[1].InUse = 40 * mib
		w.members[2].State, w.members[2].Reason = cluster.Down, "nothing listens there"
		w.alarms = []cluster.Alarm{{Member: 2, Kind: cluster.Corrupt}}
		defer w.start(memory, 0, nil)()
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		w.alarms = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		w.members[2].State = cluster.Well
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		var said []string
		for _, e := range w.events {
			said = append(said, e.String())
		}
		want := []string{"the data of m2 differs", "defragmentation of m2 waits, because m3 is down", "no longer: the data of m2 differs", "defragments m2"}
		if len(said) != len(want) {
			t.Fatalf("it said %q", said)
		}
		for i := range want {
			if !strings.HasPrefix(said[i], want[i]) {
				t.Errorf("it said %q, want %q", said[i], want[i])
			}
		}
	})
}

// TestBase: where the backup is behind and space presses, nothing is forgotten before a base has
// it; where space is scarce, it is forgotten without.
func TestBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		defer memory.Close()
		w := newWorld(t)
		use := func(n int64) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.members[0].InUse = n
		}
		var bases atomic.Int32
		var floor atomic.Int64
		var works atomic.Bool
		floor.Store(1500)
		defer w.start(memory, 0, func(o *Options) {
			o.Floor = func(context.Context) (int64, error) { return floor.Load(), nil }
			o.Base = func(context.Context, string) error {
				bases.Add(1)
				if !works.Load() {
					return errors.New("no bucket")
				}
				time.Sleep(time.Minute) // which a base takes
				if at := w.compactedAt(); at > floor.Load() {
					t.Errorf("it is compacted at %d before the base is there", at)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				floor.Store(w.revision)
				return nil
			}
		})()
		for range 120 {
			w.write(100)
			time.Sleep(time.Minute)
		}
		if at := w.compactedAt(); at > 1500 || bases.Load() > 0 {
			t.Fatalf("it is compacted at %d, where the backup has up to 1500; %d bases", at, bases.Load())
		}
		use(760 * mib)
		time.Sleep(29 * time.Minute)
		if at, n := w.compactedAt(), bases.Load(); at > 1500 || n < 4 || n > 6 {
			t.Errorf("no base can be made: it is compacted at %d; %d bases were asked for", at, n)
		}
		works.Store(true)
		time.Sleep(10 * time.Minute)
		if at, have := w.compactedAt(), floor.Load(); at <= 1500 || at > have {
			t.Errorf("it is compacted at %d, where a base has up to %d", at, have)
		}
		works.Store(false)
		for range 120 {
			w.write(100)
			time.Sleep(time.Minute)
		}
		use(910 * mib)
		time.Sleep(10 * time.Minute)
		if at, have := w.compactedAt(), floor.Load(); at <= have {
			t.Errorf("space is scarce: it is compacted at %d; the backup has up to %d", at, have)
		}
	})
}

// TestKept: who cannot ask the backup keeps history for it, and hands the seat to who can.
func TestKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		defer memory.Close()
		w := newWorld(t)
		defer w.start(memory, 0, func(o *Options) {
			o.Kept = func(context.Context) (string, error) { return "s3://backups/etcd as prod", nil }
		})()
		for range 120 {
			w.write(100)
			time.Sleep(time.Minute)
		}
		if at := w.compactedAt(); at > 0 {
			t.Errorf("it is compacted at %d, where nobody knows what the backup has", at)
		}
		defer w.start(memory, 0, func(o *Options) {
			o.Floor = func(context.Context) (int64, error) { return 2000, nil }
		})()
		time.Sleep(80 * time.Minute)
		if at := w.compactedAt(); at != 2000 {
			t.Errorf("it is compacted at %d, where the backup has up to 2000", at)
		}
	})
}

// TestJournal keeps its last entries, in order, and is written only under the guard.
func TestJournal(t *testing.T) {
	memory := memstore.New()
	defer memory.Close()
	j := NewJournal(memory, "x/")
	guarded := []election.Compare{election.Present("guard")}
	if _, err := j.add(t.Context(), guarded, Event{}); !errors.Is(err, errDeposed) {
		t.Fatalf("without the guard: %v", err)
	}
	for i := range 3*Kept + 7 {
		key, err := j.add(t.Context(), nil, Event{Do: Compact, Revision: int64(i), Outcome: Begun})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.end(t.Context(), guarded, key, Event{}); !errors.Is(err, errDeposed) {
			t.Fatalf("without the guard: %v", err)
		}
		if err := j.end(t.Context(), nil, key, Event{Do: Compact, Revision: int64(i), Outcome: Done}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := j.Read(t.Context())
	if err != nil || len(events) != Kept {
		t.Fatalf("%d entries: %v", len(events), err)
	}
	for i, e := range events {
		if e.Revision != int64(2*Kept+7+i) || e.Outcome != Done {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
}
