package backup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/control/backup/catalog"
)

// noRoom has no room for a snapshot.
func noRoom(string) (*clientv3.Client, error) { return nil, errNoRoom }

var errNoRoom = errors.New("no room on the scratch disk")

func (p *pair) count(t *testing.T, level catalog.Level) (n int) {
	t.Helper()
	for _, l := range p.load(t).Logs {
		if l.Level == level {
			n++
		}
	}
	return n
}

// TestCareWithoutABase: while a base that is due cannot be made, all else is done.
func TestCareWithoutABase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 5)
	u := p.zombie.u
	u.o.Source.Dial = noRoom
	if _, err := p.client.UserAdd(t.Context(), "somebody", "a password"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.clock.pass(2 * time.Hour)
		if err := u.Care(t.Context()); !errors.Is(err, errNoRoom) {
			t.Errorf("care: %v", err)
		}
	}
	if p.count(t, catalog.Minute) > 0 || p.count(t, catalog.Hour) != 1 || u.verified.IsZero() {
		t.Errorf("%d minutes are left, there are %d hours, and it was verified at %s", p.count(t, catalog.Minute), p.count(t, catalog.Hour), u.verified)
	}
}

// TestCareGoesOnWithoutABase: a base that is tried again and again is not in care's way.
func TestCareGoesOnWithoutABase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 5)
	// Care comes within a second of real time, over and over, as the test's clock stands still.
	p.clock.pass(2*time.Hour + careAt - time.Duration(p.clock.now().Minute())*time.Minute - time.Second)
	u := p.zombie.u
	u.o.Source.Dial = noRoom
	u.Base("a test asks for it")
	ctx, cancel := context.WithCancel(t.Context())
	caring := make(chan error, 1)
	go func() { caring <- u.care(ctx) }()
	defer func() { cancel(); <-caring }()
	await(t, func() bool {
		return alarms(t, u, alarmBase) > 0 && p.count(t, catalog.Hour) > 0 && p.count(t, catalog.Minute) == 0
	})
}

// TestEarlierProofs: each verification restores some of what was proven earlier once more, though there
// is no new base, and draws on where the revision of a proof is not kept any more.
func TestEarlierProofs(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 5)
	u := p.zombie.u
	verify := func() {
		t.Helper()
		p.clock.pass(24*time.Hour - time.Minute)
		p.minutes(t, &p.zombie, 1)
		if err := u.Care(t.Context()); err != nil {
			t.Error(err)
		}
	}
	verify()
	verify()
	if n := len(p.names(t, "verified/")); n != 4 { // two, and the midnights before them
		t.Errorf("%d proofs: %q", n, p.names(t, "verified/"))
	}
	first := u.verified
	verify()
	if u.verified.Equal(first) || alarms(t, u) > 0 {
		t.Fatalf("verified at %s, then at %s; %d alarms", first, u.verified, alarms(t, u))
	}
	// The store has something else now than what was proven.
	for i, name := range p.names(t, "verified/") {
		proof, err := readProof(t.Context(), p.shelf.store, name)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			proof.Revision += 1_000_000 // which is not kept
		}
		proof.State++
		if err := errors.Join(p.shelf.store.Delete(t.Context(), name), writeProof(t.Context(), p.shelf.store, p.shelf.place, proof)); err != nil {
			t.Fatal(err)
		}
	}
	verify()
	if alarms(t, u, alarmVerify) != 1 {
		t.Error("nobody is told that an earlier proof differs")
	}
}

// TestEndedGeneration: what was kept before a restore is kept by the same policy, and then deleted, to the
// last base.
func TestEndedGeneration(t *testing.T) {
	p := newPair(t)
	p.zombie.Close()
	o := p.options(t)
	var err error
	if o.Keep, err = catalog.Parse("any minute for 1 day, days for 10 days"); err != nil {
		t.Fatal(err)
	}
	old := startFeed(t, o)
	days := func(f **Feed, n int) {
		t.Helper()
		for range n {
			p.minutes(t, f, 2)
			p.clock.pass(12 * time.Hour)
			p.minutes(t, f, 2)
			p.clock.pass(12*time.Hour - 4*time.Minute)
			if err := (*f).u.Care(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	days(&old, 3)
	old.Close()
	p.note(t)
	last, midnight := p.durable(t), p.clock.now().Truncate(24*time.Hour).Add(-24*time.Hour)
	ended := p.clock.now()

	// Another cluster goes on in the next generation.
	if ours, err := Generations(p.shelf.store, "prod").Claim(t.Context(), 1, "a test's"); err != nil || !ours {
		t.Fatal(err)
	}
	next := newPair(t)
	next.zombie.Close()
	p.client, o.Source.Client = next.client, next.client
	o.Store = p.shelf.store
	young := startFeed(t, o)
	if young.u.shelf.place.generation != 1 {
		t.Fatalf("the uploader keeps generation %d", young.u.shelf.place.generation)
	}
	if _, err := young.u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	days(&young, 3)
	c := p.load(t)
	if len(c.Bases) != 1 || p.count(t, catalog.Minute)+p.count(t, catalog.Hour) > 0 {
		t.Errorf("of the old generation %d bases, %d minutes and %d hours are left", len(c.Bases), p.count(t, catalog.Minute), p.count(t, catalog.Hour))
	}
	if err := p.restore(t, last); err == nil {
		t.Error("an old revision is restored by its number alone, which says nothing of its generation")
	}
	f := restoredFile(t, p.shelf, last)
	f.discard()
	at := func() error {
		_, err := PlanRestore(t.Context(), RestoreOptions{
			Store: p.shelf.store, Cluster: "prod", At: midnight, Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}, DataDir: t.TempDir(),
		})
		return err
	}
	if err := at(); err != nil {
		t.Errorf("midnight before the restore: %v", err)
	}
	days(&young, 6)
	if c := p.load(t); len(c.Bases) != 1 || len(c.Logs) == 0 {
		t.Errorf("%s after its end the old generation has %d bases, %d log objects", p.clock.now().Sub(ended), len(c.Bases), len(c.Logs))
	}
	days(&young, 5)
	for _, name := range p.names(t, "") {
		if !strings.Contains(name, "/verified/") && !strings.HasSuffix(name, "/cluster") {
			t.Errorf("%s after its end the old generation has %s", p.clock.now().Sub(ended), name)
		}
	}
	if err := at(); err == nil {
		t.Error("midnight before the restore is kept for ever")
	}
}
