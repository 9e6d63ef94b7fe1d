//go:build linux

package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/proof/lab"
)

// A run is one deployment, of a candidate whose fault is known.
type run struct {
	w           *world
	seed        uint64
	environment string
	cause       deploytest.Cause
	random      *rand.Rand // of its own faults
	nodes       []*actor
	first, id   string
	broke       *tally        // what befell this run alone
	deaths      int           // of its nodes
	after       time.Duration // from when things begin to break until the candidate is asked for
	over        chan struct{} // closed when nobody waits for its end any more
	watching    sync.WaitGroup
	ended       time.Time     // after watching
	took        time.Duration // from when nothing broke any more until it had ended; at most 0: before
}

// dies is how long a node lives with a candidate that kills it.
const dies = 500 * time.Millisecond

var (
	one = release.DigestOf([]byte("one"))
	two = release.DigestOf([]byte("two"))
)

// start starts the run's nodes.
func (r *run) start(hosts []*lab.Host) error {
	folder := filepath.Join(r.w.o.Dir, r.environment)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	behaves := map[release.Digest]deploytest.Behaviour{one: r.cause.Was, two: r.cause.Is}
	for i, host := range hosts {
		name := fmt.Sprintf("%s-n%d", r.environment, i)
		n := &actor{name: name, host: host, log: filepath.Join(folder, name+".log")}
		n.role = func(life int) string {
			return lab.Role(role{Node: &nodeOptions{
				parts: r.w.parts(r.seed<<8 + uint64(life)), Name: name, Environment: r.environment, Cell: fmt.Sprint("cell-", i%2),
				Incarnation: incarnation(name, life), Memory: filepath.Join(folder, name+".json"), Behaves: behaves,
			}})
		}
		if err := n.begin(func(err error) { r.w.cancel(err) }); err != nil {
			return err
		}
		r.nodes = append(r.nodes, n)
	}
	return nil
}

func incarnation(node string, life int) string { return fmt.Sprint(node, "/", life) }

// end ends the run's nodes.
func (r *run) end() {
	var ending sync.WaitGroup
	for _, n := range r.nodes {
		ending.Go(n.finish)
	}
	ending.Wait()
	r.nodes = nil
}

// Bounds, on a machine that has other things to do.
const (
	preparesWithin = 2 * time.Minute
	endsAfter      = 2 * time.Minute // from when nothing breaks any more
	carriedWithin  = 3 * time.Minute // events, into object storage, which was away
	asksAgain      = 200 * time.Millisecond
)

// prepare has the run's nodes run the release that the candidate is to replace.
func (r *run) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, preparesWithin)
	defer cancel()
	err := until(ctx, func(ctx context.Context) error { // stages reach the nodes that there are
		page, err := r.w.store.Range(ctx, election.Span{Keys: election.Prefix(deploy.NodePrefix + r.environment + "-"), KeysOnly: true})
		if err == nil && len(page.Entries) < len(r.nodes) {
			err = fmt.Errorf("%d nodes of %d are attached", len(page.Entries), len(r.nodes))
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.first, err = r.create(ctx, one, deploy.Pipeline{
		Stages: []deploy.Stage{{Name: "all", Kind: deploy.Wave, Share: 1}}, Unavailable: 1,
	}); err != nil {
		return err
	}
	select {
	case <-r.w.judge.Ended(r.first):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the first release: %w (%s)", context.Cause(ctx), r.w.judge.State(r.first))
	}
}

// pipeline is short, as time is what a run costs.
func (r *run) pipeline() deploy.Pipeline {
	bake := 2 * time.Second
	if r.cause.Asks {
		bake = time.Minute // it must not be over before somebody asks
	}
	return deploy.Pipeline{Stages: []deploy.Stage{
		{Name: "onebox", Kind: deploy.Onebox, Share: 0.2, Bake: bake, Requests: 100},
		{Name: "wave 1", Kind: deploy.Wave, Share: 0.4, Bake: time.Second},
		{Name: "wave 2", Kind: deploy.Wave, Share: 1, Bake: time.Second},
	}, Unavailable: 0.4}
}

// deploy asks for the candidate, and for the release before where that is the run's cause.
func (r *run) deploy(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, preparesWithin)
	defer cancel()
	pause(ctx, r.after)
	if r.id, err = r.create(ctx, two, r.pipeline()); err != nil {
		return err
	}
	r.watching.Go(func() {
		select {
		case <-r.w.judge.Ended(r.id):
			r.ended = time.Now()
		case <-r.over:
		}
	})
	if !r.cause.Asks {
		return nil
	}
	pause(ctx, between(rand.New(rand.NewPCG(r.seed, 2)), 0, 8*time.Second))
	service := &deploy.Service{Store: r.w.store}
	return until(ctx, func(ctx context.Context) error {
		_, err := service.Ask(ctx, r.id, deploy.AskBack, deploy.Ask{By: "ann", Why: "it looks wrong"})
		return err
	})
}

// create asks for a deployment as often as it takes.
func (r *run) create(ctx context.Context, d release.Digest, p deploy.Pipeline) (id string, err error) {
	service := &deploy.Service{Store: r.w.store}
	err = until(ctx, func(ctx context.Context) (err error) {
		id, err = service.Create(ctx, deploy.Plan{
			Program: program, Environment: r.environment, Release: d, Request: "the request for " + d.Short(), By: "ann", Pipeline: p,
		})
		return err
	})
	return id, err
}

// until does something until it works, or the context ends.
func until(ctx context.Context, do func(context.Context) error) error {
	for {
		trying, cancel := context.WithTimeout(ctx, ttl)
		err := do(trying)
		cancel()
		if err == nil {
			return nil
		}
		if pause(ctx, asksAgain); ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// judged looks at what came of the run, after nothing broke any more.
func (r *run) judged(ctx context.Context, calm time.Time) error {
	late := false
	select {
	case <-r.w.judge.Ended(r.id):
	case <-time.After(time.Until(calm.Add(endsAfter))):
		late = true
		close(r.over)
	case <-ctx.Done():
		close(r.over)
		return context.Cause(ctx)
	}
	r.watching.Wait()
	if r.took = r.ended.Sub(calm); late || r.took > r.w.most(r.cause) {
		r.w.wrong(deploytest.Violation{
			Kind: deploytest.Stuck, Deployment: r.id,
			Text: fmt.Sprintf("%s: nothing was broken for more than %s, and it had not ended: %s", r.cause.Name, r.w.most(r.cause).Round(time.Second), r.w.judge.State(r.id)),
		})
	}
	if late {
		r.took = endsAfter
		return nil
	}
	trial := deploytest.Trial{ID: r.id, Cause: r.cause, From: one, To: two}
	want := deploytest.Placed{Main: trial.Left(r.w.judge.State(r.id).Outcome)}
	found := deploytest.Found{Served: r.w.hub.seen(r.environment)}
	waiting, cancel := context.WithTimeout(ctx, endsAfter)
	_ = until(waiting, func(context.Context) error { // what is wrong then the judge says
		found.Nodes = r.placed()
		for name, got := range found.Nodes {
			if got != want {
				return fmt.Errorf("%s runs %v", name, got)
			}
		}
		return nil
	})
	cancel()
	r.deaths = r.lives() - len(r.nodes)
	r.end() // so that nothing is written any more
	waiting, cancel = context.WithTimeout(ctx, carriedWithin)
	defer cancel()
	good := deploytest.Causes(dies)[0]
	return errors.Join(
		r.check(waiting, deploytest.Trial{ID: r.first, Cause: good, To: one}, deploytest.Found{}),
		r.check(waiting, trial, found),
	)
}

// check has the judge look at a deployment once its events are in object storage, or had the time for it.
func (r *run) check(ctx context.Context, t deploytest.Trial, f deploytest.Found) error {
	_ = until(ctx, func(ctx context.Context) error { // what is left then the judge says
		page, err := r.w.store.Range(ctx, election.Span{Keys: election.Prefix(deploy.EventPrefix + t.ID + "/"), KeysOnly: true})
		if err != nil {
			return err
		}
		if f.Left = len(page.Entries); f.Left > 0 {
			return errors.New("events are left")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), carriedWithin) // that there is something left is to be judged
	defer cancel()
	err := until(ctx, r.w.reaches)
	if err == nil {
		f.Kept, err = deploytest.Kept(ctx, r.w.objects, t.ID)
	}
	if err == nil {
		r.w.judge.Check(t, f)
	}
	return err
}

// placed is what the run's nodes serve.
func (r *run) placed() map[string]deploytest.Placed {
	all := map[string]deploytest.Placed{}
	for _, n := range r.nodes {
		all[n.name], _ = r.w.hub.placed(r.environment, n.name, incarnation(n.name, n.lives()))
	}
	return all
}

// lives is how often the run's nodes were started.
func (r *run) lives() (all int) {
	for _, n := range r.nodes {
		all += n.lives()
	}
	return all
}
