package meter_test

import (
	"errors"
	"testing"
	"time"

	"towpath.dev/bench/meter"
	"towpath.dev/bench/workload"
)

// timer gives a timer of a fixed cost a request, which notes each run.
func timer(name byte, cost time.Duration, step int, runs *[]byte, counts *[]int) meter.Timer {
	return meter.Timer{
		Step: step,
		Time: func(n int) (time.Duration, error) {
			*runs = append(*runs, name)
			*counts = append(*counts, n)
			return time.Duration(n) * cost, nil
		},
	}
}

func TestCompareAlternatesAndDivides(t *testing.T) {
	var runs []byte
	var counts []int
	series, err := meter.Compare(
		meter.Options{Slices: 3, Slice: time.Millisecond},
		timer('a', 200, 16, &runs, &counts),
		timer('b', 50, 1, &runs, &counts),
	)
	if err != nil {
		t.Fatal(err)
	}
	// Each slice is a warm-up and a run.
	if got := string(runs[len(runs)-12:]); got != "aabbaabbaabb" {
		t.Errorf("slices ran as %s", got)
	}
	for i, n := range counts {
		if runs[i] == 'a' && n%16 != 0 {
			t.Errorf("%d requests are not whole rounds of 16 inputs", n)
		}
	}
	last := counts[len(counts)-12:]
	if last[1] != 5008 || last[3] != 20000 {
		t.Errorf("slices of 1 ms hold %d and %d requests", last[1], last[3])
	}
	if a, b := series[0].Median(), series[1].Median(); a != 200 || b != 50 {
		t.Errorf("medians are %v and %v", a, b)
	}
	if r := series[0].Ratios(series[1]); len(r) != 3 || r.Median() != 4 {
		t.Errorf("ratios are %v", r)
	}
}

func TestCompareStopsAtAnError(t *testing.T) {
	boom := errors.New("boom")
	_, err := meter.Compare(meter.Options{}, meter.Timer{
		Step: 1,
		Time: func(int) (time.Duration, error) { return 0, boom },
	})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	s := meter.Series{5, 1, 4, 2, 3}
	for _, test := range []struct{ q, want float64 }{{0, 1}, {0.1, 1.4}, {0.5, 3}, {1, 5}} {
		if got := s.Quantile(test.q); got != test.want {
			t.Errorf("quantile %v is %v, not %v", test.q, got, test.want)
		}
	}
	if empty := (meter.Series{}).Median(); empty == empty {
		t.Errorf("the median of nothing is %v", empty)
	}
}

var kept []byte

func TestAllocs(t *testing.T) {
	loop := func(n int) error {
		for range n {
			kept = make([]byte, 128)
		}
		return nil
	}
	allocs, bytes, err := meter.Allocs(loop, 1000)
	if err != nil || allocs != 1 || bytes < 128 || bytes >= 256 {
		t.Errorf("%d allocations of %d bytes, %v", allocs, bytes, err)
	}
}

func TestOfSideTimesThisProcess(t *testing.T) {
	side := workload.Side{Name: "echo", Answer: func(body []byte) ([]byte, error) { return body, nil }}
	timer, err := meter.OfSide(&side, workload.EndToEnd, [][]byte{{1}, {2}})
	if err != nil {
		t.Fatal(err)
	}
	if took, err := timer.Time(10); err != nil || took < 0 || timer.Step != 2 {
		t.Errorf("%v, %v, step %d", took, err, timer.Step)
	}
	if _, err := meter.OfSide(&side, workload.Logic, [][]byte{{1}}); err == nil {
		t.Error("a side without logic was timed")
	}
}
