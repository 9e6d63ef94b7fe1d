package cluster

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// lagMost is how many entries a learner may be behind to be let vote: until it has them, it
// is a voter that agrees to nothing.
const lagMost = 1000

// behind reports whether a learner has to learn more before it may vote. What it has not
// applied by now of what the leader had some moments ago is counted, so that a busy leader
// can be caught up with.
func behind(m *Member) bool { return m.State == Well && m.Lag > lagMost }

func (p *planner) add() {
	p.unalarmed()
	there := p.newcomer()
	p.alone(there)
	if there != nil {
		if there.Learner {
			p.note(fmt.Sprintf("%s is a member already. Next: \"tow cluster promote %s\", once it has started.", p.r.With, p.r.With))
		}
		return
	}
	p.allWell()
	p.step(Step{Kind: StepAdd, Name: p.r.With, Peers: p.r.Peers}, 0, 0)
}

// newcomer is the member that is to be added, if it is there; what makes no sense of it is
// refused.
func (p *planner) newcomer() *Member {
	if p.r.With == "" || strings.ContainsAny(p.r.With, "=, \t\n") {
		p.refuse(BadRequest, fmt.Sprintf("%q cannot name a member", p.r.With), "name it with letters, digits and hyphens, as in etcd-4")
	}
	if len(p.r.Peers) == 0 {
		p.refuse(BadRequest, "there is no peer URL for "+p.r.With, "say where the other members will reach it, as in https://etcd-4:2380")
	}
	for _, peer := range p.r.Peers {
		p.peerURL(peer)
	}
	for _, m := range p.o.find(p.r.With) {
		if p.o.at(p.r.Peers) != m {
			p.refuse(BadRequest, fmt.Sprintf("there is a member %s already, at %s", p.r.With, strings.Join(m.PeerURLs, ", ")), "choose another name, or remove that one first")
		}
	}
	there := p.o.at(p.r.Peers)
	if there != nil && there.Name != "" && there.Name != p.r.With {
		p.refuse(BadRequest, fmt.Sprintf("the member at %s is called %s and not %s", strings.Join(p.r.Peers, ","), there.Name, p.r.With), "choose another address, or name it as it is called")
	}
	return there
}

// peerURL refuses an address that etcd would not take, or that is of another kind than the
// others'.
func (p *planner) peerURL(peer string) {
	u, err := url.Parse(peer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
		p.refuse(BadRequest, fmt.Sprintf("%q is no peer URL", peer), "expected https://HOST:PORT, as in https://etcd-4:2380")
		return
	}
	for i := range p.o.Members {
		for _, other := range p.o.Members[i].PeerURLs {
			if scheme, _, _ := strings.Cut(other, "://"); scheme != u.Scheme {
				p.refuse(BadRequest, fmt.Sprintf("%s is %s, and the others are reached by %s", peer, u.Scheme, scheme), "give it certificates as the others have, and write "+scheme+"://")
				return
			}
		}
	}
}

// allWell refuses to let one join while a voter is not well: etcd does not take it, and it
// would be one more to agree with. Some may be left out.
func (p *planner) allWell(without ...ID) {
	for _, m := range p.o.down(without...) {
		next := fmt.Sprintf("start it, or if it is lost, \"tow cluster remove %s\" first", m)
		if len(without) == 0 {
			next = fmt.Sprintf("start it, or if it is lost, \"tow cluster replace %s NAME PEER-URLS\"", m)
		}
		p.refuse(Degraded, fmt.Sprintf("%s is %s (%s), and etcd lets none join meanwhile", m, m.State, m.Reason), next)
	}
}

func (p *planner) promote() {
	p.unalarmed()
	m := p.one(p.r.Member)
	if m == nil {
		if p.r.target != 0 {
			p.refuse(NoMember, "somebody has removed "+p.r.Member, "\"tow cluster add\" adds it again")
		}
		return
	}
	p.alone(m)
	if !m.Learner {
		return // it votes
	}
	switch {
	case m.State == Unstarted:
		p.refuse(NotCaughtUp, m.String()+" has not started", "start it; \"tow cluster status\" shows when it has")
	case !m.alive():
		p.refuse(NotCaughtUp, fmt.Sprintf("%s is %s (%s)", m, m.State, m.Reason), "start it, or see what its log says")
	case behind(m):
		p.refuse(NotCaughtUp, fmt.Sprintf("%s is %d entries behind the leader, and as a voter it would hold up the others", m, m.Lag), fmt.Sprintf("wait until it is less than %d behind, as \"tow cluster status --watch\" shows", lagMost))
	}
	p.step(stepFor(StepPromote, m), 1, 1)
}

func (p *planner) remove() {
	if gone := p.gone(); gone != 0 {
		p.disarmCorrupt(gone, p.r.Member)
		return
	}
	m := p.one(p.r.Member)
	if m == nil {
		return
	}
	corrupt := p.corrupt(m)
	if !corrupt {
		p.unalarmed()
	}
	p.alone(m)
	p.take(m, corrupt)
	p.disarmCorrupt(m.ID, m.String())
}

// gone is a member that was removed, now or by a command that was killed before it took back
// its alarm; 0 is none.
func (p *planner) gone() ID {
	if p.r.target != 0 && p.o.Member(p.r.target) == nil {
		return p.r.target
	}
	for _, a := range p.o.Alarms {
		if a.Kind == Corrupt && a.Member != 0 && a.Member.String() == p.r.Member && p.o.Member(a.Member) == nil {
			return a.Member
		}
	}
	return 0
}

// disarmCorrupt takes back the alarm of a member that goes with what was wrong with it.
func (p *planner) disarmCorrupt(id ID, name string) {
	for _, a := range p.o.Alarms {
		if a.Kind == Corrupt && a.Member == id {
			p.step(Step{Kind: StepDisarm, Name: name, Alarm: &a}, 0, 0)
		}
	}
}

// corrupt reports whether removing the member mends all alarms that there are.
func (p *planner) corrupt(m *Member) bool {
	return len(p.o.Alarms) > 0 && !slices.ContainsFunc(p.o.Alarms, func(a Alarm) bool { return a.Kind != Corrupt || a.Member != m.ID })
}

// take adds the steps that remove a member.
func (p *planner) take(m *Member, corrupt bool) {
	if m.Learner {
		p.step(stepFor(StepRemove, m), 0, 0)
		return
	}
	if p.q.Voters == 1 {
		p.refuse(LosesQuorum, m.String()+" is the only voter", "let another one join first, with \"tow cluster replace\"")
		return
	}
	if !m.alive() {
		p.step(stepFor(StepRemove, m), -1, 0)
		return
	}
	if !corrupt {
		for _, other := range p.o.down(m.ID) {
			p.refuse(Degraded, fmt.Sprintf("%s is %s (%s), so that %s is needed", other, other.State, other.Reason, m),
				fmt.Sprintf("start %s first, or if it is lost, remove that one", other))
		}
	}
	p.lead(m)
	p.step(stepFor(StepRemove, m), -1, -1)
}

// replace has a member join and learn before the old one goes. One that is lost goes first:
// etcd lets none join while a voter is missing.
func (p *planner) replace() {
	p.unalarmed()
	there := p.newcomer()
	old := p.old(there)
	if len(p.plan.Refusals) > 0 {
		return
	}
	if old != nil && old == there {
		p.refuse(BadRequest, old.String()+" is at this address itself", "let the new member be at another one; or remove it, and have it join anew with an empty folder")
		return
	}
	p.alone(there, old)
	lost := old != nil && (!old.alive() || old.Learner)
	if old != nil {
		p.allWell(old.ID)
	} else {
		p.allWell()
	}
	if lost && old != nil && (there == nil || there.Learner) {
		p.take(old, false)
		old = nil
	}
	p.join(there)
	if old != nil {
		if p.best(old.ID) == nil && old.ID == p.o.Leader && old.State == Well {
			s := Step{Kind: StepLead, Name: p.r.With} // who else?
			if there != nil {
				s.Member = there.ID
			}
			p.step(s, 0, 0)
		} else {
			p.lead(old)
		}
		p.step(stepFor(StepRemove, old), -1, wellOf(old))
	}
}

// wellOf is how many well voters fewer there are without a member.
func wellOf(m *Member) int {
	if m.alive() {
		return -1
	}
	return 0
}

// old is the member to replace; nil, if it has gone already or was refused.
func (p *planner) old(there *Member) *Member {
	if p.r.target != 0 {
		return p.o.Member(p.r.target)
	}
	if len(p.o.find(p.r.Member)) == 0 {
		// It was removed by a command that was killed afterwards, if there was one.
		if r := p.o.replacing; r != nil && r.Old == p.r.Member && r.New == p.r.With && slices.Equal(r.Peers, p.r.Peers) {
			return nil
		}
		if there != nil && !there.Learner {
			p.note(fmt.Sprintf("There is no member %s, and %s votes: it is done.", p.r.Member, there))
			return nil
		}
	}
	return p.one(p.r.Member)
}

// join adds the steps that have a member join, of which some may be done.
func (p *planner) join(m *Member) {
	s := Step{Name: p.r.With}
	if m == nil {
		s.Kind, s.Peers = StepAdd, p.r.Peers
		p.step(s, 0, 0)
	} else {
		s.Member = m.ID
		if !m.Learner {
			return
		}
	}
	s.Peers = nil
	if m == nil || m.State == Unstarted || !m.alive() {
		s.Kind = StepStart
		p.step(s, 0, 0)
	}
	if m == nil || m.State != Hidden && (!m.alive() || behind(m)) { // etcd knows of a hidden one
		s.Kind = StepCatchUp
		p.step(s, 0, 0)
	}
	s.Kind = StepPromote
	p.step(s, 1, 1)
}
