// Package members is a cluster of three members of etcd, each in a process of its own, which
// write to disk.
package members

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/bench/process"
	"towpath.dev/internal/control/member"
	"towpath.dev/internal/ports"
)

// Members are the cluster.
type Members struct {
	Dir       string // with their files in it; Stop removes it
	All       []*process.Process
	Endpoints []string
}

const (
	count = 3
	quota = 8 << 30
)

// Start begins one. The program's role "member" is [Run].
func Start() (_ *Members, err error) {
	c := &Members{}
	if c.Dir, err = os.MkdirTemp("", "bench-members-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	addresses, err := ports.Free(2 * count)
	if err != nil {
		return nil, err
	}
	var peers []string
	for i := range count {
		peers = append(peers, fmt.Sprintf("m%d=%s", i, addresses[count+i]))
		c.Endpoints = append(c.Endpoints, "http://"+addresses[i])
	}
	for i := range count {
		p, err := process.Start("member", fmt.Sprintf("m%d", i), filepath.Join(c.Dir, fmt.Sprint(i)), addresses[i], addresses[count+i], strings.Join(peers, ","))
		if err != nil {
			return nil, err
		}
		c.All = append(c.All, p)
	}
	for _, p := range c.All {
		if _, err := p.Expect("ready"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Stop kills the members and removes their files.
func (c *Members) Stop() {
	for _, p := range c.All {
		p.Kill()
	}
	_ = os.RemoveAll(c.Dir)
}

// CPU is what all members have used.
func (c *Members) CPU() (sum time.Duration, err error) {
	for _, p := range c.All {
		used, err := p.CPU()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// Client is one of all of them.
func (c *Members) Client() (*clientv3.Client, error) { return Connect(c.Endpoints...) }

// Connect makes a client, which soon finds out that a member does not answer.
func Connect(endpoints ...string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second, PermitWithoutStream: true,
	})
}

// Leader is the index of the member that leads.
func (c *Members) Leader(ctx context.Context, client *clientv3.Client) (int, error) {
	for i, endpoint := range c.Endpoints {
		status, err := client.Status(ctx, endpoint)
		if err == nil && status.Leader == status.Header.MemberId {
			return i, nil
		}
	}
	return 0, errors.New("no member leads")
}

// Run is one member's process.
func Run(ctx context.Context, args []string) error {
	peers := map[string]string{}
	for p := range strings.SplitSeq(args[4], ",") {
		name, address, _ := strings.Cut(p, "=")
		peers[name] = address
	}
	m, err := member.Start(ctx, member.Options{Name: args[0], Dir: args[1], Client: args[2], Peer: args[3], Cluster: peers, Quota: quota})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin) // until the command ends
	return err
}
