//go:build linux

package rollout

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/election"
	"towpath.dev/internal/blob"
	"towpath.dev/internal/control/deploy"
	"towpath.dev/internal/control/deploy/deploytest"
	"towpath.dev/internal/control/etcdstore"
	"towpath.dev/internal/control/fleet"
	"towpath.dev/internal/control/release"
	"towpath.dev/internal/proof/cluster"
)

// parts are what each process stands on.
type parts struct {
	Endpoints []string
	Hub       string // where counters go to
	Objects   string // the folder of object storage
	Seed      uint64
}

// controllerOptions are what a controller's process needs to know.
type controllerOptions struct {
	parts
	Name   string
	Skew   time.Duration // of its clock on the wall
	Mutant string
}

// nodeOptions are what a node's process needs to know.
type nodeOptions struct {
	parts
	Name, Environment, Cell string
	Incarnation             string
	Memory                  string // the file
	Behaves                 map[release.Digest]deploytest.Behaviour
}

const (
	program = "shop"
	ttl     = 3 * time.Second // of controllers' sessions, and of nodes' leases
	rate    = 10_000          // requests a second of each node
)

// standing is what a process has of its parts.
type standing struct {
	ctx     context.Context // ends with the process's input
	client  *clientv3.Client
	store   election.Store
	objects *deploytest.Objects
	roll    func() float64
	log     *slog.Logger
}

// stand connects to what a process stands on. Its input has commands, one a line, and
// ends when the process shall.
func (p parts) stand() (*standing, error) {
	s := &standing{log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	random := rand.New(rand.NewPCG(p.Seed, uint64(os.Getpid())))
	var mu sync.Mutex
	s.roll = func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}
	folder, err := blob.Open(p.Objects, blob.Options{})
	if err != nil {
		return nil, err
	}
	s.objects = deploytest.NewObjects(folder, s.roll)
	random.Shuffle(len(p.Endpoints), func(i, j int) { p.Endpoints[i], p.Endpoints[j] = p.Endpoints[j], p.Endpoints[i] })
	if s.client, err = dial(p.Endpoints); err != nil {
		return nil, err
	}
	s.store = etcdstore.New(s.client)
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(context.Background())
	go func() { // until the process ends
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if err := s.command(in.Text()); err != nil {
				s.log.Error("a command", "error", err)
			}
		}
	}()
	return s, nil
}

// dial makes a client that notices when a member hangs.
func dial(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, Logger: zap.NewNop(),
		DialTimeout: 2 * time.Second, DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second,
	})
}

func (s *standing) command(line string) error {
	away, err := strconv.ParseFloat(strings.TrimPrefix(line, awayCommand), 64)
	if err != nil || !strings.HasPrefix(line, awayCommand) {
		return fmt.Errorf("%q: expected %sRATE", line, awayCommand)
	}
	s.objects.Fail(away)
	return nil
}

// awayCommand has object storage fail at a rate, as a process sees it.
const awayCommand = "away "

func runMember(o cluster.MemberOptions) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			continue
		}
	}()
	return cluster.RunMember(ctx, o)
}

// runController is a control node's controller.
func runController(o controllerOptions) error {
	s, err := o.stand()
	if err != nil {
		return err
	}
	defer s.client.Close()
	store, counters := s.store, deploy.Counters(hubClient(o.Hub))
	switch o.Mutant {
	case "unfenced":
		store = unfenced{store}
	case "greedy":
		counters = greedy{from: counters}
	}
	c, err := deploy.NewController(deploy.Options{
		Store: store, Name: o.Name, TTL: ttl, Counters: counters, Objects: s.objects, Every: 200 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(o.Skew) }, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := c.Run(s.ctx); s.ctx.Err() == nil {
		return err
	}
	return nil
}

// runNode is a node: an agent, and a host whose releases are none.
func runNode(o nodeOptions) error {
	s, err := o.stand()
	if err != nil {
		return err
	}
	defer s.client.Close()
	host := deploytest.NewHost(s.ctx, deploytest.HostOptions{
		Program: program, Rate: rate, Roll: s.roll,
		Behaves: func(d release.Digest) deploytest.Behaviour { return o.Behaves[d] },
		Die: func() {
			s.log.Error("a release kills the process")
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		},
	})
	agent, err := fleet.NewAgent(fleet.Options{
		Node: o.Name, Environment: o.Environment, Cell: o.Cell, Incarnation: o.Incarnation,
		Host: host, Link: &link{o: o, store: s.store, hub: hubClient(o.Hub)}, Objects: s.objects.Releases(), Keeper: fleet.KeeperFile(o.Memory),
		Settle: settle, Counting: 200 * time.Millisecond, CountingIdle: 500 * time.Millisecond, AgainMost: 2 * time.Second, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := agent.Run(s.ctx); s.ctx.Err() == nil {
		return err
	}
	return nil
}

// settle is longer than any fault lasts: what kills its node must not pass for settled because
// the node was stopped meanwhile.
const settle = 10 * time.Second
