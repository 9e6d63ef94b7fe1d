package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Metrics are an exporter's, by sink.
type Metrics struct {
	delivered, failures *prometheus.CounterVec
	waiting             *prometheus.GaugeVec
}

// NewMetrics makes metrics that count nothing yet.
func NewMetrics() *Metrics {
	sink := []string{"sink"}
	return &Metrics{
		delivered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "towpath_deploy_export_events_total", Help: "Events of deployments that a sink has taken."}, sink),
		failures:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "towpath_deploy_export_failures_total", Help: "Attempts to hand events over that failed and are made again."}, sink),
		waiting:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "towpath_deploy_export_waiting", Help: "Deployments that may have events which a sink has not taken."}, sink),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.delivered, m.failures, m.waiting}
}

// Describe is part of [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(to)
	}
}

// Collect is part of [prometheus.Collector].
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(to)
	}
}
