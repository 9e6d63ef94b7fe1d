package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/wholefile"
)

// served is the certificate that a listener with the node's trust shows.
func served(t *testing.T, trust *Trust) *x509.Certificate {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	server := tls.Server(there, trust.TLS())
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	client := tls.Client(here, &tls.Config{RootCAs: trust.CA.Pool(), ServerName: "localhost"})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	_ = here.Close()
	<-done
	return client.ConnectionState().PeerCertificates[0]
}

// TestRotate: another process gives a node a new key and a new name, and the node that runs
// serves it with its next connection.
func TestRotate(t *testing.T) {
	p := newPlace(t)
	before := served(t, p.trust)
	other, err := OpenTrust(p.trust.dir)
	if err != nil {
		t.Fatal(err)
	}
	next, err := other.Stage(RotateOptions{Hosts: append(other.Hosts(), "c1.internal")})
	if err != nil {
		t.Fatal(err)
	}
	if !served(t, p.trust).Equal(before) {
		t.Error("what was staged alone is in use")
	}
	for range 2 { // each step may be done again
		if err := p.Rekey(t.Context(), "control-1", next.KeyHash); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Install(next); err != nil {
		t.Fatal(err)
	}
	if got := served(t, p.trust); !got.Equal(next.Leaf) || got.Equal(before) {
		t.Error("the old certificate is served on")
	}
	if err := next.Leaf.VerifyHostname("c1.internal"); err != nil {
		t.Error(err)
	}
	if !slices.Contains(p.trust.Hosts(), "c1.internal") {
		t.Errorf("the node that runs has the hosts %q", p.trust.Hosts())
	}
	p.caughtUp(t.Context())
	if _, err := p.Authenticate([]*x509.Certificate{before}, ""); err == nil {
		t.Error("the control API believes the old key")
	}
	if who, err := p.Authenticate([]*x509.Certificate{next.Leaf}, ""); err != nil || who.Name != "control-1" {
		t.Errorf("the new key is of %v: %v", who, err)
	}
	first, err := other.founders()
	if err != nil || first.Principals["control-1"].Key != next.KeyHash {
		t.Errorf("a store that begins anew would know the node by its old key: %v", err)
	}
	if _, err := os.Stat(other.file(stagedFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staged key was left: %v", err)
	}

	same, err := other.Stage(RotateOptions{KeepKey: true})
	if err != nil || same.KeyHash != next.KeyHash {
		t.Fatalf("the key was to be kept: %v", err)
	}
	if err := other.Install(same); err != nil {
		t.Fatal(err)
	}
	if got := served(t, p.trust); !got.Equal(same.Leaf) || got.VerifyHostname("c1.internal") == nil {
		t.Errorf("it serves a certificate for %q", got.DNSNames)
	}
}

// TestRotateCutOff: an install that was cut off between its two files is completed by who
// opens the folder next; one that had not begun is not.
func TestRotateCutOff(t *testing.T) {
	trust, _, err := InitTrust(filepath.Join(t.TempDir(), "trust"), TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := trust.Stage(RotateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenTrust(trust.dir)
	if err != nil {
		t.Fatal(err)
	}
	if served(t, opened).Equal(next.Leaf) {
		t.Error("what was staged alone was installed")
	}
	if err := wholefile.Replace(trust.file(nodeKeyFile), next.key); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Certificate(); err != nil {
		t.Errorf("between the two files the old certificate is to be served on: %v", err)
	}
	if opened, err = OpenTrust(trust.dir); err != nil {
		t.Fatal(err)
	}
	if !served(t, opened).Equal(next.Leaf) || !served(t, trust).Equal(next.Leaf) {
		t.Error("the install was not completed")
	}

	// A key of somebody else's is no rotation that was cut off.
	stray, _, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Stage(RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Replace(trust.file(nodeKeyFile), stray); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTrust(trust.dir); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("a stray key: %v", err)
	}
}

// TestRekeyRefusals: only a control node that is still one gets another key.
func TestRekeyRefusals(t *testing.T) {
	p := newPlace(t)
	for name, want := range map[string]string{"control-9": "no principal", "admin": "no control node"} {
		if err := p.Rekey(t.Context(), name, "hash"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
