//go:build !solo

// tow election simulate: what moves when candidates come and go.

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"towpath.dev/election"
)

func electionSimulateCommand(u *ui) *cobra.Command {
	s := &simulation{ui: u}
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Show what would move when candidates come and go",
		Long: `Spread partitions over candidates as the default policy does, and show what moves at
each event, in the order in which the flags stand. No cluster is asked.

The candidates are c01, c02, and so on. --kill and --drain take a candidate's name,
or how many of them: the first ones then.`,
		Example: "  tow election simulate --candidates 20 --seats 500 --kill 1\n" +
			"  tow election simulate --candidates 5 --seats 20 --join 1 --kill c03 --moves",
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return s.run() },
	}
	f := c.Flags()
	f.IntVar(&s.candidates, "candidates", 3, "begin with `N` candidates")
	f.IntVar(&s.seats, "seats", 12, "spread `N` partitions over them")
	for _, kind := range []struct{ name, usage string }{
		{"join", "so many join: `N`"}, {"kill", "these die: `CANDIDATE|N`"}, {"drain", "these hand over and leave: `CANDIDATE|N`"},
	} {
		f.Var(&eventFlag{s, kind.name}, kind.name, kind.usage)
	}
	f.BoolVar(&s.moves, "moves", false, "show each partition that moves")
	return c
}

// simulation is one tow election simulate.
type simulation struct {
	*ui
	candidates, seats int
	events            []simulated
	moves             bool
}

// simulated is something that happens to the candidates.
type simulated struct{ kind, who string }

// eventFlag appends to the events, so that they happen in the order of the flags.
type eventFlag struct {
	of   *simulation
	kind string
}

func (f *eventFlag) Set(who string) error {
	f.of.events = append(f.of.events, simulated{f.kind, who})
	return nil
}
func (f *eventFlag) String() string { return "" }
func (f *eventFlag) Type() string   { return "string" }

const (
	maxSimulated      = 1000 // candidates
	maxSimulatedSeats = 100_000
)

func (s *simulation) run() error {
	if s.candidates < 1 || s.candidates > maxSimulated || s.seats < 1 || s.seats > maxSimulatedSeats {
		return usage{fmt.Errorf("--candidates %d --seats %d: expected 1 to %d candidates and 1 to %d seats", s.candidates, s.seats, maxSimulated, maxSimulatedSeats), "tow election simulate"}
	}
	var partitions []string
	for i := range s.seats {
		partitions = append(partitions, fmt.Sprintf("p%05d", i))
	}
	var live []string
	next := 0
	join := func() {
		next++
		live = append(live, fmt.Sprintf("c%02d", next))
	}
	for range s.candidates {
		join()
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "EVENT\tCANDIDATES\tMOVED\tOF THEM HAD TO\tEACH HOLDS")
	held := s.assign(table, "begin", partitions, live, map[string]string{})
	for _, e := range s.events {
		before := held
		var gone []string
		if e.kind == "join" {
			n, err := strconv.Atoi(e.who)
			if err != nil || n < 1 || len(live)+n > maxSimulated {
				return usage{fmt.Errorf("--join %s: expected how many join, and no more than %d candidates in all", e.who, maxSimulated), "tow election simulate"}
			}
			for range n {
				join()
			}
		} else if n, err := strconv.Atoi(e.who); err == nil {
			if n < 1 || n >= len(live) {
				return usage{fmt.Errorf("--%s %d: there are %d candidates, and one must stay", e.kind, n, len(live)), "tow election simulate"}
			}
			gone = slices.Clone(live[:n])
		} else if slices.Contains(live, e.who) && len(live) > 1 {
			gone = []string{e.who}
		} else {
			return usage{fmt.Errorf("--%s %s: expected one of %s, and one must stay", e.kind, e.who, strings.Join(live, ", ")), "tow election simulate"}
		}
		live = slices.DeleteFunc(live, func(c string) bool { return slices.Contains(gone, c) })
		current := maps.Clone(before)
		maps.DeleteFunc(current, func(_, c string) bool { return slices.Contains(gone, c) })
		held = s.assign(table, e.kind+" "+e.who, partitions, live, current)
		if s.moves {
			for _, p := range partitions {
				if before[p] != held[p] {
					fmt.Fprintf(table, "  %s\t%s to %s\n", p, before[p], held[p])
				}
			}
		}
	}
	return table.Flush()
}

// assign spreads the partitions and prints how that went. current has those whose
// holder lives.
func (s *simulation) assign(table *tabwriter.Writer, event string, partitions, live []string, current map[string]string) map[string]string {
	candidates := make([]election.Candidate, len(live))
	for i, id := range live {
		candidates[i] = election.Candidate{ID: id}
	}
	held := election.Balanced.Assign(partitions, candidates, maps.Clone(current))
	moved, orphans := 0, len(partitions)-len(current)
	counts := map[string]int{}
	for _, p := range partitions {
		counts[held[p]]++
		if current[p] != held[p] {
			moved++
		}
	}
	all := slices.Sorted(maps.Values(counts))
	each := fmt.Sprint(all[0])
	if least, most := all[0], all[len(all)-1]; least != most {
		each = fmt.Sprintf("%d to %d", least, most)
	}
	fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", event, len(live), moved, orphans, each)
	return held
}
