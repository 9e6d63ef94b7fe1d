// What a node keeps on its disk so that what has succeeded can be taken back.

package fleet

import "towpath.dev/internal/control/release"

// Standing is what nodes run of a program that is on trial no more, and what that replaced. Candidates that
// were tried since, and taken back, are none of it.
type Standing struct {
	Release  release.Digest `json:"release,omitempty"` // "": nothing, or of tow the one that is installed
	Replaced release.Digest `json:"replaced,omitempty"`
}

// stands notes what an intent says, and reports whether that is new.
func (m *Memory) stands(program string, i *Intent) bool {
	was, known := m.Standing[program]
	now := Standing{i.Release, was.Release}
	switch {
	case known && was.Release == i.Release:
		return false
	case !known: // as an earlier version has left it
		for _, d := range m.Ran[program] {
			if d != i.Release && d != i.Candidate {
				now.Replaced = d
				break
			}
		}
	}
	m.Standing[program] = now
	return true
}

// previous is the release to go back to from the one that runs: what that replaced, and else what the node
// ran before.
func (m *Memory) previous(program string, now release.Digest) release.Digest {
	if s := m.Standing[program]; s.Release == now && s.Replaced != "" {
		return s.Replaced
	}
	for _, d := range m.Ran[program] {
		if d != now {
			return d
		}
	}
	return ""
}
