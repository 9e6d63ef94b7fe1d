// Whether the kernel killed something for want of memory.

package fleet

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Kills is how often the kernel has killed a process for want of memory, as it counts that. The
// zero value is that it is not known.
//
// Between two looks a kill may have been of any process. So that a node died of it is a
// likelihood, and what is said of it says no more.
type Kills struct {
	Boot    string `json:"boot"`    // of the machine, whose counts begin anew then; "" is not known
	Machine int64  `json:"machine"` // on the whole of it
	// Group is the process's cgroup, by its path and its number in this boot, and InGroup what was
	// killed in it. Number 0: it does not count.
	Group   string `json:"group,omitempty"`
	Number  uint64 `json:"number,omitempty"`
	InGroup int64  `json:"inGroup,omitempty"`
}

// ReadKills reads what the kernel says of this process, below the root of a file system: as
// Linux does, in proc and sys/fs/cgroup. Where there is nothing, the answer is zero.
//
// The sources are "oom_kill" of memory.events (Linux's Documentation/admin-guide/cgroup-v2.rst),
// which has what a group was killed of whole as well, and "oom_kill" of /proc/vmstat, which
// counts cgroups of both versions. The root of all cgroups, and those of version 1, have no
// memory.events.
func ReadKills(root fs.FS) Kills {
	boot, err := fs.ReadFile(root, "proc/sys/kernel/random/boot_id")
	if err != nil {
		return Kills{}
	}
	k := Kills{Boot: strings.TrimSpace(string(boot))}
	var known bool
	if k.Machine, known = killsIn(root, "proc/vmstat"); !known {
		return Kills{}
	}
	group, ok := groupIn(root)
	if !ok {
		return k
	}
	dir := path.Join("sys/fs/cgroup", group)
	n, known := killsIn(root, path.Join(dir, "memory.events"))
	if info, err := fs.Stat(root, dir); known && err == nil {
		k.Group, k.Number, k.InGroup = group, fileNumber(info), n
	}
	return k
}

// killsIn is the number on the line "oom_kill N" of a file.
func killsIn(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if number, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// groupIn is the path of this process's cgroup of version 2.
func groupIn(root fs.FS) (string, bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return "", false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if group, ok := strings.CutPrefix(lines.Text(), "0::/"); ok {
			return group, true
		}
	}
	return "", false
}

// rebooted reports whether the machine was started anew since another look, or it is another
// machine: then what ran there has not ended of itself, as far as anybody knows.
func (k Kills) rebooted(was Kills) bool { return k.Boot != "" && was.Boot != "" && k.Boot != was.Boot }

// since says what the kernel has killed for want of memory since another look; "" is nothing, or
// that it cannot be known. What was killed elsewhere on the machine counts only where the
// process is of another cgroup than the one before: a container's that was started anew.
func (k Kills) since(was Kills) string {
	if k.Boot == "" || k.Boot != was.Boot {
		return ""
	}
	n, where := k.Machine-was.Machine, "on its machine"
	if k.Number != 0 && k.Number == was.Number && k.Group == was.Group {
		n, where = k.InGroup-was.InGroup, "in its cgroup"
	}
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return fmt.Sprintf("the kernel killed 1 process %s for want of memory meanwhile", where)
	}
	return fmt.Sprintf("the kernel killed %d processes %s for want of memory meanwhile", n, where)
}
