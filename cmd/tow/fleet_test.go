//go:build !solo && unix

package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/verdict"
)

// How versions of the program are deployed here: as apps/featured-offer/deploy.toml says,
// in seconds.
const (
	atOnce = `unavailable = 0.5
onebox = false
[[wave]]
share = 1
bake = "1s"
`
	beside = `unavailable = 0.5
[onebox]
share = 0.3
bake = "4s"
requests = 20
[[wave]]
share = 1
bake = "2s"
`
	longWave = `unavailable = 0.5
onebox = false
[[wave]]
name = "all"
share = 1
bake = "20m"
`
	someFirst = `unavailable = 0.5
onebox = false
[[wave]]
name = "eu-1"
cells = ["eu-1"]
share = 0.3
bake = "20m"
[[wave]]
share = 1
bake = "1s"
`
	// A wave passes without a comparison, an onebox does not: it needs some thousand requests to
	// exclude one error in a thousand, and before that some thousand to know what is slow.
	wholeWay = `unavailable = 0.5
metrics = ["error", "service", "timeout", "fault", "slow", "cpu"]
[onebox]
share = 0.5
bake = "3s"
requests = 200
[[wave]]
name = "eu-1"
cells = ["eu-1"]
bake = "3s"
[[wave]]
name = "half"
share = 0.5
bake = "3s"
[[wave]]
name = "all"
share = 1
bake = "2s"
`
)

// TestFleet is a team's week in a minute: five nodes in two cells, three control nodes, and
// five versions of featured-offer under steady traffic, all real processes.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("members of etcd take their time to join, and versions to be watched")
	}
	t.Parallel() // most of the time it waits
	w := openFleetWorld(t)
	seen := w.watchNodes("featured-offer")
	traffic := w.newTraffic()

	first := w.release("v1", atOnce, nil)
	first.finish(deploy.Succeeded, deploy.Nobody)
	traffic.look()
	end := traffic.steady()
	traffic.everywhere("v1")

	began := time.Now()
	bug := w.bug(traffic)
	over := time.Now()
	crash := w.crash(traffic)
	good := w.good(traffic)
	taken := w.takenBack(traffic)
	end()
	traffic.check(began, over)
	w.unchanged()

	var late, still []time.Duration
	steps, changes := 0, 0
	for _, r := range []*rollout{first, bug, crash, good, taken} {
		w.told.check(r.id)
		s, c := r.check(seen)
		steps, changes = steps+s, changes+c
		a, b := r.late(w.still[0], w.still[1])
		late, still = append(late, a...), append(still, b...)
	}
	slices.Sort(late)
	slices.Sort(still)
	t.Logf("%d steps of deployments and %d changes of nodes, all with events", steps, changes)
	t.Logf("of %d events half were seen within %s, of 100 99 within %s; of %d more while etcd's leader stood still, all within %s",
		len(late), quantile(late, 0.5), quantile(late, 0.99), len(still), quantile(still, 1))
}

// bug deploys a version that compares prices with those of makers, and forgets that some of
// those are in another currency. No test has one.
func (w *fleetWorld) bug(traffic *fleetTraffic) *rollout {
	t := w.t
	t.Helper()
	r := w.release("v2", beside, map[string]string{
		"outcome: outcome(offers, ranking, market, segment)": "outcome: outcome(offers, ranking |> filter(rated => isWorthIt(rated, product)), market, segment)",
		"\nfn isDearer(": `
// What costs twice what its maker asks is nobody's best offer.
fn isWorthIt(rated: Rated, product: Product) -> Bool {
  match product.listPrice {
    Some(price) -> money.ratio(landed(rated.candidate.offer), price, scale: 2) < 2
    None -> true
  }
}

fn isDearer(`,
	})
	bakes := r.stage("onebox", deploy.EventStageBakes)
	r.until("its way back", func(e *deploy.Event) bool { return e.Type == deploy.EventReturns })
	state := r.finish(deploy.Returned, deploy.YourCode)
	if !strings.Contains(state.Outcome.Evidence, "fault") {
		t.Errorf("the evidence is %q; expected faults", state.Outcome.Evidence)
	}
	traffic.everywhere("v1")
	if nodes := traffic.nodesOf("v2"); len(nodes) != 1 {
		t.Errorf("v2 answered at %v; expected the onebox alone", nodes)
	}
	decided, faults := traffic.decided(bakes.Time)
	last := traffic.lastFault()
	if v2 := traffic.lastOf("v2"); v2.After(last) {
		last = v2
	}
	t.Logf("v2 was stopped: from the request that decided, its fault %d while it baked, to its last answer %s", faults, last.Sub(decided).Round(time.Millisecond))
	return r
}

// decided is when the fault came with which there was enough against the candidate, of
// those that came after a time, and which one that was: the last one, if something else was
// against it too.
func (f *fleetTraffic) decided(after time.Time) (at time.Time, n int) {
	f.w.t.Helper()
	p, err := deploy.ReadPipeline("deploy.toml", []byte(beside))
	f.w.must(err)
	test, err := verdict.New(verdict.Options{Metrics: []string{
		verdict.Error, verdict.Service, verdict.Timeout, verdict.Fault, verdict.Fallback, verdict.Shed, verdict.Slow, verdict.CPU,
	}})
	f.w.must(err)
	for _, a := range f.answers() {
		if !a.fault || a.had.Before(after) {
			continue
		}
		n++
		f.w.must(test.Serve(verdict.Pair{Candidate: 1}))
		f.w.must(test.Add(verdict.Fault, verdict.Stored(p.Stages[0].Share), verdict.Pair{Candidate: 1}))
		if at = a.had; test.Decision() == verdict.Abort {
			return at, n
		}
	}
	return at, n
}

func (f *fleetTraffic) lastFault() (last time.Time) {
	for _, a := range f.answers() {
		if a.fault {
			last = a.had
		}
	}
	return last
}

// crash deploys a version that its node dies of, twice. No controller is there meanwhile:
// the node goes back by itself.
func (w *fleetWorld) crash(traffic *fleetTraffic) *rollout {
	t := w.t
	t.Helper()
	r := w.release("v3", someFirst, nil)
	plan, _ := r.read()
	runs := r.until("a node that runs v3", func(e *deploy.Event) bool {
		return e.Type == deploy.EventNode && e.Data["main"] == string(plan.Release)
	})
	n := w.nodes[slices.IndexFunc(w.nodes, func(n *fleetMachine) bool { return n.name == runs.Node })]
	for _, m := range w.control {
		m.signal(syscall.SIGSTOP)
	}
	n.begin()
	n.kill()
	w.must(n.start())
	traffic.from(n, "v3")
	n.kill()
	w.must(n.start())
	traffic.from(n, "v1")
	n.end()
	alone := time.Now()
	for _, m := range w.control {
		m.signal(syscall.SIGCONT)
	}
	state := r.finish(deploy.Returned, deploy.YourCode)
	if !strings.Contains(state.Outcome.Evidence, "2 deaths: "+n.name) {
		t.Errorf("the evidence is %q; expected two deaths of %s", state.Outcome.Evidence, n.name)
	}
	returns := r.until("its way back", func(e *deploy.Event) bool { return e.Type == deploy.EventReturns })
	t.Logf("v3 was left: by %s itself %s before any controller went back", n.name, returns.Time.Sub(alone).Round(time.Millisecond))
	if !slices.ContainsFunc(r.told(), func(e deploy.Event) bool {
		return e.Node == n.name && strings.Contains(e.Text, "gaveup") && e.Data["main"] == string(state.From)
	}) {
		t.Errorf("no event tells that %s gave v3 up", n.name)
	}
	traffic.everywhere("v1")
	return r
}

// from waits until a node answers with a version.
func (f *fleetTraffic) from(n *fleetMachine, version string) {
	f.w.t.Helper()
	f.w.wait(n.name+" to answer with "+version, func() bool { return f.ask(f.w.ctx, n, fleetInput(f.ids[0], false)).version == version })
}

// good deploys a version all the way, while the controller dies and etcd's leader stands
// still.
func (w *fleetWorld) good(traffic *fleetTraffic) *rollout {
	t := w.t
	t.Helper()
	r := w.release("v4", wholeWay, nil)
	r.stage("onebox", deploy.EventStageBakes)
	_, state := r.read()
	end := traffic.rush(w.nodes[slices.IndexFunc(w.nodes, func(n *fleetMachine) bool { return n.name == state.Onebox })])
	passed := r.stage("onebox", deploy.EventStagePassed)
	end()
	t.Logf("the onebox of v4: %s", passed.Text)

	r.stage("eu-1", deploy.EventStageBakes)
	controller := w.carries(r.id)
	controller.kill()
	w.must(controller.start())
	r.stage("half", deploy.EventStageBegun)
	leader := w.leads()
	w.still[0] = time.Now()
	leader.signal(syscall.SIGSTOP)
	select { // for longer than an election of etcd takes
	case <-time.After(5 * time.Second):
	case <-w.ctx.Done():
	}
	leader.signal(syscall.SIGCONT)
	w.still[1] = time.Now()
	r.finish(deploy.Succeeded, deploy.Nobody)
	t.Logf("v4 got through, though its controller, %s, was killed, and etcd's leader, %s, stood still for 5 s", controller.name, leader.name)
	traffic.everywhere("v4")
	return r
}

// takenBack deploys a version that a person takes back when all nodes run it.
func (w *fleetWorld) takenBack(traffic *fleetTraffic) *rollout {
	t := w.t
	t.Helper()
	r := w.release("v5", longWave, nil)
	r.stage("all", deploy.EventStageBakes)
	traffic.everywhere("v5")
	asked := time.Now()
	if _, err := w.tow(1, "deploy", "rollback", r.id, "--why", "complaints from support"); err != nil {
		t.Fatal(err)
	}
	told := time.Since(asked)
	state := r.finish(deploy.Returned, deploy.APerson)
	if !strings.Contains(state.Outcome.Why, "complaints from support") {
		t.Errorf("the outcome tells %q; expected why somebody asked for it", state.Outcome.Why)
	}
	traffic.everywhere("v4")
	t.Logf("v5 was taken back: from the command to its last answer on five nodes %s, of which the command took %s",
		traffic.lastOf("v5").Sub(asked).Round(time.Millisecond), told.Round(time.Millisecond))
	return r
}

// unchanged deploys the version that runs, which is nothing.
func (w *fleetWorld) unchanged() {
	w.t.Helper()
	best := time.Duration(1 << 62)
	for range 3 {
		begin := time.Now()
		said, err := w.tow(0, "deploy", w.path("v4"), "--to", fleetEnv)
		best = min(best, time.Since(begin))
		if err != nil || !strings.Contains(said, "Nothing changes") {
			w.t.Errorf("tow deploy of what runs: %v\n%s", err, said)
		}
	}
	w.t.Logf("tow deploy of what runs: %s at best of three", best.Round(time.Millisecond))
}

// release makes a version of featured-offer, which says so in its answers, and deploys it.
func (w *fleetWorld) release(version, stages string, changes map[string]string) *rollout {
	w.t.Helper()
	all := map[string]string{
		"seller: rated.candidate.merchant.name": `seller: "{rated.candidate.merchant.name} (` + version + `)"`,
		// This machine is not the one that the times are for.
		"-> Featured within 50ms": "-> Featured within 20s",
		"batch 100 within 40ms":   "batch 100 within 10s",
		"batch 200 within 25ms":   "batch 200 within 10s",
	}
	maps.Copy(all, changes)
	found := map[string]bool{}
	app := os.DirFS(fleetApp)
	w.must(fs.WalkDir(app, ".", func(path string, d fs.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || d.IsDir() || ext != ".tow" && ext != ".toml" {
			return err
		}
		text, err := fs.ReadFile(app, path)
		if err != nil {
			return err
		}
		for old, new := range all {
			if strings.Contains(string(text), old) {
				found[old] = true
				text = []byte(strings.ReplaceAll(string(text), old, new))
			}
		}
		w.write(w.path(filepath.Join(version, path)), string(text))
		return nil
	}))
	for old := range all {
		if !found[old] {
			w.t.Fatalf("featured-offer has no %q any more, which %s changes", old, version)
		}
	}
	return w.deploy(version, stages)
}

func (w *fleetWorld) write(name, text string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(name), 0o755))
	w.must(os.WriteFile(name, []byte(text), 0o644))
}
