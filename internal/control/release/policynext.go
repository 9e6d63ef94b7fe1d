// How one policy follows another.

package release

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrOlder is that a policy is of a version before the one that is known.
var ErrOlder = errors.New("an older version")

// ErrTwoPolicies is that there are two of one version, which say different things.
var ErrTwoPolicies = errors.New("two trust policies")

// ReadPolicy reads a signed policy, and sees that its own root keys have signed it. That
// makes it whole, and says nothing of whose it is: it is for what one has kept by oneself,
// or is told by somebody whom one believes.
func ReadPolicy(data []byte) (*Policy, error) {
	e, err := DecodeEnvelope(data)
	if err != nil {
		return nil, err
	}
	if e.PayloadType != TypePolicy {
		return nil, fmt.Errorf("a trust policy: the envelope is of %q: expected %q", e.PayloadType, TypePolicy)
	}
	p := new(Policy)
	if err := decode("a trust policy", e.Payload, MaxPolicy, p); err != nil {
		return nil, err
	}
	if err := p.Roots.signed(e, fmt.Sprintf("the trust policy %d", p.Version), "its own"); err != nil {
		return nil, err
	}
	p.envelope = e
	return p, nil
}

// signed says whether enough of the roots have signed.
func (r Roots) signed(e *Envelope, what, whose string) error {
	if n := e.signedBy(r.Keys); n < r.Threshold {
		return fmt.Errorf("%s is signed by %d of %s %d root keys, and %d have to: have others sign it (\"tow trust sign\")",
			what, n, whose, len(r.Keys), r.Threshold)
	}
	return nil
}

// First reads the first policy that a node gets to see, if the root keys have signed it
// that the node was given. Where those have been replaced since, the versions between
// tell how: see [Objects.Policy].
func (r Roots) First(data []byte) (*Policy, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("the root keys to begin with: %w", err)
	}
	p, err := ReadPolicy(data)
	if err != nil {
		return nil, err
	}
	return p, r.signed(p.envelope, fmt.Sprintf("the trust policy %d", p.Version), "the given")
}

// Next reads a policy that is to follow this one. It has to be signed by enough of this
// one's root keys and of its own: so root keys are replaced, as in The Update Framework
// (https://theupdateframework.github.io/specification/latest, 5.3). An earlier version is
// ErrOlder, another of the same number is refused, and the same one is no change. To a nil
// policy any follows, as [ReadPolicy] reads it: the first one is believed.
func (p *Policy) Next(data []byte) (*Policy, error) {
	next, err := ReadPolicy(data)
	if p == nil || err != nil {
		return next, err
	}
	switch {
	case next.Version < p.Version:
		return nil, fmt.Errorf("the trust policy %d is %w: the policy %d is known; somebody may have put an old one in its place, or restored one: sign a version after %d",
			next.Version, ErrOlder, p.Version, p.Version)
	case next.Version == p.Version:
		same, err := p.says(next)
		if err == nil && !same {
			err = fmt.Errorf("there are %w %d that say different things: whoever has signed both has to sign a version after %d", ErrTwoPolicies, p.Version, p.Version)
		}
		return p, err
	}
	if err := p.Roots.signed(next.envelope, fmt.Sprintf("the trust policy %d", next.Version), fmt.Sprintf("the policy %d's", p.Version)); err != nil {
		return nil, fmt.Errorf("%w; or take the versions between one after the other", err)
	}
	return next, nil
}

// says reports whether two policies are the same.
func (p *Policy) says(other *Policy) (bool, error) {
	a, err := canonical(p)
	if err != nil {
		return false, err
	}
	b, err := canonical(other)
	return bytes.Equal(a, b), err
}
