package verdict

import (
	"encoding/json"
	"reflect"
	"testing"
)

// near is a histogram whose 99th percentile is about v.
func near(v int64) *Histogram {
	h := &Histogram{}
	h.AddN(v/3, 980)
	h.AddN(v, 20)
	return h
}

func TestTexts(t *testing.T) {
	fresh := func(metrics ...string) *Test { return newTest(t, Options{Metrics: metrics}) }

	waits := fresh(Error, Timeout, Slow)
	serve(t, waits, 941, 8471)
	add(t, waits, Error, Stored(0.1), 1, 3)
	add(t, waits, Slow, Stored(0.1), 9, 84)

	aborts := fresh(Error, Timeout, Slow)
	serve(t, aborts, 210, 1890)
	add(t, aborts, Error, Stored(0.1), 9, 7)
	add(t, aborts, Slow, Stored(0.1), 4, 3)

	passes := fresh(Error, Slow)
	serve(t, passes, 12_000, 108_000)
	add(t, passes, Slow, Stored(0.1), 120, 1080)

	replayed := fresh(Error, Slow)
	if err := replayed.Replay(Replay{Requests: 3000, Dearer: 90}); err != nil {
		t.Fatal(err)
	}

	unknown := fresh(Error, Slow)
	if err := unknown.Serve(Pair{5000, 900}, Slow); err != nil {
		t.Fatal(err)
	}

	crashed := fresh(Error)
	add(t, crashed, Crash, Stored(0.1), 2, 0)

	for _, c := range []struct {
		test          *Test
		latency       [2]int64
		line, verdict string
	}{
		{
			fresh(Error, Timeout, Slow),
			[2]int64{},
			"errors 0% vs 0% · undecided (E 1.0 of 1000)",
			"undecided (E 1.0 of 1000): waits for about 4,139 more requests of the candidate without errors, timeouts; about 205 more requests of the candidate without slow answers",
		},
		{
			waits,
			[2]int64{12_000, 11_000},
			"errors 0.11% vs 0.04% · p99 12.0 vs 11.0 ms · undecided (E 0.7 of 1000)",
			"undecided (E 0.7 of 1000): waits for about 597 more errors at equal rates; about 3,198 more requests of the candidate without timeouts or 568 more timeouts at equal rates; about 506 more requests of the candidate at its rate so far of slow answers or 441 more slow answers at equal rates",
		},
		{
			aborts,
			[2]int64{980_000, 12_000},
			"errors 4.29% vs 0.37% · slow answers 1.90% vs 0.16% · p99 966.7 vs 12.0 ms · abort (E 2475 of 1000)",
			"abort: 9 of 16 errors are the candidate's, which answered 210 of 2,100 requests (E 2475 of 1000)",
		},
		{passes, [2]int64{}, "errors 0% vs 0% · pass (E 0.5 of 1000)", "pass: errors, slow answers by traffic"},
		{
			replayed,
			[2]int64{},
			"errors 0% vs 0% · undecided (E 1.0 of 1000)",
			"undecided (E 1.0 of 1000): waits for about 205 more requests of the candidate without slow answers",
		},
		{crashed, [2]int64{}, "errors 0% vs 0% · abort (crashed 2 times)", "abort: the candidate crashed 2 times"},
		{
			unknown,
			[2]int64{},
			"errors 0% vs 0% · undecided (E 1.0 of 1000)",
			"undecided (E 1.0 of 1000): waits for answers of the release, some thousand of a view, to know what are slow answers",
		},
	} {
		s := c.test.Summary(nil, nil)
		if c.latency[0] > 0 {
			s = c.test.Summary(near(c.latency[0]), near(c.latency[1]))
		}
		if got := s.String(); got != c.line {
			t.Errorf("the line is\n%s\nwant\n%s", got, c.line)
		}
		if got := s.Verdict.String(); got != c.verdict {
			t.Errorf("the verdict is\n%s\nwant\n%s", got, c.verdict)
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var read Summary
		if err := json.Unmarshal(data, &read); err != nil || !reflect.DeepEqual(read, s) {
			t.Errorf("%+v is read as %+v (%v)", s, read, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01: "<0.1", 0.44: "0.4", 9.96: "9.9", 1000: "1000", 999.99: "999", 1e7: "1e+07"} {
		if got := short(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	for v, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(v); got != want {
			t.Errorf("%d is written %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0%", 0.0003: "0.03%", 0.00001: "<0.01%", 0.25: "25%"} {
		if got := percent(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	for v, want := range map[[2]float64]string{
		{11_200, 11_000}: "11.2 vs 11.0 ms", {90, 250}: "90.0 vs 250.0 µs", {2.5e6, 999_000}: "2500 vs 999 ms", {1.5e6, 2e6}: "1.50 vs 2.00 s",
	} {
		if got := times(v[0], v[1]); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
