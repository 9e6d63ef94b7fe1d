package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"towpath.dev/election"
	"towpath.dev/internal/wholefile"
)

// A control node's certificate is replaced in three steps, each of which may be done again:
// [Trust.Stage] makes the next one, [Registry.Rekey] makes the node known by its key, and
// [Trust.Install] puts it in place. Whoever holds the folder's [Trust] and etcd's listeners
// take it up with their next connection; those that there are go on.

// RotateOptions say what a node's next certificate is.
type RotateOptions struct {
	// Hosts are the names and addresses that it is for, besides those of loopback.
	Hosts []string
	// KeepKey leaves the key as it is, which is enough for other hosts or another end.
	KeepKey bool
}

// Next is a node's next certificate: it is made, and not in use.
type Next struct {
	Leaf *x509.Certificate
	// KeyHash is what the node is to be known by; Rekeyed says whether it is another one.
	KeyHash string
	Rekeyed bool

	certificate, key []byte // PEM
}

// stagedFile has the next certificate and its key, in one file so that it has both or
// neither. It stays until both are in place.
const stagedFile = "node-next.pem"

// Stage makes the node's next certificate and keeps it beside the one in use. One that was
// staged before and not installed is forgotten.
func (t *Trust) Stage(o RotateOptions) (*Next, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, ok := t.node.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the node's key is %T: expected ECDSA", t.node.PrivateKey)
	}
	var err error
	if !o.KeepKey {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	n := &Next{Rekeyed: !o.KeepKey}
	if n.key, err = keyPEM(key); err != nil {
		return nil, err
	}
	hosts := slices.Clone(loopback)
	for _, h := range o.Hosts {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	request, err := requestFor(key, hosts)
	if err != nil {
		return nil, err
	}
	if n.certificate, err = t.CA.Issue(request, t.self); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(n.certificate)
	if n.Leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, err
	}
	n.KeyHash = hashOf(n.Leaf.RawSubjectPublicKeyInfo)
	return n, wholefile.Replace(t.file(stagedFile), slices.Concat(n.certificate, n.key))
}

// Install puts a staged certificate and its key in place of those in use.
func (t *Trust) Install(n *Next) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := installPair(t.dir, n); err != nil {
		return err
	}
	if err := t.refound(n.KeyHash); err != nil {
		return err
	}
	return t.load()
}

// installPair replaces both files. There is no step that does both, so that one of two is
// new for an instant: who connects then tries again, and [finishInstall] completes what
// was cut off there.
func installPair(dir string, n *Next) error {
	var files []string
	for _, f := range []file{{nodeKeyFile, n.key}, {nodeFile, n.certificate}} {
		at, err := wholefile.Beside(filepath.Join(dir, f.name), f.text)
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(at) }() // of no use where it was not renamed
		files = append(files, at)
	}
	for i, name := range []string{nodeKeyFile, nodeFile} {
		if err := os.Rename(files[i], filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, stagedFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // somebody else has completed it
}

// finishInstall completes an Install that has replaced one of the two files. What was
// staged and not begun to be installed is left alone.
func finishInstall(dir string) error {
	fits := func() error {
		_, err := tls.LoadX509KeyPair(filepath.Join(dir, nodeFile), filepath.Join(dir, nodeKeyFile))
		return err
	}
	if fits() == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, stagedFile))
	if errors.Is(err, fs.ErrNotExist) { // perhaps it was completed just now
		if err := fits(); err != nil {
			return fmt.Errorf("%s and its key: %w", filepath.Join(dir, nodeFile), err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(text, text) // of each it takes what it looks for
	if err != nil {
		return fmt.Errorf("%s, which was to replace %s: %w", filepath.Join(dir, stagedFile), nodeFile, err)
	}
	n := &Next{certificate: pemOf("CERTIFICATE", pair.Certificate[0])}
	if n.key, err = keyPEM(pair.PrivateKey.(*ecdsa.PrivateKey)); err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(dir, nodeKeyFile))
	if err != nil {
		return err
	}
	if string(key) != string(n.key) {
		return fmt.Errorf("%s and %s do not belong together: a backup may have those that do", filepath.Join(dir, nodeFile), nodeKeyFile)
	}
	return installPair(dir, n)
}

// reload takes up a certificate that was put in place of the one in use. What cannot be
// read, as when one of its two files is there, leaves the old one in use: the next
// connection looks again. t.mu is held.
func (t *Trust) reload() {
	info, err := os.Stat(t.file(nodeFile))
	if err != nil || os.SameFile(info, t.read) && info.ModTime().Equal(t.read.ModTime()) {
		return
	}
	_ = t.load()
}

// refound has a store that begins anew know the node by its key. t.mu is held.
func (t *Trust) refound(keyHash string) error {
	first, err := t.founders()
	if err != nil || first == nil {
		return err
	}
	p, there := first.Principals[t.self.Name]
	if !there || p.Key == keyHash {
		return nil
	}
	p.Key = keyHash
	first.Principals[t.self.Name] = p
	text, err := json.MarshalIndent(first, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Replace(t.file(foundersFile), text)
}

// Rekey makes a control node known by another key: its certificates for the old one are
// refused at the control API from then on. The members of etcd, who ask the CA alone,
// believe the old ones until they end.
func (r *Registry) Rekey(ctx context.Context, node, keyHash string) error {
	key := principalPrefix + node
	for {
		page, err := r.store.Range(ctx, election.Span{Keys: election.Key(key)})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			return fmt.Errorf("the cluster has no principal %q: the node was revoked, and has to join anew with another folder", node)
		}
		var p record
		if err := json.Unmarshal(page.Entries[0].Value, &p); err != nil {
			return fmt.Errorf("%s in the store: %w", key, err)
		}
		if p.Role != Control {
			return fmt.Errorf("%s is %s in this cluster, and no control node", node, p.Role)
		}
		if p.Key == keyHash {
			return nil
		}
		p.Key = keyHash
		result, err := r.store.Txn(ctx, election.Txn{
			If:   []election.Compare{election.ModifiedAt(key, page.Entries[0].Modified)},
			Then: []election.Op{put(key, p)},
		})
		if err != nil || result.OK {
			return err
		}
	}
}
