package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// silence is how old a node's counters may be with which a stage passes.
const silence = 30 * time.Second

// lacks is which evidence a stage lacks; "" is none.
func (m *move) lacks() string {
	stage := m.stage()
	if m.p.ofTow() {
		return ""
	}
	if text := m.silent(); text != "" {
		return text
	}
	if m.s.From == "" {
		return "" // nobody asks for what was never there
	}
	test, onebox := m.s.Test, stage.Kind == Onebox
	if got := test.Requests.Candidate - m.s.Answered; got < stage.Requests && !(onebox && test.ByReplay()) {
		return fmt.Sprintf("%d requests that the candidate answers in %s", stage.Requests, stage.Name)
	}
	if !onebox || test.Decision() == verdict.Pass {
		return ""
	}
	replay := ", or a replay (tow deploy replay " + m.p.ID + ", with --generated where nobody asks)"
	for _, w := range test.Verdict().Ways {
		switch {
		case w.How != "": // it passes
		case !w.Unknown:
			return "evidence that it is not worse: more requests" + replay
		}
	}
	return "answers of the release that runs, some thousand of a view, to know what is slow" + replay
}

// silent says which nodes' counters are missing, if they are more than may be away at once: of
// those that shall run the candidate, and of those that it is compared with; "" is none.
func (m *move) silent() string {
	onebox := m.stage().Kind == Onebox && m.s.From != ""
	var candidate, control []string
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		n := m.w.Nodes[name]
		i := m.w.Intents[n.Cell]
		if i == nil || !m.p.counts(n) {
			continue
		}
		switch role := i.RoleOf(name); {
		case onebox && name != m.s.Onebox: // it is compared with itself
		case onebox:
			candidate, control = []string{name}, []string{name}
		case role.Main == m.p.Release:
			candidate = append(candidate, name)
		case role.Main == m.s.From:
			control = append(control, name)
		}
	}
	if text := m.unheard(candidate, m.p.Release); text != "" {
		return "counters of the candidate, " + text
	}
	if !m.compares() {
		return ""
	}
	if text := m.unheard(control, m.s.From); text != "" {
		return "counters of the release that runs, " + text
	}
	return ""
}

// unheard names nodes whose counters of a release are missing, if that are too many.
func (m *move) unheard(names []string, d release.Digest) string {
	var quiet []string
	for _, name := range names {
		if ago, ok := m.w.Heard[source{name, d}]; !ok || ago > silence {
			quiet = append(quiet, name)
		}
	}
	may := max(1, int(m.unavailable()*float64(len(names))))
	switch {
	case len(names) == 0:
		return "which no node runs now"
	case len(quiet) < len(names) && len(quiet) <= may:
		return ""
	case len(m.w.Unasked) == 0:
		return fmt.Sprintf("which %s did not hand over of late", some(quiet))
	}
	return fmt.Sprintf("which %s did not hand over of late, while the control nodes at %s cannot be asked", some(quiet), strings.Join(m.w.Unasked, ", "))
}

// compares reports whether a node that is attached is still to run the release that ran
// before. Where a fleet is small, a wave may be all of it.
func (m *move) compares() bool {
	return m.s.From != "" && slices.ContainsFunc(m.w.attached(), func(name string) bool {
		i := m.w.Intents[m.w.Nodes[name].Cell]
		return i != nil && i.RoleOf(name).Main == m.s.From
	})
}
