//go:build !solo

package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
)

// noEtcd unsets what would say where etcd is.
func noEtcd(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ENDPOINTS", "CACERT", "CERT", "KEY", "USER", "PASSWORD"} {
		t.Setenv("ETCDCTL_"+name, "")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
}

// wantOpen checks whether the cluster can be asked, and what is said if not.
func wantOpen(t *testing.T, e etcdFlags, want string) {
	t.Helper()
	client, err := e.open(t.Context())
	if err == nil {
		if err := closed(client); err != nil {
			t.Error(err)
		}
	}
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%+v:\n  found    %v\n  expected %q", e, err, want)
	}
}

// TestEtcdFlags: mistakes of the command line say what was expected.
func TestEtcdFlags(t *testing.T) {
	noEtcd(t)
	dir := t.TempDir()
	for _, c := range []struct {
		flags etcdFlags
		want  string
	}{
		{etcdFlags{}, "nothing says where etcd is: name it with --endpoints"},
		{etcdFlags{endpoints: "etcd-1"}, "--endpoints etcd-1: expected https://HOST:PORT"},
		{etcdFlags{endpoints: "ftp://etcd-1:2379"}, "--endpoints ftp://etcd-1:2379: expected https://HOST:PORT"},
		{etcdFlags{endpoints: " , "}, "names no endpoint"},
		{etcdFlags{endpoints: "http://127.0.0.1:1", data: dir}, "--data and --endpoints both say where etcd is"},
		{etcdFlags{endpoints: "http://127.0.0.1:1", cert: "x"}, "--cert and --key go together"},
		{etcdFlags{endpoints: "https://127.0.0.1:1", ca: "none.pem"}, "none.pem"},
		{etcdFlags{endpoints: "http://127.0.0.1:1", user: "root:secret"}, "--user takes a name alone"},
		{etcdFlags{endpoints: "http://127.0.0.1:1", user: "root"}, `there is no password for the user "root"`},
		{etcdFlags{endpoints: "http://127.0.0.1:1", passwordFile: "none"}, "the password: "},
		{etcdFlags{endpoints: "http://127.0.0.1:1"}, "http://127.0.0.1:1 cannot be reached: connection refused; is etcd running there?"},
		{etcdFlags{endpoints: "http://127.0.0.1:1,http://127.0.0.1:2"}, "none of etcd's endpoints answers:\nhttp://127.0.0.1:1 cannot be reached"},
		{etcdFlags{data: dir}, "is no control node's folder"},
	} {
		wantOpen(t, c.flags, c.want)
	}
}

// TestEtcdTLS: an etcd that lets in control nodes alone, asked in wrong ways and in the right
// one.
func TestEtcdTLS(t *testing.T) {
	noEtcd(t)
	dir := t.TempDir()
	trust, _, err := access.InitTrust(filepath.Join(dir, trustDir), access.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantOpen(t, etcdFlags{data: dir}, `does not say where its member of etcd listens: start the node with "tow serve --data `)
	p := &controlPlane{log: slog.New(slog.DiscardHandler), dir: dir}
	store, stop, err := p.openStore(t.Context(), trust, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	wantOpen(t, etcdFlags{data: dir}, "")

	at := store.client.Endpoints()[0]
	file := func(name string) string { return filepath.Join(dir, trustDir, name) }
	wantOpen(t, etcdFlags{endpoints: at, ca: file("ca.pem"), cert: file("node.pem"), key: file("node-key.pem")}, "")
	wantOpen(t, etcdFlags{endpoints: at}, "is of an authority that is not known here: name its certificate authority with --cacert")
	wantOpen(t, etcdFlags{endpoints: strings.Replace(at, "https:", "http:", 1)}, "write https:// instead of http://")
	wantOpen(t, etcdFlags{endpoints: at, ca: file("ca.pem")}, "lets in only who shows a certificate: name one with --cert and --key")
	key, csr, err := access.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := trust.CA.Issue(csr, access.Principal{Name: "n1", Role: access.Node, Environment: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"other.pem": certificate, "other-key.pem": key} {
		if err := os.WriteFile(file(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantOpen(t, etcdFlags{endpoints: at, ca: file("ca.pem"), cert: file("other.pem"), key: file("other-key.pem")}, "does not accept the certificate of --cert")

	// The variables of etcdctl say it as well, and flags go before them.
	t.Setenv("ETCDCTL_ENDPOINTS", at)
	t.Setenv("ETCDCTL_CACERT", file("ca.pem"))
	t.Setenv("ETCDCTL_CERT", file("node.pem"))
	t.Setenv("ETCDCTL_KEY", file("node-key.pem"))
	wantOpen(t, etcdFlags{}, "")
	wantOpen(t, etcdFlags{endpoints: "https://127.0.0.1:1"}, "https://127.0.0.1:1 cannot be reached")

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	wantOpen(t, etcdFlags{endpoints: strings.Replace(plain.URL, "http:", "https:", 1)}, "speaks no TLS: write http:// instead of https://")
}

// TestEtcdAuth: an etcd that wants to know its users.
func TestEtcdAuth(t *testing.T) {
	noEtcd(t)
	m, err := member.Start(t.Context(), member.Options{Dir: filepath.Join(t.TempDir(), "etcd"), UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	at := m.Endpoints()[0]
	wantOpen(t, etcdFlags{endpoints: strings.TrimPrefix(at, "http://")}, "") // as etcdctl has it
	root, err := m.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }() // says that its context has ended
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { _, err := root.UserAdd(ctx, "root", "secret"); return err },
		func() error { _, err := root.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := root.UserAdd(ctx, "guest", "guest"); return err },
		func() error { _, err := root.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	wantOpen(t, etcdFlags{endpoints: at}, "etcd wants to know who asks: name a user with --user")
	t.Setenv("ETCDCTL_PASSWORD", "wrong")
	wantOpen(t, etcdFlags{endpoints: at, user: "root"}, `etcd does not know the user "root" with this password`)
	t.Setenv("ETCDCTL_PASSWORD", "secret")
	wantOpen(t, etcdFlags{endpoints: at, user: "root"}, "")
	t.Setenv("ETCDCTL_PASSWORD", "")
	t.Setenv("ETCDCTL_USER", "root:secret")
	wantOpen(t, etcdFlags{endpoints: at}, "")
	t.Setenv("ETCDCTL_USER", "")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("guest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := etcdFlags{endpoints: at, user: "guest", passwordFile: file}
	wantOpen(t, e, "")
	client, err := e.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	seen, err := cluster.Observe(ctx, client, cluster.Options{Probes: 1, Elections: true})
	if err != nil || seen.Quorum.Well != 1 {
		t.Errorf("a guest looks at the cluster: %+v, %v", seen, err)
	}
	_, err = client.Put(ctx, "a", "1")
	if err = e.told(err); err == nil || !strings.Contains(err.Error(), `etcd does not permit this to guest: the user "root" may do it`) {
		t.Errorf("a guest writes: %v", err)
	}
}
