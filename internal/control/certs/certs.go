// Package certs looks at the certificates that servers show: whose they are, for which
// hosts, by whom and until when.
//
//	shown := certs.Look(ctx, "10.0.0.1:2379", mine)
//	for _, fault := range certs.Judge(shown, roots, time.Now(), 30*24*time.Hour) {
//		fmt.Println(fault)
//	}
//
// A server shows its certificate before it asks for the client's, so that whoever can
// connect can look.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Shown is what a server shows at an address.
type Shown struct {
	Address string // HOST:PORT
	Host    string // of the address, which the certificate has to be for
	// Chain is the server's certificate and those behind it; empty if there is none.
	Chain []*x509.Certificate
	Err   error // why there is none
}

// Look asks an address for its certificate. Config is the client's side, nil without a
// certificate of its own; its roots do not matter, as whom to believe is [Judge]'s to say.
func Look(ctx context.Context, address string, config *tls.Config) Shown {
	host, _, err := net.SplitHostPort(address)
	shown := Shown{Address: address, Host: host, Err: err}
	if err != nil {
		return shown
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		shown.Err = err
		return shown
	}
	defer func() { _ = conn.Close() }() // nothing was sent that could be lost
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	config.InsecureSkipVerify = true // one that nobody would believe is to be seen as well
	config.VerifyConnection, config.ServerName = nil, host
	config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		for _, der := range raw {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return err
			}
			shown.Chain = append(shown.Chain, c)
		}
		return nil
	}
	// A server that does not let the client in has shown its certificate before.
	if err := tls.Client(conn, config).HandshakeContext(ctx); len(shown.Chain) == 0 {
		shown.Err = errors.Join(err, ctx.Err())
		if err == nil {
			shown.Err = errors.New("the server showed no certificate")
		}
	}
	return shown
}

// Leaf is the server's own certificate; nil if there is none.
func (s Shown) Leaf() *x509.Certificate {
	if len(s.Chain) == 0 {
		return nil
	}
	return s.Chain[0]
}

// Kind is what is wrong with a certificate.
type Kind string

// The kinds of faults.
const (
	Unreachable Kind = "unreachable" // none was shown
	Early       Kind = "early"       // it is not good yet
	Ended       Kind = "ended"
	EndsSoon    Kind = "ends_soon"
	WrongHost   Kind = "wrong_host" // it is not for the host it was asked at
	Unbelieved  Kind = "unbelieved" // by those who believe the roots
)

// A Fault is what is wrong with a certificate, for people.
type Fault struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

func (f Fault) String() string { return f.Text }

// Judge is all that is wrong with what was shown at a time. A certificate that ends
// within soon is a fault. Without roots nobody is asked who made it.
func Judge(s Shown, roots *x509.CertPool, now time.Time, soon time.Duration) []Fault {
	leaf := s.Leaf()
	if leaf == nil {
		return []Fault{{Unreachable, fmt.Sprintf("no certificate was shown: %v", s.Err)}}
	}
	var faults []Fault
	fault := func(kind Kind, format string, args ...any) {
		faults = append(faults, Fault{kind, fmt.Sprintf(format, args...)})
	}
	for i, c := range s.Chain {
		which := "it"
		if i > 0 {
			which = fmt.Sprintf("the certificate of %s, which is behind it,", c.Subject)
		}
		left := c.NotAfter.Sub(now)
		switch {
		case now.Before(c.NotBefore):
			fault(Early, "%s is good from %s on, which is to come: look at the clocks of the machines", which, c.NotBefore.UTC().Format(time.RFC3339))
		case left <= 0:
			fault(Ended, "%s ended %s ago: replace it at once", which, Left(-left))
		case left < soon:
			fault(EndsSoon, "%s ends in %s: replace it", which, Left(left))
		}
	}
	if err := leaf.VerifyHostname(s.Host); err != nil {
		fault(WrongHost, "it is for %s, and not for %s, at which it was asked: clients that verify it refuse it", Hosts(leaf), s.Host)
	}
	if roots != nil && !believed(s.Chain, roots, now) {
		fault(Unbelieved, "it is of %s, which is none of the authorities that are believed", issuer(leaf))
	}
	return faults
}

// believed reports whether a chain leads to one of the roots. When it ends is judged apart.
func believed(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) bool {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	at := now
	if leaf := chain[0]; now.After(leaf.NotAfter) {
		at = leaf.NotAfter
	} else if now.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	return err == nil
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// Hosts is the names and addresses that a certificate is for, as people read them.
func Hosts(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host"
	}
	return strings.Join(all, ", ")
}

// Left is a time that is left, as people read it: days while there are some.
func Left(d time.Duration) string {
	switch days := int(d / (24 * time.Hour)); {
	case days > 1:
		return fmt.Sprintf("%d days", days)
	case d > 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	case d > 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d/time.Minute))
	}
	return d.Round(time.Second).String()
}
