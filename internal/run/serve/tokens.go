package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"towpath.dev/internal/settings"
)

// Tokens knows callers by the hashes of their tokens. Tokens are 256 random bits,
// so that a plain hash keeps them secret.
//
// In a file they are a table from names to hashes:
//
//	[tokens]
//	checkout = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
type Tokens struct{ byHash map[[sha256.Size]byte]string }

// ReadTokens reads a file of tokens. The error holds all mistakes.
func ReadTokens(name string, text []byte) (*Tokens, error) {
	f := settings.Parse(name, text)
	t := &Tokens{map[[sha256.Size]byte]string{}}
	table := f.Root.Table("tokens")
	for _, who := range table.Keys() {
		digits, ok := strings.CutPrefix(table.Text(who, ""), "sha256:")
		var hash [sha256.Size]byte
		if b, err := hex.DecodeString(digits); !ok || err != nil || copy(hash[:], b) != len(b) || len(b) != len(hash) {
			table.Errorf(who, "`%s` is no hash of a token: expected \"sha256:\" and 64 hexadecimal digits, as `tow token` prints them", who)
			continue
		}
		if other, twice := t.byHash[hash]; twice {
			table.Errorf(who, "`%s` has the token of `%s`", who, other)
		}
		t.byHash[hash] = who
	}
	f.Root.Done()
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(t.byHash) == 0 {
		return nil, fmt.Errorf("%s: there are no tokens in it: add a [tokens] table", name)
	}
	return t, nil
}

// NewToken makes a token and the hash that stands for it in a file.
func NewToken() (token, hash string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	token = "tow_" + base64.RawURLEncoding.EncodeToString(b[:])
	sum := sha256.Sum256([]byte(token))
	return token, "sha256:" + hex.EncodeToString(sum[:])
}

// who tells whose an Authorization is.
func (t *Tokens) who(authorization string) (string, bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	// Finding the hash takes a time that tells of the hash alone.
	name, ok := t.byHash[sha256.Sum256([]byte(strings.TrimSpace(token)))]
	return name, ok
}
