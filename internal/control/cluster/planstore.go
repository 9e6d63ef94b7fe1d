package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// rateMost is how many entries a second may be written while a member is defragmented: it
// has to catch up afterwards.
const rateMost = 1000

func (p *planner) moveLeader() {
	p.unalarmed()
	to := p.best(p.r.from, p.o.Leader)
	switch {
	case p.o.Leader == 0:
		p.refuse(NoMajority, "the members do not agree on who leads", "wait a moment, and run the command again")
	case p.r.Member != "" || p.r.target != 0:
		to = p.one(p.r.Member)
		switch {
		case to == nil || to.ID == p.o.Leader:
			return
		case to.Learner:
			p.refuse(BadRequest, to.String()+" is a learner, and learners do not lead", "name a voter: "+p.names())
		case !to.alive():
			p.refuse(Degraded, fmt.Sprintf("%s is %s (%s)", to, to.State, to.Reason), "name a member that is well, or none")
		case behind(to):
			p.refuse(NotCaughtUp, fmt.Sprintf("%s is %d entries behind the leader", to, to.Lag), "name another, or wait until it has caught up")
		}
	case p.r.from != 0 && p.o.Leader != p.r.from:
		return // another one leads
	case to == nil:
		p.refuse(Degraded, "no other member that votes is well", "start one, or let another one join")
		return
	}
	if at := p.o.Member(p.o.Leader); at != nil && at.State == Hidden {
		p.refuse(Unreachable, fmt.Sprintf("%s leads, and it can be told so on its own machine alone", at), "run the command there")
	}
	p.step(stepFor(StepLead, to), 0, 0)
}

// defrag goes through the members one by one, and through the leader last.
func (p *planner) defrag() {
	if p.o.alarm(Corrupt) {
		p.refuse(UnderAlarm, "there is an alarm CORRUPT, and this does not mend it", Mending(p.o, Corrupt))
	}
	for _, m := range p.o.down() {
		p.refuse(Degraded, fmt.Sprintf("%s is %s (%s), so that each of the others is needed", m, m.State, m.Reason), "start it, or if it is lost, replace it")
	}
	if p.o.Leader == 0 {
		p.refuse(NoMajority, "the members do not agree on who leads", "wait a moment, and run the command again")
	}
	for i := range p.o.Members {
		if m := &p.o.Members[i]; m.Learner && behind(m) {
			p.refuse(InFlight, m.String()+" is learning what there is, for which another member has to read it all", "wait until it has: \"tow cluster status --watch\" shows it")
		}
	}
	due := p.due()
	if len(due) == 0 && !p.o.alarm(NoSpace) {
		return
	}
	switch limit := cmp.Or(p.r.MaxRate, rateMost); {
	case len(due) == 0:
	case !p.o.Measured:
		p.refuse(UnderLoad, "how much is written could not be measured", "run the command again")
	case p.o.Rate > limit:
		p.refuse(UnderLoad, fmt.Sprintf("%.0f entries are written each second, and a member that is blocked for long would be behind: %.0f may be", p.o.Rate, limit), "wait for a quieter hour, or say --max-rate if you know better")
	}
	for _, m := range due {
		if m.ID == p.o.Leader && !p.r.done[m.ID] {
			p.lead(m)
		}
		voters := p.q
		p.step(stepFor(StepDefrag, m), 0, 0)
		if m.Learner {
			// It blocks nobody but itself.
			p.plan.Steps[len(p.plan.Steps)-1].During = voters
		}
	}
	p.disarm(due)
}

// due is the members that have something to give back, the leader last.
func (p *planner) due() []*Member {
	var named []*Member
	for _, ref := range p.r.Members {
		if m := p.one(ref); m != nil {
			named = append(named, m)
		}
	}
	var due []*Member
	for i := range p.o.Members {
		m := &p.o.Members[i]
		switch {
		case len(p.r.Members) > 0 && !slices.Contains(named, m), p.r.done[m.ID], m.State == Unstarted, m.State == Down, m.State == Apart:
		case m.State == Hidden:
			p.refuse(Unreachable, m.String()+" cannot be reached from here", fmt.Sprintf("run \"tow cluster defrag %s\" on its machine, and here name those that can: %s", m, p.reachable()))
		case p.gain(m):
			due = append(due, m)
		case len(named) > 0:
			p.note(fmt.Sprintf("%s has less than a tenth to give back.", m))
		}
	}
	slices.SortStableFunc(due, func(a, b *Member) int {
		return cmp.Compare(map[bool]int{true: 1}[a.ID == p.o.Leader], map[bool]int{true: 1}[b.ID == p.o.Leader])
	})
	return due
}

func (p *planner) reachable() string {
	var names []string
	for i := range p.o.Members {
		if m := &p.o.Members[i]; m.State == Well {
			names = append(names, m.String())
		}
	}
	return strings.Join(names, " ")
}

// gain reports whether a tenth of a member's file is free. What was deleted just now counts
// only after some more writes, which there are none of under NOSPACE.
func (p *planner) gain(m *Member) bool {
	return (m.Size-m.InUse)*10 >= m.Size && m.Size > 0 || p.o.alarm(NoSpace)
}

// disarm takes back NOSPACE where there is room again.
func (p *planner) disarm(due []*Member) {
	for _, a := range p.o.Alarms {
		if a.Kind != NoSpace {
			continue
		}
		name := a.Member.String()
		if m := p.o.Member(a.Member); m != nil {
			name = m.String()
			// Before it is defragmented nobody knows.
			if m.Quota > 0 && m.Size*10 > m.Quota*9 && !slices.Contains(due, m) {
				p.refuse(Nothing, fmt.Sprintf("%s has %d MiB of its %d left in use, and would reach its quota again at once", m, m.Size>>20, m.Quota>>20),
					"compact first, with \"tow cluster compact\"; delete keys; or start the members with a larger --quota-backend-bytes")
				continue
			}
		}
		p.step(Step{Kind: StepDisarm, Name: name, Alarm: &a}, 0, 0)
	}
}

// floor is how far compacting may go, and why not further.
type floor struct {
	revision int64
	why      string
}

func (p *planner) compact() {
	if p.o.alarm(Corrupt) {
		p.refuse(UnderAlarm, "there is an alarm CORRUPT, and this does not mend it", Mending(p.o, Corrupt))
	}
	to := p.r.Revision
	switch {
	case p.r.Keep < 0 || p.r.Revision < 0:
		p.refuse(BadRequest, "a revision or a number of them is above zero", "look at \"tow cluster status\", which shows the newest")
		return
	case to == 0:
		to = p.o.Revision - p.r.Keep
	case to > p.o.Revision:
		p.refuse(BadRequest, fmt.Sprintf("revision %d is not there yet", to), fmt.Sprintf("the newest is %d", p.o.Revision))
		return
	}
	if to <= p.o.Compacted || to <= 1 {
		return // it is forgotten, or there is nothing before it
	}
	if f := p.r.floor; f != nil && to > f.revision {
		p.refuse(NotBackedUp, fmt.Sprintf("revisions from %d on are in no backup yet (%s), and nothing may be forgotten from before %d", f.revision, f.why, to),
			fmt.Sprintf("wait until the backup has gone on, or say --revision %d", f.revision))
	}
	p.step(Step{Kind: StepCompact, Revision: to}, 0, 0)
	if p.o.alarm(NoSpace) {
		p.note("Next: \"tow cluster defrag\", which gives back the room and takes back the alarm.")
	}
}
