package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"towpath.dev/internal/testkit/required"
)

// The releases of etcd that tests run besides ours, as in tools/etcd.
const (
	Release35 = "3.5.35"
	Release36 = "3.6.16"
)

// Binary is the program of a release. tools/install builds it, once. Without it the test is
// skipped, or fails where TOWPATH_REQUIRE is set.
func Binary(t testing.TB, release string) string {
	t.Helper()
	return required.Built(t, "etcd-"+release, "etcd", "tools/etcd/build")
}

// A Process is a member in a process of its own, of whichever release. Its fields may be
// changed while it is stopped.
type Process struct {
	Name, Dir    string
	Client, Peer string // HOST:PORT
	Binary       string
	Initial      string   // --initial-cluster
	Flags        []string // besides

	cmd   *exec.Cmd // nil while it is stopped
	ended chan struct{}
	log   tail
}

// Prepared is n members of a cluster, of one release, which have not started.
func Prepared(t testing.TB, binary string, n int, flags ...string) []*Process {
	t.Helper()
	addresses, dir := freeAddresses(t, 2*n), t.TempDir()
	all, initial := make([]*Process, n), map[string]string{}
	for i := range all {
		name := fmt.Sprintf("e%d", i+1)
		all[i] = &Process{Name: name, Dir: filepath.Join(dir, name), Client: addresses[2*i], Peer: addresses[2*i+1], Binary: binary, Flags: flags}
		initial[name] = all[i].PeerURL()
	}
	for _, p := range all {
		p.Initial = InitialCluster(initial)
		t.Cleanup(p.Stop)
	}
	return all
}

// InitialCluster is peer URLs by members' names, as etcd's flag has them.
func InitialCluster(members map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		all = append(all, name+"="+members[name])
	}
	return strings.Join(all, ",")
}

// ClientURL is where clients reach the member.
func (p *Process) ClientURL() string { return "http://" + p.Client }

// PeerURL is where others reach it.
func (p *Process) PeerURL() string { return "http://" + p.Peer }

// StartProcesses starts members, and waits until each of them answers.
func StartProcesses(t testing.TB, all ...*Process) {
	t.Helper()
	for _, p := range all {
		p.start(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, p := range all {
		if err := p.ready(ctx); err != nil {
			t.Fatalf("%s of %s: %v\n%s", p.Name, p.Binary, err, p.log.String())
		}
	}
}

func (p *Process) start(t testing.TB) {
	t.Helper()
	p.cmd = exec.Command(p.Binary, append([]string{
		"--name", p.Name, "--data-dir", p.Dir, "--initial-cluster", p.Initial,
		"--listen-client-urls", p.ClientURL(), "--advertise-client-urls", p.ClientURL(),
		"--listen-peer-urls", p.PeerURL(), "--initial-advertise-peer-urls", p.PeerURL(),
		"--heartbeat-interval", "50", "--election-timeout", "500", "--unsafe-no-fsync", "--log-level", "error",
	}, p.Flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithParent(p.cmd.SysProcAttr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // being told to end, it does with an error
		close(ended)
	}(p.cmd, p.ended)
}

// ready waits until the member follows a leader.
func (p *Process) ready(ctx context.Context) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := p.follows(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it has ended: %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// follows is nil if the member says that it follows somebody, or wants to know who asks: then
// there are users. It is asked by a connection of its own, as one that was refused would wait for
// a second.
func (p *Process) follows(ctx context.Context) error {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{p.ClientURL()}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // says that its context has ended
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, err := etcdserverpb.NewMaintenanceClient(client.ActiveConnection()).Status(ctx, &etcdserverpb.StatusRequest{})
	switch {
	case errors.Is(rpctypes.Error(err), rpctypes.ErrUserEmpty):
		return nil
	case err == nil && status.Leader == 0:
		return errors.New("it follows nobody")
	}
	return err
}

// Stop ends a member as its host's owner does, and waits until it has.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

// Kill ends it as a power cut does.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

func (p *Process) end(signal syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	p.cmd = nil
}

// tail is the end of what a member has printed.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const tailSize = 64 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() > tailSize {
		l.text.Next(l.text.Len() - tailSize/2)
	}
	return l.text.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
