//go:build linux

package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A tally counts faults by their names.
type tally struct {
	mu  sync.Mutex
	all map[string]int
}

func newTally() *tally { return &tally{all: map[string]int{}} }

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[name]++
}

func (t *tally) sum() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.all {
		n += k
	}
	return n
}

// A fault breaks something, and mends it before it returns.
type fault struct {
	name string
	do   func(ctx context.Context, random *rand.Rand) error
	once bool // a round
}

// breakThings breaks one thing after the other in each of several places, for as long and as
// often as the options say, and returns when all is mended.
func (w *world) breakThings(ctx context.Context, runs []*run, broke *tally) error {
	seed := runs[0].seed
	breaking, cancel := context.WithCancel(ctx)
	defer cancel()
	until := time.Now().Add(time.Duration(w.o.Seconds) * time.Second)
	struck := func() {
		few := slices.ContainsFunc(runs, func(r *run) bool { return r.broke.sum()+broke.sum() < w.o.Faults })
		if !few && time.Now().After(until) {
			cancel()
		}
	}
	var places sync.WaitGroup
	at := func(place uint64, to *tally, random *rand.Rand, faults []fault) {
		places.Go(func() {
			if err := strike(breaking, to, random, faults, struck); err != nil {
				w.cancel(fmt.Errorf("what breaks things, place %d: %w", place, err))
			}
		})
	}
	for i, faults := range [][]fault{w.storeFaults(), w.controllerFaults(), w.otherFaults(runs)} {
		at(uint64(i), broke, rand.New(rand.NewPCG(seed, 10+uint64(i))), faults)
	}
	for i, r := range runs {
		at(10+uint64(i), r.broke, r.random, r.faults())
	}
	places.Wait()
	return context.Cause(ctx)
}

// strike draws faults until the context ends, and tells of each. A fault that has begun is
// mended in any case.
func strike(ctx context.Context, to *tally, random *rand.Rand, faults []fault, struck func()) error {
	for {
		pause(ctx, between(random, 100*time.Millisecond, time.Second))
		if ctx.Err() != nil {
			return nil
		}
		i := random.IntN(len(faults))
		f := faults[i]
		if f.once {
			faults = slices.Delete(faults, i, i+1)
		}
		to.add(f.name)
		struck()
		if err := f.do(ctx, random); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
}

// between draws a duration.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// storeFaults befall the members of etcd, mostly one at a time.
func (w *world) storeFaults() []fault {
	leader := func(do func(int) error) error {
		i, err := w.cluster.Leader()
		if err != nil {
			return err
		}
		return do(i)
	}
	kill := func(ctx context.Context, random *rand.Rand, which ...int) (err error) {
		for _, i := range which {
			w.cluster.Process(i).Kill()
		}
		pause(ctx, between(random, 200*time.Millisecond, 2*time.Second))
		for _, i := range which {
			err = errors.Join(err, w.cluster.Start(i))
		}
		return err
	}
	return []fault{
		{name: "a member of etcd killed", do: func(ctx context.Context, random *rand.Rand) error {
			return kill(ctx, random, random.IntN(members))
		}},
		{name: "etcd's leader killed", do: func(ctx context.Context, random *rand.Rand) error {
			return leader(func(i int) error { return kill(ctx, random, i) })
		}},
		{name: "a majority of etcd killed", do: func(ctx context.Context, random *rand.Rand) error {
			return kill(ctx, random, random.Perm(members)[1:]...)
		}},
		{name: "etcd's leader stopped", do: func(ctx context.Context, random *rand.Rand) error {
			return leader(func(i int) error {
				p := w.cluster.Process(i)
				if err := p.Stop(); err != nil {
					return err
				}
				pause(ctx, between(random, 500*time.Millisecond, 4*time.Second))
				return p.Continue()
			})
		}},
		{name: "etcd's history compacted", do: func(ctx context.Context, _ *rand.Rand) error {
			seen, _ := w.sight.at() // the judge looks at all of it
			ctx, cancel := context.WithTimeout(ctx, ttl)
			defer cancel()
			_ = w.store.Compact(ctx, seen) // it may be compacted already, or have no leader
			return nil
		}},
	}
}

// controllerFaults befall the controllers.
func (w *world) controllerFaults() []fault {
	one := func(random *rand.Rand) *actor { return w.controllers[random.IntN(len(w.controllers))] }
	kill := fault{name: "a controller killed", do: func(_ context.Context, random *rand.Rand) error {
		one(random).kill(between(random, 0, 2*time.Second))
		return nil
	}}
	stop := fault{name: "a controller stopped", do: func(ctx context.Context, random *rand.Rand) error {
		return one(random).stop(ctx, between(random, ttl/3, 2*ttl))
	}}
	cut := fault{name: "a controller cut off", do: func(ctx context.Context, random *rand.Rand) error {
		return one(random).cut(ctx, between(random, ttl/3, 2*ttl))
	}}
	return []fault{kill, kill, kill, kill, stop, stop, cut}
}

// otherFaults befall object storage, for all, and the counters' way.
func (w *world) otherFaults(runs []*run) []fault {
	all := append([]*actor{}, w.controllers...)
	for _, r := range runs {
		all = append(all, r.nodes...)
	}
	return []fault{
		{name: "object storage away", do: func(ctx context.Context, random *rand.Rand) error {
			rate := []float64{0.3, 1}[random.IntN(2)]
			for _, a := range all {
				a.fail(rate)
			}
			pause(ctx, between(random, time.Second, 4*time.Second))
			for _, a := range all {
				a.fail(0)
			}
			return nil
		}},
		{name: "counters away", do: func(ctx context.Context, random *rand.Rand) error {
			w.hub.fail([]float64{0.5, 1}[random.IntN(2)])
			pause(ctx, between(random, 500*time.Millisecond, 2*time.Second))
			w.hub.fail(0)
			return nil
		}},
	}
}

// faults befall the run's nodes. That a process was killed while it ran a candidate counts
// against the candidate, so it is once a run.
func (r *run) faults() []fault {
	one := func(random *rand.Rand) *actor { return r.nodes[random.IntN(len(r.nodes))] }
	stop := fault{name: "a node stopped", do: func(ctx context.Context, random *rand.Rand) error {
		return one(random).stop(ctx, between(random, 200*time.Millisecond, ttl))
	}}
	cut := fault{name: "a node cut off", do: func(ctx context.Context, random *rand.Rand) error {
		return one(random).cut(ctx, between(random, 500*time.Millisecond, 2*ttl))
	}}
	kill := fault{name: "a node killed", once: true, do: func(_ context.Context, random *rand.Rand) error {
		one(random).kill(between(random, 0, 3*time.Second))
		return nil
	}}
	return []fault{stop, cut, kill}
}

// stop has the process stand still for a time. One that has just ended is none.
func (a *actor) stop(ctx context.Context, d time.Duration) error {
	p := a.now()
	if err := p.Stop(); err != nil {
		return nothingIf(p.Done(), err)
	}
	pause(ctx, d)
	return nothingIf(p.Done(), p.Continue())
}

// nothingIf is no error if a process has ended, which may just be found out.
func nothingIf(ended <-chan struct{}, err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-time.After(time.Second):
		return err
	}
}

// cut cuts the process's host off from all others for a time.
func (a *actor) cut(ctx context.Context, d time.Duration) error {
	if err := a.host.Unplug(); err != nil {
		return err
	}
	pause(ctx, d)
	return a.host.Plug()
}
