package backup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/testkit/etcd"
)

// TestPlain: a backup that is encrypted does not go on in the clear, in this generation or
// the next, unless somebody says so; one in the clear goes on.
func TestPlain(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir(), Log: testLog(t)}
	begin := func(change func(*Options)) error {
		o := o
		change(&o)
		u, err := NewUploader(t.Context(), o)
		if err == nil {
			_, err = u.MakeBase(t.Context(), "it is a test")
		}
		return err
	}
	plain := func(*Options) {}
	mine := func(o *Options) { o.Recipients = []age.Recipient{key.Recipient()} }
	if err := begin(plain); err != nil {
		t.Fatalf("nothing is there yet: %v", err)
	}
	if err := begin(plain); err != nil {
		t.Fatalf("what is there is in the clear: %v", err)
	}
	if _, err := client.Put(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if err := begin(mine); err != nil {
		t.Fatal(err)
	}
	refused := func(when string) {
		t.Helper()
		if err := begin(plain); !errors.Is(err, ErrPlain) || !strings.Contains(err.Error(), key.Recipient().String()) {
			t.Errorf("%s: %v; want ErrPlain, and for whom it was", when, err)
		}
	}
	refused("the newest base is encrypted")
	if err := RunElected(t.Context(), o); !errors.Is(err, ErrPlain) {
		t.Errorf("an elected uploader ends with %v", err)
	}
	// A restore has begun a generation, which has no base yet, and is another cluster's.
	if _, err := Generations(store, "prod").Claim(t.Context(), 1, "restored"); err != nil {
		t.Fatal(err)
	}
	o.Source.Client = etcd.Start(t, 1).Client(t)
	refused("the generation before is encrypted")
	if err := begin(func(o *Options) { o.Plain = true }); err != nil {
		t.Errorf("--plain: %v", err)
	}
	if err := begin(plain); err != nil {
		t.Errorf("it is in the clear now: %v", err)
	}
}

// keys are some that read backups.
func keys(t *testing.T, n int) (all []*age.X25519Identity) {
	t.Helper()
	for range n {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}

func recipientsOf(all ...*age.X25519Identity) (recipients []age.Recipient) {
	for _, key := range all {
		recipients = append(recipients, key.Recipient())
	}
	return recipients
}

// TestDropped: a key that reads a backup does not drop out of it, in this generation or the next, unless
// somebody names it; others may come, in any order.
func TestDropped(t *testing.T) {
	client, store := etcd.Start(t, 1).Client(t), openFolder(t, t.TempDir())
	key := keys(t, 3)
	verifier, recovery, another := key[0], key[1], key[2]
	o := Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir(), Log: testLog(t)}
	begin := func(dropped []age.Recipient, recipients ...*age.X25519Identity) (*Uploader, error) {
		o := o
		o.Recipients, o.Dropped = recipientsOf(recipients...), dropped
		return NewUploader(t.Context(), o)
	}
	base := func(u *Uploader, err error) {
		t.Helper()
		if err == nil {
			_, err = u.MakeBase(t.Context(), "a test's")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	base(begin(nil, verifier, recovery))
	refused := func(when string) {
		t.Helper()
		_, err := begin(nil, another, verifier)
		if !errors.Is(err, ErrDropped) {
			t.Fatalf("%s: %v; want ErrDropped", when, err)
		}
		gone := recovery.Recipient().String()
		for _, mention := range []string{"of prod", "without " + gone + ": name it again", "--drop-recipient " + gone, verifier.Recipient().String() + ", " + gone} {
			if !strings.Contains(err.Error(), mention) {
				t.Errorf("%s: %v does not mention %q", when, err, mention)
			}
		}
	}
	refused("the recovery key is left out")
	elected := o
	elected.Recipients = recipientsOf(verifier)
	if err := RunElected(t.Context(), elected); !errors.Is(err, ErrDropped) {
		t.Errorf("an elected uploader ends with %v", err)
	}
	if _, err := begin(recipientsOf(another), verifier); !errors.Is(err, ErrDropped) {
		t.Errorf("another one is named: %v", err)
	}
	if _, err := begin(nil, another, recovery, verifier); err != nil {
		t.Errorf("one more, in another order: %v", err)
	}
	// A restore has begun a generation, which has no base yet, and is another cluster's.
	if _, err := Generations(store, "prod").Claim(t.Context(), 1, "restored"); err != nil {
		t.Fatal(err)
	}
	o.Source.Client = etcd.Start(t, 1).Client(t)
	refused("in the next generation")
	base(begin(recipientsOf(recovery), verifier, another))
	if _, err := begin(nil, verifier, another); err != nil {
		t.Errorf("the newest base is without it, as somebody said: %v", err)
	}
}

// TestReadersOfTheNextBase: who is added to the recipients has a base within the hour, and it is the last
// one made for that. An uploader whose recipients are fewer than those of a base that another one has made
// says so, and makes none.
func TestReadersOfTheNextBase(t *testing.T) {
	p := newPair(t)
	p.minutes(t, &p.zombie, 2)
	p.zombie.Close()
	key := keys(t, 2)
	verifier, recovery := key[0], key[1]
	begin := func(recipients ...*age.X25519Identity) *Uploader {
		t.Helper()
		o := p.options(t)
		o.Recipients, o.Identities = recipientsOf(recipients...), []age.Identity{verifier}
		u, err := NewUploader(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	// care says whether an uploader's care makes a base, and for whom the newest is.
	care := func(u *Uploader) (made bool, readers []string) {
		t.Helper()
		before, _ := p.load(t).Newest()
		p.clock.pass(time.Hour)
		if err := u.Care(t.Context()); err != nil {
			t.Fatal(err)
		}
		newest, _ := p.load(t).Newest()
		m, err := p.shelf.manifest(t.Context(), newest.Folder())
		if err != nil {
			t.Fatal(err)
		}
		return newest.Folder() != before.Folder(), m.Recipients
	}
	one := begin(verifier)
	if made, readers := care(one); !made || len(readers) != 1 {
		t.Errorf("behind one in the clear one is made: %v, for %q", made, readers)
	}
	both := begin(recovery, verifier)
	if made, readers := care(both); !made || !slices.Equal(readers, recipientTexts(recipientsOf(recovery, verifier))) {
		t.Errorf("for one more one is made: %v, for %q", made, readers)
	}
	if made, _ := care(both); made {
		t.Error("once more one is made")
	}
	p.note(t)
	if err := p.restoreAs(t, RestoreOptions{Identities: []age.Identity{recovery}}); err != nil {
		t.Errorf("the key that was added: %v", err)
	}
	if n := alarms(t, both); n > 0 {
		t.Errorf("%d alarms", n)
	}
	if made, _ := care(one); made || alarms(t, one, alarmReaders) != 1 {
		t.Errorf("an uploader of before makes one: %v, and raises %d alarms", made, alarms(t, one, alarmReaders))
	}
	// Who verifies hears who reads it.
	o := p.options(t)
	o.Recipients, o.Dropped = recipientsOf(verifier), recipientsOf(recovery)
	u, err := NewUploader(t.Context(), o)
	if err == nil {
		p.clock.pass(time.Second)
		_, err = u.MakeBase(t.Context(), "a test's")
	}
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	if err := Verify(t.Context(), VerifyOptions{Store: p.shelf.store, Cluster: "prod", Identities: []age.Identity{verifier}, Scratch: t.TempDir()}, func(f Finding) {
		if told += f.What + "\n"; f.Err != nil {
			t.Errorf("%s: %v", f.What, f.Err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if want := ", for " + verifier.Recipient().String() + "; no longer for " + recovery.Recipient().String() + "\n"; !strings.Contains(told, want) {
		t.Errorf("verifying says\n%swant %q", told, want)
	}
}
