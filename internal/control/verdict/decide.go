package verdict

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Decision is what shall become of a candidate.
type Decision string

const (
	Undecided Decision = "undecided" // neither is shown: it waits for what the verdict says
	Abort     Decision = "abort"
	Pass      Decision = "pass"
)

// A Verdict is a decision with its evidence. Its text is for people.
type Verdict struct {
	Decision Decision `json:"decision"`
	E        float64  `json:"e"`    // of the bet that the candidate is worse
	Of       float64  `json:"of"`   // what aborts: 1/α
	Ways     []Way    `json:"ways"` // of each metric; of an abort that which did it
}

// A Way is what a metric says.
type Way struct {
	Metric string `json:"metric"`
	Bad    Pair   `json:"bad"`
	Served Pair   `json:"served"` // requests in which they were, or could have been seen
	// Unknown: there were requests, and of none of the candidate's is known whether it was bad.
	Unknown bool `json:"unknown,omitempty"`
	// How it passed: by traffic or by replay; "" if it did not.
	How string `json:"how,omitempty"`
	// E of the bet that decided, and what it had to reach: of an abort the metric's own against
	// the candidate, else the one for it.
	E  float64 `json:"e"`
	Of float64 `json:"of"`
	// What would let it pass, as far as one can tell, each by itself; 0 is unknown: so many more
	// requests of the candidate if it goes on as it did, or so many more bad events of both if
	// the candidate is as the control is.
	MoreRequests int64 `json:"moreRequests,omitempty"`
	MoreEvents   int64 `json:"moreEvents,omitempty"`
}

// How a metric passes.
const (
	ByTraffic = "traffic" // less than Worse times worse, or rarer than is tolerated
	ByReplay  = "replay"  // no recorded request's answer differs, and few took more work, in so many that a rate that is not tolerated would have shown
	// ByGenerated is the same by requests that were made up.
	ByGenerated = "a replay of generated requests"
)

// Decision is what shall become of the candidate by the evidence so far. It may be asked at any time and
// as often as one likes, after all that is known of a window was added.
func (t *Test) Decision() Decision {
	if t.Crashes.Candidate >= crashes || t.LogE() >= -math.Log(t.Alpha) {
		return Abort
	}
	for i := range t.Metrics {
		if t.passes(&t.Metrics[i]) == "" {
			return Undecided
		}
	}
	return Pass
}

// Verdict is the decision with its evidence, and with what it waits for.
func (t *Test) Verdict() Verdict {
	v := Verdict{Decision: t.Decision(), E: t.E(), Of: 1 / t.Alpha}
	switch {
	case v.Decision == Abort && t.Crashes.Candidate >= crashes:
		v.Ways = []Way{{Metric: Crash, Bad: t.Crashes, Served: t.Requests, E: float64(t.Crashes.Candidate), Of: crashes}}
	case v.Decision == Abort:
		most := &t.Metrics[0]
		for i := range t.Metrics {
			if m := &t.Metrics[i]; m.For.mean() > most.For.mean() {
				most = m
			}
		}
		v.Ways = []Way{{Metric: most.Name, Bad: most.Bad, Served: t.judged(most), E: finite(most.For.mean()), Of: v.Of * float64(len(t.Metrics))}}
	default:
		for i := range t.Metrics {
			v.Ways = append(v.Ways, t.way(&t.Metrics[i]))
		}
	}
	return v
}

// passes is how a metric passes now, or "".
func (t *Test) passes(m *Metric) string {
	n, x := t.answered(m)
	switch {
	case t.logPass(m, n, x, 0, 0) >= -math.Log(t.Beta):
		return ByTraffic
	case !t.replayed(m):
		return ""
	case t.Replayed.Generated:
		return ByGenerated
	}
	return ByReplay
}

// replayed reports whether a metric passes by the replay alone. It stands for traffic that there is not,
// and is not heard against traffic that there is: where that has something against the candidate, more
// of it has to decide.
func (t *Test) replayed(m *Metric) bool {
	against := m.Bad.Candidate > 0 && m.For.mean() > 0
	return !against && t.Replayed.Differed == 0 && Bound(t.Replayed.Requests, t.Replayed.of(m.Name), t.Beta) <= m.Tolerated
}

// ByReplay reports whether the replay alone passes all metrics.
func (t *Test) ByReplay() bool {
	for i := range t.Metrics {
		if !t.replayed(&t.Metrics[i]) {
			return false
		}
	}
	return true
}

// answered is how many requests the candidate had that were judged, and how many of those were bad.
func (t *Test) answered(m *Metric) (n, x float64) {
	n = float64(t.judged(m).Candidate)
	return n, min(n, float64(m.Bad.Candidate))
}

// judged are the requests of which is known whether they were bad.
func (t *Test) judged(m *Metric) Pair {
	return Pair{t.Requests.Candidate - m.Unjudged.Candidate, t.Requests.Control - m.Unjudged.Control}
}

// way says whether a metric passes, and if not what would let it.
func (t *Test) way(m *Metric) Way {
	n, x := t.answered(m)
	w := Way{Metric: m.Name, Bad: m.Bad, Served: t.judged(m), How: t.passes(m), E: finite(t.logPass(m, n, x, 0, 0)), Of: 1 / t.Beta}
	if w.How == "" {
		w.Unknown = w.Served.Candidate == 0 && m.Unjudged.Sum() > 0
		w.MoreRequests, w.MoreEvents = t.wants(m, n, x)
	}
	return w
}

// of is how many of the requests speak against a candidate. Where no answer differs that is none,
// but for what an answer does not show: the work that it took.
func (r Replay) of(metric string) int64 {
	if metric == Slow || metric == CPU {
		return r.Dearer
	}
	return 0
}

// logPass is what the bettors for a metric have on average, after n requests of the candidate of which x were
// bad, and after so many more events of both with a share w. Half bet that it is not Worse
// times worse, half that it is below what is tolerated; so a candidate that is neither passes as often as β says.
func (t *Test) logPass(m *Metric, n, x, events, w float64) float64 {
	against := m.Against
	if events > 0 {
		against = slices.Clone(against)
		q := Share{w, max(1, t.Slack)}.bad(t.Worse)
		for i, s := range better {
			against[i] += events * (w*math.Log(s) - math.Log1p(q*(s-1)))
		}
	}
	return logMean([]float64{against.mean(), logRate(n, x, m.Tolerated)})
}

// wants says how many more requests or events would let a metric pass, each by itself.
func (t *Test) wants(m *Metric, n, x float64) (requests, events int64) {
	need, rate := -math.Log(t.Beta), x/max(1, n)
	requests = least(func(more float64) bool { return t.logPass(m, n+more, x+rate*more, 0, 0) >= need })
	if served := t.judged(m); served.Candidate > 0 && served.Control > 0 {
		w := float64(served.Candidate) / float64(served.Sum())
		events = least(func(more float64) bool { return t.logPass(m, n, x, more, w) >= need })
	}
	return requests, events
}

// least is the least number for which enough holds, if it holds for all after it; 0 if there is none that
// anyone would wait for.
func least(enough func(float64) bool) int64 {
	high := int64(1)
	for ; !enough(float64(high)); high *= 2 {
		if high > 1e12 {
			return 0
		}
	}
	low := high / 2
	for low+1 < high {
		if middle := (low + high) / 2; enough(float64(middle)) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// String is a sentence: the decision, and why.
func (v Verdict) String() string {
	switch v.Decision {
	case Abort:
		w := v.Ways[0]
		if w.Metric == Crash {
			return "abort: the candidate crashed " + count(w.Bad.Candidate) + " times"
		}
		return fmt.Sprintf("abort: %s of %s %s are the candidate's, which answered %s of %s requests (%s)",
			count(w.Bad.Candidate), count(w.Bad.Sum()), noun(w.Metric), count(w.Served.Candidate), count(w.Served.Sum()), v.bet())
	case Pass:
		return "pass: " + v.by(func(w Way) string { return w.How }, func(w Way, of string) string { return of + " by " + w.How })
	}
	return "undecided (" + v.bet() + "): waits for " + v.by(func(w Way) string { return w.waits("") }, Way.waits)
}

// by tells the metrics together of which the same is said.
func (v Verdict) by(key func(Way) string, say func(w Way, of string) string) string {
	var first []Way
	all := map[string][]string{}
	for _, w := range v.Ways {
		if v.Decision == Undecided && w.How != "" {
			continue
		}
		if all[key(w)] == nil {
			first = append(first, w)
		}
		all[key(w)] = append(all[key(w)], noun(w.Metric))
	}
	var said []string
	for _, w := range first {
		said = append(said, say(w, strings.Join(all[key(w)], ", ")))
	}
	return strings.Join(said, "; ")
}

// waits says what a metric waits for; of is what its events are called.
func (w Way) waits(of string) string {
	if w.Unknown && (w.Metric == Slow || w.Metric == CPU) {
		return "answers of the release, some thousand of a view, to know what are " + of
	}
	var ways []string
	if w.MoreRequests > 0 {
		with := " more requests of the candidate without "
		if w.Bad.Candidate > 0 {
			with = " more requests of the candidate at its rate so far of "
		}
		ways = append(ways, count(w.MoreRequests)+with+of)
	}
	if w.MoreEvents > 0 {
		ways = append(ways, count(w.MoreEvents)+" more "+of+" at equal rates")
	}
	if len(ways) == 0 {
		return "requests that both releases answer, for their " + of
	}
	return "about " + strings.Join(ways, " or ")
}
