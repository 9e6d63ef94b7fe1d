package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// hanging are counters of control nodes of which one hangs: who asks is answered once as many
// ask as are expected to at once.
type hanging struct {
	t      *testing.T
	bound  time.Duration
	mu     sync.Mutex
	expect int
	asking int
	all    chan struct{}
}

func (h *hanging) Counters(ctx context.Context, _, _ string) ([]*fleet.Counters, error) {
	if until, bounded := ctx.Deadline(); !bounded || time.Until(until) > h.bound {
		h.t.Errorf("a control node that hangs is waited for until %s", until)
	}
	h.mu.Lock()
	if h.asking++; h.asking == h.expect {
		close(h.all)
	}
	all := h.all
	h.mu.Unlock()
	select {
	case <-all:
	case <-ctx.Done():
		h.t.Error("deployments are asked for one after the other")
	}
	return nil, &deploy.Unasked{At: []string{"https://10.0.0.2:7071"}, Err: errors.New("it hangs")}
}

// await expects so many to ask at once.
func (h *hanging) await(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expect, h.asking, h.all = n, 0, make(chan struct{})
}

// TestLatenciesOfAHangingNode: while a control node hangs, deployments are listed and shown with
// what is known; all are asked for side by side, and what could not be asked is said.
func TestLatenciesOfAHangingNode(t *testing.T) {
	counters := &hanging{t: t, bound: 2 * time.Second}
	h := open(t, false, func(o *api.Options) {
		store, err := blob.Open(t.TempDir(), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: api.NewHub(), Counters: counters}
	})
	bakes := func(program string, from release.Digest) string {
		t.Helper()
		id, err := (&deploy.Service{Store: h.store}).Create(t.Context(), deploy.Plan{Program: program, Environment: "prod", Release: release.DigestOf(nil), Request: "1", Pipeline: deploy.DefaultPipeline()})
		if err != nil {
			t.Fatal(err)
		}
		test, err := verdict.New(verdict.Options{Alpha: 0.001, Metrics: []string{verdict.Error}})
		if err != nil {
			t.Fatal(err)
		}
		state, err := json.Marshal(deploy.State{Phase: deploy.Running, Step: deploy.Baking, Onebox: "n1", From: from, Seq: 2, Test: test})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.store.Txn(t.Context(), election.Txn{Then: []election.Op{election.Put(deploy.Prefix+"state/"+id, state, 0)}}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	const programs = 5
	for i := range programs {
		bakes(fmt.Sprint("shop-", i), release.DigestOf([]byte("one")))
	}
	admin := h.admin(t)
	const note = "how long answers took is not known, as the control nodes at https://10.0.0.2:7071 cannot be asked"
	says := func(d *v1.Deployment) {
		t.Helper()
		if !strings.HasPrefix(d.GetVerdict(), "errors 0% vs 0% · ") || !strings.HasSuffix(d.GetVerdict(), note) {
			t.Errorf("of %s is said %q", d.GetId(), d.GetVerdict())
		}
	}
	counters.await(programs)
	list, err := admin.Deploy.ListDeployments(t.Context(), &v1.ListDeploymentsRequest{Environment: "prod"})
	if err != nil || len(list.GetDeployments()) != programs {
		t.Fatalf("%v, %v", list, err)
	}
	for _, d := range list.GetDeployments() {
		says(d)
	}
	counters.await(1)
	one, err := admin.Deploy.GetDeployment(t.Context(), &v1.GetDeploymentRequest{Id: "shop-0.prod.1"})
	if err != nil {
		t.Fatal(err)
	}
	says(one.GetDeployment())

	counters.await(1)
	stream, err := admin.Deploy.WatchDeployment(t.Context(), &v1.WatchDeploymentRequest{Id: "shop-0.prod.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if !stream.Receive() || strings.Contains(stream.Msg().GetDeployment().GetVerdict(), note) {
		t.Errorf("what is known is told first: %v, %v", stream.Msg(), stream.Err())
	}
	for stream.Receive() && !strings.Contains(stream.Msg().GetDeployment().GetVerdict(), note) {
	}
	says(stream.Msg().GetDeployment())

	// Of the first release of a program there is nothing to compare, and nothing is asked.
	first := bakes("new", "")
	got, err := admin.Deploy.GetDeployment(t.Context(), &v1.GetDeploymentRequest{Id: first})
	if want := "nothing to compare it with: nothing of new ran in prod before"; err != nil || got.GetDeployment().GetVerdict() != want {
		t.Errorf("%v, %v; expected %q", got, err, want)
	}
}
