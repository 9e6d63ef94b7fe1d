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
	// How it passed: by traffic or by replay; "" if it did not.
	How string `json:"how,omitempty"`
	// What of this metric's bettors for the candidate is, and what passes: 1/β.
	E  float64 `json:"e"`
	Of float64 `json:"of"`
	// What would let it pass, as far as one can tell, each by itself; 0 is unknown: so many more bad
	// events of both if the candidate is as the control is, or so many more requests of the
	// candidate if it goes on as it did.
	Events   int64 `json:"events,omitempty"`
	Requests int64 `json:"requests,omitempty"`

	requests Pair
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
		v.Ways = []Way{{Metric: Crash, Bad: t.Crashes, E: float64(t.Crashes.Candidate), Of: crashes, requests: t.Requests}}
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
		v.Ways = []Way{{Metric: most.Name, Bad: most.Bad, E: finite(most.For.mean()), Of: v.Of * float64(len(t.Metrics)), requests: t.Requests}}
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
	w := Way{Metric: m.Name, Bad: m.Bad, E: finite(have), Of: 1 / t.Beta, requests: t.Requests}
	switch {
	case have >= -math.Log(t.Beta):
		w.How = ByTraffic
	case t.Differed == 0 && byAnswer(m.Name) && Bound(t.Replayed, 0, t.Beta) <= m.Tolerated:
		w.How = ByReplay
	default:
		w.Events, w.Requests = t.wants(m, requests, bad)
	}
	return w
}

// byAnswer reports whether two answers that are the same say that the metric is.
func byAnswer(metric string) bool { return metric != Slow && metric != CPU }

// wants says what would let a metric pass: the fewest that some bettor needs alone.
func (t *Test) wants(m *Metric, requests, bad int64) (events, more int64) {
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
	return events, upwards(best)
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
			return fmt.Sprintf("abort: the candidate crashed %d times", w.Bad.Candidate)
		}
		return fmt.Sprintf("abort: %s: %s of %s are the candidate's, which served %s of %s requests (E %s of %s)",
			w.Metric, count(w.Bad.Candidate), count(w.Bad.Sum()), count(w.requests.Candidate), count(w.requests.Sum()), short(v.E), short(v.Of))
	case Pass:
		var by []string
		for _, w := range v.Ways {
			by = append(by, w.Metric+" by "+w.How)
		}
		return "pass: " + strings.Join(by, ", ")
	}
	var waits []string
	for _, w := range v.Ways {
		if w.How == "" {
			waits = append(waits, w.Metric+": "+w.wants())
		}
	}
	return fmt.Sprintf("undecided (E %s of %s): waits for %s", short(v.E), short(v.Of), strings.Join(waits, "; "))
}

func (w Way) wants() string {
	var ways []string
	if w.Requests > 0 {
		ways = append(ways, "about "+count(w.Requests)+" more requests of the candidate as good as so far")
	}
	if w.Events > 0 {
		ways = append(ways, "about "+count(w.Events)+" more bad ones in the shares of the requests")
	}
	if len(ways) == 0 {
		return "requests that both releases serve"
	}
	return strings.Join(ways, " or ")
}
