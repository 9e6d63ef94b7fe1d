package kv

import (
	"testing"
	"time"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/testkit/etcd"
)

// TestEtcd runs what matters over real members of etcd.
func TestEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a cluster")
	}
	cluster := etcd.Start(t, 3)
	store := func(t *testing.T) control.Store { return etcdstore.New(cluster.Client(t)) }

	t.Run("model", func(t *testing.T) { checkModel(t, store(t), 300) })
	t.Run("counters", func(t *testing.T) {
		checkCounters(t, 4, serve(t, store(t), Options{}), serve(t, store(t), Options{}))
	})
	t.Run("quota", func(t *testing.T) {
		s := store(t)
		if most := checkQuota(t, s, 10, serve(t, s, Options{})); most > 10 {
			t.Errorf("%d keys were there at once, the quota is 10", most)
		}
	})
	t.Run("limits", func(t *testing.T) {
		kv, _, _ := dial(t, store(t), Options{})
		ctx, call := connect.NewClientContext(t.Context())
		call.RequestHeader().Set("Idempotency-Key", "largest")
		// The most that a transaction may have fits into what etcd takes.
		r := &towpathv1.TxnRequest{Then: many(98)}
		for _, key := range []string{"p", "q"} {
			op := putOp(key, "")
			op.GetPut().Value, op.GetPut().TtlSeconds = make([]byte, maxValue-8<<10), 60
			r.Then = append(r.Then, op)
		}
		first, err := kv.Txn(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		ctx, call = connect.NewClientContext(t.Context())
		call.RequestHeader().Set("Idempotency-Key", "largest")
		again, err := kv.Txn(ctx, r)
		if err != nil || again.Revision != first.Revision || call.ResponseHeader().Get("Idempotency-Replayed") == "" {
			t.Errorf("again: %v, %v", again.GetRevision(), err)
		}
	})
	t.Run("TTL", func(t *testing.T) {
		s := serve(t, store(t), Options{})
		begin := time.Now()
		r, err := s.Put(t.Context(), &towpathv1.PutRequest{Key: "short", TtlSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Close() // its server's end does not matter
		batch := <-store(t).Watch(t.Context(), election.Key(keyAt("default", "short")), r.Revision+1)
		if batch.Err != nil || !batch.Events[0].Removed {
			t.Fatal(batch)
		}
		if took := time.Since(begin); took < time.Second {
			t.Errorf("a key with a TTL of 1 s lived for %s", took)
		}
	})
	t.Run("compaction", func(t *testing.T) {
		st := store(t)
		s := serve(t, st, Options{})
		first := put(t, s, "", "old", "1")
		second := put(t, s, "", "old", "2")
		if err := st.Compact(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), &towpathv1.GetRequest{Key: "old", Revision: first})
		refused(t, err, connect.CodeOutOfRange, "begin again")
		none := func(*towpathv1.WatchResponse) error { return nil }
		refused(t, s.watch(t.Context(), &towpathv1.WatchRequest{Key: "old", From: first}, none), connect.CodeOutOfRange, "compacted", "begin again")
	})
	t.Run("a leader stops", func(t *testing.T) {
		s := serve(t, store(t), Options{})
		if _, err := s.SetNamespace(t.Context(), &towpathv1.SetNamespaceRequest{Name: "failover"}); err != nil {
			t.Fatal(err)
		}
		leader := cluster.Leader(t)
		cluster.Stop(leader)
		defer cluster.Restart(t, leader)
		for {
			_, err := s.Put(t.Context(), &towpathv1.PutRequest{Namespace: "failover", Key: "k", Value: []byte("v")})
			if err == nil {
				break
			}
			refused(t, err, connect.CodeUnavailable)
		}
		r, err := s.Get(t.Context(), &towpathv1.GetRequest{Namespace: "failover", Key: "k"})
		if err != nil || string(r.Entry.GetValue()) != "v" {
			t.Errorf("%v, %v", r, err)
		}
	})
}
