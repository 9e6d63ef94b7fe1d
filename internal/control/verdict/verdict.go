// Package verdict says whether a candidate is worse than what it shall replace, with an
// error rate that holds however often one looks. It is mathematics alone: no input or output,
// no clock, nothing of ours imported. docs/verdicts.md derives it.
//
// Vocabulary. A metric counts bad events, at most one for each root request: an error, an answer that
// was slow. The share is the part of the comparable requests that the candidate answered. E is
// what a bettor has made of 1 who bets, at each bad event, that it is the candidate's more often
// than its share says. Were the candidate no worse, E would reach 1/α once in 1/α deployments.
// A second bettor bets that the candidate is not a half worse, and passes it.
//
//	t, err := verdict.New(verdict.Options{})
//	…
//	share := verdict.Stored(0.1) // of the hash that assigns root requests
//	t.Serve(verdict.Pair{Candidate: 812, Control: 7_190})
//	err = t.Add(verdict.Error, share, verdict.Pair{Candidate: 9, Control: 7})
//	…
//	if v := t.Verdict(); v.Decision == verdict.Abort {
//		fmt.Println(v) // abort: error: 9 of 16 are the candidate's …
//	}
package verdict

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// What is counted. Events are bad answers, except crashes.
const (
	Error    = "error"    // an answer that is a problem
	Service  = "service"  // the same because of a service that it needs; not among the default
	Timeout  = "timeout"  // no answer in time
	Fault    = "fault"    // a trap, a limit that was reached
	Fallback = "fallback" // an else stood in for a call
	Shed     = "shed"     // load had optional scopes left out
	Slow     = "slow"     // slower than a threshold from the control's previous window
	CPU      = "cpu"      // more CPU than such a threshold
	Crash    = "crash"    // a restart, death by memory, lost readiness. Not a bet: two abort
)

// crashes of the candidate abort, whatever the traffic.
const crashes = 2

// Pair is a number of the candidate's and one of the control's.
type Pair struct{ Candidate, Control int64 }

// Sum is both together.
func (p Pair) Sum() int64 { return p.Candidate + p.Control }

// Options of a test. The zero value has the defaults.
type Options struct {
	// Alpha is how often a deployment may be aborted that is no worse: over all its
	// metrics, stages and looks. Default 0.001.
	Alpha float64
	// Beta is how often a metric may pass that must not. Default 0.05.
	Beta float64
	// Worse is how much worse, as a ratio, a candidate must not be. Default 1.5.
	Worse float64
	// Rates are how much worse, as ratios, the bettors say that it is; each puts in the same.
	// Default 1.25, 1.5, 2, 3, 5, 10, 30.
	Rates []float64
	// Metrics by name. Each costs power of the others: of four, one must earn four times as
	// much. Default: error, timeout, fault, fallback, shed, slow, cpu.
	Metrics []string
	// Tolerated is the rate of bad answers, by metric, below which a candidate passes
	// whatever the control's rate is. Default: 0.001 of errors, timeouts, faults; 0.02 of
	// slow and cpu, whose thresholds 0.01 of the control's answers exceed; 0.01 of others.
	Tolerated map[string]float64
}

// defaultRates are from what is hardly to be seen to what cannot be missed.
var defaultRates = []float64{1.25, 1.5, 2, 3, 5, 10, 30}

// A Test is what has been counted and what the bettors have made of it: a value of at most 2 KiB as
// JSON for 8 metrics, to be kept in a deployment's state. It is not safe for use by several at once.
type Test struct {
	Alpha    float64   `json:"alpha"`
	Beta     float64   `json:"beta"`
	Worse    float64   `json:"worse"`
	Rates    []float64 `json:"rates"`
	Requests Pair      `json:"requests"` // that were answered
	Replayed Replay    `json:"replayed,omitzero"`
	Slack    float64   `json:"slack,omitempty"` // between hosts, of the share that was last seen
	Crashes  Pair      `json:"crashes,omitzero"`
	Metrics  []Metric  `json:"metrics"`
}

// Replay is recorded requests that both releases answered from what their calls had brought.
type Replay struct {
	Requests int64 `json:"requests"`
	Differed int64 `json:"differed,omitempty"` // whose answers differ without an explanation
	// Dearer are those for which the candidate spent more gas than the release, by a fifth and more, or
	// made calls that the release did not make.
	Dearer int64 `json:"dearer,omitempty"`
	// Generated: they are not recorded ones, but made up from types.
	Generated bool `json:"generated,omitempty"`
}

// Kind is what its requests are called: recorded or generated.
func (r Replay) Kind() string {
	if r.Generated {
		return "generated"
	}
	return "recorded"
}

func (r Replay) valid() bool {
	return r.Differed >= 0 && r.Differed <= r.Requests && r.Dearer >= 0 && r.Dearer <= r.Requests
}

// Metric is one kind of bad events.
type Metric struct {
	Name      string  `json:"name"`
	Tolerated float64 `json:"tolerated"`
	Bad       Pair    `json:"bad"`
	// Unjudged are requests of the test's of which nobody knows whether they were bad: for how slow
	// an answer is there was no threshold yet.
	Unjudged Pair `json:"unjudged,omitzero"`
	// Logarithms of what each bettor has: of those who say that the candidate is worse, by
	// the test's rates, and of those who say that it is not.
	For     Logs `json:"for"`
	Against Logs `json:"against"`
}

// New makes a test in which nothing has been counted. It fails if the options make no sense.
func New(o Options) (*Test, error) {
	t := &Test{
		Alpha: orDefault(o.Alpha, 0.001),
		Beta:  orDefault(o.Beta, 0.05),
		Worse: orDefault(o.Worse, 1.5),
		Rates: slices.Clone(o.Rates),
	}
	if t.Rates == nil {
		t.Rates = slices.Clone(defaultRates)
	}
	names := o.Metrics
	if names == nil {
		names = []string{Error, Timeout, Fault, Fallback, Shed, Slow, CPU}
	}
	for _, name := range names {
		m := Metric{Name: name, Tolerated: tolerated(name), For: make(Logs, len(t.Rates)), Against: make(Logs, len(better))}
		if rate, ok := o.Tolerated[name]; ok {
			m.Tolerated = rate
		}
		t.Metrics = append(t.Metrics, m)
	}
	for name := range o.Tolerated {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("a rate is tolerated of the metric %q, which the test has not: it has %s", name, strings.Join(names, ", "))
		}
	}
	if err := t.valid(); err != nil {
		return nil, err
	}
	return t, nil
}

func orDefault(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

func tolerated(metric string) float64 {
	switch metric {
	case Error, Service, Timeout, Fault:
		return 0.001
	case Slow, CPU:
		return 0.02
	}
	return 0.01
}

// Clone is a copy that shares nothing.
func (t *Test) Clone() *Test {
	c := *t
	c.Rates = slices.Clone(t.Rates)
	c.Metrics = slices.Clone(t.Metrics)
	for i := range c.Metrics {
		c.Metrics[i].For = slices.Clone(t.Metrics[i].For)
		c.Metrics[i].Against = slices.Clone(t.Metrics[i].Against)
	}
	return &c
}

// partOf reports whether a number of requests is none to all of them.
func partOf(n, all Pair) bool {
	return n.Candidate >= 0 && n.Candidate <= all.Candidate && n.Control >= 0 && n.Control <= all.Control
}

// valid says all that is wrong with the test.
func (t *Test) valid() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(t.Alpha > 0 && t.Alpha < 1, "alpha is %v; it is a probability between 0 and 1, such as 0.001", t.Alpha)
	check(t.Beta > 0 && t.Beta < 1, "beta is %v; it is a probability between 0 and 1, such as 0.05", t.Beta)
	check(t.Worse > 1 && !math.IsInf(t.Worse, 0), "worse is %v; it is a ratio above 1, such as 1.5", t.Worse)
	check(len(t.Rates) > 0, "there are no rates to bet on; leave them out for the default")
	for _, r := range t.Rates {
		check(r >= 1 && r <= 1000, "a rate to bet on is %v; it is a ratio of 1 to 1000", r)
	}
	check(len(t.Metrics) > 0, "there are no metrics; leave them out for the default")
	check(t.Requests.Candidate >= 0 && t.Requests.Control >= 0 && t.Replayed.valid() && t.Crashes.Candidate >= 0 && t.Crashes.Control >= 0,
		"counts of requests make no sense: %+v; of a replay %+v; crashes %+v", t.Requests, t.Replayed, t.Crashes)
	seen := map[string]bool{}
	for _, m := range t.Metrics {
		check(!seen[m.Name], "the metric %q is there twice", m.Name)
		seen[m.Name] = true
		check(m.Name != "" && m.Name != Crash, "%q is no metric to bet on; crashes are counted in every test", m.Name)
		check(m.Tolerated > 0 && m.Tolerated < 1, "of %s a rate of %v is tolerated; it is between 0 and 1, such as 0.001", m.Name, m.Tolerated)
		check(m.Bad.Candidate >= 0 && m.Bad.Control >= 0 && partOf(m.Unjudged, t.Requests), "counts of %s make no sense: %+v; not judged are %+v of %+v", m.Name, m.Bad, m.Unjudged, t.Requests)
		check(len(m.For) == len(t.Rates) && len(m.Against) == len(better), "%s has %d and %d sums; it has %d and %d",
			m.Name, len(m.For), len(m.Against), len(t.Rates), len(better))
	}
	return errors.Join(faults...)
}
