package backup

import (
	"math/rand/v2"
	"testing"
	"time"

	"towpath.dev/internal/testkit/etcd"
)

// TestGoesOnBehindABase: an uploader that died between its base and its first log object
// has one that goes on behind the base, and at once.
func TestGoesOnBehindABase(t *testing.T) {
	client := etcd.Start(t, 1).Client(t)
	o := Options{Source: Source{client, dialer}, Store: openFolder(t, t.TempDir()), Cluster: "prod", Scratch: t.TempDir(), Log: testLog(t)}
	random := rand.New(rand.NewPCG(5008, 1))
	write(t, client, random, 10)
	died, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	base, err := died.MakeBase(t.Context(), "a test's")
	if err != nil {
		t.Fatal(err)
	}
	write(t, client, random, 10)

	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.due.After(time.Now()) {
		t.Errorf("the first object is due at %s", f.due)
	}
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := u.shelf.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last := hashNow(t, client).revision; c.Logs[0].Start != base.Revision+1 || c.Durable().Revision != last {
		t.Errorf("the log begins at revision %d and leads to %d; the base is of %d, and the last revision is %d", c.Logs[0].Start, c.Durable().Revision, base.Revision, last)
	}
}
