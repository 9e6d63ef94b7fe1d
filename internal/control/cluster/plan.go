package cluster

import (
	"fmt"
	"slices"
)

// An Op is what a user wants.
type Op string

// What can be wanted of a cluster.
const (
	Add        Op = "add"
	Promote    Op = "promote"
	Remove     Op = "remove"
	Replace    Op = "replace"
	MoveLeader Op = "move-leader"
	Defrag     Op = "defrag"
	Compact    Op = "compact"
)

// A Request is what a user wants, in the user's words: members by name, ID or peer URL.
type Request struct {
	Op Op
	// Member is the one to promote, to remove or to replace, or that is to lead. "" is
	// any that can lead. Members are those to defragment, none is all.
	Member  string
	Members []string
	// With is the name of the member to add, or that replaces another, and Peers where
	// others will reach it.
	With  string
	Peers []string
	// Keep is how many revisions compacting leaves; or Revision is the oldest that it does.
	Keep, Revision int64
	// MaxRate is how many entries a second may be written while a member is defragmented.
	// 0: 1000.
	MaxRate float64

	// What was made of it at first, so that it means the same while the cluster changes.
	target ID          // of Member, once found
	from   ID          // who led
	done   map[ID]bool // what was defragmented
	floor  *floor      // how far compacting may go
}

// A Kind is what a step does.
type Kind string

// The kinds of steps.
const (
	StepAdd     Kind = "add-learner"
	StepStart   Kind = "await-start"
	StepCatchUp Kind = "await-catch-up"
	StepPromote Kind = "promote"
	StepRemove  Kind = "remove"
	StepLead    Kind = "move-leader"
	StepDefrag  Kind = "defragment"
	StepCompact Kind = "compact"
	StepDisarm  Kind = "disarm"
)

// A Step is one change, or one wait, and the voters before, while and after it. Only
// During may be worse than what was before, and never below what is needed, but where a
// cluster is so small that it cannot be otherwise.
type Step struct {
	Kind     Kind     `json:"kind"`
	Member   ID       `json:"member,omitempty"` // 0 of one that is not there yet
	Name     string   `json:"name,omitempty"`
	Peers    []string `json:"peers,omitempty"`    // of StepAdd
	Revision int64    `json:"revision,omitempty"` // of StepCompact
	Alarm    *Alarm   `json:"alarm,omitempty"`    // of StepDisarm
	Before   Quorum   `json:"before"`
	During   Quorum   `json:"during"`
	After    Quorum   `json:"after"`
}

// Waits reports whether the step is for somebody else to do.
func (s Step) Waits() bool { return s.Kind == StepStart || s.Kind == StepCatchUp }

func (s Step) String() string {
	switch s.Kind {
	case StepAdd:
		return "add " + s.Name + " as a learner, which does not vote"
	case StepStart:
		return "wait until " + s.Name + " has started"
	case StepCatchUp:
		return "wait until " + s.Name + " has learned what the leader knows"
	case StepPromote:
		return "let " + s.Name + " vote"
	case StepRemove:
		return "remove " + s.Name
	case StepLead:
		return "have " + s.Name + " lead"
	case StepDefrag:
		return "defragment " + s.Name + ", which answers nothing meanwhile"
	case StepCompact:
		return fmt.Sprintf("forget what was before revision %d", s.Revision)
	case StepDisarm:
		return "take back the alarm " + string(s.Alarm.Kind) + " of " + s.Name
	}
	return string(s.Kind)
}

// A Reason is why something is refused. It is stable.
type Reason string

// The reasons of refusals.
const (
	NoMajority  Reason = "no-majority"  // the cluster can agree on nothing
	NoMember    Reason = "no-member"    // nobody is called so, or several are
	BadRequest  Reason = "bad-request"  // what is wanted makes no sense
	InFlight    Reason = "in-flight"    // another change is not over
	Degraded    Reason = "degraded"     // a voter is not well, so that each of the others counts
	LosesQuorum Reason = "loses-quorum" // there would be no majority afterwards
	NotCaughtUp Reason = "not-caught-up"
	UnderAlarm  Reason = "alarm"  // what would not mend an alarm waits until it is mended
	UnderLoad   Reason = "load"   // more is written than a blocked member can take
	NotBackedUp Reason = "backup" // compacting would forget what no backup has yet
	Unreachable Reason = "unreachable"
	Nothing     Reason = "nothing" // it would change nothing for the better
)

// A Refusal is a reason, in words, and what to do.
type Refusal struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"`
	Next   string `json:"next"`
}

func (r Refusal) Error() string { return r.Text + ": " + r.Next }

// passes reports whether waiting may be all that it takes, as it is when a leader changes.
func (r Refusal) passes() bool {
	return r.Reason == NoMajority || r.Reason == Degraded || r.Reason == LosesQuorum || r.Reason == UnderLoad || r.Reason == Unreachable
}

// A Plan is what has to be done: nothing, if there are neither steps nor refusals.
type Plan struct {
	Steps    []Step    `json:"steps"`
	Refusals []Refusal `json:"refusals,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
}

// Refused is all that speaks against it; nil is nothing.
func (p Plan) Refused() error {
	if len(p.Refusals) == 0 {
		return nil
	}
	return &RefusedError{p.Refusals}
}

// A RefusedError is why a plan was not made.
type RefusedError struct{ Refusals []Refusal }

func (e *RefusedError) Error() string {
	text := "refused, as it is not safe"
	for _, r := range e.Refusals {
		text += "\n  " + r.Error()
	}
	return text
}

// Decide is what has to be done now for a request, as the cluster is. It is pure.
func Decide(o *Observed, r Request) Plan {
	p := &planner{o: o, r: r, q: o.count()}
	if !o.Majority {
		p.refuse(NoMajority, "the cluster has no majority ("+o.NoMajority+"; "+p.q.String()+")",
			"start the members that are down; if they are lost, docs/operations.md says how to restore a cluster that has lost its quorum")
	} else {
		map[Op]func(){
			Add: p.add, Promote: p.promote, Remove: p.remove, Replace: p.replace,
			MoveLeader: p.moveLeader, Defrag: p.defrag, Compact: p.compact,
		}[r.Op]()
	}
	if len(p.plan.Refusals) > 0 {
		p.plan.Steps = nil
	}
	if p.q.Voters != p.o.count().Voters && p.q.Voters%2 == 0 && len(p.plan.Steps) > 0 {
		p.note(fmt.Sprintf("Of %d voters no more may be lost than of %d.", p.q.Voters, p.q.Voters-1))
	}
	return p.plan
}

// A planner makes a plan. It keeps the quorum as it will be after the steps so far.
type planner struct {
	o    *Observed
	r    Request
	q    Quorum
	plan Plan
}

func (p *planner) refuse(reason Reason, text, next string) {
	p.plan.Refusals = append(p.plan.Refusals, Refusal{reason, text, next})
}

func (p *planner) note(text string) { p.plan.Notes = append(p.plan.Notes, text) }

// step adds a step after which there are so many voters more, and so many of them well. A
// step that would leave no majority is a refusal.
func (p *planner) step(s Step, voters, well int) {
	s.Before, s.After = p.q, quorum(p.q.Voters+voters, p.q.Well+well)
	s.During = s.After
	if s.Kind == StepDefrag {
		s.During = quorum(p.q.Voters, p.q.Well-1)
	}
	counts := voters != 0 || well != 0 || s.Kind == StepDefrag
	switch {
	case counts && (s.After.Spare() < 0 || s.During.Spare() < 0 && p.q.Voters > 2):
		p.refuse(LosesQuorum, fmt.Sprintf("to %s would leave %s", s, worse(s.During, s.After)), "have more voters well first: \"tow cluster status\" shows which are not")
	case counts && s.During.Spare() < 0:
		p.note("The cluster of " + fmt.Sprint(p.q.Voters) + " answers nothing while " + s.Name + " is defragmented, which takes about a second for each 100 MB.")
	}
	p.q = s.After
	p.plan.Steps = append(p.plan.Steps, s)
}

func worse(a, b Quorum) Quorum {
	if a.Spare() < b.Spare() {
		return a
	}
	return b
}

func stepFor(kind Kind, m *Member) Step { return Step{Kind: kind, Member: m.ID, Name: m.String()} }

// one is the member that is meant; nil was refused.
func (p *planner) one(ref string) *Member {
	if p.r.target != 0 {
		return p.o.Member(p.r.target)
	}
	found := p.o.find(ref)
	switch len(found) {
	case 1:
		return found[0]
	case 0:
		next := "its members are " + p.names()
		if waiting := p.unstarted(); waiting != nil {
			next += "; one that has not started has no name yet, and is called by its peer URL"
		}
		p.refuse(NoMember, fmt.Sprintf("the cluster has no member %q", ref), next)
	default:
		p.refuse(NoMember, fmt.Sprintf("%d members are called %q", len(found), ref), "name the one by its ID, as \"tow cluster status --json\" shows it")
	}
	return nil
}

func (p *planner) names() string {
	text := ""
	for i := range p.o.Members {
		if i > 0 {
			text += ", "
		}
		text += p.o.Members[i].String()
	}
	return text
}

func (p *planner) unstarted() *Member {
	for i := range p.o.Members {
		if p.o.Members[i].State == Unstarted {
			return &p.o.Members[i]
		}
	}
	return nil
}

// alone refuses what comes upon another change that is not over. The members that the request
// is about are none.
func (p *planner) alone(mine ...*Member) {
	for i := range p.o.Members {
		m := &p.o.Members[i]
		if slices.Contains(mine, m) {
			continue
		}
		switch {
		case m.Learner:
			p.refuse(InFlight, m.String()+" is joining: it is a learner, and one change at a time is safe",
				fmt.Sprintf("finish that with \"tow cluster promote %s\", or take it back with \"tow cluster remove %s\"", m, m))
		case m.State == Unstarted:
			p.refuse(InFlight, m.String()+" was added as a voter and has not started, so that it counts as lost",
				fmt.Sprintf("start it, or take it back with \"tow cluster remove %s\"", m))
		}
	}
}

// unalarmed refuses what does not mend an alarm that there is.
func (p *planner) unalarmed() {
	for _, kind := range []AlarmKind{NoSpace, Corrupt} {
		if p.o.alarm(kind) {
			p.refuse(UnderAlarm, "there is an alarm "+string(kind)+", and this does not mend it", Mending(p.o, kind))
		}
	}
}

// Mending is what to do about an alarm.
func Mending(o *Observed, kind AlarmKind) string {
	if kind == NoSpace {
		return "make room with \"tow cluster compact --keep 1000\" and then \"tow cluster defrag\", which takes the alarm back"
	}
	for _, a := range o.Alarms {
		switch m := o.Member(a.Member); {
		case a.Kind != Corrupt || a.Member == 0:
		case m == nil:
			return fmt.Sprintf("it is of a member that was removed: take it back with \"tow cluster remove %s\"", a.Member)
		default:
			return fmt.Sprintf("remove the member whose data differs, with \"tow cluster remove %s\", and let it join anew with an empty folder", m)
		}
	}
	return "find out whose data differs with \"etcdctl endpoint hashkv --cluster\", or restore a backup"
}

// best is who should lead of those that may: one that is known to be well, if there is one, and
// the least behind.
func (p *planner) best(without ...ID) *Member {
	var best *Member
	for i := range p.o.Members {
		m := &p.o.Members[i]
		if m.Learner || !m.alive() || behind(m) || slices.Contains(without, m.ID) {
			continue
		}
		known := m.State == Well
		if best == nil || known && best.State != Well || known == (best.State == Well) && m.Lag < best.Lag {
			best = m
		}
	}
	return best
}

// lead adds the step that has another member lead, if a given one does and others can.
func (p *planner) lead(away *Member) {
	if away.ID != p.o.Leader {
		return
	}
	switch to := p.best(away.ID); {
	case to == nil:
	case away.State == Hidden:
		p.note(away.String() + " leads, and can be told to hand over on its own machine alone: without it there is an election, for about a second.")
	default:
		p.step(stepFor(StepLead, to), 0, 0)
	}
}
