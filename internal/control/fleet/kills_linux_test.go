package fleet

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// roleVar has this test's binary be what TestKilledForReal starts.
const roleVar = "TOWPATH_KILLED"

const (
	groupMemory = 256 << 20 // bytes that the cgroup may have
	tooMuch     = 512 << 20 // bytes that are more
)

func init() {
	switch os.Getenv(roleVar) {
	case "":
		return
	case "survives":
		survive()
	case "starves":
		starve()
	}
	os.Exit(0)
}

// survive starts a process of its cgroup that starves, once it is let, and says what the kernel
// has killed since.
func survive() {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // it is in the cgroup now
	was := ReadKills(os.DirFS("/"))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=starves")
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		fmt.Printf("it was not killed: %v\n", err)
		return
	}
	fmt.Println(ReadKills(os.DirFS("/")).since(was))
}

// starve takes more memory than there is, and has the kernel choose it before others.
func starve() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	page := os.Getpagesize()
	for all := make([]byte, tooMuch); len(all) > 0; all = all[page:] {
		all[0] = 1
	}
}

// TestKilledForReal has the kernel kill a process for want of memory, in a cgroup of its own. It
// needs root and a machine whose cgroups can be written; there is nothing to require where they
// cannot.
func TestKilledForReal(t *testing.T) {
	group := newMemoryGroup(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=survives")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Skipf("no process can be put into the cgroup: %v", err)
	}
	_, err = in.Write([]byte("go\n"))
	if err := errors.Join(err, cmd.Wait()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	// On the machine others may have been killed meanwhile; in the cgroup nobody else was.
	got := strings.TrimSpace(out.String())
	if !strings.HasPrefix(got, "the kernel killed ") || strings.Contains(got, "in its cgroup") && got != oneInGroup {
		t.Errorf("it says %q", got)
	}
	t.Log(got)
}

// newMemoryGroup makes a cgroup that may have groupMemory, of version 2 where that governs memory, and
// else of version 1 within the test's own. It is removed at the end.
func newMemoryGroup(t *testing.T) string {
	t.Helper()
	parent, limits := "/sys/fs/cgroup", []string{"memory.max", "memory.swap.max"}
	if control, err := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control")); err != nil || !strings.Contains(string(control), "memory") {
		own := ""
		all, _ := os.ReadFile("/proc/self/cgroup")
		for line := range strings.Lines(string(all)) {
			if _, group, ok := strings.Cut(strings.TrimSpace(line), ":memory:"); ok {
				own = group
			}
		}
		parent, limits = filepath.Join("/sys/fs/cgroup/memory", own), []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}
	}
	group, err := os.MkdirTemp(parent, "towpath-test-")
	if err != nil {
		t.Skipf("no cgroup can be made here: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(group) }) // its processes have ended
	if err := os.WriteFile(filepath.Join(group, limits[0]), []byte(strconv.Itoa(groupMemory)), 0); err != nil {
		t.Skipf("a cgroup's memory cannot be limited here: %v", err)
	}
	swap := strconv.Itoa(groupMemory) // with memory, in version 1
	if limits[1] == "memory.swap.max" {
		swap = "0"
	}
	if err := os.WriteFile(filepath.Join(group, limits[1]), []byte(swap), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Skipf("a cgroup's swap cannot be limited here: %v", err)
	}
	return group
}
