package kv

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/faultstore"
)

// A model is what a namespace should hold.
type model map[string]*towpathv1.Entry

func (m model) put(p *towpathv1.Operation_Put, revision int64) {
	e := &towpathv1.Entry{Key: p.Key, Value: p.Value, Created: revision, Modified: revision, Version: 1, TtlSeconds: p.TtlSeconds}
	if old := m[p.Key]; old != nil {
		e.Created, e.Version = old.Created, old.Version+1
	}
	m[p.Key] = e
}

// holds is what holds says of a key, said otherwise.
func (m model) holds(c *towpathv1.Comparison) bool {
	e, there := m[c.Key]
	if !there {
		e = &towpathv1.Entry{}
	}
	order := map[towpathv1.Comparison_Field]int64{
		towpathv1.Comparison_FIELD_CREATED:  e.Created - c.Number,
		towpathv1.Comparison_FIELD_MODIFIED: e.Modified - c.Number,
		towpathv1.Comparison_FIELD_VERSION:  e.Version - c.Number,
		towpathv1.Comparison_FIELD_VALUE:    int64(bytes.Compare(e.Value, c.Value)),
	}[c.Field]
	if c.Field == towpathv1.Comparison_FIELD_VALUE && !there {
		return c.Relation == towpathv1.Comparison_RELATION_NOT_EQUAL
	}
	return map[towpathv1.Comparison_Relation]bool{
		towpathv1.Comparison_RELATION_UNSPECIFIED: order == 0,
		towpathv1.Comparison_RELATION_NOT_EQUAL:   order != 0,
		towpathv1.Comparison_RELATION_LESS:        order < 0,
		towpathv1.Comparison_RELATION_GREATER:     order > 0,
	}[c.Relation]
}

// checkModel runs random operations on a service and on a model, and compares what
// both answer and hold. A watch must tell the same story.
func checkModel(t *testing.T, store control.Store, steps int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := serve(t, store, Options{})
	m, history := model{}, map[int64]model{}

	watched := model{}
	watchedTo := make(chan int64, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	begun := make(chan struct{})
	var once sync.Once
	watching.Go(func() {
		_ = s.watch(ctx, &towpathv1.WatchRequest{Prefix: true}, func(r *towpathv1.WatchResponse) error {
			once.Do(func() { close(begun) })
			for _, c := range r.Changes {
				if c.Deleted {
					delete(watched, c.Entry.Key)
				} else {
					watched[c.Entry.Key] = c.Entry
				}
			}
			if watched["last"] != nil {
				watchedTo <- r.Revision
				<-ctx.Done()
			}
			return nil
		})
	})
	<-begun

	key := func() string { return string(rune('a' + random.IntN(6))) }
	value := func() []byte { return []byte(strings.Repeat("v", random.IntN(3))) }
	number := func() int64 {
		if e := m[key()]; e != nil && random.IntN(3) > 0 {
			return []int64{e.Modified, e.Created, e.Version}[random.IntN(3)]
		}
		return int64(random.IntN(4))
	}
	putOf := func() *towpathv1.Operation_Put {
		return &towpathv1.Operation_Put{Key: key(), Value: value(), TtlSeconds: int64(random.IntN(2) * 5000)}
	}
	branch := func() (ops []*towpathv1.Operation) {
		written := map[string]bool{}
		for range random.IntN(4) {
			p := putOf()
			switch kind := random.IntN(3); {
			case kind == 0 || written[p.Key]:
				ops = append(ops, getOp(p.Key))
			case kind == 1:
				ops = append(ops, deleteOp(p.Key))
				written[p.Key] = true
			default:
				ops = append(ops, &towpathv1.Operation{Operation: &towpathv1.Operation_Put_{Put: p}})
				written[p.Key] = true
			}
		}
		return ops
	}
	same := func(what string, got, want *towpathv1.Entry) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	var last int64
	for range steps {
		switch random.IntN(5) {
		case 0:
			p := putOf()
			r := &towpathv1.PutRequest{Key: p.Key, Value: p.Value, TtlSeconds: p.TtlSeconds}
			fits := true
			if random.IntN(2) == 0 {
				r.IfModified = ref(number())
				fits = m[p.Key].GetModified() == r.GetIfModified()
			}
			done, err := s.Put(ctx, r)
			if fits {
				if err != nil {
					t.Fatal(err)
				}
				m.put(p, done.Revision)
				last = done.Revision
			} else {
				refused(t, err, connect.CodeFailedPrecondition)
			}
		case 1:
			r := &towpathv1.DeleteRequest{Key: key()}
			done, err := s.Delete(ctx, r)
			if _, there := m[r.Key]; err != nil || done.Deleted != there {
				t.Fatalf("delete %s: %v, %v, want %v", r.Key, done, err, there)
			}
			if done.Deleted {
				last = done.Revision
			}
			delete(m, r.Key)
		case 2:
			r := &towpathv1.TxnRequest{Then: branch(), Else: branch()}
			for range random.IntN(3) {
				r.If = append(r.If, &towpathv1.Comparison{Key: key(), Field: towpathv1.Comparison_Field(2 + random.IntN(3)), Relation: towpathv1.Comparison_Relation(random.IntN(4)), Number: number()})
				if random.IntN(3) == 0 {
					r.If[len(r.If)-1] = &towpathv1.Comparison{Key: key(), Field: towpathv1.Comparison_FIELD_VALUE, Relation: towpathv1.Comparison_Relation(random.IntN(4)), Value: value()}
				}
			}
			ok, ops := true, r.Then
			for _, c := range r.If {
				ok = ok && m.holds(c)
			}
			if !ok {
				ops = r.Else
			}
			done, err := s.Txn(ctx, r)
			if err != nil || done.Succeeded != ok || len(done.Results) != len(ops) {
				t.Fatalf("%v: %v, %v, want %v", r, done, err, ok)
			}
			before := maps.Clone(m)
			for i, op := range ops {
				if g := op.GetGet(); g != nil {
					same("a get of a transaction", done.Results[i].Entry, before[g.Key])
				} else if p := op.GetPut(); p != nil {
					m.put(p, done.Revision)
					last = done.Revision
				} else {
					_, there := before[op.GetDelete().Key]
					if done.Results[i].Deleted != there {
						t.Fatalf("%v: deleted %v", op, done.Results[i].Deleted)
					}
					if delete(m, op.GetDelete().Key); there {
						last = done.Revision
					}
				}
			}
		case 3:
			r := &towpathv1.GetRequest{Key: key()}
			want := m
			if past := slices.Collect(maps.Keys(history)); len(past) > 0 && random.IntN(2) == 0 {
				r.Revision = past[random.IntN(len(past))]
				want = history[r.Revision]
			}
			got, err := s.Get(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			same("get", got.Entry, want[r.Key])
		case 4:
			r := &towpathv1.ListRequest{Limit: 2}
			var got []string
			for {
				page, err := s.List(ctx, r)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					same("list", e, m[e.Key])
					got = append(got, e.Key)
				}
				if r.Page = page.NextPage; r.Page == "" {
					break
				}
			}
			if want := slices.Sorted(maps.Keys(m)); !slices.Equal(got, want) {
				t.Fatalf("listed %v, want %v", got, want)
			}
		}
		if last != 0 && history[last] == nil {
			history[last] = maps.Clone(m)
		}
	}

	put(t, s, "", "last", "")
	s.census.wait(ctx, <-watchedTo)
	r, err := s.Get(ctx, &towpathv1.GetRequest{Key: "last"})
	if err != nil {
		t.Fatal(err)
	}
	m["last"] = r.Entry
	size := int64(0)
	for key, e := range m {
		same("watched", watched[key], e)
		size += int64(len(key) + len(e.Value))
	}
	if bytes, keys := s.census.holds("default"); len(watched) != len(m) || keys != int64(len(m)) || bytes != size {
		t.Errorf("watched %d keys, counted %d keys of %d bytes, want %d of %d", len(watched), keys, bytes, len(m), size)
	}
}

func TestModel(t *testing.T) { checkModel(t, memory(t), 3000) }

// checkCounters increments counters by compare-and-swap, from several clients of
// several servers.
func checkCounters(t *testing.T, clients int, servers ...*Service) {
	const each = 20
	var work sync.WaitGroup
	for i := range clients {
		s := servers[i%len(servers)]
		work.Go(func() {
			for n := 0; n < each; {
				now, err := s.Get(t.Context(), &towpathv1.GetRequest{Key: "counter"})
				if err != nil {
					t.Error(err)
					return
				}
				_, err = s.Put(t.Context(), &towpathv1.PutRequest{
					Key: "counter", Value: append(now.Entry.GetValue(), '.'), IfModified: ref(now.Entry.GetModified()),
				})
				switch connect.CodeOf(err) {
				case connect.CodeFailedPrecondition:
				default:
					if err != nil {
						t.Error(err)
						return
					}
					n++
				}
			}
		})
	}
	work.Wait()
	r, err := servers[0].Get(t.Context(), &towpathv1.GetRequest{Key: "counter"})
	if err != nil || len(r.Entry.GetValue()) != clients*each {
		t.Errorf("counted to %d, want %d; %v", len(r.Entry.GetValue()), clients*each, err)
	}
}

func TestCounters(t *testing.T) {
	store := memory(t)
	checkCounters(t, 8, serve(t, store, Options{}), serve(t, store, Options{}))
}

// checkQuota has many clients write at once, and returns the most keys that ever were.
func checkQuota(t *testing.T, store control.Store, quota int64, servers ...*Service) int64 {
	if _, err := servers[0].SetNamespace(t.Context(), &towpathv1.SetNamespaceRequest{Name: "shop", QuotaKeys: quota}); err != nil {
		t.Fatal(err)
	}
	for _, s := range servers[1:] {
		if _, err := s.SetNamespace(t.Context(), &towpathv1.SetNamespaceRequest{Name: "shop", QuotaKeys: quota}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := store.Range(t.Context(), election.Span{Keys: election.Key("x")})
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var work sync.WaitGroup
	for i := range 16 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		s := servers[i%len(servers)]
		work.Go(func() {
			for range 60 {
				key := fmt.Sprint(random.IntN(40))
				var err error
				switch random.IntN(3) {
				case 0:
					_, err = s.Delete(t.Context(), &towpathv1.DeleteRequest{Namespace: "shop", Key: key})
				case 1:
					_, err = s.Put(t.Context(), &towpathv1.PutRequest{Namespace: "shop", Key: key})
				default:
					_, err = s.Txn(t.Context(), &towpathv1.TxnRequest{Namespace: "shop", Then: []*towpathv1.Operation{putOp(key, ""), putOp(key+"+", ""), deleteOp("0")}})
				}
				if err != nil && connect.CodeOf(err) != connect.CodeResourceExhausted && connect.CodeOf(err) != connect.CodeInvalidArgument {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	var most int64
	keys := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now, err := store.Range(ctx, election.Span{Keys: election.Prefix(keyAt("shop", ""))})
	if err != nil {
		t.Fatal(err)
	}
	var end int64
	if _, err := servers[0].Put(ctx, &towpathv1.PutRequest{Key: "end"}); err != nil {
		t.Fatal(err)
	}
	for batch := range store.Watch(ctx, election.Prefix(keysAt), page.Revision+1) {
		at := int64(0)
		for i, e := range batch.Events {
			if e.Entry.Key == keyAt("default", "end") {
				end = e.Entry.Modified
			} else if e.Removed {
				delete(keys, e.Entry.Key)
			} else {
				keys[e.Entry.Key] = true
			}
			// Within a revision there is no order.
			if at = e.Entry.Modified; i == len(batch.Events)-1 || batch.Events[i+1].Entry.Modified != at {
				most = max(most, int64(len(keys)))
			}
		}
		if end != 0 {
			break
		}
	}
	if len(keys) != len(now.Entries) {
		t.Errorf("the watch tells of %d keys, there are %d", len(keys), len(now.Entries))
	}
	return most
}

func TestQuotaIsNotPassed(t *testing.T) {
	store := memory(t)
	if most := checkQuota(t, store, 10, serve(t, store, Options{})); most > 10 || most < 5 {
		t.Errorf("%d keys were there at once, the quota is 10", most)
	}
}

func TestQuotaOfSeveralServers(t *testing.T) {
	store := memory(t)
	most := checkQuota(t, store, 10, serve(t, store, Options{}), serve(t, store, Options{}))
	t.Logf("%d keys were there at once, the quota is 10", most)
	if most > 20 { // each server alone keeps to it
		t.Errorf("%d keys were there at once, the quota of 10 can be passed by 10", most)
	}
}

// TestDeletionRaces writes to a namespace while it is deleted and made, again and
// again: no key is ever left without a namespace.
func TestDeletionRaces(t *testing.T) {
	store := memory(t)
	a, b := serve(t, store, Options{}), serve(t, store, Options{})
	var work sync.WaitGroup
	for i, s := range []*Service{a, b, a, b} {
		work.Go(func() {
			for n := range 200 {
				var err error
				switch i {
				case 0:
					_, err = s.SetNamespace(t.Context(), &towpathv1.SetNamespaceRequest{Name: "shop"})
				case 1:
					_, err = s.DeleteNamespace(t.Context(), &towpathv1.DeleteNamespaceRequest{Name: "shop"})
				default:
					if n%2 == 0 {
						_, err = s.Put(t.Context(), &towpathv1.PutRequest{Namespace: "shop", Key: "k"})
					} else {
						_, err = s.Delete(t.Context(), &towpathv1.DeleteRequest{Namespace: "shop", Key: "k"})
					}
				}
				switch connect.CodeOf(err) {
				case connect.CodeNotFound, connect.CodeFailedPrecondition, connect.CodeAborted:
				default:
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	work.Wait()
	// Of each revision at which there is a key: the record is there, or moved away.
	now, err := store.Range(t.Context(), election.Span{Keys: election.Key(namespacesAt + "shop")})
	if err != nil {
		t.Fatal(err)
	}
	var deletions int
	for revision := int64(2); revision <= now.Revision; revision++ {
		at := func(keys election.Keys) []election.Entry {
			page, err := store.Range(t.Context(), election.Span{Keys: keys, Revision: revision})
			if err != nil {
				t.Fatal(err)
			}
			return page.Entries
		}
		key, record, ending := at(election.Key(keyAt("shop", "k"))), at(election.Key(namespacesAt+"shop")), at(election.Key(endingAt+"shop"))
		if len(key) > 0 && len(record)+len(ending) != 1 {
			t.Errorf("at %d there is a key; its namespace %v, being deleted %v", revision, record, ending)
		}
		if len(ending) > 0 && len(key) > 0 && key[0].Modified >= ending[0].Modified {
			t.Errorf("a key was written at %d after a deletion had begun at %d", key[0].Modified, ending[0].Modified)
		}
		if len(ending) > 0 && ending[0].Modified == revision {
			deletions++
		}
	}
	t.Logf("%d deletions were begun", deletions)
}

// TestCountsAnew cuts the census off for longer than the history is kept.
func TestCountsAnew(t *testing.T) {
	inner := memory(t)
	store := faultstore.Wrap(inner, nil)
	s := serve(t, store, Options{})
	s.census.wait(t.Context(), put(t, s, "", "a", "1"))
	store.Stall()
	other := serve(t, inner, Options{})
	if _, err := other.Delete(t.Context(), &towpathv1.DeleteRequest{Key: "a"}); err != nil {
		t.Fatal(err)
	}
	last := put(t, other, "", "b", "22")
	if err := inner.Compact(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	store.Resume()
	store.Cut(&election.CompactedError{Revision: last})
	for reached := false; !reached; {
		s.census.mu.Lock()
		moved := s.census.moved
		reached = s.census.revision >= last
		s.census.mu.Unlock()
		if !reached {
			<-moved
		}
	}
	if bytes, keys := s.census.holds("default"); bytes != 3 || keys != 1 {
		t.Errorf("counted %d keys of %d bytes, want 1 of 3", keys, bytes)
	}
}

// TestWatchResumes cuts a watch again and again, as a client sees it: it goes on from
// the last revision that it heard, and hears all.
func TestWatchResumes(t *testing.T) {
	kv, _, _ := dial(t, memory(t), Options{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const writes = 300
	var heard []string
	from := put(t, kv, "", "begin", "") + 1
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for i := range writes {
			if _, err := kv.Put(t.Context(), &towpathv1.PutRequest{Key: fmt.Sprintf("w%d", i%7), Value: fmt.Append(nil, i)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var cuts int
	for ; len(heard) < writes && !t.Failed(); cuts++ {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := kv.Watch(ctx, &towpathv1.WatchRequest{Key: "w", Prefix: true, From: from})
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(20) {
			if len(heard) >= writes || !stream.Receive() {
				break
			}
			for _, c := range stream.Msg().Changes {
				heard = append(heard, string(c.Entry.Value))
			}
			from = stream.Msg().Revision + 1
		}
		cancel()
		_ = stream.Close()
	}
	for i, value := range heard {
		if value != fmt.Sprint(i) {
			t.Fatalf("change %d is %s", i, value)
		}
	}
	t.Logf("%d cuts", cuts)
}
