package serve

import (
	"testing"
	"time"
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
	for _, c := range []struct{ view, input, deadline string }{{"left", `{"item":"lamp"}`, "20"}, {"endless", `{"n":1}`, "1"}} { // it has no more gas soon after that
		if status, _, body := ask(s, "POST", "/v1/shop/"+c.view, c.input, "Towpath-Deadline", c.deadline); status != 504 {
			t.Errorf("%s: %d %s", c.view, status, body)
		}
	}
	for _, tally := range s.programs.Load().byName["shop"].now.Load().main.Tallies() {
		want := map[string][2]int64{"shop.left": {1, 0}, "shop.endless": {0, 1}}[tally.View]
		if got := [2]int64{tally.Services, tally.Timeouts}; got != want {
			t.Errorf("%s: services and timeouts %v; expected %v", tally.View, got, want)
		}
	}
}
