// Package process runs this program again, in another role, in a process of its own, so that
// what it does can be killed, frozen, and charged to it alone. Both talk by lines.
//
//	p, err := process.Start("uploader", endpoints, dir)
//	err = p.Ask("upload", &answer)
//	used, err := p.CPU()
//	p.Stop()
package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is this program in a role: its command line is -role ROLE -- ARGUMENTS.
type Process struct {
	cmd   *exec.Cmd
	in    *bufio.Writer
	close io.Closer
	lines *bufio.Scanner
}

// Start begins one.
func Start(role string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(self, append([]string{"-role", role, "--"}, args...)...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.close, p.lines = bufio.NewWriter(in), in, bufio.NewScanner(out)
	p.lines.Buffer(nil, 1<<20)
	return p, p.cmd.Start()
}

// Say writes a line, which arrives at the next Flush or Ask at the latest.
func (p *Process) Say(format string, args ...any) error {
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	return err
}

// Flush sends what was said.
func (p *Process) Flush() error { return p.in.Flush() }

// Ask writes a line and reads the answer to it.
func (p *Process) Ask(line string, answer any) error {
	if err := errors.Join(p.Say("%s", line), p.Flush()); err != nil {
		return err
	}
	return p.Read(answer)
}

// Read reads a line of JSON.
func (p *Process) Read(answer any) error {
	if !p.lines.Scan() {
		return errors.Join(errors.New("a process ended before it answered"), p.lines.Err())
	}
	return json.Unmarshal(p.lines.Bytes(), answer)
}

// Expect waits for a line that begins with a word, and returns the rest of it.
func (p *Process) Expect(word string) (string, error) {
	for p.lines.Scan() {
		if first, rest, _ := strings.Cut(p.lines.Text(), " "); first == word {
			return rest, nil
		}
	}
	return "", errors.Join(fmt.Errorf("a process ended before it said %q", word), p.lines.Err())
}

// Signal sends it one.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Stop ends the process's input, which ends it, or kills it when it does not.
func (p *Process) Stop() {
	_ = p.close.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait()
}

// Kill is for a process that has nothing that it must not lose.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// CPU is the CPU time of the process's threads so far.
func (p *Process) CPU() (time.Duration, error) { return CPU(p.cmd.Process.Pid) }

// CPU is the CPU time of a process's threads so far, to the nanosecond. It needs Linux.
func CPU(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, errors.New("no /proc/PID/task/*/schedstat here: Linux is needed")
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}
