package deploy

import (
	"fmt"
	"maps"
	"slices"

	"towpath.dev/internal/control/fleet"
)

// diedAtMost is how often nodes may die of a candidate, all together.
const diedAtMost = 1

// troubled is what nodes say that is against the candidate; nil is nothing.
func (m *move) troubled() *Outcome {
	died, where := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		r, ok := m.w.Nodes[name].Programs[m.p.Program]
		if !ok || r.Deployment != m.p.ID {
			continue
		}
		t := r.Trouble(m.p.Release)
		if t == nil {
			continue
		}
		switch t.Kind {
		case fleet.Fetching: // ours
		case fleet.Crashed, fleet.GaveUp:
			died += t.Count
			where = append(where, name)
		default:
			return &Outcome{Result: Returned, Blame: m.p.blame(), Why: fmt.Sprintf("the node %s cannot run it", name), Evidence: t.Text}
		}
	}
	if died <= diedAtMost {
		return m.unwell()
	}
	return &Outcome{
		Result: Returned, Blame: m.p.blame(), Why: "nodes died while they ran it",
		Evidence: fmt.Sprintf("%d deaths: %s", died, some(where)),
	}
}
