//go:build linux

package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// A Process is this program again, on a host. It ends at the latest when the lab does.
type Process struct {
	Name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{}
}

// Start runs this program again on a host with the given environment. What it prints
// is appended to a file; it ends when its input does, if it pays heed to that.
func (h *Host) Start(name, output string, environment ...string) (*Process, error) {
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = out, out
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := h.lab.in(h.space, cmd.Start); err != nil {
		return nil, fmt.Errorf("the process %s on %s: %w", name, h.Name, err)
	}
	p := &Process{Name: name, cmd: cmd, in: in, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is for those to say who ended it
		close(p.done)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends it at once, and waits until it has.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	_ = p.in.Close()
}

// Stop makes it stand still, and Continue go on.
func (p *Process) Stop() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue ends a Stop.
func (p *Process) Continue() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Tell writes a line to its input.
func (p *Process) Tell(line string) error {
	_, err := fmt.Fprintln(p.in, line)
	return err
}

// End closes its input and waits until it has ended.
func (p *Process) End() {
	_ = p.in.Close()
	<-p.done
}
