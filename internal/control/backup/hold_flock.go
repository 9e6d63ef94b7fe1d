//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package backup

import (
	"errors"
	"os"
	"syscall"
)

// canHold says that it can be known whether somebody holds a folder.
const canHold = true

// holdFolder holds a folder until release is called or the process ends, however it does; false if
// another process holds it, or it is not there any more.
func holdFolder(path string) (release func() error, held bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = nil
		}
		return nil, false, err
	}
	// Who held it before may have taken it away.
	opened, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Stat(path); err == nil && os.SameFile(opened, there) {
			return f.Close, true, nil
		}
	}
	_ = f.Close()
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return nil, false, err
}
