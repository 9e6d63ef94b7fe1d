//go:build !solo

// A control node that runs: what it serves, and what it keeps going beside that.

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/deploy/telemetry"
	"towpath.dev/internal/control/elections"
	"towpath.dev/internal/control/kv"
	"towpath.dev/internal/control/maintain"
)

// controlNode is a control node that runs.
type controlNode struct {
	*opened
	store   *theStore
	inside  context.Context // of what runs beside the API: it outlives the calls that use it
	running sync.WaitGroup
	ends    []func() error // of what was begun, which end in the opposite order

	registry    *access.Registry
	audit       *access.Audit
	keys        *kv.Service
	generations election.Registry
	sessions    *elections.Service
	deployments *api.Deployments
	controller  *deploy.Controller
	sinks       []telemetry.Sink
	closeSinks  func()
	closeOthers func() // clients of other control nodes, which what runs inside asks

	elected   *election.Metrics
	upkeep    *maintain.Metrics
	deploying *deploy.Metrics
	told      *telemetry.Metrics
}

// run is the control node until the context ends.
func (p *opened) run(ctx context.Context) (err error) {
	defer p.listener.Close()
	n := &controlNode{
		opened: p, closeSinks: func() {}, closeOthers: func() {},
		elected: election.NewMetrics(), upkeep: maintain.NewMetrics(), deploying: deploy.NewMetrics(), told: telemetry.NewMetrics(),
	}
	defer func() { err = errors.Join(err, n.end()) }()
	for _, begin := range []func(context.Context) error{n.beginStore, n.beginAccess, n.beginKeys, n.beginElections, n.beginDeployments} {
		if err := begin(ctx); err != nil {
			return err
		}
	}
	server, err := n.server()
	if err != nil {
		return err
	}
	if err := sayControlAt(n.dir, localURL(n.listener, n.secure != nil)); err != nil {
		return err
	}
	n.tellProfile()
	n.keepOn()
	fmt.Fprintf(n.err, "Control API on %s\n", urlOf(n.listener, n.secure != nil))
	return n.serve(ctx, server)
}

// atEnd has something done when the node ends, before all that was begun earlier ends.
func (n *controlNode) atEnd(do func()) {
	n.ends = append(n.ends, func() error { do(); return nil })
}

// end ends all that was begun.
func (n *controlNode) end() (err error) {
	for _, end := range slices.Backward(n.ends) {
		err = errors.Join(err, end())
	}
	return err
}

func (n *controlNode) beginStore(ctx context.Context) error {
	store, stop, err := n.openStore(ctx, n.trust, n.cluster)
	if err != nil {
		return err
	}
	n.store = store
	n.atEnd(stop)
	return nil
}

// beginAccess begins with who may do what, and what was done. From here on there is inside.
func (n *controlNode) beginAccess(ctx context.Context) (err error) {
	n.registry = access.NewRegistry(n.store, n.trust.CA, n.log)
	if err := n.settle(ctx, func(ctx context.Context) error { return n.registry.Found(ctx, n.trust) }); err != nil {
		return err
	}
	if n.audit, err = access.OpenAudit(filepath.Join(n.dir, auditDir), n.log); err != nil {
		return fmt.Errorf("the audit log: %w", err)
	}
	n.ends = append(n.ends, n.audit.Close)
	inside, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.inside = inside
	n.atEnd(func() { stop(); n.running.Wait(); n.closeSinks(); n.closeOthers() })
	n.running.Go(func() { n.registry.Run(inside) })
	return n.registry.Ready(ctx)
}

// caller is who makes a call.
func caller(ctx context.Context) string { return access.Caller(ctx).Name }

func (n *controlNode) beginKeys(ctx context.Context) (err error) {
	if n.keys, err = kv.New(n.inside, n.store, kv.Options{Caller: caller, Log: n.log}); err != nil {
		return err
	}
	n.atEnd(n.keys.Close)
	return n.settle(ctx, n.keys.Ready)
}

func (n *controlNode) beginElections(ctx context.Context) (err error) {
	if n.generations, err = n.openGenerations(ctx, n.store); err != nil {
		return err
	}
	n.sessions = elections.New(n.store, elections.Options{Node: n.trust.Node(), Caller: caller, Registry: n.generations, Metrics: n.elected, Log: n.log})
	n.atEnd(n.sessions.Close)
	return nil
}

func (n *controlNode) beginDeployments(ctx context.Context) (err error) {
	deployments, stop, err := n.openDeployments(n.store)
	if err != nil {
		return err
	}
	n.deployments, n.closeOthers = deployments, stop
	sinks, closeSinks, err := n.openSinks(ctx)
	if err != nil {
		return err
	}
	n.sinks, n.closeSinks = sinks, closeSinks
	n.controller, err = n.newController(n.store, deployments, deploy.Options{Registry: n.generations, Election: n.elected, Metrics: n.deploying})
	return err
}

// server is the control API over what was begun.
func (n *controlNode) server() (*api.Server, error) {
	metrics := n.collectors(n.elected, n.upkeep, n.deploying, n.controller.Gauges(), n.told, endOf(n.trust))
	options := api.Options{
		Store: n.store, Registry: n.registry, Audit: n.audit, KV: n.keys, Election: n.sessions, Deployments: n.deployments,
		Routes: append(electionRoutes(n.sessions), metricsRoute(metrics...)), Version: version(), Log: n.log,
	}
	if n.store.members != nil {
		options.Members = n.store.members
	}
	return api.New(options)
}

// keepOn does beside serving what a control node does, until it ends.
func (n *controlNode) keepOn() {
	do := func(what func(context.Context)) { n.running.Go(func() { what(n.inside) }) }
	if n.store.members != nil {
		do(n.store.members.promote)
	}
	if n.seen != nil {
		do(n.seen.Run)
	}
	do(func(ctx context.Context) { n.keepBackup(ctx, n.store) })
	do(func(ctx context.Context) { n.keepSnapshots(ctx, n.store, n.deployments.Objects) })
	do(func(ctx context.Context) {
		n.keepUp(ctx, n.store, maintain.Options{Registry: n.generations, Metrics: n.upkeep, Election: n.elected})
	})
	do(func(ctx context.Context) { _ = n.controller.Run(ctx) }) // until it is told to end
	do(func(ctx context.Context) { n.tell(ctx, n.store, n.generations, n.deployments, n.sinks, n.told) })
}

// serve serves until the context, or the node's member of etcd, ends.
func (n *controlNode) serve(ctx context.Context, server *api.Server) error {
	serving, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n.running.Go(func() {
		select {
		case <-serving.Done():
		case <-n.store.ended:
			cancel(errMemberEnded)
		}
	})
	err := server.Serve(serving, n.listener, n.secure)
	if errors.Is(context.Cause(serving), errMemberEnded) {
		return errMemberEnded
	}
	return err
}

var errMemberEnded = errors.New("this node's member of etcd has ended: it was removed from the cluster, or its listener failed, and the log says which")

// metricsRoute serves the control node's metrics, and those that etcd registers of its
// member, to everybody who has a name.
func metricsRoute(metrics ...prometheus.Collector) api.Route {
	own := prometheus.NewRegistry()
	own.MustRegister(metrics...)
	return api.Route{
		Pattern: "GET /metrics", Procedure: towpathv1connect.AccessServiceWhoAmIProcedure,
		Handler: promhttp.HandlerFor(prometheus.Gatherers{own, prometheus.DefaultGatherer}, promhttp.HandlerOpts{}),
	}
}

// electionRoutes are the lines of JSON of elections.
func electionRoutes(s *elections.Service) []api.Route {
	lines := s.Lines()
	return []api.Route{
		{
			Pattern: "GET " + elections.EventsPath, Procedure: towpathv1connect.ElectionServiceSessionEventsProcedure, Handler: lines,
			Subject: func(r *http.Request) (string, string) { return access.Subject("session", r.PathValue("session")), "" },
		},
		{
			Pattern: "GET " + elections.ChangesPath, Procedure: towpathv1connect.ElectionServiceObserveProcedure, Handler: lines,
			Subject: func(r *http.Request) (string, string) {
				group := r.PathValue("group")
				return access.Subject("group", group), access.EnvironmentOf(group)
			},
		},
	}
}
