package backups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"towpath.dev/internal/control/member"
)

// members is a cluster of three, each in a process of its own, which write to disk.
type members struct {
	dir       string
	all       []*process
	endpoints []string
}

const memberCount = 3

func startMembers() (_ *members, err error) {
	c := &members{}
	if c.dir, err = os.MkdirTemp("", "backups-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	addresses, err := free(2 * memberCount)
	if err != nil {
		return nil, err
	}
	var peers []string
	for i := range memberCount {
		peers = append(peers, fmt.Sprintf("m%d=%s", i, addresses[memberCount+i]))
		c.endpoints = append(c.endpoints, "http://"+addresses[i])
	}
	for i := range memberCount {
		p, err := start("member", fmt.Sprintf("m%d", i), filepath.Join(c.dir, fmt.Sprint(i)), addresses[i], addresses[memberCount+i], strings.Join(peers, ","))
		if err != nil {
			return nil, err
		}
		c.all = append(c.all, p)
	}
	for _, p := range c.all {
		var fault string
		if err := p.read(&fault); err != nil || fault != "" {
			return nil, errors.Join(err, errors.New(fault))
		}
	}
	return c, nil
}

func (c *members) stop() {
	for _, p := range c.all {
		p.stop()
	}
	_ = os.RemoveAll(c.dir)
}

// cpu is what all members have used.
func (c *members) cpu() (sum time.Duration, err error) {
	for _, p := range c.all {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func free(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// runMember is one member's process. It says why it does not run, or nothing, in one string.
func runMember(ctx context.Context, args []string) error {
	peers := map[string]string{}
	for p := range strings.SplitSeq(args[4], ",") {
		name, address, _ := strings.Cut(p, "=")
		peers[name] = address
	}
	out := json.NewEncoder(os.Stdout)
	m, err := member.Start(ctx, member.Options{Name: args[0], Dir: args[1], Client: args[2], Peer: args[3], Cluster: peers, Quota: 8 << 30})
	if err != nil {
		return out.Encode(err.Error())
	}
	defer m.Close()
	if err := m.Ready(ctx); err != nil {
		return out.Encode(err.Error())
	}
	if err := out.Encode(""); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until the command ends
	return err
}
