package verdict

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// values are of all sizes.
func values(r *rand.Rand) []int64 {
	v := make([]int64, r.IntN(300))
	for i := range v {
		v[i] = size(r, math.MaxInt64/4)
	}
	return v
}

func of(values []int64) *Histogram {
	h := &Histogram{}
	for _, v := range values {
		h.Add(v)
	}
	return h
}

func TestBuckets(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		v := size(r, math.MaxInt64/4)
		low, next := floor(bucket(v)), floor(bucket(v)+1)
		if v < low || (v >= next && next != math.MaxInt64) {
			t.Errorf("%d is in the bucket from %d to %d", v, low, next)
		}
		if low >= 32 && float64(next-low) > float64(low)/16 {
			t.Errorf("the bucket from %d to %d is too wide", low, next)
		}
	})
	if b := bucket(math.MaxInt64); b != mostBuckets-1 {
		t.Errorf("the last bucket is %d of %d", b, mostBuckets)
	}
}

func TestHistogram(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		first, second := values(r), values(r)
		earlier, all := of(first), of(append(slices.Clone(first), second...))
		if since, ok := all.Since(earlier); !ok || since.Count() != int64(len(second)) {
			t.Errorf("since then %v, %v", since, ok)
		} else {
			since.Merge(earlier)
			same(t, all, since)
		}
		if len(first) > 0 {
			if d, ok := of(second).Since(all); ok {
				t.Errorf("what began anew differs by %v", d)
			}
		}
		data, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		var read Histogram
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		same(t, all, &read)
	})
}

func same(t *testing.T, a, b *Histogram) {
	for i := range mostBuckets {
		if a.Above(floor(i)) != b.Above(floor(i)) {
			t.Fatalf("above %d: %d and %d", floor(i), a.Above(floor(i)), b.Above(floor(i)))
		}
	}
}

func TestThreshold(t *testing.T) {
	check(t, func(t *testing.T, r *rand.Rand) {
		all := values(r)
		h := of(all)
		q := []float64{0.5, 0.9, 0.95}[r.IntN(3)]
		v, ok := h.Threshold(q)
		most := float64(len(all)) * (1 - q)
		if !ok {
			if most > 10 {
				t.Errorf("no threshold of %d", len(all))
			}
			return
		}
		above := 0
		for _, x := range all {
			if x >= v {
				above++
			}
		}
		if float64(above) > most || h.Above(v) != int64(above) {
			t.Errorf("%d are above %d, and %d are counted; at most %v may be", above, v, h.Above(v), most)
		}
	})
}

func TestQuantile(t *testing.T) {
	h := &Histogram{}
	for v := range int64(100_000) {
		h.Add(v)
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		if got, want := h.Quantile(q), q*100_000; math.Abs(got/want-1) > 0.032 {
			t.Errorf("the quantile %v is %v, want about %v", q, got, want)
		}
	}
	var none *Histogram
	if none.Quantile(0.5) != 0 || none.Count() != 0 || (&Histogram{}).Quantile(0.5) != 0 {
		t.Error("quantiles of nothing")
	}
}

func FuzzHistogram(f *testing.F) {
	f.Add([]byte(`[-120,3,5,-4,1]`))
	f.Add([]byte(`[-9223372036854775808]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h Histogram
		if json.Unmarshal(data, &h) != nil {
			return
		}
		if len(h.counts) > mostBuckets {
			t.Errorf("%d buckets", len(h.counts))
		}
		h.Quantile(0.5)
		h.Threshold(0.9)
	})
}
