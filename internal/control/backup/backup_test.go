package backup

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

// dialer connects to one member.
func dialer(endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
}

// history is HashKV of revisions, as the source gave it.
type history []struct {
	revision, compacted int64
	hash                uint32
}

// TestRestoreIsTheSource: what was restored to a revision has the hash that the source had
// then, and a member starts of it.
func TestRestoreIsTheSource(t *testing.T) {
	t.Parallel() // most of the time it waits for etcd
	c := etcd.Start(t, 3)
	client := c.Client(t)
	store, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	u, err := NewUploader(ctx, Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Every: 20 * time.Millisecond, Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5005, 1))
	write(t, client, random, 300)
	running := make(chan error, 1)
	go func() { running <- u.Run(ctx) }()
	defer func() { cancel(); <-running }()
	waitForBase(t, u)
	var seen history
	for range 20 {
		write(t, client, random, 40)
		r := hashNow(t, client)
		seen = append(seen, r)
		if random.IntN(4) == 0 {
			upTo := r.revision - int64(random.IntN(20))
			if err := u.WaitDurable(ctx, upTo); err != nil { // less than a second of history is for nobody who follows
				t.Fatal(err)
			}
			if _, err := client.Compact(t.Context(), upTo, clientv3.WithCompactPhysical()); err != nil {
				t.Fatal(err)
			}
		}
	}
	final := seen[len(seen)-1].revision
	if err := u.WaitDurable(ctx, final); err != nil {
		t.Fatal(err)
	}
	for _, want := range seen {
		f := restoredFile(t, u.shelf, want.revision)
		got, err := hashKV(f.db, want.compacted, want.revision)
		if err != nil || got != want.hash {
			t.Errorf("revision %d compacted at %d: hash %08x (%v), the source had %08x", want.revision, want.compacted, got, err, want.hash)
		}
		f.discard()
	}

	dir := filepath.Join(t.TempDir(), "m")
	plan, err := PlanRestore(ctx, RestoreOptions{Store: store, Cluster: "prod", DataDir: dir, Name: "m", Members: map[string]string{"m": "http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := plan.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := member.Start(ctx, member.Options{Dir: dir, Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	restored, err := m.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	a, err := client.Get(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(final))
	if err != nil {
		t.Fatal(err)
	}
	b, err := restored.Get(ctx, "\x00", clientv3.WithFromKey())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Kvs) == 0 || fmt.Sprint(a.Kvs) != fmt.Sprint(b.Kvs) {
		t.Errorf("%d keys at the source, %d restored, or they differ", len(a.Kvs), len(b.Kvs))
	}
	if b.Header.Revision != done.Revision {
		t.Errorf("restored at revision %d, said to be %d", b.Header.Revision, done.Revision)
	}
}

// write makes random changes: puts, deletions, of ranges too, several in a transaction, and
// keys on leases.
func write(t *testing.T, client *clientv3.Client, random *rand.Rand, n int) {
	t.Helper()
	key := func() string { return fmt.Sprintf("k/%03d", random.IntN(200)) }
	for range n {
		var err error
		switch random.IntN(8) {
		case 0:
			_, err = client.Delete(t.Context(), key())
		case 1:
			from := key()
			_, err = client.Delete(t.Context(), from, clientv3.WithRange(from+"\xff"))
		case 2:
			_, err = client.Txn(t.Context()).Then(clientv3.OpPut("a/"+key(), "1"), clientv3.OpDelete(key()), clientv3.OpPut("b/"+key(), "2")).Commit()
		case 3:
			var lease *clientv3.LeaseGrantResponse
			if lease, err = client.Grant(t.Context(), 600); err == nil {
				_, err = client.Put(t.Context(), key(), "leased", clientv3.WithLease(lease.ID))
			}
		default:
			_, err = client.Put(t.Context(), key(), fmt.Sprint(random.Int()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func hashNow(t *testing.T, client *clientv3.Client) (h struct {
	revision, compacted int64
	hash                uint32
}) {
	t.Helper()
	r, err := client.HashKV(t.Context(), client.Endpoints()[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	h.revision, h.compacted, h.hash = r.HashRevision, r.CompactRevision, r.Hash
	return h
}

func restoredFile(t *testing.T, s *shelf, revision int64) *storeFile {
	t.Helper()
	c, err := s.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	chain, err := c.Chain(revision)
	if err != nil {
		t.Fatal(err)
	}
	f, err := (&builder{shelf: s}).build(t.Context(), filepath.Join(t.TempDir(), "db"), chain, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func waitForBase(t *testing.T, u *Uploader) {
	t.Helper()
	for t.Context().Err() == nil {
		c, err := newShelf(u.o.Store, u.shelf.place).load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Bases) > 0 {
			return
		}
	}
}

// testLog logs what somebody should know to the test.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", p)
	}
	return len(p), nil
}
