package etcd_test

import (
	"testing"

	"go.uber.org/goleak"

	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

// TestCluster: what was written to one leader is there with the next.
func TestCluster(t *testing.T) {
	for _, n := range []int{1, 3} {
		c := etcd.Start(t, n)
		client := c.Client(t)
		if _, err := client.Put(t.Context(), "a", "1"); err != nil {
			t.Fatal(err)
		}
		leader := c.Leader(t)
		c.Stop(leader)
		if n == 1 {
			c.Restart(t, leader)
		}
		if c.Leader(t) == leader && n > 1 {
			t.Error("a stopped member leads")
		}
		r, err := client.Get(t.Context(), "a")
		if err != nil || len(r.Kvs) != 1 || string(r.Kvs[0].Value) != "1" {
			t.Errorf("%v, %v", r, err)
		}
		if n > 1 {
			c.Restart(t, leader)
		}
	}
}
