package backup

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"towpath.dev/internal/blob"
)

// series are a collector's values, by name and labels' values.
func series(t *testing.T, c prometheus.Collector) map[string]float64 {
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
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

// TestMetricsFromTheStart: of a cluster that is to be kept and cannot be reached there is what
// rules miss the rest by, and counters begin at nought.
func TestMetricsFromTheStart(t *testing.T) {
	for _, shared := range []bool{false, true} {
		store, err := blob.Open(t.TempDir(), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() }) // says that its context has ended
		metrics := NewMetrics()
		options := func(cluster string) Options {
			return Options{Source: Source{Client: client}, Store: store, Cluster: cluster, Every: 10 * time.Minute, Metrics: metrics, Scratch: t.TempDir()}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that nothing is reached
		clusters := []string{"prod"}
		if shared {
			clusters = append(clusters, "other")
			err = RunShared(ctx, "fleet", []Options{options("prod"), options("other")})
		} else {
			err = RunElected(ctx, options("prod"))
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		got := series(t, metrics)
		for _, cluster := range clusters {
			if got["towpath_backup_every_seconds "+cluster] != 600 {
				t.Errorf("of %s there is %v", cluster, got)
			}
			for _, kind := range alarmKinds {
				// Labels come in the order of their names.
				if n, is := got["towpath_backup_alarms_total "+kind+" "+cluster]; !is || n != 0 {
					t.Errorf("alarms of %s, %s: %v, %v; want 0 from the start", cluster, kind, n, is)
				}
			}
		}
	}
}

// TestAlarmTime: when an alarm was is told with the first one.
func TestAlarmTime(t *testing.T) {
	m := NewMetrics()
	m.Keeps("prod", time.Minute)
	at := time.Date(2026, 11, 27, 10, 15, 0, 0, time.UTC)
	m.of("prod").alarm(alarmGap, at)
	got := series(t, m)
	if got["towpath_backup_alarm_time_seconds gap prod"] != float64(at.Unix()) || got["towpath_backup_alarms_total gap prod"] != 1 {
		t.Errorf("there is %v", got)
	}
	if _, is := got["towpath_backup_alarm_time_seconds verify prod"]; is {
		t.Error("an alarm that never was has a time")
	}
}
