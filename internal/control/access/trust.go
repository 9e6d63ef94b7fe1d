package access

import (
	"crypto"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"towpath.dev/internal/wholefile"
)

// Trust is what a control node has in its folder: the CA, its own certificate and, if
// it is the first one, whom the store is to begin with.
//
//	ca.pem  ca-key.pem  node.pem  node-key.pem  founders.json
//
// Its certificate may be replaced while it is in use: see [Trust.Stage].
type Trust struct {
	CA *CA

	dir  string
	self Principal

	mu    sync.Mutex
	node  *tls.Certificate
	hosts []string
	read  fs.FileInfo // node.pem, as it was read
}

// The files of a node's own.
const (
	nodeFile     = "node.pem"
	nodeKeyFile  = "node-key.pem"
	foundersFile = "founders.json"
)

// TrustOptions say what a new cluster is called. The zero value works.
type TrustOptions struct {
	// Cluster is its name. "": "towpath".
	Cluster string
	// Node names this control node. "": "control-1".
	Node string
	// Hosts are the names and addresses that this node is reached at, besides those
	// of loopback.
	Hosts []string
}

// Founded is what [InitTrust] made for the first admin: a certificate with its key,
// PEM, and a token.
type Founded struct {
	Name, Token      string
	Certificate, Key []byte
}

// firstAdmin is the name of the principal that a cluster begins with.
const firstAdmin = "admin"

// loopback is where every control node is reached.
var loopback = []string{"localhost", "127.0.0.1", "::1"}

// InitTrust makes a CA, this node's certificate and the first admin, in a folder that
// has none. The admin's secrets are in none of its files.
func InitTrust(dir string, o TrustOptions) (*Trust, *Founded, error) {
	if o.Cluster == "" {
		o.Cluster = "towpath"
	}
	if o.Node == "" {
		o.Node = "control-1"
	}
	if err := CheckName("a control node", o.Node); err != nil {
		return nil, nil, err
	}
	ca, err := NewCA(o.Cluster)
	if err != nil {
		return nil, nil, err
	}
	admin := Principal{Name: firstAdmin, Role: Admin}
	adminKey, request, err := NewRequest()
	if err != nil {
		return nil, nil, err
	}
	_, adminHash, err := readRequest(request)
	if err != nil {
		return nil, nil, err
	}
	adminCert, err := ca.Issue(request, admin)
	if err != nil {
		return nil, nil, err
	}
	token := newToken()
	founders := founders{Now: time.Now().Unix(), Principals: map[string]record{
		firstAdmin: {Role: Admin, Token: hashOf([]byte(token)), Key: adminHash},
	}}
	t, err := makeTrust(dir, ca, o.Node, o.Hosts, func(nodeHash string) ([]byte, error) {
		founders.Principals[o.Node] = record{Role: Control, Key: nodeHash}
		return json.MarshalIndent(founders, "", "  ")
	})
	if err != nil {
		return nil, nil, err
	}
	return t, &Founded{Name: firstAdmin, Token: token, Certificate: adminCert, Key: adminKey}, nil
}

// SaveTrust writes what a control node got when it joined. Its key is of [NewRequest].
func SaveTrust(dir string, caPEM, caKey, certificate, key []byte) (*Trust, error) {
	if _, err := ReadCA(caPEM, caKey); err != nil {
		return nil, fmt.Errorf("the certificate authority that came: %w", err)
	}
	if err := writeNew(dir, []file{{"ca.pem", caPEM}, {"ca-key.pem", caKey}, {nodeKeyFile, key}, {nodeFile, certificate}}); err != nil {
		return nil, err
	}
	return OpenTrust(dir)
}

// makeTrust gives a node its certificate, and writes all there is to a new folder.
func makeTrust(dir string, ca *CA, name string, hosts []string, founders func(keyHash string) ([]byte, error)) (*Trust, error) {
	key, request, err := NewRequest(append(append([]string{}, loopback...), hosts...)...)
	if err != nil {
		return nil, err
	}
	r, hash, err := readRequest(request)
	if err != nil {
		return nil, err
	}
	certificate, err := ca.issue(r, Principal{Name: name, Role: Control})
	if err != nil {
		return nil, err
	}
	caKey, err := ca.KeyPEM()
	if err != nil {
		return nil, err
	}
	first, err := founders(hash)
	if err != nil {
		return nil, err
	}
	err = writeNew(dir, []file{{"ca.pem", ca.PEM}, {"ca-key.pem", caKey}, {nodeKeyFile, key}, {foundersFile, first}, {nodeFile, certificate}})
	if err != nil {
		return nil, err
	}
	return OpenTrust(dir)
}

type file struct {
	name string
	text []byte
}

// writeNew writes files to a folder, for nobody else to read. None may be there. The
// last one completes it: see [HasTrust].
func writeNew(dir string, files []file) error {
	if HasTrust(dir) {
		return fmt.Errorf("%s holds a cluster's trust already, and it would be lost: name another folder, or remove this one", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if err := wholefile.Replace(filepath.Join(dir, f.name), f.text); err != nil {
			return err
		}
	}
	return nil
}

// HasTrust reports whether a folder holds a control node's trust.
func HasTrust(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, nodeFile))
	return err == nil
}

// OpenTrust reads a folder that [InitTrust] or [SaveTrust] wrote.
func OpenTrust(dir string) (*Trust, error) {
	texts := map[string][]byte{}
	for _, name := range []string{"ca.pem", "ca-key.pem", nodeFile, nodeKeyFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is missing: \"tow init\" makes it, and a backup may have it", filepath.Join(dir, name))
		}
		if err != nil {
			return nil, err
		}
		texts[name] = text
	}
	ca, err := ReadCA(texts["ca.pem"], texts["ca-key.pem"])
	if err != nil {
		return nil, fmt.Errorf("%s and its key: %w", filepath.Join(dir, "ca.pem"), err)
	}
	if err := finishInstall(dir); err != nil {
		return nil, err
	}
	t := &Trust{CA: ca, dir: dir}
	if err := t.load(); err != nil {
		return nil, err
	}
	return t, nil
}

// load reads the node's certificate and its key. t.mu is held, or nobody has t yet.
func (t *Trust) load() error {
	at := t.file(nodeFile)
	info, err := os.Stat(at) // before it is read, so that what replaces it meanwhile is read too
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(at, t.file(nodeKeyFile))
	if err != nil {
		return fmt.Errorf("%s and its key: %w", at, err)
	}
	self, _, err := Identity(pair.Leaf)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	self.Expires = time.Time{}
	if t.self.Name != "" && t.self != self {
		return fmt.Errorf("%s is of %s, and this node is %s", at, self.Name, t.self.Name)
	}
	if err := pair.Leaf.CheckSignatureFrom(t.CA.Certificate); err != nil {
		return fmt.Errorf("%s is not of the certificate authority beside it: %w", at, err)
	}
	if t.self.Name == "" {
		t.self = self // and never again: it is read without the lock
	}
	t.node, t.read, t.hosts = &pair, info, nil
	for _, name := range pair.Leaf.DNSNames {
		if name != t.CA.ControlHost() { // which the CA adds itself
			t.hosts = append(t.hosts, name)
		}
	}
	for _, ip := range pair.Leaf.IPAddresses {
		t.hosts = append(t.hosts, ip.String())
	}
	return nil
}

func (t *Trust) file(name string) string { return filepath.Join(t.dir, name) }

// Node is the name of this control node.
func (t *Trust) Node() string { return t.self.Name }

// Hosts are the names and addresses that this node's certificate is for.
func (t *Trust) Hosts() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.hosts)
}

// TLS is the listener's: TLS 1.3, which asks for certificates of the CA's and does not
// insist, since there are tokens.
func (t *Trust) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: t.CA.Pool(),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.Certificate() },
	}
}

// Certificate is this node's, and behind it the CA's, for who knows only the pin. One
// that ends within [RenewBefore] is renewed first: the key of the CA is here. One that was
// put in its place is taken up.
func (t *Trust) Certificate() (*tls.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reload()
	if time.Until(t.node.Leaf.NotAfter) < RenewBefore {
		// While the old one is good, a disk that is full is no reason to refuse
		// everybody.
		if err := t.renew(); err != nil && time.Now().After(t.node.Leaf.NotAfter) {
			return nil, err
		}
	}
	if len(t.node.Certificate) == 1 {
		t.node.Certificate = append(t.node.Certificate, t.CA.Certificate.Raw)
	}
	return t.node, nil
}

// renew makes a certificate for the key that there is. t.mu is held.
func (t *Trust) renew() error {
	key := t.node.PrivateKey.(crypto.Signer) // as in ReadCA
	request, err := requestFor(key, t.hosts)
	if err != nil {
		return err
	}
	text, err := t.CA.Issue(request, t.self)
	if err != nil {
		return err
	}
	if err := wholefile.Replace(t.file(nodeFile), text); err != nil {
		return fmt.Errorf("the renewed certificate: %w", err)
	}
	return t.load()
}

// founders are whom a store begins with.
type founders struct {
	Now        int64             `json:"now"`
	Principals map[string]record `json:"principals"`
}

// founders reads who a new store begins with. Only the cluster's first node knows.
func (t *Trust) founders() (*founders, error) {
	name := t.file(foundersFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &founders{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}
