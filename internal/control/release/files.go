// How files come to lie on disk: as a whole, and for good.

package release

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// writeBeside writes a file of a name of its own into a folder of the same file system,
// and syncs it.
func writeBeside(folder string, data []byte) (name string, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	name = filepath.Join(folder, rand.Text())
	return name, writeNew(name, data)
}

// writeNew writes a file that was not there and syncs it.
func writeNew(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// place gives what was written its name, in the place of what had it.
func place(written, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := os.Rename(written, name); err != nil {
		return errors.Join(err, os.RemoveAll(written))
	}
	if err := syncFolder(filepath.Dir(name)); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(filepath.Dir(name))) // the folder itself may be new
}

// syncFolder makes what was done to a folder's entries last.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Unpack makes a folder of a binding's files, with nothing else in it. It is written in
// another folder of the same file system, beside, and renamed. One that is there already
// and has the same files stays; any other is replaced.
func (b Binding) Unpack(dir, beside string) error {
	if err := b.Check(); err != nil {
		return err
	}
	if b.unpackedIn(dir) {
		return nil
	}
	written := filepath.Join(beside, rand.Text())
	for _, name := range b.paths() {
		file := filepath.Join(written, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := writeNew(file, b[name]); err != nil {
			return errors.Join(err, os.RemoveAll(written))
		}
	}
	for _, folder := range b.folders() {
		if err := syncFolder(filepath.Join(written, filepath.FromSlash(folder))); err != nil {
			return err
		}
	}
	// A folder that has something in it is not replaced by a rename.
	if _, err := os.Lstat(dir); err == nil {
		old := filepath.Join(beside, rand.Text())
		if err := os.Rename(dir, old); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(old) }() // what stays is removed when the disk is opened
	}
	return place(written, dir)
}

func (b Binding) paths() []string {
	var all []string
	for name := range b {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// folders are those that the files lie in, "." included.
func (b Binding) folders() []string {
	all := []string{"."}
	for name := range b {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unpackedIn reports whether a folder has the binding's files, as they are, and no other.
func (b Binding) unpackedIn(dir string) bool {
	seen := 0
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		want, known := b[filepath.ToSlash(rel)]
		if !known || !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not of the binding", file)
		}
		have, err := os.ReadFile(file)
		if err == nil && !bytes.Equal(have, want) {
			err = fmt.Errorf("%s was changed", file)
		}
		seen++
		return err
	})
	return err == nil && seen == len(b)
}
