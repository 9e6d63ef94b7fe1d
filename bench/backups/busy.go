package backups

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

// runBusy is a process that compresses records with a share of a processor's time, in parts of
// a million, which it is told by lines. It makes the machine as busy as an uploader does, and
// asks nothing of etcd: so what remains of the difference is what following costs the members.
func runBusy() error {
	var share atomic.Int64
	failed := make(chan error, 1)
	go func() { failed <- burn(&share) }()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var n int64
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			return err
		}
		share.Store(n)
		fmt.Println(n)
	}
	select {
	case err := <-failed:
		return err
	default:
		return lines.Err()
	}
}

// burn does so until the process ends.
func burn(share *atomic.Int64) error {
	runtime.LockOSThread()
	records := NewRecords(1, 1000)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	const tick = 4 * time.Millisecond
	owed := time.Duration(0)
	for {
		time.Sleep(tick)
		if owed += tick * time.Duration(share.Load()) / 1e6; owed > 20*tick {
			owed = 20 * tick // the machine has no time for it
		}
		for owed > 0 {
			before, err := threadCPU()
			if err != nil {
				return err
			}
			encoder.EncodeAll(records.Value(rand.IntN(records.Len())), nil)
			after, err := threadCPU()
			if err != nil {
				return err
			}
			owed -= after - before
		}
	}
}

// thisThread is RUSAGE_THREAD of Linux.
const thisThread = 1

func threadCPU() (time.Duration, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(thisThread, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}
