package deploy

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"towpath.dev/election"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/mirror"
)

// TestGauges writes what a store may have, and looks at what is told of it.
func TestGauges(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	r := newReplica(slog.New(slog.DiscardHandler))
	revision := int64(1)
	write := func(key string, value any) {
		revision++
		prefix := Prefix
		if strings.HasPrefix(key, NodePrefix) {
			prefix = NodePrefix
		}
		r.see(prefix, mirror.Update{Revision: revision, Events: []election.Event{{Entry: election.Entry{Key: key, Value: encode(value), Modified: revision}}}})
	}
	v1, v2 := digest("v1"), digest("v2")
	for n, s := range []State{
		{Phase: Ended, Since: now.Add(-time.Hour)},
		{Phase: Running, Step: Baking, Since: now.Add(-10 * time.Minute), Entered: now.Add(-time.Hour), Wait: &Wait{For: "the wave to bake", Until: now.Add(5 * time.Minute)}},
		{Phase: Queued, Since: now.Add(-3 * time.Hour), Wait: &Wait{For: "the next window", Until: now.Add(-20 * time.Minute)}},
		{Phase: Finishing, Since: now.Add(time.Hour), Wait: &Wait{For: "n1 to run it"}}, // another clock
	} {
		id := idOf("shop", "prod", int64(n+1))
		write(planKey(id), &Plan{ID: id, Program: "shop", Environment: "prod", Pipeline: Pipeline{Stages: []Stage{{Name: "all", Kind: Wave, Bake: 10 * time.Minute}}}})
		write(stateKey(id), &s)
		write(eventKey(id, 1), &Event{})
	}
	write(fleet.IntentKey("prod", "eu-1", "shop"), &fleet.Intent{Deployment: "shop.prod.2", Release: v1, Candidate: v2, Onebox: "n3", Share: 0.1})
	for name, runs := range map[string]fleet.Running{
		"n0": {Main: v1}, "n1": {Main: v2}, "n2": {Main: v2}, "n3": {Main: v1, Beside: v2, Share: 0.1}, "n4": {Main: v1, Beside: v2},
	} {
		write(fleet.StatusKey("prod", name), &fleet.Status{Cell: "eu-1", Programs: map[string]fleet.Running{"shop": runs}})
		if name != "n1" {
			write(NodePrefix+name, map[string]string{"environment": "prod"})
		}
	}
	write(fleet.StatusKey("test", "m0"), &fleet.Status{Cell: "eu-1"}) // the intent is another environment's
	write(NodePrefix+"m0", map[string]string{"environment": "test"})

	want := map[string]float64{
		`towpath_deploy_deployments{phase="queued"}`:    1,
		`towpath_deploy_deployments{phase="running"}`:   1,
		`towpath_deploy_deployments{phase="finishing"}`: 1,
		`towpath_deploy_deployments{phase="returning"}`: 0,
		`towpath_deploy_step_seconds{deployment="shop.prod.2",environment="prod",phase="running",program="shop",step="bake"}`: 600,
		`towpath_deploy_step_seconds{deployment="shop.prod.3",environment="prod",phase="queued",program="shop",step=""}`:      10800,
		`towpath_deploy_step_seconds{deployment="shop.prod.4",environment="prod",phase="finishing",program="shop",step=""}`:   0,
		`towpath_deploy_stage_overdue_seconds{deployment="shop.prod.2",environment="prod",program="shop",stage="all"}`:        3000,
		`towpath_deploy_overdue_seconds{deployment="shop.prod.2",environment="prod",program="shop"}`:                          -300,
		`towpath_deploy_overdue_seconds{deployment="shop.prod.3",environment="prod",program="shop"}`:                          1200,
		`towpath_deploy_outbox_events{}`:                    4,
		`towpath_deploy_partitions{}`:                       partitionCount,
		`towpath_deploy_nodes{environment="prod"}`:          5,
		`towpath_deploy_nodes_attached{environment="prod"}`: 4,
		`towpath_deploy_nodes_behind{environment="prod"}`:   2,
		`towpath_deploy_nodes{environment="test"}`:          1,
		`towpath_deploy_nodes_attached{environment="test"}`: 1,
		`towpath_deploy_nodes_behind{environment="test"}`:   0,
	}
	got := gathered(t, gauges(r, func() time.Time { return now }))
	for _, name := range slices.Sorted(maps.Keys(union(want, got))) {
		if a, there := got[name]; !there || a != want[name] {
			t.Errorf("%s is %v, there: %v; want %v", name, a, there, want[name])
		}
	}
}

// gathered is what a collector tells, by name and labels; the registry checks it.
func gathered(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			all[fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))] = m.GetGauge().GetValue()
		}
	}
	return all
}
