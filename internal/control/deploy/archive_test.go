package deploy

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
)

// TestArchive: of many deployments the store keeps the last ones, and object storage all.
func TestArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 1, 1), random: rand.New(rand.NewPCG(1, 2))}
		s.judge = newJudge(s)
		s.start()
		s.judge.await(s.deploy("one"), time.Hour)
		// What runs already is deployed again, in no time.
		service := &Service{Store: s.inner}
		const more = recentMost + 10
		var last string
		for i := range more {
			id, err := service.Create(ctx, Plan{
				Program: testProgram, Environment: testEnvironment, Release: digest("one"), Request: string(rune('a'+i%26)) + time.Now().String(), By: "ann", Pipeline: simPipeline(),
			})
			if err != nil {
				t.Fatal(err)
			}
			s.judge.await(id, time.Hour)
			last = id
		}
		time.Sleep(5 * time.Minute)
		page, err := s.inner.Range(ctx, election.Span{Keys: election.Prefix(statePrefix), KeysOnly: true})
		if err != nil || len(page.Entries) != recentMost {
			t.Errorf("the store has %d deployments (%v); expected %d", len(page.Entries), err, recentMost)
		}
		for _, id := range []string{idOf(testProgram, testEnvironment, 1), last} {
			d, err := service.GetArchived(ctx, s.objects, id)
			if err != nil || d.Plan.ID != id || d.State.Phase != Ended {
				t.Errorf("%s: %+v, %v", id, d, err)
			}
			events, err := service.Events(ctx, s.objects, id)
			if err != nil || len(events) < 2 {
				t.Errorf("%s has %d events (%v)", id, len(events), err)
			}
		}
		if _, err := service.GetArchived(ctx, s.objects, "shop.prod.999"); err == nil {
			t.Error("a deployment is there that never was")
		}
		s.stop()
		cancel()
		s.judge.close()
	})
}
