package backup

import (
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/testkit/etcd"
)

// TestSweepSparesWhatIsNew: what a shared uploader has uploaded since care came is not
// swept away.
func TestSweepSparesWhatIsNew(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	var clock clock
	w := watchOver(t, client, withClock(openFolder(t, t.TempDir()), clock.now), 1, 0)
	clock.pass(30 * time.Minute)
	s, err := NewShared(t.Context(), "fleet", []Options{{
		Source: Source{client, dialer}, Store: w.shelf.store, Cluster: "prod", Keep: catalog.Policy{Any: 24 * time.Hour},
		Scratch: t.TempDir(), Now: clock.now, Log: testLog(t),
	}})
	if err != nil {
		t.Fatal(err)
	}
	u := s.Uploaders()[0]
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	stop, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	random := rand.New(rand.NewPCG(5016, 1))
	minutes := func(n int) {
		t.Helper()
		for range n {
			write(t, client, random, 5)
			if err := s.Upload(t.Context()); err != nil {
				t.Fatal(err)
			}
			clock.pass(time.Minute)
		}
		w.acked.Store(hashNow(t, client).revision)
	}
	for range 4 {
		minutes(4)
		if err := u.Care(t.Context()); err != nil {
			t.Fatal(err)
		}
		minutes(4) // until the sweep, which comes minutes later
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.judge(t, random)
		clock.pass(time.Hour)
	}
}

// TestDamagedPack: a pack whose index is damaged is named, is kept for who can mend it, and is in nobody's
// way.
func TestDamagedPack(t *testing.T) {
	p := newPair(t)
	p.zombie.Close()
	o := p.options(t)
	s, err := NewShared(t.Context(), "fleet", []Options{o})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	minutes := func(n int) {
		t.Helper()
		for range n {
			write(t, p.client, p.random, 5)
			if err := s.Upload(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.clock.pass(time.Minute)
		}
		p.acked.Store(hashNow(t, p.client).revision)
	}
	minutes(2)
	before := p.acked.Load()
	minutes(3)
	damaged := packName("fleet", 3)
	p.damage(t, damaged, flipped(12))
	c := p.load(t)
	if len(c.Damaged) != 1 || c.Damaged[0].Name != damaged {
		t.Errorf("damaged is %v, expected %s", c.Damaged, damaged)
	}
	p.note(t)
	if err := p.restore(t, before); err != nil {
		t.Error(err)
	}
	stop()

	if s, err = NewShared(t.Context(), "fleet", []Options{o}); err != nil {
		t.Fatal(err)
	}
	u := s.Uploaders()[0]
	if stop, err = s.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop()
	minutes(2)
	for range 3 {
		p.clock.pass(time.Hour)
		if err := u.Care(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	p.note(t)
	if err := p.restore(t, p.acked.Load()); err != nil {
		t.Error(err)
	}
	if alarms(t, u, alarmCare) == 0 {
		t.Error("nobody is told")
	}
	if _, err := p.shelf.store.Get(t.Context(), damaged); err != nil {
		t.Error(err)
	}
}
