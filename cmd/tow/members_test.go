//go:build !solo

package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/member"
)

// TestMemberIsForControlNodes: a responder's certificate, though of the same CA, does not
// open etcd; a control node's does.
func TestMemberIsForControlNodes(t *testing.T) {
	dir := t.TempDir()
	trust, _, err := access.InitTrust(filepath.Join(dir, trustDir), access.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &controlPlane{log: slog.New(slog.DiscardHandler), dir: dir}
	store, stop, err := p.openStore(t.Context(), trust, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	key, csr, err := access.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	text, err := trust.CA.Issue(csr, access.Principal{Name: "n1", Role: access.Node, Environment: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	responder, err := tls.X509KeyPair(text, key)
	if err != nil {
		t.Fatal(err)
	}
	control, err := trust.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pair *tls.Certificate
		want bool
	}{{"a control node", control, true}, {"a responder", &responder, false}} {
		etcd, err := clientv3.New(clientv3.Config{
			Endpoints: store.members.client.Endpoints(), Logger: zap.NewNop(),
			TLS: &tls.Config{RootCAs: trust.CA.Pool(), Certificates: []tls.Certificate{*c.pair}, MinVersion: tls.VersionTLS13},
		})
		if err != nil {
			t.Fatal(err)
		}
		patience := 20 * time.Second
		if !c.want {
			patience = time.Second // the client tries again and again
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err = etcd.Status(ctx, etcd.Endpoints()[0])
		cancel()
		if (err == nil) != c.want {
			t.Errorf("%s asks etcd: %v", c.name, err)
		}
		if err := etcd.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestProfile: a profile's mistakes have places, and its secrets go to no other address.
func TestProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.toml")
	t.Setenv("TOW_PROFILE", path)
	t.Setenv("TOW_CONTROL", "")
	t.Setenv("TOW_CONTROL_TOKEN", "")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"url = 3":                                "control.toml:1:1: `url` is a whole number; expected a text in quotes",
		"urls = \"x\"":                           "control.toml:1:1: ",
		"certificate = \"c\"":                    "control.toml:1:1: `certificate` and `key` go together",
		"url = \"ftp://x\"\n":                    "is no address of a control API",
		"url = \"http://x:1\"":                   "would show what is sent",
		"url = \"https://x\"\nca = \"none.pem\"": "the certificate authority: ",
	} {
		write(text)
		if _, err := (&controlAt{}).open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// The CA and the certificate that are missing here would be mistakes, were they used.
	write("url = \"https://a\"\nca = \"none.pem\"\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n")
	c, err := (&controlAt{url: "https://b"}).open()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestExistingEtcd: a control node over an etcd that is not its own.
func TestExistingEtcd(t *testing.T) {
	m, err := member.Start(t.Context(), member.Options{Dir: filepath.Join(t.TempDir(), "etcd"), UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &controlPlane{ui: &ui{err: io.Discard}, log: slog.New(slog.DiscardHandler), dir: dir, listen: "127.0.0.1:" + port, etcd: m.Endpoints()}
	plane, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- plane.run(ctx) }()
	t.Setenv("TOW_PROFILE", filepath.Join(dir, "control.toml"))
	t.Setenv("TOW_CONTROL", "")
	t.Setenv("TOW_CONTROL_TOKEN", "")
	// The listener is there, so that the call waits for the server.
	err = (&controlAt{}).ask(t.Context(), func(ctx context.Context, api *client.Control) error {
		_, err := api.Access.CreateJoinToken(ctx, &towpathv1.CreateJoinTokenRequest{Role: towpathv1.NodeRole_NODE_ROLE_CONTROL})
		return err
	})
	if err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
