package backup

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// names is what the store has whose names begin like one.
func (p *pair) names(t *testing.T, prefix string) (all []string) {
	t.Helper()
	for info, err := range p.shelf.store.List(t.Context(), p.shelf.place.root()+prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Name)
	}
	return all
}

// restore restores a revision as the command does, up to the member, and holds it against what the
// cluster had.
func (p *pair) restore(t *testing.T, revision int64) error {
	t.Helper()
	return p.restoreAs(t, RestoreOptions{Revision: revision})
}

func (p *pair) restoreAs(t *testing.T, o RestoreOptions) error {
	t.Helper()
	r, err := PlanRestore(t.Context(), RestoreOptions{
		Store: p.shelf.store, Cluster: "prod", Revision: o.Revision, At: o.At, Identities: o.Identities,
		Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}, DataDir: filepath.Join(t.TempDir(), "m"),
	})
	if err != nil {
		return err
	}
	f, err := r.buildAround(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		return err
	}
	defer f.discard()
	revision := r.Target.Revision
	got, err := hashKV(f.db, revision, revision)
	if err != nil {
		return err
	}
	want, err := hashKV(p.truth.db, revision, revision)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("revision %d is restored as %08x, the cluster had %08x", revision, got, want)
	}
	return nil
}

// damage changes an object as it is in the store.
func (p *pair) damage(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	object, err := p.shelf.store.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, p.shelf.store, name, change(slices.Clone(object)))
}

func flipped(at int) func([]byte) []byte {
	return func(object []byte) []byte {
		object[(at+len(object))%len(object)] ^= 1
		return object
	}
}

func cutShort(object []byte) []byte { return object[:20] }

// TestDamageIsWorkedAround: whichever object is damaged, all points that do not need it are listed,
// verified and restored, it is named, and the next uploader makes up for it.
func TestDamageIsWorkedAround(t *testing.T) {
	for _, test := range []struct {
		what   string
		prefix string
		nth    int // of the objects with the prefix; below 0 from the last one
		change func([]byte) []byte
		lost   []int // minutes whose last revisions cannot be restored
		healed bool  // when an uploader has gone on
	}{
		{"the header of the newest minute", "log/minute/", -1, flipped(10), []int{5}, true},
		{"the payload of the newest minute", "log/minute/", -1, flipped(-1), []int{5}, true},
		{"the header of a minute before the base", "log/minute/", 1, cutShort, []int{1}, false},
		{"the payload of a minute behind the base", "log/minute/", 4, flipped(-9), []int{4, 5}, true},
		{"the newest base's manifest", "base/", -1, flipped(0), nil, true},
		{"a chunk of the newest base", "base/", -2, flipped(-5), nil, true},
	} {
		t.Run(test.what, func(t *testing.T) {
			p := newPair(t)
			var ends []int64
			minutes := func(n int) {
				for range n {
					p.minutes(t, &p.zombie, 1)
					ends = append(ends, p.acked.Load())
				}
			}
			minutes(3)
			p.compact(t, p.durable(t)) // so that the next base does not reach back
			if _, err := p.zombie.u.MakeBase(t.Context(), "a test's"); err != nil {
				t.Fatal(err)
			}
			minutes(3)
			p.zombie.Close()
			p.note(t)
			all := p.names(t, test.prefix)
			name := all[(test.nth+len(all))%len(all)]
			p.damage(t, name, test.change)
			if test.what == "the header of a minute before the base" {
				p.damageNoLog(t)
			}

			check := func(lost []int) {
				t.Helper()
				for i, end := range ends {
					err := p.restore(t, end)
					if slices.Contains(lost, i) != (err != nil) {
						t.Errorf("minute %d: %v", i, err)
					}
					if err != nil && !strings.Contains(err.Error(), strings.TrimPrefix(name, p.shelf.place.root())) {
						t.Errorf("an error that does not name %s: %v", name, err)
					}
				}
			}
			check(test.lost)
			if _, err := List(t.Context(), p.shelf.store, ""); err != nil {
				t.Error(err)
			}
			named := false
			err := Verify(t.Context(), VerifyOptions{Store: p.shelf.store, Cluster: "prod", Scratch: t.TempDir(), Points: -1}, func(f Finding) {
				named = named || strings.Contains(f.What+f.Wrong, strings.TrimPrefix(name, p.shelf.place.root())) && f.Wrong != ""
			})
			if err != nil || !named {
				t.Errorf("verifying: %v; it names %s: %v", err, name, named)
			}

			p.own = p.feed(t)
			p.minutes(t, &p.own, 2)
			p.clock.pass(25 * time.Hour)
			for range 2 { // what is found damaged by one is made up for by the next
				if err := p.own.u.Care(t.Context()); err != nil {
					t.Logf("care: %v", err)
				}
			}
			p.minutes(t, &p.own, 1)
			p.note(t)
			if err := p.restore(t, p.acked.Load()); err != nil {
				t.Errorf("the last revision: %v", err)
			}
			if n := alarms(t, p.own.u); n == 0 {
				t.Error("nobody is told")
			}
			if test.healed {
				test.lost = nil
			}
			check(test.lost)
		})
	}
}

// TestDamageAtAnInstant: an instant that a damaged object has is told with the revision before it, and one
// before it is restored.
func TestDamageAtAnInstant(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 2)
	at := p.clock.now()
	p.minutes(t, &p.zombie, 1)
	write(t, p.client, p.random, 5)
	p.clock.pass(30 * time.Second)
	write(t, p.client, p.random, 5)
	p.minutes(t, &p.zombie, 1)
	p.note(t)
	all := p.names(t, "log/minute/")
	p.damage(t, all[len(all)-1], flipped(-1))
	if err := p.restoreAs(t, RestoreOptions{At: at.Add(-time.Second)}); err != nil {
		t.Error(err)
	}
	err := p.restoreAs(t, RestoreOptions{At: p.clock.now().Add(-time.Minute)})
	if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(all[len(all)-1], p.shelf.place.root())) {
		t.Errorf("an instant in what is damaged: %v", err)
	}
	t.Log(err)
}

// damageNoLog puts an object where only logs should be, and one that names no base.
func (p *pair) damageNoLog(t *testing.T) {
	t.Helper()
	for _, name := range []string{"log/minute/notes.txt", "base/notes.txt"} {
		if err := p.shelf.store.Create(t.Context(), p.shelf.place.root()+name, []byte("mine"), blob.Standard); err != nil {
			t.Fatal(err)
		}
	}
}

// A spoiling store damages the first objects of a kind as it takes them.
type spoiling struct {
	blob.Store
	kind  string
	times int
}

func (s *spoiling) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if strings.Contains(name, s.kind) && s.times > 0 {
		s.times--
		data = flipped(-20)(slices.Clone(data))
	}
	return s.Store.Create(ctx, name, data, class)
}

// TestDamagedMerge: minutes are not deleted for an hour that is damaged, whoever made it, and
// whether or not its reader came to see it. It is made again.
func TestDamagedMerge(t *testing.T) {
	for _, test := range []struct {
		what   string
		before func(*testing.T, *pair, *spoiling) // it is cared for
		failed int                                // of the cares
	}{
		{"once", func(_ *testing.T, _ *pair, s *spoiling) { s.times = 1 }, 0},
		{"each time for a while", func(_ *testing.T, _ *pair, s *spoiling) { s.times = 5 }, 2},
		{"by one that died before it read it", func(t *testing.T, p *pair, s *spoiling) {
			p.care(t, p.zombie) // hours, of which the minutes are gone
			p.minutes(t, &p.zombie, 5)
			p.clock.pass(2 * time.Hour)
			c := p.load(t)
			for _, r := range c.Plan(p.zombie.u.o.Keep, p.clock.now()).Merge {
				if err := p.zombie.u.rewrite(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				p.damage(t, p.shelf.place.log(r.Level, r.First), flipped(-20))
			}
			p.zombie.Close()
			p.zombie = p.feed(t)
		}, 1},
	} {
		t.Run(test.what, func(t *testing.T) {
			p := newPair(t)
			s := &spoiling{Store: p.shelf.store, kind: "/log/hour/"}
			p.zombie.Close()
			p.shelf.store = s
			p.zombie = p.feed(t)
			p.minutes(t, &p.zombie, 8)
			p.clock.pass(2 * time.Hour)
			test.before(t, p, s)
			failed := 0
			for range 8 {
				if err := p.zombie.u.Care(t.Context()); err != nil {
					failed++
					t.Log(err)
					if !errors.Is(err, segment.ErrDamaged) {
						t.Error("it is no error about damage")
					}
				} else {
					p.judge(t, p.random)
				}
				p.note(t)
				if err := p.restore(t, p.acked.Load()); err != nil {
					t.Error(err)
				}
			}
			if failed != test.failed {
				t.Errorf("%d cares failed, expected %d", failed, test.failed)
			}
			for _, l := range p.load(t).Logs {
				if l.Level == catalog.Minute {
					t.Errorf("%s is left", l)
				}
			}
		})
	}
}

// TestNoIdentityDeletesNothing: who cannot read what covers a minute does not delete it.
func TestNoIdentityDeletesNothing(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 5)
	p.clock.pass(2 * time.Hour)
	if err := p.zombie.u.Care(t.Context()); err != nil { // makes an hour
		t.Fatal(err)
	}
	blind := p.feed(t).u
	blind.o.Recipients = append(blind.o.Recipients, nil)
	before := len(p.load(t).Logs)
	at, may, err := blind.storeTime(t.Context(), p.load(t))
	if err == nil {
		err = blind.tidy(t.Context(), p.load(t), at, may)
	}
	if n := len(p.load(t).Logs); err != nil || !may || n != before {
		t.Errorf("%v; of %d objects %d are left", err, before, n)
	}
}

// TestDamagedBaseDeletesNothing: the base and the log before a base are not deleted for its sake when it is
// damaged, though all that is kept is behind it.
func TestDamagedBaseDeletesNothing(t *testing.T) {
	p := newPair(t)
	p.zombie.u.o.Keep = catalog.Policy{Any: 24 * time.Hour}
	p.minutes(t, &p.zombie, 3)
	p.compact(t, p.durable(t))
	if _, err := p.zombie.u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	p.minutes(t, &p.zombie, 3)
	p.note(t)
	chunk := slices.DeleteFunc(p.names(t, "base/"), func(name string) bool { return strings.HasSuffix(name, "/manifest") })[1]
	p.damage(t, chunk, flipped(-5))
	p.clock.pass(4 * 24 * time.Hour)
	for range 3 {
		if err := p.zombie.u.Care(t.Context()); err != nil {
			t.Log(err)
		}
		if err := p.restore(t, p.acked.Load()); err != nil {
			t.Fatal(err)
		}
	}
	c := p.load(t)
	if alarms(t, p.zombie.u, alarmCare) == 0 {
		t.Error("nobody is told")
	}
	// What is there now leads to the end without it.
	spoiled, _, _ := strings.Cut(strings.TrimPrefix(chunk, p.shelf.place.bases()), "/")
	c.Bases = slices.DeleteFunc(c.Bases, func(b catalog.Base) bool { return b.Folder() == spoiled })
	if c.Durable().Revision != p.acked.Load() {
		t.Errorf("without the damaged base, %v is left", c.Restorable())
	}
}
