package record

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// disk is the folder that segments lie in. Tests wrap it to make it fail.
type disk interface {
	list() ([]fs.FileInfo, error)
	open(name string) (file, error)   // to be read
	append(name string) (file, error) // to be written at its end; made if it is not there
	remove(name string) error
	sync() error // of the names in the folder
}

// file is an open segment.
type file interface {
	io.ReaderAt
	io.Writer // at the end
	Truncate(size int64) error
	Sync() error
	Close() error
}

// folder is a disk of the operating system's. What production's requests said
// is for nobody but the process's own user to read.
type folder string

const (
	folderMode = 0o700
	fileMode   = 0o600
)

func (d folder) list() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var infos []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a writer removed it meanwhile
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (d folder) open(name string) (file, error) { return os.Open(filepath.Join(string(d), name)) }

func (d folder) append(name string) (file, error) {
	return os.OpenFile(filepath.Join(string(d), name), os.O_RDWR|os.O_CREATE|os.O_APPEND, fileMode)
}

func (d folder) remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil // which syncs names with their files, and has no such thing
	}
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
