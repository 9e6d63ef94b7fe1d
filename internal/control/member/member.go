// Package member runs one etcd member in this process. Members that know of each
// other are a cluster; alone, one is a cluster too.
//
//	m, err := member.Start(ctx, member.Options{Dir: "/var/lib/towpath/etcd", Log: log})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	client, err := m.Client(ctx)
//
// As etcd's own, a member that can no longer write its log ends the process: nothing
// that it would say afterwards could be relied on.
package member

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// A Member is one that runs. It has to be closed.
type Member struct {
	options Options
	etcd    *embed.Etcd
	folder  *folder
	log     *zap.Logger
	life    life
	close   sync.Once
}

// Start runs a member and waits until it is part of its cluster. To that end most of
// the cluster's members have to run, so those of a new one are started at the same time.
func Start(ctx context.Context, options Options) (*Member, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	free := options.Client == "" || options.Peer == ""
	for attempt := 1; ; attempt++ {
		m, err := start(ctx, options)
		// A free port is free until somebody else takes it.
		if err == nil || !free || attempt == 5 || !errors.Is(err, syscall.EADDRINUSE) {
			return m, err
		}
	}
}

func start(ctx context.Context, options Options) (_ *Member, err error) {
	options, err = options.filled()
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(options.Dir)
	if err != nil {
		return nil, err
	}
	m := &Member{options: options, folder: folder}
	m.log = logger(options.Log, options.Verbose, &m.life)
	if m.etcd, err = run(options.config(m.log), &m.life.starts); err != nil {
		folder.close()
		return nil, options.explain(err)
	}
	select {
	case <-m.etcd.Server.ReadyNotify():
		return m, nil
	case err = <-m.etcd.Err():
	case <-m.etcd.Server.StopNotify():
		err = errors.New("it was removed from its cluster")
	case <-ctx.Done():
		err = fmt.Errorf("%w; most members of its cluster have to run and reach each other: %s", context.Cause(ctx), options.cluster())
	}
	m.life.ends.Store(true)
	m.etcd.Server.Stop() // without it, closing would wait for the member to be ready
	m.Close()
	return nil, fmt.Errorf("the member %q did not become part of its cluster: %w", options.Name, err)
}

// run starts etcd. What etcd would end the process for while it starts is an error; then
// etcd has left open what it had opened.
func run(config *embed.Config, starts *atomic.Bool) (_ *embed.Etcd, err error) {
	starts.Store(true)
	defer starts.Store(false)
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case fatal:
			err = fault
		default:
			panic(fault)
		}
	}()
	return embed.StartEtcd(config)
}

// explain says what to do about an error that kept etcd from starting.
func (o Options) explain(err error) error {
	next := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = fmt.Sprintf("; end what listens there, or choose other addresses than %s for clients and %s for peers", o.Client, o.Peer)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		next = "; expected an address of this machine"
	case strings.Contains(err.Error(), "cannot fetch cluster info"):
		next = "; a member that joins asks the others, so expected one of them to run: " + o.cluster()
	case strings.Contains(err.Error(), "member count is unequal"):
		next = "; expected exactly the members that the cluster has, this one included, which has to be added to the cluster before it starts: " + o.cluster()
	case errors.As(err, new(fatal)), strings.Contains(err.Error(), "crc mismatch"), strings.Contains(err.Error(), "unexpected EOF"):
		next = fmt.Sprintf("; the folder %s is damaged: move it away and restore a backup, or remove the member from its cluster and let it join anew", o.Dir)
	}
	return fmt.Errorf("the member %q cannot start: %w%s", o.Name, err, next)
}

// Close stops the member and waits until it has. It hands leadership over to
// another one first. Clients are given a moment to end their calls.
func (m *Member) Close() { m.end(func() {}) }

// Kill stops the member and waits until it has, and hands nothing over: for members that all end
// together, of which none could take the lead that another one hands it, and waits for for seconds.
func (m *Member) Kill() { m.end(m.etcd.Server.HardStop) }

func (m *Member) end(first func()) {
	m.close.Do(func() {
		m.life.ends.Store(true)
		first()
		m.etcd.Close()
		m.folder.close()
	})
}

// Errs has what goes wrong with the listeners. It is closed when the member is.
func (m *Member) Errs() <-chan error { return m.etcd.Err() }

// Ended is closed when the member ends, be it closed or removed from its cluster.
func (m *Member) Ended() <-chan struct{} { return m.etcd.Server.StopNotify() }

// Ready is nil when the member can answer for its cluster, which takes one with a leader.
func (m *Member) Ready(ctx context.Context) error {
	if err := m.etcd.Server.LinearizableReadNotify(ctx); err != nil {
		return fmt.Errorf("the member %q has no cluster to speak for: %w", m.options.Name, err)
	}
	return nil
}

// Name is the member's.
func (m *Member) Name() string { return m.options.Name }

// ID is what the cluster calls it.
func (m *Member) ID() uint64 { return uint64(m.etcd.Server.MemberID()) }

// Leader is the ID of the cluster's leader as this member knows it; 0 is none.
func (m *Member) Leader() uint64 { return uint64(m.etcd.Server.Leader()) }

// Endpoints is where clients reach it.
func (m *Member) Endpoints() []string { return []string{m.options.url(m.options.AdvertiseClient)} }

// PeerURL is where members reach it.
func (m *Member) PeerURL() string { return m.options.url(m.options.AdvertisePeer) }

// Client connects to the member, and waits until it has. It is the caller's to close, before
// the member.
func (m *Member) Client(ctx context.Context) (*clientv3.Client, error) {
	config := clientv3.Config{
		Endpoints: m.Endpoints(),
		Logger:    zap.NewNop(), // what goes wrong the caller hears
		// So that a connection is known to be dead before a session ends of it.
		DialKeepAliveTime:    keepAliveEvery,
		DialKeepAliveTimeout: keepAliveWait,
	}
	if m.options.TLS != nil {
		var err error
		if config.TLS, err = m.options.TLS.client(); err != nil {
			return nil, err
		}
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("a client of the member %q: %w", m.options.Name, err)
	}
	if _, err := client.Status(ctx, config.Endpoints[0]); err != nil {
		return nil, errors.Join(fmt.Errorf("the member %q does not answer at %s: %w", m.options.Name, config.Endpoints[0], err), client.Close())
	}
	return client, nil
}
