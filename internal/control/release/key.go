// Keys: Ed25519, in files.

package release

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A PublicKey is Ed25519's. As text it is its SPKI (RFC 8410) in base64, what stands
// between the lines of a PEM file.
type PublicKey ed25519.PublicKey

// A KeyID names a key: the SHA-256 of its SPKI, 64 hexadecimal digits.
type KeyID string

// Check says what is wrong with an id that came from elsewhere.
func (id KeyID) Check() error {
	if !sourceHashForm.MatchString(string(id)) {
		return fmt.Errorf("%.70q is no key's id: expected 64 hexadecimal digits in small letters", string(id))
	}
	return nil
}

// Short is the first twelve digits, for people.
func (id KeyID) Short() string { return fmt.Sprintf("%.12s", string(id)) }

func (k PublicKey) spki() []byte {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k))
	if err != nil {
		panic(err) // of other types of keys alone
	}
	return der
}

// ID is the key's name.
func (k PublicKey) ID() KeyID {
	sum := sha256.Sum256(k.spki())
	return KeyID(hex.EncodeToString(sum[:]))
}

// Check says what is wrong with a key.
func (k PublicKey) Check() error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("a public key has %d bytes: expected Ed25519's %d", len(k), ed25519.PublicKeySize)
	}
	return nil
}

// MarshalText is the key's SPKI in base64.
func (k PublicKey) MarshalText() ([]byte, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, k.spki()), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *PublicKey) UnmarshalText(text []byte) error {
	der, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("a public key is %.40q: expected its SPKI in base64: %w", text, err)
	}
	*k, err = parsePublic(der)
	return err
}

func parsePublic(der []byte) (PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("a public key cannot be read: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a public key is a %T: expected one of Ed25519", parsed)
	}
	return PublicKey(key), nil
}

// PEM is the key as a file has it.
func (k PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.spki()})
}

// A Signer signs by one key, which may lie elsewhere: crypto.Signer is what services that
// keep keys offer.
type Signer struct {
	key    crypto.Signer
	public PublicKey
}

// NewSigner signs by a key, which has to be Ed25519's.
func NewSigner(key crypto.Signer) (*Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T: expected one of Ed25519", key.Public())
	}
	return &Signer{key, PublicKey(public)}, nil
}

// Public is the key that signatures are verified by.
func (s *Signer) Public() PublicKey { return s.public }

// KeyID is the key's name.
func (s *Signer) KeyID() KeyID { return s.public.ID() }

func (s *Signer) sign(message []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, message, crypto.Hash(0))
}

// GenerateKey makes a key in a new file, which its owner alone can read, and its public
// half in PATH.pub.
func GenerateKey(path string) (*Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	s, err := NewSigner(private)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path + ".pub"); err == nil {
		return nil, fmt.Errorf("there is a file %s.pub already, and a key is never written over: name another", path)
	}
	if err := newFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return s, newFile(path+".pub", s.public.PEM(), 0o644)
}

// newFile writes a file that was not there.
func newFile(path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a file %s already, and a key is never written over: name another", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// maxKeyFile bounds a file that a key is read from, in bytes.
const maxKeyFile = 16 << 10

// ReadKey reads a private key: PKCS #8 in PEM (RFC 5958, RFC 7468), in a file that nobody
// but its owner can read.
func ReadKey(path string) (*Signer, error) {
	block, mode, err := readPEM(path, "PRIVATE KEY", "a private key: \"tow release keygen\" makes one")
	if err != nil {
		return nil, err
	}
	if open := mode.Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o), so it may be theirs by now: expected 0600; "+
			"\"chmod 600 %s\" if nobody else has been on this machine, or a new key", path, mode.Perm(), path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, fmt.Errorf("%s: the key cannot be read: %w", path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: the key is a %T: expected one of Ed25519; \"tow release keygen\" makes one", path, key)
	}
	return NewSigner(private)
}

// ReadPublicKey reads a public key: SPKI in PEM.
func ReadPublicKey(path string) (PublicKey, error) {
	block, _, err := readPEM(path, "PUBLIC KEY", "a public key: it lies beside the private one, in a file that ends with .pub")
	if err != nil {
		return nil, err
	}
	key, err := parsePublic(block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// readPEM reads a file's one block.
func readPEM(path, kind, expected string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > maxKeyFile {
		return nil, 0, fmt.Errorf("%s has %d bytes: expected %s", path, info.Size(), expected)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, 0, fmt.Errorf("%s has no PEM in it: expected %s", path, expected)
	case block.Type != kind:
		return nil, 0, fmt.Errorf("%s has a %q: expected %s", path, block.Type, expected)
	}
	return block.Bytes, info.Mode(), nil
}
