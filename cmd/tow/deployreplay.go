//go:build !solo

// tow deploy --replay: recorded requests are answered by both releases before anything moves.

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact/sample"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
)

// replayMost is how many recorded requests are replayed: without a difference in so many,
// no more than one in a thousand answers are another one.
const replayMost = 3000

// evidence is what recorded requests show.
type evidence struct{ requests, differ int64 }

// replayBoth has recorded requests answered by the release that runs and by the candidate.
func (d *deploying) replayBoth(ctx context.Context, c *client.Control, m *made) (evidence, error) {
	var found evidence
	if m.head.GetCurrent() == "" {
		return found, nil
	}
	old, err := release.Load(ctx, apiSource{c}, release.Digest(m.head.GetCurrent()))
	if err != nil {
		return found, fmt.Errorf("the release that runs: %w", err)
	}
	r := &replaying{archive: archive{ui: d.ui}, kept: map[string]*record.Replayer{}}
	defer r.close(ctx)
	before, err := r.load(ctx, old.Artifact)
	if err != nil {
		return found, err
	}
	after, err := r.load(ctx, m.artifact)
	if err != nil {
		return found, err
	}
	if d.replay == "" {
		return d.generate(ctx, r.programs[0], before, after), ctx.Err()
	}
	records, err := record.Read(d.replay)
	if err != nil {
		return found, err
	}
	var shown []*replayed
	for e := range records.All(record.Filter{Limit: replayMost}) {
		if e.Program != m.release.Program {
			continue
		}
		cmp, err := record.Compare(ctx, e, before, after)
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if err != nil { // a view that one of them has not: what that means is said by types
			continue
		}
		if cmp.Skipped != "" {
			continue
		}
		found.requests++
		if cmp.Same {
			continue
		}
		found.differ++
		if len(shown) < maxDiffering {
			shown = append(shown, &replayed{ID: e.ID, View: e.Record.View, Begin: e.Begin, Outcome: e.Outcome, Artifact: e.Record.Artifact, Comparison: cmp})
		}
	}
	return found, d.judge(found, shown)
}

// generateFor bounds how long generated requests are answered.
const generateFor = 5 * time.Second

// generate has requests answered by both versions that are made up from the types of views
// and of what they call, the same ones for the same release. They are what could be asked, and
// not what is: that answers differ is told, and keeps nothing from going on.
func (d *deploying) generate(ctx context.Context, p *engine.Program, before, after *record.Replayer) evidence {
	var found evidence
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Hash()))
	seed := h.Sum64()
	views := p.Views()
	for until, n := time.Now().Add(generateFor), 0; n < replayMost && len(views) > 0 && time.Now().Before(until) && ctx.Err() == nil; n++ {
		v := views[n%len(views)]
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		rec := engine.Record{}
		input := sample.JSON(r, &p.Manifest().Schema, v.Meta().Input)
		if _, err := v.Do(ctx, nil, engine.Request{Input: input, Source: madeUp{&p.Manifest().Schema, seed}, Record: &rec}); err != nil && rec.Artifact == "" {
			continue // no record: the input was refused
		}
		e := &record.Entry{ID: fmt.Sprintf("generated-%d", n), Program: p.Manifest().Program, Begin: time.Unix(0, rec.Now), Record: rec}
		c, err := record.Compare(ctx, e, before, after)
		if err != nil || c.Skipped != "" {
			continue
		}
		if found.requests++; !c.Same {
			found.differ++
		}
	}
	switch {
	case found.requests == 0:
	case found.differ == 0:
		d.judgement("generated", found, true)
	default:
		d.judgement("generated", found, false)
		found.requests = 0 // they prove nothing
	}
	return found
}

// madeUp answers calls with values of their types, equal calls alike.
type madeUp struct {
	*abi.Schema
	seed uint64
}

// Ask is part of engine.Source.
func (m madeUp) Ask(_ context.Context, b *engine.Batch) {
	for i := range b.Len() {
		h := fnv.New64a()
		_, _ = h.Write([]byte(b.Operation.QualifiedName()))
		_, _ = h.Write(b.Args(i))
		b.Answer(i, sample.JSON(rand.New(rand.NewPCG(m.seed, h.Sum64())), m.Schema, b.Operation.Result))
	}
}

// judgement is one line about requests that both versions answered.
func (d *deploying) judgement(what string, found evidence, well bool) {
	mark := map[bool]string{true: "ok", false: "!!"}[well]
	if d.unicode {
		mark = map[bool]string{true: "✓", false: "≠"}[well]
	}
	fmt.Fprintf(d.err, "%s %s %s requests, %s differ\n", what, mark, thousands(int(found.requests)), thousands(int(found.differ)))
}

// judge shows what recorded requests show, and refuses differences that nobody has explained.
func (d *deploying) judge(found evidence, shown []*replayed) error {
	d.judgement("replay", found, found.differ == 0)
	if found.differ == 0 {
		return nil
	}
	for _, s := range shown[:min(len(shown), 5)] {
		fmt.Fprintf(d.err, "  %s  %s\n", s.ID, s.View)
		for _, line := range s.lines()[:min(len(s.lines()), 2)] {
			fmt.Fprintf(d.err, "    %s\n", printable(line))
		}
	}
	if d.differs == "" {
		return wrong{fmt.Errorf("%s of %s recorded requests get another answer from this version, and nothing is deployed; \"tow replay --all --against .\" shows them, and --differs WHY deploys it all the same", thousands(int(found.differ)), thousands(int(found.requests)))}
	}
	return nil
}

// check is the evidence as a check of the plan.
func (e evidence) check(why string) *towpathv1.Check {
	text := fmt.Sprintf("%s requests, %s differ", thousands(int(e.requests)), thousands(int(e.differ)))
	if e.differ > 0 {
		text += ": " + why
	}
	return &towpathv1.Check{Name: "replay", Text: text}
}

// unexplained is how many requests say that nothing changes: all, where none differs. Where
// differences are intended, the others say little, and none is counted.
func (e evidence) unexplained(why string) int64 {
	if e.differ > 0 && why != "" {
		return 0
	}
	return e.requests
}
