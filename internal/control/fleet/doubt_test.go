package fleet

import (
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestNothingIsDoubted: a node that runs something, and is told as the first thing that it shall run nothing,
// serves on until the control plane has had its status for half a minute. What it is told meanwhile it does;
// while nobody is there, or a person has to see a restored store, it goes on as it is.
func TestNothingIsDoubted(t *testing.T) {
	nothing := func(m *machine) func() { return func() { m.cut, m.intents = false, map[string]*Intent{} } }
	for _, c := range []struct {
		name  string
		then  func(m *machine)
		after time.Duration
		runs  release.Digest
	}{
		{"it goes on", func(*machine) {}, 25 * time.Second, one},
		{"and believes it", func(*machine) {}, time.Minute, ""},
		{"it is told what to run", func(m *machine) { m.intend(&Intent{Deployment: "d2", Release: one}) }, time.Hour, one},
		{"it is told another release", func(m *machine) { m.intend(&Intent{Deployment: "d2", Release: two}) }, time.Minute, two},
		{"nobody is there", func(m *machine) { m.set(func() { m.cut = true }) }, time.Hour, one},
		{"the store was restored", func(m *machine) { m.set(func() { m.held = true }) }, time.Hour, one},
		{"and has nothing", func(m *machine) {
			m.set(func() { m.held = true })
			time.Sleep(time.Hour)
			m.set(func() { m.held = false })
		}, 20 * time.Second, one},
		{"its status is not taken", func(m *machine) {
			m.set(func() { m.deaf, m.cut = true, true })
			time.Sleep(time.Minute)
			m.set(func() { m.cut = false })
		}, time.Hour, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, m *machine) {
				_, stop := m.start()
				defer stop()
				m.intend(&Intent{Deployment: "d1", Release: one})
				m.runs(one, "")
				m.set(func() { m.cut = true })
				m.runs(one, "")
				m.set(nothing(m))
				for heard := false; !heard; time.Sleep(time.Second) {
					m.mu.Lock()
					heard = m.follows > 1
					m.mu.Unlock()
				}
				c.then(m)
				time.Sleep(c.after)
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.main != c.runs {
					t.Errorf("it runs %s; expected %s", m.main.Short(), c.runs.Short())
				}
			})
		})
	}
}
