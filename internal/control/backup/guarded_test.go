package backup

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

// A guarded cluster wants certificates of its clients, and a user with a password.
type guarded struct {
	member       member.Options
	certificates *tls.Config
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	own, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{}
	etcd.Start(t, 1, func(o *member.Options) {
		o.TLS = &member.TLS{CA: own.CertFile, Cert: own.CertFile, Key: own.KeyFile}
		g.member = *o
	})
	if g.certificates, err = (transport.TLSInfo{CertFile: own.CertFile, KeyFile: own.KeyFile, TrustedCAFile: own.CertFile}).ClientConfig(); err != nil {
		t.Fatal(err)
	}
	enableAuth(t, g.connect(t, ""))
	return g
}

// dial connects as a user, whose password is "secret".
func (g *guarded) dial(user string) func(endpoint string) (*clientv3.Client, error) {
	c := clientv3.Config{Logger: zap.NewNop(), TLS: g.certificates, DialTimeout: time.Minute}
	if user != "" {
		c.Username, c.Password = user, "secret"
	}
	return func(endpoint string) (*clientv3.Client, error) {
		c := c
		c.Endpoints = []string{endpoint}
		return clientv3.New(c)
	}
}

func (g *guarded) connect(t *testing.T, user string) *clientv3.Client {
	t.Helper()
	client, err := g.dial(user)("https://" + g.member.Client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (g *guarded) options(t *testing.T, user string, store blob.Store) Options {
	return Options{Source: Source{g.connect(t, user), g.dial(user)}, Store: store, Cluster: "prod", Scratch: t.TempDir()}
}

// restore starts a member that was restored elsewhere in place of the cluster.
func (g *guarded) restore(t *testing.T, store blob.Store) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	plan, err := PlanRestore(t.Context(), RestoreOptions{
		Store: store, Cluster: "prod", DataDir: dir, Name: g.member.Name, Members: map[string]string{g.member.Name: "https://" + g.member.Peer},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var free member.Options
	etcd.Start(t, 1, func(o *member.Options) { free = *o }).Stop(0)
	g.member.Dir, g.member.Client, g.member.Peer, g.member.Cluster = dir, free.Client, free.Peer, nil
	m, err := member.Start(t.Context(), g.member)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
}

// TestGuardedCluster keeps and restores a cluster that has users and trusts nobody without a
// certificate.
func TestGuardedCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("there is little in it that could race")
	}
	g, store := startGuarded(t), openFolder(t, t.TempDir())
	o := g.options(t, "root", store)
	random := rand.New(rand.NewPCG(5015, 1))
	write(t, o.Source.Client, random, 20)
	u, err := NewUploader(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Care(t.Context()); err != nil { // makes a base, and verifies it
		t.Fatal(err)
	}
	f, err := u.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, o.Source.Client, random, 20)
	if err := f.Upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := o.Source.Client.Get(t.Context(), "\x00", clientv3.WithFromKey())
	if err != nil {
		t.Fatal(err)
	}
	// Whoever may read all keys may not read the store itself.
	reader, err := NewUploader(t.Context(), g.options(t, "reader", store))
	if err == nil {
		_, err = reader.MakeBase(t.Context(), "a test's")
	}
	if err == nil || !strings.Contains(err.Error(), "only users with the role root") {
		t.Errorf("a user without the role root: %v", err)
	}

	g.restore(t, store)
	got, err := g.connect(t, "root").Get(t.Context(), "\x00", clientv3.WithFromKey())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) == 0 || fmt.Sprint(got.Kvs) != fmt.Sprint(want.Kvs) {
		t.Errorf("%d keys are restored, the cluster had %d, or they differ", len(got.Kvs), len(want.Kvs))
	}
	if _, err := g.connect(t, "").Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the restored cluster asks nobody who it is: %v", err)
	}
}

// enableAuth makes the users root and reader, with the password "secret".
func enableAuth(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx := t.Context()
	var faults []error
	add := func(_ any, err error) { faults = append(faults, err) }
	add(client.UserAdd(ctx, "root", "secret"))
	add(client.UserGrantRole(ctx, "root", "root"))
	add(client.UserAdd(ctx, "reader", "secret"))
	add(client.RoleAdd(ctx, "all"))
	add(client.RoleGrantPermission(ctx, "all", "\x00", "\x00", clientv3.PermissionType(clientv3.PermReadWrite)))
	add(client.UserGrantRole(ctx, "reader", "all"))
	add(client.AuthEnable(ctx))
	if i := slices.IndexFunc(faults, func(err error) bool { return err != nil }); i >= 0 {
		t.Fatal(faults[i])
	}
}
