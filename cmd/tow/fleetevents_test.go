//go:build !solo && unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
)

// A rollout is a deployment that is watched, by way of all control nodes.
type rollout struct {
	w       *fleetWorld
	version string
	id      string
	err     error // of tow deploy

	mu       sync.Mutex
	events   []deploy.Event       // as they came, each once
	seen     map[string]time.Time // when, by id
	changed  chan struct{}        // closed at the next one
	ended    chan struct{}        // closed when tow deploy has ended
	watching sync.WaitGroup
	end      context.CancelFunc // of those who watch
}

// deploy has tow deploy deploy a version, by some stages.
func (w *fleetWorld) deploy(version, stages string) *rollout {
	w.t.Helper()
	pipeline := w.path(version + "-deploy.toml")
	w.write(pipeline, stages)
	ctx, cancel := context.WithCancel(w.ctx)
	r := &rollout{w: w, version: version, seen: map[string]time.Time{}, changed: make(chan struct{}), ended: make(chan struct{}), end: cancel}
	r.watching.Go(func() {
		defer close(r.ended)
		r.err = r.watch(ctx, w.command(0, "deploy", w.path(version), "--to", fleetEnv, "--pipeline", pipeline, "--json", "--why", "TestFleet: "+version))
	})
	w.wait("the deployment of "+version, func() bool {
		select {
		case <-r.ended:
			w.t.Fatalf("tow deploy: %v", r.err)
		default:
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.events) > 0 {
			r.id = r.events[0].Deployment
		}
		return r.id != ""
	})
	for i := 1; i < controlNodes; i++ {
		r.watching.Go(func() {
			_ = r.watch(ctx, w.command(i, "deploy", "status", r.id, "--watch", "--json"))
		})
	}
	return r
}

// watch reads the events that a command prints until it ends.
func (r *rollout) watch(ctx context.Context, cmd *exec.Cmd) error {
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e deploy.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err == nil {
			r.take(e)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, &errs)
	}
	return nil
}

func (r *rollout) take(e deploy.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.seen[e.ID()]; twice {
		return
	}
	r.seen[e.ID()] = time.Now()
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits for an event.
func (r *rollout) until(what string, is func(*deploy.Event) bool) *deploy.Event {
	r.w.t.Helper()
	for from := 0; ; {
		r.mu.Lock()
		events, changed := r.events[from:], r.changed
		r.mu.Unlock()
		for i := range events {
			if is(&events[i]) {
				return &events[i]
			}
		}
		from += len(events)
		select {
		case <-changed:
		case <-r.w.ctx.Done():
			r.w.t.Fatalf("%s of %s: waited in vain for %s", r.id, r.version, what)
		}
	}
}

// stage waits until a stage has come to something.
func (r *rollout) stage(name string, kind deploy.EventType) *deploy.Event {
	r.w.t.Helper()
	return r.until(name+" "+string(kind), func(e *deploy.Event) bool { return e.Stage == name && e.Type == kind })
}

// finish waits for the end, checks what it came to, and that all that happened was told.
func (r *rollout) finish(result deploy.Result, blame deploy.Blame) *deploy.State {
	t := r.w.t
	t.Helper()
	r.until("its end", func(e *deploy.Event) bool { return e.Type == deploy.EventEnded })
	<-r.ended
	r.end()
	r.watching.Wait()
	if (r.err == nil) != (result == deploy.Succeeded) {
		t.Errorf("tow deploy of %s: %v", r.version, r.err)
	}
	plan, state := r.read()
	o := state.Outcome
	if o.Result != result || o.Blame != blame {
		t.Errorf("%s: %s, by %s: %s; %s; expected %s by %s", r.id, o.Result, o.Blame, o.Why, o.Evidence, result, blame)
	}
	t.Logf("%s (%s): %s by %s after %s: %s; %s", r.id, r.version, o.Result, o.Blame, state.Since.Sub(plan.Created).Round(100*time.Millisecond), o.Why, o.Evidence)
	return state
}

func (r *rollout) read() (plan *deploy.Plan, state *deploy.State) {
	r.w.t.Helper()
	r.w.must(r.w.ask(func(ctx context.Context, api *client.Control) error {
		d, err := api.Deploy.GetDeployment(ctx, &towpathv1.GetDeploymentRequest{Id: r.id})
		if err != nil {
			return err
		}
		plan, state, err = readDeployment(d.GetDeployment())
		return err
	}))
	return plan, state
}

// told is what "tow deploy explain" tells.
func (r *rollout) told() []deploy.Event {
	r.w.t.Helper()
	text, err := r.w.tow(0, "deploy", "explain", r.id, "--json")
	r.w.must(err)
	var all []deploy.Event
	for line := range strings.Lines(text) {
		var e deploy.Event
		r.w.must(json.Unmarshal([]byte(line), &e))
		all = append(all, e)
	}
	return all
}

// check checks that each transition has an event: those of the deployment itself, without
// a gap, and those of nodes that somebody saw in their statuses. It gives how many there are.
func (r *rollout) check(seen *sightings) (steps, changes int) {
	t := r.w.t
	t.Helper()
	plan, state := r.read()
	events := r.told()
	own := map[int64]deploy.EventType{}
	kinds := map[string]bool{} // by stage and type
	nodes := map[sighting]bool{}
	for _, e := range events {
		kinds[e.Stage+" "+string(e.Type)] = true
		if e.Node == "" {
			own[e.Seq] = e.Type
		} else {
			nodes[sighting{r.id, e.Node, e.Data["main"], e.Data["beside"]}] = true
		}
	}
	for seq := int64(1); seq <= state.Seq; seq++ {
		if own[seq] == "" {
			t.Errorf("%s: there is no event %d of %d", r.id, seq, state.Seq)
		}
	}
	if len(own) != int(state.Seq) {
		t.Errorf("%s: %d events, and its state tells of %d", r.id, len(own), state.Seq)
	}
	need := []string{" deployment.queued", plan.Stages[0].Name + " deployment.begun", " deployment.ended"}
	all := []deploy.EventType{deploy.EventStageBegun, deploy.EventStageProbed, deploy.EventStageReaches, deploy.EventStageBakes, deploy.EventStagePassed}
	passed := state.Stage
	if state.Outcome.Result == deploy.Succeeded {
		need, passed = append(need, " deployment.finishes"), len(plan.Stages)
	} else {
		need = append(need, " deployment.returns")
	}
	for i := range passed {
		for _, kind := range all {
			need = append(need, plan.Stages[i].Name+" "+string(kind))
		}
	}
	for _, kind := range need {
		if !kinds[kind] {
			t.Errorf("%s: there is no event %q", r.id, kind)
		}
	}
	for s := range seen.of(r.id) {
		changes++
		if !nodes[s] {
			t.Errorf("%s: there is no event of %s, which ran %.19q, and beside it %.19q", r.id, s.node, s.main, s.beside)
		}
	}
	return int(state.Seq), changes
}

// late is how long after they happened the events were seen by those who watch: of most, and
// of those within a time.
func (r *rollout) late(from, to time.Time) (most, within []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if d := r.seen[e.ID()].Sub(e.Time); e.Time.After(from) && e.Time.Before(to) {
			within = append(within, d)
		} else {
			most = append(most, d)
		}
	}
	return most, within
}

// quantile is one of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
}

// A sighting is what a node said that it ran.
type sighting struct{ deployment, node, main, beside string }

// sightings are what nodes' statuses have shown.
type sightings struct {
	mu  sync.Mutex
	all map[sighting]bool
}

// of are those of a deployment.
func (s *sightings) of(id string) map[sighting]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[sighting]bool{}
	for k := range s.all {
		if k.deployment == id {
			found[k] = true
		}
	}
	return found
}

// watchNodes looks at the nodes' statuses until the test ends.
func (w *fleetWorld) watchNodes(program string) *sightings {
	s := &sightings{all: map[sighting]bool{}}
	ctx, cancel := context.WithCancel(w.ctx)
	var looking sync.WaitGroup
	w.t.Cleanup(func() { cancel(); looking.Wait() })
	looking.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		last := map[string]sighting{} // by node
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			f, err := w.fleet()
			if err != nil {
				continue // all control nodes are away, which the test has them
			}
			for _, n := range f.GetNodes() {
				status, err := fleet.DecodeStatus(n.GetName(), n.GetStatus())
				if err != nil {
					continue
				}
				p := status.Programs[program]
				is := sighting{p.Deployment, n.GetName(), string(p.Main), string(p.Beside)}
				was := last[is.node]
				if last[is.node] = is; is.main != was.main || is.beside != was.beside {
					s.mu.Lock()
					s.all[is] = true
					s.mu.Unlock()
				}
			}
		}
	})
	return s
}
