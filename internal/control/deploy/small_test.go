package deploy

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestOneNode: where a wave that is no part of all reaches all there is, as in a fleet of one
// node, nothing is left to compare with, and nothing of it is waited for.
func TestOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 1, 1), random: rand.New(rand.NewPCG(1, 2))}
		s.judge = newJudge(s)
		s.start()
		s.judge.await(s.deploy("one"), time.Hour)
		id := s.deploy("two")
		s.judge.await(id, time.Hour)
		d, err := (&Service{Store: s.inner}).Get(ctx, id)
		if err != nil || d.State.Outcome == nil || d.State.Outcome.Result != Succeeded {
			t.Errorf("%+v, %v", d, err)
		}
		s.stop()
		cancel()
		s.judge.close()
	})
}
