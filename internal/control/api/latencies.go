package api

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/verdict"
)

// latencyTime bounds asking the other control nodes for what is only shown, of however many
// deployments.
const latencyTime = 2 * time.Second

// latencies are how long answers took of a deployment's two releases; of none, nothing is known.
type latencies struct {
	candidate, control *verdict.Histogram
	unasked            []string // control nodes that could not be asked, where the onebox was not heard
}

// note is what could not be asked, behind a summary.
func (l latencies) note() string {
	if len(l.unasked) == 0 {
		return ""
	}
	return " · how long answers took is not known, as the control nodes at " + strings.Join(l.unasked, ", ") + " cannot be asked"
}

// measured reports whether both of a deployment's releases answer on one node, whose latencies
// can be compared.
func measured(d *deploy.Deployment) bool {
	return d.State.Phase == deploy.Running && d.State.Step == deploy.Baking && d.State.Onebox != "" && d.State.From != ""
}

// latencies asks all control nodes, for a while.
func (s *deployService) latencies(ctx context.Context, d *deploy.Deployment) latencies {
	if !measured(d) {
		return latencies{}
	}
	var from deploy.Counters = s.opts.Deployments.Hub
	if s.opts.Deployments.Counters != nil {
		from = s.opts.Deployments.Counters
	}
	ctx, cancel := context.WithTimeout(ctx, latencyTime)
	defer cancel()
	return latenciesOf(ctx, d, from)
}

// ownLatencies are what this control node has heard.
func (s *deployService) ownLatencies(ctx context.Context, d *deploy.Deployment) latencies {
	if !measured(d) {
		return latencies{}
	}
	return latenciesOf(ctx, d, s.opts.Deployments.Hub)
}

func latenciesOf(ctx context.Context, d *deploy.Deployment, from deploy.Counters) latencies {
	all, err := from.Counters(ctx, d.Plan.Environment, d.Plan.Program)
	l := latencies{candidate: &verdict.Histogram{}, control: &verdict.Histogram{}}
	heard := false
	for _, node := range deploy.Newest(all) {
		if node.Node != d.State.Onebox {
			continue
		}
		heard = true
		for _, n := range node.Programs[d.Plan.Program] {
			switch n.Release {
			case d.Plan.Release:
				l.candidate.Merge(n.Latency)
			case d.State.From:
				l.control.Merge(n.Latency)
			}
		}
	}
	if some := (*deploy.Unasked)(nil); !heard && errors.As(err, &some) {
		l.unasked = some.At
	}
	return l
}

// allLatencies asks for those of several deployments side by side, so that they take no longer
// than those of one.
func (s *deployService) allLatencies(ctx context.Context, of []*deploy.Deployment) []latencies {
	all := make([]latencies, len(of))
	var asking sync.WaitGroup
	for i, d := range of {
		if measured(d) {
			asking.Go(func() { all[i] = s.latencies(ctx, d) })
		}
	}
	asking.Wait()
	return all
}
