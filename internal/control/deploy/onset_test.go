package deploy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// TestOnset: nodes hand over when each of them does, so that as something breaks for all the
// windows of some have more of it. Nobody goes back for it; who alone breaks does, in seconds.
func TestOnset(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, c := range []struct {
		candidate, control int // hosts
		alone              bool
	}{{1, 1, false}, {1, 4, false}, {5, 45, false}, {1, 4, true}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			aborted := 0
			const runs = 60
			for i := range uint64(runs) {
				synctest.Test(t, func(t *testing.T) {
					if onset(newCounting(t), c.candidate, c.control, c.alone, rand.New(rand.NewPCG(seed, i))) {
						aborted++
					}
				})
			}
			if c.alone && aborted < runs || !c.alone && aborted > 0 {
				t.Errorf("%d of %d were aborted", aborted, runs)
			}
		})
	}
}

// onset is some seconds of hosts that answer a hundred requests a second each and then none, for
// five seconds. It reports whether the candidate was aborted.
func onset(c *counting, candidate, control int, alone bool, r *rand.Rand) bool {
	const tick, handOver = 10 * time.Millisecond, 500 * time.Millisecond
	phases := map[string]time.Duration{}
	for i := range candidate + control {
		name, release := fmt.Sprintf("n%02d", i), "one"
		if i < candidate {
			release = "two"
		}
		c.host(name, release)
		phases[name] = time.Duration(r.Int64N(int64(handOver)))
	}
	begin := time.Now()
	breaks := 3*time.Second + time.Duration(r.Int64N(int64(2*time.Second)))
	told, heard := map[string]*fleet.Counters{}, map[string]time.Time{}
	for k := range 1100 {
		time.Sleep(tick)
		since := time.Since(begin)
		broken := since >= breaks && since < breaks+5*time.Second
		for name, phase := range phases {
			n, bad := c.nodes[name], int64(0)
			if broken && (n.main == "two" || !alone) {
				bad = 1
			}
			n.serves(n.main, 1, bad)
			if (since+phase)%handOver < tick {
				told[name], heard[name] = c.handsOver(name), time.Now()
			}
		}
		if k%50 > 0 {
			continue
		}
		var all []*fleet.Counters
		for name, n := range told {
			all = append(all, older(n, time.Since(heard[name])))
		}
		c.look(all...)
		if c.state.Test.Decision() == verdict.Abort {
			return true
		}
	}
	return false
}
