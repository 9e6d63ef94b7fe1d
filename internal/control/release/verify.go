// Whether a release may run.

package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Admission says that a release was admitted by a key's signature, under a version
// of the policy.
type Admission struct {
	Release Digest `json:"release"`
	Key     KeyID  `json:"key"`
	Policy  int64  `json:"policy"` // version
}

// Admitted are admissions that somebody remembers: a node of what it has run, the control
// plane of what it has let in. They are what is left of a key that was retired: whoever
// can write them can have releases of such keys run, and nothing else.
type Admitted []Admission

// Has reports whether a release was admitted by a key.
func (a Admitted) Has(release Digest, key KeyID) bool {
	return slices.ContainsFunc(a, func(m Admission) bool { return m.Release == release && m.Key == key })
}

// With adds admissions. The first of a release and key stays as it is.
func (a Admitted) With(more ...Admission) Admitted {
	out := slices.Clone(a)
	for _, m := range more {
		if !out.Has(m.Release, m.Key) {
			out = append(out, m)
		}
	}
	return out
}

// Of leaves those of some releases.
func (a Admitted) Of(releases ...Digest) Admitted {
	return slices.DeleteFunc(slices.Clone(a), func(m Admission) bool { return !slices.Contains(releases, m.Release) })
}

// DecodeAdmitted reads admissions as JSON; of nothing there are none.
func DecodeAdmitted(text []byte) (Admitted, error) {
	var all Admitted
	if len(text) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("what was admitted before: %w", err)
	}
	for i, a := range all {
		if err := errors.Join(a.Release.Check(), a.Key.Check()); err != nil {
			return nil, fmt.Errorf("what was admitted before: the admission %d: %w", i+1, err)
		}
	}
	return all, nil
}

// Encode is what DecodeAdmitted reads.
func (a Admitted) Encode() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // it is of strings and numbers
	}
	return text
}

// ErrUntrusted is that a policy does not let a release run.
var ErrUntrusted = errors.New("not trusted")

// Verify says whether a release may run, by its signatures and by what was admitted
// before. The admissions are those by active keys, to be remembered. The error is
// ErrUntrusted; it says of each signature what is wrong with it.
//
// A nil policy lets everything run: it is that of a team that has not set one up.
func (p *Policy) Verify(signatures []*Envelope, r *Release, admitted Admitted, now time.Time) ([]Admission, error) {
	if p == nil {
		return nil, nil
	}
	s, err := r.statement()
	if err != nil {
		return nil, err
	}
	v := &verification{policy: p, release: r, statement: s, admitted: admitted, now: now}
	if v.payload, err = canonical(s); err != nil {
		return nil, err
	}
	if r.ABI < p.ABI.Min || r.ABI > p.ABI.Max {
		return nil, v.refuse("its ABI is %d, and the policy takes %d to %d: build it with another version of tow, or change the policy", r.ABI, p.ABI.Min, p.ABI.Max)
	}
	v.signatures(signatures)
	if v.good >= p.Need {
		return v.admissions, nil
	}
	if v.good == 0 && len(v.reasons) == 0 {
		return nil, v.refuse("nobody has signed it: sign it (\"tow release sign\") by %s", p.who(r.Program, r.Environment))
	}
	return nil, v.refuse("it has %d good signatures, and needs %d%s; sign it by %s", v.good, p.Need, v.why(), p.who(r.Program, r.Environment))
}

// verification is of one release.
type verification struct {
	policy    *Policy
	release   *Release
	statement *Statement
	payload   []byte
	admitted  Admitted
	now       time.Time

	good       int // keys
	admissions []Admission
	reasons    []string // why others do not count
}

func (v *verification) refuse(format string, args ...any) error {
	return fmt.Errorf("the release %s of %s to %s is %w by the policy %d: %s",
		v.statement.Release.Short(), v.release.Program, v.release.Environment, ErrUntrusted, v.policy.Version, fmt.Sprintf(format, args...))
}

// why is what is wrong with the signatures that do not count.
func (v *verification) why() string {
	if len(v.reasons) == 0 {
		return ""
	}
	return " (" + strings.Join(v.reasons, "; ") + ")"
}

// signatures looks at all of them. A key counts once.
func (v *verification) signatures(envelopes []*Envelope) {
	seen := map[KeyID]bool{}
	for _, e := range envelopes {
		for _, s := range e.Signatures {
			if seen[s.KeyID] {
				continue
			}
			wrong := v.signature(e, s.KeyID)
			if wrong == "" {
				seen[s.KeyID] = true
				v.good++
			} else if len(v.reasons) < maxSignatures {
				v.reasons = append(v.reasons, wrong)
			}
		}
	}
}

// signature says what is wrong with a key's signature; "" if it counts.
func (v *verification) signature(e *Envelope, id KeyID) string {
	k := v.policy.key(id)
	if k == nil {
		return fmt.Sprintf("the policy does not know the key %s", id.Short())
	}
	who := fmt.Sprintf("the key %s (%s)", k.Name, id.Short())
	switch {
	case e.PayloadType != TypeRelease || !bytes.Equal(e.Payload, v.payload):
		return who + " has signed another statement: " + v.other(e)
	case !e.SignedBy(k.Key):
		return "the signature of " + who + " is not by it: it is damaged, or somebody has made it up"
	case k.Snapshots:
		return who + " signs snapshots, and no releases"
	case k.Status == Revoked:
		return who + " is revoked, as somebody else may have it"
	case !k.covers(v.release.Program, v.release.Environment):
		return fmt.Sprintf("%s may sign %s for %s alone", who, strings.Join(k.Programs, ", "), strings.Join(k.Environments, ", "))
	case v.now.Before(k.NotBefore):
		return fmt.Sprintf("%s is good from %s on, and it is %s here: look at the clock", who, k.NotBefore.Format(time.RFC3339), v.now.UTC().Format(time.RFC3339))
	case k.Status == Retired && !v.admitted.Has(v.statement.Release, id):
		return who + " is retired, and this release was not admitted while it was not"
	case k.Status == Active:
		v.admissions = append(v.admissions, Admission{v.statement.Release, id, v.policy.Version})
	}
	return ""
}

// other says what another statement is about.
func (v *verification) other(e *Envelope) string {
	var s Statement
	if e.PayloadType != TypeRelease || decode("", e.Payload, MaxRelease, &s) != nil {
		return fmt.Sprintf("it is of %.60q", e.PayloadType)
	}
	if s.Release != v.statement.Release {
		return "it is about the release " + s.Release.Short()
	}
	return fmt.Sprintf("it is about %.60s to %.60s with the ABI %d", s.Program, s.Environment, s.ABI)
}

// key is that of an id; nil if the policy has none, or is nil.
func (p *Policy) key(id KeyID) *Key {
	if p == nil {
		return nil
	}
	for i := range p.Keys {
		if p.Keys[i].Key.ID() == id {
			return &p.Keys[i]
		}
	}
	return nil
}

// who are the keys that can sign for a program and environment.
func (p *Policy) who(program, environment string) string {
	var names []string
	for i := range p.Keys {
		if k := &p.Keys[i]; k.Status == Active && !k.Snapshots && k.covers(program, environment) {
			names = append(names, fmt.Sprintf("%s (%s)", k.Name, k.Key.ID().Short()))
		}
	}
	if len(names) == 0 {
		return "a key that the policy lets sign for it: it has none yet"
	}
	return "one of " + strings.Join(names, ", ")
}
