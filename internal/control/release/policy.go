// Who is trusted.

package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// A Policy says whose signatures of releases are good, for which programs and environments,
// and which releases' ABI. It is signed by root keys, and each version supersedes those
// before it: see [Policy.Next]. A nil Policy is that of a team that has set none up: releases
// need no signatures then. Whoever has ever had a policy never goes back to none.
//
// It has no end of its own, other than The Update Framework's metadata: nodes must be able to
// start in an outage of any length. Who keeps a node from hearing of a new version keeps
// it at the old one; the control plane tells the version that it has, and a node that
// knows a later one says so.
type Policy struct {
	Format  int   `json:"format"` // Format
	Version int64 `json:"version"`
	// Roots sign the policy, and say by this who signs the next one.
	Roots Roots `json:"roots"`
	// Need is how many different keys must have signed a release.
	Need int   `json:"need"`
	ABI  Range `json:"abi"`
	Keys []Key `json:"keys"`

	envelope *Envelope // that the policy was read of; nil before it is signed
}

// Roots are the keys that sign policies.
type Roots struct {
	Keys []PublicKey `json:"keys"`
	// Threshold is how many of them have to.
	Threshold int `json:"threshold"`
}

// Range is from the least to the most, both included.
type Range struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// A Key may sign releases, or snapshots.
type Key struct {
	Key  PublicKey `json:"key"`
	Name string    `json:"name"` // for people: "ci of the shop team"
	// Status is what its signatures are worth now.
	Status Status `json:"status"`
	// NotBefore is from when on it is good, in UTC; the zero time is always.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Programs and Environments are what it may sign for, as patterns with `*` and `?`
	// (path.Match): "shop-*".
	Programs     []string `json:"programs"`
	Environments []string `json:"environments"`
	// Snapshots is that it signs snapshots of its environments, and no releases: it is the
	// control plane's.
	Snapshots bool `json:"snapshots,omitempty"`
}

// Status is a key's.
type Status string

// The statuses.
const (
	// Active: releases can be admitted by it.
	Active Status = "active"
	// Retired: what was admitted by it stays so, and nothing new is.
	Retired Status = "retired"
	// Revoked: somebody else may have it. Nothing is admitted by it, nor was.
	Revoked Status = "revoked"
)

// TypePolicy is the payloadType of a signed policy.
const TypePolicy = "application/vnd.towpath.policy+json"

// Bounds of policies.
const (
	MaxPolicy   = 64 << 10 // bytes
	maxKeys     = 128
	maxPatterns = 64
)

// Validate reports all that is wrong with a policy.
func (p *Policy) Validate() error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("a trust policy: "+format, args...))
	}
	if p.Format != Format {
		complain("its format is %d: expected %d", p.Format, Format)
	}
	if p.Version < 1 {
		complain("its version is %d: expected 1 or more", p.Version)
	}
	if err := p.Roots.Check(); err != nil {
		complain("%w", err)
	}
	if p.ABI.Min < 1 || p.ABI.Max < p.ABI.Min {
		complain("its ABI is from %d to %d: expected two numbers from 1 on, the lower first", p.ABI.Min, p.ABI.Max)
	}
	releases := 0
	for i := range p.Keys {
		if k := &p.Keys[i]; !k.Snapshots && k.Status != Revoked {
			releases++
		}
		if err := p.Keys[i].check(); err != nil {
			complain("its key %d: %w", i+1, err)
		}
	}
	if len(p.Keys) > maxKeys {
		complain("it has %d keys: expected %d at most", len(p.Keys), maxKeys)
	}
	if twice := twice(p.Keys, func(k Key) string { return string(k.Key) }); twice >= 0 {
		complain("its key %d stands there twice", twice+1)
	}
	if p.Need < 1 || p.Need > max(releases, 1) {
		complain("a release needs %d signatures, and %d keys can sign releases: expected 1 to that many", p.Need, releases)
	}
	return errors.Join(errs...)
}

// Check says what is wrong with root keys.
func (r Roots) Check() error {
	var errs []error
	for i, k := range r.Keys {
		if err := k.Check(); err != nil {
			errs = append(errs, fmt.Errorf("its root key %d: %w", i+1, err))
		}
	}
	if len(r.Keys) == 0 || len(r.Keys) > maxSignatures {
		errs = append(errs, fmt.Errorf("it has %d root keys: expected 1 to %d", len(r.Keys), maxSignatures))
	}
	if i := twice(r.Keys, func(k PublicKey) string { return string(k) }); i >= 0 {
		errs = append(errs, fmt.Errorf("its root key %d stands there twice: each counts once", i+1))
	}
	if r.Threshold < 1 || r.Threshold > max(len(r.Keys), 1) {
		errs = append(errs, fmt.Errorf("%d of its %d root keys have to sign: expected 1 to that many", r.Threshold, len(r.Keys)))
	}
	return errors.Join(errs...)
}

// twice is the index of the first that was there before; -1 if none was.
func twice[T any](all []T, name func(T) string) int {
	seen := map[string]bool{}
	for i, one := range all {
		if seen[name(one)] {
			return i
		}
		seen[name(one)] = true
	}
	return -1
}

func (k *Key) check() error {
	var errs []error
	if err := k.Key.Check(); err != nil {
		errs = append(errs, err)
	}
	if k.Name == "" || len(k.Name) > maxText || !printable(k.Name) {
		errs = append(errs, fmt.Errorf("its name is %.80q: expected whose it is, in at most %d bytes", k.Name, maxText))
	}
	if k.Status != Active && k.Status != Retired && k.Status != Revoked {
		errs = append(errs, fmt.Errorf("its status is %.40q: expected active, retired or revoked", string(k.Status)))
	}
	if _, offset := k.NotBefore.Zone(); offset != 0 {
		errs = append(errs, fmt.Errorf("it is good from %s on: expected a time in UTC", k.NotBefore.Format(time.RFC3339)))
	}
	errs = append(errs, checkPatterns("programs", k.Programs), checkPatterns("environments", k.Environments))
	return errors.Join(errs...)
}

func checkPatterns(what string, patterns []string) error {
	if len(patterns) == 0 || len(patterns) > maxPatterns {
		return fmt.Errorf("it may sign for %d patterns of %s: expected 1 to %d; \"*\" is all of them", len(patterns), what, maxPatterns)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" || len(p) > maxText || !printable(p) {
			return fmt.Errorf("its %s have %.80q: expected a name, with * and ? where anything may stand", what, p)
		}
	}
	return nil
}

// covers reports whether the key may sign for a program and environment; program "" asks
// for the environment alone.
func (k *Key) covers(program, environment string) bool {
	return (program == "" || matches(k.Programs, program)) && matches(k.Environments, environment)
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// ParsePolicy reads a policy that somebody has written, as JSON in any form, to be signed.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("a trust policy: it has %d bytes: expected %d at most", len(text), MaxPolicy)
	}
	p := new(Policy)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("a trust policy: it cannot be read: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("a trust policy: something stands behind its end, at byte %d", dec.InputOffset())
	}
	return p, p.Validate()
}

// SignPolicy signs a policy by some of its root keys, and of those of the version before it.
// Where others sign elsewhere, envelopes are put together by [Envelope.Add].
func SignPolicy(p *Policy, by ...*Signer) (*Envelope, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	payload, err := canonical(p)
	if err != nil {
		return nil, err
	}
	if len(payload) > MaxPolicy {
		return nil, fmt.Errorf("a trust policy: it has %d bytes: expected %d at most", len(payload), MaxPolicy)
	}
	return seal(TypePolicy, payload, by)
}

// Envelope is the policy with its signatures, as it is kept and handed on; nil if it has not
// been signed.
func (p *Policy) Envelope() *Envelope {
	if p == nil {
		return nil
	}
	return p.envelope
}
