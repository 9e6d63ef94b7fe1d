package fleet

import (
	"io/fs"
	"syscall"
)

// fileNumber tells a folder from one that had the same name before; 0 is that it is not known. A
// cgroup's is given once in a boot.
func fileNumber(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
