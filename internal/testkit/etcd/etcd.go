// Package etcd runs an etcd cluster for a test: its members in this process, on
// free ports of the loopback interface, with ticks for fast elections and without
// waiting for disks.
//
//	cluster := etcd.Start(t, 3)
//	store := etcdstore.New(cluster.Client(t))
//	cluster.Stop(0)
//	cluster.Restart(t, 0)
package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"towpath.dev/internal/control/member"
	"towpath.dev/internal/ports"
)

// patience is for how long a cluster may take to elect a leader, on a machine that has
// other things to do.
const patience = time.Minute

// A Cluster is members that run.
type Cluster struct {
	options []member.Options
	members []*member.Member // nil while one is stopped
}

// Start starts a cluster of n members, which is stopped when the test ends. The options of
// each may be changed first.
func Start(t testing.TB, n int, change ...func(*member.Options)) *Cluster {
	t.Helper()
	dir := t.TempDir()
	for attempt := 1; ; attempt++ {
		c := &Cluster{members: make([]*member.Member, n), options: plan(t, filepath.Join(dir, fmt.Sprint(attempt)), n)}
		for _, do := range change {
			for i := range c.options {
				do(&c.options[i])
			}
		}
		err := c.start(t)
		if err == nil {
			t.Cleanup(c.stop)
			return c
		}
		c.stop()
		// A free port is free until somebody else takes it.
		if attempt == 5 || !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// plan is the options of each of n members.
func plan(t testing.TB, dir string, n int) []member.Options {
	t.Helper()
	addresses := freeAddresses(t, 2*n)
	peers, clients := addresses[:n], addresses[n:]
	cluster := map[string]string{}
	options := make([]member.Options, n)
	for i := range options {
		name := fmt.Sprintf("m%d", i)
		cluster[name] = peers[i]
		options[i] = member.Options{
			Dir: filepath.Join(dir, name), Name: name, Client: clients[i], Peer: peers[i], Cluster: cluster,
			Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, // leases live for a second at least
			UnsafeNoSync: true,
		}
	}
	return options
}

func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	addresses, err := ports.Free(n)
	if err != nil {
		t.Fatal(err)
	}
	return addresses
}

// start starts all members at once, as each waits for a majority.
func (c *Cluster) start(t testing.TB) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	faults := make([]error, len(c.options))
	var starting sync.WaitGroup
	for i, o := range c.options {
		starting.Go(func() {
			if c.members[i], faults[i] = member.Start(ctx, o); faults[i] != nil {
				cancel() // the others need not wait for it
			}
		})
	}
	starting.Wait()
	return errors.Join(faults...)
}

// stop stops all members, none of which hands its leadership to another one that stops too.
func (c *Cluster) stop() {
	var stopping sync.WaitGroup
	for i, m := range c.members {
		if m != nil {
			c.members[i] = nil
			stopping.Go(m.Kill)
		}
	}
	stopping.Wait()
}

// Stop stops a member that runs, and waits until it has.
func (c *Cluster) Stop(i int) {
	if m := c.members[i]; m != nil {
		c.members[i] = nil
		m.Close()
	}
}

// Restart starts a member that was stopped, with its data and at its addresses.
func (c *Cluster) Restart(t testing.TB, i int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := member.Start(ctx, c.options[i])
	if err != nil {
		t.Fatal(err)
	}
	c.members[i] = m
}

// Prepare makes a member that has its name and its addresses, and is not of the cluster
// yet. It returns its number.
func (c *Cluster) Prepare(t testing.TB) int {
	t.Helper()
	i, addresses := len(c.options), freeAddresses(t, 2)
	o := c.options[0]
	o.Name = fmt.Sprintf("m%d", i)
	o.Dir, o.Client, o.Peer = filepath.Join(filepath.Dir(o.Dir), o.Name), addresses[0], addresses[1]
	c.options, c.members = append(c.options, o), append(c.members, nil)
	return i
}

// Join starts a member that was prepared, or wiped, and has been added to the cluster.
func (c *Cluster) Join(t testing.TB, i int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.JoinContext(ctx, i); err != nil {
		t.Fatal(err)
	}
}

// JoinContext is Join for a goroutine that is not the test's own.
func (c *Cluster) JoinContext(ctx context.Context, i int) error {
	var running []string
	for j, m := range c.members {
		if m != nil {
			running = append(running, "http://"+c.options[j].Client)
		}
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: running, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	list, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	o := c.options[i]
	o.Join, o.Cluster = true, map[string]string{o.Name: o.Peer}
	for _, m := range list.Members {
		if m.Name != "" {
			o.Cluster[m.Name] = strings.TrimPrefix(m.PeerURLs[0], "http://")
		}
	}
	m, err := member.Start(ctx, o)
	if err != nil {
		return err
	}
	c.options[i], c.members[i] = o, m
	return nil
}

// Wipe removes the data of a member that is stopped, as a lost disk does.
func (c *Cluster) Wipe(t testing.TB, i int) {
	t.Helper()
	if err := os.RemoveAll(c.options[i].Dir); err != nil {
		t.Fatal(err)
	}
}

// Name is what the cluster calls a member.
func (c *Cluster) Name(i int) string { return c.options[i].Name }

// PeerURL is where others reach a member.
func (c *Cluster) PeerURL(i int) string { return "http://" + c.options[i].Peer }

// Member is a member, nil while it is stopped.
func (c *Cluster) Member(i int) *member.Member { return c.members[i] }

// Leader is which member leads. It waits until one does.
func (c *Cluster) Leader(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, m := range c.members {
		if m == nil {
			continue
		}
		if err := m.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		leader := m.Leader()
		for i, m := range c.members {
			if m != nil && m.ID() == leader {
				return i
			}
		}
	}
	t.Fatal("no member that runs leads")
	return -1
}

// UpToDate waits until the data of every member that runs is of the release of etcd that
// the cluster has agreed on, which each sees to by itself some seconds after it has started.
func (c *Cluster) UpToDate(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	client := c.Client(t)
	for i, m := range c.members {
		for m != nil {
			status, err := client.Status(ctx, c.options[i].Client)
			if err == nil && minor(status.StorageVersion) == minor(status.Version) {
				break
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				t.Fatalf("%s: the data is not of its release after %s: %+v, %v", c.Name(i), patience, status, err)
			}
		}
	}
}

// minor is the part of a release of etcd that says how its data looks: "3.7" of "3.7.3".
func minor(release string) string {
	return release[:max(0, strings.LastIndexByte(release, '.'))]
}

// Endpoints are where clients reach the members, the stopped ones too.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, o := range c.options {
		all = append(all, "http://"+o.Client)
	}
	return all
}

// Client is a client of all members, or of those named by their numbers. It is
// closed when the test ends.
func (c *Cluster) Client(t testing.TB, members ...int) *clientv3.Client {
	t.Helper()
	endpoints := c.Endpoints()
	if len(members) > 0 {
		endpoints = nil
		for _, i := range members {
			endpoints = append(endpoints, "http://"+c.options[i].Client)
		}
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // says that its context has ended
	return client
}

// Leftovers are the goroutines that goleak has to bear with after a cluster of
// several: connections between members that etcd leaves to end by themselves, which takes
// seconds.
func Leftovers() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"),
		goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
	}
}
