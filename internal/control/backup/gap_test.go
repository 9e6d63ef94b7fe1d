package backup

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup/catalog"
)

// outrun has the cluster of a pair be compacted beyond what its uploader, which is down, has
// kept. It returns the last revision that is kept, and that of the compaction.
func (p *pair) outrun(t *testing.T) (kept, compacted int64) {
	t.Helper()
	p.minutes(t, &p.zombie, 3)
	p.zombie.Close()
	kept = p.durable(t)
	write(t, p.client, p.random, 20)
	compacted = hashNow(t, p.client).revision
	write(t, p.client, p.random, 20)
	p.compact(t, compacted)
	return kept, compacted
}

// run runs a new uploader until the test ends.
func (p *pair) run(t *testing.T) *Uploader {
	t.Helper()
	u, err := NewUploader(t.Context(), p.options(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- u.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-running })
	return u
}

// bases is how many there are.
func (p *pair) bases(t *testing.T) int {
	t.Helper()
	c, err := p.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(c.Bases)
}

// TestGap: where compaction was faster than the log, a person is told, a base is made, the log
// goes on, and what is on both sides of the gap is restored.
func TestGap(t *testing.T) {
	p := newPair(t)
	kept, compacted := p.outrun(t)
	u := p.run(t)
	await(t, func() bool { return p.bases(t) == 2 })
	write(t, p.client, p.random, 20)
	last := hashNow(t, p.client).revision
	p.clock.pass(time.Minute)
	if err := u.WaitDurable(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if n := alarms(t, u, alarmGap); n != 1 || alarms(t, u) != 1 {
		t.Errorf("%d alarms of gaps, %d alarms", n, alarms(t, u))
	}
	c, err := p.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gap := catalog.Span{First: kept + 1, Last: compacted - 1}
	if gaps := c.Gaps(); len(gaps) != 1 || gaps[0].Span != gap {
		t.Errorf("expected the gap %v, found %+v", gap, gaps)
	}
	p.note(t)
	for _, revision := range []int64{kept - 5, kept, compacted, compacted + 7, last} {
		want, err := hashKV(p.truth.db, revision, revision)
		if err != nil {
			t.Fatal(err)
		}
		f, err := restoreTo(t, u, c, revision)
		if err != nil {
			t.Errorf("revision %d: %v", revision, err)
			continue
		}
		if got, err := hashKV(f.db, revision, revision); err != nil || got != want {
			t.Errorf("revision %d is restored as %08x (%v), the cluster had %08x", revision, got, err, want)
		}
		f.discard()
	}
	_, err = PlanRestore(t.Context(), RestoreOptions{
		Store: p.shelf.store, Cluster: "prod", Revision: kept + 3, Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}, DataDir: filepath.Join(t.TempDir(), "m"),
	})
	unrestorable, is := errors.AsType[*catalog.UnrestorableError](err)
	if !is || unrestorable.Missing != gap || unrestorable.Before.Revision != kept || unrestorable.After.Revision != compacted {
		t.Errorf("inside of the gap: %v", err)
	}
	t.Log(err)
}

// TestGapWithoutABase: as long as no base can be made behind a gap, what is behind it does not count
// as kept: not for who asks how far may be compacted, and not for who is told what a loss costs.
func TestGapWithoutABase(t *testing.T) {
	p := newPair(t)
	kept, _ := p.outrun(t)
	o := p.options(t)
	var room atomic.Bool
	o.Source.Dial = func(endpoint string) (*clientv3.Client, error) {
		if !room.Load() {
			return nil, errors.New("no room on the scratch disk")
		}
		return dialer(endpoint)
	}
	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	before := p.clock.now()
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- u.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-running })
	floor := func() int64 {
		t.Helper()
		floor, err := Floor(t.Context(), p.shelf.store, "prod", o.Source)
		if err != nil {
			t.Fatal(err)
		}
		return floor
	}
	proven := func() time.Time {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.proven
	}
	await(t, func() bool { return alarms(t, u, alarmGap) > 0 && alarms(t, u, alarmBase) > 1 })
	for range 5 {
		write(t, p.client, p.random, 20)
		p.clock.pass(time.Minute)
		if err := u.WaitDurable(t.Context(), hashNow(t, p.client).revision); err != nil {
			t.Fatal(err)
		}
	}
	if floor() != kept || proven().After(before) {
		t.Errorf("with a gap and no base: the floor is %d, expected %d; all is said to be kept as of %s, expected no later than %s", floor(), kept, proven(), before)
	}
	room.Store(true)
	await(t, func() bool { return proven().After(before) })
	if last := hashNow(t, p.client).revision; floor() != last {
		t.Errorf("with a base the floor is %d, expected %d", floor(), last)
	}
}

// TestGapBeforeADeath: if the uploader that noticed a gap died before its base, the next one
// makes it at once.
func TestGapBeforeADeath(t *testing.T) {
	p := newPair(t)
	p.outrun(t)
	p.own = p.feed(t)
	p.minutes(t, &p.own, 1)
	p.own.Close()
	if n := alarms(t, p.own.u, alarmGap); n != 1 || p.bases(t) != 1 {
		t.Fatalf("%d alarms of gaps, %d bases", n, p.bases(t))
	}
	p.run(t)
	await(t, func() bool { return p.bases(t) == 2 })
}

// TestNoGapBeforeABase: what a base has is not missing in the log, though compaction was faster.
func TestNoGapBeforeABase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 3)
	write(t, p.client, p.random, 20)
	if _, err := p.zombie.u.MakeBase(t.Context(), "a test's"); err != nil { // and it dies
		t.Fatal(err)
	}
	p.zombie.Close()
	p.compact(t, p.durable(t))
	p.own = p.feed(t)
	p.minutes(t, &p.own, 3)
	if n := alarms(t, p.own.u); n > 0 {
		t.Errorf("%d alarms", n)
	}
	p.judge(t, p.random)
}
