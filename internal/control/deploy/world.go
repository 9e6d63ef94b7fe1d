package deploy

import (
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// A World is what a decision is made from, beside plan and state.
type World struct {
	Head *Head
	// Busy are deployments that have begun of other programs in the environment, by program.
	Busy    map[string]string
	Nodes   map[string]*Node         // of the environment, by name
	Intents map[string]*fleet.Intent // of the program, by cell
	Freezes []Freeze
	Asks    map[AskKind]Ask
	// Counts is what nodes counted since the state was written last, and Passed how much
	// time went by, as far as this process has seen it. Heard is how long ago counters were heard
	// that are evidence, with those before them; those that are not in it never were. Unasked are
	// control nodes that could not be asked.
	Counts  []Count
	Passed  time.Duration
	Heard   map[source]time.Duration
	Unasked []string
	// Compared is how the candidate compares with what runs, where that is another release than
	// when it was asked for; nil is that nobody has looked. CompareFault is why that is not known yet.
	Compared     *Comparison
	CompareFault error
}

// A Node is a node as a controller sees it.
type Node struct {
	*fleet.Status
	Attached bool
	Away     time.Duration // for how long this process has seen that it is not attached
}

// A Count is what was counted in a window: at a share of the candidate's, so many requests
// and bad events.
type Count struct {
	Look     int64 // those of one look are parts of one window
	Share    verdict.Share
	Requests verdict.Pair
	Bad      map[string]verdict.Pair // by metric
	// Unjudged are metrics of which nobody knows whether the requests were bad.
	Unjudged []string
}

// lostAfter is when a node that is away is no longer waited for, and no longer counted as
// unavailable: its place is another's by then.
const lostAfter = 10 * time.Minute

// lost reports whether a node is not to be expected back.
func (n *Node) lost() bool { return !n.Attached && n.Away >= lostAfter }

// cells are the names of the cells that there are, in order.
func (w *World) cells() []string {
	var all []string
	for _, n := range w.Nodes {
		all = append(all, n.Cell)
	}
	for c := range w.Intents {
		all = append(all, c)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// allIn are the names of a cell's nodes, in order.
func (w *World) allIn(cell string) []string {
	var all []string
	for name, n := range w.Nodes {
		if n.Cell == cell {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// nodesIn are the names of a cell's nodes that are or may come back, in order.
func (w *World) nodesIn(cell string) []string {
	return slices.DeleteFunc(w.allIn(cell), func(name string) bool { return w.Nodes[name].lost() })
}

// lostIn are a cell's nodes if all of them are lost: then the cell may be cut off, or gone.
func (w *World) lostIn(cell string) []string {
	var all []string
	for name, n := range w.Nodes {
		switch {
		case n.Cell != cell:
		case !n.lost():
			return nil
		default:
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// attached are the names of all attached nodes, in order.
func (w *World) attached() []string {
	var all []string
	for name, n := range w.Nodes {
		if n.Attached {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// targets are the cells that a stage reaches.
func (w *World) targets(s *Stage) []string {
	if len(s.Cells)+len(s.Regions) == 0 {
		return w.cells()
	}
	regions := map[string]string{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(w.Nodes))) { // where they disagree, the first one's word
		regions[w.Nodes[name].Cell] = w.Nodes[name].Region
	}
	return slices.DeleteFunc(w.cells(), func(cell string) bool {
		if slices.Contains(s.Regions, regions[cell]) {
			return false
		}
		return !slices.ContainsFunc(s.Cells, func(pattern string) bool {
			begin, open := strings.CutSuffix(pattern, "*")
			return pattern == cell || open && strings.HasPrefix(cell, begin)
		})
	})
}

// frozen is a freeze that holds the program up; nil is none.
func (w *World) frozen(p *Plan, now time.Time) *Freeze {
	for i := range w.Freezes {
		if w.Freezes[i].holds(p.Environment, p.Program, now) {
			return &w.Freezes[i]
		}
	}
	return nil
}
