package backup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/testkit/etcd"
)

// received counts what a client's connections have received.
type received struct {
	net.Conn
	bytes *atomic.Int64
}

func (r received) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.bytes.Add(int64(n))
	return n, err
}

// TestOutage: while the store fails, however much the cluster writes, an uploader takes no more
// of it than it has room for; afterwards all of it is in the store.
func TestOutage(t *testing.T) {
	t.Parallel() // most of the time a store that failed is left alone for a while
	const seed, values, size, room = 5011, 60, 400 << 10, 2 << 20
	cluster := etcd.Start(t, 1)
	client := cluster.Client(t)
	var bytes atomic.Int64
	counted, err := clientv3.New(clientv3.Config{
		Endpoints: cluster.Endpoints(), Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(address, "http://"))
			return received{c, &bytes}, err
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = counted.Close() }()
	store := openFolder(t, t.TempDir())
	faulty := blobtest.Faulty(store, nil)
	ctx, cancel := context.WithCancel(t.Context())
	u, err := NewUploader(ctx, Options{Source: Source{counted, dialer}, Store: faulty, Cluster: "prod", Every: 20 * time.Millisecond, Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	u.room = room
	if _, err := u.MakeBase(ctx, "a test's"); err != nil {
		t.Fatal(err)
	}
	f, err := u.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	go func() {
		for {
			err := f.wait(ctx)
			if err == nil {
				err = f.Upload(ctx)
			}
			if err != nil {
				running <- err
				return
			}
		}
	}()
	defer func() { cancel(); <-running; f.Close() }()
	random := rand.New(rand.NewPCG(seed, 1))
	write(t, client, random, 5)
	if err := u.WaitDurable(ctx, hashNow(t, client).revision); err != nil {
		t.Fatal(err)
	}

	faulty.SetPlan(func(blobtest.Call) blobtest.Fault { return blobtest.Fault{Before: blobtest.ErrUnreached} })
	before, from := bytes.Load(), u.Durable()+1
	value, noise := make([]byte, size), rand.NewChaCha8([32]byte{seed & 0xff, seed >> 8})
	for i := range values {
		_, _ = noise.Read(value) // never fails
		put, err := client.Put(ctx, fmt.Sprint(i), string(value))
		if err != nil {
			t.Fatal(err)
		}
		// What comes faster than it is compressed waits in etcd's client, and is not what this is about.
		if err := f.t.until(ctx, func() bool { return f.t.end >= put.Header.Revision || !f.t.roomy() }); err != nil {
			t.Fatal(err)
		}
	}
	// Who reads has all of it by now, so the uploader would have too.
	last := hashNow(t, client)
	for answer := range client.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(from)) {
		if n := len(answer.Events); n > 0 && answer.Events[n-1].Kv.ModRevision >= last.revision {
			break
		}
	}
	took := bytes.Load() - before
	t.Logf("of %d MiB the uploader has taken %d, with room for %d", values*size>>20, took>>20, room>>20)
	// An object that is to be uploaded, what was gathered behind it, and what was on its way.
	if took > 4*room {
		t.Errorf("the uploader has taken %d bytes, with room for %d", took, room)
	}

	faulty.SetPlan(nil)
	if err := u.WaitDurable(ctx, last.revision); err != nil {
		t.Fatal(err)
	}
	restored := restoredFile(t, newShelf(store, u.shelf.place), last.revision)
	defer restored.discard()
	if got, err := hashKV(restored.db, last.compacted, last.revision); err != nil || got != last.hash {
		t.Errorf("restored as %08x (%v), the cluster had %08x", got, err, last.hash)
	}
	if n := alarms(t, u); n > 0 {
		t.Errorf("%d alarms", n)
	}
}
