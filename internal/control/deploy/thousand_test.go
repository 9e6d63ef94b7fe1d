package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy/deploytest"
)

// TestThousandNodes: a deployment writes little for each node, and going back is quick
// however many there are.
func TestThousandNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand agents")
	}
	const nodes = 1000
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 3, nodes), random: rand.New(rand.NewPCG(1, 2))}
		for i, n := range s.nodes {
			n.cell = fmt.Sprintf("cell-%d", i%20)
		}
		s.judge = newJudge(s)
		s.start()
		s.judge.await(s.deploy("one"), time.Hour)

		before := s.revision()
		s.judge.await(s.deploy("two"), time.Hour)
		time.Sleep(2 * time.Minute) // events have gone to object storage
		each := float64(s.revision()-before) / nodes
		t.Logf("%.2f writes a node", each)
		if each > 5 {
			t.Errorf("a deployment over %d nodes made %.1f writes a node", nodes, each)
		}

		id := s.deploy("three")
		s.judge.until(id, func(st *deploytest.State) bool {
			return st.Phase == string(Running) && st.Stage == 2 && st.Step == string(Baking)
		})
		service := &Service{Store: s.inner}
		if _, err := service.Ask(ctx, id, AskBack, Ask{By: "ann", Why: "it looks wrong"}); err != nil {
			t.Fatal(err)
		}
		asked, last := time.Now(), time.Duration(0)
		for range 200 {
			running := 0
			for _, n := range s.nodes {
				if runs := n.runs(); runs.Main == digest("three") || runs.Beside == digest("three") {
					running++
				}
			}
			if running > 0 {
				last = time.Since(asked)
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Logf("the last candidate answered %s after it was asked for the release before", last)
		if last == 0 || last > 10*time.Second {
			t.Errorf("going back took %s", last)
		}
		s.judge.await(id, time.Hour)
		s.stop()
		cancel()
		s.judge.close()
	})
}

// revision is how many writes the store has seen.
func (w *world) revision() int64 {
	page, err := w.inner.Range(w.ctx, election.Span{Keys: election.Key("x")})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Revision
}
