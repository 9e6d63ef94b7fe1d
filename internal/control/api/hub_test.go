package api_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/client"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/verdict"
)

// TestCounters: what a node handed over last is told, with its number and its age; what was on its
// way for long is not. Of two control nodes that know a node the newest is taken.
func TestCounters(t *testing.T) {
	var hubs [2]*api.Hub
	var nodes, admins [2]*client.Control
	for k := range hubs {
		h := open(t, true, func(o *api.Options) {
			deployments(t)(o)
			hubs[k] = o.Deployments.Hub
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

// TestCountersOfSomePrograms: a node hands over those that somebody compares more often than the
// others, which stay as they were, with their age; all at once are all that there are.
func TestCountersOfSomePrograms(t *testing.T) {
	hub := api.NewHub()
	h := open(t, true, func(o *api.Options) {
		deployments(t)(o)
		o.Deployments.Hub = hub
	})
	pair := h.join(t, "n1", "prod")
	node := h.as(t, client.ControlOptions{Certificate: &pair})
	number := int64(0)
	report := func(some bool, programs ...string) []string {
		t.Helper()
		number++
		c := &fleet.Counters{Incarnation: "i1", Number: number, Some: some, Programs: map[string][]fleet.Count{}}
		for _, p := range programs {
			name, requests, _ := strings.Cut(p, " ")
			c.Programs[name] = nil
			if n, err := strconv.ParseInt(requests, 10, 64); err == nil {
				c.Programs[name] = []fleet.Count{{Release: "d", View: "v", Requests: n}}
			}
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := node.Nodes.ReportCounters(t.Context(), &v1.ReportCountersRequest{Counters: text})
		if err != nil {
			t.Fatal(err)
		}
		if r.GetAsked() != (len(r.GetPrograms()) > 0) { // older nodes hear that alone
			t.Errorf("it is said: %v", r)
		}
		return r.GetPrograms()
	}
	expect := func(program string, number, requests int64) {
		t.Helper()
		all, err := hub.Counters(t.Context(), "prod", program)
		switch {
		case err != nil || len(all) > 1:
			t.Fatal(all, err)
		case len(all) == 0:
			if number != 0 {
				t.Errorf("nothing is known of %s", program)
			}
		case all[0].Number != number || all[0].Programs[program][0].Requests != requests || len(all[0].Programs) != 1:
			t.Errorf("of %s it is %+v; expected the number %d, with %d requests", program, all[0], number, requests)
		}
	}
	if asked := report(false, "shop 10", "cart 20"); len(asked) > 0 {
		t.Errorf("it is said to be asked for %q, and nobody asked", asked)
	}
	expect("shop", 1, 10)
	if asked := report(true, "shop 11"); !slices.Equal(asked, []string{"shop"}) {
		t.Errorf("it is said to be asked for %q", asked)
	}
	expect("shop", 2, 11)
	expect("cart", 1, 20)
	if asked := report(true, "cart"); !slices.Equal(asked, []string{"cart", "shop"}) { // it is not in place any more
		t.Errorf("it is said to be asked for %q", asked)
	}
	expect("cart", 0, 0)
	expect("shop", 2, 11)
	report(false, "cart 30")
	expect("shop", 0, 0)
	expect("cart", 4, 30)
}
