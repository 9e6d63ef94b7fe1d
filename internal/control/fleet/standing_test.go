package fleet

import (
	"slices"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// TestKeepsWhatWasReplaced: a node keeps on its disk what the last release that succeeded had replaced,
// also after candidates were tried since and taken back, and over its process's end. So it can go back to
// that when nobody has it any more.
func TestKeepsWhatWasReplaced(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		three, four := digest("three"), digest("four")
		kept := func(want ...release.Digest) {
			t.Helper()
			time.Sleep(time.Minute)
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, d := range want {
				if !slices.Contains(m.kept, d) {
					t.Errorf("it does not keep %s, but %v", d.Short(), m.kept)
				}
			}
			if len(m.kept) > len(want) {
				t.Errorf("it keeps %v; expected %v", m.kept, want)
			}
		}
		_, stop := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		m.intend(&Intent{Deployment: "d2", Release: two})
		kept(one, two)
		for k, candidate := range []release.Digest{three, four} {
			m.intend(&Intent{Deployment: "d" + string(rune('3'+k)), Release: two, Candidate: candidate, Reach: 1})
			m.runs(candidate, "")
			kept(one, two, candidate)
			stop()
			_, stop = m.start()
			kept(one, two, candidate)
			m.intend(&Intent{Deployment: "d" + string(rune('3'+k)), Release: two})
			m.runs(two, "")
			kept(one, two, candidate)
			if r := m.said(); r.Previous != one {
				t.Errorf("it would go back to %s", r.Previous.Short())
			}
		}
		m.intend(&Intent{Deployment: "d5", Release: one}) // which takes d2 back
		m.runs(one, "")
		kept(one, two)
		m.intend(&Intent{Deployment: "d6", Release: three})
		m.runs(three, "")
		kept(one, three)
		m.set(func() { m.intents = map[string]*Intent{} })
		kept()
		stop()
	})
}

// TestStandingOfEarlierVersions: a memory that says nothing of what was replaced has it from what ran, where
// that is no candidate.
func TestStandingOfEarlierVersions(t *testing.T) {
	for _, c := range []struct {
		name   string
		ran    []release.Digest
		intent Intent
		want   Standing
	}{
		{"nothing", nil, Intent{Release: one}, Standing{one, ""}},
		{"what was before", []release.Digest{two, one}, Intent{Release: two}, Standing{two, one}},
		{"a candidate", []release.Digest{two, one}, Intent{Release: one, Candidate: two, Reach: 1}, Standing{one, ""}},
		{"the first one", []release.Digest{one}, Intent{Candidate: one, Reach: 1}, Standing{}},
	} {
		m := newMemory()
		m.Ran["shop"] = c.ran
		if !m.stands("shop", &c.intent) || m.Standing["shop"] != c.want || m.stands("shop", &c.intent) {
			t.Errorf("%s: it is %+v; expected %+v", c.name, m.Standing["shop"], c.want)
		}
	}
}
