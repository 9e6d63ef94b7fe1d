package deploy

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/blob/blobtest"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/control/release"
)

// deployed is a simulation in which two releases have been deployed one after the other.
func deployed(t *testing.T, test func(s *simulation, service *Service, last string)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 2, 5), random: rand.New(rand.NewPCG(1, 2))}
		s.judge = newJudge(s)
		s.start()
		s.judge.await(s.deploy("one"), time.Hour)
		last := s.deploy("two")
		s.judge.await(last, time.Hour)
		test(s, &Service{Store: s.inner}, last)
		s.stop()
		cancel()
		s.judge.close()
	})
}

// runs fails the test unless all nodes run a release, and the head says so.
func (s *simulation) runs(name, before string) {
	s.t.Helper()
	for _, n := range s.nodes {
		if got := n.runs().Main; got != digest(name) {
			s.t.Errorf("%s runs %s; expected %s", n.name, got.Short(), name)
		}
	}
	heads, err := (&Service{Store: s.inner}).Heads(s.ctx, "prod")
	if err != nil {
		s.t.Fatal(err)
	}
	if h := heads["shop"]; h.Active != "" || h.Current != digest(name) || h.Previous != digest(before) {
		s.t.Errorf("the head is %+v; expected %s after %s, and nothing under way", h, name, before)
	}
}

// deployAgain asks for a release that was asked for before, and waits until that has ended.
func (s *simulation) deployAgain(name string) string {
	s.t.Helper()
	id, err := (&Service{Store: s.inner}).Create(s.ctx, Plan{Program: "shop", Environment: "prod", Release: digest(name), Request: name + " again", Pipeline: simPipeline()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.judge.await(id, time.Hour)
	return id
}

// TestUndo: a deployment that has succeeded is taken back at once, in a freeze and outside of all windows
// too, before what waits.
func TestUndo(t *testing.T) {
	deployed(t, func(s *simulation, service *Service, last string) {
		if err := service.Freeze(s.ctx, Freeze{By: "bob", Why: "Christmas"}); err != nil {
			t.Fatal(err)
		}
		fix := s.deploy("three")
		time.Sleep(time.Minute)
		began := time.Now()
		back, err := service.Ask(s.ctx, last, AskBack, Ask{By: "ann", Why: "complaints"})
		if err != nil || back == last {
			t.Fatalf("taking back %s is %q, %v", last, back, err)
		}
		if again, err := service.Ask(s.ctx, last, AskBack, Ask{By: "ann"}); err != nil || again != back {
			t.Errorf("asked again it is %q, %v; expected %s", again, err, back)
		}
		s.judge.await(back, time.Hour)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		d, err := service.Get(s.ctx, back)
		if o := d.State.Outcome; err != nil || o.Result != Succeeded || o.Blame != APerson || !strings.Contains(o.Why, "complaints") || d.Plan.Undoes != last {
			t.Errorf("it came to %+v of %+v, %v", o, d.Plan, err)
		}
		if _, err := service.Ask(s.ctx, fix, AskBack, Ask{By: "ann"}); err != nil {
			t.Error(err)
		}
		s.judge.await(fix, time.Hour)
		s.runs("one", "two")

		// Asked by a second person, or by who did not hear the answer, it is done already.
		if again, err := service.Ask(s.ctx, last, AskBack, Ask{By: "bob"}); err != nil || again != back {
			t.Errorf("asked once more when it is done it is %q, %v; expected %s", again, err, back)
		}
		if _, err := service.Ask(s.ctx, fix, AskBack, Ask{By: "ann"}); !is[*Refused](err) || !strings.Contains(err.Error(), "nothing runs that it brought") {
			t.Errorf("taking back %s: %v", fix, err)
		}
		forth, err := service.Ask(s.ctx, back, AskBack, Ask{By: "ann", Why: "it was right"})
		if err != nil {
			t.Fatal(err)
		}
		s.judge.await(forth, time.Hour)
		s.runs("two", "one")
	})
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestUndoRefuses: what there is nothing before, and what something else is under way after.
func TestUndoRefuses(t *testing.T) {
	deployed(t, func(s *simulation, service *Service, last string) {
		first, _, _ := strings.Cut(last, ".prod.")
		if _, err := service.Ask(s.ctx, first+".prod.1", AskBack, Ask{By: "ann"}); !is[*Refused](err) || !strings.Contains(err.Error(), last+" has succeeded since") || !strings.Contains(err.Error(), "brings "+digest("one").Short()) {
			t.Errorf("the first: %v", err)
		}
		id := s.deploy("three")
		s.judge.until(id, func(st *deploytest.State) bool { return st.Phase == string(Running) })
		if _, err := service.Ask(s.ctx, last, AskBack, Ask{By: "ann"}); !is[*Refused](err) || !strings.Contains(err.Error(), id+" is under way") {
			t.Errorf("while another one is under way: %v", err)
		}
		s.judge.await(id, time.Hour)
	})
}

// TestAlarmAfterTheEnd: an alarm that begins while a release is new takes it back though its deployment has
// ended, and takes nothing back that takes back.
func TestAlarmAfterTheEnd(t *testing.T) {
	deployed(t, func(s *simulation, service *Service, last string) {
		alarm := func(since time.Time) (string, bool) {
			id, back, err := service.Alarmed(s.ctx, "alertmanager", Alarm{Environment: "prod", Program: "shop", Name: "Checkout", Text: "no orders", Since: since})
			if err != nil {
				t.Fatal(err)
			}
			return id, back
		}
		d, err := service.Get(s.ctx, last)
		if err != nil {
			t.Fatal(err)
		}
		if id, back := alarm(d.State.Begun.Add(-time.Second)); back {
			t.Errorf("an alarm of before takes back %s", id)
		}
		id, back := alarm(time.Now())
		if !back {
			t.Fatal("an alarm right after the end takes nothing back")
		}
		s.judge.await(id, time.Hour)
		s.runs("one", "two")
		if d, err = service.Get(s.ctx, id); err != nil || d.State.Outcome.Blame != AnAlarm {
			t.Errorf("it came to %+v, %v", d.State.Outcome, err)
		}
		if id, back := alarm(time.Now()); back {
			t.Errorf("the alarm that goes on takes back what it brought: %s", id)
		}
		// Nor what changed nothing since, as the one that reverts the sources.
		nothing := s.deployAgain("one")
		if id, back := alarm(time.Now()); back {
			t.Errorf("the alarm that fires again takes back what changed nothing: %s", id)
		}
		if _, err := service.Ask(s.ctx, nothing, AskBack, Ask{By: "ann"}); !is[*Refused](err) || !strings.Contains(err.Error(), "changed nothing") {
			t.Errorf("taking back what changed nothing: %v", err)
		}
		s.runs("one", "two")
		again := s.deployAgain("two")
		s.runs("two", "one")
		time.Sleep(simPipeline().Stages[len(simPipeline().Stages)-1].Bake + time.Second)
		if id, back := alarm(time.Now()); back {
			t.Errorf("an alarm long after %s takes back %s", again, id)
		}
	})
}

// TestUndoTow: of tow itself what takes an upgrade back is born going back too, the first time to the tow that is
// installed; and that can be taken back in turn.
func TestUndoTow(t *testing.T) {
	for _, before := range []release.Digest{digest("old"), ""} {
		store := memstore.New()
		defer store.Close()
		service := &Service{Store: store}
		ended := func(id string, from, current, previous release.Digest) {
			t.Helper()
			for key, value := range map[string]any{
				headKey("prod", release.Tow): &Head{Last: 1, Current: current, Previous: previous, Recent: []string{id}},
				stateKey(id):                 &State{Phase: Ended, From: from, Outcome: &Outcome{Result: Succeeded}},
			} {
				if _, err := store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(key, encode(value), 0)}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		undo := func(id string, to release.Digest) string {
			t.Helper()
			back, err := service.Ask(t.Context(), id, AskBack, Ask{By: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			d, err := service.Get(t.Context(), back)
			if err != nil || d.State.Phase != Returning || d.State.From != to || d.Plan.Release != to || d.Plan.Undoes != id {
				t.Errorf("it is %+v, %+v, %v; expected it to go back to %q", d.Plan, d.State, err, to)
			}
			return back
		}
		id, err := service.Create(t.Context(), Plan{Program: release.Tow, Environment: "prod", Release: digest("new"), Request: "r", Pipeline: UpgradePipeline()})
		if err != nil {
			t.Fatal(err)
		}
		ended(id, before, digest("new"), before)
		back := undo(id, before)
		ended(back, before, before, digest("new"))
		undo(back, digest("new"))
	}
}

// TestUndoWithoutObjects: going back does not wait for object storage that is away.
func TestUndoWithoutObjects(t *testing.T) {
	deployed(t, func(s *simulation, service *Service, last string) {
		service.Objects = blob.Retry(unreached{}, blob.Policy{})
		began := time.Now()
		back, err := service.Ask(s.ctx, last, AskBack, Ask{By: "ann", Why: strings.Repeat("very ", 1<<20)})
		if err != nil {
			t.Fatal(err)
		}
		s.judge.await(back, time.Hour)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		s.runs("one", "two")
	})
}

// unreached is a store of objects that is away.
type unreached struct{ blob.Store }

func (unreached) String() string { return "nowhere" }

func (unreached) List(context.Context, string, string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, blobtest.ErrUnreached) }
}
