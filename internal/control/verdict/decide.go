package verdict

import (
	"fmt"
	"math"
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
	Served Pair   `json:"served"` // requests in which they were
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
	ByReplay  = "replay"  // no recorded request's answer differs, in so many that a rate that is not tolerated would have shown
)

// Verdict is what the evidence says now. It may be asked at any time and as often as one likes.
func (t *Test) Verdict() Verdict {
	v := Verdict{Decision: Undecided, E: t.E(), Of: 1 / t.Alpha}
	if t.Crashes.Candidate >= crashes {
		v.Decision = Abort
		v.Ways = []Way{{Metric: Crash, Bad: t.Crashes, E: float64(t.Crashes.Candidate), Of: crashes, Served: t.Requests}}
		return v
	}
	if t.LogE() >= -math.Log(t.Alpha) {
		v.Decision = Abort
		most := &t.Metrics[0]
		for i := range t.Metrics {
			if m := &t.Metrics[i]; m.For.mean() > most.For.mean() {
				most = m
			}
		}
		v.Ways = []Way{{Metric: most.Name, Bad: most.Bad, E: finite(most.For.mean()), Of: v.Of * float64(len(t.Metrics)),
			Served: t.Requests}}
		return v
	}
	passed := true
	for i := range t.Metrics {
		w := t.way(&t.Metrics[i])
		passed = passed && w.How != ""
		v.Ways = append(v.Ways, w)
	}
	if passed {
		v.Decision = Pass
	}
	return v
}

// way says whether a metric passes, and if not what would let it.
func (t *Test) way(m *Metric) Way {
	requests, bad := t.Requests.Candidate-t.Before, min(m.Bad.Candidate-m.Before, t.Requests.Candidate-t.Before)
	// Both bets are against "at least Worse times worse, and at least what is tolerated".
	have := logMean([]float64{m.Against.mean(), logRate(requests, bad, m.Tolerated)})
	w := Way{Metric: m.Name, Bad: m.Bad, E: finite(have), Of: 1 / t.Beta, Served: t.Requests}
	switch {
	case have >= -math.Log(t.Beta):
		w.How = ByTraffic
	case t.Differed == 0 && byAnswer(m.Name) && Bound(t.Replayed, 0, t.Beta) <= m.Tolerated:
		w.How = ByReplay
	default:
		w.MoreRequests, w.MoreEvents = t.wants(m, requests, bad)
	}
	return w
}

// byAnswer reports whether two answers that are the same say that the metric is.
func byAnswer(metric string) bool { return metric != Slow && metric != CPU }

// wants says what would let a metric pass: the fewest that some bettor needs alone.
func (t *Test) wants(m *Metric, requests, bad int64) (more, events int64) {
	need := -math.Log(t.Beta) + math.Log(2)
	if all := t.Requests.Sum(); t.Requests.Candidate > 0 && t.Requests.Control > 0 {
		w := float64(t.Requests.Candidate) / float64(all)
		q := Share{w, max(1, t.Slack)}.bad(t.Worse)
		best := math.Inf(1)
		for i, s := range better {
			gain := w*math.Log(s) - math.Log1p(q*(s-1)) // an event
			if gain > 0 {
				best = min(best, (need+math.Log(float64(len(better)))-m.Against[i])/gain)
			}
		}
		events = upwards(best)
	}
	rate, best := 0.0, math.Inf(1)
	if requests > 0 {
		rate = float64(bad) / float64(requests)
	}
	for i, part := range fewer {
		if part == 0 && bad > 0 {
			continue
		}
		none := math.Log1p(-part*m.Tolerated) - math.Log1p(-m.Tolerated)
		gain, had := (1-rate)*none, math.Log(fewerWeight[i])+float64(requests-bad)*none
		if bad > 0 {
			gain, had = gain+rate*math.Log(part), had+float64(bad)*math.Log(part)
		}
		if gain > 0 {
			best = min(best, (need-had)/gain)
		}
	}
	return upwards(best), events
}

// upwards is the next whole number, at least 1; 0 if there is none.
func upwards(v float64) int64 {
	if math.IsInf(v, 0) || v > 1e15 {
		return 0
	}
	return max(1, int64(math.Ceil(v)))
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
		return "pass: " + v.by(func(w Way) string { return "by " + w.How })
	}
	return "undecided (" + v.bet() + "): waits for " + v.by(Way.waits)
}

// by tells the metrics of which the same is said together.
func (v Verdict) by(say func(Way) string) string {
	var said []string
	metrics := map[string][]string{}
	for _, w := range v.Ways {
		if v.Decision == Undecided && w.How != "" {
			continue
		}
		text := say(w)
		if metrics[text] == nil {
			said = append(said, text)
		}
		metrics[text] = append(metrics[text], w.Metric)
	}
	for i, text := range said {
		said[i] = text + " (" + strings.Join(metrics[text], ", ") + ")"
	}
	return strings.Join(said, "; ")
}

func (w Way) waits() string {
	var ways []string
	if w.MoreRequests > 0 {
		as := "without one"
		if w.Bad.Candidate > 0 {
			as = "at its rate so far"
		}
		ways = append(ways, "about "+count(w.MoreRequests)+" more requests of the candidate "+as)
	}
	if w.MoreEvents > 0 {
		ways = append(ways, "about "+count(w.MoreEvents)+" more bad ones of both at equal rates")
	}
	if len(ways) == 0 {
		return "requests that both releases answer"
	}
	return strings.Join(ways, " or ")
}
