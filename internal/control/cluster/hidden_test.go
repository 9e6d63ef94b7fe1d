package cluster_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/control/cluster"
	"towpath.dev/internal/control/member"
)

// TestHidden: members whose clients' port is for their own machines are asked at the other one
// whether they are there, and count.
func TestHidden(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	files := filepath.Join(dir, "trust")
	trust, _, err := access.InitTrust(files, access.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := trust.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: trust.CA.Pool(), Certificates: []tls.Certificate{*certificate}}
	peers := map[string]string{}
	for i := range 3 {
		peers[fmt.Sprint("m", i)] = freeAddress(t)
	}
	members := make([]*member.Member, 3)
	var starting sync.WaitGroup
	for i := range members {
		o := member.Options{
			Dir: filepath.Join(dir, fmt.Sprint(i)), Name: fmt.Sprint("m", i), Peer: peers[fmt.Sprint("m", i)], Cluster: peers,
			Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, UnsafeNoSync: true,
			TLS: &member.TLS{CA: filepath.Join(files, "ca.pem"), Cert: filepath.Join(files, "node.pem"), Key: filepath.Join(files, "node-key.pem"), Host: trust.CA.ControlHost()},
		}
		if i > 0 {
			o.AdvertiseClient = "127.0.0.1:1" // of another machine, where this one has nothing
		}
		starting.Go(func() {
			if m, err := member.Start(ctx, o); err != nil {
				t.Error(err)
			} else {
				members[i] = m
			}
		})
	}
	starting.Wait()
	for _, m := range members {
		if m == nil {
			t.FailNow()
		}
		t.Cleanup(m.Close)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: members[0].Endpoints(), TLS: config, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // says that its context has ended
	look := func(peers *tls.Config) *cluster.Observed {
		o, err := cluster.Observe(ctx, client, cluster.Options{Probes: 1, Peers: peers})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := look(nil)
	if o.Quorum.Well != 1 || o.Members[1].State != cluster.Down || !o.Majority {
		t.Errorf("without asking peers: %s, %+v", o.Quorum, o.Members[1])
	}
	o = look(config)
	if m := o.Members[1]; o.Quorum.Well != 3 || m.State != cluster.Hidden || m.Version == "" || !strings.Contains(m.Reason, "its own machine") || len(wrong(o)) != 0 {
		t.Errorf("asking peers: %s, %+v, %v", o.Quorum, m, o.Warnings())
	}
	members[2].Close()
	if o = look(config); o.Quorum.Well != 2 || o.Members[2].State != cluster.Down {
		t.Errorf("with one down: %s, %+v", o.Quorum, o.Members[2])
	}
	// Who cannot prove who it is is not there.
	other := config.Clone()
	other.RootCAs = nil
	if o = look(other); o.Quorum.Well != 1 || o.Members[1].State != cluster.Down {
		t.Errorf("with peers that are not believed: %s, %+v", o.Quorum, o.Members[1])
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
