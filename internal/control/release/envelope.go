// Signed statements: DSSE, https://github.com/secure-systems-lab/dsse (protocol and envelope, v1.0).

package release

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Envelope is a statement with signatures over it and over what kind of statement
// it is.
type Envelope struct {
	PayloadType string
	Payload     []byte
	Signatures  []Signature
}

// Signature is one of a key.
type Signature struct {
	KeyID KeyID
	Sig   []byte
	// Key is the one that has signed, where whoever did so says which it is; nil where not. That
	// a signature is good by it says whose it is, and not that anybody trusts that one.
	Key PublicKey
}

// Bounds of envelopes that are read.
const (
	MaxEnvelope   = 4 << 20 // bytes, of any kind
	maxSignatures = 32
)

// preauthenticated is what is signed (DSSE's PAE): no statement of one kind has the bytes
// of one of another.
func preauthenticated(payloadType string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)), payload...)
}

// seal signs a statement by some keys.
func seal(payloadType string, payload []byte, signers []*Signer) (*Envelope, error) {
	e := &Envelope{PayloadType: payloadType, Payload: payload}
	if len(signers) == 0 {
		return nil, errors.New("there is no key to sign with: expected one or more; \"tow release keygen\" makes one")
	}
	for _, s := range signers {
		sig, err := s.sign(preauthenticated(payloadType, payload))
		if err != nil {
			return nil, fmt.Errorf("the key %s did not sign: %w", s.KeyID().Short(), err)
		}
		e.Signatures = append(e.Signatures, Signature{KeyID: s.KeyID(), Sig: sig})
	}
	return e, nil
}

// SignedBy reports whether the envelope has a good signature of a key. The id beside it is
// a hint: DSSE has it so, and a hint that points to the wrong key finds no good signature.
func (e *Envelope) SignedBy(key PublicKey) bool {
	id := key.ID()
	return slices.ContainsFunc(e.Signatures, func(s Signature) bool {
		return s.KeyID == id && ed25519.Verify(ed25519.PublicKey(key), preauthenticated(e.PayloadType, e.Payload), s.Sig)
	})
}

// signedBy counts the keys that have signed.
func (e *Envelope) signedBy(keys []PublicKey) int {
	n := 0
	for _, key := range keys {
		if e.SignedBy(key) {
			n++
		}
	}
	return n
}

// Add puts the signatures of another envelope of the same statement to it: so people who
// hold a key each sign one after the other.
func (e *Envelope) Add(other *Envelope) error {
	if e.PayloadType != other.PayloadType || !bytes.Equal(e.Payload, other.Payload) {
		return errors.New("the signatures are of another statement: sign the same file")
	}
	for _, s := range other.Signatures {
		if !slices.ContainsFunc(e.Signatures, func(have Signature) bool { return have.KeyID == s.KeyID }) {
			e.Signatures = append(e.Signatures, s)
		}
	}
	return nil
}

// wire is an envelope's JSON.
type wire struct {
	PayloadType string          `json:"payloadType"`
	Payload     string          `json:"payload"`
	Signatures  []wireSignature `json:"signatures"`
}

type wireSignature struct {
	KeyID KeyID  `json:"keyid"`
	Sig   string `json:"sig"`
	Key   string `json:"key,omitempty"` // not DSSE's
}

// Encode is the envelope's JSON.
func (e *Envelope) Encode() ([]byte, error) {
	w := wire{PayloadType: e.PayloadType, Payload: base64.StdEncoding.EncodeToString(e.Payload), Signatures: []wireSignature{}}
	for _, s := range e.Signatures {
		one := wireSignature{KeyID: s.KeyID, Sig: base64.StdEncoding.EncodeToString(s.Sig)}
		if s.Key != nil {
			key, err := s.Key.MarshalText()
			if err != nil {
				return nil, err
			}
			one.Key = string(key)
		}
		w.Signatures = append(w.Signatures, one)
	}
	return canonical(w)
}

// DecodeEnvelope reads an envelope that may come from anywhere. Others may have written it:
// members that DSSE does not know are ignored, and base64 may be of either alphabet.
func DecodeEnvelope(data []byte) (*Envelope, error) {
	if len(data) > MaxEnvelope {
		return nil, fmt.Errorf("an envelope: it has %d bytes: expected %d at most", len(data), MaxEnvelope)
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, fmt.Errorf("an envelope: it cannot be read: %w; expected DSSE's JSON, found %s", err, glimpse(data))
	}
	e := &Envelope{PayloadType: w.PayloadType}
	var err error
	if e.Payload, err = unbase64(w.Payload); err != nil {
		return nil, fmt.Errorf("an envelope: its payload: %w", err)
	}
	switch {
	case w.PayloadType == "" || len(w.PayloadType) > maxText || !printable(w.PayloadType):
		return nil, fmt.Errorf("an envelope: its payloadType is %.80q: expected what kind of statement it is", w.PayloadType)
	case len(w.Signatures) == 0 || len(w.Signatures) > maxSignatures:
		return nil, fmt.Errorf("an envelope: it has %d signatures: expected 1 to %d", len(w.Signatures), maxSignatures)
	}
	for i, s := range w.Signatures {
		sig, err := unbase64(s.Sig)
		if err == nil && len(sig) != ed25519.SignatureSize {
			err = fmt.Errorf("expected %d bytes, found %d", ed25519.SignatureSize, len(sig))
		}
		one := Signature{KeyID: s.KeyID, Sig: sig}
		if s.Key != "" && err == nil {
			one.Key, err = unkey(s.Key)
		}
		if err := errors.Join(err, s.KeyID.Check()); err != nil {
			return nil, fmt.Errorf("an envelope: its signature %d: %w", i+1, err)
		}
		e.Signatures = append(e.Signatures, one)
	}
	return e, nil
}

// unbase64 reads either alphabet of base64, as DSSE has it.
func unbase64(text string) ([]byte, error) {
	encoding := base64.StdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}
	data, err := encoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("expected base64: %w", err)
	}
	return data, nil
}

// unkey reads a key that came with its signature.
func unkey(text string) (PublicKey, error) {
	der, err := unbase64(text)
	if err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	return parsePublic(der)
}

// DecodeEnvelopes reads envelopes that may come from anywhere, one on each line.
func DecodeEnvelopes(text []byte) ([]*Envelope, error) {
	var all []*Envelope
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		if len(line) == 0 {
			continue
		}
		e, err := DecodeEnvelope(line)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}
