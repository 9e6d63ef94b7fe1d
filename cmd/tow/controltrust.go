//go:build !solo

// What a control node is of a cluster by: its keys and certificates, which it has, makes or gets when it
// joins.

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"towpath.dev/internal/control/access"
	"towpath.dev/internal/wholefile"
)

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
