//go:build !solo

// A control node in this process: a member of etcd, and the control API over it.

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/api"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/deploy/telemetry"
	"towpath.dev/internal/control/elections"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/control/kv"
	"towpath.dev/internal/control/maintain"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/wholefile"
)

// controlPlane is a control node.
type controlPlane struct {
	*ui
	log    *slog.Logger
	dir    string
	listen string
	secure bool     // TLS on loopback too
	hosts  []string // that it is reached at, when it joins
	join   joinFlags
	// Its member of etcd, where it listens to others: "" is on loopback alone.
	peer, peerAdvertise string
	registry            string // a folder; see generations
	telling             telling
	objects             string // where objects of releases are; "" is in the data
	// The file that says where its backup is kept, and what that says; nil for none.
	backupFile string
	backup     *backup.Options
	seen       *backup.LastSeen // of the generations beside it
	// Snapshots are signed by the key in the file.
	snapshotKey    string
	snapshotSigner *release.Signer
	// A cluster of etcd that is there already, instead of a member.
	etcd                      []string
	etcdCA, etcdCert, etcdKey string
}

// settleTime is how long a control node waits for the store at its start. One that
// joins first learns what there is.
const settleTime = 2 * time.Minute

// opened is a control node that has its trust and its address, and not its store.
type opened struct {
	*controlPlane
	trust    *access.Trust
	cluster  map[string]string // see findTrust
	secure   *tls.Config
	listener net.Listener
}

// open finds out what keeps a control node from starting, before programs are served
// beside it.
func (p *controlPlane) open(ctx context.Context) (*opened, error) {
	if err := p.readBackup(); err != nil {
		return nil, err
	}
	if err := p.readSnapshotKey(); err != nil {
		return nil, err
	}
	trust, cluster, err := p.findTrust(ctx)
	if err != nil {
		return nil, err
	}
	secure, err := p.tls(trust)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", p.listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; name another address with --control-listen", p.listen, innermost(err))
	}
	return &opened{p, trust, cluster, secure, l}, nil
}

// run is the control node until the context ends.
func (p *opened) run(ctx context.Context) (err error) {
	trust := p.trust
	defer p.listener.Close()
	store, stop, err := p.store(ctx, trust, p.cluster)
	if err != nil {
		return err
	}
	defer stop()

	registry := access.NewRegistry(store, trust.CA, p.log)
	if err := p.settle(ctx, func(ctx context.Context) error { return registry.Found(ctx, trust) }); err != nil {
		return err
	}
	audit, err := access.OpenAudit(filepath.Join(p.dir, auditDir), p.log)
	if err != nil {
		return fmt.Errorf("the audit log: %w", err)
	}
	defer func() { err = errors.Join(err, audit.Close()) }()

	inside, end := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the calls that use it
	var running sync.WaitGroup
	defer func() { end(); running.Wait() }()
	running.Go(func() { registry.Run(inside) })
	if err := registry.Ready(ctx); err != nil {
		return err
	}
	caller := func(ctx context.Context) string { return access.Caller(ctx).Name }
	keys, err := kv.New(inside, store, kv.Options{Caller: caller, Log: p.log})
	if err != nil {
		return err
	}
	defer keys.Close()
	if err := p.settle(ctx, keys.Ready); err != nil {
		return err
	}
	generations, err := p.generations(ctx, store)
	if err != nil {
		return err
	}
	deployments, closing, err := p.deployments(store)
	if err != nil {
		return err
	}
	defer closing()
	sinks, closeSinks, err := p.sinks(ctx)
	if err != nil {
		return err
	}
	told := telemetry.NewMetrics()
	metrics, upkeep, deploying := election.NewMetrics(), maintain.NewMetrics(), deploy.NewMetrics()
	controller, err := p.controller(store, deployments, deploy.Options{Registry: generations, Election: metrics, Metrics: deploying})
	if err != nil {
		return err
	}
	sessions := elections.New(store, elections.Options{Node: trust.Node(), Caller: caller, Registry: generations, Metrics: metrics, Log: p.log})
	defer sessions.Close()
	options := api.Options{
		Store: store, Registry: registry, Audit: audit, KV: keys, Election: sessions, Deployments: deployments, Routes: append(electionRoutes(sessions), metricsRoute(p.collectors(metrics, upkeep, deploying, controller.Gauges(), told, endOf(trust))...)), Version: version(), Log: p.log,
	}
	if store.members != nil {
		options.Members = store.members
		running.Go(func() { store.members.promote(inside) })
	}
	server, err := api.New(options)
	if err != nil {
		return err
	}
	if err := sayControlAt(p.dir, localURL(p.listener, p.secure != nil)); err != nil {
		return err
	}
	running.Go(func() { p.keepBackup(inside, store) })
	if p.seen != nil {
		running.Go(func() { p.seen.Run(inside) })
	}
	running.Go(func() { p.keepSnapshots(inside, store, deployments.Objects) })
	running.Go(func() {
		p.keepUp(inside, store, maintain.Options{Registry: generations, Metrics: upkeep, Election: metrics})
	})
	running.Go(func() { _ = controller.Run(inside) }) // until it is told to end
	running.Go(func() {
		defer closeSinks()
		p.tell(inside, store, generations, deployments, sinks, told)
	})
	fmt.Fprintf(p.err, "Control API on %s\n", urlOf(p.listener, p.secure != nil))
	serving, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	running.Go(func() {
		select {
		case <-serving.Done():
		case <-inside.Done():
		case <-store.ended:
			cancel(errMemberEnded)
		}
	})
	err = server.Serve(serving, p.listener, p.secure)
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

// findTrust is what the node has in its folder. A node that has nothing joins, or, on a
// machine of its own, begins a cluster. The cluster is its members, of a node that has
// joined.
func (p *controlPlane) findTrust(ctx context.Context) (*access.Trust, map[string]string, error) {
	dir := filepath.Join(p.dir, trustDir)
	loopback, err := isLoopback(p.listen)
	switch {
	case err != nil:
		return nil, nil, usage{fmt.Errorf("--control-listen %s is no address: expected HOST:PORT", p.listen), "tow serve"}
	case access.HasTrust(dir):
		trust, err := access.OpenTrust(dir)
		if err != nil {
			return nil, nil, err
		}
		cluster, err := p.joinedTo()
		return trust, cluster, err
	case len(p.join.at) > 0 || p.join.token != "":
		return p.joinCluster(ctx, dir)
	case !loopback:
		return nil, nil, usage{fmt.Errorf("there is no trust in %s, and %s can be reached from other machines: make a cluster with \"tow init --url\", or join one with --join and --join-token", dir, p.listen), "tow serve"}
	}
	scheme := "http"
	if p.secure {
		scheme = "https"
	}
	profileAt := filepath.Join(p.dir, "control.toml")
	trust, err := found(p.dir, profileAt, scheme+"://"+p.listen, access.TrustOptions{})
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(p.err, "A new cluster, for this machine. To ask it: export TOW_PROFILE=%s\n", profileAt)
	return trust, nil, nil
}

// joinCluster becomes a control node of a cluster that is there.
func (p *controlPlane) joinCluster(ctx context.Context, dir string) (*access.Trust, map[string]string, error) {
	if len(p.join.at) == 0 || p.join.token == "" {
		return nil, nil, usage{errors.New("this node has not joined yet: it needs both --join URL and --join-token TOKEN; \"tow join-token create --role control\" makes one"), "tow serve"}
	}
	peerURL := ""
	if len(p.etcd) == 0 {
		if p.peer == "" {
			return nil, nil, usage{errors.New("a control node that joins needs --peer-listen: the address of this machine at which the others reach its member of etcd"), "tow serve"}
		}
		peerURL = "https://" + or(p.peerAdvertise, p.peer)
	}
	hosts := slices.Clone(p.hosts)
	for _, address := range []string{p.listen, p.peer, p.peerAdvertise} {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
			hosts = append(hosts, host)
		}
	}
	hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	slices.Sort(hosts)
	answer, key, err := p.join.join(ctx, p.dir, peerURL, slices.Compact(hosts))
	if err != nil {
		return nil, nil, err
	}
	if answer.GetCaKey() == nil {
		return nil, nil, errors.New("the join token was for a responder, and is spent: make another with \"tow join-token create --role control\"")
	}
	members, err := json.Marshal(answer.GetMembers())
	if err != nil {
		return nil, nil, err
	}
	if err := wholefile.Replace(p.membersFile(), members); err != nil {
		return nil, nil, err
	}
	trust, err := access.SaveTrust(dir, answer.GetCa(), answer.GetCaKey(), answer.GetCertificate(), key)
	if err != nil {
		return nil, nil, err
	}
	joined(p.dir)
	cluster, err := p.joinedTo()
	return trust, cluster, err
}

func (p *controlPlane) membersFile() string { return filepath.Join(p.dir, "members.json") }

// joinedTo is the members that a node had when it joined, their addresses by name; nil of
// one that began its cluster. It matters until its member has data.
func (p *controlPlane) joinedTo() (map[string]string, error) {
	text, err := os.ReadFile(p.membersFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cluster := map[string]string{}
	if err := json.Unmarshal(text, &cluster); err != nil {
		return nil, fmt.Errorf("%s: %w", p.membersFile(), err)
	}
	for name, at := range cluster {
		cluster[name] = strings.TrimPrefix(at, "https://")
	}
	return cluster, nil
}

// tls is the listener's; nil on loopback, where there is none unless it is asked for.
func (p *controlPlane) tls(trust *access.Trust) (*tls.Config, error) {
	loopback, err := isLoopback(p.listen)
	if err != nil {
		return nil, err
	}
	if loopback && !p.secure {
		return nil, nil
	}
	if !loopback && !slices.ContainsFunc(trust.Hosts(), func(h string) bool { return !isLoopbackHost(h) }) {
		return nil, fmt.Errorf("%s can be reached from other machines, and this node's certificate is for this one alone: make the cluster with \"tow init --url https://HOST:PORT\"", p.listen)
	}
	return trust.TLS(), nil
}

// theStore is the store that a control node uses, and its part in it.
type theStore struct {
	control.Store
	client  *clientv3.Client
	dial    func(endpoint string) (*clientv3.Client, error)
	members *members        // nil: the cluster of etcd is not ours
	id      uint64          // its member's; 0 without one
	ended   <-chan struct{} // closed when its member ends
}

// store starts the node's member of etcd, or connects to the cluster that is there.
func (p *controlPlane) store(ctx context.Context, trust *access.Trust, cluster map[string]string) (*theStore, func(), error) {
	if len(p.etcd) > 0 {
		return p.existing(ctx)
	}
	files := filepath.Join(p.dir, trustDir)
	if _, err := trust.Certificate(); err != nil { // renewed in its file, if it is time
		return nil, nil, err
	}
	m, err := member.Start(ctx, member.Options{
		Dir: filepath.Join(p.dir, etcdDir), Name: trust.Node(), Peer: p.peer, AdvertisePeer: p.peerAdvertise,
		Cluster: cluster, Join: cluster != nil, Token: trust.CA.Pin(), Maintained: true, Log: p.log,
		// On loopback too: who is on this machine is not an admin for it.
		TLS: &member.TLS{CA: filepath.Join(files, "ca.pem"), Cert: filepath.Join(files, "node.pem"), Key: filepath.Join(files, "node-key.pem"), Host: trust.CA.ControlHost()},
	})
	if err != nil {
		return nil, nil, err
	}
	c, err := m.Client(ctx)
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	store := &theStore{
		Store: etcdstore.New(c), client: c, members: &members{c, trust.Node(), p.log}, id: m.ID(), ended: m.Ended(),
		dial: func(string) (*clientv3.Client, error) { return m.Client(ctx) },
	}
	stop := func() {
		if err := c.Close(); err != nil {
			p.log.Debug("etcd's client", "error", err)
		}
		m.Close()
	}
	// It may listen elsewhere than at its last start.
	if err := sayEtcdAt(p.dir, m.Endpoints()); err != nil {
		stop()
		return nil, nil, err
	}
	err = p.settle(ctx, func(ctx context.Context) error { return store.members.move(ctx, m.ID(), m.PeerURL()) })
	if err == nil && cluster != nil {
		err = os.Remove(p.membersFile()) // its data says it from now on
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return store, stop, nil
}

// existing connects to a cluster of etcd that is not ours.
func (p *controlPlane) existing(ctx context.Context) (*theStore, func(), error) {
	config := clientv3.Config{
		Endpoints: p.etcd, Logger: zap.NewNop(), DialTimeout: 5 * time.Second,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
	}
	var err error
	if config.TLS, err = p.etcdTLS(); err != nil {
		return nil, nil, err
	}
	c, err := clientv3.New(config)
	if err != nil {
		return nil, nil, usage{fmt.Errorf("--etcd %s: %w", strings.Join(p.etcd, ","), err), "tow serve"}
	}
	store := &theStore{Store: etcdstore.New(c), client: c, dial: func(endpoint string) (*clientv3.Client, error) {
		one := config
		one.Endpoints = []string{endpoint}
		return clientv3.New(one)
	}}
	asking, cancel := context.WithTimeout(ctx, config.DialTimeout)
	defer cancel()
	if _, err := store.Status(asking); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot reach etcd at %s: %w; --etcd-ca, --etcd-cert and --etcd-key say how to with TLS", strings.Join(p.etcd, ", "), err), c.Close())
	}
	return store, func() {
		if err := c.Close(); err != nil {
			p.log.Debug("etcd's client", "error", err)
		}
	}, nil
}

func (p *controlPlane) etcdTLS() (*tls.Config, error) {
	for _, endpoint := range p.etcd {
		host := strings.TrimPrefix(endpoint, "http://")
		name, _, err := net.SplitHostPort(host)
		if !strings.HasPrefix(endpoint, "https://") && (err != nil || !isLoopbackHost(name)) {
			return nil, usage{fmt.Errorf("--etcd %s: other machines are asked by https:// alone", endpoint), "tow serve"}
		}
	}
	if p.etcdCA == "" && p.etcdCert == "" && p.etcdKey == "" {
		return nil, nil
	}
	config, err := transport.TLSInfo{TrustedCAFile: p.etcdCA, CertFile: p.etcdCert, KeyFile: p.etcdKey}.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--etcd-ca, --etcd-cert and --etcd-key: %w", err)
	}
	return config, nil
}

// settle does something that the store may not be ready for yet.
func (p *controlPlane) settle(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		asking, stop := context.WithTimeout(ctx, 5*time.Second)
		err := do(asking)
		stop()
		if err == nil || !awaits(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the store was not ready within %s: %w", settleTime, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// errLearns is what a member says that does not vote yet.
var errLearns = rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner)

// awaits reports whether an error may pass: the store has no leader yet, or its member
// here still learns.
func awaits(err error) bool {
	var of rpctypes.EtcdError
	return errors.Is(err, election.ErrNotReached) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errLearns) ||
		errors.As(err, &of) && of.Code() == codes.Unavailable
}
