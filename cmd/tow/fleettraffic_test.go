//go:build !solo && unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"towpath.dev/internal/run/serve"
)

// fleetTraffic asks all nodes at a steady rate, whatever becomes of the answers, and keeps
// those.
type fleetTraffic struct {
	w      *fleetWorld
	http   *http.Client
	ids    []string // products that somebody deserves to sell
	asking sync.WaitGroup

	mu  sync.Mutex
	all []fleetAnswer
}

// fleetRate is how many requests a second all nodes get together.
const fleetRate = 150

// fleetAnswer is what became of a request.
type fleetAnswer struct {
	node       string
	begun, had time.Time
	version    string // that answered, "v2"; "" is not known
	fault      bool   // the program's
	wrong      string // anything else that is no answer, and nobody's doing that the test knows
}

// disturbance tells whether requests to a node may fail, as its process was killed.
type disturbance struct {
	down  atomic.Bool
	times atomic.Int64
}

func (d *disturbance) begin() { d.down.Store(true); d.times.Add(1) }
func (d *disturbance) end()   { d.times.Add(1); d.down.Store(false) }

func (w *fleetWorld) newTraffic() *fleetTraffic {
	return &fleetTraffic{w: w, http: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 50, IdleConnTimeout: time.Minute},
	}}
}

// fleetInput asks about a product, perhaps of a maker from abroad.
func fleetInput(product string, foreign bool) string {
	price := ""
	if foreign {
		price = `, "listPrice": {"amount": "49.00", "currency": "USD"}`
	}
	return fmt.Sprintf(`{"product": {"id": %q, "title": "A thing"%s}, "shopper": {"id": "c-1", "region": "Europe", "tier": "Member"}}`, product, price)
}

// versionMark is what each version of the program says in its answers.
var versionMark = regexp.MustCompile(` \((v\d+)\)"`)

// ask asks a node once.
func (f *fleetTraffic) ask(ctx context.Context, n *fleetMachine, input string) fleetAnswer {
	before := n.times.Load()
	a := fleetAnswer{node: n.name, begun: time.Now()}
	status, text, err := f.send(ctx, n, input)
	a.had = time.Now()
	mark := versionMark.FindSubmatch(text)
	switch {
	case err == nil && status == http.StatusOK && mark != nil:
		a.version = string(mark[1])
	case err == nil && status == http.StatusOK:
	case n.down.Load() || n.times.Load() != before || ctx.Err() != nil: // it was killed, or the test ends
	case err != nil:
		a.wrong = err.Error()
	case bytes.Contains(text, []byte(serve.Faulted)):
		a.fault = true
	default:
		a.wrong = fmt.Sprintf("%d: %s", status, text)
	}
	return a
}

func (f *fleetTraffic) send(ctx context.Context, n *fleetMachine, input string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+"/v1/featured-offer/featured", strings.NewReader(input))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := f.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// look finds the products that are asked about: those whose answers tell the version.
func (f *fleetTraffic) look() {
	f.w.t.Helper()
	for i := range 60 {
		id := fmt.Sprintf("p-%05d", i+1)
		if a := f.ask(f.w.ctx, f.w.nodes[i%len(f.w.nodes)], fleetInput(id, false)); a.version != "" {
			f.ids = append(f.ids, id)
		}
	}
	if len(f.ids) < 20 {
		f.w.t.Fatalf("of 60 products %d have an offer that is featured", len(f.ids))
	}
}

// steady asks until the function that it gives is called, which waits for the answers.
func (f *fleetTraffic) steady() (end func()) {
	ctx, cancel := context.WithCancel(f.w.ctx)
	f.asking.Go(func() {
		tick := time.NewTicker(time.Second / fleetRate)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			n := f.w.nodes[i%len(f.w.nodes)]
			if n.down.Load() {
				continue
			}
			input := fleetInput(f.ids[i%len(f.ids)], i/len(f.w.nodes)%5 < 2)
			f.asking.Go(func() { f.keep(f.ask(f.w.ctx, n, input)) })
		}
	})
	return func() { cancel(); f.asking.Wait() }
}

// rush asks one node as fast as it answers a few, until the function that it gives is
// called.
func (f *fleetTraffic) rush(n *fleetMachine) (end func()) {
	ctx, cancel := context.WithCancel(f.w.ctx)
	var rushing sync.WaitGroup
	for k := range 4 {
		rushing.Go(func() {
			for i := k; ctx.Err() == nil; i++ {
				f.keep(f.ask(f.w.ctx, n, fleetInput(f.ids[i%len(f.ids)], false)))
			}
		})
	}
	return func() { cancel(); rushing.Wait() }
}

func (f *fleetTraffic) keep(a fleetAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, a)
}

// answers are those so far, in the order in which they came.
func (f *fleetTraffic) answers() []fleetAnswer {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Clone(f.all)
	slices.SortFunc(all, func(a, b fleetAnswer) int { return a.had.Compare(b.had) })
	return all
}

// lastOf is when the last answer of a version was had, at any node.
func (f *fleetTraffic) lastOf(version string) (last time.Time) {
	for _, a := range f.answers() {
		if a.version == version {
			last = a.had
		}
	}
	return last
}

// nodesOf are the nodes that have answered with a version, and how often.
func (f *fleetTraffic) nodesOf(version string) map[string]int {
	found := map[string]int{}
	for _, a := range f.answers() {
		if a.version == version {
			found[a.node]++
		}
	}
	return found
}

// everywhere waits until all nodes have answered with a version since now.
func (f *fleetTraffic) everywhere(version string) {
	f.w.t.Helper()
	since := time.Now()
	f.w.wait("all nodes to answer with "+version, func() bool {
		last := map[string]string{}
		for _, a := range f.answers() {
			if a.version != "" && a.begun.After(since) {
				last[a.node] = a.version
			}
		}
		return len(last) == len(f.w.nodes) && !slices.ContainsFunc(slices.Collect(maps.Values(last)), func(v string) bool { return v != version })
	})
}

// check looks for answers that nobody should have had. Faults are as they should be within
// a time.
func (f *fleetTraffic) check(from, to time.Time) {
	f.w.t.Helper()
	wrong, faults := 0, 0
	for _, a := range f.answers() {
		switch {
		case a.fault && a.begun.After(from) && a.had.Before(to):
			faults++
		case a.fault || a.wrong != "":
			if wrong++; wrong <= 5 {
				text, _ := json.Marshal(a.wrong)
				f.w.t.Errorf("%s at %s: no answer (a fault of the program: %v): %.400s", a.had.Format("15:04:05.000"), a.node, a.fault, text)
			}
		}
	}
	f.w.t.Logf("%d requests: %d faults, all of the release with the bug; %d others had no answer", len(f.answers()), faults, wrong)
}
