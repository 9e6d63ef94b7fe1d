package cluster

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// clusterOf reads a cluster from a line: a name for each member, and behind it * who leads,
// ^ a learner, - down, ~ apart, ? not started, % hidden, +N so many entries behind,
// =N/M so many of M MiB in use, !NOSPACE an alarm. A first word "none" is a cluster without
// a majority, "RATE/s" how much is written.
func clusterOf(line string) *Observed {
	o := &Observed{Majority: true, Measured: true, Rate: 10, Revision: 1000, Compacted: 1}
	for i, word := range strings.Fields(line) {
		if word == "none" {
			o.Majority, o.NoMajority = false, "no leader"
			continue
		}
		if rate, ok := strings.CutSuffix(word, "/s"); ok {
			o.Rate, _ = strconv.ParseFloat(rate, 64)
			continue
		}
		end := strings.IndexAny(word, "*^-~?%+=!")
		if end < 0 {
			end = len(word)
		}
		m := Member{ID: ID(i + 1), Name: word[:end], State: Well, Size: 50 << 20, InUse: 5 << 20, Quota: 2 << 30, Applied: 1000, Version: "3.7.3"}
		m.PeerURLs, m.ClientURLs = []string{"http://" + m.Name + ":2380"}, []string{"http://" + m.Name + ":2379"}
		m.Endpoint = m.ClientURLs[0]
		for rest := word[end:]; rest != ""; {
			kind := rest[0]
			stop := strings.IndexAny(rest[1:], "*^-~?%+=!") + 1
			if stop == 0 {
				stop = len(rest)
			}
			value := rest[1:stop]
			rest = rest[stop:]
			switch kind {
			case '*':
				o.Leader = m.ID
			case '^':
				m.Learner = true
			case '-':
				m.State, m.Reason = Down, "nothing listens there"
			case '~':
				m.State, m.Reason = Apart, "no leader"
			case '?':
				m.State, m.Name, m.Version = Unstarted, "", ""
			case '%':
				m.State = Hidden
			case '+':
				m.Lag, _ = strconv.ParseUint(value, 10, 64)
			case '=':
				used, of, _ := strings.Cut(value, "/")
				m.InUse, _ = strconv.ParseInt(used, 10, 64)
				m.Size, _ = strconv.ParseInt(of, 10, 64)
				m.InUse, m.Size = m.InUse<<20, m.Size<<20
			case '!':
				o.Alarms = append(o.Alarms, Alarm{m.ID, AlarmKind(value)})
			}
		}
		o.Members = append(o.Members, m)
	}
	o.Quorum = o.count()
	return o
}

// planText is a plan on one line: its steps, with the voters well and all before and after,
// or the reasons of its refusals.
func planText(p Plan) string {
	var all []string
	for _, s := range p.Steps {
		text := strings.TrimSpace(string(s.Kind) + " " + s.Name)
		if s.Kind == StepCompact {
			text += fmt.Sprint(" ", s.Revision)
		}
		if s.Before != s.After {
			text += fmt.Sprintf(" %d/%d>%d/%d", s.Before.Well, s.Before.Voters, s.After.Well, s.After.Voters)
		}
		all = append(all, text)
	}
	for _, r := range p.Refusals {
		all = append(all, "!"+string(r.Reason))
	}
	return strings.Join(all, ", ")
}

func requestOf(line string) Request {
	words := strings.Fields(line)
	r := Request{Op: Op(words[0])}
	args := words[1:]
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch r.Op {
	case Add:
		r.With, r.Peers = arg(0), args[min(1, len(args)):]
	case Replace:
		r.Member, r.With, r.Peers = arg(0), arg(1), args[min(2, len(args)):]
	case Defrag:
		r.Members = args
	case Compact:
		if n, ok := strings.CutPrefix(arg(0), "keep="); ok {
			r.Keep, _ = strconv.ParseInt(n, 10, 64)
		} else {
			r.Revision, _ = strconv.ParseInt(arg(0), 10, 64)
		}
	default:
		r.Member = arg(0)
	}
	return r
}

// decisions are what is done, and what is refused.
var decisions = []struct{ cluster, request, want string }{
	// Adding: a learner, always.
	{"a* b c", "add d http://d:2380", "add-learner d"},
	{"a*", "add d http://d:2380", "add-learner d"},
	{"a* b c d^?", "add d http://d:2380", ""},
	{"a* b c d^", "add d http://d:2380", ""},
	{"a* b c d", "add d http://d:2380", ""},
	{"a* b c x^", "add d http://d:2380", "!in-flight"},
	{"a* b c x?", "add d http://d:2380", "!in-flight, !degraded"},
	{"a* b c-", "add d http://d:2380", "!degraded"},
	{"a* b c~", "add d http://d:2380", "!degraded"},
	{"a* b c", "add b http://d:2380", "!bad-request"},
	{"a* b c", "add d http://c:2380", "!bad-request"},
	{"a* b c", "add d https://d:2380", "!bad-request"},
	{"a* b c", "add d d:2380", "!bad-request"},
	{"a* b c", "add d=1 http://d:2380", "!bad-request"},
	{"a* b c", "add d", "!bad-request"},
	{"none a b- c-", "add d http://d:2380", "!no-majority"},
	{"a*!NOSPACE b c", "add d http://d:2380", "!alarm"},
	{"a* b!CORRUPT c", "add d http://d:2380", "!alarm"},

	// Promoting: who has learned.
	{"a* b c d^", "promote d", "promote d 3/3>4/4"},
	{"a* b c d^+900", "promote d", "promote d 3/3>4/4"},
	{"a* b c d^+2000", "promote d", "!not-caught-up"},
	{"a* b c d^-", "promote d", "!not-caught-up"},
	{"a* b c d^?", "promote http://d:2380", "!not-caught-up"},
	{"a* b c d^?", "promote d", "!no-member"},
	{"a* b c d^%", "promote d", "promote d 3/3>4/4"},
	{"a* b c d^ e^", "promote d", "!in-flight"},
	{"a* b c", "promote b", ""},
	{"a* b- c d^", "promote d", "promote d 2/3>3/4"},
	{"a*!NOSPACE b c d^", "promote d", "!alarm"},

	// Removing: not who is needed.
	{"a* b c", "remove b", "remove b 3/3>2/2"},
	{"a* b c", "remove a", "move-leader b, remove a 3/3>2/2"},
	{"a* b% c%", "remove a", "move-leader b, remove a 3/3>2/2"},
	{"a* b+5 c", "remove a", "move-leader c, remove a 3/3>2/2"},
	{"a* b c-", "remove c", "remove c 2/3>2/2"},
	{"a* b c-", "remove b", "!degraded, !loses-quorum"},
	{"a* b c d e-", "remove d", "!degraded"},
	{"a* b c d- e-", "remove e", "remove e 3/5>3/4"},
	{"a* b c d- e-", "remove c", "!degraded, !degraded, !loses-quorum"},
	{"a* b c~", "remove c", "remove c 2/3>2/2"},
	{"a* b c?", "remove http://c:2380", "remove http://c:2380 2/3>2/2"},
	{"a*", "remove a", "!loses-quorum"},
	{"a* b", "remove b", "remove b 2/2>1/1"},
	{"a* b c d^", "remove d", "remove d"},
	{"a* b- c d^", "remove d", "remove d"},
	{"a* b c d^", "remove c", "!in-flight"},
	{"a* b c", "remove x", "!no-member"},
	{"a* b b", "remove b", "!no-member"},
	{"a* b b", "remove 3", "remove b 3/3>2/2"},
	{"none a b- c-", "remove b", "!no-majority"},
	{"a* b!NOSPACE c", "remove b", "!alarm"},
	{"a* b!CORRUPT c", "remove b", "remove b 3/3>2/2, disarm b"},
	{"a*!CORRUPT b c", "remove a", "move-leader b, remove a 3/3>2/2, disarm a"},
	{"a* b!CORRUPT c", "remove c", "!alarm"},
	{"a* b!CORRUPT c-", "remove b", "!loses-quorum"},

	// Replacing: a learner first, but for one that is lost.
	{"a* b c", "replace c d http://d:2380", "add-learner d, await-start d, await-catch-up d, promote d 3/3>4/4, remove c 4/4>3/3"},
	{"a* b c", "replace a d http://d:2380", "add-learner d, await-start d, await-catch-up d, promote d 3/3>4/4, move-leader b, remove a 4/4>3/3"},
	{"a*", "replace a d http://d:2380", "add-learner d, await-start d, await-catch-up d, promote d 1/1>2/2, move-leader d, remove a 2/2>1/1"},
	{"a* b c d^?", "replace c d http://d:2380", "await-start d, await-catch-up d, promote d 3/3>4/4, remove c 4/4>3/3"},
	{"a* b c d^+5000", "replace c d http://d:2380", "await-catch-up d, promote d 3/3>4/4, remove c 4/4>3/3"},
	{"a* b c d^", "replace c d http://d:2380", "promote d 3/3>4/4, remove c 4/4>3/3"},
	{"a* b c d^%", "replace c d http://d:2380", "promote d 3/3>4/4, remove c 4/4>3/3"},
	{"a* b c d", "replace c d http://d:2380", "remove c 4/4>3/3"},
	{"a* b d", "replace c d http://d:2380", ""},
	{"a b d*", "replace d d http://d:2380", "!bad-request"},
	{"a* b c-", "replace c d http://d:2380", "remove c 2/3>2/2, add-learner d, await-start d, await-catch-up d, promote d 2/2>3/3"},
	{"a* b c- d^", "replace c d http://d:2380", "remove c 2/3>2/2, promote d 2/2>3/3"},
	{"a* b c- d", "replace c d http://d:2380", "remove c 3/4>3/3"},
	{"a* b- c", "replace c d http://d:2380", "!degraded"},
	{"a* b- c d", "replace c d http://d:2380", "!degraded"},
	{"a* b c d- e-", "replace e f http://f:2380", "!degraded"},
	{"a* b c x^", "replace c d http://d:2380", "!in-flight"},
	{"a* b c", "replace x d http://d:2380", "!no-member"},
	{"a* b d^", "replace c d http://d:2380", "!no-member"},
	{"a* b!NOSPACE c", "replace c d http://d:2380", "!alarm"},

	// Leading.
	{"a* b c", "move-leader", "move-leader b"},
	{"a* b+9 c", "move-leader", "move-leader c"},
	{"a* b- c", "move-leader", "move-leader c"},
	{"a* b c", "move-leader c", "move-leader c"},
	{"a* b c", "move-leader a", ""},
	{"a* b c-", "move-leader c", "!degraded"},
	{"a* b c d^", "move-leader d", "!bad-request"},
	{"a* b c+5000", "move-leader c", "!not-caught-up"},
	{"a*", "move-leader", "!degraded"},
	{"a b c", "move-leader", "!no-majority"},
	{"a%* b c", "move-leader", "!unreachable"},
	{"a* b!CORRUPT c", "move-leader", "!alarm"},

	// Defragmenting: one by one, the leader last and not leading.
	{"a* b c", "defrag", "defragment b, defragment c, move-leader b, defragment a"},
	{"a b* c", "defrag a b", "defragment a, move-leader a, defragment b"},
	{"a* b c", "defrag a", "move-leader b, defragment a"},
	{"a* b=95/100 c", "defrag", "defragment c, move-leader b, defragment a"},
	{"a* b=95/100 c", "defrag b", ""},
	{"a*=99/100 b=95/100 c=100/100", "defrag", ""},
	{"a*", "defrag", "defragment a"},
	{"a* b", "defrag", "defragment b, move-leader b, defragment a"},
	{"a* b c d^", "defrag d", "defragment d"},
	{"a* b c d^+5000", "defrag", "!in-flight"},
	{"a* b c-", "defrag", "!degraded, !loses-quorum, !loses-quorum"},
	{"a* b c~", "defrag a", "!degraded, !loses-quorum"},
	{"5000/s a* b c", "defrag", "!load"},
	{"a* b c%", "defrag", "!unreachable"},
	{"a* b c%", "defrag b", "defragment b"},
	{"a* b% c%", "defrag a", "move-leader b, defragment a"},
	{"a* b% c+9", "defrag a", "move-leader c, defragment a"},
	{"a* b c", "defrag x", "!no-member"},
	{"a* b c", "defrag b x", "!no-member"},
	{"a* b!CORRUPT c", "defrag", "!alarm"},
	{"a* b=100/2000!NOSPACE c=99/100", "defrag", "defragment b, defragment c, move-leader b, defragment a, disarm b"},
	{"a* b=2000/2000!NOSPACE c", "defrag c", "!nothing"},

	// Compacting.
	{"a* b c", "compact 500", "compact 500"},
	{"a* b c", "compact keep=100", "compact 900"},
	{"a* b c", "compact keep=2000", ""},
	{"a* b c", "compact 1", ""},
	{"a* b c", "compact 2000", "!bad-request"},
	{"a* b c", "compact -5", "!bad-request"},
	{"a* b!NOSPACE c", "compact 500", "compact 500"},
	{"a* b!CORRUPT c", "compact 500", "!alarm"},
	{"none a b- c-", "compact 500", "!no-majority"},
}

func TestDecide(t *testing.T) {
	for _, c := range decisions {
		plan := Decide(clusterOf(c.cluster), requestOf(c.request))
		if got := planText(plan); got != c.want {
			t.Errorf("%s: %s:\n  found    %s\n  expected %s", c.cluster, c.request, got, c.want)
		}
		for _, r := range plan.Refusals {
			if r.Text == "" || r.Next == "" {
				t.Errorf("%s: %s: %q says neither what nor what to do", c.cluster, c.request, r)
			}
		}
	}
}

// TestDecideResolved is what depends on how the request was meant at first.
func TestDecideResolved(t *testing.T) {
	for _, c := range []struct {
		name, cluster string
		request       Request
		want          string
	}{
		{"removed", "a* b", Request{Op: Remove, Member: "c", target: 9}, ""},
		{"removed, its alarm left", "a* b", Request{Op: Remove, Member: "c", target: 9}, ""},
		{"another one leads", "a b* c", Request{Op: MoveLeader, from: 1}, ""},
		{"it still leads", "a* b c", Request{Op: MoveLeader, from: 1}, "move-leader b"},
		{"the one leads", "a b* c", Request{Op: MoveLeader, Member: "b", target: 2, from: 1}, ""},
		{"one is done", "a* b c", Request{Op: Defrag, done: map[ID]bool{2: true}}, "defragment c, move-leader b, defragment a"},
		{"all but who led", "a b* c", Request{Op: Defrag, done: map[ID]bool{2: true, 3: true}}, "defragment a"},
		{"room was made", "a b*=9/100!NOSPACE c", Request{Op: Defrag, done: map[ID]bool{1: true, 2: true, 3: true}}, "disarm b"},
		{"no room was made", "a b*=1990/2000!NOSPACE c", Request{Op: Defrag, done: map[ID]bool{1: true, 2: true, 3: true}}, "!nothing"},
		{"the learner was removed", "a* b c", Request{Op: Promote, Member: "d", target: 9}, "!no-member"},
		{"the old one has gone", "a* b d", Request{Op: Replace, Member: "c", With: "d", Peers: []string{"http://d:2380"}, target: 9}, ""},
		{"not yet backed up", "a* b c", Request{Op: Compact, Revision: 500, floor: &floor{400, "the last upload"}}, "!backup"},
		{"backed up", "a* b c", Request{Op: Compact, Revision: 400, floor: &floor{400, "the last upload"}}, "compact 400"},
	} {
		if got := planText(Decide(clusterOf(c.cluster), c.request)); got != c.want {
			t.Errorf("%s:\n  found    %s\n  expected %s", c.name, got, c.want)
		}
	}

	o := clusterOf("a* b")
	o.Alarms = []Alarm{{9, Corrupt}}
	for _, r := range []Request{{Op: Remove, Member: "c", target: 9}, {Op: Remove, Member: "9"}} {
		if got := planText(Decide(o, r)); got != "disarm "+r.Member {
			t.Errorf("an alarm of one that has gone: %s", got)
		}
	}

	// A replacement whose old member was lost, and is removed: what was begun says so.
	o = clusterOf("a* b")
	r := requestOf("replace c d http://d:2380")
	if got := planText(Decide(o, r)); got != "!no-member" {
		t.Errorf("replacing who is not there: %s", got)
	}
	o.replacing = &replacing{"c", "d", []string{"http://d:2380"}}
	if got, want := planText(Decide(o, r)), "add-learner d, await-start d, await-catch-up d, promote d 2/2>3/3"; got != want {
		t.Errorf("going on with a replacement: found %s, expected %s", got, want)
	}
	o.replacing.New = "e"
	if got := planText(Decide(o, r)); got != "!no-member" {
		t.Errorf("going on with another replacement: %s", got)
	}
}

// TestDefragDuring: while a member is blocked, it does not count.
func TestDefragDuring(t *testing.T) {
	for _, c := range []struct {
		cluster string
		want    Quorum
		notes   int
	}{{"a* b c", quorum(3, 2), 0}, {"a* b c d e", quorum(5, 4), 0}, {"a*", quorum(1, 0), 1}} {
		p := Decide(clusterOf(c.cluster), Request{Op: Defrag})
		if got := p.Steps[0].During; got != c.want || len(p.Notes) != c.notes {
			t.Errorf("%s: %s; %q", c.cluster, got, p.Notes)
		}
	}
}

// anyCluster is a cluster with a majority, as it may be.
func anyCluster(r *rand.Rand) string {
	n := 1 + r.IntN(6)
	words := make([]string, n)
	leader := r.IntN(n)
	down := r.IntN((n+1)/2 + 1)
	for i := range words {
		words[i] = string(rune('a' + i))
		switch {
		case i == leader:
			words[i] += "*"
		case down > 0 && r.IntN(2) == 0:
			down--
			words[i] += []string{"-", "~", "?"}[r.IntN(3)]
		case r.IntN(8) == 0:
			words[i] += "%"
		}
		if r.IntN(4) == 0 {
			words[i] += fmt.Sprintf("+%d", r.IntN(4000))
		}
		if r.IntN(20) == 0 {
			words[i] += []string{"!NOSPACE", "!CORRUPT"}[r.IntN(2)]
		}
	}
	if r.IntN(4) == 0 {
		words = append(words, []string{"y^", "y^?", "y^-", "z^", "z^+9000"}[r.IntN(5)])
	}
	return strings.Join(words, " ")
}

func anyRequest(r *rand.Rand) string {
	who := func() string { return string(rune('a' + r.IntN(7))) }
	switch r.IntN(7) {
	case 0:
		return "add z http://z:2380"
	case 1:
		return "promote " + []string{"y", "z", who()}[r.IntN(3)]
	case 2:
		return "remove " + who()
	case 3:
		return "replace " + who() + " z http://z:2380"
	case 4:
		return strings.TrimSpace("move-leader " + []string{"", who()}[r.IntN(2)])
	case 5:
		return "defrag"
	}
	return "compact keep=10"
}

// done is a cluster after a step was done, by whoever has to.
func (o *Observed) done(s Step) *Observed {
	next := *o
	next.Members = slices.Clone(o.Members)
	next.Alarms = slices.Clone(o.Alarms)
	at := next.Member(s.Member)
	if at == nil {
		at = next.at([]string{"http://z:2380"})
	}
	switch s.Kind {
	case StepAdd:
		m := Member{ID: 99, PeerURLs: s.Peers, Learner: true, State: Unstarted, Size: 1 << 20, InUse: 1 << 20}
		next.Members = append(next.Members, m)
	case StepStart:
		at.State, at.Name, at.Lag = Well, "z", 9000
	case StepCatchUp:
		at.State, at.Lag = Well, 0
	case StepPromote:
		at.Learner = false
	case StepRemove:
		next.Members = slices.DeleteFunc(next.Members, func(m Member) bool { return m.ID == s.Member })
		if next.Leader == s.Member { // an election
			next.Leader = 0
			for _, m := range next.Members {
				if m.alive() && !m.Learner {
					next.Leader = m.ID
				}
			}
		}
	case StepLead:
		next.Leader = s.Member
	case StepDefrag:
		at.Size = at.InUse
	case StepCompact:
		next.Compacted = s.Revision
	case StepDisarm:
		next.Alarms = slices.DeleteFunc(next.Alarms, func(a Alarm) bool { return a == *s.Alarm })
	}
	next.Quorum = next.count()
	return &next
}

// TestDecideAlways: whatever the cluster is like and whatever is asked, no step loses the
// majority or adds a voter that has not learned, and a plan that is made anew after each
// step, as after a command that was killed, is what was left of it.
func TestDecideAlways(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	planned := 0
	for range 50_000 {
		line, words := anyCluster(r), anyRequest(r)
		o, request := clusterOf(line), requestOf(words)
		if o.Quorum.Spare() < 0 {
			continue
		}
		plan := Decide(o, request)
		if len(plan.Steps) > 0 {
			planned++
		}
		if err := sound(o, plan); err != nil {
			t.Fatalf("%s: %s: %s: %v", line, words, planText(plan), err)
		}
		run := &run{Runner: &Runner{}, request: request}
		run.resolve(o)
		for len(plan.Steps) > 0 {
			s := plan.Steps[0]
			if s.Kind == StepRemove && request.Op == Replace {
				o.replacing = &replacing{request.Member, request.With, request.Peers}
			}
			o = o.done(s)
			if s.Kind == StepDefrag {
				run.request.done[s.Member] = true
			}
			rest := Plan{Steps: plan.Steps[1:]}
			resumed := Decide(o, run.request)
			if kinds(resumed) != kinds(rest) {
				t.Fatalf("%s: %s: after %s it is\n  %s, expected\n  %s", line, words, s, planText(resumed), planText(rest))
			}
			if again := Decide(o, request); request.Op == Replace && kinds(again) != kinds(rest) {
				t.Fatalf("%s: %s: run again after %s it is\n  %s, expected\n  %s", line, words, s, planText(again), planText(rest))
			}
			plan = resumed
		}
	}
	if planned < 5000 {
		t.Errorf("only %d plans had steps", planned)
	}
}

var leads = regexp.MustCompile(`move-leader \w+`)

// kinds is a plan's text but for who is to lead: of several any may.
func kinds(p Plan) string { return leads.ReplaceAllString(planText(p), "move-leader") }

// sound is what holds of every plan.
func sound(o *Observed, p Plan) error {
	q := o.count()
	learners := map[string]bool{}
	for _, m := range o.Members {
		learners[m.String()] = m.Learner
	}
	leader := o.Leader
	var blocked []ID
	for _, s := range p.Steps {
		switch {
		case s.Before != q:
			return fmt.Errorf("%s: before it there are %s, expected %s", s, s.Before, q)
		case s.After.Spare() < 0:
			return fmt.Errorf("%s: after it there are %s", s, s.After)
		case s.During.Spare() < 0 && q.Voters > 2:
			return fmt.Errorf("%s: during it there are %s", s, s.During)
		case s.After.Voters > q.Voters && s.Kind != StepPromote:
			return fmt.Errorf("%s makes a voter of who is no learner", s)
		case s.Kind == StepPromote && !learners[s.Name] && !learners["http://"+s.Name+":2380"]:
			return fmt.Errorf("%s: it is no learner", s)
		case s.Kind == StepRemove && s.Member == leader && q.Well > 1 && o.Member(leader).State == Well && (&planner{o: o}).best(leader) != nil:
			return fmt.Errorf("%s while it leads", s)
		case s.Kind == StepDefrag && s.Member == leader && (&planner{o: o}).best(leader) != nil:
			return fmt.Errorf("%s while it leads", s)
		case s.Kind == StepDefrag && slices.Contains(blocked, s.Member):
			return fmt.Errorf("%s twice", s)
		}
		switch s.Kind {
		case StepAdd:
			learners[s.Name] = true
		case StepLead:
			leader = s.Member
		case StepDefrag:
			blocked = append(blocked, s.Member)
		}
		q = s.After
	}
	if len(p.Steps) > 0 && len(p.Refusals) > 0 {
		return fmt.Errorf("it is refused and has steps")
	}
	return nil
}
