package etcdstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/storetest"
	"towpath.dev/internal/testkit/etcd"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "the first seed of the comparison")
	seedsFlag = flag.Int("seeds", 3, "how many seeds the comparison takes")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) control.Store { return etcdstore.New(etcd.Start(t, 1).Client(t)) })
}

// TestQuota: a store that is full says so, and can be read.
func TestQuota(t *testing.T) {
	const quota = 1 << 20
	m, err := member.Start(t.Context(), member.Options{Dir: filepath.Join(t.TempDir(), "etcd"), Quota: quota, UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	client, err := m.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	store := etcdstore.New(client)
	if s, err := store.Status(t.Context()); err != nil || s.Quota != quota || s.NoSpace || s.Size == 0 {
		t.Errorf("at first found %+v, %v", s, err)
	}
	for n := 0; !errors.Is(err, election.ErrNoSpace); n++ {
		if n > 1600 {
			t.Fatalf("a hundred times the quota was written, and the last error is %v", err)
		}
		_, err = store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(fmt.Sprint("a/", n), make([]byte, quota/16), 0)}})
	}
	if s, err := store.Status(t.Context()); err != nil || !s.NoSpace || s.InUse < quota/2 {
		t.Errorf("at last found %+v, %v", s, err)
	}
	if _, err := store.Range(t.Context(), election.Span{Keys: election.Key("a/0")}); err != nil {
		t.Error(err)
	}
}

// TestStatus is any member's that runs.
func TestStatus(t *testing.T) {
	cluster := etcd.Start(t, 3)
	store := etcdstore.New(cluster.Client(t))
	cluster.Stop(0)
	if s, err := store.Status(t.Context()); err != nil || s.Revision == 0 {
		t.Errorf("found %+v, %v", s, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("found the error %v", err)
	}
}

// TestMemstore: the store of other tests is as etcd.
func TestMemstore(t *testing.T) {
	for i := range *seedsFlag {
		mem := memstore.New()
		storetest.Compare(t, *seedFlag+uint64(i), 1000, etcdstore.New(etcd.Start(t, 1).Client(t)), mem)
		mem.Close()
	}
}
