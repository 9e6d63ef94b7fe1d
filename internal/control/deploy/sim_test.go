package deploy

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/faultstore"
)

var (
	runs    = flag.Int("runs", 200, "simulated deployments of TestDeployments")
	oneSeed = flag.Uint64("seed", 0, "the only run of TestDeployments")
)

var causes = deploytest.Causes(5 * time.Second)

// simPipeline is short, as time is what a simulation costs.
func simPipeline() Pipeline {
	return Pipeline{Stages: []Stage{
		{Name: "onebox", Kind: Onebox, Share: 0.2, Bake: 60 * time.Second, Requests: 100},
		{Name: "wave 1", Kind: Wave, Share: 0.4, Bake: 20 * time.Second},
		{Name: "wave 2", Kind: Wave, Share: 1, Bake: 20 * time.Second},
	}, Unavailable: 0.4}
}

// simulation is one run.
type simulation struct {
	*world
	cause  deploytest.Cause
	judge  *judge
	took   time.Duration // until it had ended, from when faults had
	faults int
	random *rand.Rand // of faults
}

// TestDeployments: whatever breaks, deployments come to what is right of their candidates,
// nothing is lost or done twice, and the blame is right.
func TestDeployments(t *testing.T) {
	n := *runs
	if testing.Short() {
		n = min(n, 40)
	}
	seeds := make([]uint64, n)
	base := rand.Uint64() >> 1
	for i := range seeds {
		seeds[i] = base + uint64(i)
	}
	if *oneSeed != 0 {
		seeds = []uint64{*oneSeed}
	}
	t.Logf("%d runs from seed %d", len(seeds), seeds[0])
	quiet := faultFree(t)
	var next, faults atomic.Int64
	var working sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(seeds)) {
		working.Go(func() {
			for {
				i := next.Add(1) - 1
				if int(i) >= len(seeds) || t.Failed() {
					return
				}
				seed := seeds[i]
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					s := simulate(t, seed, causes[seed%uint64(len(causes))], true)
					faults.Add(int64(s.faults))
					if most := 3*quiet[s.cause.Name] + time.Minute/2; s.took > most {
						t.Errorf("it took %s after the faults, and without any it takes %s", s.took, quiet[s.cause.Name])
					}
				})
			}
		})
	}
	working.Wait()
	t.Logf("%.1f faults a run", float64(faults.Load())/float64(len(seeds)))
}

// faultFree is how long deployments take when nothing breaks.
func faultFree(t *testing.T) map[string]time.Duration {
	took := map[string]time.Duration{}
	for _, c := range causes {
		t.Run("quiet/"+c.Name, func(t *testing.T) {
			took[c.Name] = simulate(t, 1, c, false).took
			t.Logf("%s", took[c.Name])
		})
	}
	return took
}

func simulate(t *testing.T, seed uint64, c deploytest.Cause, faults bool) *simulation {
	var s *simulation
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s = &simulation{world: newWorld(t, ctx, seed, 3, 5), cause: c, random: rand.New(rand.NewPCG(seed, 2))}
		s.judge = newJudge(s)
		s.run(faults)
		s.stop()
		cancel()
		s.judge.close()
	})
	return s
}

// run deploys a first release, and then the candidate while things break.
func (s *simulation) run(faults bool) {
	s.releases[digest("one")], s.releases[digest("two")] = s.cause.Was, s.cause.Is
	if faults {
		for _, c := range s.controllers {
			c.skew = time.Duration(s.random.Int64N(int64(2*time.Hour))) - time.Hour
		}
	}
	s.start()
	s.judge.await(s.deploy("one"), 30*time.Minute)
	if faults {
		s.breakThings(5)
	}
	began := time.Now()
	id := s.deploy("two")
	if s.cause.Asks {
		go func() {
			time.Sleep(20 * time.Second)
			service := &Service{Store: s.inner}
			if _, err := service.Ask(s.ctx, id, AskBack, Ask{By: "ann", Why: "it looks wrong"}); err != nil {
				s.t.Error(err)
			}
		}()
	}
	if faults {
		s.breakThings(20 + s.random.IntN(10))
		s.mend()
	}
	calm := time.Now()
	s.judge.await(id, 3*time.Hour)
	if s.took = time.Since(calm); !faults {
		s.took = time.Since(began)
	}
	s.judge.check(id)
}

// deploy asks for a release, as often as it takes, as a client does whose answers get lost.
func (s *simulation) deploy(name string) string { return s.deployBy(name, simPipeline()) }

func (s *simulation) deployBy(name string, p Pipeline) string {
	store := faultstore.Wrap(s.inner, faultstore.Random(s.random.Uint64(), faultstore.Rates{Before: 0.2, After: 0.2}))
	service := &Service{Store: store}
	for {
		id, err := service.Create(s.ctx, Plan{Program: testProgram, Environment: testEnvironment, Release: digest(name), Request: "request of " + name, By: "ann", Pipeline: p})
		if err == nil {
			return id
		}
		time.Sleep(time.Second)
	}
}

// breakThings breaks one thing after the other, within some minutes.
func (s *simulation) breakThings(n int) {
	for range n {
		time.Sleep(time.Duration(s.random.Int64N(int64(10 * time.Second))))
		s.breakOne()
		if *oneSeed != 0 {
			s.t.Logf("%s something broke", time.Since(s.began).Round(time.Millisecond))
		}
		s.faults++
	}
}

// mend mends all.
func (s *simulation) mend() {
	for _, c := range s.controllers {
		c.start()
		c.store.SetPlan(nil)
		c.store.Heal()
		c.store.Resume()
	}
	for _, n := range s.nodes {
		n.start()
		n.with(func(f *faultstore.Store) { f.SetPlan(nil); f.Heal(); f.Resume() })
	}
	s.objects.Fail(0)
	s.ask(true)
}

// ask has hubs answer each other, or not.
func (s *simulation) ask(answer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.hubs {
		s.hubs[i].away = !answer
	}
}

// with does something to a node's way to the store, if it runs.
func (n *nodeProcess) with(do func(*faultstore.Store)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.end != nil {
		do(n.store)
	}
}

// breakOne breaks one thing, or mends it.
func (s *simulation) breakOne() {
	c := s.controllers[s.random.IntN(len(s.controllers))]
	n := s.nodes[s.random.IntN(len(s.nodes))]
	switch s.random.IntN(16) {
	case 0: // dies between two writes
		if c.end != nil {
			at, after := c.store.Calls(faultstore.Txn)+1+s.random.IntN(3), s.random.IntN(2) == 0
			c.store.SetPlan(func(call faultstore.Call) faultstore.Fault {
				if call.Operation != faultstore.Txn || call.Count < at {
					return faultstore.Fault{}
				}
				if after && call.Count == at {
					return faultstore.Fault{After: faultstore.ErrLost}
				}
				return faultstore.Fault{Before: election.ErrNotReached}
			})
			time.Sleep(3 * time.Second)
			c.kill()
		}
	case 1:
		c.kill()
	case 2, 3:
		c.start()
		c.store.Heal()
		c.store.Resume()
		c.store.SetPlan(nil)
	case 4: // a leader that is paused, and goes on as if nothing was
		if c.end != nil {
			c.store.Stall()
			time.Sleep(time.Duration(s.random.Int64N(int64(12 * time.Second))))
			c.store.Resume()
		}
	case 5: // answers that get lost
		if c.end != nil {
			c.store.SetPlan(faultstore.Random(s.random.Uint64(), faultstore.Rates{Before: 0.15, After: 0.15, Delay: 0.2, Longest: 2 * time.Second}))
		}
	case 6: // watches that end
		if c.end != nil {
			c.store.Cut(election.ErrNotReached)
		}
		n.with(func(f *faultstore.Store) { f.Cut(election.ErrNotReached) })
	case 7: // what watches have not seen is forgotten
		page, err := s.inner.Range(s.ctx, election.Span{Keys: election.Key("x")})
		if err == nil {
			_ = s.inner.Compact(s.ctx, page.Revision)
		}
	case 8: // a node flaps
		if s.cause.Is.Dies == 0 || s.random.IntN(3) == 0 {
			s.flap(n)
		}
	case 9: // a node is cut off, or hears again
		n.with(func(f *faultstore.Store) {
			if s.random.IntN(2) == 0 {
				f.Partition()
			} else {
				f.Heal()
			}
		})
	case 10, 11: // writes that arrive when nobody expects them any more
		if c.end != nil {
			c.late.arm(1+s.random.IntN(3), time.Duration(s.random.Int64N(int64(15*time.Second))))
		}
	case 12:
		s.objects.Fail([]float64{0, 0.3, 1}[s.random.IntN(3)])
	case 13, 14: // a node's stream is cut, and it goes on with another control node
		n.at.Store(1 - n.at.Load())
	case 15:
		s.ask(s.random.IntN(2) == 0)
	}
}

// flap has a node's machine lose its power once. That a process was killed while it ran a
// candidate counts against the candidate, so it is once a run, and of a node of its own.
func (s *simulation) flap(n *nodeProcess) {
	if s.judge.flapped {
		return
	}
	s.judge.flapped = true
	n.kill()
	time.Sleep(time.Duration(s.random.Int64N(int64(8 * time.Second))))
	n.start()
}
