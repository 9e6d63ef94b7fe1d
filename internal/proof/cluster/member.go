//go:build linux

// Package cluster is the etcd cluster of a proof: members that are processes of their
// own, each on its host of a lab, to be killed, stopped, replaced and restored.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// MemberOptions are what a member's process needs to know.
type MemberOptions struct {
	Name, Dir, IP string
	Cluster       string // NAME=URL,…
	Token         string
	Join          bool // an existing cluster
}

const (
	clientPort = 2379
	peerPort   = 2380
)

func at(ip string, port int) string { return fmt.Sprintf("http://%s:%d", ip, port) }

// RunMember is a member, until ctx ends.
func RunMember(ctx context.Context, o MemberOptions) error {
	c := embed.NewConfig()
	c.Name, c.Dir = o.Name, o.Dir
	client, errC := url.Parse(at(o.IP, clientPort))
	peer, errP := url.Parse(at(o.IP, peerPort))
	if err := errors.Join(errC, errP); err != nil {
		return err
	}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	c.InitialCluster, c.InitialClusterToken = o.Cluster, o.Token
	c.ClusterState = embed.ClusterStateFlagNew
	if o.Join {
		c.ClusterState = embed.ClusterStateFlagExisting
	}
	c.TickMs, c.ElectionMs = 100, 1000 // as in tow's own
	c.LogLevel = "warn"
	// Processes are killed here, machines do not crash: what the kernel has is kept.
	c.UnsafeNoFsync = true
	etcd, err := embed.StartEtcd(c)
	if err != nil {
		return fmt.Errorf("the member %s: %w", o.Name, err)
	}
	defer etcd.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-etcd.Err():
		return err
	case <-etcd.Server.StopNotify():
		return errors.New("it was removed")
	}
}

// ready is for how long the cluster may take to do what is asked of it.
const ready = 20 * time.Second
