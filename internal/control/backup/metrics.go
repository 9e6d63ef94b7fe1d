package backup

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"towpath.dev/internal/control/backup/segment"
)

// Kinds of alarms, the values of the label "alarm" of towpath_backup_alarms_total.
const (
	alarmGap       = "gap"       // revisions were compacted before they were kept
	alarmBase      = "base"      // a base could not be made
	alarmVerify    = "verify"    // a backup is not what its source was
	alarmCare      = "care"      // merging or deleting failed
	alarmUnchecked = "unchecked" // nobody here can read what is written, so it is not verified
	alarmReaders   = "readers"   // what is written cannot be read by all who could read it so far
)

var alarmKinds = []string{alarmGap, alarmBase, alarmVerify, alarmCare, alarmUnchecked, alarmReaders}

// Metrics are the uploaders' for Prometheus. Times are seconds since 1970.
type Metrics struct {
	durable, proven, verified, base *prometheus.GaugeVec
	restorable                      *prometheus.GaugeVec
	gaps, every, alarmed            *prometheus.GaugeVec
	alarms                          *prometheus.CounterVec
	bytes, changes, objects         *prometheus.CounterVec
}

// NewMetrics makes them; they still have to be registered.
func NewMetrics() *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "towpath", Subsystem: "backup", Name: name, Help: help}, append([]string{"cluster"}, labels...))
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "towpath", Subsystem: "backup", Name: name, Help: help}, append([]string{"cluster"}, labels...))
	}
	return &Metrics{
		durable:    gauge("durable_revision", "The last revision that is in the store."),
		proven:     gauge("durable_time_seconds", "When all revisions that the cluster had were in the store. Its age is what a loss now would cost."),
		verified:   gauge("verified_time_seconds", "When a backup was last restored and compared."),
		base:       gauge("base_time_seconds", "When the newest base was made."),
		restorable: gauge("restorable_since_seconds", "From which time on everything that is to be kept can be restored."),
		gaps:       gauge("gaps", "How many gaps the log has within what is kept."),
		every:      gauge("every_seconds", "How often what changed is to be uploaded: there from the start, in each process that keeps the cluster or stands ready to."),
		alarmed:    gauge("alarm_time_seconds", "When a person should have known of something last, by kind.", "alarm"),
		alarms:     counter("alarms_total", "What a person should know, by kind.", "alarm"),
		bytes:      counter("uploaded_bytes_total", "Bytes of log objects as they were uploaded first."),
		changes:    counter("changes_total", "Changes that were uploaded."),
		objects:    counter("uploaded_objects_total", "Log objects that were uploaded first."),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.durable, m.proven, m.verified, m.base, m.restorable, m.gaps, m.every, m.alarmed, m.alarms, m.bytes, m.changes, m.objects}
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

// clusterMetrics are those of one cluster.
type clusterMetrics struct {
	m       *Metrics
	cluster string
}

// Keeps has a cluster's series begin, before anything is reached or goes wrong: a cluster that
// nobody gets to keep is missed by what is there of it, and counters go up from nought.
func (m *Metrics) Keeps(cluster string, every time.Duration) {
	m.every.WithLabelValues(cluster).Set(every.Seconds())
	for _, kind := range alarmKinds {
		m.alarms.WithLabelValues(cluster, kind)
	}
}

func (m *Metrics) of(cluster string) *clusterMetrics { return &clusterMetrics{m, cluster} }

func (c *clusterMetrics) durable(revision int64, proven time.Time) {
	c.m.durable.WithLabelValues(c.cluster).Set(float64(revision))
	if !proven.IsZero() {
		c.m.proven.WithLabelValues(c.cluster).Set(seconds(proven))
	}
}

func (c *clusterMetrics) uploaded(bytes int, h segment.Header) {
	c.m.bytes.WithLabelValues(c.cluster).Add(float64(bytes))
	c.m.changes.WithLabelValues(c.cluster).Add(float64(h.Changes))
	c.m.objects.WithLabelValues(c.cluster).Inc()
}

// alarm counts one, and says when it was: a counter alone cannot tell of one that came before
// anybody asked for it first, as most gaps do.
func (c *clusterMetrics) alarm(kind string, at time.Time) {
	c.m.alarms.WithLabelValues(c.cluster, kind).Inc()
	c.m.alarmed.WithLabelValues(c.cluster, kind).Set(seconds(at))
}

func (c *clusterMetrics) verifiedAt(at time.Time) {
	c.m.verified.WithLabelValues(c.cluster).Set(seconds(at))
}

func (c *clusterMetrics) catalog(base, since time.Time, gaps int) {
	c.m.base.WithLabelValues(c.cluster).Set(seconds(base))
	c.m.restorable.WithLabelValues(c.cluster).Set(seconds(since))
	c.m.gaps.WithLabelValues(c.cluster).Set(float64(gaps))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
