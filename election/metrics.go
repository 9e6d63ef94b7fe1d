package election

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what sessions do. One may serve several sessions; it is a collector,
// to be registered once.
type Metrics struct {
	sessions prometheus.Gauge
	losses   *prometheus.CounterVec
	held     *prometheus.GaugeVec
	acquired *prometheus.CounterVec
	ends     *prometheus.CounterVec
	waits    *prometheus.HistogramVec
	renewals *prometheus.HistogramVec
	early    prometheus.Counter
	peers    prometheus.Gauge
}

// NewMetrics makes metrics that start at zero.
func NewMetrics() *Metrics {
	seconds := prometheus.ExponentialBuckets(0.001, 4, 10)
	return &Metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "election_sessions", Help: "Sessions that live."}),
		losses:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "election_sessions_ended_total", Help: "Sessions that have ended, by cause: expired, revoked, closed, other."}, []string{"cause"}),
		held:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "election_seats_held", Help: "Seats that are held here."}, []string{"group"}),
		acquired: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "election_seats_acquired_total", Help: "Seats acquired."}, []string{"group"}),
		ends:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "election_seats_ended_total", Help: "Leaderships that have ended, by cause: resigned, taken, unhealthy, expired, revoked, closed, other."}, []string{"group", "cause"}),
		waits:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "election_campaign_seconds", Help: "How long campaigns waited for a seat.", Buckets: seconds}, []string{"group"}),
		renewals: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "election_renewal_seconds", Help: "How long renewals of leases took, by outcome: ok, failed.", Buckets: seconds}, []string{"outcome"}),
		early:    prometheus.NewCounter(prometheus.CounterOpts{Name: "election_early_takeovers_total", Help: "Leases of dead processes that were revoked before their TTL was over."}),
		peers:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "election_peers_watched", Help: "Peers that are connected to, to see them die."}),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.sessions, m.losses, m.held, m.acquired, m.ends, m.waits, m.renewals, m.early, m.peers}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(to)
	}
}

// label names a cause in metrics.
func label(cause error) string {
	for _, known := range []struct {
		err  error
		name string
	}{{ErrResigned, "resigned"}, {ErrTaken, "taken"}, {ErrUnhealthy, "unhealthy"}, {ErrExpired, "expired"}, {ErrRevoked, "revoked"}, {ErrClosed, "closed"}} {
		if errors.Is(cause, known.err) {
			return known.name
		}
	}
	return "other"
}

func (m *Metrics) ended(cause error) {
	m.sessions.Dec()
	m.losses.WithLabelValues(label(cause)).Inc()
}

func (m *Metrics) began(group string) {
	m.held.WithLabelValues(group).Inc()
	m.acquired.WithLabelValues(group).Inc()
}

func (m *Metrics) lost(group string, cause error) {
	m.held.WithLabelValues(group).Dec()
	m.ends.WithLabelValues(group, label(cause)).Inc()
}

func (m *Metrics) waited(group string, after time.Duration) {
	m.waits.WithLabelValues(group).Observe(after.Seconds())
}

func (m *Metrics) renewed(took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	m.renewals.WithLabelValues(outcome).Observe(took.Seconds())
}
