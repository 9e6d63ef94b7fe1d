package deploy

import (
	"context"
	"sync"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/fleet"
)

// judge sees every write of a simulation, and says what is wrong.
type judge struct {
	*deploytest.Judge
	s       *simulation
	flapped bool
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func newJudge(s *simulation) *judge {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	j := &judge{s: s, cancel: cancel}
	j.Judge = deploytest.NewJudge(j.wrong)
	watch := s.inner.Watch(ctx, election.Prefix(fleet.Prefix), 1)
	j.done.Go(func() {
		for b := range watch {
			if b.Err != nil {
				return
			}
			for _, e := range b.Events {
				if v := j.See(e); v != nil && *oneSeed != 0 {
					s.t.Logf("%s %s %s", j.now(), v.ID(), v.Text)
				}
			}
		}
	})
	return j
}

func (j *judge) close() {
	j.cancel()
	j.done.Wait()
}

func (j *judge) now() time.Duration { return time.Since(j.s.began).Round(time.Millisecond) }

func (j *judge) wrong(v deploytest.Violation) {
	j.s.t.Errorf("%s (%s): %s", j.now(), j.s.cause.Name, v)
}

// await waits until a deployment has ended.
func (j *judge) await(id string, most time.Duration) {
	select {
	case <-j.Ended(id):
	case <-time.After(most):
		j.s.t.Errorf("%s (%s): %s has not ended after %s: %s", j.now(), j.s.cause.Name, id, most, j.State(id))
	}
}

// until waits until a deployment's state is as wanted.
func (j *judge) until(id string, is func(*deploytest.State) bool) {
	for range 3600 {
		if s := j.State(id); s != nil && is(s) {
			return
		}
		time.Sleep(time.Second)
	}
	j.s.t.Errorf("%s never came to what was awaited: %s", id, j.State(id))
}

// check looks at what a deployment came to.
func (j *judge) check(id string) {
	time.Sleep(2 * time.Minute) // events are on their way: a minute at most, after object storage was away
	found := deploytest.Found{Nodes: map[string]deploytest.Placed{}, Served: &j.s.served}
	for _, n := range j.s.nodes {
		found.Nodes[n.name] = n.runs()
	}
	var err error
	if found.Kept, err = deploytest.Kept(j.s.ctx, j.s.objects, id); err != nil {
		j.s.t.Error(err)
	}
	page, err := j.s.inner.Range(j.s.ctx, election.Span{Keys: election.Prefix(EventPrefix)})
	if err != nil {
		j.s.t.Error(err)
	}
	found.Left = len(page.Entries)
	j.Check(deploytest.Trial{ID: id, Cause: j.s.cause, From: digest("one"), To: digest("two")}, found)
	service := &Service{Store: j.s.inner}
	if got, err := service.Events(j.s.ctx, j.s.objects, id); err != nil || len(got) != len(found.Kept) {
		j.s.t.Errorf("%s: the service knows of %d events, and %d are kept (%v)", id, len(got), len(found.Kept), err)
	}
}
