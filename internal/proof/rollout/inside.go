//go:build linux

package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/proof/cluster"
	"towpath.dev/internal/proof/lab"
)

const (
	members     = 3
	controllers = 3
	nodesEach   = 5 // of a run
)

// A world is what all rounds share.
type world struct {
	o       Options
	cluster *cluster.Cluster // the store's nemesis uses it alone
	client  *clientv3.Client // of who asks for deployments, and of the judge
	store   control.Store
	hub     *hub
	hubAt   string
	objects blob.Store // as it is, for the judge
	folder  string

	controllers []*actor
	hosts       [][]*lab.Host // of nodes, by lane
	judge       *deploytest.Judge
	sight       *sight
	cancel      context.CancelCauseFunc

	mu     sync.Mutex
	report Report
}

// inside is all rounds, in their lab.
func inside(o Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("%d runs from seed %d, %d side by side; things break for %d s a round; logs are in %s\n", o.Runs, o.Seed, o.Lanes, o.Seconds, o.Dir)
	if o.Mutant != "" {
		fmt.Printf("with the mistake %q: %s\n", o.Mutant, mutants[o.Mutant])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w, err := build(ctx, o, cancel)
	if err != nil {
		return err
	}
	if o.Quiet {
		err = w.quietly(ctx)
	}
	for first := 0; first < o.Runs && err == nil; first += o.Lanes {
		if err = w.round(ctx, o.Seed+uint64(first), min(o.Lanes, o.Runs-first)); err == nil {
			err = context.Cause(ctx)
		}
	}
	w.end()
	fmt.Print(w.report.summary(o))
	return errors.Join(err, lab.Leave(o.Dir, &w.report))
}

// build starts what all rounds share.
func build(ctx context.Context, o Options, cancel context.CancelCauseFunc) (*world, error) {
	w := &world{o: o, folder: filepath.Join(o.Dir, "objects"), cancel: cancel}
	w.report.init()
	l, err := lab.New()
	if err != nil {
		return nil, err
	}
	var hosts []*lab.Host
	for i := range members + controllers + o.Lanes*nodesEach {
		h, err := l.Host(fmt.Sprint("h", i))
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	for lane := range o.Lanes {
		first := members + controllers + lane*nodesEach
		w.hosts = append(w.hosts, hosts[first:first+nodesEach])
	}
	if err := os.MkdirAll(w.folder, 0o700); err != nil {
		return nil, err
	}
	if w.objects, err = blob.Open(w.folder, blob.Options{}); err != nil {
		return nil, err
	}
	w.hubAt = fmt.Sprintf("http://%s/", hubAddress)
	if w.hub, err = listen(hubAddress); err != nil {
		return nil, err
	}
	if w.cluster, err = cluster.Start(hosts[:members], o.Dir); err != nil {
		return nil, err
	}
	if w.client, err = dial(w.cluster.Endpoints()); err != nil {
		return nil, err
	}
	w.store = etcdstore.New(w.client)
	w.judge = deploytest.NewJudge(w.wrong)
	w.sight = w.watch(ctx)
	return w, w.startControllers(hosts[members:])
}

// hubAddress is on the lab's bridge, where all hosts reach it.
const hubAddress = "10.77.0.1:7000"

func (w *world) parts(seed uint64) parts {
	return parts{Endpoints: w.cluster.Endpoints(), Hub: w.hubAt, Objects: w.folder, Seed: seed}
}

func (w *world) startControllers(hosts []*lab.Host) error {
	for i := range controllers {
		name := fmt.Sprint("c", i)
		skew := time.Duration(i-1) * time.Hour // of three clocks two are wrong
		c := &actor{name: name, host: hosts[i], log: filepath.Join(w.o.Dir, name+".log")}
		c.role = func(life int) string {
			return lab.Role(role{Controller: &controllerOptions{parts: w.parts(w.o.Seed + uint64(life)), Name: name, Skew: skew, Mutant: w.o.Mutant}})
		}
		if err := c.begin(func(err error) { w.cancel(err) }); err != nil {
			return err
		}
		w.controllers = append(w.controllers, c)
	}
	return nil
}

// wrong notes what is wrong.
func (w *world) wrong(v deploytest.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Violations = append(w.report.Violations, v)
	fmt.Println("WRONG", v)
}

// end ends all processes.
func (w *world) end() {
	var ending sync.WaitGroup
	for _, c := range w.controllers {
		ending.Go(c.finish)
	}
	ending.Wait()
	w.sight.close()
	_ = w.client.Close() // says that its context has ended
	w.cluster.Close()
	w.hub.close()
}

// sight is how far the judge has seen.
type sight struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	seen    int64
	changed chan struct{} // closed when it has grown
}

// watch has the judge see every write from the first one on.
func (w *world) watch(ctx context.Context) *sight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &sight{cancel: cancel, changed: make(chan struct{})}
	events := w.store.Watch(ctx, election.Prefix(""), 1)
	s.done.Go(func() {
		for b := range events {
			if b.Err != nil {
				if ctx.Err() == nil {
					w.cancel(fmt.Errorf("the judge has lost sight of the store: %w", b.Err))
				}
				return
			}
			for _, e := range b.Events {
				w.judge.See(e)
			}
			s.mu.Lock()
			s.seen = max(s.seen, b.Revision)
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
	})
	return s
}

func (s *sight) close() {
	s.cancel()
	s.done.Wait()
}

// at is up to which revision the judge has seen all, and a channel that is closed when that
// is further.
func (s *sight) at() (revision int64, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.changed
}

// reaches waits until the judge has seen all that was written until now.
func (w *world) reaches(ctx context.Context) error {
	r, err := w.store.Txn(ctx, election.Txn{Then: []election.Op{election.Put("proof/seen", nil, 0)}})
	if err != nil {
		return err
	}
	for {
		seen, changed := w.sight.at()
		if seen >= r.Revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the judge has not seen revision %d: %w", r.Revision, ctx.Err())
		}
	}
}
