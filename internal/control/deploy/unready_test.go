package deploy

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// readyHost is a host that may not be ready.
type readyHost struct {
	*deploytest.Host
	ready func(deploytest.Placed) error
}

func (h *readyHost) Ready(context.Context) error { return h.ready(h.Placed()) }

// TestLossesOfReadiness: real agents and controllers, whose nodes live and answer nobody now and
// then. A candidate goes back that does that, and one stays that a trouble of the whole fleet meets.
func TestLossesOfReadiness(t *testing.T) {
	two := digest("two")
	stumbles := func(since time.Duration) bool { return since%(20*time.Second) < 8*time.Second }
	for _, c := range []struct {
		name     string
		unready  func(since time.Duration, p deploytest.Placed) bool // since the candidate was asked for
		result   Result
		evidence string
	}{
		{"never", func(time.Duration, deploytest.Placed) bool { return false }, Succeeded, ""},
		{"with the candidate, now and then", func(since time.Duration, p deploytest.Placed) bool {
			return stumbles(since) && (p.Main == two || p.Beside == two)
		}, Returned, "2 losses of readiness: n"},
		// Where all run the candidate nobody can tell any more whose trouble it is.
		{"everywhere, now and then, at the onebox", func(since time.Duration, _ deploytest.Placed) bool {
			return stumbles(since) && since < time.Minute
		}, Succeeded, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := &simulation{world: newWorld(t, ctx, 1, 1, 5), random: rand.New(rand.NewPCG(1, 2))}
				s.judge = newJudge(s)
				s.controllers[0].start()
				var running sync.WaitGroup
				var asked atomic.Pointer[time.Time]
				unready := func(p deploytest.Placed) bool {
					at := asked.Load()
					return at != nil && c.unready(time.Since(*at), p)
				}
				for _, n := range s.nodes {
					running.Go(func() { n.runUnready(ctx, unready) })
				}
				s.judge.await(s.deploy("one"), time.Hour)
				time.Sleep(2 * time.Minute) // it settles
				now := time.Now()
				asked.Store(&now)
				id := s.deploy("two")
				s.judge.await(id, time.Hour)
				d, err := (&Service{Store: s.inner}).Get(ctx, id)
				if err != nil || d.State.Outcome == nil || d.State.Outcome.Result != c.result || !strings.HasPrefix(d.State.Outcome.Evidence, c.evidence) {
					t.Errorf("%+v, %v", d.State.Outcome, err)
				}
				cancel()
				running.Wait()
				s.stop()
				s.judge.close()
			})
		})
	}
}

// runUnready runs the node until the context ends, with a host that is not always ready.
func (n *nodeProcess) runUnready(ctx context.Context, unready func(deploytest.Placed) bool) {
	host := &readyHost{
		Host: deploytest.NewHost(ctx, deploytest.HostOptions{
			Program: testProgram, Rate: 200, Roll: n.w.roll, Die: func() {},
			Behaves: func(release.Digest) deploytest.Behaviour { return deploytest.Behaviour{} },
		}),
		ready: func(p deploytest.Placed) error {
			if unready(p) {
				return errors.New("/readyz does not answer in time")
			}
			return nil
		},
	}
	agent, err := fleet.NewAgent(fleet.Options{
		Node: n.name, Environment: testEnvironment, Cell: n.cell, Incarnation: n.name,
		Host: host, Link: &link{n: n, store: faultstore.Wrap(n.w.inner, nil)}, Objects: n.w.objects.Releases(), Keeper: n.memory,
		Settle: time.Minute, Counting: time.Second,
	})
	if err != nil {
		n.w.t.Error(err)
		return
	}
	_ = agent.Run(ctx)
}
