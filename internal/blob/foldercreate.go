// How a folder creates an object.

package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// unfinished is the folder of what is being written, within the store's. No object's name
// has a plus sign.
const unfinished = "+unfinished"

// What nobody has written to for a day was left by a writer that was killed. One that
// lives and is that slow would fail, and its next attempt would not.
const (
	old        = 24 * time.Hour
	sweepEvery = time.Hour
)

func (f *folder) Create(ctx context.Context, name string, data []byte, _ Class) error {
	return f.do(ctx, "create", name, func(root *os.Root) error {
		if err := vacant(root, name); err != nil {
			return err // and nothing had to be written to know
		}
		written := path.Join(unfinished, strings.ToLower(rand.Text()))
		defer func() { _ = root.Remove(written) }() // what stays is swept one day
		if err := write(ctx, root, written, data); err != nil {
			return err
		}
		f.sweep(root, written)
		return link(root, written, name)
	})
}

// vacant is nil when there is no object of a name.
func vacant(root *os.Root, name string) error {
	switch about, err := root.Lstat(name); {
	case errors.Is(err, syscall.ENOTDIR):
		return refuse("part of this name is an object already, and a folder keeps none below another")
	case isMissing(err):
		return nil
	case err != nil:
		return err
	case about.IsDir():
		return refuse("there are objects below this name, and a folder keeps none above others")
	default:
		// Whoever made it may not have come to this yet, and we say that it is there.
		if err := syncFolders(root, name); err != nil {
			return err
		}
		return ErrExists
	}
}

// write writes a file that is on disk afterwards.
func write(ctx context.Context, root *os.Root, name string, data []byte) (err error) {
	if err := root.Mkdir(unfinished, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	const atOnce = 4 << 20
	for len(data) > 0 {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n := min(len(data), atOnce)
		if _, err := file.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return file.Sync()
}

// link gives a file that was written its name, for ever.
func link(root *os.Root, written, name string) error {
	for {
		err := root.MkdirAll(path.Dir(name), 0o700)
		// Seen where another writer makes a folder that a third one deletes: it was there when it
		// was to be made, and was not when it was looked at.
		again := errors.Is(err, fs.ErrExist) && vacant(root, name) == nil
		if err == nil {
			if err = root.Link(written, name); err == nil {
				return syncFolders(root, name)
			}
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) {
				return refuse("%w: this file system has no hard links, without which two writers of one name could both succeed; "+
					"expected one that has, such as ext4, XFS, APFS or NFS", err)
			}
		}
		if !again && !errors.Is(err, fs.ErrNotExist) {
			if why := vacant(root, name); why != nil {
				return why
			}
			return err
		}
		// Whoever has deleted the last object of a folder has deleted the folder, just now.
		if _, err := root.Lstat(written); err != nil {
			return err
		}
	}
}

// sweep removes what writers have left that were killed, once in a while. The age of a file
// is counted from when ours was written, as the file system's clock may not be ours. What cannot
// be removed stays: it does no harm beyond the room that it takes.
func (f *folder) sweep(root *os.Root, ours string) {
	f.mu.Lock()
	due := f.swept.IsZero() || time.Since(f.swept) >= sweepEvery
	if due {
		f.swept = time.Now()
	}
	f.mu.Unlock()
	now, err := root.Lstat(ours)
	if !due || err != nil {
		return
	}
	left, err := fs.ReadDir(root.FS(), unfinished)
	if err != nil {
		return
	}
	for _, entry := range left {
		name := path.Join(unfinished, entry.Name())
		about, err := root.Lstat(name)
		if err == nil && about.Mode().IsRegular() && now.ModTime().Sub(about.ModTime()) > old {
			_ = root.Remove(name)
		}
	}
}
