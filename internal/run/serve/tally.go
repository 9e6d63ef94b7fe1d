package serve

import (
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Tally is what a release has done for a view since it was put in place: requests that
// came from outside, each counted once, and what was bad about them. A request is bad in
// one way, save for fallbacks and shedding, which are of requests that were answered.
type Tally struct {
	View     string // qualified
	Requests int64
	Gone     int64 // whose clients left before they had an answer; none of Requests
	Errors   int64 // answers that are problems, for no reason below: an input that it refuses too
	Services int64 // no answer, as a service had none, or not in more than half of the time
	Timeouts int64 // no answer in time, whichever services had been asked
	Faults   int64 // the program's, and limits that it reached
	Fallback int64 // an else stood in for a call
	Shed     int64 // load had optional scopes left out
	// Latency of answers, and of requests that are gone until they were, and CPU of all, in
	// microseconds, by buckets: see [BucketFloor].
	Latency, CPU []int64
}

// tally is a Tally that counts.
type tally struct {
	requests, gone, errors, services, timeouts, faults, fallback, shed atomic.Int64
	latency, cpu                                                       [buckets]atomic.Int64
}

// Buckets are of one microsecond up to 31, and then sixteen to each power of two, up to some
// hours.
const buckets = 30*16 + 16

func bucket(d time.Duration) int {
	v := uint64(max(d.Microseconds(), 0))
	if v < 32 {
		return int(v)
	}
	e := bits.Len64(v) - 5
	return min(e*16+int(v>>e), buckets-1)
}

// BucketFloor is the least number of microseconds that is counted in a bucket of a Tally.
func BucketFloor(i int) int64 {
	if i < 32 {
		return int64(i)
	}
	return int64(i%16+16) << (i/16 - 1)
}

// Outcomes of requests, as a tally counts them.
type outcome uint8

const (
	answered outcome = iota
	errorOutcome
	serviceOutcome
	timeoutOutcome
	faultOutcome
	gone // the client; nobody knows what it would have got, but that it took longer
)

func (t *tally) count(o outcome, took, ran time.Duration, fallback, shed bool) {
	t.cpu[bucket(ran)].Add(1)
	if o == gone { // neither good nor lost
		t.gone.Add(1)
		t.latency[bucket(took)].Add(1)
		return
	}
	t.requests.Add(1)
	switch o {
	case answered:
		t.latency[bucket(took)].Add(1)
		if fallback {
			t.fallback.Add(1)
		}
		if shed {
			t.shed.Add(1)
		}
	case errorOutcome:
		t.errors.Add(1)
	case serviceOutcome:
		t.services.Add(1)
	case timeoutOutcome:
		t.timeouts.Add(1)
	case faultOutcome:
		t.faults.Add(1)
	}
}

func (t *tally) read(view string) Tally {
	out := Tally{
		View: view, Requests: t.requests.Load(), Gone: t.gone.Load(), Errors: t.errors.Load(), Services: t.services.Load(), Timeouts: t.timeouts.Load(),
		Faults: t.faults.Load(), Fallback: t.fallback.Load(), Shed: t.shed.Load(),
	}
	for _, h := range []struct {
		from *[buckets]atomic.Int64
		to   *[]int64
	}{{&t.latency, &out.Latency}, {&t.cpu, &out.CPU}} {
		last := 0
		all := make([]int64, buckets)
		for i := range h.from {
			if all[i] = h.from[i].Load(); all[i] != 0 {
				last = i + 1
			}
		}
		*h.to = all[:last]
	}
	return out
}

// Tallies are the release's, of each view, by the views' names.
func (r *Release) Tallies() []Tally {
	seen := map[*view]bool{}
	var all []Tally
	for _, v := range r.views {
		if !seen[v] {
			seen[v] = true
			all = append(all, v.tally.read(v.name))
		}
	}
	slices.SortFunc(all, func(a, b Tally) int { return strings.Compare(a.View, b.View) })
	return all
}

// Placed is when the release was put in place.
func (r *Release) Placed() time.Time { return r.started }
