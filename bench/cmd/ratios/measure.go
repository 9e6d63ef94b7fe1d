package main

import (
	"errors"
	"fmt"
	"math"

	"towpath.dev/bench"
	"towpath.dev/bench/meter"
	"towpath.dev/bench/workload"
)

// result is what a measure gave. Numbers that were not measured are NaN.
type result struct {
	subject, peer float64 // medians, ns of CPU time a request
	value         float64 // what the bar is about: the ratio, ns, or allocations
	low, high     float64 // the middle four fifths of the value, slice by slice
	allocs, bytes [2]float64
	missing       string // the side that cannot run here
}

// Indices of the sides in result's pairs.
const (
	ofSubject = iota
	ofPeer
)

// verdict is "ok", "MISSED", "no tow", or "" for a measure without a bar.
func (r *result) verdict(m bench.Measure) string {
	switch {
	case r.missing != "":
		return "no " + r.missing
	case m.Reported:
		return ""
	case r.value <= m.Bar:
		return "ok"
	default:
		return "MISSED"
	}
}

// measure opens the sides of a measure and times them. A side that cannot run
// here is left out.
func measure(m bench.Measure, o meter.Options) (*result, error) {
	nan := math.NaN()
	r := &result{
		subject: nan, peer: nan, value: nan, low: nan, high: nan,
		allocs: [2]float64{nan, nan}, bytes: [2]float64{nan, nan},
	}
	c, err := find(m.Contest)
	if err != nil {
		return nil, err
	}
	var timers []meter.Timer
	var medians []*float64
	for i, name := range []string{m.Subject, m.Peer} {
		if name == "" {
			continue
		}
		side, err := open(c, name)
		if errors.Is(err, workload.ErrUnavailable) {
			r.missing = name
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if side.Close != nil {
			defer side.Close()
		}
		if err := r.count(i, &side, m.Mode, c.Inputs); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		timer, err := meter.OfSide(&side, m.Mode, c.Inputs)
		if err != nil {
			return nil, err
		}
		timers, medians = append(timers, timer), append(medians, []*float64{&r.subject, &r.peer}[i])
	}
	series, err := meter.Compare(o, timers...)
	if err != nil {
		return nil, err
	}
	for i, s := range series {
		*medians[i] = s.Median()
	}
	r.judge(m, series)
	return r, nil
}

// judge fills in the value that the bar is about.
func (r *result) judge(m bench.Measure, series []meter.Series) {
	if r.missing != "" {
		return
	}
	spread := series[ofSubject]
	switch m.Kind {
	case bench.Ratio:
		r.value = r.subject / r.peer
		spread = spread.Ratios(series[ofPeer])
	case bench.CPU:
		r.value = r.subject
	case bench.Allocs:
		r.value = r.allocs[ofSubject]
		return
	}
	r.low, r.high = spread.Quantile(0.1), spread.Quantile(0.9)
}

// count counts the allocations of a side in this process.
func (r *result) count(i int, side *workload.Side, mode workload.Mode, inputs [][]byte) error {
	if side.Remote != nil {
		return nil
	}
	loop, err := side.Loop(mode, inputs)
	if err != nil {
		return err
	}
	const requests = 64
	allocs, bytes, err := meter.Allocs(loop, requests)
	r.allocs[i], r.bytes[i] = float64(allocs), float64(bytes)
	return err
}

func find(name string) (*bench.Contest, error) {
	for _, c := range bench.Contests() {
		if c.Name == name {
			return &c, nil
		}
	}
	return nil, fmt.Errorf("no contest %s", name)
}

func open(c *bench.Contest, name string) (workload.Side, error) {
	entrant, ok := c.Side(name)
	if !ok {
		return workload.Side{}, fmt.Errorf("%w: %s has no such side", workload.ErrUnavailable, c.Name)
	}
	return entrant.Open()
}
