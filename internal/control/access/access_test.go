package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "towpath.dev/api/towpathv1"
	rpc "towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestProcedures: each procedure of each service is in the table, and nothing else.
func TestProcedures(t *testing.T) {
	all := map[string]bool{}
	for _, file := range []protoreflect.FileDescriptor{v1.File_towpath_v1_access_proto, v1.File_towpath_v1_kv_proto, v1.File_towpath_v1_election_proto, v1.File_towpath_v1_deploy_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				name := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(j).Name())
				all[name] = true
				if _, ok := NeedOf(name); !ok {
					t.Errorf("who may call %s is not said", name)
				}
			}
		}
	}
	for name := range procedures {
		if !all[name] {
			t.Errorf("%s is in the table, and no service has it", name)
		}
	}
}

func TestPermit(t *testing.T) {
	for _, c := range []struct {
		role      Role
		procedure string
		want      bool
	}{
		{"", rpc.AccessServiceJoinProcedure, true},
		{"", rpc.AccessServiceWhoAmIProcedure, false},
		{Reader, rpc.AccessServiceWhoAmIProcedure, true}, {Node, rpc.AccessServiceWhoAmIProcedure, true},
		{Reader, rpc.KeyValueServiceGetProcedure, true}, {Reader, rpc.KeyValueServicePutProcedure, false},
		{Deployer, rpc.KeyValueServiceGetProcedure, true}, {Deployer, rpc.KeyValueServicePutProcedure, true},
		{Deployer, rpc.AccessServiceCreateJoinTokenProcedure, false}, {Admin, rpc.AccessServiceCreateJoinTokenProcedure, true},
		{Admin, rpc.NodeServiceAttachProcedure, false}, {Node, rpc.NodeServiceAttachProcedure, true},
		{Node, rpc.KeyValueServiceGetProcedure, false}, {Node, rpc.NodeServiceListNodesProcedure, false},
		{Control, rpc.NodeServiceAttachProcedure, false}, {Control, rpc.KeyValueServiceGetProcedure, false},
		{Admin, "/towpath.v1.KeyValueService/Drop", false},
	} {
		err := Permit(Principal{Name: "x", Role: c.role}, c.procedure)
		if (err == nil) != c.want || err != nil && connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%q calls %s: %v, want it permitted: %v", c.role, c.procedure, err, c.want)
		}
	}
	if Permit(Principal{Role: Admin, Environment: "prod"}, rpc.AccessServiceListAuditProcedure) == nil {
		t.Error("an admin of one environment reads the log of all")
	}
	for name, want := range map[string]string{"prod": "prod", "prod.fees": "prod", "prod/a/b": "prod", "": "", "prod-eu": "prod-eu"} {
		if got := EnvironmentOf(name); got != want {
			t.Errorf("EnvironmentOf(%q) = %q, want %q", name, got, want)
		}
	}
}

// place is a cluster of one, in memory.
type place struct {
	*Registry
	store *cut
	trust *Trust
	first *Founded
}

// cut is a store that cannot be reached while off is set.
type cut struct {
	control.Store
	off atomic.Bool
}

func (c *cut) Range(ctx context.Context, s election.Span) (election.Page, error) {
	if c.off.Load() {
		return election.Page{}, election.ErrNotReached
	}
	return c.Store.Range(ctx, s)
}

func newPlace(t *testing.T) *place {
	t.Helper()
	memory := memstore.New()
	p := &place{store: &cut{Store: memory}}
	var err error
	if p.trust, p.first, err = InitTrust(filepath.Join(t.TempDir(), "trust"), TrustOptions{}); err != nil {
		t.Fatal(err)
	}
	p.Registry = NewRegistry(p.store, p.trust.CA, slog.New(slog.DiscardHandler))
	if err := p.Found(t.Context(), p.trust); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended; memory.Close() })
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func certificateOf(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *place) token(t *testing.T, role v1.NodeRole, env string) JoinToken {
	t.Helper()
	token, _, err := p.CreateJoin(t.Context(), &v1.CreateJoinTokenRequest{Role: role, Environment: env}, "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func request(t *testing.T, hosts ...string) []byte {
	t.Helper()
	_, csr, err := NewRequest(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func wantCode(t *testing.T, what string, err error, want connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

const responder, controller = v1.NodeRole_NODE_ROLE_RESPONDER, v1.NodeRole_NODE_ROLE_CONTROL

func TestFounders(t *testing.T) {
	p := newPlace(t)
	who, err := p.Authenticate(nil, "bearer "+p.first.Token)
	if err != nil || who.Name != "admin" || who.Role != Admin || who.Credential != "token" {
		t.Errorf("the first admin's token is of %+v, %v", who, err)
	}
	who, err = p.Authenticate([]*x509.Certificate{certificateOf(t, p.first.Certificate)}, "Bearer nonsense")
	if err != nil || who.Name != "admin" || who.Credential != "certificate" {
		t.Errorf("the first admin's certificate is of %+v, %v", who, err)
	}
	for _, header := range []string{"", "Bearer", "Bearer x", "Basic " + p.first.Token, p.first.Token} {
		_, err := p.Authenticate(nil, header)
		wantCode(t, header, err, connect.CodeUnauthenticated)
	}
	// The admin that was revoked does not come back as the node starts again.
	if _, err := p.Create(t.Context(), Principal{Name: "ann", Role: Admin}, "admin", ""); err != nil {
		t.Fatal(err)
	}
	if err := p.Revoke(t.Context(), "admin", ""); err != nil {
		t.Fatal(err)
	}
	if err := p.Found(t.Context(), p.trust); err != nil {
		t.Fatal(err)
	}
	_, err = p.Authenticate(nil, "Bearer "+p.first.Token)
	wantCode(t, "the revoked admin", err, connect.CodeUnauthenticated)
	// Another cluster's node is refused by the store.
	other, _, err := InitTrust(filepath.Join(t.TempDir(), "other"), TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := NewRegistry(p.store, other.CA, p.log).Found(t.Context(), other); err == nil || !strings.Contains(err.Error(), "one cluster") {
		t.Errorf("a node of another cluster: %v", err)
	}
	// The files are for nobody else, and have no token.
	files, err := filepath.Glob(filepath.Join(p.trust.dir, "*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		text, _ := os.ReadFile(name)
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(text), p.first.Token) {
			t.Errorf("%s: mode %v, %v, or it has the admin's token", name, info.Mode(), err)
		}
	}
	if _, _, err := InitTrust(p.trust.dir, TrustOptions{}); err == nil {
		t.Error("a cluster's trust is overwritten")
	}
}

func TestLastAdmin(t *testing.T) {
	p := newPlace(t)
	wantCode(t, "the last admin", p.Revoke(t.Context(), "admin", ""), connect.CodeFailedPrecondition)
	for _, q := range []Principal{{Name: "a", Role: Admin, Environment: "prod"}, {Name: "b", Role: Admin, Expires: time.Now().Add(time.Hour)}} {
		if _, err := p.Create(t.Context(), q, "admin", ""); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "the last admin for all and for ever", p.Revoke(t.Context(), "admin", ""), connect.CodeFailedPrecondition)
	wantCode(t, "one of another environment", p.Revoke(t.Context(), "a", "test"), connect.CodeNotFound)
	if err := p.Revoke(t.Context(), "a", "prod"); err != nil {
		t.Error(err)
	}
}

func TestCreate(t *testing.T) {
	p := newPlace(t)
	for _, q := range []Principal{
		{Name: "", Role: Reader}, {Name: "A", Role: Reader}, {Name: "a/b", Role: Reader}, {Name: strings.Repeat("a", 64), Role: Reader},
		{Name: "a", Role: Reader, Environment: "a.b"}, {Name: "a", Role: Reader, Expires: time.Now().Add(-time.Second)},
	} {
		_, err := p.Create(t.Context(), q, "admin", "")
		wantCode(t, q.Name, err, connect.CodeInvalidArgument)
	}
	_, err := ReadPrincipal(&v1.Principal{Name: "a", Role: v1.Role_ROLE_NODE})
	wantCode(t, "a node without joining", err, connect.CodeInvalidArgument)

	token, err := p.Create(t.Context(), Principal{Name: "a", Role: Reader, Environment: "prod"}, "admin", "key 1")
	if err != nil {
		t.Fatal(err)
	}
	if who, err := p.Authenticate(nil, "Bearer "+token); err != nil || who.Name != "a" || who.Environment != "prod" {
		t.Errorf("%+v, %v", who, err)
	}
	_, err = p.Create(t.Context(), Principal{Name: "a", Role: Admin}, "admin", "")
	wantCode(t, "a name that is taken", err, connect.CodeAlreadyExists)
	_, err = p.Create(t.Context(), Principal{Name: "b", Role: Reader}, "admin", "key 1")
	if wantCode(t, "a key that was used", err, connect.CodeAlreadyExists); err != nil && !strings.Contains(err.Error(), "made the principal a already") {
		t.Errorf("a key that was used: %v", err)
	}
	if _, err := p.Create(t.Context(), Principal{Name: "b", Role: Reader}, "ann", "key 1"); err != nil {
		t.Errorf("the key of another principal: %v", err)
	}
	// The store has no token.
	page, err := p.store.Range(t.Context(), election.Span{Keys: election.Prefix("access/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		if strings.Contains(string(e.Value), token) {
			t.Errorf("%s has a token in clear", e.Key)
		}
	}
}

func TestJoin(t *testing.T) {
	p := newPlace(t)
	csr := request(t, "evil.example")
	token := p.token(t, responder, "prod")
	if again, err := ParseJoinToken(token.String()); err != nil || again != token {
		t.Errorf("%s is read as %+v, %v", token, again, err)
	}
	for what, wrong := range map[string]JoinToken{
		"another secret": {token.ID, "x", token.Pin}, "another id": {"x", token.Secret, token.Pin}, "another pin": {token.ID, token.Secret, "x"},
	} {
		_, err := p.Join(t.Context(), wrong, "n1", csr)
		wantCode(t, what, err, connect.CodeUnauthenticated)
	}
	_, err := p.Join(t.Context(), token, "N1", csr)
	wantCode(t, "a bad name", err, connect.CodeInvalidArgument)
	_, err = p.Join(t.Context(), token, "n1", csr[1:])
	wantCode(t, "a bad request", err, connect.CodeInvalidArgument)
	_, err = p.Join(t.Context(), token, "admin", csr)
	wantCode(t, "a name that is taken", err, connect.CodeAlreadyExists)

	first, err := p.Join(t.Context(), token, "n1", csr)
	if err != nil {
		t.Fatal(err)
	}
	c := certificateOf(t, first.Certificate)
	who, err := p.Authenticate([]*x509.Certificate{c}, "")
	if err != nil || who.Name != "n1" || who.Role != Node || who.Environment != "prod" {
		t.Errorf("the node is %+v, %v", who, err)
	}
	if len(c.DNSNames) > 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		t.Errorf("a responder's certificate is for servers: %v", c.DNSNames)
	}
	if life := time.Until(c.NotAfter); life > nodeLife || life < nodeLife-time.Minute {
		t.Errorf("its certificate is good for %s", life)
	}
	if _, err := p.Join(t.Context(), token, "n1", csr); err != nil {
		t.Errorf("who did not hear the answer asks again: %v", err)
	}
	_, err = p.Join(t.Context(), token, "n1", request(t))
	wantCode(t, "the token again, with another key", err, connect.CodeUnauthenticated)
	_, err = p.Join(t.Context(), token, "n2", csr)
	wantCode(t, "the token again, under another name", err, connect.CodeUnauthenticated)

	// Revoked at once, and not alive again with a namesake.
	if err := p.Revoke(t.Context(), "n1", ""); err != nil {
		t.Fatal(err)
	}
	_, err = p.Authenticate([]*x509.Certificate{c}, "")
	wantCode(t, "a revoked node", err, connect.CodeUnauthenticated)
	if _, err := p.Join(t.Context(), p.token(t, responder, "prod"), "n1", request(t)); err != nil {
		t.Fatal(err)
	}
	_, err = p.Authenticate([]*x509.Certificate{c}, "")
	wantCode(t, "its certificate beside its namesake's", err, connect.CodeUnauthenticated)
	_, err = p.Join(t.Context(), token, "n1", csr)
	wantCode(t, "its token", err, connect.CodeUnauthenticated)

	// A control node gets what a server needs.
	second, err := p.Join(t.Context(), p.token(t, controller, ""), "control-2", request(t, "10.0.0.2", "c2.internal"))
	if err != nil {
		t.Fatal(err)
	}
	c = certificateOf(t, second.Certificate)
	if !slices.Contains(c.DNSNames, "c2.internal") || !c.IPAddresses[0].Equal(net.IPv4(10, 0, 0, 2)) || c.VerifyHostname(p.trust.CA.ControlHost()) != nil {
		t.Errorf("the certificate is for %v, %v", c.DNSNames, c.IPAddresses)
	}
}

func TestRenew(t *testing.T) {
	p := newPlace(t)
	csr := request(t)
	joined, err := p.Join(t.Context(), p.token(t, responder, "prod"), "n1", csr)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := p.Renew(t.Context(), joined.Principal, csr)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := p.Authenticate([]*x509.Certificate{certificateOf(t, text)}, ""); err != nil || who.Name != "n1" {
		t.Errorf("the renewed certificate is of %+v, %v", who, err)
	}
	_, _, err = p.Renew(t.Context(), joined.Principal, request(t))
	wantCode(t, "another key", err, connect.CodeInvalidArgument)
	if err := p.Revoke(t.Context(), "n1", ""); err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Renew(t.Context(), joined.Principal, csr)
	wantCode(t, "a revoked node", err, connect.CodeUnauthenticated)
}

// TestJoinRace: many nodes with one token, and one gets in.
func TestJoinRace(t *testing.T) {
	p := newPlace(t)
	token := p.token(t, responder, "prod")
	var in atomic.Int32
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "a", "b", "c", "d"} {
		csr := request(t)
		all.Go(func() {
			if _, err := p.Join(t.Context(), token, name, csr); err == nil {
				in.Add(1)
			} else if connect.CodeOf(err) != connect.CodeUnauthenticated && connect.CodeOf(err) != connect.CodeAlreadyExists {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d nodes joined with one token", in.Load())
	}
}

func TestJoinTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		for _, q := range []*v1.CreateJoinTokenRequest{
			{Role: responder, Environment: "prod", TtlSeconds: 59}, {Role: responder, Environment: "prod", TtlSeconds: 604801}, {Role: responder, Environment: "prod", TtlSeconds: -1},
			{Role: responder, Environment: ""}, {Role: responder, Environment: "a/b"}, {Role: controller, Environment: "prod"}, {Environment: "prod"},
		} {
			_, _, err := p.CreateJoin(t.Context(), q, "admin", "")
			wantCode(t, q.String(), err, connect.CodeInvalidArgument)
		}
		short, info, err := p.CreateJoin(t.Context(), &v1.CreateJoinTokenRequest{Role: responder, Environment: "prod", TtlSeconds: 60}, "admin", "k")
		if err != nil || info.GetEnvironment() != "prod" || info.GetCreatedBy() != "admin" {
			t.Fatal(info, err)
		}
		_, _, err = p.CreateJoin(t.Context(), &v1.CreateJoinTokenRequest{Role: responder, Environment: "prod"}, "admin", "k")
		wantCode(t, "the same Idempotency-Key", err, connect.CodeAlreadyExists)
		long := p.token(t, responder, "test")
		if got, err := p.ListJoins(t.Context(), ""); err != nil || len(got) != 2 {
			t.Errorf("there are %v, %v", got, err)
		}
		if got, err := p.ListJoins(t.Context(), "test"); err != nil || len(got) != 1 || got[0].GetId() != long.ID {
			t.Errorf("of test there are %v, %v", got, err)
		}
		time.Sleep(61 * time.Second)
		_, err = p.Join(t.Context(), short, "n1", request(t))
		wantCode(t, "an expired token", err, connect.CodeUnauthenticated)
		if got, err := p.ListJoins(t.Context(), ""); err != nil || len(got) != 1 {
			t.Errorf("there are %v, %v", got, err)
		}
		wantCode(t, "an expired token", p.RevokeJoin(t.Context(), short.ID, ""), connect.CodeNotFound)
		wantCode(t, "a token of another environment", p.RevokeJoin(t.Context(), long.ID, "prod"), connect.CodeNotFound)
		if err := p.RevokeJoin(t.Context(), long.ID, "test"); err != nil {
			t.Error(err)
		}
		_, err = p.Join(t.Context(), long, "n1", request(t))
		wantCode(t, "a revoked token", err, connect.CodeUnauthenticated)
		time.Sleep(25 * time.Hour)
		if _, _, err := p.CreateJoin(t.Context(), &v1.CreateJoinTokenRequest{Role: responder, Environment: "prod"}, "admin", "k"); err != nil {
			t.Errorf("the same Idempotency-Key a day later: %v", err)
		}
	})
}

// TestEnds: calls that last end as their principal does: revoked here, revoked at
// another control node, expired.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		elsewhere := NewRegistry(p.store, p.trust.CA, p.log) // not run: it only writes
		lasting := func(q Principal) context.Context {
			token, err := p.Create(t.Context(), q, "admin", "")
			if err != nil {
				t.Fatal(err)
			}
			who, err := p.Authenticate(nil, "Bearer "+token)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := who.During(t.Context())
			t.Cleanup(stop)
			return ctx
		}
		here, there, late := lasting(Principal{Name: "here", Role: Reader}), lasting(Principal{Name: "there", Role: Reader}),
			lasting(Principal{Name: "late", Role: Reader, Expires: time.Now().Add(time.Minute)})
		stays := lasting(Principal{Name: "stays", Role: Reader})
		if err := p.Revoke(t.Context(), "here", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := elsewhere.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Delete(election.Key(principalPrefix + "there"))}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, ctx := range map[string]context.Context{"here": here, "there": there} {
			wantCode(t, name, context.Cause(ctx), connect.CodeUnauthenticated)
		}
		if late.Err() != nil {
			t.Error("it has expired too early")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		wantCode(t, "late", context.Cause(late), connect.CodeUnauthenticated)
		if stays.Err() != nil {
			t.Errorf("one that stays: %v", context.Cause(stays))
		}
	})
}

// TestStale: a control node that has lost the store lets nobody in after a while, and
// everybody again afterwards.
func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		time.Sleep(time.Hour)
		ask := func() error { _, err := p.Authenticate(nil, "Bearer "+p.first.Token); return err }
		if err := ask(); err != nil || !p.Fresh() {
			t.Fatal(err)
		}
		p.store.off.Store(true)
		time.Sleep(staleAfter - refreshEvery - time.Second)
		if err := ask(); err != nil {
			t.Errorf("a moment later: %v", err)
		}
		time.Sleep(refreshEvery + time.Second)
		wantCode(t, "later", ask(), connect.CodeUnavailable)
		if p.Fresh() {
			t.Error("it is fresh")
		}
		p.store.off.Store(false)
		time.Sleep(2 * refreshEvery)
		if err := ask(); err != nil {
			t.Errorf("when the store is back: %v", err)
		}
	})
}

// TestPinned is TLS to servers of whom only a pin is known.
func TestPinned(t *testing.T) {
	mine, _, err := InitTrust(filepath.Join(t.TempDir(), "mine"), TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := InitTrust(filepath.Join(t.TempDir(), "theirs"), TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key, csr, err := NewRequest("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := mine.CA.Issue(csr, Principal{Name: "n1", Role: Node, Environment: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	posing, err := tls.X509KeyPair(append(cert, mine.CA.PEM...), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		server *tls.Config
		host   string
		want   string
	}{
		{"a control node", mine.TLS(), "127.0.0.1", ""},
		{"under a name that is not its", mine.TLS(), "10.1.2.3", "10.1.2.3"},
		{"one of another cluster", theirs.TLS(), "127.0.0.1", "another pin"},
		{"a responder that poses as one", &tls.Config{Certificates: []tls.Certificate{posing}}, "127.0.0.1", "any IP SANs"},
	} {
		here, there := net.Pipe()
		server, client := tls.Server(there, c.server), tls.Client(here, Pinned(mine.CA.Pin(), c.host))
		done := make(chan error, 1)
		go func() { done <- server.Handshake() }()
		err := client.Handshake()
		_ = here.Close()
		<-done
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}

// TestTrustRenews: a control node renews its own certificate in time.
func TestTrustRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trust, _, err := InitTrust(filepath.Join(t.TempDir(), "trust"), TrustOptions{Hosts: []string{"c1.internal", "10.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		first, err := trust.Certificate()
		if err != nil || len(first.Certificate) != 2 {
			t.Fatal(first, err)
		}
		time.Sleep(nodeLife - RenewBefore + time.Hour)
		second, err := trust.Certificate()
		if err != nil || len(second.Certificate) != 2 || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
			t.Fatalf("the certificate was not renewed: %v", err)
		}
		opened, err := OpenTrust(trust.dir)
		if err != nil {
			t.Fatal(err)
		}
		if third, err := opened.Certificate(); err != nil || !third.Leaf.Equal(second.Leaf) {
			t.Errorf("the renewed certificate is not on the disk: %v", err)
		}
		if got := opened.Hosts(); !slices.Equal(got, append([]string{"localhost", "c1.internal"}, "127.0.0.1", "::1", "10.0.0.1")) {
			t.Errorf("it is for %q", got)
		}
	})
}

func FuzzJoinToken(f *testing.F) {
	f.Add("tow1.abc.def.ghi")
	f.Add("tow1...")
	f.Add("tow2.a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseJoinToken(s)
		if err == nil && token.String() != strings.TrimSpace(s) {
			t.Errorf("%q is read as %s", s, token)
		}
	})
}
