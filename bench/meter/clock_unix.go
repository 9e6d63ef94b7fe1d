//go:build unix

package meter

import (
	"syscall"
	"time"
)

// ProcessCPU is the CPU time that all threads of this process have used, in
// user and in system mode, to the microsecond.
func ProcessCPU() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
