//go:build !solo

// A control node in this process: a member of etcd, and the control API over it.

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/backup"
	"towpath.dev/internal/control/release"
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
