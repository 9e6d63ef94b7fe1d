package backup

import (
	"errors"
	"strings"
	"testing"

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
