package verdict

import (
	"fmt"
	"math"
	"strings"
)

// better are what the bettors who would pass a candidate say of its odds, beside those of one
// that is just bad enough not to be passed. A candidate that is as the control is at 2/3 of one
// that is 1.5 times worse; few events suffice to see one at a tenth.
var better = []float64{1 / 1.25, 1 / 1.5, 1. / 3, 1. / 10}

// Logs are logarithms of what bettors have who each began with 1.
type Logs []float64

// bet lets each bettor play n events, x of which were the candidate's, whose chance for that is q at
// each under what they bet against. By says by how much each takes the odds to be greater.
func (l Logs) bet(by []float64, q float64, x, n int64) {
	for i, r := range by {
		// The product over the events of r^x/(q·r + 1 − q). Its expectation is 1 if q is the
		// chance, and at most 1 if it errs on the side of the null.
		l[i] += float64(x)*math.Log(r) - float64(n)*math.Log1p(q*(r-1))
	}
}

// mean is the logarithm of what they have on average. It is finite.
func (l Logs) mean() float64 { return logMean(l) }

// logMean is log(mean(exp(l))), without overflow.
func logMean(l []float64) float64 {
	most := math.Inf(-1)
	for _, v := range l {
		most = max(most, v)
	}
	sum := 0.0
	for _, v := range l {
		sum += math.Exp(v - most)
	}
	return most + math.Log(sum/float64(len(l)))
}

// Serve counts requests that were answered since they were last counted. Of the metrics that are
// unjudged nobody knows whether they were bad, so that they are no reason to pass them.
func (t *Test) Serve(requests Pair, unjudged ...string) error {
	if requests.Candidate < 0 || requests.Control < 0 {
		return fmt.Errorf("requests since the last look: %d of the candidate and %d of the control; a counter that began anew is a new mark, not a difference", requests.Candidate, requests.Control)
	}
	t.Requests.Candidate += requests.Candidate
	t.Requests.Control += requests.Control
	for _, name := range unjudged {
		if m := t.metric(name); m != nil {
			m.Unjudged.Candidate += requests.Candidate
			m.Unjudged.Control += requests.Control
		}
	}
	return nil
}

// Replay takes a replay for evidence. Of several, which may be of the same requests, the
// largest counts.
func (t *Test) Replay(r Replay) error {
	if !r.valid() {
		return fmt.Errorf("of %d replayed requests %d differ and %d are dearer; both are between none and all", r.Requests, r.Differed, r.Dearer)
	}
	if r.Requests > t.Replayed.Requests {
		t.Replayed = r
	}
	return nil
}

// A Part is a part of a window, such as a view's, with a share of its own.
type Part struct {
	Share Share
	Bad   Pair
}

// Add counts the bad events of a metric in one window in which the candidate had the share. At a
// share of none or all they are counted and are no evidence. It fails, and counts nothing, if the
// metric is none of the test's, a number is negative, or the share is no share.
func (t *Test) Add(metric string, share Share, bad Pair) error {
	return t.AddParts(metric, Part{share, bad})
}

// AddParts is Add for a window of several parts.
func (t *Test) AddParts(metric string, parts ...Part) error {
	m := t.metric(metric)
	for _, p := range parts {
		switch {
		case p.Bad.Candidate < 0 || p.Bad.Control < 0:
			return fmt.Errorf("%s since the last look: %d of the candidate and %d of the control; a counter that began anew is a new mark, not a difference", metric, p.Bad.Candidate, p.Bad.Control)
		case m == nil && metric != Crash:
			return fmt.Errorf("the metric %q is none of the test's: %s", metric, strings.Join(t.names(), ", "))
		case m != nil && !p.Share.valid():
			return fmt.Errorf("the candidate's share is %v; it is between 0 and 1", p.Share.of)
		}
	}
	if m != nil {
		t.bet(m, parts)
		return nil
	}
	for _, p := range parts {
		t.Crashes.Candidate += p.Bad.Candidate
		t.Crashes.Control += p.Bad.Control
	}
	return nil
}

// bet has the bettors of a metric play a window.
func (t *Test) bet(m *Metric, parts []Part) {
	hostsFor, hostsAgainst := make(Logs, len(m.For)), make(Logs, len(m.Against))
	for _, p := range parts {
		m.Bad.Candidate += p.Bad.Candidate
		m.Bad.Control += p.Bad.Control
		n := p.Bad.Sum()
		if n == 0 || p.Share.silent() {
			continue
		}
		logsFor, logsAgainst := m.For, m.Against
		if p.Share.slack > 1 {
			logsFor, logsAgainst = hostsFor, hostsAgainst
		}
		logsFor.bet(t.Rates, p.Share.null(), p.Bad.Candidate, n)
		logsAgainst.bet(better, p.Share.bad(t.Worse), p.Bad.Candidate, n)
		t.Slack = p.Share.slack
	}
	m.For.take(hostsFor)
	m.Against.take(hostsAgainst)
}

// take adds what bettors made in a window between hosts, and leaves what is too much of it. Money
// that a bettor does not take makes no evidence.
func (l Logs) take(made Logs) {
	for i, v := range made {
		l[i] += min(v, math.Log(atOnce))
	}
}

func (t *Test) metric(name string) *Metric {
	for i := range t.Metrics {
		if t.Metrics[i].Name == name {
			return &t.Metrics[i]
		}
	}
	return nil
}

func (t *Test) names() []string {
	var names []string
	for i := range t.Metrics {
		names = append(names, t.Metrics[i].Name)
	}
	return names
}

// LogE is the natural logarithm of E.
func (t *Test) LogE() float64 {
	var few [8]float64
	all := few[:0]
	for i := range t.Metrics {
		all = append(all, t.Metrics[i].For.mean())
	}
	return logMean(all)
}

// E is what has been made of 1 by betting that the candidate is worse, on average over the rates
// and metrics. It is finite; at 1/Alpha the candidate is aborted.
func (t *Test) E() float64 { return finite(t.LogE()) }

// finite is exp(l), or the greatest number.
func finite(l float64) float64 { return min(math.Exp(l), math.MaxFloat64) }
