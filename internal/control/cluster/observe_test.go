package cluster_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/testkit/etcd"
)

// TestObserve: all that there is to see, of members that are well, down, learning and not
// there yet.
func TestObserve(t *testing.T) {
	w := newWorld(t, 3)
	group, err := election.NewGroup(election.Etcd(w.client), "", "invoices")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := group.SetConfig(w.ctx, election.Config{Seats: 1}); err != nil {
		t.Fatal(err)
	}
	l := w.load(1)
	o, err := cluster.Observe(w.ctx, w.client, cluster.Options{Elections: true, Compaction: true, Window: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l.check()
	if !o.Majority || o.Quorum != (cluster.Quorum{Voters: 3, Well: 3, Need: 2}) || o.Member(o.Leader) == nil || o.Revision < 2 || o.Compacted != 1 || len(o.Alarms) != 0 {
		t.Errorf("%+v", o)
	}
	if !o.Measured || o.Rate <= 0 {
		t.Errorf("while there are writes, %v entries a second were measured: %v", o.Rate, o.Measured)
	}
	if len(o.Elected) != 1 || o.Elected[0] != (cluster.Elected{Group: "invoices", Seat: "0"}) {
		t.Errorf("elected: %v", o.Elected)
	}
	if names := names(o); names != "m0 m1 m2" || o.Members[0].Name != "m0" {
		t.Errorf("the members are %s, the first %s", names, o.Members[0].Name)
	}
	for _, m := range o.Members {
		if m.State != cluster.Well || m.Version == "" || m.Leader != o.Leader || m.Term == 0 || m.Index == 0 || m.Size == 0 || m.InUse == 0 || m.Quota != 2<<30 || m.Reads.N != 10 || m.Reads.P99 < m.Reads.P50 || m.Reads.P50 <= 0 || m.Status.N != 10 {
			t.Errorf("%+v", m)
		}
	}
	if w := wrong(o); len(w) != 0 {
		t.Errorf("of a cluster that is well: %v", w)
	}

	// One is down, one learns, as the test adds it, and then does not answer either.
	down, fresh := (w.Leader(t)+1)%3, w.Prepare(t)
	if err := w.run(cluster.Request{Op: cluster.Add, With: w.Name(fresh), Peers: []string{w.PeerURL(fresh)}}); err != nil {
		t.Fatal(err)
	}
	o = w.observe()
	if m := o.Members[3]; m.State != cluster.Unstarted || !m.Learner || m.Name != "" || !hasWarning(o, "unstarted") {
		t.Errorf("before it starts: %+v, %v", m, o.Warnings())
	}
	w.Join(t, fresh)
	for o = w.observe(); !hasWarning(o, "learned"); o = w.observe() {
		if w.ctx.Err() != nil {
			t.Fatalf("it never learns: %+v", o.Members[3])
		}
	}
	o, err = cluster.Observe(w.ctx, w.newClient(w.Endpoints()), cluster.Options{Probes: 2}) // the learner among them
	if err != nil {
		t.Fatal(err)
	}
	if m := o.Members[3]; m.State != cluster.Well || !m.Learner || m.Reads.N != 0 || m.Status.N == 0 {
		t.Errorf("a learner: %+v", m)
	}
	w.Stop(down)
	o = w.observe()
	if m := o.Members[down]; m.State != cluster.Down || !strings.Contains(m.Reason, "nothing listens there") || m.Endpoint != "" || !hasWarning(o, "down") {
		t.Errorf("one that was stopped: %+v", m)
	}
}

// wrong is the warnings but for those of a machine that has other things to do.
func wrong(o *cluster.Observed) []cluster.Warning {
	return slices.DeleteFunc(o.Warnings(), func(w cluster.Warning) bool { return w.Code == "slow" || w.Code == "behind" })
}

// TestObserveJSON: the names of what tow cluster status --json prints are not to change.
func TestObserveJSON(t *testing.T) {
	w := newWorld(t, 1)
	text, err := json.Marshal(w.observe())
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	keys := func(m any) string {
		var all []string
		for key := range m.(map[string]any) {
			all = append(all, key)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if got, want := keys(said), "alarms cluster entriesPerSecond leader majority measured members quorum revision time"; got != want {
		t.Errorf("found    %s\nexpected %s", got, want)
	}
	m := said["members"].([]any)[0]
	if got, want := keys(m), "applied clientURLs endpoint id inUse index lag leader learner name peerURLs quota reads revision size state status term version"; got != want {
		t.Errorf("found    %s\nexpected %s", got, want)
	}
	if got, want := keys(m.(map[string]any)["reads"]), "n p50ns p99ns"; got != want {
		t.Errorf("found    %s\nexpected %s", got, want)
	}
}

// TestObserveTwo: endpoints of two clusters are a mistake, and nobody at all is one too.
func TestObserveTwo(t *testing.T) {
	w := newWorld(t, 1)
	other := etcd.Start(t, 1)
	_, err := cluster.Observe(w.ctx, w.newClient(slices.Concat(w.Endpoints(), other.Endpoints())), cluster.Options{})
	if err == nil || !strings.Contains(err.Error(), "the endpoints are of two clusters") {
		t.Errorf("found %v", err)
	}
	nobody, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://127.0.0.1:1"}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nobody.Close() }() // says that its context has ended
	_, err = cluster.Observe(w.ctx, nobody, cluster.Options{Patience: time.Second})
	if err == nil || !strings.Contains(err.Error(), "no member of etcd answers that votes\n  http://127.0.0.1:1: nothing listens there") {
		t.Errorf("found %v", err)
	}
}
