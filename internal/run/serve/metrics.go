package serve

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/admit"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/source"
)

// metrics are what /metrics shows. What requests count lies in atomics; a scrape
// reads them.
type metrics struct {
	server   *Server
	handler  http.Handler
	latency  *prometheus.HistogramVec
	problems *prometheus.CounterVec
	calls    *prometheus.CounterVec
	failures *prometheus.CounterVec
	asks     *prometheus.HistogramVec

	operations sync.Map // from *artifact.Operation to *askMetrics

	mu    sync.Mutex
	views map[[2]string]*viewMetrics
}

// seconds are the histograms' bounds: from a view without calls to the longest wait.
var seconds = []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 10}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server: s, views: map[[2]string]*viewMetrics{},
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "towpath_request_seconds",
			Help: "Time from a request's headers to its answer.", Buckets: seconds}, []string{"program", "view"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "towpath_problems_total",
			Help: "Requests answered with a problem, by its type."}, []string{"type"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "towpath_calls_total",
			Help: "Calls of operations, by what became of them: asked, hit in the cache, or shared with another request."}, []string{"operation", "how"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "towpath_call_failures_total",
			Help: "Calls without an answer, by the kind of failure of their batch."}, []string{"operation", "kind"}),
		asks: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "towpath_ask_seconds",
			Help: "Time from a batch of calls to its last answer.", Buckets: seconds}, []string{"operation"}),
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m.latency, m.problems, m.calls, m.failures, m.asks, reader{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return m
}

// viewMetrics are a view's, found once.
type viewMetrics struct{ latency prometheus.Observer }

func (m *metrics) view(program, name string) *viewMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{program, name}
	v := m.views[key]
	if v == nil {
		v = &viewMetrics{m.latency.WithLabelValues(program, name)}
		m.views[key] = v
	}
	return v
}

// observe counts a request; those whose spans are kept are named as examples.
func (v *viewMetrics) observe(took time.Duration, request string, sampled bool) {
	if e, ok := v.latency.(prometheus.ExemplarObserver); ok && sampled {
		e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"request": request})
		return
	}
	v.latency.Observe(took.Seconds())
}

func (m *metrics) refused(kind string) { m.problems.WithLabelValues(kind).Inc() }

// askMetrics are an operation's, found once.
type askMetrics struct {
	how      [4]prometheus.Counter
	took     prometheus.Observer
	failures func(kind source.Kind) prometheus.Counter
}

// howAsked names what may become of a call, in the order of askMetrics.how.
var howAsked = [4]string{"asked", "hit", "shared", "retried"}

func (m *metrics) ask(op *artifact.Operation) *askMetrics {
	if a, ok := m.operations.Load(op); ok {
		return a.(*askMetrics)
	}
	name := op.QualifiedName()
	a := &askMetrics{took: m.asks.WithLabelValues(name)}
	for i, how := range howAsked {
		a.how[i] = m.calls.WithLabelValues(name, how)
	}
	a.failures = func(kind source.Kind) prometheus.Counter { return m.failures.WithLabelValues(name, kind.String()) }
	m.operations.Store(op, a)
	return a
}

// forget lets go of what was found for a release that is gone.
func (m *metrics) forget(r *Release) {
	ops := r.Engine.Manifest().Operations
	for i := range ops {
		m.operations.Delete(&ops[i])
	}
}

// Asked counts an ask that has ended; it is for fetch.Options.Observe.
func (s *Server) Asked(e fetch.Event) {
	a := s.metrics.ask(e.Operation)
	for i, n := range [4]int{e.Calls - e.Hits - e.Joined, e.Hits, e.Joined, e.Retried} {
		if n > 0 {
			a.how[i].Add(float64(n))
		}
	}
	if e.Failed > 0 {
		a.failures(e.Kind).Add(float64(e.Failed))
	}
	a.took.Observe(e.End.Sub(e.Begin).Seconds())
}

// reader gives what lies in the server's own counters.
type reader struct{ m *metrics }

var (
	requestsDesc = prometheus.NewDesc("towpath_requests_total", "Requests by how they ended.", []string{"program", "release", "outcome"}, nil)
	scopesDesc   = prometheus.NewDesc("towpath_scopes_total", "Scopes that an else stood in for (fallback) or that load had left out (shed).", []string{"program", "release", "how"}, nil)
	cpuDesc      = prometheus.NewDesc("towpath_view_seconds_total", "Time that views ran, calls not counted.", []string{"program", "release"}, nil)
	staleDesc    = prometheus.NewDesc("towpath_stale_seconds", "For how long no control node has said what is to be served; 0 while one does.", nil, nil)
	upDesc       = prometheus.NewDesc("towpath_process_info", "This run of the process.", []string{"incarnation"}, nil)
	capacityDesc = prometheus.NewDesc("towpath_admission_capacity_cores", "What is completed when there is enough to do.", nil, nil)
	costDesc     = prometheus.NewDesc("towpath_view_cost_seconds", "CPU and calls that a request of a view takes, as admission counts it.", []string{"view"}, nil)
	baselineDesc = prometheus.NewDesc("towpath_view_baseline_seconds", "How long a request of a view takes when nothing waits.", []string{"view"}, nil)
	admittedDesc = prometheus.NewDesc("towpath_admitted_total", "Requests that were taken on.", []string{"criticality"}, nil)
	leanDesc     = prometheus.NewDesc("towpath_admitted_shed_total", "Requests that were taken on without their optional scopes.", []string{"criticality"}, nil)
	refusedDesc  = prometheus.NewDesc("towpath_refused_total", "Requests that were not taken on.", []string{"criticality", "reason"}, nil)
	limitDesc    = prometheus.NewDesc("towpath_admission_limit", "What may be under way, in cost units.", nil, nil)
	inflightDesc = prometheus.NewDesc("towpath_admission_in_flight", "What is under way, in cost units.", nil, nil)
)

func (r reader) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, scopesDesc, cpuDesc, upDesc, staleDesc, limitDesc, inflightDesc,
		capacityDesc, costDesc, baselineDesc, admittedDesc, leanDesc, refusedDesc} {
		to <- d
	}
}

func (r reader) Collect(to chan<- prometheus.Metric) {
	s := r.m.server
	to <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 1, s.opts.Incarnation)
	if s.stale.Load() != nil {
		stale := time.Duration(0)
		if since := s.staleSince(); !since.IsZero() {
			stale = time.Since(since)
		}
		to <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, stale.Seconds())
	}
	stats := s.door.Stats()
	to <- prometheus.MustNewConstMetric(limitDesc, prometheus.GaugeValue, stats.Limit)
	to <- prometheus.MustNewConstMetric(inflightDesc, prometheus.GaugeValue, stats.InFlight)
	to <- prometheus.MustNewConstMetric(capacityDesc, prometheus.GaugeValue, stats.Capacity)
	for _, v := range stats.Views {
		to <- prometheus.MustNewConstMetric(costDesc, prometheus.GaugeValue, v.Cost.Seconds(), v.Name)
		to <- prometheus.MustNewConstMetric(baselineDesc, prometheus.GaugeValue, v.Baseline.Seconds(), v.Name)
	}
	for _, c := range stats.Classes {
		class := c.Class.String()
		to <- prometheus.MustNewConstMetric(admittedDesc, prometheus.CounterValue, float64(c.Admitted), class)
		to <- prometheus.MustNewConstMetric(leanDesc, prometheus.CounterValue, float64(c.Shed), class)
		for j, n := range c.Refused {
			to <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(n), class, admit.Reasons[j])
		}
	}
	for name, p := range s.programs.Load().byName {
		at := p.now.Load()
		if at == nil {
			continue
		}
		if b := at.beside; b != nil && b.Label() != at.main.Label() {
			collect(name, b.Label(), to, b)
			collect(name, at.main.Label(), to, at.main)
		} else { // one artifact in two environments is told as one
			collect(name, at.main.Label(), to, at.main, b)
		}
	}
}

// collect tells what releases have counted together; nil ones count nothing.
func collect(program, label string, to chan<- prometheus.Metric, releases ...*Release) {
	sum := func(of func(c *Counts) *atomic.Int64) float64 {
		n := int64(0)
		for _, r := range releases {
			if r != nil {
				n += of(&r.counts).Load()
			}
		}
		return float64(n)
	}
	for outcome, of := range map[string]func(c *Counts) *atomic.Int64{
		"answered": func(c *Counts) *atomic.Int64 { return &c.Answered }, "invalid": func(c *Counts) *atomic.Int64 { return &c.Invalid },
		"fault": func(c *Counts) *atomic.Int64 { return &c.Faults }, "limit": func(c *Counts) *atomic.Int64 { return &c.Limits },
		"failed": func(c *Counts) *atomic.Int64 { return &c.Failed }, "expired": func(c *Counts) *atomic.Int64 { return &c.Expired },
		"abandoned": func(c *Counts) *atomic.Int64 { return &c.Abandoned }, "internal": func(c *Counts) *atomic.Int64 { return &c.Broken },
	} {
		to <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, sum(of), program, label, outcome)
	}
	to <- prometheus.MustNewConstMetric(scopesDesc, prometheus.CounterValue, sum(func(c *Counts) *atomic.Int64 { return &c.Fallbacks }), program, label, "fallback")
	to <- prometheus.MustNewConstMetric(scopesDesc, prometheus.CounterValue, sum(func(c *Counts) *atomic.Int64 { return &c.Shed }), program, label, "shed")
	to <- prometheus.MustNewConstMetric(cpuDesc, prometheus.CounterValue, sum(func(c *Counts) *atomic.Int64 { return &c.CPU })/1e9, program, label)
}

// Label names a release in metrics: the beginning of its artifact's hash.
func (r *Release) Label() string { return r.Engine.Hash()[:12] }

// Counts are the release's counters.
func (r *Release) Counts() *Counts { return &r.counts }
