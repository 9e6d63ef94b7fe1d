package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	v1 "towpath.dev/api/towpathv1"
	rpc "towpath.dev/api/towpathv1/towpathv1connect"

	"towpath.dev/client"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a control node, with TLS or without.
type house struct {
	url      string
	store    *memstore.Store
	registry *access.Registry
	audit    *access.Audit
	trust    *access.Trust
	first    *access.Founded
	dir      string
	stop     func() // as the process would end
}

// deployments has a server know of deployments, whose objects are in a folder of the test's.
func deployments(t *testing.T) func(*api.Options) {
	return func(o *api.Options) {
		t.Helper()
		store, err := blob.Open(t.TempDir(), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: api.NewHub()}
	}
}

func open(t *testing.T, secure bool, change func(*api.Options)) *house {
	t.Helper()
	h := &house{store: memstore.New(), dir: t.TempDir()}
	log := slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.trust, h.first, err = access.InitTrust(filepath.Join(h.dir, "trust"), access.TrustOptions{})
	must(err)
	h.registry = access.NewRegistry(h.store, h.trust.CA, log)
	must(h.registry.Found(t.Context(), h.trust))
	h.audit, err = access.OpenAudit(filepath.Join(h.dir, "audit"), log)
	must(err)
	options := api.Options{Store: h.store, Registry: h.registry, Audit: h.audit, Version: "tow 1", Beat: 20 * time.Millisecond, Log: log}
	if change != nil {
		change(&options)
	}
	server, err := api.New(options)
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.registry.Run(ctx) })
	must(h.registry.Ready(t.Context()))
	scheme, config := "http", (*tls.Config)(nil)
	if secure {
		scheme, config = "https", h.trust.TLS()
	}
	serving, halt := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(serving, l, config) }()
	h.url = scheme + "://" + l.Addr().String()
	h.stop = sync.OnceFunc(func() {
		halt()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		h.stop()
		cancel()
		running.Wait()
		h.store.Close()
		if err := h.audit.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) as(t *testing.T, o client.ControlOptions) *client.Control {
	t.Helper()
	if strings.HasPrefix(h.url, "https") && o.CA == nil {
		o.CA = h.trust.CA.PEM
	}
	c, err := client.NewControl(h.url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (h *house) admin(t *testing.T) *client.Control {
	return h.as(t, client.ControlOptions{Token: h.first.Token})
}

// principal is a client for a new principal.
func (h *house) principal(t *testing.T, name string, role v1.Role, env string) *client.Control {
	t.Helper()
	r, err := h.admin(t).Access.CreatePrincipal(t.Context(), &v1.CreatePrincipalRequest{Principal: &v1.Principal{Name: name, Role: role, Environment: env}})
	if err != nil {
		t.Fatal(err)
	}
	return h.as(t, client.ControlOptions{Token: r.GetToken()})
}

// join makes a node, and gives its certificate.
func (h *house) join(t *testing.T, name, env string) tls.Certificate {
	t.Helper()
	token, err := h.admin(t).Access.CreateJoinToken(t.Context(), &v1.CreateJoinTokenRequest{Role: v1.NodeRole_NODE_ROLE_RESPONDER, Environment: env})
	if err != nil {
		t.Fatal(err)
	}
	key, csr, err := access.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.as(t, client.ControlOptions{}).Access.Join(t.Context(), &v1.JoinRequest{Token: token.GetToken(), Name: name, Csr: csr})
	if err != nil {
		t.Fatal(err)
	}
	if r.GetCaKey() != nil || r.GetPrincipal().GetRole() != v1.Role_ROLE_NODE || r.GetCluster() != "towpath" {
		t.Errorf("a responder got %v", r)
	}
	pair, err := tls.X509KeyPair(r.GetCertificate(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func wantCode(t *testing.T, what string, err error, want connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// fakeKV answers Get with what it is told to.
type fakeKV struct {
	rpc.UnimplementedKeyValueServiceHandler
	get func(ctx context.Context, q *v1.GetRequest) (*v1.GetResponse, error)
}

func (f fakeKV) Get(ctx context.Context, q *v1.GetRequest) (*v1.GetResponse, error) {
	return f.get(ctx, q)
}

func (f fakeKV) ListNamespaces(context.Context, *v1.ListNamespacesRequest) (*v1.ListNamespacesResponse, error) {
	return &v1.ListNamespacesResponse{Namespaces: []*v1.Namespace{{Name: "default"}, {Name: "prod"}, {Name: "test"}}}, nil
}

func (f fakeKV) Watch(ctx context.Context, _ *v1.WatchRequest, out *connect.ServerStream[v1.WatchResponse]) error {
	if err := out.Send(&v1.WatchResponse{Revision: 1}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func withKV(get func(context.Context, *v1.GetRequest) (*v1.GetResponse, error)) func(*api.Options) {
	return func(o *api.Options) { o.KV = fakeKV{get: get} }
}

func echo(ctx context.Context, _ *v1.GetRequest) (*v1.GetResponse, error) {
	return &v1.GetResponse{Entry: &v1.Entry{Key: access.Caller(ctx).Name, Value: []byte("a secret value")}}, nil
}

// TestProtocols: the same call by Connect, by gRPC and gRPC-Web with and without TLS,
// and as JSON by whatever speaks HTTP.
func TestProtocols(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := open(t, secure, nil)
		pool := x509.NewCertPool()
		pool.AddCert(h.trust.CA.Certificate)
		var protocols http.Protocols
		protocols.SetHTTP2(secure)
		protocols.SetUnencryptedHTTP2(!secure)
		tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: pool}}
		defer tr.CloseIdleConnections()
		for name, option := range map[string]connect.ClientOption{
			"connect": connect.WithClientOptions(), "grpc": connect.WithGRPC(), "grpc-web": connect.WithGRPCWeb(), "json": connect.WithProtoJSON(),
		} {
			c := rpc.NewAccessServiceClient(&http.Client{Transport: tr}, h.url, option)
			_, err := c.WhoAmI(t.Context(), &v1.WhoAmIRequest{})
			wantCode(t, name+" without a token", err, connect.CodeUnauthenticated)
			ctx, info := connect.NewClientContext(t.Context())
			info.RequestHeader().Set("Authorization", "Bearer "+h.first.Token)
			r, err := c.WhoAmI(ctx, &v1.WhoAmIRequest{})
			if err != nil || r.GetPrincipal().GetName() != "admin" || r.GetCluster() != "towpath" || r.GetVersion() != "tow 1" {
				t.Errorf("secure %v, %s: %v, %v", secure, name, r, err)
			}
		}
		h.admin(t).Close()
		tr.CloseIdleConnections()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+rpc.AccessServiceWhoAmIProcedure, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		q.Header = http.Header{"Authorization": {"Bearer " + h.first.Token}, "Content-Type": {"application/json"}, "Towpath-Request": {"my-id"}}
		plain := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		defer plain.CloseIdleConnections()
		r, err := plain.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), `"name":"admin"`) || r.Header.Get("Towpath-Request") != "my-id" {
			t.Errorf("JSON: %s, %v", body, err)
		}
		_ = r.Body.Close()
		plain.CloseIdleConnections()
	}
}

func TestCertificates(t *testing.T) {
	h := open(t, true, nil)
	pair := h.join(t, "n1", "prod")
	c := h.as(t, client.ControlOptions{Certificate: &pair})
	if r, err := c.Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{}); err != nil || r.GetPrincipal().GetName() != "n1" || r.GetPrincipal().GetEnvironment() != "prod" {
		t.Errorf("%v, %v", r, err)
	}
	_, err := c.Nodes.ListNodes(t.Context(), &v1.ListNodesRequest{})
	wantCode(t, "a node lists nodes", err, connect.CodePermissionDenied)
	if _, err := h.admin(t).Access.RevokePrincipal(t.Context(), &v1.RevokePrincipalRequest{Name: "n1"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{}) // on the same connection
	wantCode(t, "a revoked node", err, connect.CodeUnauthenticated)

	// Of another cluster, whose CA has the same name.
	other, _, err := access.InitTrust(filepath.Join(t.TempDir(), "other"), access.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.as(t, client.ControlOptions{Certificate: foreign}).Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{}); err == nil {
		t.Error("a certificate of another CA is taken")
	}
	if _, err := h.as(t, client.ControlOptions{CA: other.CA.PEM, Token: h.first.Token}).Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server of another CA is believed: %v", err)
	}
}

func TestEnvironments(t *testing.T) {
	h := open(t, false, withKV(echo))
	c := h.principal(t, "ann", v1.Role_ROLE_ADMIN, "prod")
	get := func(namespace string) error {
		_, err := c.KV.Get(t.Context(), &v1.GetRequest{Namespace: namespace, Key: "k"})
		return err
	}
	for _, namespace := range []string{"prod", "prod.fees", "prod/fees"} {
		if err := get(namespace); err != nil {
			t.Errorf("%q: %v", namespace, err)
		}
	}
	for _, namespace := range []string{"test", "", "default", "production", "prod-eu", "test/prod"} {
		wantCode(t, namespace, get(namespace), connect.CodePermissionDenied)
	}
	_, err := c.Election.GetGroup(t.Context(), &v1.GetGroupRequest{Group: "test/g"})
	wantCode(t, "a group of test", err, connect.CodePermissionDenied)
	_, err = c.Election.GetGroup(t.Context(), &v1.GetGroupRequest{Group: "prod/g"})
	wantCode(t, "a group of prod", err, connect.CodeUnimplemented)
	w, err := c.KV.Watch(t.Context(), &v1.WatchRequest{Namespace: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if w.Receive() {
		t.Error("a namespace of test is watched")
	}
	wantCode(t, "a watch of test", w.Err(), connect.CodePermissionDenied)
	_ = w.Close()
	if r, err := c.KV.ListNamespaces(t.Context(), &v1.ListNamespacesRequest{}); err != nil || len(r.GetNamespaces()) != 1 {
		t.Errorf("namespaces: %v, %v", r, err)
	}
	for _, env := range []string{"", "test"} {
		_, err := c.Access.CreatePrincipal(t.Context(), &v1.CreatePrincipalRequest{Principal: &v1.Principal{Name: "bob", Role: v1.Role_ROLE_READER, Environment: env}})
		wantCode(t, "a principal of "+env, err, connect.CodePermissionDenied)
		_, err = c.Access.CreateJoinToken(t.Context(), &v1.CreateJoinTokenRequest{Role: v1.NodeRole_NODE_ROLE_RESPONDER, Environment: env})
		wantCode(t, "a join token of "+env, err, connect.CodePermissionDenied)
	}
	_, err = c.Access.CreateJoinToken(t.Context(), &v1.CreateJoinTokenRequest{Role: v1.NodeRole_NODE_ROLE_CONTROL})
	wantCode(t, "a control node", err, connect.CodePermissionDenied)
	_, err = c.Access.ListAudit(t.Context(), &v1.ListAuditRequest{})
	wantCode(t, "the audit log", err, connect.CodePermissionDenied)
	_, err = c.Access.RevokePrincipal(t.Context(), &v1.RevokePrincipalRequest{Name: "admin"})
	wantCode(t, "the admin of all", err, connect.CodeNotFound)
	if r, err := c.Access.ListPrincipals(t.Context(), &v1.ListPrincipalsRequest{}); err != nil || len(r.GetPrincipals()) != 1 || r.GetPrincipals()[0].GetName() != "ann" {
		t.Errorf("principals: %v, %v", r, err)
	}
}

// TestAudit: every call has its line, refused ones too, and no line a value or a secret.
func TestAudit(t *testing.T) {
	h := open(t, false, withKV(echo))
	reader := h.principal(t, "ann", v1.Role_ROLE_READER, "")
	if _, err := reader.KV.Get(t.Context(), &v1.GetRequest{Namespace: "shop", Key: "fee"}); err != nil {
		t.Fatal(err)
	}
	_, err := reader.KV.Put(t.Context(), &v1.PutRequest{Namespace: "shop", Key: "fee", Value: []byte("a secret value")})
	wantCode(t, "a reader writes", err, connect.CodePermissionDenied)
	_, err = h.as(t, client.ControlOptions{Token: "stolen"}).Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{})
	wantCode(t, "a stranger", err, connect.CodeUnauthenticated)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := reader.KV.Watch(ctx, &v1.WatchRequest{Namespace: "shop", Prefix: true, Key: "f"})
	if err != nil || !w.Receive() {
		t.Fatal(err, w.Err())
	}
	cancel()
	_ = w.Close()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+rpc.AccessServiceWhoAmIProcedure, strings.NewReader("no JSON"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header = http.Header{"Authorization": {"Bearer " + h.first.Token}, "Content-Type": {"application/json"}}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	var events []access.Event
	ended := func(e access.Event) bool { return e.Outcome == "canceled" }
	for !slices.ContainsFunc(events, ended) { // which the server learns in its own time
		runtime.Gosched()
		if events, err = h.audit.Newest(100, func(*access.Event) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range events {
		if e.Peer == "" || e.Request == "" || e.Time.IsZero() {
			t.Errorf("a line without peer, request or time: %+v", e)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %s", e.Principal, e.Role, e.Procedure[strings.LastIndex(e.Procedure, "/")+1:], e.Subject, e.Outcome))
	}
	slices.Sort(got)
	want := []string{
		"  WhoAmI  unauthenticated",
		"admin admin CreatePrincipal principal/ann/ROLE_READER ok",
		"admin admin WhoAmI  invalid_argument",
		"ann reader Get namespace/shop/fee ok",
		"ann reader Put  permission_denied",
		"ann reader Watch namespace/shop/f begun",
		"ann reader Watch namespace/shop/f canceled",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text, err := os.ReadFile(filepath.Join(h.dir, "audit", "audit.jsonl"))
	if err != nil || bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte("towc_")) || bytes.Contains(text, []byte("stolen")) {
		t.Errorf("there is a secret in the log, %v: %s", err, text)
	}
}

func TestListAudit(t *testing.T) {
	h := open(t, false, withKV(echo))
	reader := h.principal(t, "ann", v1.Role_ROLE_READER, "")
	for i := range 5 {
		if _, err := reader.KV.Get(t.Context(), &v1.GetRequest{Namespace: "shop", Key: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := h.admin(t).Access.ListAudit(t.Context(), &v1.ListAuditRequest{Limit: 2, Principal: "ann"})
	if err != nil || len(r.GetEntries()) != 2 || r.GetEntries()[0].GetSubject() != "namespace/shop/4" || r.GetEntries()[1].GetSubject() != "namespace/shop/3" {
		t.Errorf("%v, %v", r, err)
	}
	for _, limit := range []int32{-1, 1001} {
		_, err := h.admin(t).Access.ListAudit(t.Context(), &v1.ListAuditRequest{Limit: limit})
		wantCode(t, "a bad limit", err, connect.CodeInvalidArgument)
	}
}

// TestFailures: what goes wrong inside is told with a code and without its insides.
func TestFailures(t *testing.T) {
	h := open(t, false, withKV(func(ctx context.Context, q *v1.GetRequest) (*v1.GetResponse, error) {
		switch q.GetKey() {
		case "panic":
			panic("at the disco")
		case "error":
			return nil, errors.New("insides")
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	get := func(key string) error {
		_, err := h.admin(t).KV.Get(t.Context(), &v1.GetRequest{Key: key})
		return err
	}
	for _, key := range []string{"panic", "error"} {
		err := get(key)
		wantCode(t, key, err, connect.CodeInternal)
		if err != nil && (strings.Contains(err.Error(), "disco") || strings.Contains(err.Error(), "insides")) {
			t.Errorf("%s tells of its insides: %v", key, err)
		}
	}
	_, err := h.admin(t).KV.Put(t.Context(), &v1.PutRequest{Namespace: "a", Key: "b", Value: make([]byte, 5<<20)})
	wantCode(t, "a large message", err, connect.CodeResourceExhausted)

	brief := open(t, false, func(o *api.Options) {
		o.Timeout = time.Millisecond
		o.KV = fakeKV{get: func(ctx context.Context, _ *v1.GetRequest) (*v1.GetResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
	})
	_, err = brief.admin(t).KV.Get(t.Context(), &v1.GetRequest{Key: "k"})
	wantCode(t, "a slow call", err, connect.CodeDeadlineExceeded)

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/nothing": 404, "/towpath.v1.KeyValueService/Drop": 501} {
		r, err := http.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		if _ = r.Body.Close(); r.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, r.StatusCode, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestAttach: a node is there while it is attached, and not when it is revoked.
func TestAttach(t *testing.T) {
	h := open(t, true, nil)
	pair := h.join(t, "n1", "prod")
	node := h.as(t, client.ControlOptions{Certificate: &pair})
	welcomes := make(chan *v1.AttachResponse_Welcome, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- client.Attach(t.Context(), []*client.Control{node}, client.AttachOptions{
			Version: "tow 1", Address: "10.0.0.7:7070", Attached: func(w *v1.AttachResponse_Welcome) { welcomes <- w },
		})
	}()
	if w := <-welcomes; w.GetNode() != "n1" || w.GetEnvironment() != "prod" || w.GetCluster() != "towpath" {
		t.Errorf("the welcome is %v", w)
	}
	nodes := func() []*v1.Node {
		r, err := h.admin(t).Nodes.ListNodes(t.Context(), &v1.ListNodesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetNodes()
	}
	if n := nodes(); len(n) != 1 || n[0].GetName() != "n1" || n[0].GetEnvironment() != "prod" || n[0].GetAddress() != "10.0.0.7:7070" || n[0].GetSince() == "" {
		t.Errorf("attached are %v", n)
	}
	// It attaches again, and the stream before learns so at its next beat.
	stream, err := node.Nodes.Attach(t.Context(), &v1.AttachRequest{Version: "tow 2"})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	<-welcomes // the first one was ended, and has taken over again
	for stream.Receive() {
	}
	wantCode(t, "the stream that lost the node's key", stream.Err(), connect.CodeAborted)
	_ = stream.Close()
	if n := nodes(); len(n) != 1 || n[0].GetVersion() != "tow 1" {
		t.Errorf("attached are %v", n)
	}
	// One of another role does not attach.
	reader := h.principal(t, "ann", v1.Role_ROLE_READER, "")
	wantCode(t, "a reader attaches", client.Attach(t.Context(), []*client.Control{reader}, client.AttachOptions{}), connect.CodePermissionDenied)
	if r, err := h.principal(t, "bob", v1.Role_ROLE_READER, "test").Nodes.ListNodes(t.Context(), &v1.ListNodesRequest{}); err != nil || len(r.GetNodes()) != 0 {
		t.Errorf("who is bound to test sees %v, %v", r, err)
	}

	if _, err := h.admin(t).Access.RevokePrincipal(t.Context(), &v1.RevokePrincipalRequest{Name: "n1"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a revoked node", <-ended, connect.CodeUnauthenticated)
	h.stop() // after its streams
	if page, err := h.store.Range(t.Context(), election.Span{Keys: election.Prefix("nodes/")}); err != nil || page.Count != 0 {
		t.Errorf("the revoked node is still there: %v, %v", page, err)
	}
}

// TestShutdown: streams are told to go elsewhere.
func TestShutdown(t *testing.T) {
	h := open(t, false, withKV(echo))
	w, err := h.admin(t).KV.Watch(t.Context(), &v1.WatchRequest{Namespace: "a"})
	if err != nil || !w.Receive() {
		t.Fatal(err, w.Err())
	}
	h.stop()
	if w.Receive() {
		t.Error("there is more")
	}
	wantCode(t, "a stream of a server that ends", w.Err(), connect.CodeUnavailable)
	_ = w.Close()
}

// TestFlood: strangers do not push everything else out of the log.
func TestFlood(t *testing.T) {
	h := open(t, false, nil)
	stranger := h.as(t, client.ControlOptions{Token: "x"})
	const calls = 300
	begin := time.Now()
	for range calls {
		_, err := stranger.Access.WhoAmI(t.Context(), &v1.WhoAmIRequest{})
		wantCode(t, "a stranger", err, connect.CodeUnauthenticated)
	}
	seconds := int(time.Since(begin)/time.Second) + 2
	events, err := h.audit.Newest(calls, func(*access.Event) bool { return true })
	if err != nil || len(events) > 50*seconds {
		t.Errorf("%d lines within %d seconds, %v", len(events), seconds, err)
	}
}

// TestRoutes: other paths are behind the same door.
func TestRoutes(t *testing.T) {
	h := open(t, false, func(o *api.Options) {
		o.Routes = []api.Route{{
			Pattern: "GET /v1/groups/{group}", Procedure: rpc.ElectionServiceObserveProcedure,
			Subject: func(r *http.Request) (string, string) {
				return "group/" + r.PathValue("group"), access.EnvironmentOf(r.PathValue("group"))
			},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(access.Caller(r.Context()).Name)
			}),
		}}
	})
	r, err := h.admin(t).Access.CreatePrincipal(t.Context(), &v1.CreatePrincipalRequest{Principal: &v1.Principal{Name: "ann", Role: v1.Role_ROLE_READER, Environment: "prod"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/v1/groups/prod", r.GetToken(), 200}, {"/v1/groups/prod.a", r.GetToken(), 200}, {"/v1/groups/test", r.GetToken(), 403}, {"/v1/groups/prod", "x", 401},
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%s answers %d, want %d", c.path, resp.StatusCode, c.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if _, err := api.New(api.Options{Store: h.store, Registry: h.registry, Audit: h.audit, Routes: []api.Route{{Pattern: "/x", Procedure: "/x"}}}); err == nil {
		t.Error("a route that nobody may use is served")
	}
}
