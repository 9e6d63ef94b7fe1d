package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What is in a scratch folder is a store in the clear. A process that is killed leaves its own
// there, so whoever works there next takes it away.

// The folders of those who make a base, and who verify, begin with these.
const (
	baseFolders   = "towpath-base-"
	verifyFolders = "towpath-verify-"
)

// workFolder makes a folder whose name begins with a prefix, in a scratch folder, and holds it until
// remove. Others of the prefix that nobody holds go.
func workFolder(scratch, prefix string) (path string, remove func() error, err error) {
	if scratch == "" {
		scratch = os.TempDir()
	}
	sweepFolders(scratch, prefix)
	for {
		if path, err = os.MkdirTemp(scratch, prefix+"*"); err != nil {
			return "", nil, err
		}
		release, held, err := holdFolder(path)
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(path))
		}
		if held {
			return path, func() error { return errors.Join(os.RemoveAll(path), release()) }, nil
		}
		// Somebody swept it away before it was held.
	}
}

// sweepFolders takes away folders that nobody holds. What is another user's stays.
func sweepFolders(scratch, prefix string) {
	if !canHold {
		return
	}
	left, _ := filepath.Glob(filepath.Join(scratch, prefix+"*"))
	for _, path := range left {
		release, held, err := holdFolder(path)
		if err == nil && held {
			_ = os.RemoveAll(path)
			_ = release()
		}
	}
}

// sweepScratch takes away what an uploader before this one left: snapshots, half a restore, and
// replicas of generations that are over. The replica of this one is what verifying goes on from.
func (u *Uploader) sweepScratch() {
	sweepFolders(u.o.Scratch, baseFolders)
	own := u.scratchFile("replica")
	gone := []string{own + ".base", u.scratchFile("point")}
	of := filepath.Join(u.o.Scratch, fmt.Sprintf("towpath-replica-%s-", u.shelf.place.cluster))
	replicas, _ := filepath.Glob(of + "[0-9][0-9][0-9][0-9][0-9][0-9].db*")
	for _, path := range replicas {
		if !strings.HasPrefix(path, own) {
			gone = append(gone, path)
		}
	}
	for _, path := range gone {
		if err := removed(path); err != nil {
			u.o.Log.Warn("backup: what a restore left in the scratch folder stays", "cluster", u.o.Cluster, "file", path, "error", err)
		}
	}
}
