package fetch

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// joined is how many calls of a world's asks were found under way.
func (w *world) joined() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		n += e.Joined
	}
	return n
}

// TestReleasesShareCallsUnderWay: what one release asks, requests of another wait for
// as well, where operation and binding are the same.
func TestReleasesShareCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := &Sources{}
		begin := func(key string) *world {
			return startOn(t, &service{took: 20 * time.Millisecond}, nil, common, key)
		}
		one, two, other := begin("k"), begin("k"), begin("another")
		defer one.stop(t)
		defer two.stop(t)
		defer other.stop(t)
		var wg sync.WaitGroup
		wg.Go(func() { one.expect(t, "price", "[1,2]", "", "[1,2]") })
		wg.Go(func() { one.expect(t, "left", "[1]", "", "[1]") })
		synctest.Wait()
		wg.Go(func() { two.expect(t, "price", "[2,3]", "", "[2,3]") })
		wg.Go(func() { two.expect(t, "left", "[1]", "", "[1]") }) // is not shared
		wg.Go(func() { other.expect(t, "price", "[1]", "", "[1]") })
		wg.Wait()
		if n := two.joined(); n != 1 {
			t.Errorf("%d calls were joined, want 1", n)
		}
		if n := other.joined(); n != 0 {
			t.Errorf("%d calls of another binding were joined", n)
		}
		other.service.expect(t, "[[1]]")
	})
}

// TestRetiredReleaseEndsWhatOthersJoined: a release is retired while a call of it is
// under way that a request of another waits for. It is freed after that.
func TestRetiredReleaseEndsWhatOthersJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := &Sources{}
		old := startOn(t, &service{took: 50 * time.Millisecond}, nil, common, "k")
		now := startOn(t, &service{}, nil, common, "k")
		defer now.stop(t)
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { now.expect(t, "price", "[1]", "", "[1]") })
		wg.Wait()

		wg.Go(func() { old.expect(t, "hasty", "[2]", "", "[]") })
		synctest.Wait()
		wg.Go(func() { now.expect(t, "price", "[2]", "", "[2]") })
		wg.Go(func() {
			time.Sleep(20 * time.Millisecond) // the request that asked has gone on without
			old.stop(t)
			if took := time.Since(begin); took != 50*time.Millisecond {
				t.Errorf("the release was freed after %s, and its call took 50ms", took)
			}
		})
		wg.Wait()
		old.service.expect(t, "[[2]]")
		now.service.expect(t, "[[1]]")
		if old.service.gone != 0 {
			t.Error("the call was given up")
		}
	})
}

// TestReleaseWaitsForWhatItJoined: its asks get their answers from flights of others,
// so it is freed after those.
func TestReleaseWaitsForWhatItJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := &Sources{}
		one := startOn(t, &service{took: 50 * time.Millisecond}, nil, common, "k")
		two := startOn(t, &service{}, nil, common, "k")
		defer one.stop(t)
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { one.expect(t, "price", "[1]", "", "[1]") })
		synctest.Wait()
		wg.Go(func() {
			two.expect(t, "hasty", "[1]", "", "[]")
			two.stop(t)
			if took := time.Since(begin); took != 50*time.Millisecond {
				t.Errorf("it was freed after %s; the flight that it joined took 50ms", took)
			}
		})
		wg.Wait()
	})
}

// TestCallThatNoReleaseWaitsForIsGivenUp: whichever left last.
func TestCallThatNoReleaseWaitsForIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		common := &Sources{}
		one := startOn(t, &service{took: time.Hour}, nil, common, "k")
		two := startOn(t, &service{took: time.Hour}, nil, common, "k")
		begin := time.Now()
		var wg sync.WaitGroup
		for i, w := range []*world{one, two} {
			ctx, leave := context.WithTimeout(context.Background(), time.Duration(i+1)*time.Millisecond)
			defer leave()
			wg.Go(func() { w.ask(ctx, "price", "[1]", "") })
			synctest.Wait()
		}
		wg.Wait()
		one.stop(t)
		two.stop(t)
		if took := time.Since(begin); took != 2*time.Millisecond || one.service.gone != 1 {
			t.Errorf("it took %s, and %d batches were given up", took, one.service.gone)
		}
	})
}

// TestReleasesKeepAnswersForTheirOwnTime: two releases have a cache in common, and one says that
// answers are good for a tenth of the other's time: it gets none that are older.
func TestReleasesKeepAnswersForTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, common, s := NewCache(0), &Sources{}, &service{}
		long := startOn(t, s, cache, common, "k")
		defer long.stop(t)
		short := startAs(t, build(strings.Replace(shop, "cache 1s shared", "cache 100ms shared", 1)), s, cache, common, "k")
		defer short.stop(t)
		long.expect(t, "price", "[1]", "", "[1]")
		for range 3 {
			time.Sleep(150 * time.Millisecond)
			long.expect(t, "price", "[1]", "", "[1]")
			short.expect(t, "price", "[1]", "", "[1]")
			short.expect(t, "price", "[1]", "", "[1]") // as it was answered just now
		}
		s.expect(t, "[[1]]", "[[1]]", "[[1]]", "[[1]]")
	})
}

// TestSourcesOfOneName: a source that was replaced has a breaker of its own.
func TestSourcesOfOneName(t *testing.T) {
	var s Sources
	before, after := s.of("stock", "1"), s.of("stock", "2")
	if before == after || s.of("stock", "1") != before {
		t.Error("two sources of one name have one breaker, or one has two")
	}
	before.breaker.Open()
	after.breaker.Open()
	if open := s.Open(); len(open) != 1 || open[0] != "stock" {
		t.Errorf("%q are left alone", open)
	}
}
