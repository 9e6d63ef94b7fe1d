// Package wholefile writes files that are there as a whole, or as they were before, whatever
// is cut off when.
//
//	err := wholefile.Replace("node.pem", certificate)
package wholefile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes a file that nobody but its owner may read, in the place of one that may be
// there. When it returns without an error, the file is on disk, its name included.
func Replace(name string, data []byte) error {
	beside, err := Beside(name, data)
	if err == nil {
		err = os.Rename(beside, name)
	}
	if err != nil {
		if beside != "" {
			_ = os.Remove(beside) // the first error is the one to tell
		}
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// Beside writes what is to replace a file into the same folder, and says where it is.
func Beside(name string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-") // of mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

// syncFolder makes the names in a folder last. Windows has no way to, and needs none.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
