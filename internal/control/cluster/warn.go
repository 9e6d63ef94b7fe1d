package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Warning is something about a cluster that somebody should do something about.
type Warning struct {
	Code   string `json:"code"` // stable
	Member ID     `json:"member,omitempty"`
	Text   string `json:"text"`
	Next   string `json:"next"`
}

// What is worth a warning.
const (
	slowRead  = 100 * time.Millisecond // a read that takes a majority
	fullOf    = 80                     // percent of the quota
	wasteMost = 64 << 20               // bytes that are free in a file, if they are half of it
)

// Warnings is what is wrong with a cluster or soon will be, and what to do, the worst
// first. It is pure.
func (o *Observed) Warnings() []Warning {
	w := &warnings{o: o, all: []Warning{}}
	w.majority()
	w.alarms()
	for i := range o.Members {
		w.member(&o.Members[i])
	}
	w.whole()
	return w.all
}

type warnings struct {
	o   *Observed
	all []Warning
}

func (w *warnings) add(code string, id ID, next, format string, args ...any) {
	w.all = append(w.all, Warning{code, id, fmt.Sprintf(format, args...), next})
}

func (w *warnings) majority() {
	q := w.o.Quorum
	switch {
	case !w.o.Majority:
		w.add("no-majority", 0, "start the members that are down; if they are lost, restore a backup: docs/operations.md, \"Lost quorum\"",
			"the cluster has no majority, and takes no writes: %s (%s)", q, w.o.NoMajority)
	case w.o.Leader == 0:
		w.add("no-leader", 0, "look again in a moment: an election takes about a second", "the members do not agree on who leads")
	case q.Spare() == 0 && q.Voters > 2:
		w.add("no-spare", 0, "have the ones below well again before anything else", "no further voter may be lost: %s", q)
	}
}

func (w *warnings) alarms() {
	for _, a := range w.o.Alarms {
		name := a.Member.String()
		if m := w.o.Member(a.Member); m != nil {
			name = m.String()
		}
		text := "the alarm " + string(a.Kind) + " of " + name + " is on"
		switch a.Kind {
		case NoSpace:
			text = name + " has reached its quota, and the cluster takes no writes (the alarm NOSPACE)"
		case Corrupt:
			text = "the data of " + name + " differs from the others', and the cluster takes no writes (the alarm CORRUPT)"
		}
		w.add("alarm-"+strings.ToLower(string(a.Kind)), a.Member, Mending(w.o, a.Kind), "%s", text)
	}
}

func (w *warnings) member(m *Member) {
	switch {
	case m.State == Unstarted && m.Learner:
		w.add("unstarted", m.ID, fmt.Sprintf("start it, or take it back with \"tow cluster remove %s\"", m), "%s was added as a learner and has not started", m)
	case m.State == Unstarted:
		w.add("unstarted", m.ID, fmt.Sprintf("start it, or take it back with \"tow cluster remove %s\"", m), "%s was added as a voter and has not started, so that it counts as lost", m)
	case m.State == Down && m.Learner:
		w.add("down", m.ID, fmt.Sprintf("start it, or take it back with \"tow cluster remove %s\"", m), "%s, a learner, does not answer: %s", m, m.Reason)
	case m.State == Down && !w.o.Majority:
		w.add("down", m.ID, "start it", "%s does not answer: %s", m, m.Reason)
	case m.State == Down:
		w.add("down", m.ID, fmt.Sprintf("start it; if it is lost, \"tow cluster replace %s NAME PEER-URLS\"", m), "%s does not answer: %s", m, m.Reason)
	case m.State == Apart && w.o.Majority: // otherwise all are
		w.add("apart", m.ID, "see whether the others can reach it at "+strings.Join(m.PeerURLs, ", "), "%s answers and has no part in the majority: %s", m, m.Reason)
	}
	if !m.alive() || m.State == Hidden {
		return
	}
	switch {
	case m.Learner && behind(m):
		w.add("learning", m.ID, "wait until it has them", "%s, a learner, is %d entries behind the leader", m, m.Lag)
	case m.Learner:
		w.add("learned", m.ID, fmt.Sprintf("let it vote with \"tow cluster promote %s\"", m), "%s is a learner, and knows what the leader does", m)
	case behind(m):
		w.add("behind", m.ID, "look at its disk and its network", "%s is %d entries behind the leader", m, m.Lag)
	}
	if m.Quota > 0 && m.Size*100 > m.Quota*fullOf && !w.o.alarm(NoSpace) {
		w.add("nearly-full", m.ID, "\"tow cluster compact\" and \"tow cluster defrag\" make room; --quota-backend-bytes allows more", "%s has %d of its %d MiB: at the quota the cluster takes no more writes", m, m.Size>>20, m.Quota>>20)
	}
	if free := m.Size - m.InUse; free > wasteMost && free*2 > m.Size {
		w.add("waste", m.ID, "\"tow cluster defrag\" gives them back", "%d MiB of the %d in the file of %s are free", free>>20, m.Size>>20, m)
	}
	if m.Reads.P50 > slowRead {
		w.add("slow", m.ID, "look at its disk and its network: etcd's metrics say which it waits for", "half of the reads at %s take %s or longer", m, m.Reads.P50.Round(time.Millisecond))
	}
	for _, text := range m.Errors {
		if _, ok := alarmOf(text); !ok {
			w.add("error", m.ID, "see what its log says", "%s says: %s", m, text)
		}
	}
}

func (w *warnings) whole() {
	versions := map[string]bool{}
	for _, m := range w.o.Members {
		if m.Version != "" {
			versions[m.Version] = true
		}
	}
	if len(versions) > 1 {
		w.add("versions", 0, "finish the upgrade: docs/cluster.md", "the members are of %s", strings.Join(slices.Sorted(maps.Keys(versions)), " and "))
	}
	if n := w.o.Quorum.Voters; n%2 == 0 && n > 0 {
		w.add("even", 0, "add one, or remove one", "of %d voters no more may be lost than of %d", n, n-1)
	}
	if c := w.o.Change; c != nil {
		w.add("change", 0, "wait until it is over", "%s changes the cluster since %s: %s", c.Who, c.Since.Local().Format(time.TimeOnly), c.What)
	}
}
