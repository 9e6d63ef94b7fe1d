package deploy

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/deploy/deploytest"
)

// TestBetweenStages: a candidate that becomes worse while a wave is held up by a gate, or while it is
// reached, goes back as one does that bakes. What is known meanwhile is written down.
func TestBetweenStages(t *testing.T) {
	for _, c := range []struct {
		name string
		hold func(s *simulation, id string) // until somebody lets it go on
		step Step
	}{
		{"at a gate", nil, Gate},
		{"while a wave is reached", func(s *simulation, id string) {
			// All but those that run the candidate are away, so that no more of them may be.
			for _, n := range s.nodes {
				if n.runs().Main == digest("one") {
					n.kill()
					break
				}
			}
			service := &Service{Store: s.inner}
			if _, err := service.Ask(s.ctx, id, AskApprove, Ask{By: "ann", Stage: 1}); err != nil {
				s.t.Error(err)
			}
		}, Reach},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := &simulation{world: newWorld(t, ctx, 1, 2, 5), random: rand.New(rand.NewPCG(1, 2))}
				for _, n := range s.nodes {
					n.cell = "cell"
				}
				s.judge = newJudge(s)
				s.start()
				s.judge.await(s.deploy("one"), time.Hour)
				p := Pipeline{Unavailable: 0.2, Stages: []Stage{
					{Name: "some", Kind: Wave, Share: 0.4, Bake: 20 * time.Second},
					{Name: "all", Kind: Wave, Share: 1, Bake: 20 * time.Second, Approval: true},
				}}
				id := s.deployBy("two", p)
				s.judge.until(id, func(st *deploytest.State) bool { return st.Stage == 1 && st.Step == string(Gate) })
				if c.hold != nil {
					c.hold(s, id)
				}
				s.judge.until(id, func(st *deploytest.State) bool { return st.Stage == 1 && st.Step == string(c.step) })
				time.Sleep(time.Minute)
				known := s.judge.State(id).Test.Requests.Candidate
				time.Sleep(time.Minute)
				if more := s.judge.State(id).Test.Requests.Candidate - known; more < 2*200*30 {
					t.Errorf("in a minute of two nodes' work %d requests of the candidate were written down", more)
				}
				s.become(digest("two"), deploytest.Behaviour{Errors: 0.2})
				began := time.Now()
				s.judge.await(id, time.Hour)
				d, err := (&Service{Store: s.inner}).Get(ctx, id)
				if err != nil || d.State.Outcome == nil || d.State.Outcome.Blame != YourCode || !strings.Contains(d.State.Outcome.Evidence, "errors") {
					t.Errorf("it came to %+v, %v", d.State.Outcome, err)
				}
				if c.hold == nil && time.Since(began) > 30*time.Second {
					t.Errorf("going back took %s", time.Since(began))
				}
				s.stop()
				cancel()
				s.judge.close()
			})
		})
	}
}

// TestWholeCell: a cell that a wave reaches as a whole is compared with others, in which nothing has
// begun: their nodes hand over as often while somebody asks.
func TestWholeCell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 2, 6), random: rand.New(rand.NewPCG(1, 2))}
		s.judge = newJudge(s)
		s.start()
		s.judge.await(s.deploy("one"), time.Hour)
		s.become(digest("two"), deploytest.Behaviour{Errors: 0.2})
		p := Pipeline{Unavailable: 1, Stages: []Stage{
			{Name: "a cell", Kind: Wave, Cells: []string{"cell-0"}, Share: 1, Bake: time.Minute},
			{Name: "all", Kind: Wave, Share: 1, Bake: time.Minute},
		}}
		id := s.deployBy("two", p)
		s.judge.await(id, time.Hour)
		d, err := (&Service{Store: s.inner}).Get(ctx, id)
		if err != nil || d.State.Outcome == nil || d.State.Outcome.Result != Returned || d.State.Stage != 0 {
			t.Errorf("it came to %+v in stage %d, %v", d.State.Outcome, d.State.Stage, err)
		}
		s.stop()
		cancel()
		s.judge.close()
	})
}
