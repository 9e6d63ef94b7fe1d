//go:build !solo

// A responder runs what its fleet is told to: releases become those of its server.

package main

import (
	"context"
	"errors"
	"maps"
	"sync"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/serve"
)

// fleetHost is the server of a responder, as the node's agent drives it.
type fleetHost struct {
	responder *responder
	disk      *release.Disk
	cache     string // a folder of compiled code
	own       ownServer

	mu     sync.Mutex
	placed map[string]placement // by program
}

// placement is what the server serves of a program.
type placement struct {
	main, beside *preparedRelease // nil is none
	share        float64          // of the root requests, to beside
}

// preparedRelease is a release of the fleet, made ready for the server.
type preparedRelease struct {
	digest   release.Digest
	release  *serve.Release
	bindings *bind.Bindings // nil where nothing is called
}

// Prepare is part of fleet.Host.
func (h *fleetHost) Prepare(ctx context.Context, _ string, l *release.Loaded) (fleet.Prepared, error) {
	if l.Release.Executable != nil {
		return prepareTow(ctx, h.disk, l.Release)
	}
	root, err := h.disk.Files(ctx, l.Release.Binding.Digest)
	if err != nil {
		return nil, err
	}
	var p *engine.Program
	err = caught(func() (err error) {
		p, err = engine.Load(ctx, l.Artifact, engine.Options{CacheDir: h.cache})
		return err
	})
	if err != nil {
		return nil, faultOf(fleet.Unfit, err)
	}
	out := &preparedRelease{digest: l.Digest, release: &serve.Release{Engine: p}}
	out.bindings, err = h.responder.bind(out.release, l.Release.Program, root, l.Release.Environment)
	if err != nil {
		return nil, faultOf(fleet.Unbound, errors.Join(err, discard(ctx, out.release)))
	}
	if err := p.Warm(4); err != nil {
		return nil, errors.Join(err, discard(ctx, out.release))
	}
	return out, nil
}

// faultOf is what is wrong with a release, or the error itself where that says nothing of it.
func faultOf(kind fleet.Kind, err error) error {
	if fleet.Passing(err) {
		return err
	}
	return &fleet.Fault{Kind: kind, Err: err}
}

// caught does something that panics where the machine has no memory for code, as wazero does, and
// makes an error of that, as the node serves on without.
func caught(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			short, is := r.(error)
			if !is || !fleet.Passing(short) {
				panic(r)
			}
			err = short
		}
	}()
	return do()
}

// Probe is part of fleet.Prepared.
func (p *preparedRelease) Probe(ctx context.Context) error {
	if p.bindings == nil {
		return nil
	}
	return p.bindings.Probe(ctx)
}

// Close is part of fleet.Prepared.
func (p *preparedRelease) Close() { _ = discard(context.Background(), p.release) }

// Place is part of fleet.Host.
func (h *fleetHost) Place(program string, main, beside fleet.Prepared, share float64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := placement{share: share}
	now.main, _ = main.(*preparedRelease)
	now.beside, _ = beside.(*preparedRelease)
	switch {
	case now.main == nil:
		delete(h.placed, program)
		h.responder.server.Remove(program)
	case now.beside == nil:
		h.placed[program] = now
		h.responder.server.Place(program, now.main.release, nil, 0)
	default:
		h.placed[program] = now
		h.responder.server.Place(program, now.main.release, now.beside.release, share)
	}
	return nil
}

// Counts is part of fleet.Host.
func (h *fleetHost) Counts() map[string][]fleet.Count {
	h.mu.Lock()
	placed := maps.Clone(h.placed)
	h.mu.Unlock()
	all := map[string][]fleet.Count{}
	for program, now := range placed {
		for _, t := range now.main.release.Tallies() {
			all[program] = append(all[program], countOf(now.main, t))
		}
		if now.beside == nil {
			continue
		}
		for _, t := range now.beside.release.Tallies() {
			c := countOf(now.beside, t)
			c.Beside, c.Share = true, now.share
			all[program] = append(all[program], c)
		}
	}
	return all
}

// countOf is a tally as the fleet counts.
func countOf(p *preparedRelease, t serve.Tally) fleet.Count {
	return fleet.Count{
		Release: p.digest, Since: p.release.Placed(), View: t.View, Requests: t.Requests, Gone: t.Gone,
		Bad: map[string]int64{
			verdict.Error: t.Errors, verdict.Service: t.Services, verdict.Timeout: t.Timeouts, verdict.Fault: t.Faults,
			verdict.Fallback: t.Fallback, verdict.Shed: t.Shed,
		},
		Latency: histogramOf(t.Latency), CPU: histogramOf(t.CPU),
	}
}

func histogramOf(buckets []int64) *verdict.Histogram {
	h := &verdict.Histogram{}
	for i, n := range buckets {
		if n > 0 {
			h.AddN(serve.BucketFloor(i), n)
		}
	}
	return h
}
