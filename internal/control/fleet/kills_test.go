package fleet

import (
	"os"
	"path/filepath"
	"testing"
)

// kernel is a folder in which files are as Linux has them in proc and sys.
type kernel struct {
	t    *testing.T
	root string
}

func newKernel(t *testing.T) *kernel {
	k := &kernel{t, t.TempDir()}
	k.write("proc/sys/kernel/random/boot_id", "one\n")
	k.kills("proc/vmstat", "3")
	return k
}

func (k *kernel) write(name, text string) {
	k.t.Helper()
	name = filepath.Join(k.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// kills has a file say how many were killed.
func (k *kernel) kills(name, n string) {
	k.t.Helper()
	k.write(name, "low 0\noom_kill_disable 9\noom 7\noom_kill "+n+"\noom_group_kill 1\n")
}

// group puts the process into a cgroup in which so many were killed.
func (k *kernel) group(name, n string) {
	k.t.Helper()
	k.write("proc/self/cgroup", "4:memory:/old\n0::/"+name+"\n")
	k.kills("sys/fs/cgroup/"+name+"/memory.events", n)
}

func (k *kernel) read() Kills { return ReadKills(os.DirFS(k.root)) }

const (
	oneInGroup   = "the kernel killed 1 process in its cgroup for want of memory meanwhile"
	twoOnMachine = "the kernel killed 2 processes on its machine for want of memory meanwhile"
)

// TestKills: what the kernel killed between two looks, where the process was and is of which
// cgroup.
func TestKills(t *testing.T) {
	for _, c := range []struct {
		name      string
		was, then func(k *kernel)
		want      string
	}{
		{"nothing", func(k *kernel) { k.group("tow", "4") }, func(*kernel) {}, ""},
		{"one of the group", func(k *kernel) { k.group("tow", "4") }, func(k *kernel) { k.group("tow", "5"); k.kills("proc/vmstat", "9") }, oneInGroup},
		{"others of the machine", func(k *kernel) { k.group("tow", "4") }, func(k *kernel) { k.kills("proc/vmstat", "9") }, ""},
		{"of a group that was made anew", func(k *kernel) { k.group("tow", "4") }, func(k *kernel) {
			if err := os.Rename(filepath.Join(k.root, "sys/fs/cgroup/tow"), filepath.Join(k.root, "sys/fs/cgroup/gone")); err != nil {
				t.Fatal(err)
			}
			k.group("tow", "0")
			k.kills("proc/vmstat", "5")
		}, twoOnMachine},
		{"of another group", func(k *kernel) { k.group("tow-1", "4") }, func(k *kernel) { k.group("tow-2", "0"); k.kills("proc/vmstat", "5") }, twoOnMachine},
		{"without a group that counts", func(*kernel) {}, func(k *kernel) { k.kills("proc/vmstat", "5") }, twoOnMachine},
		{"after the machine was started anew", func(k *kernel) { k.group("tow", "4") }, func(k *kernel) {
			k.write("proc/sys/kernel/random/boot_id", "two\n")
			k.group("tow", "5")
		}, ""},
		{"where the kernel says nothing", func(k *kernel) { k.write("proc/vmstat", "") }, func(k *kernel) { k.kills("proc/vmstat", "5") }, ""},
		{"where it says nothing any more", func(*kernel) {}, func(k *kernel) { k.write("proc/vmstat", "oom_kill many\n") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKernel(t)
			c.was(k)
			was := k.read()
			c.then(k)
			if got := k.read().since(was); got != c.want {
				t.Errorf("it is %q; expected %q", got, c.want)
			}
		})
	}
	if got := ReadKills(os.DirFS(t.TempDir())); got != (Kills{}) {
		t.Errorf("of an empty folder it is %+v", got)
	}
}
