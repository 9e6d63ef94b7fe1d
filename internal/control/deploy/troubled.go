package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/fleet"
)

// diedAtMost is how often nodes may die of a candidate or lose their readiness, all together.
const diedAtMost = 1

// together is how far apart losses of readiness are, at most, that are of one trouble of the
// fleet. Nodes' clocks say when they were.
const together = time.Minute

// troubled is what nodes say that is against the candidate; nil is nothing.
func (m *move) troubled() *Outcome {
	var died, starved, lost int
	var where []string
	elsewhere := m.lostElsewhere()
	for _, name := range slices.Sorted(maps.Keys(m.w.Nodes)) {
		r, ok := m.w.Nodes[name].Programs[m.p.Program]
		if !ok || r.Deployment != m.p.ID {
			continue
		}
		deaths := 0
		if t := r.Trouble(m.p.Release); t != nil {
			switch { // what is not final is ours, or counted below
			case t.Kind == fleet.Crashed, t.Kind == fleet.GaveUp:
				deaths = t.Count
				starved += t.Starved
			case t.Kind.Final():
				return &Outcome{Result: Returned, Blame: m.p.blame(), Why: fmt.Sprintf("the node %s cannot run it", name), Evidence: t.Text}
			}
		}
		losses := m.losses(r, elsewhere)
		if deaths+losses > 0 {
			where = append(where, name)
		}
		died += deaths
		lost += losses
	}
	if died+lost <= diedAtMost {
		return m.unwell()
	}
	o := &Outcome{Result: Returned, Blame: m.p.blame()}
	var evidence []string
	if died > 0 {
		o.Why = "nodes died while they ran it"
		evidence = append(evidence, amount(died, "death", "deaths"))
		if starved > 0 {
			evidence = append(evidence, fmt.Sprintf("%d for want of memory", starved))
		}
	}
	if lost > 0 {
		o.Why = "nodes were not ready while they ran it"
		evidence = append(evidence, amount(lost, "loss of readiness", "losses of readiness"))
	}
	if died > 0 && lost > 0 {
		o.Why = "nodes died, or were not ready, while they ran it"
	}
	o.Evidence = strings.Join(evidence, ", ") + ": " + some(where)
	return o
}

// losses is how often a node lost its readiness of the candidate. A loss does not count where a
// node that did not run the candidate lost its own at that time: then it is the fleet's trouble, or
// of what all of it calls. Nodes remember when, so it is no candidate's afterwards either.
func (m *move) losses(r fleet.Running, elsewhere []time.Time) int {
	n := 0
	for _, l := range r.Lost {
		if l.Release == m.p.Release && !slices.ContainsFunc(elsewhere, func(at time.Time) bool { return l.At.Sub(at).Abs() <= together }) {
			n++
		}
	}
	return n
}

// lostElsewhere is when nodes lost their readiness that did not run the candidate.
func (m *move) lostElsewhere() []time.Time {
	var all []time.Time
	for _, n := range m.w.Nodes {
		r := n.Programs[m.p.Program]
		for _, l := range r.Lost {
			if r.Deployment == m.p.ID && l.Release != m.p.Release {
				all = append(all, l.At)
			}
		}
	}
	return all
}

// amount is a number of things.
func amount(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
