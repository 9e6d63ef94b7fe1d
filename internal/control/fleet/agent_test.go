package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/control/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func digest(name string) release.Digest { return release.DigestOf([]byte(name)) }

var one, two = digest("one"), digest("two")

// machine is a node's: its disk, its way to the control plane, and what its processes serve.
type machine struct {
	t *testing.T

	mu       sync.Mutex
	disk     []byte // the memory
	broken   error  // what writing to the disk gives
	intents  map[string]*Intent
	cut      bool // nobody answers
	deaf     bool // reports are not taken
	follows  int  // that were begun
	kept     []release.Digest
	held     bool // the store was restored
	policy   []byte
	admitted release.Admitted // that is believed
	tells    release.Admitted
	with     func(*Options)                              // changes what an agent is made of; nil is nothing
	gate     func(d release.Digest, policy []byte) error // of what is got; nil is open
	changed  chan struct{}
	reports  []*Status
	missing  map[release.Digest]error // releases that cannot be had, or run
	main     release.Digest           // of the process that runs
	beside   release.Digest
	placings int
}

func newMachine(t *testing.T) *machine {
	return &machine{t: t, changed: make(chan struct{}), intents: map[string]*Intent{}, missing: map[release.Digest]error{}}
}

// set changes something, and tells who follows.
func (m *machine) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *machine) intend(i *Intent) { m.set(func() { m.intents = map[string]*Intent{"shop": i} }) }

// start starts the node's process. kill ends it as kill -9 does, stop in good order.
func (m *machine) start() (kill, stop func()) {
	p := &process{machine: m}
	o := Options{Node: "n", Environment: "prod", Cell: "c", Host: p, Link: p, Objects: p, Keeper: p}
	if m.with != nil {
		m.with(&o)
	}
	a, err := NewAgent(o)
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	ended := make(chan struct{})
	m.mu.Lock()
	m.main, m.beside = "", ""
	m.mu.Unlock()
	go func() {
		defer close(ended)
		if err := a.Run(ctx); !errors.Is(err, context.Canceled) {
			m.t.Error(err)
		}
	}()
	return func() {
			m.mu.Lock()
			p.dead = true
			m.mu.Unlock()
			cancel()
			<-ended
		}, func() {
			cancel()
			<-ended
		}
}

// runs says what the node serves once it has nothing to do.
func (m *machine) runs(main, beside release.Digest) {
	m.t.Helper()
	time.Sleep(time.Minute)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.main != main || m.beside != beside {
		m.t.Errorf("it runs %s beside %s; expected %s beside %s", m.main.Short(), m.beside.Short(), main.Short(), beside.Short())
	}
}

// said is what the node reported last.
func (m *machine) said() Running {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.reports) == 0 {
		return Running{}
	}
	return m.reports[len(m.reports)-1].Programs["shop"]
}

// own is a trouble of the node's own, as it reported last; "" is that it has none of the kind.
func (m *machine) own(k Kind) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.reports) == 0 {
		return ""
	}
	for _, t := range m.reports[len(m.reports)-1].Troubles {
		if t.Kind == k {
			return t.Text
		}
	}
	return ""
}

// process is a run of the node's process, as the agent sees it.
type process struct {
	*machine
	dead bool
}

var errDead = errors.New("dead")

func (p *process) Load() (*Memory, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return DecodeMemory("memory", p.disk)
}

func (p *process) Save(m *Memory) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errDead
	}
	if p.broken != nil {
		return p.broken
	}
	text, err := json.Marshal(m)
	p.disk = text
	return err
}

func (p *process) Follow(ctx context.Context) (<-chan Heard, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return nil, errors.New("nobody answers")
	}
	p.follows++
	out := make(chan Heard)
	go func() {
		defer close(out)
		for {
			p.mu.Lock()
			h, changed, cut := Heard{Intents: p.intents, Policy: p.policy, Admitted: p.tells}, p.changed, p.cut
			if p.held {
				h = Heard{Held: true}
			}
			p.mu.Unlock()
			if cut {
				return
			}
			select {
			case out <- h:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (p *process) Report(_ context.Context, s *Status) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.dead || p.deaf {
		return errors.New("nobody answers")
	}
	p.reports = append(p.reports, s)
	return nil
}

func (p *process) Count(context.Context, *Counters) ([]string, error) { return nil, nil }
func (p *process) Counts() map[string][]Count                         { return nil }
func (p *process) Keep(all []release.Digest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = all
	return nil
}

func (p *process) Believe(all release.Admitted) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	more := len(p.admitted.With(all...)) > len(p.admitted)
	p.admitted = p.admitted.With(all...)
	return more, nil
}

func (p *process) Get(_ context.Context, _ string, d release.Digest, policy []byte) (*release.Loaded, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.missing[d]; err != nil {
		return nil, err
	}
	if p.gate != nil {
		if err := p.gate(d, policy); err != nil {
			return nil, err
		}
	}
	return &release.Loaded{Digest: d}, nil
}

type prepared struct{ d release.Digest }

func (prepared) Probe(context.Context) error { return nil }
func (prepared) Close()                      {}

func (p *process) Prepare(_ context.Context, _ string, l *release.Loaded) (Prepared, error) {
	return prepared{l.Digest}, nil
}

func (p *process) Place(_ string, main, beside Prepared, _ float64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.main, p.beside = "", ""
	if main != nil {
		p.main = main.(prepared).d
	}
	if beside != nil {
		p.beside = beside.(prepared).d
	}
	p.placings++
	return nil
}

func run(t *testing.T, test func(t *testing.T, m *machine)) {
	synctest.Test(t, func(t *testing.T) { test(t, newMachine(t)) })
}

// TestFollows: a node runs what it shall, and says so, once.
func TestFollows(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Onebox: "n", Share: 0.2})
		m.runs(one, two)
		if r := m.said(); r.Main != one || r.Beside != two || r.Share != 0.2 {
			t.Errorf("it says %+v", r)
		}
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		m.intend(&Intent{Deployment: "d2", Release: two})
		m.runs(two, "")
		if r := m.said(); r.Previous != one {
			t.Errorf("it says %+v", r)
		}
		if len(m.reports) > 7 { // the first of them if it hears of nothing before it hears of d1
			t.Errorf("it reported %d times", len(m.reports))
		}
		m.set(func() { m.intents = map[string]*Intent{} })
		m.runs("", "")
	})
}

// TestReportsWhatIsNew: what changes for others is no reason to report, as each report is written;
// another connection is, as who is there may know less.
func TestReportsWhatIsNew(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		reports := func() int {
			time.Sleep(time.Minute)
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.reports)
		}
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		before := reports()
		for seq := range 20 {
			m.intend(&Intent{Deployment: "d1", Seq: int64(seq), Release: one, Probe: &Probe{Round: int64(seq), By: []string{"another"}}})
			time.Sleep(time.Second)
		}
		if n := reports() - before; n > 0 {
			t.Errorf("it reported %d times what it had said", n)
		}
		m.set(func() { m.cut = true })
		time.Sleep(time.Minute)
		m.set(func() { m.cut = false })
		if n := reports() - before; n != 1 {
			t.Errorf("it reported %d times to who may know less", n)
		}
	})
}

// TestGoesBackByItself: a node that dies twice of a release goes back, while nobody answers
// it, and says so when somebody does.
func TestGoesBackByItself(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		kill, _ := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		time.Sleep(time.Hour) // it survives the first one
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		m.set(func() { m.cut = true })
		kill()
		kill, _ = m.start()
		m.runs(two, "") // once is no proof
		kill()
		_, stop := m.start()
		m.runs(one, "")
		m.set(func() { m.cut = false })
		m.runs(one, "")
		r := m.said()
		if trouble := r.Trouble(two); trouble == nil || trouble.Kind != GaveUp || trouble.Count != 2 {
			t.Errorf("it says %+v", r)
		}
		// Asked for by another deployment it is tried again.
		m.intend(&Intent{Deployment: "d3", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		stop()
	})
}

// TestNothingElse: a node that has nothing to go back to runs what it died of again.
func TestNothingElse(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		kill, _ := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		for range 3 {
			kill()
			kill, _ = m.start()
			m.runs(one, "")
		}
		if r := m.said(); r.Trouble(one) == nil || r.Trouble(one).Kind != GaveUp {
			t.Errorf("it says %+v", r)
		}
		kill()
	})
}

// TestEndsThatAreNoDeaths: a process that is stopped, and one that ran a release for long
// before it died, say nothing against the release.
func TestEndsThatAreNoDeaths(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		kill, stop := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		for range 4 {
			stop()
			kill, stop = m.start()
			m.runs(one, "")
		}
		time.Sleep(time.Hour)
		for range 4 {
			kill()
			kill, stop = m.start()
			m.runs(one, "")
		}
		if r := m.said(); len(r.Troubles) > 0 {
			t.Errorf("it says %+v", r)
		}
		stop()
	})
}

// TestDiesLateOfACandidate: a node whose candidate kills it once it has run for long enough says so
// from the second time on, for others to go back; by itself it does not, whatever it was that it died of.
func TestDiesLateOfACandidate(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		kill, stop := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		time.Sleep(time.Hour)
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		for n := 1; n <= 3; n++ {
			time.Sleep(15 * time.Minute)
			kill()
			kill, stop = m.start()
			m.runs(two, "")
			r := m.said()
			switch trouble := r.Trouble(two); {
			case n == 1 && trouble == nil:
			case n == 1 || trouble == nil || trouble.Kind != Crashed || trouble.Count != n:
				t.Errorf("after %d deaths it says %+v", n, r)
			}
		}
		stop()
	})
}

// TestMachinesThatEnd: that a machine is started anew, or that it was another one, is no death of
// what ran there.
func TestMachinesThatEnd(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		boot := "a"
		m.with = func(o *Options) { o.Kills = Kills{Boot: boot} }
		kill, _ := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(two, "")
		for _, boot = range []string{"b", "c", "d"} {
			kill()
			kill, _ = m.start()
			m.runs(two, "")
		}
		if r := m.said(); len(r.Troubles) > 0 {
			t.Errorf("it says %+v", r)
		}
		kill() // of itself, this time
		kill, _ = m.start()
		m.runs(two, "")
		if r := m.said(); r.Trouble(two) == nil || r.Trouble(two).Count != 1 {
			t.Errorf("it says %+v", r)
		}
		kill()
	})
}

// TestAlone: a node starts with what it was told last, and serves, while nobody answers.
func TestAlone(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		stop()
		m.set(func() { m.cut = true })
		_, stop = m.start()
		m.runs(one, "")
		stop()
	})
}

// TestHeld: after a restore a node goes on as it is, says what it runs, and follows what was
// restored once a person has let it.
func TestHeld(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.intend(&Intent{Deployment: "d2", Release: two})
		m.runs(two, "")
		m.set(func() {
			m.held, m.reports = true, nil
			m.intents = map[string]*Intent{"shop": {Deployment: "d1", Release: one}}
		})
		m.runs(two, "")
		if r := m.said(); r.Main != two {
			t.Errorf("it says %+v", r)
		}
		m.set(func() { m.held = false })
		m.runs(one, "")
	})
}

// TestCannotBeHad: what cannot be had is tried again; what cannot be run is not, and the node
// serves on.
func TestCannotBeHad(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.set(func() { m.missing[two] = errors.New("503") })
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(one, "")
		if r := m.said(); r.Trouble(two) == nil || r.Trouble(two).Kind != Fetching {
			t.Errorf("it says %+v", r)
		}
		m.set(func() { delete(m.missing, two) })
		m.runs(two, "")
		if r := m.said(); len(r.Troubles) > 0 {
			t.Errorf("it says %+v", r)
		}
		three := digest("three")
		m.set(func() { m.missing[three] = &Fault{Kind: Distrust, Err: errors.New("nobody has signed it")} })
		m.intend(&Intent{Deployment: "d3", Release: two, Candidate: three, Reach: 1})
		m.runs(two, "")
		if r := m.said(); r.Trouble(three) == nil || r.Trouble(three).Kind != Distrust {
			t.Errorf("it says %+v", r)
		}
	})
}

// TestFullDisk: a release is not put in place before it is written down that it is tried.
func TestFullDisk(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		_, stop := m.start()
		defer stop()
		m.intend(&Intent{Deployment: "d1", Release: one})
		m.runs(one, "")
		m.set(func() { m.broken = errors.New("no space left on device") })
		m.intend(&Intent{Deployment: "d2", Release: one, Candidate: two, Reach: 1})
		m.runs(one, "")
		m.set(func() { m.broken = nil })
		m.runs(two, "")
	})
}

// TestOrder: reach has as many nodes as it is asked for, and those before them with it.
func TestOrder(t *testing.T) {
	var nodes []string
	for i := range 100 {
		nodes = append(nodes, fmt.Sprintf("node-%d", i))
	}
	var before []string
	for n := range 101 {
		reach := ReachOf("shop.prod.1", nodes, n)
		i := &Intent{Deployment: "shop.prod.1", Release: one, Candidate: two, Reach: reach}
		var in []string
		for _, node := range nodes {
			if i.RoleOf(node).Main == two {
				in = append(in, node)
			}
		}
		if len(in) != n {
			t.Fatalf("%d nodes are reached; expected %d", len(in), n)
		}
		for _, node := range before {
			if !slices.Contains(in, node) {
				t.Fatalf("%s was among the first %d, and is not among the first %d", node, n-1, n)
			}
		}
		before = in
	}
}
