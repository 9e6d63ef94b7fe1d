package deploy

import (
	"fmt"
	"slices"
	"time"

	"towpath.dev/internal/control/verdict"
)

// silence is how old counters may be with which a stage passes.
const silence = 30 * time.Second

// lacks is which evidence a stage lacks; "" is none.
func (m *move) lacks() string {
	stage := m.stage()
	if m.p.ofTow() {
		return ""
	}
	switch compares := m.compares(); {
	case compares && max(m.w.Quiet, m.w.ControlQuiet) > silence:
		return "counters of both releases, which nodes have not handed over of late"
	case m.w.Quiet > silence:
		return "counters of the candidate, which nodes have not handed over of late"
	}
	if m.s.From == "" {
		return "" // nobody asks for what was never there
	}
	if got := m.s.Test.Requests.Candidate - m.s.Answered; got < stage.Requests {
		return fmt.Sprintf("%d requests that the candidate answers in %s", stage.Requests, stage.Name)
	}
	if stage.Kind == Onebox && m.s.Test.Decision() != verdict.Pass {
		return "evidence that it is not worse: more requests, or a replay of recorded ones"
	}
	return ""
}

// compares reports whether a node that is attached is still to run the release that ran
// before. Where a fleet is small, a wave may be all of it.
func (m *move) compares() bool {
	return m.s.From != "" && slices.ContainsFunc(m.w.attached(), func(name string) bool {
		i := m.w.Intents[m.w.Nodes[name].Cell]
		return i != nil && i.RoleOf(name).Main == m.s.From
	})
}
