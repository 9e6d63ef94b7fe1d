// What is said of a release by who signs it.

package release

import "fmt"

// TypeRelease is the payloadType of a statement about a release.
const TypeRelease = "application/vnd.towpath.release+json"

// Statement is what a signature of a release says: that these bytes are this program's,
// for this environment, for hosts of this ABI. The subject and what is said of it stand side
// by side, as in in-toto's attestations (https://github.com/in-toto/attestation).
type Statement struct {
	Format      int    `json:"format"` // Format
	Release     Digest `json:"release"`
	Program     string `json:"program"`
	Environment string `json:"environment"`
	ABI         int    `json:"abi"`
}

// Validate reports what is wrong with a statement.
func (s *Statement) Validate() error {
	if s.Format != Format {
		return fmt.Errorf("a statement about a release: its format is %d: expected %d", s.Format, Format)
	}
	if err := s.Release.Check(); err != nil {
		return fmt.Errorf("a statement about a release: %w", err)
	}
	return nil
}

// statement is the one that there is to make about a release.
func (r *Release) statement() (*Statement, error) {
	digest, err := r.Digest()
	if err != nil {
		return nil, err
	}
	return &Statement{Format, digest, r.Program, r.Environment, r.ABI}, nil
}

// Sign says of a release what its signature has to say, and by which keys, so that whoever keeps
// it can see that it is good.
func Sign(r *Release, by ...*Signer) (*Envelope, error) {
	s, err := r.statement()
	if err != nil {
		return nil, err
	}
	payload, err := canonical(s)
	if err != nil {
		return nil, err
	}
	e, err := seal(TypeRelease, payload, by)
	if err != nil {
		return nil, err
	}
	for i, s := range by {
		e.Signatures[i].Key = s.Public()
	}
	return e, nil
}
