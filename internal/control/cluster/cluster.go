// Package cluster looks after a cluster of etcd, Towpath's own or any other of release
// 3.5 or later, through its clients' ports alone.
//
//	observed, err := cluster.Observe(ctx, client, cluster.Options{})
//	if err != nil {
//		return err
//	}
//	for _, w := range observed.Warnings() { … }
//	plan := cluster.Decide(observed, cluster.Request{Op: cluster.Replace, Member: "etcd-2", With: "etcd-4", Peers: peers})
//	runner := &cluster.Runner{Client: client, Who: "ann@desk"}
//	err = runner.Run(ctx, request)
//
// What a cluster is like is [Observed]. What has to be done for a [Request] is a [Plan]:
// steps, and of each the majority before, while and after it is done, or refusals with
// their reasons. [Decide] is a pure function. A [Runner] observes, decides, does the first
// step, and begins anew: what was done before is seen, not remembered, so that a command
// that was killed is run again and goes on.
//
// A member is a voter or a learner. A cluster works while more than half of its voters
// reach each other, which is its majority; how many more there are than it takes is what it
// can spare.
package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// An ID is what etcd calls a member or a cluster. As text it is hexadecimal, as etcdctl
// has it.
type ID uint64

func (id ID) String() string { return strconv.FormatUint(uint64(id), 16) }

// MarshalText writes the ID in hexadecimal: JSON's numbers are too small for it.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil {
		return fmt.Errorf("%q is no ID of etcd's: expected up to 16 hexadecimal digits", text)
	}
	*id = ID(n)
	return nil
}

// Observed is a cluster as it was when it was looked at. Its JSON is stable.
type Observed struct {
	Cluster ID        `json:"cluster"`
	Time    time.Time `json:"time"`
	// Majority is whether the cluster has one: whether a read that takes it was answered.
	// Otherwise NoMajority says why not, and the members are as one of them has them.
	Majority   bool   `json:"majority"`
	NoMajority string `json:"noMajority,omitempty"`
	// Voters, those of them that are well, and how many have to be.
	Quorum  Quorum   `json:"quorum"`
	Leader  ID       `json:"leader,omitempty"` // 0: none, or not all that say agree
	Members []Member `json:"members"`          // by name, those that have not started last
	// Revision is the newest that any member has; Compacted, where it was asked for, the
	// oldest that can be read.
	Revision  int64 `json:"revision"`
	Compacted int64 `json:"compacted,omitempty"`
	// Rate is how many entries a second the leader's log grew by while it was looked at:
	// writes, and what else goes through it. Measured says whether it was.
	Rate     float64   `json:"entriesPerSecond"`
	Measured bool      `json:"measured"`
	Alarms   []Alarm   `json:"alarms"`
	Elected  []Elected `json:"elected,omitempty"`
	// Change is who changes the cluster now by a command of this package; nil is nobody.
	Change *Change `json:"change,omitempty"`

	replacing *replacing // the replacement that was begun last
}

// A State is how a member is, as far as can be seen from here.
type State string

// The states of members.
const (
	// It answers, and has its part in the majority. A learner answers.
	Well State = "well"
	// Others are told that it is there, at its port for members. Its clients' port cannot be
	// reached from here, so that no more is known.
	Hidden State = "hidden"
	// It answers, and has no leader to speak of.
	Apart State = "apart"
	// It does not answer.
	Down State = "down"
	// It was added to the cluster, and has never been there.
	Unstarted State = "unstarted"
)

// A Member is one of a cluster. What it says itself is zero while it does not answer.
type Member struct {
	ID         ID       `json:"id"`
	Name       string   `json:"name"` // "" before it has started
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	Learner    bool     `json:"learner"`

	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"`   // why it is not well
	Endpoint string `json:"endpoint,omitempty"` // where it was asked

	Version string `json:"version,omitempty"`
	Leader  ID     `json:"leader,omitempty"` // whom it follows
	Term    uint64 `json:"term,omitempty"`
	Index   uint64 `json:"index,omitempty"`   // of its log, committed
	Applied uint64 `json:"applied,omitempty"` // of that, applied
	// Lag is how many entries it has not applied of what the leader had when the cluster
	// was first looked at.
	Lag      uint64   `json:"lag"`
	Revision int64    `json:"revision,omitempty"`
	Size     int64    `json:"size,omitempty"`  // of its data's file, in bytes
	InUse    int64    `json:"inUse,omitempty"` // of that, in use
	Quota    int64    `json:"quota,omitempty"` // in bytes; 0: it does not say, before 3.6
	Errors   []string `json:"errors,omitempty"`

	Reads  Latency `json:"reads"`  // linearizable ones, which take a majority
	Status Latency `json:"status"` // answers of its own
}

// String is what people call a member.
func (m *Member) String() string {
	switch {
	case m.Name != "":
		return m.Name
	case len(m.PeerURLs) > 0:
		return m.PeerURLs[0]
	}
	return m.ID.String()
}

// alive reports whether a member has its part in what the cluster does.
func (m *Member) alive() bool { return m.State == Well || m.State == Hidden }

// Latency is how long answers took.
type Latency struct {
	N   int           `json:"n"` // answers
	P50 time.Duration `json:"p50ns"`
	P99 time.Duration `json:"p99ns"`
}

// An Alarm is what keeps a cluster from taking writes.
type Alarm struct {
	Member ID        `json:"member"`
	Kind   AlarmKind `json:"kind"`
}

// AlarmKind is etcd's name of an alarm.
type AlarmKind string

// The alarms of etcd.
const (
	NoSpace AlarmKind = "NOSPACE" // the data has reached its quota
	Corrupt AlarmKind = "CORRUPT" // a member's data differs from the others'
)

// Elected is who holds a seat of an election.
type Elected struct {
	Group     string `json:"group"`
	Seat      string `json:"seat"`
	Holder    string `json:"holder,omitempty"` // "": nobody
	Candidate string `json:"candidate,omitempty"`
}

// A Quorum is how many voters a cluster has, how many of them are well, and how many
// have to be.
type Quorum struct {
	Voters int `json:"voters"`
	Well   int `json:"well"`
	Need   int `json:"need"`
}

// quorum is of so many voters.
func quorum(voters, well int) Quorum { return Quorum{voters, well, voters/2 + 1} }

// Spare is how many voters may be lost while the cluster goes on. Below 0 it stands still.
func (q Quorum) Spare() int { return q.Well - q.Need }

func (q Quorum) String() string { return fmt.Sprintf("%d of %d, %d needed", q.Well, q.Voters, q.Need) }

// Member is the member with an ID; nil is none.
func (o *Observed) Member(id ID) *Member {
	for i := range o.Members {
		if o.Members[i].ID == id {
			return &o.Members[i]
		}
	}
	return nil
}

// find is the members that a user may mean: by name, by ID, by a peer URL.
func (o *Observed) find(ref string) []*Member {
	var found []*Member
	for i := range o.Members {
		m := &o.Members[i]
		if ref != "" && (m.Name == ref || m.ID.String() == ref || slices.Contains(m.PeerURLs, ref)) {
			found = append(found, m)
		}
	}
	return found
}

// at is the member that is reached by others at one of the URLs; nil is none.
func (o *Observed) at(peers []string) *Member {
	for i := range o.Members {
		for _, url := range peers {
			if slices.Contains(o.Members[i].PeerURLs, url) {
				return &o.Members[i]
			}
		}
	}
	return nil
}

// Joining reports whether the member at the URLs was added and has not started.
func (o *Observed) Joining(peers []string) bool {
	m := o.at(peers)
	return m != nil && m.State == Unstarted
}

// down is the voters that are not well, without those that are left out.
func (o *Observed) down(without ...ID) []*Member {
	var all []*Member
	for i := range o.Members {
		if m := &o.Members[i]; !m.Learner && !m.alive() && !slices.Contains(without, m.ID) {
			all = append(all, m)
		}
	}
	return all
}

// alarm reports whether there is an alarm of a kind.
func (o *Observed) alarm(kind AlarmKind) bool {
	return slices.ContainsFunc(o.Alarms, func(a Alarm) bool { return a.Kind == kind })
}

// count is the quorum as the members are.
func (o *Observed) count() Quorum {
	voters, well := 0, 0
	for _, m := range o.Members {
		if m.Learner {
			continue
		}
		voters++
		if m.alive() {
			well++
		}
	}
	return quorum(voters, well)
}
