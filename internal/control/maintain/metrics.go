package maintain

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"towpath.dev/internal/control/cluster"
)

// Metrics count what a maintainer does. They are a collector, to be registered once.
type Metrics struct {
	holds     prometheus.Gauge
	looks     *prometheus.CounterVec
	lastLook  prometheus.Gauge
	steps     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	freed     prometheus.Counter
	waits     *prometheus.GaugeVec
	alarms    *prometheus.GaugeVec
	compacted prometheus.Gauge
	revision  prometheus.Gauge
	floor     prometheus.Gauge
	used      *prometheus.GaugeVec
	fragments *prometheus.GaugeVec
}

// NewMetrics makes metrics that start at zero.
func NewMetrics() *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &Metrics{
		holds:     gauge("towpath_maintain_holds_seat", "1 while this process maintains the cluster."),
		looks:     counters("towpath_maintain_looks_total", "Looks at the cluster, by outcome: ok, failed.", "outcome"),
		lastLook:  gauge("towpath_maintain_last_look_timestamp_seconds", "When the cluster was last looked at with success."),
		steps:     counters("towpath_maintain_steps_total", "What was done, by outcome: done, failed.", "do", "outcome"),
		seconds:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "towpath_maintain_step_seconds", Help: "How long it took.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 9)}, []string{"do"}),
		freed:     prometheus.NewCounter(prometheus.CounterOpts{Name: "towpath_maintain_freed_bytes_total", Help: "Bytes that were given back to disks."}),
		waits:     gauges("towpath_maintain_waiting", "1 while something waits; the log says why.", "about"),
		alarms:    gauges("towpath_maintain_alarm", "1 while a person has to see to something; the log says what to do.", "about"),
		compacted: gauge("towpath_maintain_compacted_revision", "The revision of the last compaction that is known of."),
		revision:  gauge("towpath_maintain_revision", "The newest revision that was seen."),
		floor:     gauge("towpath_maintain_floor_revision", "The revision up to which the backup has everything; 0 without one."),
		used:      gauges("towpath_maintain_quota_used_ratio", "The share of its quota that a member uses.", "member"),
		fragments: gauges("towpath_maintain_fragmented_ratio", "The share of a member's file that is free.", "member"),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.holds, m.looks, m.lastLook, m.steps, m.seconds, m.freed, m.waits, m.alarms, m.compacted, m.revision, m.floor, m.used, m.fragments}
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

// looked takes in a look.
func (m *Metrics) looked(seen *cluster.Observed, b Bounds, err error) {
	if err != nil {
		m.looks.WithLabelValues("failed").Inc()
		return
	}
	m.looks.WithLabelValues("ok").Inc()
	m.lastLook.Set(float64(time.Now().Unix()))
	m.revision.Set(float64(seen.Revision))
	m.used.Reset() // members come and go
	m.fragments.Reset()
	for i := range seen.Members {
		x := &seen.Members[i]
		if !answers(x) {
			continue
		}
		m.fragments.WithLabelValues(x.String()).Set(float64(free(x)) / float64(x.Size))
		if quota := quotaOf(x, b); quota > 0 {
			m.used.WithLabelValues(x.String()).Set(float64(x.InUse) / float64(quota))
		}
	}
}

// did takes in what was done.
func (m *Metrics) did(e Event, err error) {
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	m.steps.WithLabelValues(string(e.Do), outcome).Inc()
	m.seconds.WithLabelValues(string(e.Do)).Observe(e.Took.Seconds())
	m.freed.Add(float64(e.Freed))
}

// tell takes in what is told now, in place of what was.
func (m *Metrics) tell(before, now map[string]Note) {
	of := func(n Note) prometheus.Gauge {
		if n.Alarm {
			return m.alarms.WithLabelValues(n.About)
		}
		return m.waits.WithLabelValues(n.About)
	}
	for _, n := range before {
		of(n).Set(0)
	}
	for _, n := range now {
		of(n).Set(1)
	}
}
