package maintain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/cluster"
)

// mend makes room in a store that is full: history goes first, then space is given back,
// member by member, and where that was enough the alarm is taken back. There is no load to
// heed, as no writes are taken.
func (d *Decision) mend(b Bounds, s *Situation) {
	d.alarm("full", "the store is full, and takes no writes (alarm NOSPACE of %s)", fullMembers(s))
	if s.Mine || !s.Held {
		d.compactTo(b, s, s.Seen.Revision, 0, 1, "the store is full: all history goes")
		if d.Step.Do != Nothing {
			return
		}
	}
	var worthy, filled []*cluster.Member
	for _, m := range s.reached() {
		quota := quotaOf(m, b)
		switch {
		case quota == 0:
			d.alarm("quota", "%s does not say how much it may use, as etcd before 3.6 does not, so that it cannot be told when it has room: name it with --quota", m)
		case float64(m.Size) < roomy*float64(quota):
		case float64(free(m)) >= worth*float64(quota) || s.untried(m):
			worthy = append(worthy, m)
		default:
			filled = append(filled, m)
			d.alarm("keys", "%s uses %s of its quota of %s by keys that are there now, which no compaction frees: delete some, or start the members with a greater quota", m, bytes(m.InUse), bytes(quota))
		}
	}
	if turn := s.turn(b); len(worthy) > 0 && s.Now.Before(turn) {
		d.wait("mend", "defragmentation of %s waits for its turn at %s, as a store that is full elects nobody", names(worthy), clock(turn))
		return
	}
	if len(worthy) > 0 {
		if why := s.unsafe(b); why != "" {
			d.alarm("mend", "defragmentation of %s would make room, and waits, because %s", names(worthy), why)
			return
		}
		d.next(b, s, worthy, min(b.Backoff, hurried), func(m *cluster.Member) string {
			return fmt.Sprintf("the store is full, and the file of %s has %s", m, bytes(m.Size))
		})
		return
	}
	if len(filled) == 0 {
		d.disarm(b, s)
	}
}

// untried reports whether a member was not defragmented since the store is full, and since
// history was forgotten. What it says of its free space cannot be relied on: pages that are
// given up count as free after the next write, and there is none.
func (s *Situation) untried(m *cluster.Member) bool {
	tried := s.Tried[m.ID]
	return tried.Before(s.FullSince) || tried.Before(s.CompactedAt)
}

// disarm takes an alarm back that there is no reason for any more.
func (d *Decision) disarm(b Bounds, s *Situation) {
	for _, a := range s.Seen.Alarms {
		if a.Kind != cluster.NoSpace {
			continue
		}
		m := s.Seen.Member(a.Member)
		switch {
		case m == nil && s.Mine: // it was removed, and disarms nothing
			d.Step = Step{Do: Disarm, Member: a.Member, Name: nameOf(s.Seen, a.Member), Why: "it is of no member any more"}
			return
		case m == nil || !slices.Contains(s.reached(), m):
			d.wait("alarm", "the alarm of %s stays until who reaches it takes it back", nameOf(s.Seen, a.Member))
		case quotaOf(m, b) > 0:
			// Those that cannot be seen from here have had their turn, or would raise it again.
			if last := s.allTurns(b); s.Now.Before(last) {
				d.wait("disarm", "the alarm of %s stays until %s, until when the others have had their turn", m, clock(last))
				return
			}
			d.Step = Step{Do: Disarm, Member: m.ID, Name: m.String(), Why: fmt.Sprintf("it has room: its file has %s, of a quota of %s", bytes(m.Size), bytes(quotaOf(m, b)))}
			return
		}
	}
}

// turn is when this process may begin with the members that only it reaches. The seat's
// holder begins at once, the others follow in the order of their members' IDs; whose member
// leads is the last in any case.
func (s *Situation) turn(b Bounds) time.Time {
	if s.hidden() == 0 {
		return s.FullSince
	}
	var order []*cluster.Member
	for i := range s.Seen.Members {
		if m := &s.Seen.Members[i]; !m.Learner {
			order = append(order, m)
		}
	}
	slices.SortStableFunc(order, func(x, y *cluster.Member) int {
		if s.leads(x) != s.leads(y) {
			if s.leads(x) {
				return 1
			}
			return -1
		}
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	first := slices.IndexFunc(order, s.reaches)
	if first >= 0 && s.Mine && !s.leads(order[first]) {
		return s.FullSince
	}
	return s.FullSince.Add(time.Duration(max(first, 0)+1) * s.turnTime(b))
}

// allTurns is when those that cannot be seen from here have had their turns, and the last of
// them as long again.
func (s *Situation) allTurns(b Bounds) time.Time {
	if s.hidden() == 0 {
		return s.FullSince
	}
	return s.FullSince.Add(time.Duration(s.hidden()+2) * s.turnTime(b))
}

// turnTime is how long a turn is: Turn, by which processes may differ in since when the store is
// full, and as long as a member may take whose file has come to its quota. Beside turns there
// are tokens, if some were put there in time: see [cluster.TakeFull].
func (s *Situation) turnTime(b Bounds) time.Duration {
	size := int64(0)
	for i := range s.Seen.Members {
		m := &s.Seen.Members[i]
		size = max(size, m.Size, quotaOf(m, b))
	}
	return b.Turn + cluster.DefragTime(size)
}

// hidden is how many members cannot be seen from here.
func (s *Situation) hidden() int {
	n := 0
	for i := range s.Seen.Members {
		if m := &s.Seen.Members[i]; m != s.missing() && !s.reaches(m) {
			n++
		}
	}
	return n
}

func fullMembers(s *Situation) string {
	var all []string
	for _, a := range s.Seen.Alarms {
		if a.Kind == cluster.NoSpace {
			all = append(all, nameOf(s.Seen, a.Member))
		}
	}
	return strings.Join(all, ", ")
}
