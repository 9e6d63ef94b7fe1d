package fleet

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestRefusedIsLookedAtAgain: what was refused runs once its cause is gone, without a restart and
// without another deployment. Until then the node says what it said, once, and asks seldom.
func TestRefusedIsLookedAtAgain(t *testing.T) {
	for _, kind := range []Kind{Distrust, Unbound} {
		t.Run(string(kind), func(t *testing.T) {
			run(t, func(t *testing.T, m *machine) {
				_, stop := m.start()
				defer stop()
				m.intend(&Intent{Deployment: "d1", Release: one})
				m.runs(one, "")
				asked := 0
				refused := &Fault{Kind: kind, Err: errors.New("not now")}
				m.set(func() {
					m.gate = func(d release.Digest, _ []byte) error {
						if d != two {
							return nil
						}
						asked++
						return refused
					}
				})
				m.intend(&Intent{Deployment: "d2", Release: two})
				m.runs(one, "")
				if r := m.said(); r.Trouble(two) == nil || r.Trouble(two).Kind != kind {
					t.Errorf("it says %+v", r)
				}
				m.mu.Lock()
				said, before := len(m.reports), asked
				m.mu.Unlock()
				time.Sleep(time.Hour)
				m.runs(one, "")
				m.mu.Lock()
				if n := asked - before; n < 40 || n > 90 {
					t.Errorf("it looked %d times within an hour", n)
				}
				if n := len(m.reports) - said; n > 0 {
					t.Errorf("it reported %d times what it had said", n)
				}
				m.gate = nil // nobody is told
				m.mu.Unlock()
				time.Sleep(time.Minute)
				m.runs(two, "")
				if r := m.said(); len(r.Troubles) > 0 || r.Main != two {
					t.Errorf("it says %+v", r)
				}
			})
		})
	}
}

// TestUnfitIsNot: what is no program that runs here will not become one.
func TestUnfitIsNot(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		asked := 0
		m.set(func() {
			m.gate = func(release.Digest, []byte) error {
				asked++
				return &Fault{Kind: Unfit, Err: errors.New("no program")}
			}
		})
		m.intend(&Intent{Deployment: "d1", Release: one})
		time.Sleep(time.Hour)
		m.mu.Lock()
		defer m.mu.Unlock()
		if asked != 1 {
			t.Errorf("it tried %d times", asked)
		}
	})
}

// TestAheadIsLookedAtAgain: so is what a node will need, and has looked at before.
func TestAheadIsLookedAtAgain(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.set(func() { m.missing[two] = &Fault{Kind: Unbound, Err: errors.New("PAY_KEY is missing")} })
		m.intend(&Intent{Deployment: "d1", Release: one, Candidate: two, Reach: 0})
		m.runs(one, "")
		if r := m.said(); r.Trouble(two) == nil {
			t.Errorf("it says %+v", r)
		}
		m.mu.Lock()
		delete(m.missing, two) // nobody is told
		m.mu.Unlock()
		m.runs(one, "")
		m.runs(one, "")
		if r := m.said(); len(r.Troubles) > 0 {
			t.Errorf("it says %+v", r)
		}
	})
}

// TestAnotherPolicy: another trust policy lets run at once what the one before did not; what it
// lets run no more runs on, and the node says so until somebody trusted has signed it.
func TestAnotherPolicy(t *testing.T) {
	r := newRoots(t, 1)
	first, second := r.policy(1, 0), r.policy(2, 0)
	run(t, func(t *testing.T, m *machine) {
		signed := false
		m.set(func() {
			m.policy = first
			m.gate = func(d release.Digest, policy []byte) error {
				now := bytes.Equal(policy, second)
				if d == one && now && !signed || d == two && !now {
					return &Fault{Kind: Distrust, Err: errors.New("its key is revoked")}
				}
				return nil
			}
		})
		_, stop := m.start()
		defer func() { stop() }()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Onebox: "n", Share: 0.1})
		m.runs(one, "")
		m.set(func() { m.policy = second })
		time.Sleep(time.Second)
		m.mu.Lock()
		if m.main != one || m.beside != two {
			t.Errorf("it runs %s beside %s", m.main.Short(), m.beside.Short())
		}
		m.mu.Unlock()
		if text := m.own(Disowned); !strings.HasPrefix(text, "shop "+one.Short()+" runs on here, and will not start again: its key is revoked") {
			t.Errorf("it says %q", text)
		}
		if r := m.said(); len(r.Troubles) > 0 { // it is none of a deployment's
			t.Errorf("it says %+v", r)
		}
		m.mu.Lock()
		said := len(m.reports)
		m.mu.Unlock()
		m.runs(one, two)
		time.Sleep(time.Hour)
		m.mu.Lock()
		if n := len(m.reports) - said; n > 0 {
			t.Errorf("it reported %d times what it had said", n)
		}
		signed = true
		m.mu.Unlock()
		m.runs(one, two)
		m.runs(one, two)
		if text := m.own(Disowned); text != "" {
			t.Errorf("it still says %q", text)
		}
		m.mu.Lock()
		signed = false
		m.mu.Unlock()
		stop()
		_, stop = m.start()
		m.runs("", "")
		if r := m.said(); r.Trouble(one) == nil || r.Trouble(one).Kind != Distrust {
			t.Errorf("it says %+v", r)
		}
	})
}
