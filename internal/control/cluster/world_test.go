package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/testkit/etcd"
)

// patience is for how long anything may take on a machine that has other things to do.
const patience = 3 * time.Minute

// A world is a cluster, with what comes between it and who changes it.
type world struct {
	*etcd.Cluster
	t      *testing.T
	ctx    context.Context
	client *clientv3.Client

	mu     sync.Mutex
	before func(method string) error // an error is not sent
	after  func(method string) error // an error is heard in place of an answer
	calls  []string                  // that changed something, with where they went
}

func newWorld(t *testing.T, n int, change ...func(*member.Options)) *world {
	t.Parallel() // most of the time etcd waits for some time to pass
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{Cluster: etcd.Start(t, n, change...), t: t, ctx: ctx}
	w.client = w.newClient(w.Endpoints())
	return w
}

// newClient is a client whose calls can be cut.
func (w *world) newClient(endpoints []string) *clientv3.Client {
	w.t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(w.intercept)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = client.Close() }) // says that its context has ended
	return client
}

// changing are the calls that change a cluster.
var changing = map[string]cluster.Kind{
	"/etcdserverpb.Cluster/MemberAdd": cluster.StepAdd, "/etcdserverpb.Cluster/MemberPromote": cluster.StepPromote,
	"/etcdserverpb.Cluster/MemberRemove": cluster.StepRemove, "/etcdserverpb.Maintenance/MoveLeader": cluster.StepLead,
	"/etcdserverpb.Maintenance/Defragment": cluster.StepDefrag, "/etcdserverpb.KV/Compact": cluster.StepCompact,
	"/etcdserverpb.Maintenance/Alarm": cluster.StepDisarm,
}

func (w *world) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if changing[method] == "" {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	w.mu.Lock()
	before, after := w.before, w.after
	w.calls = append(w.calls, string(changing[method]))
	w.mu.Unlock()
	if before != nil {
		if err := before(method); err != nil {
			return err
		}
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	if err == nil && after != nil {
		err = after(method)
	}
	return err
}

// runner is one that is told off about nothing.
func (w *world) runner() *cluster.Runner {
	return &cluster.Runner{Client: w.client, Who: "test", What: w.t.Name(), Observe: cluster.Options{Probes: 2, Patience: patience}, Every: 20 * time.Millisecond, Patience: patience}
}

// run carries a request out.
func (w *world) run(r cluster.Request) error { return w.runner().Run(w.ctx, r) }

// observe looks at the cluster.
func (w *world) observe() *cluster.Observed {
	w.t.Helper()
	o, err := cluster.Observe(w.ctx, w.client, cluster.Options{Probes: 2, Elections: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// names are the voters, sorted.
func names(o *cluster.Observed) string {
	var all []string
	for i := range o.Members {
		name := o.Members[i].Name
		if o.Members[i].Learner {
			name += "^"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// errCut is what a command hears that was killed.
var errCut = errors.New("killed")

// A cutter kills a runner once at two places of each step: before it is sent; and when it is
// done, be its answer lost or heard.
type cutter struct {
	*world
	heard bool
	run   func(context.Context, *cluster.Runner) error
	cuts  []string
	kill  context.CancelCauseFunc
	// begun is called when a step begins.
	begun func(cluster.Event)
}

// cut kills what runs, the first time that it is at a place.
func (c *cutter) cut(place string, kind cluster.Kind) error {
	at := place + " " + string(kind)
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.cuts, at) {
		return nil
	}
	c.cuts = append(c.cuts, at)
	c.kill(errCut)
	return errCut
}

// throughout runs until it is done, again after each cut, and checks that each step was cut
// everywhere.
func (c *cutter) throughout(kinds ...cluster.Kind) {
	c.t.Helper()
	c.before = func(method string) error { return c.cut("before", changing[method]) }
	c.after = func(method string) error {
		if c.heard {
			return nil
		}
		return c.cut("after", changing[method])
	}
	defer func() { c.mu.Lock(); c.before, c.after = nil, nil; c.mu.Unlock() }()
	for {
		ctx, kill := context.WithCancelCause(c.ctx)
		c.mu.Lock()
		c.kill = kill
		c.mu.Unlock()
		r, again := c.runner(), ""
		r.Report = func(e cluster.Event) {
			switch e.Kind {
			case cluster.Begun:
				if c.begun != nil {
					c.begun(e)
				}
			case cluster.Waiting:
				_ = c.cut("while", e.Step.Kind)
			case cluster.Done:
				_ = c.cut("after", e.Step.Kind)
			case cluster.Again:
				if again != fmt.Sprint(e.Step, e.Err) {
					again = fmt.Sprint(e.Step, e.Err)
					c.t.Logf("again: %s: %v", e.Step, e.Err)
				}
			}
		}
		err := c.run(ctx, r)
		kill(nil)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) {
			c.t.Fatalf("after the cuts %q: %v", c.cuts, err)
		}
	}
	for _, kind := range kinds {
		for _, place := range []string{"before", "after"} {
			if at := place + " " + string(kind); !slices.Contains(c.cuts, at) {
				c.t.Errorf("it was never killed %s; it was %q", at, c.cuts)
			}
		}
	}
}

// A load is writes, and what is known of each.
type load struct {
	w       *world
	stop    context.CancelFunc
	writing sync.WaitGroup

	mu    sync.Mutex
	acked []string // keys
	faint string   // why it gave up; "" is not
	tries int      // that were not acknowledged, in a row, at most
}

// attemptsMost is how often in a row a write may fail before the cluster counts as one without
// a majority. An election and a member that ends cost a few.
const attemptsMost = 40

// load writes until it is checked.
func (w *world) load(writers int) *load {
	ctx, stop := context.WithCancel(w.ctx)
	l := &load{w: w, stop: stop}
	for i := range writers {
		client := w.Client(w.t)
		if _, err := w.client.Put(w.ctx, fmt.Sprintf("counter/%d", i), fmt.Sprintf("%08d", 0)); err != nil {
			w.t.Fatal(err)
		}
		l.writing.Go(func() { l.write(ctx, client, i) })
	}
	w.t.Cleanup(func() { stop(); l.writing.Wait() })
	return l
}

// write writes a new key and the writer's counter, over and over. What is not
// acknowledged may be there nevertheless.
func (l *load) write(ctx context.Context, client *clientv3.Client, writer int) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	failed := 0
	for n := 1; ; n++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		key, counter, value := fmt.Sprintf("load/%d/%08d", writer, n), fmt.Sprintf("counter/%d", writer), fmt.Sprintf("%08d", n)
		// One that was given up may arrive behind its successors.
		grows := clientv3.Compare(clientv3.Value(counter), "<", value)
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := client.Txn(asking).If(grows).Then(clientv3.OpPut(key, ""), clientv3.OpPut(counter, value)).Else(clientv3.OpPut(key, "")).Commit()
		cancel()
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if failed++; err == nil {
			failed, l.acked = 0, append(l.acked, key)
		}
		l.tries = max(l.tries, failed)
		if failed > attemptsMost && l.faint == "" {
			l.faint = fmt.Sprintf("%d writes in a row failed, the last with: %v", failed, err)
		}
		l.mu.Unlock()
		if failed%8 == 7 {
			// As clients do: members come and go.
			asking, cancel := context.WithTimeout(ctx, 2*time.Second)
			_ = client.Sync(asking)
			cancel()
		}
	}
}

// check ends the load: no write that was acknowledged is missing, counters never went
// back, and the cluster never stood still.
func (l *load) check() {
	t := l.w.t
	t.Helper()
	l.stop()
	l.writing.Wait()
	if l.faint != "" {
		t.Error(l.faint)
	}
	if len(l.acked) == 0 {
		t.Error("no write was acknowledged")
	}
	r, err := l.w.client.Get(l.w.ctx, "load/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, kv := range r.Kvs {
		there[string(kv.Key)] = true
	}
	for _, key := range l.acked {
		if !there[key] {
			t.Errorf("%s was acknowledged, and is not there", key)
		}
	}
	t.Logf("%d writes acknowledged, at most %d in a row were not", len(l.acked), l.tries)
}

// monotone watches the counters from a revision on and checks that none goes back. It
// reads history, which tells the order that the cluster agreed on.
func (w *world) monotone(from int64) {
	w.t.Helper()
	now, err := w.client.Get(w.ctx, "counter/", clientv3.WithPrefix())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	last := map[string]int{}
	for r := range w.client.Watch(ctx, "counter/", clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if err := r.Err(); err != nil {
			w.t.Fatal(err)
		}
		for _, e := range r.Events {
			n, err := strconv.Atoi(string(e.Kv.Value))
			key := string(e.Kv.Key)
			if before, ok := last[key]; err != nil || ok && n <= before {
				w.t.Errorf("%s goes from %d to %q", key, before, e.Kv.Value)
			}
			last[key] = n
		}
		done := true
		for _, kv := range now.Kvs {
			n, _ := strconv.Atoi(string(kv.Value))
			done = done && last[string(kv.Key)] >= n
		}
		if done {
			return
		}
	}
	w.t.Error("the history of the counters ends early")
}
