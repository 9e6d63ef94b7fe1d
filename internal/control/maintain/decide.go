package maintain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/cluster"
)

// Do is what a step does.
type Do string

// The steps.
const (
	Nothing    Do = ""
	Compact    Do = "compact"    // forget what was before a revision
	Defragment Do = "defragment" // give a member's free space back to the disk
	Move       Do = "move"       // have another member lead
	Disarm     Do = "disarm"     // take an alarm back
	Ask        Do = "ask"        // ask for the seat
)

// A Step is one thing to do.
type Step struct {
	Do       Do
	Member   cluster.ID // whose space, whose lead, whose alarm
	Name     string     // the member's, for people
	To       cluster.ID // of Move: who is to lead
	Revision int64      // of Compact
	Base     bool       // of Compact: have a base made first, which reaches back over what is forgotten
	Anyhow   bool       // of Compact: also if no base could be made
	Why      string
}

// A Note is what is to be told and not to be done: why a step waits, or what a person has
// to see to.
type Note struct {
	Alarm bool   // a person has to see to it
	About string // what it is about, of few words: notes about the same replace each other
	Text  string
}

// A Decision is what is to be done now, and what is to be told.
type Decision struct {
	Step  Step
	Notes []Note
}

func (d *Decision) wait(about, format string, args ...any) {
	d.Notes = append(d.Notes, Note{About: about, Text: fmt.Sprintf(format, args...)})
}

func (d *Decision) alarm(about, format string, args ...any) {
	d.Notes = append(d.Notes, Note{Alarm: true, About: about, Text: fmt.Sprintf(format, args...)})
}

// decide says what to do. It is pure.
func decide(b Bounds, s *Situation) Decision {
	var d Decision
	switch {
	case !s.Seen.Majority:
		d.alarm("majority", "waits, because the cluster has no majority (%s): %s", s.Seen.NoMajority, s.Seen.Quorum)
	case s.alarmed(cluster.Corrupt):
		d.corrupt(s)
	case s.full():
		d.mend(b, s)
	case s.Now.Sub(s.AskedAt) < 2*b.Turn:
		// The seat is here for that, and may be asked for by another one soon.
		d.defragment(b, s)
		d.compact(b, s)
	default:
		d.compact(b, s)
		d.defragment(b, s)
		d.askFor(s)
	}
	return d
}

// askFor asks for the seat where its holder cannot ask the backup how far it is, and would have
// all history wait, or be forgotten.
func (d *Decision) askFor(s *Situation) {
	if d.Step.Do == Nothing && s.Asks && !s.Mine && s.Held && !s.TheyAsk && s.Now.Sub(s.AskedAt) >= askAgain {
		d.Step = Step{Do: Ask, Why: "who holds it cannot ask the backup up to which revision it has everything, and this process can"}
	}
}

// corrupt leaves all as it is, as evidence and because what is right is not known.
func (d *Decision) corrupt(s *Situation) {
	var who []string
	for _, a := range s.Seen.Alarms {
		if a.Kind == cluster.Corrupt {
			who = append(who, nameOf(s.Seen, a.Member))
		}
	}
	d.alarm("corrupt", "the data of %s differs from the others' (alarm CORRUPT), and nothing is done by itself until a person has seen to it: stop what writes, take a backup, find out with \"tow cluster upgrade --check\" whose data differs from most; %s; docs/maintenance.md has it step by step",
		strings.Join(who, ", "), cluster.Mending(s.Seen, cluster.Corrupt))
}

func nameOf(seen *cluster.Observed, id cluster.ID) string {
	if m := seen.Member(id); m != nil {
		return m.String()
	}
	return "the former member " + id.String()
}

// compact forgets what is older than the history, as far as the backup has it.
func (d *Decision) compact(b Bounds, s *Situation) {
	if !s.Mine || d.Step.Do != Nothing {
		return
	}
	target, every, leap, kept := s.Past, b.compactEvery(), b.Leap, b.History
	used, of := s.inUse(b)
	if s.Last == Compact && used < b.Pressure && slices.ContainsFunc(s.reached(), func(m *cluster.Member) bool { return pays(m, b) }) {
		return // where it is due at each look, nothing else would ever be
	}
	if used >= b.Pressure {
		every, leap = hurried, 1
		if used >= b.Scarce {
			target, kept = max(s.Recent, s.Past), b.recent()
		}
		d.alarm("quota", "%s uses %.0f%% of its quota of %s: when its file has reached it, the store takes no writes; delete what is not needed, or start the members with a greater quota", of, 100*used, bytes(quotaOf(of, b)))
	}
	d.compactTo(b, s, target, every, leap, fmt.Sprintf("%s of history is kept", kept))
}

// compactTo compacts if it is time to and enough would be forgotten.
func (d *Decision) compactTo(b Bounds, s *Situation, target int64, every time.Duration, leap int64, why string) {
	base, anyhow := false, false
	used, of := s.inUse(b)
	switch behind := s.Backup && target > 0 && (s.FloorErr != nil || s.Floor < target); {
	case !behind:
	case used >= b.Scarce:
		d.alarm("floor", "the backup is behind (%s), and %.0f%% of the quota of %s is in use: history that it has not got is forgotten, after a base if one can be made; see to its uploads", floorText(s), 100*used, of)
		base, anyhow = s.Bases && s.Now.Sub(s.BasedAt) >= basedFor, true
	case used >= b.Pressure:
		d.alarm("floor", "the backup is behind (%s), and %.0f%% of the quota of %s is in use: history stays until a base has it, or %.0f%% are in use; see to its uploads", floorText(s), 100*used, of, 100*b.Scarce)
		if base = s.Bases && s.Now.Sub(s.BasedAt) >= basedFor; !base {
			return
		}
	case s.FloorErr != nil:
		d.wait("floor", "compaction waits, because the backup cannot tell up to which revision it has everything: %v", s.FloorErr)
		return
	default:
		if target-s.Compacted >= leap {
			d.wait("floor", "compaction waits at the revision %d, because the backup has not got more yet; it would be at %d", s.Floor, target)
		}
		target = s.Floor
	}
	if target-max(s.Compacted, 0) < max(leap, 1) || s.Now.Sub(s.CompactedAt) < every {
		return
	}
	d.Step = Step{Do: Compact, Revision: target, Base: base, Anyhow: anyhow, Why: why}
}

func floorText(s *Situation) string {
	if s.FloorErr != nil {
		return s.FloorErr.Error()
	}
	return fmt.Sprintf("it has everything up to the revision %d, of %d", s.Floor, s.Seen.Revision)
}

// defragment gives space back where it pays, one member at a time.
func (d *Decision) defragment(b Bounds, s *Situation) {
	var worthy []*cluster.Member
	for _, m := range s.reached() {
		if pays(m, b) {
			worthy = append(worthy, m)
		}
	}
	if len(worthy) == 0 || d.Step.Do != Nothing {
		return
	}
	if why := s.unsafe(b); why != "" {
		d.wait("defragment", "defragmentation of %s waits, because %s", names(worthy), why)
		return
	}
	switch why := s.busy(b); {
	case why != "":
		d.wait("defragment", "defragmentation of %s waits, because %s", names(worthy), why)
	default:
		d.next(b, s, worthy, b.Backoff, func(m *cluster.Member) string {
			return fmt.Sprintf("%s of %s are free", bytes(free(m)), bytes(m.Size))
		})
	}
}

// next chooses of members that need it the one to be defragmented: the leader last, and
// not before another one leads.
func (d *Decision) next(b Bounds, s *Situation, worthy []*cluster.Member, backoff time.Duration, why func(*cluster.Member) string) {
	slices.SortStableFunc(worthy, func(x, y *cluster.Member) int {
		switch {
		case s.leads(x) != s.leads(y):
			if s.leads(x) {
				return 1
			}
			return -1
		default:
			return int(min(max(free(y)-free(x), -1), 1))
		}
	})
	first := slices.IndexFunc(worthy, func(m *cluster.Member) bool { return s.Now.Sub(s.Tried[m.ID]) >= backoff })
	if first < 0 {
		m := worthy[0]
		d.wait("defragment", "defragmentation of %s waits, because it was its turn at %s, and it is left alone for %s", m, clock(s.Tried[m.ID]), backoff)
		return
	}
	m := worthy[first]
	if !s.Mine && !s.full() {
		if s.Held && s.Now.Sub(s.AskedAt) >= b.Turn {
			d.Step = Step{Do: Ask, Member: m.ID, Name: m.String(), Why: fmt.Sprintf("%s, which only this process reaches, is to be defragmented: %s", m, why(m))}
		}
		return
	}
	if !s.leads(m) {
		d.Step = Step{Do: Defragment, Member: m.ID, Name: m.String(), Why: why(m)}
		return
	}
	if s.turnOfOthers(m, b) {
		d.wait("defragment", "defragmentation of %s waits, because it leads, and those that do not have their turn first", m)
		return
	}
	if to := s.successor(m); to != nil {
		d.Step = Step{Do: Move, Member: m.ID, Name: m.String(), To: to.ID, Why: fmt.Sprintf("%s is to be defragmented, and %s can lead meanwhile", m, to)}
		return
	}
	d.Step = Step{Do: Defragment, Member: m.ID, Name: m.String(), Why: why(m) + "; it is alone, and its clients wait"}
}

// turnOfOthers reports whether members that cannot be seen from here may need to be
// defragmented as well, and should before the leader is.
func (s *Situation) turnOfOthers(leader *cluster.Member, b Bounds) bool {
	return !s.full() && s.Now.Sub(s.Pays[leader.ID]) < time.Duration(s.hidden())*b.Turn // if it is, see turn
}

// successor is who can lead in a member's place: the one that is the farthest.
func (s *Situation) successor(of *cluster.Member) *cluster.Member {
	var best *cluster.Member
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		if m.ID == of.ID || m.Learner || m.State != cluster.Well && m.State != cluster.Hidden {
			continue
		}
		if best == nil || m.Applied > best.Applied {
			best = m
		}
	}
	return best
}

// unsafe is why no member may be taken out of the others' way now; "" is that one may.
func (s *Situation) unsafe(b Bounds) string {
	if c := s.Seen.Change; c != nil {
		return fmt.Sprintf("the cluster's members are being changed (%s: %s)", c.Who, c.What)
	}
	if e := s.Unfinished; e != nil && s.Now.Sub(e.Time) < unfinishedFor {
		return fmt.Sprintf("%s began to defragment %s at %s, and has not said how it went", e.By, e.Member, clock(e.Time))
	}
	if m := s.missing(); m != nil {
		return fmt.Sprintf("%s is %s (%s)", m, m.State, m.Reason)
	}
	if s.Seen.Leader == 0 {
		return "the members do not agree on a leader"
	}
	index := uint64(0)
	for _, m := range s.Seen.Members {
		index = max(index, m.Index)
	}
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		if m.Learner {
			return fmt.Sprintf("%s is a learner, and copies what there is", m)
		}
		if m.State == cluster.Well && index-min(m.Applied, index) > b.Lag {
			return fmt.Sprintf("%s is %d entries behind, and more than %d are too many", m, index-m.Applied, b.Lag)
		}
	}
	return ""
}

// busy is why the cluster has no time for it now; "" is that it has.
func (s *Situation) busy(b Bounds) string {
	if !s.Rated {
		return "it is not known yet how much is written"
	}
	if s.Rate > b.Rate {
		return fmt.Sprintf("%.0f entries a second are written, and more than %.0f are too many", s.Rate, b.Rate)
	}
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		if m.Reads.P99 > b.Latency {
			return fmt.Sprintf("reads of %s take %s, and more than %s is too long", m, m.Reads.P99.Round(time.Millisecond), b.Latency)
		}
	}
	return ""
}

func names(members []*cluster.Member) string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.String()
	}
	return strings.Join(all, ", ")
}

// clock is a time of the day, as people read it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// bytes is a number of bytes as people read it.
func bytes(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
