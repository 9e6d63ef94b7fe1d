//go:build linux

package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/proof/lab"
)

// A Report is what there is to say of all runs.
type Report struct {
	Runs   int
	Causes map[string]int
	// Struck is how often each fault befell anything, and Faults how many befell each run: its own, and those
	// that befell its round.
	Struck map[string]int
	Faults []int
	// Deaths are processes of nodes that ended, by faults or by a candidate.
	Deaths int
	// During is how many runs ended while things broke, and Took how long the others took after
	// that.
	During int
	Took   []time.Duration
	// Quiet is how long runs take while nothing breaks, by cause, where that was measured.
	Quiet      map[string]time.Duration
	Violations []deploytest.Violation
}

func (r *Report) init() { r.Causes, r.Struck = map[string]int{}, map[string]int{} }

func (r *Report) add(run *run, round *tally) {
	r.Runs++
	r.Causes[run.cause.Name]++
	r.Faults = append(r.Faults, run.broke.sum()+round.sum())
	r.addRound(run.broke)
	r.Deaths += run.deaths
	if run.took <= 0 {
		r.During++
	} else {
		r.Took = append(r.Took, run.took)
	}
}

// addRound adds what befell something, once.
func (r *Report) addRound(t *tally) {
	for name, n := range t.all {
		r.Struck[name] += n
	}
}

// Count is how many violations of a kind there are.
func (r *Report) Count(kind string) (n int) {
	for _, v := range r.Violations {
		if v.Kind == kind {
			n++
		}
	}
	return n
}

// summary is the table at the end.
func (r *Report) summary(o Options) string {
	var b strings.Builder
	row := func(what string, n any) { fmt.Fprintf(&b, "%-32s %10v\n", what, n) }
	b.WriteString("\n")
	row("runs", r.Runs)
	for _, name := range slices.Sorted(maps.Keys(r.Causes)) {
		row("  "+name, r.Causes[name])
	}
	if len(r.Quiet) > 0 {
		row("each while nothing breaks", "")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Quiet)) {
		row("  "+name, r.Quiet[name].Round(100*time.Millisecond))
	}
	if len(r.Faults) > 0 {
		slices.Sort(r.Faults)
		row("faults a run, least", r.Faults[0])
		row("faults a run, median", r.Faults[len(r.Faults)/2])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Struck)) {
		row("  "+name, r.Struck[name])
	}
	row("deaths of nodes", r.Deaths)
	row("ended while things broke", r.During)
	if len(r.Took) > 0 {
		slices.Sort(r.Took)
		row("ended after that, median", r.Took[len(r.Took)/2].Round(100*time.Millisecond))
		row("ended after that, at most", r.Took[len(r.Took)-1].Round(100*time.Millisecond))
	}
	row("violations", len(r.Violations))
	for _, kind := range deploytest.Kinds() {
		row("  "+kind, r.Count(kind))
	}
	for i, v := range r.Violations {
		if i == 20 {
			fmt.Fprintf(&b, "… and %d more, in %s\n", len(r.Violations)-i, lab.ReportFile)
			break
		}
		fmt.Fprintln(&b, v)
	}
	fmt.Fprintf(&b, "logs and data: %s\nagain: %s\n", o.Dir, o.replay())
	return b.String()
}
