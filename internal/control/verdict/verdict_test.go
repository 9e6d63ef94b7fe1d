package verdict

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func newTest(t *testing.T, o Options) *Test {
	t.Helper()
	test, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return test
}

func add(t *testing.T, test *Test, metric string, share Share, candidate, control int64) {
	t.Helper()
	if err := test.Add(metric, share, Pair{candidate, control}); err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T, test *Test, candidate, control int64) {
	t.Helper()
	if err := test.Serve(Pair{candidate, control}); err != nil {
		t.Fatal(err)
	}
}

// TestE holds E against the formula itself.
func TestE(t *testing.T) {
	test := newTest(t, Options{Metrics: []string{Error, Slow}})
	if e := test.E(); e != 1 {
		t.Errorf("before anything happened E is %v, want 1", e)
	}
	add(t, test, Error, Stored(0.1), 2, 1)
	add(t, test, Error, Stored(0.5), 1, 0)
	add(t, test, Slow, Stored(0.1), 0, 3)
	errs, slow := 0.0, 0.0
	for _, r := range []float64{1.25, 1.5, 2, 3, 5, 10, 30} {
		errs += r * r / math.Pow(0.1*r+0.9, 3) * r / (0.5*r + 0.5) / 7
		slow += 1 / math.Pow(0.1*r+0.9, 3) / 7
	}
	if got, want := test.E(), (errs+slow)/2; math.Abs(got-want) > 1e-12*want {
		t.Errorf("E is %v, want %v", got, want)
	}
}

func TestNoEvidence(t *testing.T) {
	test := newTest(t, Options{})
	add(t, test, Error, Stored(0), 5, 100)
	add(t, test, Error, Stored(1), 500, 0)
	add(t, test, Error, Stored(0.5), 0, 0)
	add(t, test, Error, Measured(Pair{0, 100}), 0, 40)
	if e := test.E(); e != 1 {
		t.Errorf("E is %v, want 1", e)
	}
	if bad := test.metric(Error).Bad; bad != (Pair{505, 140}) {
		t.Errorf("%v were counted, want 505 and 140", bad)
	}
}

func TestRefusals(t *testing.T) {
	test := newTest(t, Options{Metrics: []string{Error}})
	before, _ := json.Marshal(test)
	for _, c := range []struct {
		err  error
		says string
	}{
		{test.Add(Slow, Stored(0.1), Pair{1, 1}), `the metric "slow" is none of the test's: error`},
		{test.Add(Error, Stored(math.NaN()), Pair{1, 1}), "share is NaN; it is between 0 and 1"},
		{test.Add(Error, Stored(1.5), Pair{1, 1}), "share is 1.5"},
		{test.Add(Error, Stored(0.1), Pair{-1, 1}), "a counter that began anew"},
		{test.Serve(Pair{1, -1}), "a counter that began anew"},
		{test.Replay(Replay{Requests: 1, Differed: 2}), "of 1 replayed requests 2 differ"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("the error is %v, want one with %q", c.err, c.says)
		}
	}
	if after, _ := json.Marshal(test); string(after) != string(before) {
		t.Errorf("what was refused was counted: %s, before it %s", after, before)
	}
}

func TestCrashes(t *testing.T) {
	test := newTest(t, Options{})
	add(t, test, Crash, Stored(0.1), 1, 7)
	if v := test.Verdict(); v.Decision != Undecided {
		t.Errorf("after one crash: %v", v)
	}
	add(t, test, Crash, Share{}, 1, 0)
	if v := test.Verdict(); v.Decision != Abort || v.String() != "abort: the candidate crashed 2 times" {
		t.Errorf("after two crashes: %v", v)
	}
}

// TestLarge adds what no deployment sees.
func TestLarge(t *testing.T) {
	for _, x := range []int64{0, 1, 1e8, 1e9} {
		test := newTest(t, Options{})
		for i := range test.Metrics {
			add(t, test, test.Metrics[i].Name, Stored(0.1), x, 1e9-x)
		}
		serve(t, test, 1e12, 9e12)
		if e := test.E(); math.IsNaN(e) || math.IsInf(e, 0) || e < 0 {
			t.Errorf("at %d of 1e9, E is %v", x, e)
		}
		data, err := json.Marshal(test)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(test.Verdict()); err != nil {
			t.Errorf("at %d of 1e9: %v", x, err)
		}
		if len(data) > 2048 {
			t.Errorf("a test of 7 metrics takes %d bytes: %s", len(data), data)
		}
	}
}

// TestReplay passes by what was replayed, if it was enough, nothing differs, and few requests took
// more work.
func TestReplay(t *testing.T) {
	for _, c := range []struct {
		replay       Replay
		answer, work bool // whether what an answer shows passes, and what it does not
	}{
		{Replay{Requests: 148}, false, false},
		{Replay{Requests: 149}, false, true}, // 2 % slow answers are tolerated
		{Replay{Requests: 2994}, false, true},
		{Replay{Requests: 2995}, true, true},
		{Replay{Requests: 2995, Dearer: 45}, true, true},
		{Replay{Requests: 2995, Dearer: 60}, true, false},
		{Replay{Requests: 100_000, Differed: 1}, false, false},
	} {
		test := newTest(t, Options{Metrics: []string{Error, Service, Slow}})
		if err := test.Replay(c.replay); err != nil {
			t.Fatal(err)
		}
		if err := test.Replay(Replay{Requests: 10, Differed: 10}); err != nil { // a smaller one says nothing
			t.Fatal(err)
		}
		for _, w := range test.Verdict().Ways {
			if want := w.Metric == Slow && c.work || w.Metric != Slow && c.answer; want != (w.How == ByReplay) {
				t.Errorf("%+v: %s passes by %q", c.replay, w.Metric, w.How)
			}
		}
		if d := test.Decision(); d == Pass != (c.answer && c.work) {
			t.Errorf("%+v: %s", c.replay, d)
		}
	}
}

// TestUnjudged: requests of which nobody knows whether they were slow do not pass a candidate, and
// bad ones count from when it is known.
func TestUnjudged(t *testing.T) {
	test := newTest(t, Options{Metrics: []string{Error, Slow}})
	if err := test.Serve(Pair{20_000, 20_000}, Slow, "another"); err != nil {
		t.Fatal(err)
	}
	ways := test.Verdict().Ways
	if ways[0].How != ByTraffic || ways[1].How != "" || !ways[1].Unknown || ways[1].Served != (Pair{}) || test.Decision() != Undecided {
		t.Errorf("%+v", ways)
	}
	serve(t, test, 1000, 1000)
	add(t, test, Slow, Stored(0.5), 5, 6)
	ways = test.Verdict().Ways
	if ways[1].How != ByTraffic || ways[1].Unknown || ways[1].Served != (Pair{1000, 1000}) || test.Decision() != Pass {
		t.Errorf("%+v", ways)
	}
}

// TestOldState: what was stored before metrics had requests of their own is read as it was meant.
func TestOldState(t *testing.T) {
	test := newTest(t, Options{Metrics: []string{Slow}})
	serve(t, test, 5000, 5000)
	data, err := json.Marshal(test)
	if err != nil || strings.Contains(string(data), "unjudged") {
		t.Fatalf("%s, %v", data, err)
	}
	var read Test
	if err := json.Unmarshal(data, &read); err != nil || read.Decision() != Pass {
		t.Errorf("%s, %v", read.Verdict(), err)
	}
}

// TestByReplay: a replay passes all metrics or it does not.
func TestByReplay(t *testing.T) {
	for _, c := range []struct {
		replay  Replay
		metrics []string
		all     bool
	}{
		{Replay{}, []string{Error}, false},
		{Replay{Requests: 3000}, []string{Error, Slow, CPU}, true},
		{Replay{Requests: 3000, Dearer: 200}, []string{Error, Slow}, false},
		{Replay{Requests: 3000, Dearer: 200}, []string{Error}, true},
		{Replay{Requests: 3000, Differed: 1}, []string{Error}, false},
		{Replay{Requests: 300}, []string{Error, Slow}, false},
	} {
		test := newTest(t, Options{Metrics: c.metrics})
		serve(t, test, 100_000, 100_000) // which passes it otherwise
		if err := test.Replay(c.replay); err != nil {
			t.Fatal(err)
		}
		if test.ByReplay() != c.all {
			t.Errorf("%+v passes all of %v: %v", c.replay, c.metrics, test.ByReplay())
		}
	}
}
