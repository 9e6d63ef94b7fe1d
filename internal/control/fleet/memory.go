package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
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
	// Standing is what runs where nothing is on trial, and what it replaced, by program.
	Standing map[string]Standing `json:"standing,omitempty"`
	// Tries are how the node has got on with releases, by program.
	Tries map[string]map[release.Digest]*Try `json:"tries,omitempty"`
	// Lost are the losses of readiness that programs saw since their deployments began.
	Lost map[string][]Loss `json:"lost,omitempty"`
	// Kills is what the kernel had killed for want of memory as the process began.
	Kills Kills `json:"kills,omitzero"`
	// Policy is the trust policy as it was heard last.
	Policy []byte `json:"policy,omitempty"`
	// Cell and Region are where the node was. Cell "": nobody noted it.
	Cell   string `json:"cell,omitempty"`
	Region string `json:"region,omitempty"`
	// Aside says what became of a memory that could not be read, where this one is in its place.
	Aside string `json:"-"`
}

// A Try is how a node has got on with a release.
type Try struct {
	Deployment string    `json:"deployment"`
	Since      time.Time `json:"since"`
	Running    bool      `json:"running,omitempty"` // begun, and not ended in good order
	Deaths     int       `json:"deaths,omitempty"`  // of the process, that are counted against it
	// Starved is at how many of these deaths the kernel had killed something for want of memory,
	// and Killed what it was at the last of them.
	Starved int    `json:"starved,omitempty"`
	Killed  string `json:"killed,omitempty"`
	Lost    int    `json:"lost,omitempty"` // losses of readiness that are counted against it
	// Settled: it ran for long enough, so that the node does not go back from it by itself. Deaths
	// are counted against it only while it is a candidate on trial: one that leaks takes its time.
	Settled bool `json:"settled,omitempty"`
	// Single is a death after that for which nothing speaks against it: of nodes enough, in time enough,
	// one always dies. It is counted with the next one.
	Single bool `json:"single,omitempty"`
}

// MostDeaths is how often a node dies while it runs a release, before it goes back.
const MostDeaths = 2

// A Keeper keeps a Memory where the end of the process does not reach it.
type Keeper interface {
	// Load gives what was saved last, and an empty Memory if nothing was. One that is damaged is put
	// aside, and the Memory that is empty in its place says so; an error may pass.
	Load() (*Memory, error)
	Save(*Memory) error
}

// DecodeMemory reads a memory as JSON; of nothing it is empty. The name is for errors.
func DecodeMemory(name string, text []byte) (*Memory, error) {
	m := newMemory()
	if len(text) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w)", name, err)
	}
	maps.DeleteFunc(m.Intents, func(_ string, i *Intent) bool { return i == nil })
	for _, tries := range m.Tries {
		maps.DeleteFunc(tries, func(_ release.Digest, t *Try) bool { return t == nil })
	}
	return m, nil
}

func newMemory() *Memory {
	return &Memory{Intents: map[string]*Intent{}, Ran: map[string][]release.Digest{}, Standing: map[string]Standing{}, Tries: map[string]map[release.Digest]*Try{}, Lost: map[string][]Loss{}}
}

// ofProgram is what a memory has of how a program got on.
type ofProgram struct {
	ran   []release.Digest
	tries map[release.Digest]*Try
}

// of is a copy of it.
func (m *Memory) of(program string) ofProgram {
	tries := map[release.Digest]*Try{}
	for d, t := range m.Tries[program] {
		try := *t
		tries[d] = &try
	}
	return ofProgram{slices.Clone(m.Ran[program]), tries}
}

// put has it be as it was.
func (m *Memory) put(program string, was ofProgram) {
	m.Ran[program], m.Tries[program] = was.ran, was.tries
	if len(was.ran) == 0 {
		delete(m.Ran, program)
	}
	if len(was.tries) == 0 {
		delete(m.Tries, program)
	}
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

// suspect is the release of a program against which it is counted what befalls the process: of
// those that run and are not settled, or are on trial, the one that was begun last, and of two
// that were begun at once the candidate. It is nil where there is none.
func (m *Memory) suspect(program string) (of release.Digest, last *Try) {
	intent := cmp.Or(m.Intents[program], &Intent{})
	for d, t := range m.Tries[program] {
		if t.Running && intent.counts(d, t) && (last == nil || t.Since.After(last.Since) || t.Since.Equal(last.Since) && d == intent.Candidate) {
			of, last = d, t
		}
	}
	return of, last
}

// died notes that the process has ended as it ran something of a program, if that was not in
// good order, and gives what there is against releases since then. Killed is what the kernel
// killed meanwhile for want of memory; "" is nothing.
func (m *Memory) died(program, killed string) map[release.Digest]*Try {
	intent := cmp.Or(m.Intents[program], &Intent{})
	_, last := m.suspect(program)
	m.ended(program)
	if last != nil {
		last.died(killed)
	}
	against := map[release.Digest]*Try{}
	for d, t := range m.Tries[program] {
		// What was tried for an earlier deployment may be tried again.
		if t.against() && intent.counts(d, t) && (t == last || t.Deployment == intent.Deployment) {
			against[d] = t
		}
	}
	return against
}

// died counts a death of the process. Of what had run for long enough one counts if the kernel had killed
// something for want of memory, or it is the second one here.
func (t *Try) died(killed string) {
	switch {
	case killed != "":
		t.Starved++
		t.Killed = killed
	case t.Settled && t.Deaths == 0 && !t.Single:
		t.Single = true
		return
	}
	t.Deaths++
	if t.Single {
		t.Deaths++
		t.Single = false
	}
}

// counts reports whether what befalls the process is counted against a release.
func (i *Intent) counts(d release.Digest, t *Try) bool { return !t.Settled || d == i.Candidate }

// ended notes that the process has ended for a reason that is no release's.
func (m *Memory) ended(program string) {
	for _, t := range m.Tries[program] {
		t.Running = false
	}
}

// against reports whether there is something against the release.
func (t *Try) against() bool { return t.Deaths > 0 || t.Lost > 0 }

// lost notes a loss of readiness, and what it is counted against; "" is nothing.
func (m *Memory) lost(program string, against release.Digest, now time.Time) {
	all := append(m.Lost[program], Loss{At: now.UTC().Truncate(time.Second), Release: against})
	m.Lost[program] = slices.Clone(all[max(0, len(all)-mostLosses):])
}

// try notes that a release is about to run, and reports whether it is to be watched.
func (m *Memory) try(program, deployment string, d release.Digest, now time.Time) bool {
	tries := m.Tries[program]
	if tries == nil {
		tries = map[release.Digest]*Try{}
		m.Tries[program] = tries
	}
	t := tries[d]
	if t == nil || t.Deployment != deployment { // which counts anew
		t = &Try{Deployment: deployment, Settled: t != nil && t.Settled}
		tries[d] = t
	}
	t.Running, t.Since = true, now
	return !t.Settled
}

// needed is every release of a program that may be needed again: what runs, what ran
// before, what is or may be intended, and what that replaced.
func (m *Memory) needed(program string) []release.Digest {
	all := append(slices.Clone(m.Ran[program]), m.Standing[program].Replaced)
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
