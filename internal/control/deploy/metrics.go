package deploy

import "github.com/prometheus/client_golang/prometheus"

// Metrics are a controller's.
type Metrics struct {
	troubles prometheus.Counter
}

// NewMetrics makes metrics that count nothing yet.
func NewMetrics() *Metrics {
	return &Metrics{troubles: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "towpath_deploy_troubles_total", Help: "Writes of deployments that failed and were tried again.",
	})}
}

func (m *Metrics) trouble(error) { m.troubles.Inc() }

// Describe and Collect make it a prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { m.troubles.Describe(ch) }

// Collect gives the metrics.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) { m.troubles.Collect(ch) }
