package deploytest

import (
	"context"
	"errors"
	"maps"
	"math"
	"sync"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// HostOptions say what a host runs. All are needed.
type HostOptions struct {
	Program string
	Rate    float64 // requests a second
	Behaves func(release.Digest) Behaviour
	Roll    func() float64 // draws from 0 to 1, for one or several at once
	Die     func()         // ends the node's process, as a release has done it
}

// Host runs releases that behave as they are said to: nobody asks them, and all that
// happens is counted as if somebody did.
type Host struct {
	o   HostOptions
	ctx context.Context

	mu           sync.Mutex
	dead         bool
	main, beside release.Digest
	share        float64
	placed       map[release.Digest]*served
	counted      time.Time
}

// served is what a release has done since it was placed.
type served struct {
	since        time.Time
	requests     int64
	bad          map[string]int64
	latency, cpu verdict.Histogram
}

// Two in a thousand answers take long, and two in a thousand much CPU, whatever the release: so
// few that they are above the threshold that a thousand answers give. These are microseconds.
const (
	often            = 0.002
	quick, slow      = 2000, 80_000
	cheap, expensive = 100, 4000
)

// NewHost makes the host of a process that lives as long as the context.
func NewHost(ctx context.Context, o HostOptions) *Host {
	return &Host{o: o, ctx: ctx, placed: map[release.Digest]*served{}}
}

// Kill keeps releases from ending a process that has ended.
func (h *Host) Kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = true
}

// A Placed is what a node serves; "" is nothing.
type Placed struct{ Main, Beside release.Digest }

// Placed is what is served.
func (h *Host) Placed() Placed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Placed{h.main, h.beside}
}

// prepared is a release that could be placed.
type prepared struct {
	h      *Host
	digest release.Digest
}

func (p *prepared) Probe(ctx context.Context) error {
	if p.h.o.Behaves(p.digest).Unbound {
		return errors.New("the service does not answer")
	}
	return ctx.Err()
}

func (p *prepared) Close() {}

// compiling is how long it takes to make a release ready.
const compiling = 300 * time.Millisecond

// Prepare takes a moment, and refuses what is unfit.
func (h *Host) Prepare(ctx context.Context, _ string, l *release.Loaded) (fleet.Prepared, error) {
	select {
	case <-time.After(compiling):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.o.Behaves(l.Digest).Unfit {
		return nil, &fleet.Fault{Kind: fleet.Unfit, Err: errors.New("built by a tow that this one cannot serve")}
	}
	return &prepared{h, l.Digest}, nil
}

// Place has releases counted from now on.
func (h *Host) Place(_ string, main, beside fleet.Prepared, share float64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve()
	h.main, h.beside, h.share = digestOf(main), digestOf(beside), share
	now := map[release.Digest]*served{}
	for _, d := range []release.Digest{h.main, h.beside} {
		if d == "" {
			continue
		}
		if now[d] = h.placed[d]; now[d] == nil {
			now[d] = &served{since: time.Now(), bad: map[string]int64{}}
			if after := h.o.Behaves(d).Dies; after > 0 {
				go h.doom(d, after)
			}
		}
	}
	h.placed = now
	return nil
}

func digestOf(p fleet.Prepared) release.Digest {
	if p == nil {
		return ""
	}
	return p.(*prepared).digest
}

// doom has the process die of a release, if it still runs by then.
func (h *Host) doom(d release.Digest, after time.Duration) {
	select {
	case <-time.After(after):
	case <-h.ctx.Done():
		return
	}
	h.mu.Lock()
	runs := !h.dead && (h.main == d || h.beside == d)
	h.mu.Unlock()
	if runs {
		go h.o.Die() // which may wait for what runs here
	}
}

// serve counts what was asked since it was called last; the caller holds mu.
func (h *Host) serve() {
	now := time.Now()
	took := now.Sub(h.counted)
	if h.counted.IsZero() || h.main == "" {
		took = 0
	}
	h.counted = now
	n := int64(took.Seconds() * h.o.Rate)
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

func (h *Host) answer(d release.Digest, n int64) {
	p := h.placed[d]
	if p == nil {
		return
	}
	b := h.o.Behaves(d)
	p.requests += n
	p.bad[verdict.Error] += h.binomial(n, b.Errors)
	p.bad[verdict.Service] += h.binomial(n, b.Services)
	late, dear := h.binomial(n, often+b.Slow), h.binomial(n, often)
	p.latency.AddN(quick, n-late)
	p.latency.AddN(slow, late)
	p.cpu.AddN(cheap, n-dear)
	p.cpu.AddN(expensive, dear)
}

// binomial draws how many of n happen that each happen with the chance p.
func (h *Host) binomial(n int64, p float64) int64 {
	if p <= 0 {
		return 0
	}
	// From one that happens to the next one is a geometric step.
	k, at := int64(0), int64(0)
	for {
		at += 1 + int64(math.Log(1-h.o.Roll())/math.Log1p(-p))
		if at > n {
			return k
		}
		k++
	}
}

// Counts are those of what is placed.
func (h *Host) Counts() map[string][]fleet.Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve()
	var all []fleet.Count
	for d, p := range h.placed {
		c := fleet.Count{
			Release: d, Since: p.since, View: "v", Requests: p.requests, Bad: maps.Clone(p.bad),
			Latency: &verdict.Histogram{}, CPU: &verdict.Histogram{},
		}
		c.Latency.Merge(&p.latency)
		c.CPU.Merge(&p.cpu)
		if d == h.beside {
			c.Beside, c.Share = true, h.share
		}
		all = append(all, c)
	}
	return map[string][]fleet.Count{h.o.Program: all}
}
