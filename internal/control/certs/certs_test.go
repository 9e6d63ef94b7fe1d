package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/control/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority makes certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: epoch.AddDate(-1, 0, 0), NotAfter: epoch.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{c, key}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.certificate)
	return p
}

func (a authority) issue(t *testing.T, from, until time.Time, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// epoch is now, in these tests.
var epoch = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// TestJudge is what is found wrong, and what is said of it.
func TestJudge(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	for _, c := range []struct {
		what        string
		from, until time.Duration
		hosts       []string
		roots       *x509.CertPool
		want        []certs.Kind
		text        string
	}{
		{"all is well", -day, 90 * day, []string{"etcd-1", "10.0.0.1"}, ours.pool(), nil, ""},
		{"it ends soon", -day, 29 * day, []string{"etcd-1"}, ours.pool(), []certs.Kind{certs.EndsSoon}, "it ends in 29 days: replace it"},
		{"it has ended", -90 * day, -3 * time.Hour, []string{"etcd-1"}, ours.pool(), []certs.Kind{certs.Ended}, "it ended 3 hours ago"},
		{"it is of tomorrow", day, 90 * day, []string{"etcd-1"}, ours.pool(), []certs.Kind{certs.Early}, "look at the clocks"},
		{"it is for others", -day, 90 * day, []string{"etcd-2", "10.0.0.2"}, ours.pool(), []certs.Kind{certs.WrongHost}, "it is for etcd-2, 10.0.0.2, and not for etcd-1"},
		{"it is for nobody", -day, 90 * day, nil, ours.pool(), []certs.Kind{certs.WrongHost}, "it is for no host"},
		{"it is of others", -day, 90 * day, []string{"etcd-1"}, theirs.pool(), []certs.Kind{certs.Unbelieved}, "it is of ours, which is none"},
		{"nobody says whom to believe", -day, 90 * day, []string{"etcd-1"}, nil, nil, ""},
		{"all at once", -9 * day, -day, []string{"etcd-2"}, theirs.pool(), []certs.Kind{certs.Ended, certs.WrongHost, certs.Unbelieved}, ""},
	} {
		leaf := ours.issue(t, epoch.Add(c.from), epoch.Add(c.until), c.hosts...).Leaf
		faults := certs.Judge(certs.Shown{Address: "etcd-1:2379", Host: "etcd-1", Chain: []*x509.Certificate{leaf}}, c.roots, epoch, 30*day)
		var kinds []certs.Kind
		var texts []string
		for _, f := range faults {
			kinds, texts = append(kinds, f.Kind), append(texts, f.Text)
		}
		if !slices.Equal(kinds, c.want) || !strings.Contains(strings.Join(texts, "\n"), c.text) {
			t.Errorf("%s: %q; want %q", c.what, faults, c.want)
		}
	}
	faults := certs.Judge(certs.Shown{Err: errors.New("connection refused")}, nil, epoch, 0)
	if len(faults) != 1 || faults[0].Kind != certs.Unreachable || !strings.Contains(faults[0].Text, "connection refused") {
		t.Errorf("no certificate: %q", faults)
	}
}

// TestLook sees the certificate of a server that lets nobody in, of one that speaks no TLS
// none, and gives up with its context.
func TestLook(t *testing.T) {
	ours := newAuthority(t, "ours")
	pair := ours.issue(t, epoch.Add(-day), epoch.Add(day), "etcd-1")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		address, stop := listen(t, func(conn net.Conn) {
			_ = tls.Server(conn, &tls.Config{
				Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool(), MaxVersion: version,
			}).Handshake()
		})
		if shown := certs.Look(t.Context(), address, nil); shown.Leaf() == nil || !shown.Leaf().Equal(pair.Leaf) || shown.Host != "127.0.0.1" {
			t.Errorf("TLS %x: %+v", version, shown)
		}
		stop()
	}
	address, stop := listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "no TLS here\n") })
	if shown := certs.Look(t.Context(), address, nil); shown.Err == nil || shown.Leaf() != nil {
		t.Errorf("a server without TLS: %+v", shown)
	}
	stop()
	if shown := certs.Look(t.Context(), address, nil); shown.Err == nil {
		t.Errorf("nobody listens: %+v", shown)
	}
	if shown := certs.Look(t.Context(), "nonsense", nil); shown.Err == nil {
		t.Errorf("no address: %+v", shown)
	}
	hang := make(chan struct{})
	address, stop = listen(t, func(net.Conn) { <-hang })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if shown := certs.Look(ctx, address, nil); !errors.Is(shown.Err, context.Canceled) {
		t.Errorf("a context that has ended: %+v", shown)
	}
	close(hang)
	stop()
}

// listen answers connections until it is stopped.
func listen(t *testing.T, answer func(net.Conn)) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			_ = conn.Close()
		}
	}()
	return l.Addr().String(), func() { _ = l.Close(); <-ended }
}
