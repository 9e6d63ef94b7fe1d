package fleet

import (
	"encoding/json"
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

// Believe notes admissions that somebody else remembers, whom the node believes.
func (s *Stock) Believe(more release.Admitted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	admitted, err := s.admitted()
	if err != nil {
		return err
	}
	return s.Disk.Note(admittedNote, encode(admitted.With(more...)))
}

// admitted is what was admitted before; the caller holds mu.
func (s *Stock) admitted() (release.Admitted, error) {
	var admitted release.Admitted
	text, err := s.Disk.Noted(admittedNote)
	if err == nil {
		err = json.Unmarshal(text, &admitted)
	}
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("what was admitted before: %w", err)
	}
	return admitted, nil
}
