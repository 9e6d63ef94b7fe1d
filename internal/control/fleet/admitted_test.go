package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestBelievesWhatWasAdmitted: a node that has not run a release whose key is retired begins it where
// control nodes say that it was let in, and remembers. That helps no release that the key has not
// signed, no other one, and none of a revoked key.
func TestBelievesWhatWasAdmitted(t *testing.T) {
	roots := newRoots(t, 1)
	key := roots.keys[0]
	policy := func(version int64, status release.Status) []byte {
		t.Helper()
		e, err := release.SignPolicy(&release.Policy{
			Format: release.Format, Version: version, Need: 1, ABI: release.Range{Min: 1, Max: 1}, Roots: roots.of(0),
			Keys: []release.Key{{Key: key.Public(), Name: "ci", Status: status, Programs: []string{"*"}, Environments: []string{"*"}}},
		}, key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, c := range []struct {
		name   string
		signed bool
		status release.Status
		told   func(d release.Digest) release.Admitted
		runs   bool
	}{
		{"nothing is said", true, release.Retired, func(release.Digest) release.Admitted { return nil }, false},
		{"it was let in", true, release.Retired, func(d release.Digest) release.Admitted {
			return release.Admitted{{Release: d, Key: key.KeyID(), Policy: 1}}
		}, true},
		{"another was", true, release.Retired, func(release.Digest) release.Admitted {
			return release.Admitted{{Release: two, Key: key.KeyID(), Policy: 1}}
		}, false},
		{"by another key", true, release.Retired, func(d release.Digest) release.Admitted {
			return release.Admitted{{Release: d, Key: newRoots(t, 1).keys[0].KeyID(), Policy: 1}}
		}, false},
		{"nobody has signed it", false, release.Retired, func(d release.Digest) release.Admitted {
			return release.Admitted{{Release: d, Key: key.KeyID(), Policy: 1}}
		}, false},
		{"the key is revoked", true, release.Revoked, func(d release.Digest) release.Admitted {
			return release.Admitted{{Release: d, Key: key.KeyID(), Policy: 1}}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, r, d := published(t)
			if c.signed {
				e, err := release.Sign(r, key)
				if err != nil {
					t.Fatal(err)
				}
				active, err := release.ReadPolicy(policy(1, release.Active))
				if err != nil {
					t.Fatal(err)
				}
				if err := objects.AddSignatures(t.Context(), active, d, e); err != nil {
					t.Fatal(err)
				}
			}
			disk, err := release.OpenDisk(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			stock := &Stock{Environment: "prod", Disk: disk, From: []release.Source{objects}}
			told := c.told(d)
			for k, want := range []bool{len(told) > 0, false} {
				if more, err := stock.Believe(told); err != nil || more != want {
					t.Errorf("told %d times before, it is new: %v, %v", k, more, err)
				}
			}
			for _, again := range []string{"", " after another start"} {
				_, err := stock.Get(t.Context(), "shop", d, policy(2, c.status))
				if fault := (*Fault)(nil); (err == nil) != c.runs || err != nil && (!errors.As(err, &fault) || fault.Kind != Distrust) {
					t.Errorf("it runs%s: %v; expected %v", again, err, c.runs)
				}
				stock = &Stock{Environment: "prod", Disk: disk}
			}
		})
	}
}

// TestHearsWhatWasAdmitted: a release that was refused is looked at again at once when it is heard that
// it was let in before.
func TestHearsWhatWasAdmitted(t *testing.T) {
	let := release.Admitted{{Release: two, Key: "k", Policy: 1}}
	run(t, func(t *testing.T, m *machine) {
		m.gate = func(d release.Digest, _ []byte) error {
			if d == two && !m.admitted.Has(two, "k") {
				return &Fault{Distrust, fmt.Errorf("its key is retired")}
			}
			return nil
		}
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: two})
		m.runs(one, "")
		m.set(func() { m.tells = let })
		time.Sleep(time.Second)
		m.mu.Lock()
		now := m.main
		m.mu.Unlock()
		if r := m.said(); now != two || len(r.Troubles) > 0 {
			t.Errorf("a second later it runs %s, and says %+v", now.Short(), r)
		}
	})
}
