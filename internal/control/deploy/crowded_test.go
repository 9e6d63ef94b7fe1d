package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/faultstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
)

// crowdedHost is a host of many programs, of which one is looked at.
type crowdedHost struct{ *deploytest.Host }

func (h *crowdedHost) Place(program string, main, beside fleet.Prepared, share float64) error {
	if program != testProgram {
		return nil
	}
	return h.Host.Place(program, main, beside, share)
}

// TestManyPrograms: nodes that run a hundred programs say so in values of 4 KiB at most, by real
// agents, and a deployment of one of the programs sees of them what it needs, and writes little.
func TestManyPrograms(t *testing.T) {
	const programs = 100
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &simulation{world: newWorld(t, ctx, 1, 1, 4), random: rand.New(rand.NewPCG(1, 2))}
		for i := range programs - 1 {
			name := fmt.Sprint("checkout-", i)
			for k, cell := range []string{"cell-0", "cell-1"} {
				i := fleet.Intent{Deployment: idOf(name, testEnvironment, 17), Seq: int64(k + 1), Release: digest(name)}
				txn := election.Txn{Then: []election.Op{election.Put(fleet.IntentKey(testEnvironment, cell, name), i.Encode(), 0)}}
				if _, err := s.inner.Txn(ctx, txn); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.judge = newJudge(s)
		s.controllers[0].start()
		var running sync.WaitGroup
		for _, n := range s.nodes {
			running.Go(func() { n.runCrowded(ctx) })
		}
		s.judge.await(s.deploy("one"), time.Hour)
		time.Sleep(2 * time.Minute)
		s.inTheStore(programs, "one")
		before := s.revision()
		id := s.deploy("two")
		s.judge.await(id, time.Hour)
		d, err := (&Service{Store: s.inner}).Get(ctx, id)
		if err != nil || d.State.Outcome == nil || d.State.Outcome.Result != Succeeded {
			t.Errorf("%+v, %v", d.State.Outcome, err)
		}
		time.Sleep(2 * time.Minute)
		s.inTheStore(programs, "two")
		t.Logf("%d revisions by a deployment over %d nodes of %d programs", s.revision()-before, len(s.nodes), programs)
		cancel()
		running.Wait()
		s.stop()
		s.judge.close()
	})
}

// inTheStore sees that all nodes say what they run of all programs, in values that are small.
func (s *simulation) inTheStore(programs int, shop string) {
	s.t.Helper()
	page, err := s.inner.Range(s.ctx, election.Span{Keys: election.Prefix(fleet.Prefix)})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range page.Entries {
		if _, _, ok := fleet.ParseNodeKey(e.Key); ok && len(e.Value) > fleet.MaxStatus {
			s.t.Errorf("%s has %d bytes", e.Key, len(e.Value))
		}
	}
	all, err := fleet.Statuses(page.Entries)
	if err != nil || len(all) != len(s.nodes) {
		s.t.Errorf("%d nodes say what they run: %v", len(all), err)
	}
	for of, n := range all {
		if len(n.Programs) != programs || n.Programs[testProgram].Main != digest(shop) {
			s.t.Errorf("%s runs %d programs, and of %s %s", of[1], len(n.Programs), testProgram, n.Programs[testProgram].Main.Short())
		}
		for name, r := range n.Programs {
			if name != testProgram && (r.Main != digest(name) || r.Deployment != idOf(name, testEnvironment, 17)) {
				s.t.Errorf("%s runs %+v of %s", of[1], r, name)
			}
		}
	}
}

// runCrowded runs the node until the context ends, with a host of many programs.
func (n *nodeProcess) runCrowded(ctx context.Context) {
	host := &crowdedHost{deploytest.NewHost(ctx, deploytest.HostOptions{
		Program: testProgram, Rate: 200, Roll: n.w.roll, Die: func() {},
		Behaves: func(release.Digest) deploytest.Behaviour { return deploytest.Behaviour{} },
	})}
	n.mu.Lock()
	n.host = host.Host
	n.mu.Unlock()
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

// TestManyChangesAtOnce: a node that tells of very many programs for the first time tells of all of
// them, though etcd takes 128 operations at once.
func TestManyChangesAtOnce(t *testing.T) {
	r := newReporting(t)
	r.attach("1")
	const programs = 330
	s := &fleet.Status{Cell: "c", Incarnation: "1", Number: 1, Programs: map[string]fleet.Running{}}
	for i := range programs {
		name := fmt.Sprint("p", i)
		s.Programs[name] = fleet.Running{Deployment: idOf(name, "prod", 1), Main: digest(name)}
	}
	counted := &countedTxns{Store: r.store}
	if err := Report(t.Context(), counted, "prod", "n", s, time.Now()); err != nil {
		t.Fatal(err)
	}
	if counted.most > 128 {
		t.Errorf("a transaction has %d operations", counted.most)
	}
	page, err := r.store.Range(t.Context(), election.Span{Keys: election.Prefix(fleet.Prefix)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := fleet.Statuses(page.Entries)
	got := all[[2]string{"prod", "n"}]
	if err != nil || got == nil || len(got.Programs) != programs || got.Number != 1 {
		t.Errorf("it reads %+v, %v", got, err)
	}
	events, err := r.store.Range(t.Context(), election.Span{Keys: election.Prefix(EventPrefix)})
	if err != nil || len(events.Entries) != programs {
		t.Errorf("there are %d events, %v; expected one for each program", len(events.Entries), err)
	}
}

// countedTxns is a store that notes the most operations of a transaction.
type countedTxns struct {
	election.Store
	most int
}

func (c *countedTxns) Txn(ctx context.Context, txn election.Txn) (election.Result, error) {
	c.most = max(c.most, len(txn.Then))
	return c.Store.Txn(ctx, txn)
}
