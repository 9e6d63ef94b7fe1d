package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/release"
)

// FromSnapshot is the memory of a node of a cell that has heard of no control node yet: it
// shall run what the snapshot says, by the policy that is in force, until it hears of one.
func FromSnapshot(s *release.Snapshot, policy *release.Policy, cell string) (*Memory, error) {
	m := newMemory()
	m.Heard = s.Time
	var cells []string
	for _, d := range s.Desired {
		cells = append(cells, d.Cell)
		if d.Cell == cell {
			m.Intents[d.Program] = &Intent{Release: d.Release} // of no deployment that anybody is told of
		}
	}
	if len(m.Intents) == 0 {
		return nil, fmt.Errorf("the snapshot of %s says nothing of the cell %s: it knows %s", s.Time.Format(time.RFC3339), cell, orNone(slices.Compact(cells)))
	}
	if e := policy.Envelope(); e != nil {
		text, err := e.Encode()
		if err != nil {
			return nil, err
		}
		m.Policy = text
	}
	return m, nil
}

func orNone(all []string) string {
	if len(all) == 0 {
		return "no cell"
	}
	return strings.Join(all, ", ")
}

// New reports whether the memory is of a node that has never heard of a control node.
func (m *Memory) New() bool { return m.Heard.IsZero() && len(m.Intents) == 0 }

// Believe is part of Objects. It notes admissions that somebody else remembers.
func (s *Stock) Believe(all release.Admitted) (more bool, err error) {
	if len(all) == 0 {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	noted, err := s.admitted()
	before := noted.With(s.believed...)
	now := before.With(all...)
	if err == nil && len(now) > len(noted) {
		err = s.Disk.Note(admittedNote, encode(now))
	}
	s.believed = nil
	if err != nil {
		s.believed = now
	}
	return len(now) > len(before), err
}

// admitted is what was noted of what was admitted before; the caller holds mu.
func (s *Stock) admitted() (release.Admitted, error) {
	text, err := s.Disk.Noted(admittedNote)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("what was admitted before: %w", err)
	}
	return release.DecodeAdmitted(text)
}
