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
