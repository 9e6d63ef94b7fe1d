package backup

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/backup/catalog"
)

// TestBaseOfTheSameRevision: users, roles and recipients change without a revision, and the base
// that is made for their sake is another one.
func TestBaseOfTheSameRevision(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 2)
	u := p.zombie.u
	first, err := u.MakeBase(t.Context(), "a test's")
	if err != nil {
		t.Fatal(err)
	}
	p.clock.pass(time.Second)
	if _, err := p.client.UserAdd(t.Context(), "somebody", "a password"); err != nil {
		t.Fatal(err)
	}
	if changed, err := u.authChanged(t.Context(), p.load(t)); !changed || err != nil {
		t.Fatalf("users have changed: %v, %v", changed, err)
	}
	if err := u.Care(t.Context()); err != nil { // which sees that they have
		t.Fatal(err)
	}
	c := p.load(t)
	newest, _ := c.Newest()
	second, err := u.shelf.manifest(t.Context(), newest.Folder())
	if err != nil || second.Revision != first.Revision || second.AuthRevision == first.AuthRevision {
		t.Fatalf("%v; the first base is %+v, the next one %+v", err, first, second)
	}
	if changed, err := u.authChanged(t.Context(), c); changed || err != nil {
		t.Errorf("users have changed since: %v, %v", changed, err)
	}
	bases := len(c.Bases)
	if err := u.Care(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := p.load(t); len(c.Bases) > bases || len(c.Orphans) > 0 {
		t.Errorf("%d bases where there were %d, and orphans %v", len(c.Bases), bases, c.Orphans)
	}

	p.clock.pass(time.Second)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o := p.options(t)
	o.Recipients, o.Identities = []age.Recipient{identity.Recipient()}, []age.Identity{identity}
	secret, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	third, err := secret.MakeBase(t.Context(), "there are recipients now")
	if err != nil || !third.Encrypted || third.Revision != first.Revision {
		t.Fatalf("%v; the base is %+v", err, third)
	}
	// The newest of one revision is what is restored.
	r, err := PlanRestore(t.Context(), RestoreOptions{
		Store: p.shelf.store, Cluster: "prod", Identities: o.Identities,
		Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}, DataDir: filepath.Join(t.TempDir(), "m"),
	})
	if err != nil || r.chain.Base.Folder() != third.folder {
		t.Errorf("%v; restored is %s, expected %s", err, r.chain.Base, third.folder)
	}
}

// TestOldBase: a base whose folder is its revision alone, as older versions made it, is read and
// deleted like others.
func TestOldBase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 2)
	m, err := p.zombie.u.MakeBase(t.Context(), "a test's")
	if err != nil {
		t.Fatal(err)
	}
	old := catalog.Base{Revision: m.Revision}.Folder()
	for _, name := range append([]string{"manifest"}, m.Chunks[0].SHA256) {
		object, err := p.shelf.store.Get(t.Context(), p.shelf.place.chunk(m.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(
			p.shelf.store.Delete(t.Context(), p.shelf.place.chunk(m.folder, name)),
			p.shelf.store.Create(t.Context(), p.shelf.place.chunk(old, name), object, blob.Standard),
		); err != nil {
			t.Fatal(err)
		}
	}
	p.note(t)
	if err := p.restore(t, m.Revision); err != nil {
		t.Error(err)
	}
	c := p.load(t)
	newest, _ := c.Newest()
	if newest.Folder() != old || len(c.Orphans) > 0 || len(c.Damaged) > 0 {
		t.Errorf("the newest base is %s, orphans are %v, damaged is %v", newest, c.Orphans, c.Damaged)
	}
	if err := p.feed(t).u.remove(t.Context(), catalog.Deletion{Base: &newest}); err != nil {
		t.Fatal(err)
	}
	if left := p.names(t, "base/"+old+"/"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}
