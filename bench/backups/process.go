package backups

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

// A process is this program again, in another role. It is told what to do by lines, and
// answers by lines.
type process struct {
	cmd   *exec.Cmd
	in    *bufio.Writer
	close io.Closer
	lines *bufio.Scanner
}

func start(role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, append([]string{"-role", role, "--"}, args...)...)}
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

// say writes a line, which arrives at the next ask at the latest.
func (p *process) say(format string, args ...any) error {
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	return err
}

// ask writes a line and reads the answer to it.
func (p *process) ask(line string, answer any) error {
	if err := errors.Join(p.say("%s", line), p.in.Flush()); err != nil {
		return err
	}
	return p.read(answer)
}

func (p *process) read(answer any) error {
	if !p.lines.Scan() {
		return errors.Join(errors.New("a process ended before it answered"), p.lines.Err())
	}
	return json.Unmarshal(p.lines.Bytes(), answer)
}

// stop ends the process's input, which ends it, or kills it when it does not.
func (p *process) stop() {
	_ = p.close.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait()
}

// cpu is the CPU time of the process's threads so far.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
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

// ownUsage is what this process has used: CPU time, and the most memory at once, in bytes.
func ownUsage() (cpu time.Duration, peak int64, err error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), used.Maxrss << 10, nil
}
