// From where a new node starts while there is no control plane.

package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Snapshot is what shall run in an environment, and whom to believe, as it was at a
// time. The control plane signs one whenever that changes, and every so often, and keeps it
// beside the releases.
type Snapshot struct {
	Format      int       `json:"format"` // Format
	Environment string    `json:"environment"`
	Time        time.Time `json:"time"` // in UTC, whole seconds
	// Desired is in the order of cells and programs.
	Desired []Desired `json:"desired"`
	// Policy is the signed policy, an envelope's JSON; nil without one.
	Policy []byte `json:"policy,omitempty"`
	// Admitted are the admissions of the desired releases: some may be of keys that are
	// retired by now.
	Admitted Admitted `json:"admitted,omitempty"`
}

// Desired is the release of a program that shall run in a cell.
type Desired struct {
	Cell    string `json:"cell"`
	Program string `json:"program"`
	Release Digest `json:"release"`
}

// TypeSnapshot is the payloadType of a signed snapshot.
const TypeSnapshot = "application/vnd.towpath.snapshot+json"

// Bounds of snapshots.
const (
	MaxSnapshot = 2 << 20 // bytes
	// SnapshotAge is how old one may be, unless said otherwise: a node does not start with
	// what somebody has replaced since.
	SnapshotAge = 24 * time.Hour
	// maxAhead is how far from the future one may be: clocks differ.
	maxAhead = 2 * time.Hour
)

// Validate reports what is wrong with a snapshot.
func (s *Snapshot) Validate() error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("a snapshot: "+format, args...))
	}
	if s.Format != Format {
		complain("its format is %d: expected %d", s.Format, Format)
	}
	if err := CheckEnvironment(s.Environment); err != nil {
		errs = append(errs, err)
	}
	if _, offset := s.Time.Zone(); offset != 0 || s.Time.Nanosecond() != 0 || s.Time.Year() < 2000 || s.Time.Year() > 9999 {
		complain("it is of %s: expected a time in UTC, in whole seconds", s.Time.Format(time.RFC3339Nano))
	}
	for i, d := range s.Desired {
		if err := errors.Join(CheckCell(d.Cell), CheckProgram(d.Program), d.Release.Check()); err != nil {
			complain("what it desires, %d: %w", i+1, err)
		}
	}
	if !slices.IsSortedFunc(s.Desired, byCell) || twice(s.Desired, func(d Desired) string { return d.Cell + "/" + d.Program }) >= 0 {
		complain("what it desires has to be in the order of cells and programs, each once")
	}
	for i, a := range s.Admitted {
		if err := errors.Join(a.Release.Check(), a.Key.Check()); err != nil {
			complain("its admission %d: %w", i+1, err)
		}
	}
	return errors.Join(errs...)
}

func byCell(a, b Desired) int {
	if c := strings.Compare(a.Cell, b.Cell); c != 0 {
		return c
	}
	return strings.Compare(a.Program, b.Program)
}

// SignSnapshot signs a snapshot, whose desired releases it puts in order.
func SignSnapshot(s *Snapshot, by ...*Signer) (*Envelope, error) {
	t := *s
	t.Format, t.Time = Format, s.Time.UTC().Truncate(time.Second)
	t.Desired = slices.SortedFunc(slices.Values(s.Desired), byCell)
	if t.Desired == nil {
		t.Desired = []Desired{}
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	payload, err := canonical(&t)
	if err != nil {
		return nil, err
	}
	if len(payload) > MaxSnapshot {
		return nil, fmt.Errorf("a snapshot: it has %d bytes: expected %d at most", len(payload), MaxSnapshot)
	}
	return seal(TypeSnapshot, payload, by)
}

// Trust is by what a node verifies a snapshot. Something has to be given: Policy, Roots or
// Keys.
type Trust struct {
	Environment string
	Policy      *Policy     // that the node knows, if it does
	Roots       Roots       // that it was given, if they were; see [Roots.First]
	Keys        []PublicKey // that sign snapshots, beside those that the policy lets
	Now         time.Time
	MaxAge      time.Duration // SnapshotAge without it
}

// OpenSnapshot reads a snapshot, and the policy that is in force: the later one of the
// snapshot's and the node's, nil if neither has one.
func OpenSnapshot(data []byte, t Trust) (*Snapshot, *Policy, error) {
	e, err := DecodeEnvelope(data)
	if err != nil {
		return nil, nil, err
	}
	if e.PayloadType != TypeSnapshot {
		return nil, nil, fmt.Errorf("a snapshot: the envelope is of %.80q: expected %q", e.PayloadType, TypeSnapshot)
	}
	s := new(Snapshot)
	if err := decode("a snapshot", e.Payload, MaxSnapshot, s); err != nil {
		return nil, nil, err
	}
	policy, err := t.policy(s)
	if err != nil {
		return nil, nil, fmt.Errorf("the snapshot of %s: %w", s.Time.Format(time.RFC3339), err)
	}
	if err := t.believes(e, policy); err != nil {
		return nil, nil, fmt.Errorf("the snapshot of %s: %w", s.Time.Format(time.RFC3339), err)
	}
	return s, policy, t.fresh(s)
}

// policy is the one in force.
func (t *Trust) policy(s *Snapshot) (*Policy, error) {
	switch {
	case s.Policy == nil && t.Policy == nil && len(t.Roots.Keys) > 0:
		return nil, fmt.Errorf("it has no trust policy, and this node was given root keys: %w", ErrUntrusted)
	case s.Policy == nil:
		return t.Policy, nil
	case t.Policy != nil:
		next, err := t.Policy.Next(s.Policy)
		if errors.Is(err, ErrOlder) {
			return t.Policy, nil
		}
		return next, err
	case len(t.Roots.Keys) > 0:
		return t.Roots.First(s.Policy)
	case len(t.Keys) > 0:
		return ReadPolicy(s.Policy) // believed if the snapshot is, by the keys
	}
	return nil, fmt.Errorf("this node has nothing to verify it by: give it root keys, or the key that signs snapshots: %w", ErrUntrusted)
}

// believes says whether somebody has signed who may.
func (t *Trust) believes(e *Envelope, p *Policy) error {
	if e.signedBy(t.Keys) > 0 {
		return nil
	}
	// A policy that came with the snapshot, and that nothing vouches for but the snapshot,
	// cannot vouch for it.
	if p == nil || t.Policy == nil && len(t.Roots.Keys) == 0 {
		return fmt.Errorf("none of the keys has signed it that this node was given: %w", ErrUntrusted)
	}
	var reasons []string
	for i := range p.Keys {
		k := &p.Keys[i]
		if !e.SignedBy(k.Key) {
			continue
		}
		who := fmt.Sprintf("the key %s (%s)", k.Name, k.Key.ID().Short())
		switch {
		case !k.Snapshots:
			reasons = append(reasons, who+" signs releases, and no snapshots")
		case k.Status != Active:
			reasons = append(reasons, who+" is "+string(k.Status))
		case !k.covers("", t.Environment):
			reasons = append(reasons, who+" may sign for "+strings.Join(k.Environments, ", ")+" alone")
		case t.Now.Before(k.NotBefore):
			reasons = append(reasons, who+" is good from "+k.NotBefore.Format(time.RFC3339)+" on")
		default:
			return nil
		}
	}
	if len(reasons) == 0 {
		reasons = []string{"no key has signed it that the policy knows"}
	}
	return fmt.Errorf("it is %w by the policy %d: %s; the control plane's key has to be in the policy, with \"snapshots\": true",
		ErrUntrusted, p.Version, strings.Join(reasons, "; "))
}

// fresh says whether a snapshot is of the environment and of a time that is near enough.
func (t *Trust) fresh(s *Snapshot) error {
	most := t.MaxAge
	if most <= 0 {
		most = SnapshotAge
	}
	at := s.Time.Format(time.RFC3339)
	switch age := t.Now.Sub(s.Time); {
	case s.Environment != t.Environment:
		return fmt.Errorf("the snapshot of %s is of the environment %s, and this node belongs to %s", at, s.Environment, t.Environment)
	case age > most:
		return fmt.Errorf("the snapshot of %s is %s old: expected %s at most, as what ran then may have been replaced since; if it has not, allow more", at, age.Round(time.Minute), most)
	case age < -maxAhead:
		return fmt.Errorf("the snapshot of %s is from the future, by %s: look at the clocks", at, (-age).Round(time.Minute))
	}
	return nil
}
