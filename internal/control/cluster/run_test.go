package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) {
	if line := replacement(); line != "" {
		replaceAsChild(line)
		return
	}
	goleak.VerifyTestMain(m, etcd.Leftovers()...)
}

// replaced replaces a member by one that is prepared, and starts that when its time has come.
func (w *world) replaced(old string, fresh int) *cutter {
	request := cluster.Request{Op: cluster.Replace, Member: old, With: w.Name(fresh), Peers: []string{w.PeerURL(fresh)}}
	c := &cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error { return r.Run(ctx, request) }}
	var joining sync.WaitGroup
	w.t.Cleanup(joining.Wait)
	started := false
	c.begun = func(e cluster.Event) {
		if e.Step.Kind != cluster.StepStart || started {
			return
		}
		started = true
		joining.Go(func() {
			if err := w.JoinContext(w.ctx, fresh); err != nil {
				w.t.Error(err)
			}
		})
	}
	return c
}

// TestReplace: under writes, a member is replaced by another, the command killed at every
// place of every step.
func TestReplace(t *testing.T) {
	for _, n := range []int{3, 5} {
		for _, who := range []string{"leader", "follower", "lost"} {
			t.Run(fmt.Sprint(n, " ", who), func(t *testing.T) {
				if testing.Short() && n > 3 {
					t.Skip("three members show it")
				}
				w := newWorld(t, n)
				old := w.Leader(t)
				kinds := []cluster.Kind{cluster.StepAdd, cluster.StepPromote, cluster.StepRemove}
				switch who {
				case "leader":
					kinds = append(kinds, cluster.StepLead)
				case "follower":
					old = (old + 1) % n
				case "lost":
					old = (old + 1) % n
					w.Stop(old)
					w.Wipe(t, old)
				}
				fresh := w.Prepare(t)
				l := w.load(2)
				c := w.replaced(w.Name(old), fresh)
				c.heard = who == "follower"
				c.throughout(kinds...)
				w.Stop(old)
				o := w.observe()
				l.check()
				w.monotone(1)
				if q := o.Quorum; q.Voters != n || q.Well != n || strings.Contains(names(o), w.Name(old)) || !strings.Contains(names(o), w.Name(fresh)) {
					t.Errorf("afterwards there are %s: %s", names(o), q)
				}
			})
		}
	}
}

// TestLead: leadership moves, the command killed at every place.
func TestLead(t *testing.T) {
	w := newWorld(t, 3)
	l := w.load(2)
	led := w.Leader(t)
	to := w.Name((led + 1) % 3)
	(&cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error {
		return r.Run(ctx, cluster.Request{Op: cluster.MoveLeader, Member: to})
	}}).throughout(cluster.StepLead)
	if got := w.observe(); got.Member(got.Leader).Name != to {
		t.Errorf("%s leads, expected %s", got.Member(got.Leader), to)
	}
	if err := w.run(cluster.Request{Op: cluster.MoveLeader}); err != nil {
		t.Fatal(err)
	}
	if got := w.observe(); got.Member(got.Leader).Name == to {
		t.Errorf("%s leads still", to)
	}
	l.check()
	w.monotone(1)
}

// TestRemove: the leader is removed, which another one leads for first.
func TestRemove(t *testing.T) {
	w := newWorld(t, 5)
	l := w.load(2)
	old := w.Leader(t)
	w.client.SetEndpoints(w.Endpoints()[old]) // nobody else is known to begin with
	(&cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error {
		err := r.Run(ctx, cluster.Request{Op: cluster.Remove, Member: w.Name(old)})
		var refused *cluster.RefusedError
		if errors.As(err, &refused) && refused.Refusals[0].Reason == cluster.NoMember {
			return nil // the command before it was killed after all was done
		}
		return err
	}}).throughout(cluster.StepLead, cluster.StepRemove)
	w.Stop(old)
	l.check()
	if o := w.observe(); o.Quorum.Voters != 4 || o.Quorum.Well != 4 || len(o.Members) != 4 {
		t.Errorf("afterwards there are %s: %s", names(o), o.Quorum)
	}
}

// fill writes so many MiB, half of which are deleted and forgotten.
func (w *world) fill(mib int) {
	w.t.Helper()
	value := strings.Repeat("x", 256<<10)
	for i := range 4 * mib {
		if _, err := w.client.Put(w.ctx, fmt.Sprintf("fill/%d/%d", i%2, i), value); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.client.Delete(w.ctx, "fill/0/", clientv3.WithPrefix()); err != nil {
		w.t.Fatal(err)
	}
}

// TestMaintain: compacting and defragmenting under writes, killed at every place. Members
// are blocked one by one, and never while they lead.
func TestMaintain(t *testing.T) {
	w := newWorld(t, 3)
	w.fill(8)
	l := w.load(2)
	newest := w.observe().Revision
	compact := func(ctx context.Context, r *cluster.Runner) error {
		r.Floor = func(context.Context) (int64, string, error) { return newest, "the test's backup", nil }
		return r.Run(ctx, cluster.Request{Op: cluster.Compact, Revision: newest})
	}
	(&cutter{world: w, run: compact}).throughout(cluster.StepCompact)

	var mu sync.Mutex
	blocked, most := map[string]bool{}, 0
	c := &cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error {
		return r.Run(ctx, cluster.Request{Op: cluster.Defrag})
	}}
	c.begun = func(e cluster.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Step.Kind != cluster.StepDefrag {
			return
		}
		blocked[e.Step.Name] = true
		most = max(most, len(blocked))
		if e.Observed.Leader == e.Step.Member {
			t.Errorf("%s is blocked while it leads", e.Step.Name)
		}
	}
	c.throughout(cluster.StepDefrag, cluster.StepLead)
	if most != 3 {
		t.Errorf("%d members were defragmented", most)
	}
	o := w.observe()
	for _, m := range o.Members {
		if m.Size > 7<<20 {
			t.Errorf("%s has %d MiB in its file, %d of them in use", m.Name, m.Size>>20, m.InUse>>20)
		}
	}
	l.check()
	w.monotone(newest + 1)

	// What no backup has stays.
	r := w.runner()
	r.Floor = func(context.Context) (int64, string, error) { return newest + 1, "the last upload", nil }
	wantRefused(t, r.Run(w.ctx, cluster.Request{Op: cluster.Compact, Keep: 0}), cluster.NotBackedUp)
	r.Floor = func(context.Context) (int64, string, error) { return 0, "", errors.New("the bucket is away") }
	if err := r.Run(w.ctx, cluster.Request{Op: cluster.Compact}); err == nil || !strings.Contains(err.Error(), "the bucket is away") {
		t.Errorf("without knowing the backup: %v", err)
	}
	r.Floor = nil
	if err := r.Run(w.ctx, cluster.Request{Op: cluster.Compact, Revision: newest + 1}); err != nil {
		t.Error(err)
	}
	if o, _, err := w.runner().Preview(w.ctx, cluster.Request{Op: cluster.Compact, Keep: 1}); err != nil || o.Compacted != newest+1 {
		t.Errorf("compacted to %d, expected %d; %v", o.Compacted, newest+1, err)
	}
}

func wantRefused(t *testing.T, err error, want cluster.Reason) {
	t.Helper()
	var refused *cluster.RefusedError
	if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Refusals, func(r cluster.Refusal) bool { return r.Reason == want }) {
		t.Errorf("found %v, expected it to be refused for %s", err, want)
	}
}

// TestRefused is what is not safe, asked of real members.
func TestRefused(t *testing.T) {
	w := newWorld(t, 3)
	leader := w.Leader(t)
	down, other := (leader+1)%3, (leader+2)%3
	fresh, second := w.Prepare(t), w.Prepare(t)
	add := func(i int) cluster.Request {
		return cluster.Request{Op: cluster.Add, With: w.Name(i), Peers: []string{w.PeerURL(i)}}
	}
	named := func(op cluster.Op, i int) cluster.Request { return cluster.Request{Op: op, Member: w.Name(i)} }

	// A member that is joining.
	if err := w.run(add(fresh)); err != nil {
		t.Fatal(err)
	}
	if err := w.run(add(fresh)); err != nil {
		t.Errorf("adding it again: %v", err)
	}
	wantRefused(t, w.run(add(second)), cluster.InFlight)
	wantRefused(t, w.run(named(cluster.Remove, other)), cluster.InFlight)
	wantRefused(t, w.run(cluster.Request{Op: cluster.Promote, Member: w.PeerURL(fresh)}), cluster.NotCaughtUp)
	w.Join(t, fresh)
	w.Stop(fresh)
	wantRefused(t, w.run(named(cluster.Promote, fresh)), cluster.NotCaughtUp)
	if err := w.run(named(cluster.Remove, fresh)); err != nil {
		t.Error(err)
	}

	// One is down: each of the others is needed.
	w.Stop(down)
	wantRefused(t, w.run(named(cluster.Remove, other)), cluster.Degraded)
	wantRefused(t, w.run(add(second)), cluster.Degraded)
	wantRefused(t, w.run(cluster.Request{Op: cluster.Defrag}), cluster.Degraded)
	wantRefused(t, w.run(named(cluster.MoveLeader, down)), cluster.Degraded)
	wantRefused(t, w.run(cluster.Request{Op: cluster.Replace, Member: w.Name(other), With: w.Name(second), Peers: []string{w.PeerURL(second)}}), cluster.Degraded)
	o := w.observe()
	if o.Quorum != (cluster.Quorum{Voters: 3, Well: 2, Need: 2}) || !hasWarning(o, "down") || !hasWarning(o, "no-spare") {
		t.Errorf("with one down: %s, %v", o.Quorum, o.Warnings())
	}

	// Two are: there is no majority.
	w.Stop(other)
	short := cluster.Options{Probes: 1, Patience: 2e9}
	o, err := cluster.Observe(w.ctx, w.client, short)
	if err != nil {
		t.Fatal(err)
	}
	if o.Majority || !hasWarning(o, "no-majority") || o.Quorum.Well != 0 {
		t.Errorf("with two down: %+v", o)
	}
	for _, r := range []cluster.Request{named(cluster.Remove, down), add(second), {Op: cluster.Compact, Revision: 2}, {Op: cluster.Defrag}} {
		runner := w.runner()
		runner.Observe = short
		wantRefused(t, runner.Run(w.ctx, r), cluster.NoMajority)
	}
	w.Restart(t, down)
	w.Restart(t, other)
}

func hasWarning(o *cluster.Observed, code string) bool {
	return slices.ContainsFunc(o.Warnings(), func(w cluster.Warning) bool { return w.Code == code })
}

// TestNoSpace: a cluster that has reached its quota takes what mends it, and nothing else.
func TestNoSpace(t *testing.T) {
	w := newWorld(t, 3, func(o *member.Options) { o.Quota = 8 << 20 })
	value := strings.Repeat("x", 256<<10)
	var err error
	for i := 0; err == nil; i++ {
		_, err = w.client.Put(w.ctx, "full", value)
	}
	o := w.observe()
	if len(o.Alarms) == 0 || o.Alarms[0].Kind != cluster.NoSpace || !hasWarning(o, "alarm-nospace") {
		t.Fatalf("after %v: %v", err, o.Alarms)
	}
	wantRefused(t, w.run(cluster.Request{Op: cluster.MoveLeader}), cluster.UnderAlarm)
	wantRefused(t, w.run(cluster.Request{Op: cluster.Remove, Member: w.Name(0)}), cluster.UnderAlarm)
	if err := w.run(cluster.Request{Op: cluster.Compact, Keep: 1}); err != nil {
		t.Fatal(err)
	}
	(&cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error {
		return r.Run(ctx, cluster.Request{Op: cluster.Defrag})
	}}).
		throughout(cluster.StepDefrag, cluster.StepLead, cluster.StepDisarm)
	if _, err := w.client.Put(w.ctx, "full", value); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestCorrupt: a member whose data differs is removed, and its alarm with it.
func TestCorrupt(t *testing.T) {
	w := newWorld(t, 3)
	bad := (w.Leader(t) + 1) % 3
	conn, err := w.client.Dial(w.Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = etcdserverpb.NewMaintenanceClient(conn).Alarm(w.ctx, &etcdserverpb.AlarmRequest{
		Action: etcdserverpb.AlarmRequest_ACTIVATE, MemberID: w.Member(bad).ID(), Alarm: etcdserverpb.AlarmType_CORRUPT,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := w.observe(); len(o.Alarms) != 1 || o.Alarms[0].Kind != cluster.Corrupt {
		t.Fatalf("alarms: %v", o.Alarms)
	}
	wantRefused(t, w.run(cluster.Request{Op: cluster.Remove, Member: w.Name((bad + 1) % 3)}), cluster.UnderAlarm)
	wantRefused(t, w.run(cluster.Request{Op: cluster.Defrag}), cluster.UnderAlarm)
	id := cluster.ID(w.Member(bad).ID()).String() // by which it can be named when it has gone
	(&cutter{world: w, run: func(ctx context.Context, r *cluster.Runner) error {
		err := r.Run(ctx, cluster.Request{Op: cluster.Remove, Member: id})
		var refused *cluster.RefusedError
		if errors.As(err, &refused) && refused.Refusals[0].Reason == cluster.NoMember {
			return nil
		}
		return err
	}}).throughout(cluster.StepRemove, cluster.StepDisarm)
	w.Stop(bad)
	if o := w.observe(); len(o.Alarms) != 0 || o.Quorum.Voters != 2 {
		t.Errorf("afterwards: %v, %s", o.Alarms, o.Quorum)
	}
	if _, err := w.client.Put(w.ctx, "a", "1"); err != nil {
		t.Error(err)
	}
}

// TestLock: two commands exclude each other, and one that was killed does not for long.
func TestLock(t *testing.T) {
	w := newWorld(t, 3)
	fresh := w.Prepare(t)
	ctx, kill := context.WithCancel(w.ctx)
	defer kill()
	waits := make(chan struct{})
	ended := make(chan error, 1)
	first := w.runner()
	first.Client, first.Who = w.newClient(w.Endpoints()), "ann@desk"
	var once sync.Once
	first.Report = func(e cluster.Event) {
		if e.Kind == cluster.Waiting {
			once.Do(func() { close(waits) })
		}
	}
	go func() {
		ended <- first.Run(ctx, cluster.Request{Op: cluster.Replace, Member: w.Name(0), With: w.Name(fresh), Peers: []string{w.PeerURL(fresh)}})
	}()
	<-waits
	err := w.run(cluster.Request{Op: cluster.MoveLeader})
	var held *cluster.HeldError
	if !errors.As(err, &held) || held.Who != "ann@desk" || !strings.Contains(err.Error(), "ann@desk") {
		t.Errorf("beside another command: %v", err)
	}
	if o := w.observe(); o.Change == nil || o.Change.Who != "ann@desk" || !hasWarning(o, "change") {
		t.Errorf("who changes it: %v", o.Change)
	}
	kill()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	if err := w.run(cluster.Request{Op: cluster.Remove, Member: w.PeerURL(fresh)}); err != nil {
		t.Errorf("afterwards: %v", err)
	}

	// Killed without a word: what it holds is not renewed, and ends.
	dead := w.newClient(w.Endpoints())
	if _, _, err := cluster.Acquire(w.ctx, dead, cluster.Change{Who: "bob@desk", What: "nothing"}); err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := w.run(cluster.Request{Op: cluster.MoveLeader}); err != nil {
		t.Errorf("after one was killed: %v", err)
	}
}

// TestBusy: a defragmentation outlives who began it, and so does what keeps others out.
func TestBusy(t *testing.T) {
	w := newWorld(t, 3)
	what := cluster.Change{Who: "bob@desk", What: "tow cluster defrag defragments m1"}
	killed := func() {
		t.Helper()
		held, lock, err := cluster.Acquire(w.ctx, w.client, what)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Busy(held, what, 1); err != nil {
			t.Fatal(err)
		}
		lock.Release() // as its lease would
	}
	killed()
	if o := w.observe(); o.Change == nil || o.Change.What != what.What {
		t.Errorf("who changes it: %v", o.Change)
	}
	_, lock, err := cluster.Acquire(w.ctx, w.client, cluster.Change{Who: "ann@desk", What: "tow cluster defrag"})
	if err != nil {
		t.Fatal(err)
	}
	if busy, err := w.client.Get(w.ctx, "towpath/cluster/busy"); err != nil || busy.Count != 0 {
		t.Errorf("the lock was given beside a member that is defragmented: %v, %v", busy, err)
	}
	lock.Release()
	killed()
	ctx, cancel := context.WithCancel(w.ctx)
	waited := make(chan error, 1)
	go func() {
		_, _, err := cluster.Acquire(ctx, w.client, cluster.Change{Who: "ann@desk", What: "tow cluster defrag"})
		waited <- err
	}()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that is ended: %v", err)
	}
}

// TestFullTakes is what a store that is full takes: deletions, of keys and leases, and
// renewals; nothing that a lock could be written by.
func TestFullTakes(t *testing.T) {
	w := newWorld(t, 1, func(o *member.Options) { o.Quota = 8 << 20 })
	lease, err := w.client.Grant(w.ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if _, err := w.client.Put(w.ctx, key, "1"); err != nil {
			t.Fatal(err)
		}
	}
	for value := strings.Repeat("x", 256<<10); err == nil; {
		_, err = w.client.Put(w.ctx, "full", value)
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"a put":         func() error { _, err := w.client.Put(w.ctx, "a", "2"); return err },
		"a lease":       func() error { _, err := w.client.Grant(w.ctx, 10); return err },
		"a transaction": func() error { _, err := w.client.Txn(w.ctx).Then(clientv3.OpPut("a", "2")).Commit(); return err },
	} {
		if err := do(); !errors.Is(err, rpctypes.ErrNoSpace) {
			t.Errorf("%s: %v; want no space", what, err)
		}
	}
	for _, x := range []struct {
		what string
		do   func() error
	}{
		{"a deletion", func() error { _, err := w.client.Delete(w.ctx, "a"); return err }},
		{"a transaction that deletes", func() error {
			_, err := w.client.Txn(w.ctx).If(clientv3.Compare(clientv3.CreateRevision("b"), ">", 0)).Then(clientv3.OpDelete("b")).Commit()
			return err
		}},
		{"a renewal", func() error { _, err := w.client.KeepAliveOnce(w.ctx, lease.ID); return err }},
		{"a revocation", func() error { _, err := w.client.Revoke(w.ctx, lease.ID); return err }},
	} {
		if err := x.do(); err != nil {
			t.Errorf("%s: %v", x.what, err)
		}
	}
}

// TestTakeFull: in a store that is full one at a time defragments, also where one has gone
// without a word; and where there are no tokens, nobody waits.
func TestTakeFull(t *testing.T) {
	w := newWorld(t, 1, func(o *member.Options) { o.Quota = 8 << 20 })
	for range 2 { // the second time writes nothing
		if err := cluster.PrepareFull(w.ctx, w.client); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	for value := strings.Repeat("x", 256<<10); err == nil; {
		_, err = w.client.Put(w.ctx, "full", value)
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatal(err)
	}
	if _, err := cluster.TakeFull(w.ctx, w.client, 1); err != nil { // who goes without a word
		t.Fatal(err)
	}
	var at atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			done, err := cluster.TakeFull(w.ctx, w.client, 1)
			if err != nil {
				t.Error(err)
				return
			}
			if n := at.Add(1); n != 1 {
				t.Errorf("%d are at it", n)
			}
			if _, err := w.client.Get(w.ctx, "full"); err != nil {
				t.Error(err)
			}
			at.Add(-1)
			done()
		})
	}
	all.Wait()
	if _, err := cluster.TakeFull(w.ctx, w.client, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := cluster.TakeFull(ctx, w.client, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that is ended: %v", err)
	}
	if _, err := w.client.Delete(w.ctx, "towpath/cluster/token/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.TakeFull(w.ctx, w.client, 1); err != nil {
		t.Errorf("without tokens: %v", err)
	}
}
