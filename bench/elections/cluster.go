// Package elections measures leader election beside etcd's own package concurrency,
// where that can do the job, on three members in processes of their own that write to
// disk. See cmd/elections.
package elections

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/bench/serving"
	"towpath.dev/internal/control/member"
)

// process is this program again, in another role.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func start(role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, append([]string{"-role", role, "--"}, args...)...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

// expect waits for a line that begins with a word, and returns the rest of it.
func (p *process) expect(word string) (string, error) {
	for p.lines.Scan() {
		if first, rest, _ := strings.Cut(p.lines.Text(), " "); first == word {
			return rest, nil
		}
	}
	return "", fmt.Errorf("a process ended before it said %q", word)
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// stop kills the process. It has nothing that it must not lose.
func (p *process) stop() {
	_ = p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// cluster is three members.
type cluster struct {
	dir       string
	members   []*process
	endpoints []string
}

const size = 3

func startCluster() (_ *cluster, err error) {
	c := &cluster{}
	if c.dir, err = os.MkdirTemp("", "elections-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	addresses, err := free(2 * size)
	if err != nil {
		return nil, err
	}
	var peers []string
	for i := range size {
		peers = append(peers, fmt.Sprintf("m%d=%s", i, addresses[size+i]))
		c.endpoints = append(c.endpoints, addresses[i])
	}
	for i := range size {
		p, err := start("member", fmt.Sprintf("m%d", i), filepath.Join(c.dir, fmt.Sprint(i)), addresses[i], addresses[size+i], strings.Join(peers, ","))
		if err != nil {
			return nil, err
		}
		c.members = append(c.members, p)
	}
	for _, p := range c.members {
		if _, err := p.expect("ready"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cluster) stop() {
	for _, p := range c.members {
		p.stop()
	}
	os.RemoveAll(c.dir)
}

func (c *cluster) client() (*clientv3.Client, error) { return connect(strings.Join(c.endpoints, ",")) }

func connect(endpoints string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: strings.Split(endpoints, ","), DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second, PermitWithoutStream: true,
	})
}

// leader is the index of the member that leads.
func (c *cluster) leader(ctx context.Context, client *clientv3.Client) (int, error) {
	for i, endpoint := range c.endpoints {
		status, err := client.Status(ctx, endpoint)
		if err == nil && status.Leader == status.Header.MemberId {
			return i, nil
		}
	}
	return 0, errors.New("no member leads")
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

// RunRole is one of the processes that the command starts.
func RunRole(role string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch role {
	case "member":
		return runMember(ctx, args)
	case "holder":
		return runHolder(ctx, args)
	case "responder":
		return serving.RunServer("tow-burn")
	case "crowd":
		return runCrowd(ctx, args)
	}
	return fmt.Errorf("there is no role %q", role)
}

func runMember(ctx context.Context, args []string) error {
	peers := map[string]string{}
	for _, p := range strings.Split(args[4], ",") {
		name, address, _ := strings.Cut(p, "=")
		peers[name] = address
	}
	m, err := member.Start(ctx, member.Options{Name: args[0], Dir: args[1], Client: args[2], Peer: args[3], Cluster: peers})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the command ends
	return nil
}
