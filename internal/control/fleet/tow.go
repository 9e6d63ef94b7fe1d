package fleet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"towpath.dev/internal/control/release"
)

// Self is which tow an agent's process is, where another one may take its place.
//
// It is deployed as the program [release.Tow]. Its release is "" where nothing is deployed: then
// nodes run the tow that is installed. The process that is started is always that one, and gives
// way at once to the one that shall run ([Memory.Launch]). An agent that finds that another one
// shall run ends its Run with a [Successor].
type Self struct {
	Release   release.Digest // of the process's own executable
	Installed bool           // nobody deployed it: the process was started with it
	Platform  string         // "linux/amd64"
}

// A Successor is why Run ends: another tow is to take the process's place, once the requests
// under way have ended.
type Successor struct {
	Release release.Digest // "": the one that is installed
}

func (s *Successor) Error() string {
	if s.Release == "" {
		return "the node goes back to the tow that is installed"
	}
	return fmt.Sprintf("the node goes on with the tow %s", s.Release.Short())
}

// Launch is the release of tow that a process which begins shall run; "" is the one that is
// installed. It notes that the last one died, if it did, so that one that dies twice is not
// run again, and that another one is about to be tried: the memory is to be saved before.
// What the kernel has killed stays to be compared for the other programs, by the agent.
func (m *Memory) Launch(now time.Time, kills Kills) release.Digest {
	if kills.rebooted(m.Kills) {
		m.ended(release.Tow)
	}
	m.died(release.Tow, kills.since(m.Kills))
	intent := cmp.Or(m.Intents[release.Tow], &Intent{})
	for len(m.Ran[release.Tow]) > 0 {
		d := m.Ran[release.Tow][0]
		t := m.Tries[release.Tow][d]
		if t == nil || t.Settled || t.Deaths < MostDeaths {
			if t != nil && intent.counts(d, t) {
				t.Running, t.Since = true, now
			}
			return d
		}
		m.Ran[release.Tow] = m.Ran[release.Tow][1:]
	}
	return ""
}

// isSelf reports whether a release of tow is what the process is.
func (a *Agent) isSelf(d release.Digest) bool {
	return d == a.o.Self.Release || d == "" && a.o.Self.Installed
}

// recallSelf looks at how the node got on with releases of tow. Deaths were counted as the process
// was launched.
func (a *Agent) recallSelf() {
	intent := cmp.Or(a.memory.Intents[release.Tow], &Intent{})
	for d, t := range a.memory.Tries[release.Tow] {
		p := a.program(release.Tow)
		switch {
		case d != a.o.Self.Release:
			t.Running = false // it was to be launched, and could not be
		case t.Running:
			p.tried[d] = true
			p.settles = time.Now().Add(a.o.Settle)
		}
		if t.against() && intent.counts(d, t) && t.Deployment == intent.Deployment {
			p.troubles[d] = t.trouble(d)
		}
	}
	a.dirty = true
}

// placeSelf has the process be a release of tow: nothing is to be done if it is, and else Run
// ends.
func (a *Agent) placeSelf(d release.Digest) (now bool) {
	if !a.isSelf(d) {
		a.successor = &Successor{d}
		return false
	}
	return true
}

// inPlace is the process itself, which needs no preparation.
type inPlace struct{}

func (inPlace) Probe(context.Context) error { return nil }
func (inPlace) Close()                      {}
