package backup

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestTwoAtOnce: two uploaders of one cluster, each before a store that fails, lose nothing,
// and do not disagree.
func TestTwoAtOnce(t *testing.T) {
	seed := rand.Uint64N(1_000_000) + 1
	t.Logf("seed %d", seed)
	client := etcd.Start(t, 1).Client(t)
	store := openFolder(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	w := watchOver(t, client, store, seed, 2)
	var all []*Uploader
	running := make(chan error, 2)
	for i := range 2 {
		faulty := blobtest.Faulty(store, blobtest.Random(seed+uint64(i), 0.1, 0.1))
		u, err := NewUploader(ctx, Options{
			Source: Source{client, dialer}, Store: faulty, Cluster: "prod", Every: 30 * time.Millisecond, Scratch: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
		go func() { running <- u.Run(ctx) }()
	}
	defer func() {
		cancel()
		for range all {
			<-running
		}
	}()
	await(t, func() bool { return w.acked.Load() > 1000 })
	w.rest()
	for i, u := range all {
		if err := u.WaitDurable(ctx, w.acked.Load()); err != nil {
			t.Fatal(err)
		}
		if n := alarms(t, u); n > 0 {
			t.Errorf("seed %d: the uploader %d raised %d alarms", seed, i, n)
		}
	}
	w.judge(t, rand.New(rand.NewPCG(seed, 99)))
}

// A pair is two uploaders of one cluster that a test has take turns, by one clock.
type pair struct {
	*witness
	clock       clock
	zombie, own *Feed
	random      *rand.Rand
}

func newPair(t *testing.T) *pair {
	t.Helper()
	client := etcd.Start(t, 1).Client(t)
	p := &pair{random: rand.New(rand.NewPCG(5010, 1))}
	p.witness = watchOver(t, client, withClock(openFolder(t, t.TempDir()), p.clock.now), 1, 0)
	p.clock.pass(30 * time.Minute)
	p.zombie = p.feed(t)
	if _, err := p.zombie.u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) options(t *testing.T) Options {
	return Options{
		Source: Source{p.client, dialer}, Store: p.shelf.store, Cluster: "prod", Scratch: t.TempDir(),
		Every: 20 * time.Millisecond, Keep: catalog.Policy{Any: 30 * 24 * time.Hour}, Now: p.clock.now, Log: testLog(t),
	}
}

// feed begins an uploader.
func (p *pair) feed(t *testing.T) *Feed { return startFeed(t, p.options(t)) }

// startFeed begins an uploader, which ends with the test.
func startFeed(t *testing.T, o Options) *Feed {
	t.Helper()
	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// minutes has an uploader upload some, and go on as it does by itself.
func (p *pair) minutes(t *testing.T, f **Feed, n int) {
	t.Helper()
	for range n {
		write(t, p.client, p.random, 5)
		for err := (*f).Upload(t.Context()); err != nil; err = (*f).Upload(t.Context()) {
			u := (*f).u
			(*f).Close()
			if !errors.Is(err, errOvertaken) && !u.gap(t.Context(), err) {
				t.Fatal(err)
			}
			if *f, err = u.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup((*f).Close)
		}
		p.clock.pass(time.Minute)
	}
	p.acked.Store(hashNow(t, p.client).revision)
}

// care has an uploader merge what can be, and delete what was merged before.
func (p *pair) care(t *testing.T, f *Feed) {
	t.Helper()
	for range 3 {
		if err := f.u.Care(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestZombie: an uploader that stood still for hours, and had a minute in its hands that was
// uploaded by another one, merged and deleted meanwhile, does no harm when it goes on.
func TestZombie(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 3)
	write(t, p.client, p.random, 5)
	held, err := p.zombie.cut(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	p.own = p.feed(t)
	p.minutes(t, &p.own, 20)
	p.clock.pass(2 * time.Hour)
	p.care(t, p.own)
	if _, _, err := p.shelf.store.Head(t.Context(), p.shelf.place.log(catalog.Minute, held.header.Start), 1); err == nil {
		t.Fatalf("the minute of the revision %d is there still", held.header.Start)
	}
	p.compact(t, p.durable(t))

	if err := p.zombie.put(held); err != nil {
		t.Fatal(err)
	}
	p.zombie.landed(held)
	p.judge(t, p.random)
	// An uploader that starts now finds the zombie's object to be the one that starts last.
	p.own.Close()
	p.own = p.feed(t)
	p.minutes(t, &p.own, 2)
	// What the zombie writes next overlaps with hours and minutes of the other.
	p.minutes(t, &p.zombie, 2)
	p.minutes(t, &p.own, 2)
	p.judge(t, p.random)

	p.clock.pass(2 * time.Hour)
	p.care(t, p.own)
	p.judge(t, p.random)
	c, err := p.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.Logs {
		if l.Level == catalog.Minute {
			t.Errorf("%s is left, of the revisions %d to %d", l, l.Start, l.End)
		}
	}
	if n := alarms(t, p.own.u) + alarms(t, p.zombie.u); n > 0 {
		t.Errorf("%d alarms", n)
	}
}
