package backup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

// TestMembersBreak keeps a cluster of three while writers write without end: it is compacted
// under the watch, its leader goes away, a member is replaced, and bases are made of it
// all the while.
func TestMembersBreak(t *testing.T) {
	t.Parallel() // most of the time it waits for etcd
	seed := rand.Uint64N(1_000_000) + 1
	t.Logf("seed %d", seed)
	cluster := etcd.Start(t, 3)
	client := cluster.Client(t)
	store := openFolder(t, t.TempDir())
	w := watchOver(t, client, store, seed, 2, func(w *witness) { w.tolerant = true })
	ctx, cancel := context.WithCancel(t.Context())
	u, err := NewUploader(ctx, Options{Source: Source{client, dialer}, Store: store, Cluster: "prod", Every: 100 * time.Millisecond, Scratch: t.TempDir(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- u.Run(ctx) }()
	defer func() { cancel(); <-running }()
	goesOn := func() {
		t.Helper()
		until := w.acked.Load() + 100
		await(t, func() bool { return u.Durable() >= until })
	}
	base := func() {
		t.Helper()
		if _, err := u.MakeBase(ctx, "a test's"); err != nil {
			t.Error(err)
		}
	}
	waitForBase(t, u)
	goesOn()
	w.compact(t, u.Durable())
	leader := cluster.Leader(t)
	cluster.Stop(leader)
	goesOn()
	base() // with a member missing
	cluster.Restart(t, leader)
	goesOn()

	replaced := (cluster.Leader(t) + 1) % 3
	id := cluster.Member(replaced).ID()
	cluster.Stop(replaced)
	// etcd takes a cluster for unhealthy whose members have not talked for long.
	await(t, func() bool {
		_, err := client.MemberRemove(ctx, id)
		return err == nil || errors.Is(err, rpctypes.ErrMemberNotFound)
	})
	cluster.Wipe(t, replaced)
	await(t, func() bool {
		_, err := client.MemberAdd(ctx, []string{cluster.PeerURL(replaced)})
		return err == nil
	})
	cluster.Join(t, replaced)
	w.compact(t, u.Durable())
	base()
	goesOn()

	w.rest()
	if err := u.WaitDurable(ctx, w.acked.Load()); err != nil {
		t.Fatal(err)
	}
	if n := alarms(t, u); n > 0 {
		t.Errorf("%d alarms", n)
	}
	w.judge(t, rand.New(rand.NewPCG(seed, 99)))
}

// TestLargeRevisions: answers of a watch that are larger than a message may be come in parts,
// even of one revision.
func TestLargeRevisions(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	cluster := etcd.Start(t, 1, func(o *member.Options) { o.MaxRequest = 16 << 20 })
	client, err := clientv3.New(clientv3.Config{Endpoints: cluster.Endpoints(), Logger: zap.NewNop(), MaxCallSendMsgSize: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	w := watchOver(t, client, openFolder(t, t.TempDir()), 1, 0)
	u, err := NewUploader(t.Context(), Options{Source: Source{client, dialer}, Store: w.shelf.store, Cluster: "prod", Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5014, 1))
	large := func(puts, size int) {
		var ops []clientv3.Op
		for i := range puts {
			value := make([]byte, size)
			for j := range value {
				value[j] = byte(random.Uint32())
			}
			ops = append(ops, clientv3.OpPut(fmt.Sprint("large/", i), string(value)))
		}
		if _, err := client.Txn(t.Context()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	both := func() {
		for range 3 {
			large(10, 140<<10) // together they are more than a message
		}
		large(40, 100<<10) // it is by itself
		if _, err := client.Delete(t.Context(), "large/", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
	}
	both() // while nobody follows
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	both()
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.acked.Store(hashNow(t, client).revision)
	w.judge(t, random)
}

// TestManyLeases: of ten thousand leases, all that are there when the cluster is lost are
// restored for as long as they had been granted for.
func TestManyLeases(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	cluster := etcd.Start(t, 1)
	client := cluster.Client(t)
	// The uploader is a millisecond away.
	far, err := clientv3.New(clientv3.Config{
		Endpoints: cluster.Endpoints(), Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, q, a any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
			<-time.After(time.Millisecond)
			return invoke(ctx, method, q, a, c, o...)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	store := openFolder(t, t.TempDir())
	u, err := NewUploader(t.Context(), Options{Source: Source{far, dialer}, Store: store, Cluster: "prod", Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.MakeBase(t.Context(), "a test's"); err != nil {
		t.Fatal(err)
	}
	const leases, writers = 10_000, 50
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for n := i; n < leases; n += writers {
				ttl := int64(1000 + n)
				lease, err := client.Grant(t.Context(), ttl)
				if err == nil {
					_, err = client.Put(t.Context(), fmt.Sprintf("leased/%05d", n), "", clientv3.WithLease(lease.ID))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	restored := restoredFile(t, newShelf(store, u.shelf.place), hashNow(t, client).revision)
	defer restored.discard()
	wrong := 0
	for key, id := range restored.leased {
		var n int64
		if _, err := fmt.Sscanf(key, "leased/%d", &n); err != nil || restored.ttl[id] != 1000+n {
			wrong++
		}
	}
	if len(restored.leased) != leases || wrong > 0 {
		t.Errorf("%d leases are restored, %d of them for another time than they were granted for", len(restored.leased), wrong)
	}
}
