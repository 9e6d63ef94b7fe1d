package serve

import (
	"testing"
	"time"

	"towpath.dev/internal/run/fetch"
)

// TestBuckets: each duration is in the bucket that it is not below, and below the next.
func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		low, next := BucketFloor(i), BucketFloor(i+1)
		for _, v := range []int64{low, next - 1} {
			if got := bucket(time.Duration(v) * time.Microsecond); got != i {
				t.Fatalf("%d µs is in the bucket %d, which begins at %d; expected %d", v, got, BucketFloor(got), i)
			}
		}
	}
	if got := bucket(1 << 62); got != buckets-1 {
		t.Errorf("the longest is in the bucket %d", got)
	}
}

// TestWhoseTimeItWas: where the time was up, it is the service's doing that had most of it, and
// the program's otherwise.
func TestWhoseTimeItWas(t *testing.T) {
	s := start(t, Options{}, answers(hang))
	if status, _, body := ask(s, "POST", "/v1/shop/left", `{"item":"lamp"}`, "Towpath-Deadline", "20"); status != 504 {
		t.Errorf("%d %s", status, body)
	}
	for _, tally := range s.programs.Load().byName["shop"].now.Load().main.Tallies() {
		if tally.View == "shop.left" && (tally.Services != 1 || tally.Timeouts != 0) {
			t.Errorf("%+v", tally)
		}
	}
	now := time.Now()
	call := func(from, to int, failed int) fetch.Event { // of the last 100 ms
		at := func(ms int) time.Time { return now.Add(time.Duration(ms-100) * time.Millisecond) }
		return fetch.Event{Begin: at(from), End: at(to), Failed: failed}
	}
	for _, c := range []struct {
		events []fetch.Event
		want   bool
	}{
		{nil, false},                             // it computed
		{[]fetch.Event{call(0, 90, 0)}, false},   // it had its answer
		{[]fetch.Event{call(60, 100, 1)}, false}, // it was asked late
		{[]fetch.Event{call(0, 30, 0), call(30, 60, 0), call(60, 100, 1)}, false},
		{[]fetch.Event{call(0, 10, 0), call(40, 100, 1)}, true},
	} {
		if got := (&query{begin: now.Add(-100 * time.Millisecond), events: c.events}).waited(now); got != c.want {
			t.Errorf("%+v: %v", c.events, got)
		}
	}
}
