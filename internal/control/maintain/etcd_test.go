package maintain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

// quick are bounds for tests that run in real time.
var quick = Bounds{History: time.Second, Leap: 20, Bytes: mib / 2, Share: 0.2, Backoff: time.Millisecond, Rate: 1e9, Latency: time.Hour, Lag: 1e9}

// process is a maintainer that can be killed.
type process struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

func (p *process) stop() { p.cancel(); <-p.ended }

// maintain runs a maintainer of a real cluster, with a client of its own.
func maintain(t *testing.T, c *etcd.Cluster, name string, own cluster.ID, b Bounds, event func(Event)) *process {
	t.Helper()
	client := c.Client(t)
	m, err := New(Options{
		Store: election.Etcd(client), Cluster: Etcd(client, name, nil), Name: name, Own: own, Every: 200 * time.Millisecond, Bounds: b,
		Event: func(e Event) { t.Logf("%s: %s", name, e); event(e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel, make(chan struct{})}
	go func() {
		defer close(p.ended)
		if err := m.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended with %v", name, err)
		}
	}()
	return p
}

// patience is for how long a maintainer may have nothing to say while something is awaited.
const patience = 3 * time.Minute

// next is what a maintainer says next.
func next(t *testing.T, events <-chan Event) Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("the maintainers say nothing more, and what is awaited has not come")
		return Event{}
	}
}

// journalHas reports whether it is written down that something was done.
func journalHas(t *testing.T, client *clientv3.Client, do Do) bool {
	t.Helper()
	events, err := NewJournal(election.Etcd(client), "").Read(t.Context())
	if t.Context().Err() != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(events, func(e Event) bool { return e.Do == do })
}

// writers write numbers that grow to keys of their own, and know which were acknowledged.
type writers struct {
	stop   context.CancelFunc
	ended  sync.WaitGroup
	acked  []atomic.Int64
	writes atomic.Int64
}

func write(t *testing.T, c *etcd.Cluster, n, size int) *writers {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &writers{stop: stop, acked: make([]atomic.Int64, n)}
	client := c.Client(t)
	padding := strings.Repeat("x", size)
	for i := range n {
		w.ended.Go(func() {
			for k := int64(1); ctx.Err() == nil; k++ {
				if _, err := client.Put(ctx, fmt.Sprintf("writer/%d", i), fmt.Sprintf("%d %s", k, padding)); err == nil {
					w.acked[i].Store(k)
					w.writes.Add(1)
				}
			}
		})
	}
	return w
}

// check ends the writers and looks whether all is there that was acknowledged, with every
// member.
func (w *writers) check(t *testing.T, c *etcd.Cluster, members int) {
	t.Helper()
	w.stop()
	w.ended.Wait()
	for m := range members {
		client := c.Client(t, m)
		for i := range w.acked {
			r, err := client.Get(t.Context(), fmt.Sprintf("writer/%d", i))
			if err != nil || len(r.Kvs) == 0 {
				t.Fatalf("writer %d: %v, %v", i, r, err)
			}
			text, _, _ := strings.Cut(string(r.Kvs[0].Value), " ")
			if k, err := strconv.ParseInt(text, 10, 64); err != nil || k < w.acked[i].Load() {
				t.Errorf("member %d: writer %d has %d acknowledged, and there is %d (%v)", m, i, w.acked[i].Load(), k, err)
			}
		}
	}
	if w.writes.Load() == 0 {
		t.Error("nothing was written")
	}
}

// TestUnderLoad: while clients write, and maintainers and members are killed, the cluster is
// compacted and all members are defragmented, and no acknowledged write is lost. Each
// maintainer reaches all members, or one of its own, as those of control nodes do.
func TestUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster under load")
	}
	t.Run("all", func(t *testing.T) { underLoad(t, false) })
	t.Run("own", func(t *testing.T) { underLoad(t, true) })
}

func underLoad(t *testing.T, own bool) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c := etcd.Start(t, 3, func(o *member.Options) { o.Maintained = true })
	w := write(t, c, 4, 4000)
	events := make(chan Event, 1000)
	event := func(e Event) { events <- e }
	b := quick
	b.Turn, b.Backoff = time.Second, 30*time.Second // so that the others leave the leader its turn
	b.History = 5 * time.Second                     // a compaction at each look would leave no look for anything else
	var ids [3]cluster.ID
	if own {
		for i := range ids {
			ids[i] = cluster.ID(c.Member(i).ID())
		}
	}
	start := func(i int) *process { return maintain(t, c, fmt.Sprintf("n%d", i), ids[i], b, event) }
	var all [3]*process
	for i := range all {
		all[i] = start(i)
	}
	did := map[string]int{}
	down, mishaps := -1, 0
	for len(did) < 4 || mishaps < 5 { // each member, and a compaction
		e := next(t, events)
		if e.Outcome == Done {
			switch e.Do {
			case Defragment:
				did[e.Member]++
			case Compact:
				did["compaction"]++
			}
		}
		switch i := r.IntN(4); { // something happened, or waits: time for a mishap
		case down >= 0:
			c.Restart(t, down)
			down = -1
		case mishaps >= 5: // and from then on for what is left to be done
		case i < 3:
			mishaps++
			all[i].stop()
			all[i] = start(i)
		default:
			mishaps++
			down = r.IntN(3)
			c.Stop(down)
		}
	}
	if down >= 0 {
		c.Restart(t, down)
	}
	for _, p := range all {
		p.stop()
	}
	w.check(t, c, 3)
	sameData(t, c)
	journal, err := NewJournal(election.Etcd(c.Client(t)), "").Read(t.Context())
	if err != nil || len(journal) == 0 || len(journal) > Kept {
		t.Errorf("the journal has %d entries: %v", len(journal), err)
	}
	t.Logf("%d writes; %v", w.writes.Load(), did)
}

// sameData compares what the members have.
func sameData(t *testing.T, c *etcd.Cluster) {
	t.Helper()
	client := c.Client(t)
	now, err := client.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[uint32]bool{}
	for i, at := range c.Endpoints() {
		if _, err := c.Client(t, i).Get(t.Context(), "x"); err != nil { // it has caught up
			t.Fatal(err)
		}
		h, err := client.HashKV(t.Context(), at, now.Header.Revision)
		if err != nil {
			t.Fatal(err)
		}
		hashes[h.Hash] = true
	}
	if len(hashes) != 1 {
		t.Error("the members' data differs")
	}
}

// TestWaitsForQuiet: a cluster that is written to is not defragmented until that is over.
func TestWaitsForQuiet(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster under load")
	}
	c := etcd.Start(t, 3, func(o *member.Options) { o.Maintained = true })
	w := write(t, c, 2, 4000)
	events := make(chan Event, 1000)
	b := quick
	b.Rate = 5
	p := maintain(t, c, "n", 0, b, func(e Event) { events <- e })
	waited := false
	for {
		e := next(t, events)
		if strings.Contains(e.Why, "entries a second are written, and more than 5 are too many") && !waited {
			waited = true
			w.check(t, c, 3)
		}
		if e.Do == Defragment {
			if !waited {
				t.Error("it was defragmented under load")
			}
			if e.Outcome == Done {
				break
			}
		}
	}
	p.stop()
	sameData(t, c)
}

// TestFullForReal: a store is filled to its quota by what is forgotten soon, and mended. One
// maintainer ran before, and is killed; the next starts when nobody can be elected.
func TestFullForReal(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster that is filled")
	}
	c := etcd.Start(t, 3, func(o *member.Options) { o.Maintained, o.Quota = true, 32*mib })
	client := c.Client(t)
	events := make(chan Event, 1000)
	b := quick
	b.History = time.Hour // nothing is forgotten before it is full
	first := maintain(t, c, "first", 0, b, func(e Event) { events <- e })
	value := strings.Repeat("x", 512<<10)
	for {
		_, err := client.Put(t.Context(), "big", value)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			break
		}
		if t.Context().Err() != nil { // others pass, on a machine that has much to do
			t.Fatal(err)
		}
	}
	first.stop()
	second := maintain(t, c, "second", 0, b, func(e Event) { events <- e })
	told, did := false, map[Do]int{}
	for room := false; !room; {
		e := next(t, events)
		told = told || e.Alarm && strings.Contains(e.Why, "the store is full")
		if e.Outcome == Done {
			did[e.Do]++
		}
		if e.Do != Disarm || e.Outcome != Done {
			continue
		}
		for full := false; !room && !full; { // other faults pass: a member that is defragmented, a new leader
			_, err := client.Put(t.Context(), "big", "small")
			room, full = err == nil, errors.Is(err, rpctypes.ErrNoSpace)
			if t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
	}
	if !told || did[Compact] == 0 || did[Defragment] < 1 {
		t.Errorf("it was told of: %t; it did %v", told, did)
	}
	// What was done while nothing could be written is written down when it can be.
	for !journalHas(t, client, Disarm) { // each look costs a read
		continue
	}
	second.stop()
	sameData(t, c)
	list, err := client.AlarmList(t.Context())
	if err != nil || len(list.Alarms) > 0 {
		t.Errorf("alarms are left: %v, %v", list, err)
	}
}

// TestFullOfKeys: a store that is full of what is there now cannot be mended, and what to do
// is told.
func TestFullOfKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("a real cluster that is filled")
	}
	c := etcd.Start(t, 1, func(o *member.Options) { o.Quota = 16 * mib })
	client := c.Client(t)
	value := strings.Repeat("x", 512<<10)
	n := 0
	fill := func() {
		for {
			n++
			_, err := client.Put(t.Context(), fmt.Sprint("big/", n), value)
			if errors.Is(err, rpctypes.ErrNoSpace) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	events := make(chan Event, 1000)
	p := maintain(t, c, "n", 0, quick, func(e Event) { events <- e })
	defer p.stop()
	for {
		e := next(t, events)
		if e.Do == Disarm && e.Outcome == Done {
			fill() // there was some room yet
		}
		if e.Alarm && strings.Contains(e.Why, "by keys that are there now") {
			break
		}
	}
	// A person deletes some, and the rest goes by itself.
	if _, err := client.Delete(t.Context(), "big/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	for {
		if e := next(t, events); e.Do == Disarm && e.Outcome == Done {
			return
		}
	}
}
