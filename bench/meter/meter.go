// Package meter measures the CPU time and the allocations of two sides run in
// turn in one process.
//
// A machine that is shared, or that changes its clock, drifts: what ran first
// and what ran last were not measured alike. So the sides alternate in short
// slices, A B A B …, each slice is timed by the CPU time of the whole process
// (its collector and its other threads included), and medians of many slices
// are compared. A slice starts after a collection and a little warm-up, neither
// of which is counted.
//
//	a, b, err := meter.Compare(meter.Options{}, tow, peer)
//	ratio := a.Median() / b.Median()
package meter

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"towpath.dev/bench/workload"
)

// Options says how much to measure. The zero Options is a good compromise on a
// quiet machine.
type Options struct {
	Slices int           // of each side; 0 is 21
	Slice  time.Duration // CPU time of a slice, roughly; 0 is 50 ms
}

func (o Options) withDefaults() Options {
	if o.Slices == 0 {
		o.Slices = 21
	}
	if o.Slice == 0 {
		o.Slice = 50 * time.Millisecond
	}
	return o
}

// Timer is one side of one measure.
type Timer struct {
	// Time runs n requests and gives the CPU time that they took.
	Time func(n int) (time.Duration, error)
	// Step is what n is a multiple of, at least 1: the number of inputs, so that
	// each slice sees all of them alike.
	Step int
}

// OfSide times a mode of a side over inputs.
func OfSide(side *workload.Side, mode workload.Mode, inputs [][]byte) (Timer, error) {
	step := len(inputs)
	if mode == workload.Logic {
		step = 1
	}
	if remote := side.Remote; remote != nil {
		return Timer{
			Time: func(n int) (time.Duration, error) { return remote.Time(mode, n) },
			Step: step,
		}, nil
	}
	loop, err := side.Loop(mode, inputs)
	if err != nil {
		return Timer{}, err
	}
	return Timer{Time: func(n int) (time.Duration, error) { return process(loop, n) }, Step: step}, nil
}

func process(loop workload.Loop, n int) (time.Duration, error) {
	start, err := ProcessCPU()
	if err != nil {
		return 0, err
	}
	if err := loop(n); err != nil {
		return 0, err
	}
	end, err := ProcessCPU()
	return end - start, err
}

// Series is CPU time a request, in nanoseconds, slice by slice.
type Series []float64

// Median is the middle of the series.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile is the value below which a share q of the series lies, interpolated.
func (s Series) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(s)
	slices.Sort(sorted)
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// Ratios divides slice by slice.
func (s Series) Ratios(by Series) Series {
	ratios := make(Series, min(len(s), len(by)))
	for i := range ratios {
		ratios[i] = s[i] / by[i]
	}
	return ratios
}

// Compare measures the timers in turn, slice by slice, and gives a series for
// each.
func Compare(o Options, timers ...Timer) ([]Series, error) {
	o = o.withDefaults()
	counts := make([]int, len(timers))
	for i, t := range timers {
		var err error
		if counts[i], err = calibrate(t, o.Slice); err != nil {
			return nil, err
		}
	}
	series := make([]Series, len(timers))
	for range o.Slices {
		for i, t := range timers {
			runtime.GC()
			if _, err := t.Time(roundUp(counts[i]/10, t.Step)); err != nil {
				return nil, err
			}
			took, err := t.Time(counts[i])
			if err != nil {
				return nil, err
			}
			series[i] = append(series[i], float64(took.Nanoseconds())/float64(counts[i]))
		}
	}
	return series, nil
}

// calibrate finds how many requests fill a slice, growing n until one run
// takes half of it.
func calibrate(t Timer, slice time.Duration) (int, error) {
	for n := t.Step; ; n = roundUp(2*n, t.Step) {
		took, err := t.Time(n)
		if err != nil {
			return 0, err
		}
		if took >= slice/2 {
			return max(roundUp(int(float64(n)*float64(slice)/float64(took)), t.Step), t.Step), nil
		}
		if n > 1<<40 {
			return 0, fmt.Errorf("%d requests took no time", n)
		}
	}
}

func roundUp(n, step int) int { return max((n+step-1)/step, 1) * step }

// Allocs gives the allocations, and the bytes allocated, for each of n requests
// after as many for warm-up. Like testing.AllocsPerRun it rounds down, so that
// a stray allocation of the runtime does not count.
func Allocs(loop workload.Loop, n int) (allocs, bytes uint64, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if err := loop(n); err != nil {
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = loop(n)
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / uint64(n), (after.TotalAlloc - before.TotalAlloc) / uint64(n), err
}
