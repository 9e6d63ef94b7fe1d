package fleet

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"towpath.dev/internal/control/release"
)

// prober is a host whose second release calls something that does not answer.
type prober struct {
	*process
	heeds time.Duration // for how long what hangs goes on, once nobody waits for it
	hangs chan struct{} // one for each probe that hangs
	open  atomic.Int32  // second releases that are not closed
	wrong atomic.Pointer[string]
}

// hanging is its second release.
type hanging struct {
	prepared
	h       *prober
	probing atomic.Bool
	closed  atomic.Bool
}

func (p *prober) Prepare(_ context.Context, _ string, l *release.Loaded) (Prepared, error) {
	if l.Digest != two {
		return prepared{l.Digest}, nil
	}
	p.open.Add(1)
	return &hanging{prepared: prepared{two}, h: p}, nil
}

func (p *prober) Place(program string, main, beside Prepared, share float64) error {
	bare := func(r Prepared) Prepared {
		if h, ok := r.(*hanging); ok {
			return h.prepared
		}
		return r
	}
	return p.process.Place(program, bare(main), bare(beside), share)
}

func (r *hanging) Probe(ctx context.Context) error {
	r.probing.Store(true)
	defer r.probing.Store(false)
	r.h.hangs <- struct{}{}
	<-ctx.Done()
	time.Sleep(r.h.heeds)
	if r.closed.Load() {
		r.h.complain("it was closed while it was probed")
	}
	return ctx.Err()
}

func (r *hanging) Close() {
	if r.probing.Load() {
		r.h.complain("it is closed while it is probed")
	}
	if r.closed.Swap(true) {
		r.h.complain("it is closed twice")
	}
	r.h.open.Add(-1)
}

func (p *prober) complain(text string) { p.wrong.Store(&text) }

// TestNotNeededWhileProbed: whatever has a release not be needed any more while what it calls is
// probed, and does not answer, ends the probe. It is closed after that, and the node does not wait.
func TestNotNeededWhileProbed(t *testing.T) {
	asks := &Intent{Deployment: "d2", Release: one, Candidate: two, Probe: &Probe{Round: 1, By: []string{"n"}}}
	for name, ends := range map[string]struct {
		by func(m *machine, stop func())
		// serves is what the node serves at once, while the probe may still be returning.
		serves release.Digest
	}{
		"a rollback":        {func(m *machine, _ func()) { m.intend(&Intent{Deployment: "d2", Release: one}) }, one},
		"another release":   {func(m *machine, _ func()) { m.intend(&Intent{Deployment: "d3", Release: digest("three")}) }, digest("three")},
		"the program's end": {func(m *machine, _ func()) { m.set(func() { m.intents = map[string]*Intent{} }) }, ""},
		"the process's end": {func(_ *machine, stop func()) { stop() }, one},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, m *machine) {
				host := &prober{heeds: 3 * time.Second, hangs: make(chan struct{}, 10)}
				m.with = func(o *Options) {
					host.process = o.Host.(*process)
					o.Host = host
				}
				_, stop := m.start()
				m.intend(&Intent{Deployment: "d1", Release: one})
				m.runs(one, "")
				m.intend(asks)
				<-host.hangs
				if ends.by(m, stop); name != "the process's end" {
					defer stop()
				}
				time.Sleep(time.Second)
				m.mu.Lock()
				if m.main != ends.serves {
					t.Errorf("a second later it serves %s; expected %s", m.main.Short(), ends.serves.Short())
				}
				m.mu.Unlock()
				time.Sleep(time.Minute)
				if why := host.wrong.Load(); why != nil {
					t.Error(*why)
				}
				if n := host.open.Load(); n != 0 {
					t.Errorf("%d of the candidate are still there", n)
				}
			})
		})
	}
}

// TestProbedAnew: a round that was cut off for want of one that is asked for no more, or by another
// trust policy, does not take the next one's place.
func TestProbedAnew(t *testing.T) {
	run(t, func(t *testing.T, m *machine) {
		host := &prober{hangs: make(chan struct{}, 10)}
		m.with = func(o *Options) {
			host.process = o.Host.(*process)
			o.Host = host
		}
		_, stop := m.start()
		defer stop()
		intent := func(round int64) *Intent {
			return &Intent{Deployment: "d2", Release: one, Candidate: two, Probe: &Probe{Round: round, By: []string{"n"}}}
		}
		m.intend(intent(1))
		<-host.hangs
		m.intend(intent(2))
		<-host.hangs // at once, and not after what bounds a probe
		time.Sleep(time.Minute)
		if r := m.said(); r.Probed == nil || r.Probed.Round != 2 || r.Probed.Candidate == "" || r.Probed.Release != "" {
			t.Errorf("it says %+v", r.Probed)
		}
	})
}
