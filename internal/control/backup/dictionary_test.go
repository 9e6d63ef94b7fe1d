package backup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
	"towpath.dev/internal/control/backup/segment"
)

// fill puts so many keys, such as a dictionary is made of.
func fill(t *testing.T, client *clientv3.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := client.Put(t.Context(), fmt.Sprintf("offer/%03d", i), fmt.Sprintf(`{"id":%d,"price":{"amount":"%d.99","currency":"EUR"},"active":true}`, i, i*7%97)); err != nil {
			t.Fatal(err)
		}
	}
}

// load is what the store has, as a person would find it there.
func (p *pair) load(t *testing.T) catalog.Catalog {
	t.Helper()
	c, err := newShelf(p.shelf.store, p.shelf.place).load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// behind counts log objects by their dictionaries.
func behind(c catalog.Catalog) map[string]int {
	n := map[string]int{}
	for _, l := range c.Logs {
		n[l.Dictionary]++
	}
	return n
}

// base makes a base in a store of hundreds of rows, and is the dictionary that came with it.
func (p *pair) base(t *testing.T, u *Uploader) string {
	t.Helper()
	fill(t, p.client, 400)
	before := p.load(t).Dictionaries
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	for _, d := range p.load(t).Dictionaries {
		if !slices.ContainsFunc(before, func(old catalog.Dictionary) bool { return old.Name == d.Name }) {
			return d.Name
		}
	}
	t.Fatal("no dictionary came with the base")
	return ""
}

// TestDictionaryOutlivesItsBase: minutes are behind the newest dictionary, which is there as long as one
// of them is, whatever becomes of its base; and all of them are restored.
func TestDictionaryOutlivesItsBase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 1)
	if n := behind(p.load(t)); n[""] != 1 {
		t.Errorf("before there is a dictionary, objects are behind %v", n)
	}
	p.zombie.Close()
	p.own = p.feed(t)
	first := p.base(t, p.own.u)
	p.minutes(t, &p.own, 3)
	second := p.base(t, p.own.u)
	p.minutes(t, &p.own, 2)
	if n := behind(p.load(t)); n[first] != 3 || n[second] != 2 {
		t.Errorf("objects are behind %v, expected 3 behind %s and 2 behind %s", n, first, second)
	}
	// Another uploader finds the newest one.
	p.own.Close()
	p.own = p.feed(t)
	p.own.u.due(t.Context())
	p.minutes(t, &p.own, 2)
	if n := behind(p.load(t)); n[second] != 4 {
		t.Errorf("another uploader's are behind %v, expected 4 behind %s", n, second)
	}
	p.judge(t, p.random)

	// The first base goes, by which the first dictionary came; long after, its minutes are merged.
	c := p.load(t)
	if err := p.own.u.remove(t.Context(), catalog.Deletion{Base: &c.Bases[0]}); err != nil {
		t.Fatal(err)
	}
	p.clock.pass(20 * 24 * time.Hour)
	there := func() bool {
		return slices.ContainsFunc(p.load(t).Dictionaries, func(d catalog.Dictionary) bool { return d.Name == first })
	}
	rounds := 0
	for ; there(); rounds++ {
		if rounds == 9 {
			t.Fatalf("the dictionary %s is left, and objects are behind %v", first, behind(p.load(t)))
		}
		// Time as the store has it is not the test's.
		c := retimed(p.load(t), p.clock.now().Add(-15*24*time.Hour))
		if err := p.own.u.tidy(t.Context(), c, p.clock.now(), true); err != nil {
			t.Fatal(err)
		}
		c = p.load(t)
		if n := behind(c); len(c.Lost) > 0 || n[first] > 0 && !there() {
			t.Fatalf("round %d: %+v are lost", rounds, c.Lost)
		}
		p.judge(t, p.random)
	}
	if n := behind(p.load(t)); n[first] > 0 || rounds < 2 {
		t.Errorf("after %d rounds the dictionary is gone, and %v are left", rounds, n)
	}
}

// retimed is a catalog whose dictionaries were stored from an instant on, a minute apart.
func retimed(c catalog.Catalog, at time.Time) catalog.Catalog {
	slices.SortFunc(c.Dictionaries, func(a, b catalog.Dictionary) int { return a.Time.Compare(b.Time) })
	for i := range c.Dictionaries {
		c.Dictionaries[i].Time = at.Add(time.Duration(i) * time.Minute)
	}
	return c
}

// TestStaleDictionary: who has not looked for a day which dictionary is the newest, uploads without.
func TestStaleDictionary(t *testing.T) {
	p := newPair(t)
	name := p.base(t, p.zombie.u)
	p.minutes(t, &p.zombie, 1)
	p.clock.pass(25 * time.Hour)
	p.minutes(t, &p.zombie, 1)
	if n := behind(p.load(t)); n[name] != 1 || n[""] != 1 {
		t.Errorf("objects are behind %v, expected one behind %s and one behind none", n, name)
	}
	p.zombie.u.useNewest(t.Context(), p.load(t))
	p.minutes(t, &p.zombie, 1)
	if n := behind(p.load(t)); n[name] != 2 {
		t.Errorf("once it has looked, objects are behind %v", n)
	}
	p.judge(t, p.random)
}

// TestLostDictionary: what is behind a dictionary that somebody deleted is named, never taken to
// be what it is not; a base is made, and the backup goes on. A dictionary that is put back heals all.
func TestLostDictionary(t *testing.T) {
	p := newPair(t)
	name := p.base(t, p.zombie.u)
	before := hashNow(t, p.client).revision
	p.minutes(t, &p.zombie, 2)
	p.zombie.Close()
	store, at := p.shelf.store, p.shelf.place.dictionary(name)
	object, err := store.Get(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	restore := func(o RestoreOptions) error {
		o.Store, o.Cluster, o.Name, o.Members = store, "prod", "m", map[string]string{"m": "http://127.0.0.1:1"}
		o.DataDir = filepath.Join(t.TempDir(), "m")
		plan, err := PlanRestore(t.Context(), o)
		if err == nil {
			_, err = plan.Run(t.Context())
		}
		return err
	}
	expect := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, expected %q and the dictionary's name", what, err, want)
		}
		t.Log(err)
	}

	damaged := slices.Clone(object)
	damaged[len(damaged)-1] ^= 1
	replace(t, store, at, damaged)
	err = restore(RestoreOptions{})
	expect("a damaged dictionary", err, "damaged")
	if !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("it is no error about damage: %v", err)
	}

	if err := store.Delete(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if c := p.load(t); len(c.Lost) != 2 || c.Durable().Revision != before {
		t.Fatalf("%+v are lost, and what is durable is %v, expected 2 and %d", c.Lost, c.Durable(), before)
	}
	expect("the last revision", restore(RestoreOptions{}), fmt.Sprintf("add --revision %d", before))
	expect("an instant", restore(RestoreOptions{At: p.clock.now()}), "cannot be read")
	expect("a revision", restore(RestoreOptions{Revision: before + 3}), "cannot be read")
	f := restoredFile(t, newShelf(store, p.shelf.place), before)
	f.discard()
	var wrong []string
	err = Verify(t.Context(), VerifyOptions{Store: store, Cluster: "prod", Scratch: t.TempDir()}, func(f Finding) {
		if f.Wrong != "" {
			wrong = append(wrong, f.What)
		}
	})
	if err != nil || len(wrong) != 2 {
		t.Errorf("verifying finds %q wrong, %v", wrong, err)
	}

	p.own = p.feed(t)
	fill(t, p.client, 100)
	p.minutes(t, &p.own, 2)
	p.compact(t, before+60)
	bases := len(p.load(t).Bases)
	if err := p.own.u.Care(t.Context()); err != nil {
		t.Error(err)
	}
	p.minutes(t, &p.own, 1)
	c := p.load(t)
	if len(c.Bases) != bases+1 || len(c.Gaps()) != 1 || alarms(t, p.own.u, alarmCare) != 1 {
		t.Errorf("%d bases of %d are new, gaps %v, %d alarms", len(c.Bases)-bases, len(c.Bases), c.Gaps(), alarms(t, p.own.u, alarmCare))
	}
	if err := store.Create(t.Context(), at, object, blob.Standard); err != nil {
		t.Fatal(err)
	}
	c = p.load(t)
	if len(c.Lost)+len(c.Gaps()) > 0 {
		t.Errorf("with the dictionary back, %v are lost, and gaps are %v", c.Lost, c.Gaps())
	}
	p.note(t)
	for revision := before - 1; revision <= c.Durable().Revision; revision += 3 {
		want, err := hashKV(p.truth.db, revision, revision)
		if err != nil {
			t.Fatal(err)
		}
		f := restoredFile(t, newShelf(store, p.shelf.place), revision)
		if got, err := hashKV(f.db, revision, revision); err != nil || got != want {
			t.Errorf("revision %d is restored as %08x (%v), the cluster had %08x", revision, got, err, want)
		}
		f.discard()
	}
}

// replace puts another object in the place of one.
func replace(t *testing.T, store blob.Store, name string, object []byte) {
	t.Helper()
	if err := errors.Join(store.Delete(t.Context(), name), store.Create(t.Context(), name, object, blob.Standard)); err != nil {
		t.Fatal(err)
	}
}

// TestEncryptedDictionary: an uploader that cannot read the dictionary uploads without one, and one that
// made it needs no identity.
func TestEncryptedDictionary(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(t)
	p.zombie.Close()
	begin := func(identities ...age.Identity) {
		t.Helper()
		o := p.options(t)
		o.Recipients, o.Identities = []age.Recipient{identity.Recipient()}, identities
		if p.own != nil {
			p.own.Close()
		}
		p.own = startFeed(t, o)
	}
	expect := func(what, name string, n int) {
		t.Helper()
		p.minutes(t, &p.own, 1)
		c := p.load(t)
		if found := behind(c); found[name] != n {
			t.Errorf("%s: objects are behind %v, expected %d behind %q", what, found, n, name)
		}
		last := c.Durable().Revision
		want := hashNow(t, p.client)
		b := &builder{shelf: newShelf(p.shelf.store, p.shelf.place), identities: []age.Identity{identity}}
		chain, err := c.Chain(last)
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.build(t.Context(), filepath.Join(t.TempDir(), "db"), chain, "")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer f.discard()
		if got, err := hashKV(f.db, want.compacted, last); err != nil || last != want.revision || got != want.hash {
			t.Errorf("%s: revision %d is restored as %08x (%v), the cluster had %08x at %d", what, last, got, err, want.hash, want.revision)
		}
	}
	begin()
	name := p.base(t, p.own.u)
	expect("who made it", name, 1)
	begin()
	p.own.u.due(t.Context())
	expect("who has no identity", "", 1)
	begin(identity)
	p.own.u.due(t.Context())
	expect("who has one", name, 2)
}
