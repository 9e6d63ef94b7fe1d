package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

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
	list, err := seen.list(ctx, client, o.Patience)
	if err != nil {
		return nil, err
	}
	seen.Cluster = ID(list.Header.ClusterId)
	for _, m := range list.Members {
		seen.Members = append(seen.Members, Member{
			ID: ID(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: nonNil(m.ClientURLs), Learner: m.IsLearner, State: Unstarted,
		})
	}
	slices.SortFunc(seen.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	if err := seen.askMembers(ctx, client, o); err != nil {
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

// list is the members, as the majority has them or, without one, as any member does.
func (seen *Observed) list(ctx context.Context, client *clientv3.Client, patience time.Duration) (*clientv3.MemberListResponse, error) {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := client.MemberList(asking)
	if err == nil {
		seen.Majority = true
		return list, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	seen.NoMajority = reasonOf(err)
	asking, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	if list, err = client.MemberList(asking, clientv3.WithSerializable()); err != nil {
		return nil, fmt.Errorf("no member of etcd says who the members are, asked at %s: %s", strings.Join(client.Endpoints(), ", "), reasonOf(err))
	}
	return list, nil
}

// askMembers has each member say how it is.
func (seen *Observed) askMembers(ctx context.Context, client *clientv3.Client, o Options) error {
	endpoints, dead, err := seen.whose(ctx, client, o.Patience)
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

// whose finds out which member answers at each of the client's endpoints, and why none does.
func (seen *Observed) whose(ctx context.Context, client *clientv3.Client, patience time.Duration) (of map[ID][]string, dead map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	endpoints := client.Endpoints()
	answers, faults := make([]*clientv3.StatusResponse, len(endpoints)), make([]error, len(endpoints))
	var asking sync.WaitGroup
	for i, at := range endpoints {
		asking.Go(func() { answers[i], faults[i] = client.Status(ctx, at) })
	}
	asking.Wait()
	of, dead = map[ID][]string{}, map[string]string{}
	for i, at := range endpoints {
		if faults[i] != nil {
			dead[at] = reasonOf(faults[i])
			continue
		}
		h := answers[i].Header
		if ID(h.ClusterId) != seen.Cluster {
			return nil, nil, fmt.Errorf("the endpoints are of two clusters: %s is of %s, and another one of %s; name those of one cluster", at, ID(h.ClusterId), seen.Cluster)
		}
		of[ID(h.MemberId)] = append(of[ID(h.MemberId)], at)
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

// reasonOf is what was wrong with a call, without what gRPC puts around it.
func reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	text := err.Error()
	if at := strings.LastIndex(text, "desc = "); at >= 0 {
		text = text[at+len("desc = "):]
	}
	text = strings.Trim(text, `"`)
	text = strings.TrimPrefix(text, "transport: Error while dialing: ")
	text = strings.TrimPrefix(text, "transport: authentication handshake failed: ")
	switch {
	case strings.Contains(text, "context deadline exceeded"), strings.Contains(text, "DeadlineExceeded"):
		return "no answer in time"
	case strings.Contains(text, "connection refused"):
		return "nothing listens there"
	}
	return strings.TrimPrefix(text, "etcdserver: ")
}
