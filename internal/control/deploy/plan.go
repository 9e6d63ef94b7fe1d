package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// A Plan is a deployment as it was asked for. It never changes.
type Plan struct {
	ID          string         `json:"id"`
	Program     string         `json:"program"`
	Environment string         `json:"environment"`
	Release     release.Digest `json:"release"` // the candidate
	// Request is what a client makes up, so that asking twice is asking once.
	Request string    `json:"request"`
	By      string    `json:"by,omitempty"`
	Why     string    `json:"why,omitempty"`
	Created time.Time `json:"created"`
	// Checks are what was found out before it was asked for: build, tests, replay.
	Checks []Check `json:"checks,omitempty"`
	// Ran is the release that ran when it was asked for, as the store had it; "" is none.
	Ran release.Digest `json:"ran,omitempty"`
	// Against is the release that ran when it was asked for, and that the candidate was compared
	// with; "" is none. Replayed is what recorded requests showed that both were asked.
	Against  release.Digest `json:"against,omitempty"`
	Replayed verdict.Replay `json:"replayed,omitzero"`
	// Undoes is the deployment, which had succeeded, that this one takes back.
	Undoes string `json:"undoes,omitempty"`
	Pipeline
}

// where says which nodes the stage is for, where that is not all.
func (s *Stage) where() string {
	var all []string
	if s.Node != "" {
		all = append(all, s.Node)
	}
	for _, c := range s.Cells {
		all = append(all, "cell "+c)
	}
	for _, r := range s.Regions {
		all = append(all, "region "+r)
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ") + ", as its pipeline says"
}

// A Check is something that was found out about the candidate before.
type Check struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A Pipeline is how programs are deployed. It is read from deploy.toml; [DefaultPipeline] is
// what happens without one.
type Pipeline struct {
	Stages []Stage `json:"stages"`
	// Alpha is how often a deployment goes back that is not worse. 0: 0.001.
	Alpha float64 `json:"alpha,omitempty"`
	// Metrics that the verdict looks at, by verdict's names. Default: all.
	Metrics []string `json:"metrics,omitempty"`
	// Unavailable is the share of a cell's nodes that may be away or under change at once;
	// one always may. 0: 0.1.
	Unavailable float64 `json:"unavailable,omitempty"`
	// Concurrency is what happens while another deployment of the program is under way.
	Concurrency Concurrency `json:"concurrency,omitempty"`
	// Windows are when stages may begin; without any they always may.
	Windows []Window `json:"windows,omitempty"`
	// After are programs none of which may have a deployment under way when this begins.
	After []string `json:"after,omitempty"`
	// Irreversible says what cannot be taken back, and so needs an approval. "": nothing.
	Irreversible string `json:"irreversible,omitempty"`
}

// Concurrency is what a deployment does about others of its program.
type Concurrency string

// replaces reports whether it takes the place of those that have not begun.
func (c Concurrency) replaces() bool { return c == Supersede || c == Cancel }

// What a deployment does about others.
const (
	Queue     Concurrency = "queue"     // it waits for all before it
	Supersede Concurrency = "supersede" // it takes the place of those that wait
	Cancel    Concurrency = "cancel"    // and has the one go back that is under way
)

// A StageKind is what a stage reaches.
type StageKind string

// The kinds of stages.
const (
	Onebox StageKind = "onebox"
	Wave   StageKind = "wave"
)

// A Stage reaches some nodes, and waits for evidence.
type Stage struct {
	Name string    `json:"name"`
	Kind StageKind `json:"kind"`
	// Cells and Regions that it reaches, by name; those of Cells may end with *. Without any
	// it reaches all.
	Cells   []string `json:"cells,omitempty"`
	Regions []string `json:"regions,omitempty"`
	// Share: of a wave, of each cell's nodes; of an onebox, of the node's requests. From 0
	// to 1.
	Share float64 `json:"share"`
	// Node is the onebox. "": the first one in the deployment's order.
	Node string `json:"node,omitempty"`
	// Bake is how long it waits at least, and Requests how many the candidate answers
	// meanwhile.
	Bake     time.Duration `json:"bake"`
	Requests int64         `json:"requests,omitempty"`
	// Approval: it begins when somebody has approved.
	Approval bool `json:"approval,omitempty"`
}

// DefaultPipeline is an onebox and three waves.
func DefaultPipeline() Pipeline {
	return Pipeline{Stages: []Stage{
		{Name: "onebox", Kind: Onebox, Share: 0.1, Bake: 15 * time.Minute, Requests: 1000},
		{Name: "wave 1", Kind: Wave, Share: 0.05, Bake: 10 * time.Minute},
		{Name: "wave 2", Kind: Wave, Share: 0.25, Bake: 10 * time.Minute},
		{Name: "wave 3", Kind: Wave, Share: 1, Bake: 10 * time.Minute},
	}}
}

// unavailable is the share of a cell's nodes that may be away or under change at once.
func (p *Pipeline) unavailable() float64 {
	if p.Unavailable == 0 {
		return 0.1
	}
	return p.Unavailable
}

// Validate says all that is wrong with a pipeline.
func (p *Pipeline) Validate() error {
	var faults []error
	complain := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(p.Stages) == 0 || len(p.Stages) > 50 {
		complain("it has %d stages; expected 1 to 50, the last one a wave of all", len(p.Stages))
	}
	names := map[string]bool{}
	for i, s := range p.Stages {
		if s.Name == "" || len(s.Name) > 60 || names[s.Name] {
			complain("stage %d is called %q; expected a name of its own, of 1 to 60 letters", i+1, s.Name)
		}
		names[s.Name] = true
		if s.Kind != Onebox && s.Kind != Wave {
			complain("stage %s is %q; expected onebox or wave", s.Name, s.Kind)
		}
		if !(s.Share > 0 && s.Share <= 1) || s.Kind == Onebox && s.Share > 0.5 {
			complain("stage %s has the share %v; expected more than 0, and at most 1 of a wave, 0.5 of an onebox", s.Name, s.Share)
		}
		if s.Bake < 0 || s.Requests < 0 {
			complain("stage %s bakes for %s and %d requests; expected nothing below 0", s.Name, s.Bake, s.Requests)
		}
	}
	if n := len(p.Stages); n > 0 {
		if last := p.Stages[n-1]; last.Kind != Wave || last.Share != 1 || len(last.Cells)+len(last.Regions) > 0 {
			complain("the last stage, %s, does not reach all nodes; expected a wave of share 1 without cells and regions", last.Name)
		}
	}
	if !(p.Alpha >= 0 && p.Alpha < 1) || !(p.Unavailable >= 0 && p.Unavailable <= 1) {
		complain("alpha is %v and unavailable %v; expected them from 0 to 1", p.Alpha, p.Unavailable)
	}
	if !slices.Contains([]Concurrency{"", Queue, Supersede, Cancel}, p.Concurrency) {
		complain("concurrency is %q; expected queue, supersede or cancel", p.Concurrency)
	}
	if _, err := newTest(p); err != nil {
		faults = append(faults, err)
	}
	for _, w := range p.Windows {
		if _, err := w.parse(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
