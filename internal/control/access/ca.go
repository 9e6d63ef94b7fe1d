package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long certificates are good for.
const (
	caLife    = 10 * 365 * 24 * time.Hour
	nodeLife  = 90 * 24 * time.Hour
	adminLife = 365 * 24 * time.Hour
	// Clocks of machines differ by this much at most.
	skew = 5 * time.Minute
)

// RenewBefore is how long before its end a node's certificate is to be renewed.
const RenewBefore = nodeLife / 3

// A CA is a cluster's certificate authority: all machines of the cluster believe it,
// and nothing else.
//
// Every control node has its key. A control node that joins gets it in the answer, over
// TLS to a server that has proven by the pin that it is of this cluster; it is never
// written to the store, so that who gets at a backup of the store cannot make
// certificates. Keeping it from some of the control nodes would protect nothing: who
// has one of them can write principals into the store.
type CA struct {
	Certificate *x509.Certificate
	PEM         []byte // the certificate
	key         crypto.Signer
}

// NewCA makes the CA of a new cluster.
func NewCA(cluster string) (*CA, error) {
	if err := CheckName("a cluster", cluster); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: cluster, Organization: []string{"Towpath"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return newCA(der, key)
}

// ReadCA reads a CA's certificate and key, PEM.
func ReadCA(certificate, key []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return newCA(pair.Certificate[0], pair.PrivateKey.(crypto.Signer)) // package tls takes no other keys
}

func newCA(der []byte, key crypto.Signer) (*CA, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if !c.IsCA {
		return nil, errors.New("the certificate is of no certificate authority")
	}
	return &CA{c, pemOf("CERTIFICATE", der), key}, nil
}

// Cluster is the name of the cluster.
func (ca *CA) Cluster() string { return ca.Certificate.Subject.CommonName }

// KeyPEM is the CA's key.
func (ca *CA) KeyPEM() ([]byte, error) { return keyPEM(ca.key) }

// Pool is the CA as what is believed.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// Pin stands for the CA's key: the hash of its public key (RFC 7469).
func (ca *CA) Pin() string { return pinOf(ca.Certificate) }

func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// NewRequest makes a key, PEM, and the request for a certificate for it, DER. Only
// control nodes are reached at hosts.
func NewRequest(hosts ...string) (key, request []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyPEM(secret); err != nil {
		return nil, nil, err
	}
	request, err = requestFor(secret, hosts)
	return key, request, err
}

// RequestFor is the request for a certificate for a key of [NewRequest]'s.
func RequestFor(key []byte, hosts ...string) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("the key cannot be read: expected PEM")
	}
	secret, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be read: %w", err)
	}
	signer, ok := secret.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key is %T: expected one that signs", secret)
	}
	return requestFor(signer, hosts)
}

// requestFor asks for a certificate for a key.
func requestFor(key crypto.Signer, hosts []string) ([]byte, error) {
	template := &x509.CertificateRequest{}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return x509.CreateCertificateRequest(rand.Reader, template, key)
}

// readRequest reads a request for a certificate, and checks that who made it has the
// key. The hash stands for the key.
func readRequest(der []byte) (r *x509.CertificateRequest, keyHash string, err error) {
	r, err = x509.ParseCertificateRequest(der)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, "", invalid("the certificate request cannot be read: %v; expected PKCS #10, DER", err)
	}
	if key, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, "", invalid("the certificate request is for a key of %T: expected ECDSA on P-256", r.PublicKey)
	}
	return r, hashOf(r.RawSubjectPublicKeyInfo), nil
}

// Issue makes the certificate of a principal, PEM.
func (ca *CA) Issue(request []byte, p Principal) ([]byte, error) {
	r, _, err := readRequest(request)
	if err != nil {
		return nil, err
	}
	return ca.issue(r, p)
}

func (ca *CA) issue(r *x509.CertificateRequest, p Principal) ([]byte, error) {
	life := nodeLife
	if p.Role == Admin {
		life = adminLife
	}
	now := time.Now()
	end := now.Add(life)
	for _, bound := range []time.Time{ca.Certificate.NotAfter, p.Expires} {
		if !bound.IsZero() && bound.Before(end) {
			end = bound
		}
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: p.Name, Organization: []string{"Towpath"}},
		NotBefore: now.Add(-skew), NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{ca.identity(p)},
	}
	if p.Role == Control {
		// Nobody else can pass for a server, whatever his request names.
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames, template.IPAddresses = append(slices.Clone(r.DNSNames), ca.ControlHost()), r.IPAddresses
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, r.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	return pemOf("CERTIFICATE", der), nil
}

// ControlHost is a name that the certificates of all control nodes have and no others,
// by which the members of the store tell each other from the rest of the cluster. It
// is no host.
func (ca *CA) ControlHost() string { return "control." + ca.Cluster() + ".towpath.internal" }

// anyEnvironment stands for no environment in an identity.
const anyEnvironment = "-"

// identity is towpath://CLUSTER/role/ROLE/env/ENV/name/NAME.
func (ca *CA) identity(p Principal) *url.URL {
	env := p.Environment
	if env == "" {
		env = anyEnvironment
	}
	return &url.URL{Scheme: "towpath", Host: ca.Cluster(), Path: "/role/" + string(p.Role) + "/env/" + env + "/name/" + p.Name}
}

// Identity is whom a certificate is for, and in which cluster.
func Identity(c *x509.Certificate) (p Principal, cluster string, err error) {
	for _, u := range c.URIs {
		parts := strings.Split(u.Path, "/")
		if u.Scheme != "towpath" || len(parts) != 7 || parts[1] != "role" || parts[3] != "env" || parts[5] != "name" {
			continue
		}
		p = Principal{Name: parts[6], Role: Role(parts[2]), Environment: parts[4], Expires: c.NotAfter}
		if p.Environment == anyEnvironment {
			p.Environment = ""
		}
		return p, u.Host, nil
	}
	return Principal{}, "", errors.New("the certificate names nobody: it has no URI of the form towpath://CLUSTER/role/ROLE/env/ENV/name/NAME")
}

// Pinned is a client's TLS to a control node of the cluster with the CA that a pin stands
// for, which is all that the client knows of it. The chain that the server presents
// must have that CA in it.
func Pinned(pin, host string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// There is no CA to verify with yet; VerifyConnection does all of it.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			at := slices.IndexFunc(s.PeerCertificates, func(c *x509.Certificate) bool { return c.IsCA && pinOf(c) == pin })
			if at < 1 { // the first one is the server's own
				return &PinError{host}
			}
			roots := x509.NewCertPool()
			roots.AddCert(s.PeerCertificates[at])
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
			return err
		},
	}
}

// A PinError says that a server is of another cluster than a join token.
type PinError struct{ Host string }

func (e *PinError) Error() string {
	return fmt.Sprintf("%s is not of the cluster that the join token is for: the certificate authority that it shows has another pin", e.Host)
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[0] &= 0x7f           // a serial number is above zero, and has 20 octets at most
	return new(big.Int).SetBytes(b[:])
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pemOf("PRIVATE KEY", der), nil
}
