package fleet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// roots are who signs policies in a test.
type roots struct {
	t    *testing.T
	keys []*release.Signer
}

func newRoots(t *testing.T, n int) *roots {
	r := &roots{t: t}
	for range n {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := release.NewSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, s)
	}
	return r
}

// policy is one of a root key, signed by that and by others.
func (r *roots) policy(version int64, root int, by ...int) []byte {
	r.t.Helper()
	p := &release.Policy{
		Format: release.Format, Version: version, Need: 1, ABI: release.Range{Min: 1, Max: 1},
		Roots: release.Roots{Keys: []release.PublicKey{r.keys[root].Public()}, Threshold: 1},
		Keys: []release.Key{{
			Key: r.keys[root].Public(), Name: fmt.Sprint("of the policy ", version), Status: release.Active,
			Programs: []string{"*"}, Environments: []string{"*"},
		}},
	}
	signers := []*release.Signer{r.keys[root]}
	for _, k := range by {
		signers = append(signers, r.keys[k])
	}
	e, err := release.SignPolicy(p, signers...)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *roots) of(root int) release.Roots {
	return release.Roots{Keys: []release.PublicKey{r.keys[root].Public()}, Threshold: 1}
}

// goesBy says by which policy a machine's releases were got last, and that it says what is wrong
// with the one that it was told; "" is nothing.
func (m *machine) goesBy(version int64, says string) {
	m.t.Helper()
	time.Sleep(2 * time.Minute)
	m.mu.Lock()
	disk := m.disk
	m.mu.Unlock()
	memory, err := DecodeMemory("memory", disk)
	if err != nil {
		m.t.Fatal(err)
	}
	got := int64(0)
	if len(memory.Policy) > 0 {
		p, err := release.ReadPolicy(memory.Policy)
		if err != nil {
			m.t.Fatal(err)
		}
		got = p.Version
	}
	if text := m.own(Astray); got != version || (says == "") != (text == "") || !strings.Contains(text, says) {
		m.t.Errorf("it goes by the policy %d, and says %q; expected %d and %q", got, text, version, says)
	}
}

// TestPolicies: a node goes from one trust policy to the next that follows from it, whatever it is
// told, and says what it does not go by.
func TestPolicies(t *testing.T) {
	r := newRoots(t, 3)
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer func() { stop() }()
		m.intend(&Intent{Deployment: "d1", Release: one})
		tell := func(policy []byte) { m.set(func() { m.policy = policy }) }
		m.goesBy(0, "")
		second := r.policy(2, 0)
		tell(second)
		m.goesBy(2, "") // the first one is believed
		third := r.policy(3, 0)
		tell(third)
		m.goesBy(3, "")
		tell(second)
		m.goesBy(3, "the trust policy 2 is an older version: the policy 3 is known")
		tell(nil)
		m.goesBy(3, "no trust policy, and this node knows the trust policy 3: there is no way back to none")
		stop()
		_, stop = m.start()
		m.goesBy(3, "no trust policy, and this node knows the trust policy 3")
		tell(r.policy(3, 1, 0))
		m.goesBy(3, "two trust policies 3 that say different things")
		tell(r.policy(9, 1))
		m.goesBy(3, "the trust policy 9 is signed by 0 of the policy 3's 1 root keys")
		tell([]byte("none"))
		m.goesBy(3, "envelope")
		// Meanwhile it does what it shall.
		m.intend(&Intent{Deployment: "d2", Release: two})
		m.runs(two, "")
		tell(third)
		m.goesBy(3, "")
		tell(r.policy(4, 1, 0))
		m.goesBy(4, "") // the old root key has signed the new one
		tell(r.policy(5, 1))
		m.goesBy(5, "")
	})
}

// TestPoliciesBetween: a node that was away while root keys were replaced twice takes the versions
// between one after the other, once it can have them.
func TestPoliciesBetween(t *testing.T) {
	r := newRoots(t, 3)
	run(t, func(t *testing.T, m *machine) {
		stored := [][]byte{r.policy(1, 0), r.policy(2, 1, 0), r.policy(3, 2, 1)}
		away, asked := true, 0
		m.with = func(o *Options) {
			o.Roots = r.of(0)
			o.Policies = func(_ context.Context, known *release.Policy, roots release.Roots) (*release.Policy, error) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if asked++; away {
					return known, errors.New("503")
				}
				for _, text := range stored {
					next, err := known.Next(text)
					if known == nil {
						next, err = roots.First(text)
					}
					if errors.Is(err, release.ErrOlder) {
						continue
					}
					if err != nil {
						return known, err
					}
					known = next
				}
				return known, nil
			}
		}
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.goesBy(0, "")
		m.runs("", "")
		if said := m.said(); said.Trouble(one) == nil || said.Trouble(one).Kind != Fetching || !strings.Contains(said.Trouble(one).Text, "given root keys") {
			t.Errorf("it says %+v; expected it to wait for a policy", said)
		}
		m.set(func() { m.policy = stored[2] })
		m.goesBy(0, "(the versions between: 503)")
		m.runs("", "")
		m.set(func() { away = false })
		m.goesBy(3, "")
		m.runs(one, "")
		if asked > 20 {
			t.Errorf("it asked %d times for the versions between", asked)
		}
		m.set(func() { m.policy = r.policy(8, 0) }) // by a root key that is none any more
		m.goesBy(3, "the trust policy 8 is signed by 0")
	})
}

// TestFirstPolicy: the first one has to be signed by the root keys that the node was given.
func TestFirstPolicy(t *testing.T) {
	r := newRoots(t, 2)
	run(t, func(t *testing.T, m *machine) {
		m.with = func(o *Options) { o.Roots = r.of(0) }
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.set(func() { m.policy = r.policy(1, 1) })
		m.goesBy(0, "the trust policy 1 is signed by 0 of the given 1 root keys")
		m.runs("", "")
		if text := m.own(Astray); !strings.Contains(text, "--objects") {
			t.Errorf("it says %q; expected it to say what would lead on", text)
		}
		m.set(func() { m.policy = r.policy(1, 0) })
		m.goesBy(1, "")
		m.runs(one, "")
	})
}
