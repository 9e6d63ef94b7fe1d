// Names of objects by what they are.

package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Digest names an object by its bytes: "sha256:" and 64 hexadecimal digits.
type Digest string

const digestPrefix = "sha256:"

// DigestOf is the digest of bytes.
func DigestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// ParseDigest reads a digest as people and machines write it; letters are small.
func ParseDigest(text string) (Digest, error) { return Digest(text), Digest(text).Check() }

// Check says what is wrong with a digest that came from elsewhere.
func (d Digest) Check() error {
	digits, ok := strings.CutPrefix(string(d), digestPrefix)
	if !ok || !sourceHashForm.MatchString(digits) {
		return fmt.Errorf("%.90q is no digest: expected sha256: and 64 hexadecimal digits in small letters", string(d))
	}
	return nil
}

// Hex is the digits alone.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), digestPrefix) }

// Short is the first twelve digits, for people.
func (d Digest) Short() string { return fmt.Sprintf("%.12s", d.Hex()) }
