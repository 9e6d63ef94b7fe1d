//go:build !unix

package meter

import (
	"errors"
	"time"
)

func ProcessCPU() (time.Duration, error) {
	return 0, errors.New("no clock of the process's CPU time on this system")
}
