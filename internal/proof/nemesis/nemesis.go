//go:build linux

// Package nemesis breaks things on purpose. What it breaks and when is drawn from a seed
// before anything runs, so that a run can be had again: as far as processes and networks
// do the same again, which they seldom do to the millisecond.
//
// There are two lanes, so that candidates and the store break at the same time, but of
// each only one thing at once.
package nemesis

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A Nemesis breaks one thing and repairs it.
type Nemesis struct {
	Name string
	// Store says that it is the store that it breaks, or the register; else candidates.
	Store bool
	// Permits says whether a leadership may overlap with the next because of it, and
	// ToAll whether that goes for all processes.
	Permits, ToAll bool

	do func(context.Context, *World, Step) error
}

// All are all of them.
var All = []Nemesis{
	{Name: "kill", do: kill},
	{Name: "stop", Permits: true, do: stop},
	{Name: "cut", do: cut},
	{Name: "deaf", do: deaf},
	{Name: "mute", do: mute},
	{Name: "slow", do: slow},
	{Name: "revoke", Permits: true, do: revoke},
	{Name: "drain", do: drain},
	{Name: "clock-fast", do: clockFast},
	{Name: "clock-slow", Permits: true, do: clockSlow},

	{Name: "kill-leader", Store: true, do: killLeader},
	// A leader of etcd that goes on after it was deposed revokes leases that its successor
	// has renewed: it takes itself for the leader while its clock ticks, and the proposal
	// is passed on (etcd issue 15247, which its fix made rarer). That is a revocation.
	{Name: "pause-leader", Store: true, Permits: true, ToAll: true, do: pauseLeader},
	{Name: "cut-leader", Store: true, do: cutLeader},
	{Name: "mute-leader", Store: true, do: muteLeader},
	{Name: "defrag", Store: true, do: defrag},
	{Name: "compact", Store: true, do: compact},
	{Name: "replace", Store: true, do: replace},
	{Name: "kill-register", Store: true, do: killRegister},
	{Name: "kill-uploader", Store: true, do: killUploader},
	{Name: "restore", Store: true, Permits: true, ToAll: true, do: restore},
	{Name: "restore-again", Store: true, Permits: true, ToAll: true, do: restoreAgain},
}

// Named are the nemeses of a list of names with commas between; "all" is all of them.
func Named(names string) ([]Nemesis, error) {
	if names == "all" {
		return All, nil
	}
	var list []Nemesis
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(All, func(n Nemesis) bool { return n.Name == name })
		switch {
		case i >= 0:
			list = append(list, All[i])
		case name != "" && name != "none":
			known := make([]string, len(All))
			for i, n := range All {
				known[i] = n.Name
			}
			return nil, fmt.Errorf("there is no nemesis %q: expected all, none, or some of %s", name, strings.Join(known, ","))
		}
	}
	return list, nil
}

// A Step is a nemesis at its time, with what was drawn for it.
type Step struct {
	Nemesis
	At   time.Duration // since the start; later where the step before takes longer
	For  time.Duration // for how long what it breaks stays broken, where that is up to it
	Pick uint32        // whom it strikes
}

// String is a line of the schedule.
func (s Step) String() string {
	return fmt.Sprintf("%8s %-14s for %-6s pick %d", s.At.Round(time.Millisecond), s.Name, s.For.Round(time.Millisecond), s.Pick)
}

// Plan draws a schedule. Each nemesis comes before any comes again.
func Plan(seed uint64, of []Nemesis, length, ttl time.Duration) []Step {
	var steps []Step
	for lane, store := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(seed, uint64(lane)))
		own := slices.DeleteFunc(slices.Clone(of), func(n Nemesis) bool { return n.Store != store })
		if len(own) == 0 {
			continue
		}
		at := ttl
		for at < length {
			rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
			for _, n := range own {
				s := Step{Nemesis: n, At: at, For: ttl/2 + time.Duration(rng.Int64N(int64(2*ttl))), Pick: rng.Uint32()}
				if s.At >= length {
					break
				}
				steps = append(steps, s)
				at += s.For + ttl/2
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return steps
}

// Permits says which nemeses permit overlaps, and whether to all.
func Permits() map[string]bool {
	permits := map[string]bool{}
	for _, n := range All {
		if n.Permits {
			permits[n.Name] = n.ToAll
		}
	}
	return permits
}
