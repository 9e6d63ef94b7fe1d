package api_test

import (
	"encoding/json"
	"testing"
	"time"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/control/verdict"
)

// TestCounters: what a node handed over last is told, with its number and its age; what was on its
// way for long is not. Of two control nodes that know a node the newest is taken.
func TestCounters(t *testing.T) {
	var hubs [2]*api.Hub
	var nodes, admins [2]*client.Control
	for k := range hubs {
		h := open(t, true, func(o *api.Options) {
			store, err := blob.Open(t.TempDir(), blob.Options{})
			if err != nil {
				t.Fatal(err)
			}
			hubs[k] = api.NewHub()
			o.Deployments = &api.Deployments{Objects: release.NewObjects(store), Events: store, Hub: hubs[k]}
		})
		pair := h.join(t, "n1", "prod")
		nodes[k], admins[k] = h.as(t, client.ControlOptions{Certificate: &pair}), h.admin(t)
	}
	report := func(k int, incarnation string, number, requests int64) (asked bool) {
		t.Helper()
		text, err := json.Marshal(&fleet.Counters{
			Node: "another", Incarnation: incarnation, Number: number, Age: time.Hour,
			Programs: map[string][]fleet.Count{"shop": {{Release: "d", View: "v", Requests: requests, Latency: &verdict.Histogram{}, CPU: &verdict.Histogram{}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := nodes[k].Nodes.ReportCounters(t.Context(), &v1.ReportCountersRequest{Counters: text})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetAsked()
	}
	var all []*fleet.Counters
	told := func(k int) *fleet.Counters {
		t.Helper()
		r, err := admins[k].Deploy.GetCounters(t.Context(), &v1.GetCountersRequest{Environment: "prod", Program: "shop"})
		if err != nil || len(r.GetCounters()) != 1 {
			t.Fatalf("%v, %v", r, err)
		}
		c := new(fleet.Counters)
		if err := json.Unmarshal(r.GetCounters()[0], c); err != nil {
			t.Fatal(err)
		}
		if c.Node != "n1" || c.Age <= 0 || c.Age >= time.Hour {
			t.Errorf("it is of %s, and %s old", c.Node, c.Age)
		}
		all = append(all, c)
		return c
	}
	if report(0, "i1", 1, 0) {
		t.Error("it is said to be asked, and nobody asked")
	}
	if c := told(0); c.Number != 1 { // of nought, and told
		t.Errorf("%+v", c)
	}
	if !report(0, "i1", 3, 300) {
		t.Error("nobody is said to ask, and somebody did")
	}
	report(0, "i1", 2, 200) // late
	if c := told(0); c.Number != 3 || c.Programs["shop"][0].Requests != 300 {
		t.Errorf("%+v", c)
	}
	report(1, "i1", 4, 400)
	if c := told(1); c.Number != 4 {
		t.Errorf("%+v", c)
	}
	told(0)
	if best := deploy.Newest(all); len(best) != 1 || best[0].Number != 4 {
		t.Errorf("the newest is %+v", best)
	}
	report(1, "i2", 1, 10) // the node was restarted
	told(1)
	if best := deploy.Newest([]*fleet.Counters{told(0), told(1)}); len(best) != 1 || best[0].Incarnation != "i2" {
		t.Errorf("the newest is %+v", best)
	}
}
