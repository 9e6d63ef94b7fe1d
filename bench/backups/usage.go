package backups

import (
	"syscall"
	"time"
)

// ownUsage is what this process has used: CPU time, and the most memory at once, in bytes.
func ownUsage() (cpu time.Duration, peak int64, err error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), used.Maxrss << 10, nil
}
