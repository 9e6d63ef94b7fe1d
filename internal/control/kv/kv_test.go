package kv

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"towpath.dev/api/towpathv1"
	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

// serve makes a service that is closed with the test, and waits until it has counted.
func serve(t *testing.T, store control.Store, o Options) *Service {
	t.Helper()
	s, err := New(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	<-s.census.first
	return s
}

func memory(t *testing.T) *memstore.Store {
	store := memstore.New()
	t.Cleanup(store.Close)
	return store
}

// dial is a client of a service, over HTTP. The header "Caller" says who asks.
func dial(t *testing.T, store control.Store, o Options) (towpathv1connect.KeyValueServiceClient, string, *Service) {
	t.Helper()
	o.Caller = func(ctx context.Context) string {
		call, _ := connect.CallInfoForHandlerContext(ctx)
		return call.RequestHeader().Get("Caller")
	}
	s := serve(t, store, o)
	mux := http.NewServeMux()
	mux.Handle(towpathv1connect.NewKeyValueServiceHandler(s))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close) // before the server, which waits for streams
	return towpathv1connect.NewKeyValueServiceClient(server.Client(), server.URL), server.URL, s
}

// refused checks an error's code and that its message says something.
func refused(t *testing.T, err error, code connect.Code, says ...string) {
	t.Helper()
	if connect.CodeOf(err) != code || err == nil {
		t.Fatalf("the error is %v, want %v", err, code)
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %q, want it to say %q", err, part)
		}
	}
}

func put(t *testing.T, s putter, namespace, key, value string) int64 {
	t.Helper()
	r, err := s.Put(t.Context(), &towpathv1.PutRequest{Namespace: namespace, Key: key, Value: []byte(value)})
	if err != nil {
		t.Fatal(err)
	}
	return r.Revision
}

type putter interface {
	Put(context.Context, *towpathv1.PutRequest) (*towpathv1.PutResponse, error)
}

func ref[T any](v T) *T { return &v }

func TestKeys(t *testing.T) {
	kv, _, _ := dial(t, memory(t), Options{})
	ctx := t.Context()

	absent, err := kv.Get(ctx, &towpathv1.GetRequest{Key: "a/b"})
	if err != nil || absent.Entry != nil || absent.Revision == 0 {
		t.Fatalf("an absent key: %v, %v", absent, err)
	}
	first := put(t, kv, "default", "a/b", "one")
	second := put(t, kv, "default", "a/b", "two")
	now, err := kv.Get(ctx, &towpathv1.GetRequest{Key: "a/b"})
	if err != nil || string(now.Entry.Value) != "two" || now.Entry.Created != first || now.Entry.Modified != second || now.Entry.Version != 2 {
		t.Fatalf("now: %v, %v", now, err)
	}
	then, err := kv.Get(ctx, &towpathv1.GetRequest{Key: "a/b", Revision: first})
	if err != nil || string(then.Entry.Value) != "one" || then.Revision != first {
		t.Fatalf("then: %v, %v", then, err)
	}
	_, err = kv.Get(ctx, &towpathv1.GetRequest{Key: "a/b", Revision: second + 100})
	refused(t, err, connect.CodeOutOfRange, "has not reached", "0 for now")

	_, err = kv.Put(ctx, &towpathv1.PutRequest{Key: "a/b", IfModified: ref(first)})
	refused(t, err, connect.CodeFailedPrecondition, `key "a/b" of namespace "default"`, fmt.Sprintf("expected last written at revision %d, found last written at revision %d", first, second))
	_, err = kv.Put(ctx, &towpathv1.PutRequest{Key: "a/b", IfModified: ref[int64](0)})
	refused(t, err, connect.CodeFailedPrecondition, "expected absent, found last written")
	if _, err = kv.Put(ctx, &towpathv1.PutRequest{Key: "a/b", IfModified: ref(second), Value: []byte("three")}); err != nil {
		t.Fatal(err)
	}
	if _, err = kv.Put(ctx, &towpathv1.PutRequest{Key: "new", IfModified: ref[int64](0)}); err != nil {
		t.Fatal(err)
	}

	_, err = kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "a/b", IfModified: ref(second)})
	refused(t, err, connect.CodeFailedPrecondition, "read it again")
	for _, want := range []bool{true, false} {
		r, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "a/b"})
		if err != nil || r.Deleted != want {
			t.Fatalf("delete: %v, %v, want %v", r, err, want)
		}
	}
	_, err = kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "a/b", IfModified: ref(second)})
	refused(t, err, connect.CodeFailedPrecondition, "found absent")
}

func TestLimits(t *testing.T) {
	kv, url, _ := dial(t, memory(t), Options{})
	ctx := t.Context()
	long := strings.Repeat("k", maxKey+1)
	for name, c := range map[string]struct {
		request *towpathv1.PutRequest
		says    string
	}{
		"no key":    {&towpathv1.PutRequest{}, "key: expected 1 to 1024 bytes, found none; name a key"},
		"long key":  {&towpathv1.PutRequest{Key: long}, "key: expected at most 1024 bytes, found 1025"},
		"control":   {&towpathv1.PutRequest{Key: "a\nb"}, `key: expected no control characters, found "a\nb"`},
		"namespace": {&towpathv1.PutRequest{Namespace: "A/b", Key: "k"}, `namespace: expected a DNS label (1 to 63 of a-z, 0-9 and -, not - at an end), found "A/b"`},
		"value":     {&towpathv1.PutRequest{Key: "k", Value: make([]byte, maxValue+1)}, "value: expected at most 524288 bytes, found 524289; keep large values elsewhere"},
		"ttl":       {&towpathv1.PutRequest{Key: "k", TtlSeconds: -1}, "ttl_seconds: expected 1 to 31536000 seconds, or 0 for ever, found -1"},
		"revision":  {&towpathv1.PutRequest{Key: "k", IfModified: ref[int64](-2)}, "if_modified: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kv.Put(ctx, c.request)
			refused(t, err, connect.CodeInvalidArgument, c.says)
		})
	}
	if _, err := kv.Put(ctx, &towpathv1.PutRequest{Key: long[:maxKey], Value: make([]byte, maxValue)}); err != nil {
		t.Errorf("the largest put: %v", err)
	}
	_, err := kv.Put(ctx, &towpathv1.PutRequest{Namespace: "nowhere", Key: "k"})
	refused(t, err, connect.CodeNotFound, `there is no namespace "nowhere"`, "tow kv ns set nowhere")
	_, err = kv.Get(ctx, &towpathv1.GetRequest{Namespace: "nowhere", Key: "k"})
	refused(t, err, connect.CodeNotFound, "nowhere")
	_, err = kv.List(ctx, &towpathv1.ListRequest{Namespace: "nowhere"})
	refused(t, err, connect.CodeNotFound, "nowhere")
	_, err = kv.List(ctx, &towpathv1.ListRequest{Limit: 1001})
	refused(t, err, connect.CodeInvalidArgument, "limit: expected 1 to 1000")

	// As curl would.
	r, err := http.Post(url+towpathv1connect.KeyValueServicePutProcedure, "application/json", strings.NewReader(`{"key": "", "value": "aGk="}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), `"code":"invalid_argument"`) {
		t.Errorf("JSON over HTTP: %d %s", r.StatusCode, text)
	}
}

func putOp(key, value string) *towpathv1.Operation {
	return &towpathv1.Operation{Operation: &towpathv1.Operation_Put_{Put: &towpathv1.Operation_Put{Key: key, Value: []byte(value)}}}
}
func getOp(key string) *towpathv1.Operation {
	return &towpathv1.Operation{Operation: &towpathv1.Operation_Get_{Get: &towpathv1.Operation_Get{Key: key}}}
}
func deleteOp(key string) *towpathv1.Operation {
	return &towpathv1.Operation{Operation: &towpathv1.Operation_Delete_{Delete: &towpathv1.Operation_Delete{Key: key}}}
}

func TestTxn(t *testing.T) {
	kv, _, _ := dial(t, memory(t), Options{})
	ctx := t.Context()
	put(t, kv, "", "a", "1")
	value := func(key, value string) []*towpathv1.Comparison {
		return []*towpathv1.Comparison{{Key: key, Field: towpathv1.Comparison_FIELD_VALUE, Value: []byte(value)}}
	}
	// By either way of running: numbers go directly, values by a plan.
	for name, conditions := range map[string][]*towpathv1.Comparison{
		"numbers": {{Key: "a", Field: towpathv1.Comparison_FIELD_CREATED, Relation: towpathv1.Comparison_RELATION_GREATER}},
		"values":  value("a", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := kv.Txn(ctx, &towpathv1.TxnRequest{
				If:   conditions,
				Then: []*towpathv1.Operation{putOp("b", "2"), getOp("b"), getOp("a"), deleteOp("c")},
			})
			if err != nil || !r.Succeeded || len(r.Results) != 4 {
				t.Fatal(r, err)
			}
			if r.Results[1].Entry != nil || string(r.Results[2].Entry.GetValue()) != "1" || r.Results[3].Deleted {
				t.Errorf("results %v; gets come before the writes", r.Results)
			}
			if b, err := kv.Get(ctx, &towpathv1.GetRequest{Key: "b"}); err != nil || b.Entry.GetModified() != r.Revision {
				t.Errorf("b: %v, %v, want it written at %d", b, err, r.Revision)
			}
			if r, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "b"}); err != nil || !r.Deleted {
				t.Error(r, err)
			}
		})
	}
	r, err := kv.Txn(ctx, &towpathv1.TxnRequest{If: value("a", "2"), Then: []*towpathv1.Operation{deleteOp("a")}, Else: []*towpathv1.Operation{getOp("a"), putOp("e", "")}})
	if err != nil || r.Succeeded || string(r.Results[0].Entry.GetValue()) != "1" {
		t.Fatal(r, err)
	}
	// An else that writes does not in a namespace that is not there.
	_, err = kv.Txn(ctx, &towpathv1.TxnRequest{Namespace: "nowhere", If: value("a", "2"), Else: []*towpathv1.Operation{putOp("e", "")}})
	refused(t, err, connect.CodeNotFound, "nowhere")

	for says, request := range map[string]*towpathv1.TxnRequest{
		"then[1].delete.key: expected each key written once at most, found \"a\" written by then[0] too": {Then: []*towpathv1.Operation{putOp("a", ""), deleteOp("a")}},
		"else[0]: expected put, delete or get":                           {Else: []*towpathv1.Operation{{}}},
		"if[0].field: expected FIELD_VALUE":                              {If: []*towpathv1.Comparison{{Key: "a"}}},
		"at most 100 comparisons and operations together, found 101":     {Then: many(101)},
		"at most 1048576 bytes":                                          {Then: []*towpathv1.Operation{putOp("a", strings.Repeat("v", maxValue)), putOp("b", strings.Repeat("v", maxValue))}},
		"then[0].put.value: expected at most 524288 bytes, found 524289": {Then: []*towpathv1.Operation{putOp("a", strings.Repeat("v", maxValue+1))}},
	} {
		_, err := kv.Txn(ctx, request)
		refused(t, err, connect.CodeInvalidArgument, says)
	}
	if _, err := kv.Txn(ctx, &towpathv1.TxnRequest{Then: many(100)}); err != nil {
		t.Errorf("the largest number of operations: %v", err)
	}
}

// many is n operations that delete different keys.
func many(n int) (ops []*towpathv1.Operation) {
	for i := range n {
		ops = append(ops, deleteOp(strings.Repeat("x", i+1)))
	}
	return ops
}

func TestList(t *testing.T) {
	store := memory(t)
	kv, _, _ := dial(t, store, Options{})
	ctx := t.Context()
	for _, key := range []string{"a", "b/1", "b/2", "b/3", "b0", "c"} {
		put(t, kv, "", key, "v"+key)
	}
	var keys []string
	request := &towpathv1.ListRequest{Prefix: "b/", Limit: 2}
	first, err := kv.List(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	put(t, kv, "", "b/2", "later")
	put(t, kv, "", "b/4", "later")
	for page := first; ; {
		for _, e := range page.Entries {
			keys = append(keys, e.Key+"="+string(e.Value))
		}
		if page.Revision != first.Revision {
			t.Errorf("a page is at %d, the first at %d", page.Revision, first.Revision)
		}
		if request.Page = page.NextPage; request.Page == "" {
			break
		}
		if page, err = kv.List(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(keys, " "), "b/1=vb/1 b/2=vb/2 b/3=vb/3"; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}

	_, err = kv.List(ctx, &towpathv1.ListRequest{Prefix: "b", Page: first.NextPage})
	refused(t, err, connect.CodeInvalidArgument, "page: expected the next_page of a response to the same namespace, prefix and keys_only")
	for _, page := range []string{"?", "AAAA", first.NextPage[1:], first.NextPage + "AA"} {
		_, err = kv.List(ctx, &towpathv1.ListRequest{Prefix: "b/", Page: page})
		refused(t, err, connect.CodeInvalidArgument, "begin again without page")
	}
	if err := store.Compact(ctx, first.Revision+1); err != nil {
		t.Fatal(err)
	}
	_, err = kv.List(ctx, &towpathv1.ListRequest{Prefix: "b/", Page: first.NextPage})
	refused(t, err, connect.CodeOutOfRange, "compacted", "begin again")
	only, err := kv.List(ctx, &towpathv1.ListRequest{KeysOnly: true})
	if err != nil || len(only.Entries) != 7 || only.Entries[0].Value != nil || only.NextPage != "" {
		t.Errorf("keys only: %v, %v", only, err)
	}
}

// TestListIsBounded lists values of which few fit into a response.
func TestListIsBounded(t *testing.T) {
	s := serve(t, memory(t), Options{})
	for i := range 70 {
		put(t, s, "", strings.Repeat("k", i+1), strings.Repeat("v", 256<<10))
	}
	request := &towpathv1.ListRequest{Limit: 1000}
	var found, pages int
	for {
		page, err := s.List(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Entries)
		if pages++; len(page.Entries) > firstPiece+1 {
			t.Errorf("a page holds %d entries of 256 KiB", len(page.Entries))
		}
		if request.Page = page.NextPage; request.Page == "" {
			break
		}
	}
	if found != 70 || pages < 2 {
		t.Errorf("found %d entries on %d pages", found, pages)
	}
}

func TestNamespaces(t *testing.T) {
	store := memory(t)
	kv, _, s := dial(t, store, Options{})
	ctx := t.Context()
	set := func(name string, bytes, keys int64) {
		t.Helper()
		if _, err := kv.SetNamespace(ctx, &towpathv1.SetNamespaceRequest{Name: name, QuotaBytes: bytes, QuotaKeys: keys}); err != nil {
			t.Fatal(err)
		}
	}
	set("shop", 20, 2)
	put(t, kv, "shop", "ab", "12345678")
	put(t, kv, "shop", "cd", "12345678")
	_, err := kv.Put(ctx, &towpathv1.PutRequest{Namespace: "shop", Key: "ab", Value: []byte("123456789")})
	refused(t, err, connect.CodeResourceExhausted, `namespace "shop" may hold 20 bytes of keys and values, holds 20, and this needs 1 more`, "tow kv ns set")
	put(t, kv, "shop", "ab", "1234") // smaller fits
	_, err = kv.Put(ctx, &towpathv1.PutRequest{Namespace: "shop", Key: "e"})
	refused(t, err, connect.CodeResourceExhausted, "may hold 2 keys, holds 2, and this needs 1 more")
	if _, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Namespace: "shop", Key: "cd"}); err != nil {
		t.Fatal(err)
	}
	put(t, kv, "shop", "e", "") // what was deleted is counted before a refusal

	set("shop", 1, 1) // below what is there: what does not grow is let in
	put(t, kv, "shop", "ab", "4321")
	s.census.wait(ctx, put(t, kv, "shop", "ab", "4321"))
	list, err := kv.ListNamespaces(ctx, &towpathv1.ListNamespacesRequest{})
	if err != nil || len(list.Namespaces) != 2 || list.Namespaces[1].Bytes != 7 || list.Namespaces[1].Keys != 2 || list.Namespaces[1].QuotaKeys != 1 {
		t.Fatalf("%v, %v", list, err)
	}

	_, err = kv.DeleteNamespace(ctx, &towpathv1.DeleteNamespaceRequest{Name: "shop"})
	refused(t, err, connect.CodeFailedPrecondition, "holds keys, 2 at least: delete them first")
	for _, key := range []string{"ab", "e"} {
		if _, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Namespace: "shop", Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = kv.DeleteNamespace(ctx, &towpathv1.DeleteNamespaceRequest{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	_, err = kv.DeleteNamespace(ctx, &towpathv1.DeleteNamespaceRequest{Name: "shop"})
	refused(t, err, connect.CodeNotFound, "no namespace")
	_, err = kv.DeleteNamespace(ctx, &towpathv1.DeleteNamespaceRequest{Name: "default"})
	refused(t, err, connect.CodeFailedPrecondition, "stays")
	if page, err := store.Range(ctx, election.Span{Keys: election.Prefix("kv"), KeysOnly: true}); err != nil || len(page.Entries) != 1 {
		t.Errorf("left in the store: %v, %v", page.Entries, err)
	}
}

// TestDeletionIsFinished lets a server die between the steps of a deletion.
func TestDeletionIsFinished(t *testing.T) {
	for name, withKey := range map[string]bool{"empty": false, "with a key": true} {
		t.Run(name, func(t *testing.T) {
			store := memory(t)
			s := serve(t, store, Options{})
			ctx := t.Context()
			if _, err := s.SetNamespace(ctx, &towpathv1.SetNamespaceRequest{Name: "shop", QuotaKeys: 5}); err != nil {
				t.Fatal(err)
			}
			if withKey {
				put(t, s, "shop", "k", "")
			}
			if _, err := store.Txn(ctx, election.Txn{Then: []election.Op{
				election.Delete(election.Key(namespacesAt + "shop")), election.Put(endingAt+"shop", quota{Keys: 5}.record(), 0),
			}}); err != nil {
				t.Fatal(err)
			}
			_, err := s.Put(ctx, &towpathv1.PutRequest{Namespace: "shop", Key: "k"})
			if withKey {
				if err != nil {
					t.Errorf("it was not restored: %v", err)
				}
				list, err := s.ListNamespaces(ctx, &towpathv1.ListNamespacesRequest{})
				if err != nil || list.Namespaces[1].QuotaKeys != 5 {
					t.Errorf("restored: %v, %v", list, err)
				}
			} else {
				refused(t, err, connect.CodeNotFound, "shop")
			}
			if page, err := store.Range(ctx, election.Span{Keys: election.Prefix(endingAt)}); err != nil || len(page.Entries) != 0 {
				t.Errorf("left: %v, %v", page.Entries, err)
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	store := faultstore.Wrap(memory(t), nil)
	kv, _, _ := dial(t, store, Options{})
	under := func(caller, key string) (context.Context, connect.CallInfo) {
		ctx, call := connect.NewClientContext(t.Context())
		call.RequestHeader().Set("Idempotency-Key", key)
		call.RequestHeader().Set("Caller", caller)
		return ctx, call
	}
	request := &towpathv1.PutRequest{Key: "k", Value: []byte("1"), IfModified: ref[int64](0)}
	var revisions []int64
	for i := range 3 {
		ctx, call := under("anna", "one")
		r, err := kv.Put(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		if replayed := call.ResponseHeader().Get("Idempotency-Replayed") != ""; replayed != (i > 0) {
			t.Errorf("answer %d: replayed %v", i, replayed)
		}
		revisions = append(revisions, r.Revision)
	}
	if revisions[0] != revisions[1] || revisions[0] != revisions[2] {
		t.Errorf("revisions %v", revisions)
	}
	ctx, _ := under("anna", "one")
	_, err := kv.Put(ctx, &towpathv1.PutRequest{Key: "k", Value: []byte("2")})
	refused(t, err, connect.CodeFailedPrecondition, `Idempotency-Key: "one" was sent with another request`)
	ctx, _ = under("bert", "one") // another's key is another key
	_, err = kv.Put(ctx, request)
	refused(t, err, connect.CodeFailedPrecondition, "expected absent")
	ctx, _ = under("anna", strings.Repeat("x", 129))
	_, err = kv.Put(ctx, request)
	refused(t, err, connect.CodeInvalidArgument, "Idempotency-Key: expected 1 to 128")

	// What was not done is not kept.
	ctx, _ = under("anna", "two")
	_, err = kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "late", IfModified: ref[int64](77)})
	refused(t, err, connect.CodeFailedPrecondition, "found absent")
	for range 2 {
		ctx, _ := under("anna", "three")
		if r, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "k"}); err != nil || !r.Deleted {
			t.Errorf("a repeated delete: %v, %v", r, err)
		}
	}
	put(t, kv, "", "k", "old")
	for range 2 {
		ctx, _ := under("anna", "four")
		r, err := kv.Txn(ctx, &towpathv1.TxnRequest{Then: []*towpathv1.Operation{getOp("k"), putOp("k", "new"), deleteOp("none")}})
		if err != nil || string(r.Results[0].GetEntry().GetValue()) != "old" || r.Results[2].Deleted {
			t.Errorf("a repeated transaction: %v, %v", r, err)
		}
	}

	// An answer that was lost.
	store.SetPlan(func(c faultstore.Call) faultstore.Fault {
		if c.Operation == faultstore.Txn && len(c.Txn.If) > 0 {
			return faultstore.Fault{After: faultstore.ErrLost}
		}
		return faultstore.Fault{}
	})
	request = &towpathv1.PutRequest{Key: "lost", IfModified: ref[int64](0)}
	ctx, _ = under("anna", "five")
	_, err = kv.Put(ctx, request)
	refused(t, err, connect.CodeUnavailable, "same Idempotency-Key")
	store.SetPlan(nil)
	ctx, _ = under("anna", "five")
	if _, err = kv.Put(ctx, request); err != nil {
		t.Errorf("a repeat after a lost answer: %v", err)
	}
}

// TestRepeatsAreDoneOnce sends writes again until they are answered, over a store that
// loses calls and answers, by two servers in turn.
func TestRepeatsAreDoneOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	inner := memory(t)
	one, _, _ := dial(t, inner, Options{})
	store := faultstore.Wrap(inner, nil)
	a, _, _ := dial(t, store, Options{})
	b, _, _ := dial(t, store, Options{})
	store.SetPlan(faultstore.Random(seed, faultstore.Rates{Before: 0.2, After: 0.3}))
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for n := range 20 {
				for try := 0; ; try++ {
					ctx, call := connect.NewClientContext(t.Context())
					call.RequestHeader().Set("Idempotency-Key", fmt.Sprintf("%d-%d", i, n))
					client := a
					if try%2 == 1 {
						client = b
					}
					_, err := client.Txn(ctx, &towpathv1.TxnRequest{Then: []*towpathv1.Operation{putOp(fmt.Sprintf("key-%d", i), ""), getOp("other")}})
					if err == nil {
						break
					}
					if code := connect.CodeOf(err); code != connect.CodeUnavailable {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	work.Wait()
	list, err := one.List(t.Context(), &towpathv1.ListRequest{})
	if err != nil || len(list.Entries) != 8 {
		t.Fatal(list, err)
	}
	for _, e := range list.Entries {
		if e.Version != 20 {
			t.Errorf("%s was written %d times, want 20", e.Key, e.Version)
		}
	}
}

func TestWatch(t *testing.T) {
	store := memory(t)
	kv, _, s := dial(t, store, Options{MaxWatches: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := put(t, kv, "", "w/0", "")
	stream, err := kv.Watch(ctx, &towpathv1.WatchRequest{Key: "w/", Prefix: true})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	if first := stream.Msg(); first.Revision < before || len(first.Changes) > 0 {
		t.Errorf("the first response is %v, want where to resume from", first)
	}
	other, err := kv.Watch(ctx, &towpathv1.WatchRequest{Key: "w/1"})
	if err == nil {
		other.Receive()
		err = other.Err()
	}
	refused(t, err, connect.CodeResourceExhausted, "1 open watches")

	put(t, kv, "", "w/1", "one")
	put(t, kv, "", "x", "of others")
	if _, err := kv.Delete(ctx, &towpathv1.DeleteRequest{Key: "w/1"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < 2 && stream.Receive() {
		for _, c := range stream.Msg().Changes {
			if c.Deleted {
				got = append(got, "-"+c.Entry.Key)
			} else {
				got = append(got, c.Entry.Key+"="+string(c.Entry.Value))
			}
		}
	}
	if strings.Join(got, " ") != "w/1=one -w/1" {
		t.Errorf("changes %v", got)
	}
	last := stream.Msg().Revision
	s.Close()
	for stream.Receive() {
	}
	refused(t, stream.Err(), connect.CodeUnavailable, "closing", "resume from")
	_ = stream.Close()

	again := serve(t, store, Options{})
	if err := store.Compact(ctx, last); err != nil {
		t.Fatal(err)
	}
	none := func(*towpathv1.WatchResponse) error { return nil }
	refused(t, again.watch(ctx, &towpathv1.WatchRequest{Key: "w/1", From: 2}, none), connect.CodeOutOfRange, "compacted", "begin again")
	refused(t, again.watch(ctx, &towpathv1.WatchRequest{Key: "w/1", From: last + 100}, none), connect.CodeOutOfRange, "restored from a backup")
	refused(t, again.watch(ctx, &towpathv1.WatchRequest{}, none), connect.CodeInvalidArgument, "key: ")
	refused(t, again.watch(ctx, &towpathv1.WatchRequest{Namespace: "nowhere", Key: "k"}, none), connect.CodeNotFound, "nowhere")
}

func TestLimiter(t *testing.T) {
	kv, _, s := dial(t, memory(t), Options{MaxCalls: 1})
	if err := s.calls.enter("anna"); err != nil {
		t.Fatal(err)
	}
	ctx, call := connect.NewClientContext(t.Context())
	call.RequestHeader().Set("Caller", "anna")
	_, err := kv.Get(ctx, &towpathv1.GetRequest{Key: "k"})
	refused(t, err, connect.CodeResourceExhausted, `the caller "anna" has 1 calls at once`, "at least a second")
	if wait := err.(*connect.Error).Meta().Get("Retry-After"); wait != "1" {
		t.Errorf("Retry-After: %q", wait)
	}
	if _, err := kv.Get(t.Context(), &towpathv1.GetRequest{Key: "k"}); err != nil {
		t.Errorf("another caller: %v", err)
	}
	s.calls.leave("anna")
}
