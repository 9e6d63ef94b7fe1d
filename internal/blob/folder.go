// A folder as a store.

package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A folder keeps each object in a file of its name. The file is written under another
// name, synced, and then linked: a link is made whole or not at all, and fails where there
// is a file already.
type folder struct {
	dir string

	mu    sync.Mutex
	swept time.Time // when this process last looked for leftovers
}

// openFolder opens a folder. That one that is missing is not made has a reason: where
// a disk is not mounted, its folders are missing too, and backups belong on the disk.
func openFolder(dir string) (Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	return f, root.Close()
}

func (f *folder) String() string { return f.dir }

// open opens the folder for one call. Links within it that lead out of it are not followed.
func (f *folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.dir)
	if err == nil {
		return root, nil
	}
	if isMissing(err) {
		return nil, refuse("there is no folder %s to keep objects in: make it, or mount the disk that it is on", f.dir)
	}
	if about, failed := os.Stat(f.dir); failed == nil && !about.IsDir() {
		return nil, refuse("%s is a file: expected a folder to keep objects in", f.dir)
	}
	return nil, explain(err)
}

// do does one call's work on an object.
func (f *folder) do(ctx context.Context, operation, name string, work func(*os.Root) error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // was read from alone
	if err := work(root); err != nil {
		return fmt.Errorf("%s: %s %s: %w", f.dir, operation, name, explain(err))
	}
	return nil
}

// explain says what to do about an error of the file system.
func explain(err error) error {
	next := ""
	switch {
	case errors.Is(err, ErrRefused):
		return err
	case errors.Is(err, fs.ErrPermission):
		next = "whoever runs this has to be allowed to read and write the folder and all below it"
	case errors.Is(err, syscall.EROFS):
		next = "expected a file system that can be written to"
	default:
		return err
	}
	return refuse("%w: %s", err, next)
}

func (f *folder) Get(ctx context.Context, name string) (data []byte, err error) {
	data, _, err = f.read(ctx, "get", name, -1)
	return data, err
}

func (f *folder) Head(ctx context.Context, name string, n int) (data []byte, size int64, err error) {
	return f.read(ctx, "head", name, max(n, 0))
}

// read reads the first bytes of an object, at most n where that is not negative.
func (f *folder) read(ctx context.Context, operation, name string, n int) (data []byte, size int64, err error) {
	err = f.do(ctx, operation, name, func(root *os.Root) error {
		file, err := root.Open(name)
		if isMissing(err) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // was read from alone
		about, err := file.Stat()
		if err != nil {
			return err
		}
		if !about.Mode().IsRegular() {
			return ErrNotFound
		}
		size = about.Size()
		want := size
		if n >= 0 {
			want = min(size, int64(n))
		}
		data = make([]byte, want)
		_, err = io.ReadFull(file, data)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return data, size, nil
}

func (f *folder) Delete(ctx context.Context, name string) error {
	return f.do(ctx, "delete", name, func(root *os.Root) error {
		about, err := root.Lstat(name)
		if isMissing(err) || err == nil && about.IsDir() {
			return nil
		}
		if err == nil {
			err = root.Remove(name)
		}
		if isMissing(err) {
			return nil // somebody else was first
		}
		if err != nil {
			return err
		}
		if err := syncFolders(root, name); err != nil {
			return err
		}
		f.prune(name)
		return nil
	})
}

// prune removes the folders of a name that have become empty. Those that have not stay,
// as does what is a file by now.
func (f *folder) prune(name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if syscall.Rmdir(filepath.Join(f.dir, filepath.FromSlash(dir))) != nil {
			return
		}
	}
}

// syncFolders makes what was done to an entry last: it syncs the folder that the entry is
// in, and those above, as they may be new. One that is on disk already costs next to nothing.
func syncFolders(root *os.Root, name string) error {
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		folder, err := root.Open(dir)
		if isMissing(err) {
			continue // somebody has deleted the object, and its folder with it
		}
		if err != nil {
			return err
		}
		if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
			return err
		}
	}
	return nil
}

// isMissing reports whether a file is not there, or a file is where a folder of its name
// would be.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
