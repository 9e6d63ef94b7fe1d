package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"towpath.dev/election"
)

// Options say how closely a cluster is looked at. The zero value works.
type Options struct {
	// Probes is how many reads of each kind are timed, of each member. 0: 10.
	Probes int
	// Window is for how long the rate is measured at least. 0: for as long as the rest
	// takes, and not if that is too short to say.
	Window time.Duration
	// Patience bounds the wait for an answer. 0: 5 s.
	Patience time.Duration
	// Peers is TLS of the members' own port, where members are asked whether they are there
	// whose clients' port cannot be reached. nil: they are not.
	Peers *tls.Config
	// Elections is whether to look at who is elected for what, under "election/".
	Elections bool
	// Compaction is whether to find out up to which revision all is forgotten.
	Compaction bool
}

// leastWindow is the shortest time in which a rate says something.
const leastWindow = 100 * time.Millisecond

// electedMost is how many seats are shown at most.
const electedMost = 1000

// Observe looks at a cluster: at its members one by one, each at the client's endpoint that
// is its own, or where it says that clients reach it. It changes nothing. An error says
// that no member could be asked at all, or that the endpoints are not of one cluster.
func Observe(ctx context.Context, client *clientv3.Client, o Options) (*Observed, error) {
	o.Probes, o.Patience = cmp.Or(o.Probes, 10), cmp.Or(o.Patience, 5*time.Second)
	seen := &Observed{Time: time.Now(), Alarms: []Alarm{}}
	answers, err := seen.list(ctx, client, o.Patience)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(seen.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	if err := seen.askMembers(ctx, client, o, answers); err != nil {
		return nil, err
	}
	seen.conclude()
	seen.askStore(ctx, client, o)
	return seen, ctx.Err()
}

// last is 1 of a member that has no name yet, which comes last.
func last(m Member) int {
	if m.Name == "" {
		return 1
	}
	return 0
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// An answer is what one endpoint says of the members.
type answer struct {
	at       string
	header   *etcdserverpb.ResponseHeader     // whose it is; nil: nobody answers
	list     *etcdserverpb.MemberListResponse // nil of a learner, which does not say
	majority bool                             // it agrees
	err      error                            // why it does not; or why there is no answer
}

// list finds out who the members are: as the majority has them or, without one, as any member
// does. It asks each endpoint by itself, and not for its status: an etcd that was removed
// from its cluster says nonsense, and ends in a panic of that.
func (seen *Observed) list(ctx context.Context, client *clientv3.Client, patience time.Duration) ([]answer, error) {
	endpoints := client.Endpoints()
	answers := make([]answer, len(endpoints))
	var asking sync.WaitGroup
	for i, at := range endpoints {
		asking.Go(func() { answers[i] = ask(ctx, client, at, patience) })
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var best *answer
	for i := range answers {
		if a := &answers[i]; a.list != nil && (best == nil || a.majority && !best.majority) {
			best = a
		}
	}
	if best == nil {
		text := "no member of etcd answers that votes"
		for _, a := range answers {
			text += "\n  " + a.at + ": " + reasonOf(a.err)
		}
		return nil, errors.New(text)
	}
	seen.Cluster, seen.Majority = ID(best.list.Header.ClusterId), best.majority
	if !best.majority {
		seen.NoMajority = reasonOf(best.err)
	}
	for _, m := range best.list.Members {
		seen.Members = append(seen.Members, Member{
			ID: ID(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: nonNil(m.ClientURLs), Learner: m.IsLearner, State: Unstarted,
		})
	}
	return answers, nil
}

// errLearns is what a learner says to nearly all questions. Members of 3.5 put another code of
// gRPC's on it than later ones, so that the text alone tells.
var errLearns = rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner)

// ask asks one endpoint who the members are.
func ask(ctx context.Context, client *clientv3.Client, at string, patience time.Duration) answer {
	a := answer{at: at}
	var conn *grpc.ClientConn
	if conn, a.err = client.Dial(at); a.err != nil {
		return a
	}
	defer func() { _ = conn.Close() }() // says that it is closed
	members := etcdserverpb.NewClusterClient(conn)
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a.err = insist(asking, func() (err error) {
		a.list, err = members.MemberList(asking, &etcdserverpb.MemberListRequest{Linearizable: true})
		return err
	})
	switch {
	case errors.Is(rpctypes.Error(a.err), errLearns):
		if r, err := statusOf(asking, conn); err == nil { // it is a member, and so can be asked
			a.header = r.Header
		}
		return a
	case a.err == nil:
		a.majority = true
	case status.Code(a.err) == codes.Unavailable && !answered(a.err):
		return a
	default:
		asking, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		a.list, _ = members.MemberList(asking, &etcdserverpb.MemberListRequest{}) // the first error says more
	}
	a.header = a.list.GetHeader()
	return a
}

// askMembers has each member say how it is.
func (seen *Observed) askMembers(ctx context.Context, client *clientv3.Client, o Options, answers []answer) error {
	endpoints, dead, err := seen.whose(answers)
	if err != nil {
		return err
	}
	begin := time.Now()
	var probes []*probe
	for i := range seen.Members {
		if m := &seen.Members[i]; m.Name != "" {
			// First where the user says that it is, then where it says so itself.
			urls := slices.Concat(endpoints[m.ID], m.ClientURLs)
			probes = append(probes, &probe{member: m, urls: urls, dead: dead, client: client, options: o})
		}
	}
	each := func(do func(*probe)) {
		var asking sync.WaitGroup
		for _, p := range probes {
			asking.Go(func() { do(p) })
		}
		asking.Wait()
	}
	each(func(p *probe) { p.reach(ctx) })
	defer each(func(p *probe) { p.close() })
	each(func(p *probe) { p.first = p.sample })
	each(func(p *probe) { p.time(ctx) })
	if rest := o.Window - time.Since(begin); rest > 0 {
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	each(func(p *probe) { p.again(ctx) })
	seen.compare(probes)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// whose says which member answers at each of the client's endpoints, and why none does.
func (seen *Observed) whose(answers []answer) (of map[ID][]string, dead map[string]string, err error) {
	of, dead = map[ID][]string{}, map[string]string{}
	for _, a := range answers {
		h := a.header
		if h == nil {
			dead[a.at] = reasonOf(a.err)
			continue
		}
		if ID(h.ClusterId) != seen.Cluster {
			return nil, nil, fmt.Errorf("the endpoints are of two clusters: %s is of %s, and another one of %s; name those of one cluster", a.at, ID(h.ClusterId), seen.Cluster)
		}
		of[ID(h.MemberId)] = append(of[ID(h.MemberId)], a.at)
	}
	return of, dead, nil
}

// compare measures the members by what their leader had at first.
func (seen *Observed) compare(probes []*probe) {
	leader := seen.agreed()
	for _, p := range probes {
		if p.member.ID != leader || p.conn == nil {
			continue
		}
		if took := p.sample.at.Sub(p.first.at); took >= leastWindow && p.sample.index >= p.first.index {
			seen.Rate, seen.Measured = float64(p.sample.index-p.first.index)/took.Seconds(), true
		}
		for i := range seen.Members {
			if m := &seen.Members[i]; m.Endpoint != "" && m.Applied < p.first.index {
				m.Lag = p.first.index - m.Applied
			}
		}
	}
}

// agreed is the leader whom all that answer follow; 0 where they do not agree, which passes.
func (seen *Observed) agreed() ID {
	leader := ID(0)
	for _, m := range seen.Members {
		if m.Leader == 0 {
			continue
		}
		if leader != 0 && leader != m.Leader {
			return 0
		}
		leader = m.Leader
	}
	return leader
}

// conclude says of the whole what follows from its members.
func (seen *Observed) conclude() {
	alarms := map[Alarm]bool{}
	for i := range seen.Members {
		m := &seen.Members[i]
		seen.Revision = max(seen.Revision, m.Revision)
		for _, text := range m.Errors {
			if a, ok := alarmOf(text); ok {
				alarms[a] = true
			}
		}
	}
	for a := range alarms {
		seen.Alarms = append(seen.Alarms, a)
	}
	slices.SortFunc(seen.Alarms, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Member, b.Member))
	})
	seen.Quorum, seen.Leader = seen.count(), seen.agreed()
}

// askStore reads what is in the store. A user who may not read it, or a cluster that
// cannot, leaves out what it says.
func (seen *Observed) askStore(ctx context.Context, client *clientv3.Client, o Options) {
	if !seen.Majority {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	seen.Change, seen.replacing = changes(ctx, client)
	if o.Compaction {
		seen.Compacted = compacted(ctx, client, seen.Revision)
	}
	if o.Elections {
		seen.Elected = elected(ctx, election.Etcd(client))
	}
}

// elected is who holds what.
func elected(ctx context.Context, store election.Store) []Elected {
	names, err := election.Groups(ctx, store, "")
	if err != nil {
		return nil
	}
	var all []Elected
	for _, name := range names {
		group, err := election.NewGroup(store, "", name)
		if err != nil {
			continue
		}
		view, err := group.View(ctx)
		if err != nil {
			return all
		}
		for _, s := range view.Seats {
			if len(all) == electedMost {
				return all
			}
			all = append(all, Elected{name, s.Name, s.Holder, s.Candidate})
		}
	}
	return all
}

// compacted is the oldest revision that can be read. Nothing says so but reads.
func compacted(ctx context.Context, client *clientv3.Client, newest int64) int64 {
	return 1 + int64(sort.Search(int(newest-1), func(i int) bool {
		_, err := client.Get(ctx, changeKey, clientv3.WithRev(int64(i)+1), clientv3.WithCountOnly(), clientv3.WithSerializable())
		return !errors.Is(err, rpctypes.ErrCompacted)
	}))
}
