//go:build !solo

// tow deploy --replay and tow deploy replay: recorded requests are answered by both releases, before
// anything moves, or while a deployment waits for evidence.

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact/sample"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/record"
)

// replayMost is how many recorded requests are replayed: without a difference in so many,
// no more than one in a thousand answers are another one.
const replayMost = 3000

// evidence is what recorded requests show.
type evidence verdict.Replay

// add counts a comparison.
func (e *evidence) add(c *record.Comparison) {
	e.Requests++
	if !c.Same {
		e.Differed++
	}
	if c.Dearer() {
		e.Dearer++
	}
}

// versions are two versions of a program that answer the same requests.
type versions struct {
	*ui
	program       string
	runs          *engine.Program // the one that runs
	before, after *record.Replayer
	kept          *replaying
}

// versions loads a release that runs, and an artifact that is to take its place.
func (u *ui) versions(ctx context.Context, c *client.Control, runs release.Digest, artifact []byte) (*versions, error) {
	old, err := release.Load(ctx, apiSource{c}, runs)
	if err != nil {
		return nil, fmt.Errorf("the release that runs: %w", err)
	}
	v := &versions{ui: u, program: old.Release.Program, kept: &replaying{archive: archive{ui: u}, kept: map[string]*record.Replayer{}}}
	if v.before, err = v.kept.load(ctx, old.Artifact); err == nil {
		v.after, err = v.kept.load(ctx, artifact)
	}
	if err != nil {
		v.close(ctx)
		return nil, err
	}
	v.runs = v.kept.programs[0]
	return v, nil
}

func (v *versions) close(ctx context.Context) { v.kept.close(ctx) }

// replayBoth has requests answered by the release that runs and by the candidate: recorded
// ones where there are, and generated ones otherwise.
func (d *deploying) replayBoth(ctx context.Context, c *client.Control, m *made) (evidence, error) {
	if m.head.GetCurrent() == "" {
		return evidence{}, nil
	}
	v, err := d.versions(ctx, c, release.Digest(m.head.GetCurrent()), m.artifact)
	if err != nil {
		return evidence{}, err
	}
	defer v.close(ctx)
	if d.replay == "" {
		return v.generate(ctx), ctx.Err() // that answers differ may be intended, and nobody has said
	}
	found, err := v.recorded(ctx, d.replay)
	if err == nil && found.Differed > 0 && d.differs == "" {
		err = wrong{fmt.Errorf("%s of %s recorded requests get another answer from this version, and nothing is deployed; \"tow replay --all --against .\" shows them, and --differs WHY deploys it all the same", thousands(int(found.Differed)), thousands(int(found.Requests)))}
	}
	return found, err
}

// recorded has the requests of a recording answered that are of the program, and shows what
// was found.
func (v *versions) recorded(ctx context.Context, dir string) (evidence, error) {
	var found evidence
	records, err := record.Read(dir)
	if err != nil {
		return found, err
	}
	var shown []*replayed
	for e := range records.All(record.Filter{Limit: replayMost}) {
		if e.Program != v.program {
			continue
		}
		cmp, err := record.Compare(ctx, e, v.before, v.after)
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if err != nil { // a view that one of them has not: what that means is said by types
			continue
		}
		if cmp.Skipped != "" {
			continue
		}
		if found.add(cmp); !cmp.Same && len(shown) < maxDiffering {
			shown = append(shown, &replayed{ID: e.ID, View: e.Record.View, Begin: e.Begin, Outcome: e.Outcome, Artifact: e.Record.Artifact, Comparison: cmp})
		}
	}
	if found.Requests == 0 {
		return found, wrong{fmt.Errorf("%s has no request of %s that both versions can answer: record some with \"tow serve --records DIR\"", dir, v.program)}
	}
	v.judgement("replay", found)
	for _, s := range shown[:min(len(shown), 5)] {
		fmt.Fprintf(v.err, "  %s  %s\n", s.ID, s.View)
		for _, line := range s.lines()[:min(len(s.lines()), 2)] {
			fmt.Fprintf(v.err, "    %s\n", printable(line))
		}
	}
	return found, nil
}

// generateFor bounds how long generated requests are answered.
const generateFor = 5 * time.Second

// generate has requests answered by both versions that are made up from the types of views
// and of what they call, the same ones for the same release. They are what could be asked, and
// not what is: that answers differ is told, and keeps nothing from going on; that they do not is
// evidence for who says so.
func (v *versions) generate(ctx context.Context) evidence {
	found := evidence{Generated: true}
	p := v.runs
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Hash()))
	seed := h.Sum64()
	views := p.Views()
	for until, n := time.Now().Add(generateFor), 0; n < replayMost && len(views) > 0 && time.Now().Before(until) && ctx.Err() == nil; n++ {
		view := views[n%len(views)]
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		rec := engine.Record{}
		input := sample.JSON(r, &p.Manifest().Schema, view.Meta().Input)
		if _, err := view.Do(ctx, nil, engine.Request{Input: input, Source: madeUp{&p.Manifest().Schema, seed}, Record: &rec}); err != nil && rec.Artifact == "" {
			continue // no record: the input was refused
		}
		e := &record.Entry{ID: fmt.Sprintf("generated-%d", n), Program: p.Manifest().Program, Begin: time.Unix(0, rec.Now), Record: rec}
		c, err := record.Compare(ctx, e, v.before, v.after)
		if err != nil || c.Skipped != "" {
			continue
		}
		found.add(c)
	}
	if found.Requests > 0 {
		v.judgement("generated", found)
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
func (v *versions) judgement(what string, found evidence) {
	well := found.Differed == 0
	mark := map[bool]string{true: "ok", false: "!!"}[well]
	if v.unicode {
		mark = map[bool]string{true: "✓", false: "≠"}[well]
	}
	fmt.Fprintf(v.err, "%s %s %s\n", what, mark, found)
}

// String is "3,000 requests, 0 differ", and how many are dearer, if any.
func (e evidence) String() string {
	text := fmt.Sprintf("%s requests, %s differ", thousands(int(e.Requests)), thousands(int(e.Differed)))
	if e.Dearer > 0 {
		text += fmt.Sprintf(", %s take more work", thousands(int(e.Dearer)))
	}
	return text
}

// check is the evidence as a check of the plan.
func (e evidence) check(why string) *towpathv1.Check {
	text := e.String()
	if e.Differed > 0 {
		text += ": " + why
	}
	return &towpathv1.Check{Name: map[bool]string{false: "replay", true: "generated"}[e.Generated], Text: text}
}

// counted is what says that nothing changes: all, where no answer differs. Where differences
// are intended, the others say little, and none is counted; nor are generated ones unless
// somebody has said that they are enough.
func (e evidence) counted(generated bool) evidence {
	if e.Differed > 0 || e.Generated && !generated {
		return evidence{}
	}
	return e
}

func deployReplayCommand(u *ui) *cobra.Command {
	at, why, generated := &controlAt{}, "", false
	c := &cobra.Command{
		Use:   "replay ID [DIR]",
		Short: "Add recorded requests to a deployment's evidence",
		Long: `Have the requests that are recorded in the folder DIR answered by the release that runs
and by a deployment's candidate. Where no answer differs, the deployment takes it for
evidence, as it does with --replay when it is made: a candidate that few requests reach
can pass by it. Of several replays the largest counts.

With --generated the requests are made up from the types of views and of what they call:
they show less, and are for a program that nobody asks.`,
		Example: "  tow deploy replay shop.prod.17 .tow/records\n  tow deploy replay shop.prod.17 --generated --why \"it runs at the end of the month\"",
		Args: func(c *cobra.Command, args []string) error {
			if generated {
				return exactly("a deployment")(c, args)
			}
			return exactly("a deployment", "a folder of recorded requests, or --generated")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := ""
			if !generated {
				dir = args[1]
			}
			return at.ask(interruptible(c.Context()), func(ctx context.Context, api *client.Control) error {
				return u.addReplay(ctx, api, args[0], dir, why)
			})
		},
	}
	c.Flags().BoolVar(&generated, "generated", false, "make up requests from types")
	c.Flags().StringVar(&why, "why", "", "say `WHY`, for those who look at it later")
	at.flags(c)
	return c
}

// addReplay has requests answered by both releases of a deployment, and tells it of them: recorded ones,
// or generated ones where no folder is named.
func (u *ui) addReplay(ctx context.Context, c *client.Control, id, dir, why string) error {
	r, err := c.Deploy.GetDeployment(ctx, &towpathv1.GetDeploymentRequest{Id: id})
	if err != nil {
		return err
	}
	plan, state, err := readDeployment(r.GetDeployment())
	if err != nil {
		return err
	}
	if state.From == "" || plan.Program == release.Tow {
		return fmt.Errorf("%s has no release to compare with: there was none of %s in %s when it began, or it has not begun; no replay is needed or taken", id, plan.Program, plan.Environment)
	}
	candidate, err := release.Load(ctx, apiSource{c}, plan.Release)
	if err != nil {
		return fmt.Errorf("the candidate: %w", err)
	}
	v, err := u.versions(ctx, c, state.From, candidate.Artifact)
	if err != nil {
		return err
	}
	defer v.close(ctx)
	var found evidence
	if dir == "" {
		found, err = v.generate(ctx), ctx.Err()
	} else {
		found, err = v.recorded(ctx, dir)
	}
	switch {
	case err != nil:
		return err
	case found.Requests == 0:
		return wrong{fmt.Errorf("no request could be made up that both releases of %s answer", plan.Program)}
	case found.Differed > 0:
		return wrong{fmt.Errorf("%s of %s %s requests get another answer from the candidate, and %s has no new evidence; \"tow deploy rollback %s\" takes it back", thousands(int(found.Differed)), thousands(int(found.Requests)), verdict.Replay(found).Kind(), id, id)}
	}
	if _, err := c.Deploy.AskDeployment(ctx, &towpathv1.AskDeploymentRequest{Id: id, Kind: string(deploy.AskReplay), Why: why, Requests: found.Requests, Dearer: found.Dearer, Generated: found.Generated}); err != nil {
		return err
	}
	fmt.Fprintf(u.out, "%s: taken for evidence\n", id)
	return nil
}
