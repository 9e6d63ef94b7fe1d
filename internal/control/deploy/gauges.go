package deploy

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"towpath.dev/internal/control/fleet"
)

// fleetGauges are computed from what a controller knows of the store whenever they are asked
// for. All controllers know the same, so that rules take the greatest.
type fleetGauges struct {
	r   *replica
	now func() time.Time // of the day
}

// Gauges are the state of deployments and of the fleet, to be registered once.
func (c *Controller) Gauges() prometheus.Collector { return gauges(c.replica, c.o.Now) }

// gauges makes a collector of the state of deployments and of the fleet.
func gauges(r *replica, now func() time.Time) prometheus.Collector { return &fleetGauges{r, now} }

var (
	underWay = []string{"environment", "program", "deployment"}

	deploymentsDesc = prometheus.NewDesc("towpath_deploy_deployments", "Deployments that have not ended, by phase: queued, running, finishing, returning.", []string{"phase"}, nil)
	stepDesc        = prometheus.NewDesc("towpath_deploy_step_seconds", "For how long a deployment has been in its step, or where there are no steps, in its phase.", append(underWay, "phase", "step"), nil)
	overdueDesc     = prometheus.NewDesc("towpath_deploy_overdue_seconds", "For how long a wait has been longer than expected; below zero until then. Waits of which no end is expected have none.", underWay, nil)
	stageDesc       = prometheus.NewDesc("towpath_deploy_stage_overdue_seconds", "For how long a stage has been going on beyond its time to bake; below zero until then.", append(underWay, "stage"), nil)
	outboxDesc      = prometheus.NewDesc("towpath_deploy_outbox_events", "Events that are in the store and not in object storage yet.", nil, nil)
	nodesDesc       = prometheus.NewDesc("towpath_deploy_nodes", "Nodes that have a status.", []string{"environment"}, nil)
	attachedDesc    = prometheus.NewDesc("towpath_deploy_nodes_attached", "Nodes that a control node hears of.", []string{"environment"}, nil)
	behindDesc      = prometheus.NewDesc("towpath_deploy_nodes_behind", "Attached nodes that do not run what they shall.", []string{"environment"}, nil)
	partitionsDesc  = prometheus.NewDesc("towpath_deploy_partitions", "Seats of the group deploy, one a partition; each has to be held.", nil, nil)
)

var gaugeDescs = []*prometheus.Desc{deploymentsDesc, stepDesc, overdueDesc, stageDesc, outboxDesc, nodesDesc, attachedDesc, behindDesc, partitionsDesc}

// Describe is part of [prometheus.Collector].
func (*fleetGauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range gaugeDescs {
		to <- d
	}
}

// Collect is part of [prometheus.Collector].
func (g *fleetGauges) Collect(to chan<- prometheus.Metric) {
	for _, m := range g.all() { // whoever hears them does not hold the controller up
		to <- m
	}
}

func (g *fleetGauges) all() (all []prometheus.Metric) {
	now := g.now()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...))
	}
	r := g.r
	r.mu.Lock()
	defer r.mu.Unlock()
	phases := map[Phase]int{Queued: 0, Running: 0, Finishing: 0, Returning: 0}
	for id, s := range r.states {
		st, p := s.value, r.plans[id]
		if st.Phase == Ended || p == nil {
			continue
		}
		phases[st.Phase]++
		gauge(stepDesc, max(0, now.Sub(st.Since).Seconds()), p.Environment, p.Program, id, string(st.Phase), string(st.Step))
		if st.Wait != nil && !st.Wait.Until.IsZero() {
			gauge(overdueDesc, now.Sub(st.Wait.Until).Seconds(), p.Environment, p.Program, id)
		}
		if st.Phase == Running && st.Step != Gate && st.Stage < len(p.Stages) {
			stage := &p.Stages[st.Stage]
			gauge(stageDesc, (now.Sub(st.Entered) - stage.Bake).Seconds(), p.Environment, p.Program, id, stage.Name)
		}
	}
	for phase, n := range phases {
		gauge(deploymentsDesc, float64(n), string(phase))
	}
	events := 0
	for _, n := range r.events {
		events += n
	}
	gauge(outboxDesc, float64(events))
	gauge(partitionsDesc, partitionCount)
	for environment, nodes := range r.nodes {
		attached, behind := 0, 0
		for name, status := range nodes {
			if r.attached[name] != environment {
				continue
			}
			attached++
			if r.behind(environment, name, status) {
				behind++
			}
		}
		gauge(nodesDesc, float64(len(nodes)), environment)
		gauge(attachedDesc, float64(attached), environment)
		gauge(behindDesc, float64(behind), environment)
	}
	return all
}

// behind reports whether a node does not run what the intents of its cell have it run. The
// caller holds the lock.
func (r *replica) behind(environment, name string, status *fleet.Status) bool {
	for at, cells := range r.intents {
		program, ours := strings.CutPrefix(at, environment+"/")
		i := cells[status.Cell]
		if !ours || i == nil || !status.Follows(program) {
			continue
		}
		role, runs := i.RoleOf(name), status.Programs[program]
		if runs.Main != role.Main || runs.Beside != role.Beside {
			return true
		}
	}
	return false
}
