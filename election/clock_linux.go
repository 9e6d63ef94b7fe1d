package election

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is the time since the machine started, that in which it was suspended
// included. Go's own monotonic clock leaves that out on Linux, and a lease does not.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return sinceStart() // kernels before 2.6.39
	}
	return time.Duration(t.Nano())
}
