//go:build !solo

// tow deploy --replay: recorded requests are answered by both releases before anything moves.

package main

import (
	"context"
	"fmt"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/release"
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
	if d.replay == "" || m.head.GetCurrent() == "" {
		return found, nil
	}
	old, err := release.Load(ctx, apiSource{c}, release.Digest(m.head.GetCurrent()))
	if err != nil {
		return found, fmt.Errorf("the release that runs: %w", err)
	}
	records, err := record.Read(d.replay)
	if err != nil {
		return found, err
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

// judge shows what recorded requests show, and refuses differences that nobody has explained.
func (d *deploying) judge(found evidence, shown []*replayed) error {
	ok, not := "ok", "!!"
	if d.unicode {
		ok, not = "✓", "✗"
	}
	if found.differ == 0 {
		fmt.Fprintf(d.err, "replay %s %s requests, 0 differ\n", ok, thousands(int(found.requests)))
		return nil
	}
	fmt.Fprintf(d.err, "replay %s %s requests, %s differ\n", not, thousands(int(found.requests)), thousands(int(found.differ)))
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
