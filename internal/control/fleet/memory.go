package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"towpath.dev/internal/control/release"
)

// Memory is what an agent keeps on its disk: enough to go on, and to start again, without
// anybody's help.
type Memory struct {
	// Heard is when the intents were heard from a control node last.
	Heard   time.Time          `json:"heard"`
	Intents map[string]*Intent `json:"intents"` // by program
	// Ran are the releases that programs ran, the last one first, two at most: the one that
	// runs, and the one to go back to.
	Ran map[string][]release.Digest `json:"ran,omitempty"`
	// Tries are how the node has got on with releases, by program.
	Tries map[string]map[release.Digest]*Try `json:"tries,omitempty"`
	// Policy is the trust policy as it was heard last.
	Policy []byte `json:"policy,omitempty"`
}

// A Try is how a node has got on with a release.
type Try struct {
	Deployment string    `json:"deployment"`
	Since      time.Time `json:"since"`
	Starts     int       `json:"starts"` // begun, and not ended in good order
	// Settled: it ran for long enough, so that a death is not counted against it.
	Settled bool `json:"settled,omitempty"`
}

// MostStarts is how often a node begins to run a release, before it goes back: it has died
// as often then.
const MostStarts = 2

// A Keeper keeps a Memory where the end of the process does not reach it.
type Keeper interface {
	// Load gives what was saved last, and an empty Memory if nothing was.
	Load() (*Memory, error)
	Save(*Memory) error
}

// KeeperFile keeps a Memory in a file.
func KeeperFile(name string) Keeper { return keeperFile(name) }

type keeperFile string

func (f keeperFile) Load() (*Memory, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return newMemory(), nil
	}
	if err != nil {
		return nil, err
	}
	return DecodeMemory(string(f), text)
}

// DecodeMemory reads a memory as JSON; of nothing it is empty. The name is for errors.
func DecodeMemory(name string, text []byte) (*Memory, error) {
	m := newMemory()
	if len(text) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); delete it, and the node learns from a control node what it shall run", name, err)
	}
	return m, nil
}

func (f keeperFile) Save(m *Memory) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	t, err := os.CreateTemp(filepath.Dir(string(f)), ".new-*")
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	if err = errors.Join(err, t.Sync(), t.Close()); err == nil {
		err = os.Rename(t.Name(), string(f))
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
	return err
}

func newMemory() *Memory {
	return &Memory{Intents: map[string]*Intent{}, Ran: map[string][]release.Digest{}, Tries: map[string]map[release.Digest]*Try{}}
}

// ran notes that a program runs a release now, and forgets all but the one before.
func (m *Memory) ran(program string, d release.Digest) {
	was := m.Ran[program]
	if len(was) > 0 && was[0] == d {
		return
	}
	now := []release.Digest{d}
	if len(was) > 0 {
		now = append(now, was[0])
	}
	m.Ran[program] = now
}

// previous is the release that ran before the one that does.
func (m *Memory) previous(program string, now release.Digest) release.Digest {
	for _, d := range m.Ran[program] {
		if d != now {
			return d
		}
	}
	return ""
}

// suspect is the release that a death of the process is counted against: of those that
// are not settled the one that was begun last.
func (m *Memory) suspect(program string) (d release.Digest, t *Try) {
	for digest, try := range m.Tries[program] {
		if try.Starts > 0 && !try.Settled && (t == nil || try.Since.After(t.Since)) {
			d, t = digest, try
		}
	}
	return d, t
}

// try notes that a release is about to run, and reports whether it is to be watched.
func (m *Memory) try(program, deployment string, d release.Digest, now time.Time) bool {
	tries := m.Tries[program]
	if tries == nil {
		tries = map[release.Digest]*Try{}
		m.Tries[program] = tries
	}
	t := tries[d]
	if t == nil || !t.Settled && t.Deployment != deployment {
		t = &Try{Deployment: deployment}
		tries[d] = t
	}
	if t.Settled {
		return false
	}
	t.Starts++
	t.Since = now
	return true
}

// needed is every release of a program that may be needed again: what runs, what ran
// before, what is or may be intended.
func (m *Memory) needed(program string) []release.Digest {
	all := slices.Clone(m.Ran[program])
	if i := m.Intents[program]; i != nil {
		all = append(all, i.Release, i.Candidate)
	}
	return slices.DeleteFunc(all, func(d release.Digest) bool { return d == "" })
}

// forget drops what is known of releases that are not needed again.
func (m *Memory) forget(program string) {
	needed := m.needed(program)
	maps.DeleteFunc(m.Tries[program], func(d release.Digest, _ *Try) bool { return !slices.Contains(needed, d) })
}
