package serving

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"towpath.dev/bench/process"
)

// child is a server in a process of its own, whose CPU time can be read.
type child struct {
	name  string
	addr  string
	path  string
	cmd   *exec.Cmd
	pid   int // of the server, which the command may have started
	stdin io.Closer
}

// start starts a command that prints "listening ADDRESS" once it serves, before it
// "pid N" where the server is another process, and ends when its standard input
// does.
func start(name, path string, cmd *exec.Cmd) (*child, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{name: name, path: path, cmd: cmd, pid: cmd.Process.Pid, stdin: stdin}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			if c.pid, err = strconv.Atoi(pid); err != nil {
				return nil, err
			}
		}
		if addr, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			c.addr = addr
			go io.Copy(io.Discard, stdout)
			return c, nil
		}
	}
	c.stop()
	return nil, fmt.Errorf("%s ended before it listened", name)
}

// startSelf starts this program again as one of its servers.
func startSelf(name, path string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(name, path, exec.Command(self, "-server", name))
}

func (c *child) stop() {
	_ = c.stdin.Close()
	done := make(chan struct{})
	go func() { _ = c.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		_ = c.cmd.Process.Kill()
		<-done
	}
}

// cpu is the CPU time of the server's threads so far.
func (c *child) cpu() (time.Duration, error) { return process.CPU(c.pid) }

// perRequest drives the child and gives its CPU time for each request.
func (c *child) perRequest(bodies [][]byte, conns, n int) (time.Duration, error) {
	requests := make([][]byte, len(bodies))
	for i, b := range bodies {
		requests[i] = post(c.path, b)
	}
	if err := drive(c.addr, requests, conns, n/10+1); err != nil { // warm
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	before, err := c.cpu()
	if err != nil {
		return 0, err
	}
	if err := drive(c.addr, requests, conns, n); err != nil {
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.cpu()
	return (after - before) / time.Duration(n), err
}
