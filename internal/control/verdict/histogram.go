package verdict

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A Histogram counts whole numbers that are not negative, such as latencies in microseconds. Its buckets are of
// one number up to 31, and then sixteen to each power of two, so that none is wider than a sixteenth
// of what it holds. All histograms have the same buckets: sums and differences are exact.
//
// The zero value is empty, and so is nil for what reads. It is not safe for use by several at once.
type Histogram struct{ counts []int64 }

// mostBuckets are those up to the greatest int64.
const mostBuckets = 59*16 + 16

// bucket is where v is counted.
func bucket(v int64) int {
	if v < 32 {
		return int(max(v, 0))
	}
	e := bits.Len64(uint64(v)) - 5
	return e*16 + int(v>>e)
}

// floor is the least number of a bucket.
func floor(bucket int) int64 {
	if bucket < 32 {
		return int64(bucket)
	}
	e := bucket/16 - 1
	if e > 58 {
		return math.MaxInt64 // of the bucket after the last
	}
	return int64(bucket%16+16) << e
}

// Add counts v; what is negative is counted as 0.
func (h *Histogram) Add(v int64) { h.AddN(v, 1) }

// AddN counts v, n times.
func (h *Histogram) AddN(v, n int64) {
	i := bucket(v)
	h.grow(i + 1)
	h.counts[i] += n
}

func (h *Histogram) grow(n int) {
	if n > len(h.counts) {
		h.counts = append(h.counts, make([]int64, n-len(h.counts))...)
	}
}

// Merge adds what another has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other == nil {
		return
	}
	h.grow(len(other.counts))
	for i, n := range other.counts {
		h.counts[i] += n
	}
}

// Since is what was counted after an earlier state of the same histogram. It is false if
// that is none, as when the one who counts began anew.
func (h *Histogram) Since(earlier *Histogram) (*Histogram, bool) {
	d := &Histogram{}
	d.Merge(h)
	if earlier == nil {
		return d, true
	}
	for i, n := range earlier.counts {
		if n == 0 {
			continue
		}
		if i >= len(d.counts) || d.counts[i] < n {
			return nil, false
		}
		d.counts[i] -= n
	}
	return d, true
}

// Count is how many were counted.
func (h *Histogram) Count() int64 { return h.Above(0) }

// Above is how many were counted that are at least v, if v is where a bucket begins, as a
// threshold is; of the bucket that v is in the middle of none is taken.
func (h *Histogram) Above(v int64) int64 {
	if h == nil {
		return 0
	}
	first := bucket(v)
	if floor(first) < v {
		first++
	}
	sum := int64(0)
	for i := first; i < len(h.counts); i++ {
		sum += h.counts[i]
	}
	return sum
}

// few is how many of those counted a threshold has to leave above it on average.
const few = 10

// Threshold is the least number that begins a bucket and is exceeded by, or equal to, at most a
// part of 1 − q of those counted. It is for the next window: a threshold from the same window would
// know whose answers it is about to count. It is false if that part is of fewer than 10: keep the one
// from before.
func (h *Histogram) Threshold(q float64) (int64, bool) {
	n := h.Count()
	most := float64(n) * (1 - q)
	if most < few*(1-1e-9) {
		return 0, false
	}
	above := int64(0)
	for i := len(h.counts) - 1; i >= 0; i-- {
		if above += h.counts[i]; float64(above) > most {
			return floor(i + 1), true
		}
	}
	return 0, false
}

// Quantile is the number that a part q of those counted does not exceed, within a bucket by
// proportion. Of nothing it is 0.
func (h *Histogram) Quantile(q float64) float64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank, below := q*float64(n), 0.0
	for i, c := range h.counts {
		if c > 0 && below+float64(c) >= rank {
			low, high := float64(floor(i)), float64(floor(i+1)-1)
			return low + (high-low)*max(0, rank-below)/float64(c)
		}
		below += float64(c)
	}
	return float64(floor(len(h.counts)) - 1)
}

// MarshalJSON writes the buckets' counts in their order; −k stands for k empty ones.
func (h Histogram) MarshalJSON() ([]byte, error) {
	out := []int64{}
	empty := int64(0)
	for _, n := range h.counts {
		if n == 0 {
			empty++
			continue
		}
		if empty > 0 {
			out = append(out, -empty)
			empty = 0
		}
		out = append(out, n)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a histogram. It fails if it has more buckets than there are.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var in []int64
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	counts := []int64{}
	for _, n := range in {
		empty := int64(0)
		if n < 0 {
			empty = -n
		} else {
			empty = 1
		}
		if empty < 0 || empty > int64(mostBuckets-len(counts)) {
			return fmt.Errorf("a histogram of more than %d buckets", mostBuckets)
		}
		counts = append(counts, make([]int64, empty)...)
		if n > 0 {
			counts[len(counts)-1] = n
		}
	}
	h.counts = slices.Clip(counts)
	return nil
}
