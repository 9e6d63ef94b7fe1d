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

	"towpath.dev/internal/control/deploy/deploytest"
)

// newRun is a run of a seed that has not started.
func (w *world) newRun(seed uint64) *run {
	causes := deploytest.Causes(dies)
	return &run{
		w: w, seed: seed, environment: fmt.Sprint("s", seed), cause: causes[seed%uint64(len(causes))],
		random: rand.New(rand.NewPCG(seed, 1)), broke: newTally(), over: make(chan struct{}),
	}
}

// round has some runs go on side by side, from a seed on, while things break.
func (w *world) round(ctx context.Context, seed uint64, n int) error {
	runs := make([]*run, n)
	for i := range runs {
		runs[i] = w.newRun(seed + uint64(i))
		runs[i].after = between(runs[i].random, 0, time.Duration(w.o.Seconds)*time.Second/2)
	}
	broke := newTally()
	if err := w.carryOut(ctx, runs, func() error { return w.breakThings(ctx, runs, broke) }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range runs {
		w.report.add(r, broke)
		fmt.Println(r.line(broke))
	}
	w.report.addRound(broke)
	return nil
}

// quietly measures how long runs take while nothing breaks, one of each cause.
func (w *world) quietly(ctx context.Context) error {
	w.report.Quiet = map[string]time.Duration{}
	for cause := range slices.Chunk(deploytest.Causes(dies), w.o.Lanes) {
		runs := make([]*run, len(cause))
		for i, c := range cause {
			runs[i] = w.newRun(0)
			runs[i].cause, runs[i].environment = c, "quiet-"+c.Name
		}
		if err := w.carryOut(ctx, runs, func() error { return nil }); err != nil {
			return err
		}
		for _, r := range runs {
			w.report.Quiet[r.cause.Name] = r.took
		}
	}
	return nil
}

// carryOut has runs go on side by side, while something is done to them, and judges them.
func (w *world) carryOut(ctx context.Context, runs []*run, do func() error) error {
	for i, r := range runs {
		defer r.end()
		if err := r.start(w.hosts[i]); err != nil {
			return err
		}
	}
	if err := each(runs, func(r *run) error { return r.prepare(ctx) }); err != nil {
		return err
	}
	calm := time.Now()
	var doing sync.WaitGroup
	var fault error
	doing.Go(func() {
		fault = do()
		calm = time.Now()
	})
	err := each(runs, func(r *run) error { return r.deploy(ctx) })
	doing.Wait()
	if err = errors.Join(err, fault); err != nil {
		return err
	}
	return each(runs, func(r *run) error { return r.judged(ctx, calm) })
}

// line is what became of the run.
func (r *run) line(round *tally) string {
	text := fmt.Sprintf("%s seed %d, %s:", time.Now().Format(time.TimeOnly), r.seed, r.cause.Name)
	if s := r.w.judge.State(r.id); s == nil || s.Outcome == nil {
		text += " no outcome"
	} else {
		text += fmt.Sprintf(" %s, %s", s.Outcome.Result, s.Outcome.Blame)
	}
	text += fmt.Sprintf("; %d faults, %d nodes died, ended ", r.broke.sum()+round.sum(), r.deaths)
	if r.took <= 0 {
		return text + "among them"
	}
	return text + r.took.Round(100*time.Millisecond).String() + " after them"
}

// each does something with all runs at once.
func each(runs []*run, do func(*run) error) error {
	faults := make([]error, len(runs))
	var doing sync.WaitGroup
	for i, r := range runs {
		doing.Go(func() {
			if err := do(r); err != nil {
				faults[i] = fmt.Errorf("seed %d: %w", r.seed, err)
			}
		})
	}
	doing.Wait()
	return errors.Join(faults...)
}

// most is how long a run may take after nothing breaks any more: as in the simulation, three
// times as long as where nothing ever did, and half a minute.
func (w *world) most(c deploytest.Cause) time.Duration {
	if quiet, measured := w.report.Quiet[c.Name]; measured {
		return 3*quiet + time.Minute/2
	}
	return endsAfter
}
