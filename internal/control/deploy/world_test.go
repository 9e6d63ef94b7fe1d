package deploy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/election"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testProgram     = "shop"
	testEnvironment = "prod"
)

// digest is a release's, by a name.
func digest(name string) release.Digest { return release.DigestOf([]byte(name)) }

// behaviour is how a release is.
type behaviour struct {
	errors   float64       // rate of answers that are errors
	services float64       // of requests that fail with a service
	dies     time.Duration // after so long its node's process ends; 0: never
	unfit    bool          // no node can run it
	unbound  bool          // what it calls does not answer it
}

// world is a fleet, control nodes, and what they stand on, in virtual time.
type world struct {
	t     *testing.T
	ctx   context.Context
	inner *memstore.Store
	began time.Time

	controllers []*controllerProcess
	nodes       []*nodeProcess
	objects     *flakyBlobs
	late        []*lateStore // of processes that have ended
	releases    map[release.Digest]behaviour

	mu       sync.Mutex
	random   *rand.Rand
	counters map[string]*fleet.Counters // what control nodes heard, by node
	served   map[release.Digest]int64
}

func newWorld(t *testing.T, ctx context.Context, seed uint64, controllers, nodes int) *world {
	w := &world{
		t: t, ctx: ctx, inner: memstore.New(), began: time.Now(), releases: map[release.Digest]behaviour{},
		random: rand.New(rand.NewPCG(seed, 1)), counters: map[string]*fleet.Counters{}, served: map[release.Digest]int64{},
	}
	folder, err := blob.Open(t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.objects = &flakyBlobs{Store: folder, w: w}
	for i := range controllers {
		w.controllers = append(w.controllers, &controllerProcess{w: w, name: fmt.Sprintf("c%d", i)})
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

func (w *world) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
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
		Store: c.store, Name: c.name, TTL: 5 * time.Second, Clock: c.w.clock, Counters: hub{c.w}, Objects: c.w.objects,
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

// hub has what nodes counted, as the control nodes do.
type hub struct{ w *world }

func (h hub) Counters(ctx context.Context, _, _ string) ([]*fleet.Counters, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	var all []*fleet.Counters
	for _, c := range h.w.counters {
		all = append(all, c)
	}
	return all, ctx.Err()
}

// flakyBlobs is object storage that may be away.
type flakyBlobs struct {
	blob.Store
	w    *world
	mu   sync.Mutex
	away float64 // how often it fails
}

var errAway = errors.New("503 Service Unavailable")

func (f *flakyBlobs) fail() bool {
	f.mu.Lock()
	rate := f.away
	f.mu.Unlock()
	return rate > 0 && f.w.roll() < rate
}

func (f *flakyBlobs) Create(ctx context.Context, name string, data []byte, class blob.Class) error {
	if f.fail() {
		return errAway
	}
	err := f.Store.Create(ctx, name, data, class)
	if f.fail() { // the answer is lost
		return errAway
	}
	return err
}

func (f *flakyBlobs) Get(ctx context.Context, name string) ([]byte, error) {
	if f.fail() {
		return nil, errAway
	}
	return f.Store.Get(ctx, name)
}

// nodeProcess is a node, whose process may die.
type nodeProcess struct {
	w          *world
	name, cell string
	memory     *keeper
	deaths     int

	mu    sync.Mutex
	store *faultstore.Store
	host  *host
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
	n.host = &host{n: n, placed: map[release.Digest]*placedRelease{}}
	n.memory.setDead(false)
	agent, err := fleet.NewAgent(fleet.Options{
		Node: n.name, Environment: testEnvironment, Cell: n.cell, Incarnation: incarnation,
		Host: n.host, Link: &link{n: n, store: n.store}, Objects: objects{n}, Keeper: n.memory,
		Settle: time.Minute, Counting: time.Second,
	})
	if err != nil {
		n.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.w.ctx)
	n.host.ctx = ctx
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
	n.host.die()
	n.store.Partition()
	n.end()
	<-n.ended
	n.end = nil
	n.w.mu.Lock()
	delete(n.w.counters, n.name)
	n.w.mu.Unlock()
}

func (n *nodeProcess) runs() (main, beside release.Digest) {
	n.mu.Lock()
	h := n.host
	n.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.main, h.beside
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

// objects has all releases, unless object storage is away.
type objects struct{ n *nodeProcess }

func (o objects) Get(ctx context.Context, _ string, d release.Digest, _ []byte) (*release.Loaded, error) {
	if o.n.w.objects.fail() {
		return nil, errAway
	}
	return &release.Loaded{Digest: d, Manifest: &artifact.Manifest{Program: testProgram}}, ctx.Err()
}

func (objects) Keep([]release.Digest) error { return nil }

// host runs releases that behave as they are said to.
type host struct {
	n   *nodeProcess
	ctx context.Context

	mu           sync.Mutex
	dead         bool
	main, beside release.Digest
	share        float64
	placed       map[release.Digest]*placedRelease
	counted      time.Time
}

type placedRelease struct {
	since    time.Time
	requests int64
	bad      map[string]int64
}

type prepared struct {
	h      *host
	digest release.Digest
}

func (p *prepared) Probe(ctx context.Context) error {
	if p.h.n.w.releases[p.digest].unbound {
		return errors.New("the service does not answer")
	}
	return ctx.Err()
}

func (p *prepared) Close() {}

func (h *host) Prepare(ctx context.Context, _ string, l *release.Loaded) (fleet.Prepared, error) {
	select { // compiling
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.n.w.releases[l.Digest].unfit {
		return nil, &fleet.Fault{Kind: fleet.Unfit, Err: errors.New("built by a tow that this one cannot serve")}
	}
	return &prepared{h, l.Digest}, nil
}

func (h *host) Place(_ string, main, beside fleet.Prepared, share float64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve()
	h.main, h.beside, h.share = "", "", share
	now := map[release.Digest]*placedRelease{}
	for k, p := range []fleet.Prepared{main, beside} {
		if p == nil {
			continue
		}
		d := p.(*prepared).digest
		if k == 0 {
			h.main = d
		} else {
			h.beside = d
		}
		if now[d] = h.placed[d]; now[d] == nil {
			now[d] = &placedRelease{since: time.Now(), bad: map[string]int64{}}
			if after := h.n.w.releases[d].dies; after > 0 {
				go h.doom(d, after)
			}
		}
	}
	h.placed = now
	return nil
}

// doom has the process die of a release, if it still runs by then, and start again.
func (h *host) doom(d release.Digest, after time.Duration) {
	select {
	case <-time.After(after):
	case <-h.ctx.Done():
		return
	}
	h.mu.Lock()
	runs := !h.dead && (h.main == d || h.beside == d)
	h.mu.Unlock()
	if runs {
		go func() {
			h.n.kill()
			time.Sleep(time.Second)
			if h.n.w.ctx.Err() == nil {
				h.n.start()
			}
		}()
	}
}

func (h *host) die() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = true
}

// rate is how many requests a second each node has.
const rate = 200

// serve counts what was asked since it was called last; the caller holds mu.
func (h *host) serve() {
	now := time.Now()
	took := now.Sub(h.counted)
	if h.counted.IsZero() || h.main == "" {
		took = 0
	}
	h.counted = now
	n := int64(took.Seconds() * rate)
	if n <= 0 {
		return
	}
	to := h.binomial(n, h.share)
	if h.beside == "" {
		to = 0
	}
	h.answer(h.main, n-to)
	h.answer(h.beside, to)
}

func (h *host) answer(d release.Digest, n int64) {
	p := h.placed[d]
	if p == nil {
		return
	}
	b := h.n.w.releases[d]
	p.requests += n
	h.n.w.mu.Lock()
	h.n.w.served[d] += n
	h.n.w.mu.Unlock()
	p.bad[verdict.Error] += h.binomial(n, b.errors)
	p.bad[verdict.Service] += h.binomial(n, b.services)
}

func (h *host) binomial(n int64, p float64) int64 {
	if p <= 0 {
		return 0
	}
	// From one that happens to the next one is a geometric step.
	k, at := int64(0), int64(0)
	for {
		at += 1 + int64(math.Log(1-h.n.w.roll())/math.Log1p(-p))
		if at > n {
			return k
		}
		k++
	}
}

func (h *host) Counts() map[string][]fleet.Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve()
	var all []fleet.Count
	for d, p := range h.placed {
		bad := map[string]int64{}
		for metric, n := range p.bad {
			bad[metric] = n
		}
		all = append(all, fleet.Count{Release: d, Since: p.since, Beside: d == h.beside, View: "v", Requests: p.requests, Bad: bad})
	}
	return map[string][]fleet.Count{testProgram: all}
}

// link is a node's way to the control nodes: as they do, it reads and writes the store.
type link struct {
	n     *nodeProcess
	store *faultstore.Store
}

const attachedFor = 6 * time.Second

func (l *link) Follow(ctx context.Context) (<-chan fleet.Heard, error) {
	lease, _, err := l.store.Grant(ctx, attachedFor)
	if err != nil {
		return nil, err
	}
	value := encode(map[string]string{"environment": testEnvironment})
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
		FollowIntents(ctx, l.store, testEnvironment, l.n.cell, func(intents map[string]*fleet.Intent) {
			select {
			case out <- fleet.Heard{Intents: intents}:
			case <-ctx.Done():
			}
		})
	}()
	return out, nil
}

func (l *link) Report(ctx context.Context, s *fleet.Status) error {
	return Report(ctx, l.store, testEnvironment, l.n.name, s, time.Now())
}

func (l *link) Count(ctx context.Context, c *fleet.Counters) error {
	if _, err := l.store.Range(ctx, election.Span{Keys: election.Key("reached?")}); err != nil {
		return err
	}
	l.n.w.mu.Lock()
	defer l.n.w.mu.Unlock()
	l.n.w.counters[c.Node] = c
	return nil
}
