package verdict

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestStored has who takes over read no more evidence than there was, and hardly less.
func TestStored(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		test, err := New(Options{Metrics: []string{Error, Timeout, Fault, Fallback, Shed, Slow, CPU, "another"}})
		if err != nil {
			t.Fatal(err)
		}
		for range r.IntN(30) {
			window(t, r, test)
			if err := test.Serve(Pair{r.Int64N(1e9), r.Int64N(1e9)}, Slow, CPU); err != nil {
				t.Fatal(err)
			}
		}
		data, err := json.Marshal(test)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 2048 {
			t.Errorf("a test takes %d bytes: %s", len(data), data)
		}
		var read Test
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		for i := range test.Metrics {
			less(t, test.Metrics[i].For, read.Metrics[i].For)
			less(t, test.Metrics[i].Against, read.Metrics[i].Against)
		}
		again, err := json.Marshal(&read)
		if err != nil || string(again) != string(data) {
			t.Errorf("stored: %s\nstored again: %s (%v)", data, again, err)
		}
	})
}

func less(t *testing.T, was, is Logs) {
	for i, v := range was {
		if is[i] > v || is[i] < v-1e-8*max(1, math.Abs(v)) {
			t.Errorf("a sum of %v is stored as %v", v, is[i])
		}
	}
}

func TestStoredWrong(t *testing.T) {
	good, err := json.Marshal(newTest(t, Options{Metrics: []string{Error}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, says string }{
		{`"alpha":0.001`, `"alpha":0`, "alpha is 0; it is a probability between 0 and 1"},
		{`"beta":0.05`, `"beta":7`, "beta is 7"},
		{`"worse":1.5`, `"worse":1`, "worse is 1; it is a ratio above 1"},
		{`"rates":[1.25,`, `"rates":[0.5,`, "a rate to bet on is 0.5"},
		{`"rates":[1.25,`, `"rates":[`, "error has 7 and 4 sums; it has 6 and 4"},
		{`"bad":[0,0]`, `"bad":[0,-1]`, "counts of error make no sense"},
		{`"bad":[0,0]`, `"bad":[0]`, "1 numbers where two are expected"},
		{`"bad":[0,0]`, `"bad":[0,0],"unjudged":[0,1]`, "not judged are {Candidate:0 Control:1} of {Candidate:0 Control:0}"},
		{`"requests":[0,0]`, `"requests":[0,-3]`, "counts of requests make no sense"},
		{`"name":"error"`, `"name":"crash"`, `"crash" is no metric to bet on`},
		{`"tolerated":0.001`, `"tolerated":2`, "of error a rate of 2 is tolerated"},
	} {
		bad := strings.Replace(string(good), c.from, c.to, 1)
		if bad == string(good) {
			t.Fatalf("%s is not in %s", c.from, good)
		}
		var read Test
		if err := json.Unmarshal([]byte(bad), &read); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error is %v, want one with %q", c.to, err, c.says)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		says string
	}{
		{Options{Alpha: 2, Beta: -1}, "alpha is 2"},
		{Options{Metrics: []string{}}, "there are no metrics"},
		{Options{Metrics: []string{Error, Error}}, `the metric "error" is there twice`},
		{Options{Rates: []float64{}}, "there are no rates"},
		{Options{Tolerated: map[string]float64{"eror": 0.1}}, `a rate is tolerated of the metric "eror"`},
	} {
		if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("the error is %v, want one with %q", err, c.says)
		}
	}
}
