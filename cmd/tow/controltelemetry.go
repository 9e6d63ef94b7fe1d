//go:build !solo

// A control node tells others of deployments: CloudEvents, and spans.

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"towpath.dev/election"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/deploy/telemetry"
	"towpath.dev/internal/control/elected"
)

// telling says who is told of deployments.
type telling struct{ otlp, events, source string }

// eventsToken is the variable with the token that receivers of events are shown.
const eventsToken = "TOW_DEPLOYMENTS_TOKEN"

// sinks are those who are told; none where nothing was asked for.
func (p *opened) openSinks(ctx context.Context) (all []telemetry.Sink, closing func(), err error) {
	closing = func() {}
	t := p.telling
	if t.otlp == "" && t.events == "" {
		return nil, closing, nil
	}
	if t.source == "" {
		return nil, nil, usage{errors.New("--deployments-otlp and --deployments-events need --deployments-source URI, which tells this cluster's deployments from others': https://tow.example.com"), "tow serve"}
	}
	if t.events != "" {
		sink := &telemetry.HTTP{URL: t.events, Source: t.source}
		if token := os.Getenv(eventsToken); token != "" {
			sink.Header = map[string][]string{"Authorization": {"Bearer " + token}}
		}
		if err := sink.Check(); err != nil {
			return nil, nil, usage{fmt.Errorf("--deployments-events: %w", err), "tow serve"}
		}
		all = append(all, sink)
	}
	if t.otlp != "" {
		if u, err := url.Parse(t.otlp); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
			return nil, nil, usage{fmt.Errorf("--deployments-otlp %s is no address of a collector: expected http://HOST:4318", t.otlp), "tow serve"}
		}
		sink, err := telemetry.NewOTLP(ctx, telemetry.OTLPOptions{URL: t.otlp, Source: t.source, Version: version(), Log: p.log})
		if err != nil {
			return nil, nil, fmt.Errorf("--deployments-otlp: %w", err)
		}
		all = append(all, sink)
		closing = func() {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := sink.Close(ending); err != nil {
				p.log.Debug("the collector", "error", err)
			}
		}
	}
	return all, closing, nil
}

// tellersGroup is the election's group of those who tell others of deployments. Two of them
// would tell everything twice, and no more harm is done by that.
const tellersGroup = "deployments-told"

// tell tells the sinks of deployments while this node is elected to, until the context ends.
func (p *opened) tell(ctx context.Context, store election.Store, registry election.Registry, d *api.Deployments, sinks []telemetry.Sink, metrics *telemetry.Metrics) {
	for len(sinks) > 0 && ctx.Err() == nil {
		if err := p.tellOnce(ctx, store, registry, d, sinks, metrics); ctx.Err() == nil {
			p.log.Warn("nobody is told of deployments from here for now", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

func (p *opened) tellOnce(ctx context.Context, store election.Store, registry election.Registry, d *api.Deployments, sinks []telemetry.Sink, metrics *telemetry.Metrics) error {
	o := election.Options{Name: p.trust.Node(), Registry: registry, Log: p.log}
	return elected.Once(ctx, store, o, func(session *election.Session) error {
		seats, err := session.Seats(tellersGroup, election.SeatsOptions{})
		if err != nil {
			return err
		}
		return seats.Run(ctx, func(ctx context.Context, _ *election.Leadership) error {
			x, err := telemetry.New(telemetry.Options{
				Source:  &telemetry.Deployments{Service: &deploy.Service{Store: store}, Objects: d.Events},
				Cursors: &telemetry.StoreCursors{Store: store}, Sinks: sinks, Metrics: metrics, Log: p.log,
			})
			if err != nil {
				return err
			}
			return x.Run(ctx)
		})
	})
}
