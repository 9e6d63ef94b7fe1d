// The processes that tow dev starts beside the server.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"towpath.dev/internal/ports"
	"towpath.dev/internal/project"
)

// readyWithin bounds how long a process may take until it is ready; building one
// comes first.
const readyWithin = 2 * time.Minute

// stopWithin is how long a process may take to end before it is killed.
const stopWithin = 5 * time.Second

// processes are the ones that go on.
type processes struct {
	*ui
	dir     string
	failed  chan error // a process that ended by itself
	running []*process
}

// errEnded is the end of a process that ends well, but ends.
var errEnded = errors.New("exit status 0")

type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // set before, never nil
}

// start starts them in order, each once the one before is ready.
func (p *processes) start(ctx context.Context, all []project.Process) error {
	p.failed = make(chan error, len(all))
	ports := map[string]string{}
	for _, each := range all {
		port, err := freePort()
		if err != nil {
			return err
		}
		ports[each.Name] = port
		if err := os.Setenv(strings.ToUpper(each.Name)+"_PORT", port); err != nil {
			return err
		}
	}
	for _, each := range all {
		if each.Makes != "" {
			if err := p.once(ctx, each); err != nil {
				return err
			}
			continue
		}
		if err := p.goOn(ctx, each, ports[each.Name]); err != nil {
			return err
		}
	}
	return nil
}

// freePort is a port of the loopback interface that nobody listens on now.
func freePort() (string, error) {
	free, err := ports.Free(1)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(free[0])
	return port, err
}

func (p *processes) command(of project.Process, port string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", of.Command)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PORT="+port)
	ownGroup(cmd)
	return cmd
}

// once runs a command that makes a file, unless the file is there. It has the
// terminal meanwhile, to show how far it is.
func (p *processes) once(ctx context.Context, of project.Process) error {
	if _, err := os.Stat(filepath.Join(p.dir, of.Makes)); err == nil {
		return nil
	}
	fmt.Fprintf(p.err, "Making %s: %s\n", of.Makes, of.Command)
	cmd := p.command(of, "")
	cmd.Stdout, cmd.Stderr = p.err, p.err
	cmd.WaitDelay = stopWithin
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("[dev.run.%s]: %w", of.Name, err)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		endGroup(cmd, false)
		select {
		case <-ended:
		case <-time.After(stopWithin):
			endGroup(cmd, true)
		}
	})
	defer stop()
	err := cmd.Wait()
	close(ended)
	if err != nil {
		return fmt.Errorf("[dev.run.%s]: %s: %w", of.Name, of.Command, err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, of.Makes)); err != nil {
		return fmt.Errorf("[dev.run.%s]: %s ended well and made no %s; is the path under `makes` relative to the project?", of.Name, of.Command, of.Makes)
	}
	return nil
}

// goOn starts a command that goes on, and waits until it is ready.
func (p *processes) goOn(ctx context.Context, of project.Process, port string) error {
	cmd := p.command(of, port)
	out, errs := &prefixed{to: p.err, name: of.Name, color: p.errColor}, &prefixed{to: p.err, name: of.Name, color: p.errColor}
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.WaitDelay = stopWithin
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("[dev.run.%s]: %w", of.Name, err)
	}
	proc := &process{name: of.Name, cmd: cmd, done: make(chan struct{})}
	p.running = append(p.running, proc)
	go func() {
		if proc.err = cmd.Wait(); proc.err == nil {
			proc.err = errEnded
		}
		out.end()
		errs.end()
		close(proc.done)
		p.failed <- fmt.Errorf("[dev.run.%s] has ended: %s: %w", of.Name, of.Command, proc.err)
	}()
	if of.Ready == "" {
		return nil
	}
	return proc.wait(ctx, "http://127.0.0.1:"+port+of.Ready)
}

// wait asks until the process answers that it is ready.
func (proc *process) wait(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	last := "nobody listens there"
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := client.Get(url); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			last = "it answers " + r.Status
		}
		select {
		case <-tick.C:
		case <-proc.done:
			return fmt.Errorf("[dev.run.%s] ended before it was ready: %w", proc.name, proc.err)
		case <-ctx.Done():
			return fmt.Errorf("[dev.run.%s] was not ready in time: expected 200 from %s; %s", proc.name, url, last)
		}
	}
}

// stop ends all that run, and waits for them.
func (p *processes) stop() {
	for _, proc := range p.running {
		endGroup(proc.cmd, false)
	}
	deadline := time.After(stopWithin)
	for _, proc := range p.running {
		select {
		case <-proc.done:
		case <-deadline:
			endGroup(proc.cmd, true)
			<-proc.done
		}
	}
}

// prefixed writes whole lines with the process's name before them.
type prefixed struct {
	to    interface{ Write([]byte) (int, error) }
	name  string
	color bool

	mu   sync.Mutex
	line []byte
}

func (w *prefixed) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = append(w.line, b...)
	for {
		i := bytes.IndexByte(w.line, '\n')
		if i < 0 {
			return len(b), nil
		}
		if _, err := fmt.Fprintf(w.to, "%s %s", paint(w.color, dim, w.name+" |"), w.line[:i+1]); err != nil {
			return 0, err
		}
		w.line = w.line[i+1:]
	}
}

// end writes a last line that nothing has ended.
func (w *prefixed) end() {
	w.mu.Lock()
	begun := len(w.line) > 0
	w.mu.Unlock()
	if begun {
		_, _ = w.Write([]byte("\n")) // nobody is left to tell
	}
}
