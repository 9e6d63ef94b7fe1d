package verdict

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Summary is what a line says of a candidate beside its control.
type Summary struct {
	Rates   []Rate     `json:"rates"` // of errors, and of what there is most evidence about
	P99     [2]float64 `json:"p99"`   // of latencies in microseconds, the candidate's first; 0 is unknown
	Verdict Verdict    `json:"verdict"`
}

// Rate is the part of the requests that was bad, the candidate's and the control's. NaN never:
// of no requests it is 0.
type Rate struct {
	Metric    string  `json:"metric"`
	Candidate float64 `json:"candidate"`
	Control   float64 `json:"control"`
}

// shown is how many rates a line has besides that of errors.
const shown = 2

// Summary is the test's at present. The histograms are of the latencies of both, in microseconds; nil
// are unknown.
func (t *Test) Summary(candidate, control *Histogram) Summary {
	s := Summary{Verdict: t.Verdict()}
	if candidate.Count() > 0 && control.Count() > 0 {
		s.P99 = [2]float64{candidate.Quantile(0.99), control.Quantile(0.99)}
	}
	suspects := []*Metric{}
	for i := range t.Metrics {
		m := &t.Metrics[i]
		if m.Name == Error {
			s.Rates = append(s.Rates, t.rate(m))
		} else if m.For.mean() > 0 {
			suspects = append(suspects, m)
		}
	}
	slices.SortStableFunc(suspects, func(a, b *Metric) int {
		if a.For.mean() > b.For.mean() {
			return -1
		}
		return 1
	})
	for _, m := range suspects[:min(shown, len(suspects))] {
		s.Rates = append(s.Rates, t.rate(m))
	}
	return s
}

func (t *Test) rate(m *Metric) Rate {
	part := func(bad, of int64) float64 { return float64(bad) / math.Max(1, float64(of)) }
	served := t.judged(m)
	return Rate{m.Name, part(m.Bad.Candidate, served.Candidate), part(m.Bad.Control, served.Control)}
}

// String is a line such as
//
//	errors 0.03% vs 0.03% · p99 11.2 vs 11.0 ms · undecided (E 0.4 of 1000)
func (s Summary) String() string {
	var parts []string
	for _, r := range s.Rates {
		parts = append(parts, noun(r.Metric)+" "+percent(r.Candidate)+" vs "+percent(r.Control))
	}
	if s.P99[0] > 0 && s.P99[1] > 0 {
		parts = append(parts, "p99 "+times(s.P99[0], s.P99[1]))
	}
	v := s.Verdict
	if v.Decision == Abort && v.Ways[0].Metric == Crash {
		return strings.Join(append(parts, "abort (crashed "+count(v.Ways[0].Bad.Candidate)+" times)"), " · ")
	}
	return strings.Join(append(parts, string(v.Decision)+" ("+v.bet()+")"), " · ")
}

// bet is how far the bet against the candidate has got.
func (v Verdict) bet() string { return "E " + short(v.E) + " of " + short(v.Of) }

// nouns are what several events of a metric are called.
var nouns = map[string]string{
	Error: "errors", Service: "failures of services", Timeout: "timeouts", Fault: "faults", Fallback: "fallbacks",
	Shed: "shed answers", Slow: "slow answers", CPU: "answers that took too much CPU", Crash: "crashes",
}

func noun(metric string) string {
	if n, ok := nouns[metric]; ok {
		return n
	}
	return metric
}

// percent writes a part of 1.
func percent(v float64) string {
	switch v *= 100; {
	case v == 0:
		return "0%"
	case v < 0.01:
		return "<0.01%"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64) + "%"
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + "%"
}

// times writes two times in microseconds with one unit, three digits of the smaller.
func times(a, b float64) string {
	unit, by := "µs", 1.0
	switch least := min(a, b); {
	case least >= 1e6:
		unit, by = "s", 1e6
	case least >= 1e3:
		unit, by = "ms", 1e3
	}
	digits := 2
	switch least := min(a, b) / by; {
	case least >= 100:
		digits = 0
	case least >= 10:
		digits = 1
	}
	write := func(v float64) string { return strconv.FormatFloat(v/by, 'f', digits, 64) }
	return write(a) + " vs " + write(b) + " " + unit
}
