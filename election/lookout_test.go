package election

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestEachSessionIsWatched has every session choose, and counts who watches whom.
func TestEachSessionIsWatched(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 50, 2000} {
		peers := map[LeaseID]sessionRecord{}
		for len(peers) < n {
			peers[LeaseID(rand.Int64())] = sessionRecord{}
		}
		watchers, most := map[LeaseID]int{}, 0
		for lease := range peers {
			o := &lookout{Early: Early{Watchers: 3}, lease: lease}
			mine := o.choose(peers)
			for target := range mine {
				watchers[target]++
			}
			most = max(most, len(mine))
		}
		for lease := range peers {
			if got, want := watchers[lease], min(3, n-1); got != want {
				t.Fatalf("of %d sessions, %s is watched by %d: expected %d", n, lease, got, want)
			}
		}
		if most > 30 {
			t.Errorf("of %d sessions, one watches %d", n, most)
		}
	}
}

// TestOwnViewMayBeWrong has connections close together in a group of a hundred: a
// session watches three of them, and may not take the loss of two for two deaths.
func TestOwnViewMayBeWrong(t *testing.T) {
	now := time.Duration(0)
	o := &lookout{clock: func() time.Duration { return now }, watched: 3}
	o.closings = append(o.closings, now)
	if !o.alone() {
		t.Error("a single one is believed")
	}
	o.closings = append(o.closings, now)
	if o.alone() {
		t.Error("two of three are believed")
	}
	now += closeWindow + 1
	o.closings = append(o.closings, now)
	if !o.alone() {
		t.Error("one, later, is believed")
	}
}

func TestPeersAreToldAnAddress(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "nowhere"} {
		if _, err := (Early{Listen: listen}).open(1, sinceStart); err == nil || !strings.Contains(err.Error(), "Early.") {
			t.Errorf("%s: %v", listen, err)
		}
	}
}
