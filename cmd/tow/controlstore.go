//go:build !solo

// The store of a control node: its own member of etcd, or a cluster that is there already.

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/control/member"
)

// settleTime is how long a control node waits for the store at its start. One that
// joins first learns what there is.
const settleTime = 2 * time.Minute

// theStore is the store that a control node uses, and its part in it.
type theStore struct {
	control.Store
	client  *clientv3.Client
	dial    func(endpoint string) (*clientv3.Client, error)
	members *members        // nil: the cluster of etcd is not ours
	id      uint64          // its member's; 0 without one
	ended   <-chan struct{} // closed when its member ends
}

// openStore starts the node's member of etcd, or connects to the cluster that is there.
func (p *controlPlane) openStore(ctx context.Context, trust *access.Trust, cluster map[string]string) (*theStore, func(), error) {
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
