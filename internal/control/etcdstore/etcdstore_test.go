package etcdstore_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"towpath.dev/internal/control"
	"towpath.dev/internal/control/etcdstore"
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

// TestMemstore: the store of other tests is as etcd.
func TestMemstore(t *testing.T) {
	for i := range *seedsFlag {
		mem := memstore.New()
		storetest.Compare(t, *seedFlag+uint64(i), 1000, etcdstore.New(etcd.Start(t, 1).Client(t)), mem)
		mem.Close()
	}
}
