package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testProgram     = "shop"
	testEnvironment = "prod"
)

// digest is a release's, by a name.
func digest(name string) release.Digest { return release.DigestOf([]byte(name)) }

// world is a fleet, control nodes, and what they stand on, in virtual time.
type world struct {
	t     *testing.T
	ctx   context.Context
	inner *memstore.Store
	began time.Time

	controllers []*controllerProcess
	nodes       []*nodeProcess
	objects     *deploytest.Objects
	late        []*lateStore // of processes that have ended
	releases    map[release.Digest]deploytest.Behaviour

	mu     sync.Mutex
	random *rand.Rand
	hubs   [2]hub
	served deploytest.Served
}

func newWorld(t *testing.T, ctx context.Context, seed uint64, controllers, nodes int) *world {
	w := &world{
		t: t, ctx: ctx, inner: memstore.New(), began: time.Now(), releases: map[release.Digest]deploytest.Behaviour{},
		random: rand.New(rand.NewPCG(seed, 1)),
	}
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.objects = deploytest.NewObjects(folder, w.roll)
	for i := range controllers {
		w.controllers = append(w.controllers, &controllerProcess{w: w, name: fmt.Sprintf("c%d", i), own: i % len(w.hubs)})
	}
	for i := range nodes {
		w.nodes = append(w.nodes, &nodeProcess{w: w, name: fmt.Sprintf("n%d", i), cell: fmt.Sprintf("cell-%d", i%2), memory: &keeper{}})
	}
	return w
}

func (w *world) roll() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64()
}

func (w *world) behaves(d release.Digest) deploytest.Behaviour {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.releases[d]
}

// become has a release behave otherwise from now on.
func (w *world) become(d release.Digest, b deploytest.Behaviour) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releases[d] = b
}

// start starts all processes.
func (w *world) start() {
	for _, c := range w.controllers {
		c.start()
	}
	for _, n := range w.nodes {
		n.start()
	}
}

// stop ends all, and waits.
func (w *world) stop() {
	for _, c := range w.controllers {
		c.kill()
	}
	for _, n := range w.nodes {
		n.kill()
	}
	for _, l := range w.late {
		l.sending.Wait()
	}
	w.inner.Close()
}

// clock is an election's, in virtual time.
func (w *world) clock() time.Duration { return time.Since(w.began) }

// controllerProcess is a control node's controller.
type controllerProcess struct {
	w     *world
	name  string
	own   int // the hub that it asks first
	skew  time.Duration
	late  *lateStore
	store *faultstore.Store
	end   context.CancelFunc
	ended chan struct{}
}

// lateStore has some writes arrive long after who sent them has given them up.
type lateStore struct {
	control.Store
	mu      sync.Mutex
	next    int // how many
	by      time.Duration
	sending sync.WaitGroup
}

func (l *lateStore) arm(n int, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next, l.by = n, by
}

func (l *lateStore) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	l.mu.Lock()
	late := l.next > 0 && len(txn.Then) > 0 && strings.HasPrefix(txn.Then[0].Keys.First, statePrefix)
	by := l.by
	if late {
		l.next--
	}
	l.mu.Unlock()
	if !late {
		return l.Store.Txn(ctx, txn)
	}
	l.sending.Go(func() {
		time.Sleep(by)
		_, _ = l.Store.Txn(context.WithoutCancel(ctx), txn)
	})
	return election.Result{}, faultstore.ErrLost
}

func (c *controllerProcess) start() {
	if c.end != nil {
		return
	}
	c.late = &lateStore{Store: c.w.inner}
	c.store = faultstore.Wrap(c.late, nil)
	controller, err := NewController(Options{
		Store: c.store, Name: c.name, TTL: 5 * time.Second, Every: time.Second, Clock: c.w.clock, Counters: everybodys{c.w, c.own}, Objects: c.w.objects,
		Now: func() time.Time { return time.Now().Add(c.skew) },
	})
	if err != nil {
		c.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.w.ctx)
	c.end, c.ended = cancel, make(chan struct{})
	go func() {
		defer close(c.ended)
		_ = controller.Run(ctx)
	}()
}

// kill ends the process as kill -9 does: nothing that it does from now on reaches anybody.
func (c *controllerProcess) kill() {
	if c.end == nil {
		return
	}
	c.store.Partition()
	c.end()
	<-c.ended
	c.w.late = append(c.w.late, c.late)
	c.end = nil
}

// nodeProcess is a node, whose process may die.
type nodeProcess struct {
	w          *world
	name, cell string
	memory     *keeper
	deaths     int
	at         atomic.Int32 // the hub that it hands over to

	mu    sync.Mutex
	store *faultstore.Store
	host  *deploytest.Host
	end   context.CancelFunc
	ended chan struct{}
}

func (n *nodeProcess) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.end != nil {
		return
	}
	n.deaths++
	incarnation := fmt.Sprint(n.name, "/", n.deaths)
	n.store = faultstore.Wrap(n.w.inner, nil)
	ctx, cancel := context.WithCancel(n.w.ctx)
	n.host = deploytest.NewHost(ctx, deploytest.HostOptions{
		Program: testProgram, Rate: 200, Roll: n.w.roll, Die: n.crash,
		Behaves: n.w.behaves,
	})
	n.memory.setDead(false)
	agent, err := fleet.NewAgent(fleet.Options{
		Node: n.name, Environment: testEnvironment, Cell: n.cell, Incarnation: incarnation,
		Host: n.host, Link: &link{n: n, store: n.store, incarnation: incarnation}, Objects: n.w.objects.Releases(), Keeper: n.memory,
		Settle: time.Minute, Counting: time.Second,
	})
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.end, n.ended = cancel, make(chan struct{})
	ended := n.ended
	go func() {
		defer close(ended)
		if err := agent.Run(ctx); ctx.Err() == nil {
			n.w.t.Errorf("%s ended: %v", n.name, err)
		}
	}()
}

// kill ends the process as kill -9 does.
func (n *nodeProcess) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.end == nil {
		return
	}
	n.memory.setDead(true)
	n.host.Kill()
	n.store.Partition()
	n.end()
	<-n.ended
	n.end = nil
}

// crash ends the process, and has it start again.
func (n *nodeProcess) crash() {
	n.kill()
	time.Sleep(time.Second)
	if n.w.ctx.Err() == nil {
		n.start()
	}
}

func (n *nodeProcess) runs() deploytest.Placed {
	n.mu.Lock()
	h := n.host
	n.mu.Unlock()
	return h.Placed()
}

// keeper is a node's disk.
type keeper struct {
	mu   sync.Mutex
	text []byte
	dead bool
}

func (k *keeper) setDead(dead bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dead = dead
}

func (k *keeper) Load() (*fleet.Memory, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fleet.DecodeMemory("memory", k.text)
}

func (k *keeper) Save(m *fleet.Memory) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return errors.New("the process is dead")
	}
	k.text = encode(m)
	return nil
}

// link is a node's way to the control nodes: as they do, it reads and writes the store.
type link struct {
	n           *nodeProcess
	store       *faultstore.Store
	incarnation string
}

const attachedFor = 6 * time.Second

func (l *link) Follow(ctx context.Context) (<-chan fleet.Heard, error) {
	lease, _, err := l.store.Grant(ctx, attachedFor)
	if err != nil {
		return nil, err
	}
	value := encode(map[string]string{"environment": testEnvironment, "incarnation": l.incarnation})
	if _, err := l.store.Txn(ctx, election.Txn{Then: []election.Op{election.Put(NodePrefix+l.n.name, value, lease)}}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan fleet.Heard)
	var beating sync.WaitGroup
	beating.Go(func() {
		defer cancel()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(attachedFor / 3):
			}
			if _, err := l.store.Renew(ctx, lease); errors.Is(err, election.ErrNoLease) {
				return
			}
		}
	})
	go func() {
		defer close(out)
		defer beating.Wait()
		defer cancel()
		FollowIntents(ctx, l.store, testEnvironment, l.n.cell, func(h fleet.Heard) {
			select {
			case out <- h:
			case <-ctx.Done():
			}
		})
	}()
	return out, nil
}

func (l *link) Report(ctx context.Context, s *fleet.Status) error {
	return Report(ctx, l.store, testEnvironment, l.n.name, s, time.Now())
}

func (l *link) Count(ctx context.Context, c *fleet.Counters) ([]string, error) {
	if _, err := l.store.Range(ctx, election.Span{Keys: election.Key("reached?")}); err != nil {
		return nil, err
	}
	l.n.w.mu.Lock()
	defer l.n.w.mu.Unlock()
	l.n.w.served.Add(c)
	if !l.n.w.hubs[l.n.at.Load()].hear(c) {
		return nil, nil
	}
	return []string{testProgram}, nil
}
