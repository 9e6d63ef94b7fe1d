package backup

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

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

// slowStream delays what comes by a stream.
type slowStream struct{ grpc.ClientStream }

func (s slowStream) RecvMsg(m any) error {
	<-time.After(2 * pieceTime)
	return s.ClientStream.RecvMsg(m)
}

// TestFarBehind: what takes long to read is uploaded in pieces, so that an uploader that dies
// often gets on.
func TestFarBehind(t *testing.T) {
	t.Parallel() // most of the time it waits for etcd
	cluster := etcd.Start(t, 1)
	client := cluster.Client(t)
	slow, err := clientv3.New(clientv3.Config{
		Endpoints: cluster.Endpoints(), Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := open(ctx, d, c, method, o...)
			return slowStream{s}, err
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	w := watchOver(t, client, openFolder(t, t.TempDir()), 1, 0)
	u, err := NewUploader(t.Context(), Options{Source: Source{slow, dialer}, Store: w.shelf.store, Cluster: "prod", Scratch: t.TempDir(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5018, 1))
	write(t, client, random, 4500) // a watch that begins has a thousand in each answer
	w.acked.Store(hashNow(t, client).revision)
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for u.Durable() < w.acked.Load() {
		if f.due.After(time.Now()) {
			t.Fatalf("the store is at revision %d of %d, and the next object is due at %s", u.Durable(), w.acked.Load(), f.due)
		}
		if err := f.Upload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.judge(t, random)
	if c, err := w.shelf.load(t.Context()); err != nil || len(c.Logs) < 2 {
		t.Errorf("%d objects, %v", len(c.Logs), err)
	}
}
