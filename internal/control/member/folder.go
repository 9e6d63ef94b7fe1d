package member

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

// A folder is a member's data, held for one process.
type folder struct{ lock *fileutil.LockedFile }

// openFolder finds out what etcd would end the process for, or wait for without end.
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of etcd's data cannot be made: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of etcd's data: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("the folder %s of etcd's data has the mode %#o, so that others may look into it: expected 0700; run chmod 700 %[1]s", dir, mode)
	}
	lock, err := fileutil.TryLockFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, inUse(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder of etcd's data cannot be locked: %w", err)
	}
	f := &folder{lock}
	if err := checkData(dir); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func inUse(dir string) error {
	return fmt.Errorf("the folder %s of etcd's data is in use by another process: end that one, or choose another folder", dir)
}

// checkData opens the data for reading. An etcd that is not ours may have it, without
// a lock of ours.
func checkData(dir string) error {
	data := filepath.Join(dir, "member", "snap", "db")
	db, err := bolt.Open(data, 0o600, &bolt.Options{ReadOnly: true, Timeout: 100 * time.Millisecond})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // there is none yet
	case errors.Is(err, bolterrors.ErrTimeout):
		return inUse(dir)
	case err != nil:
		return fmt.Errorf("etcd's data %s cannot be read: %w; move the folder %s away and restore a backup, or remove the member from its cluster and let it join anew", data, err, dir)
	}
	return db.Close()
}

func (f *folder) close() { _ = f.lock.Close() } // which is all that unlocking takes
