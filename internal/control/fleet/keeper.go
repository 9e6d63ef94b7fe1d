// A node's memory in a file.

package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"towpath.dev/internal/wholefile"
)

// KeeperFile keeps a Memory in a file.
func KeeperFile(name string) Keeper { return &keeperFile{name: name} }

// keeperFile is one, of a process that loads and saves one thing after the other.
type keeperFile struct {
	name  string
	aside string // what became of one that was damaged
}

func (f *keeperFile) Load() (*Memory, error) {
	text, err := os.ReadFile(f.name)
	var m *Memory
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m = newMemory()
	case err != nil && Passing(err) && !failing(err):
		return nil, err
	case err == nil && len(bytes.TrimSpace(text)) == 0:
		err = fmt.Errorf("%s is damaged (it is empty)", f.name)
	case err == nil:
		m, err = DecodeMemory(f.name, text)
	}
	if m == nil {
		m = newMemory()
		f.putAside(err)
	}
	m.Aside = f.aside
	return m, nil
}

// putAside keeps a file that cannot be read for people, under a name that says when that was.
func (f *keeperFile) putAside(why error) {
	to := f.name + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
	f.aside = fmt.Sprintf("%v: it was put aside as %s, and the node began with nothing and learns from a control node what it shall run", why, to)
	if err := os.Rename(f.name, to); err != nil {
		f.aside = fmt.Sprintf("%v, and cannot be put aside (%v): the node began with nothing and learns from a control node what it shall run", why, err)
	}
}

func (f *keeperFile) Save(m *Memory) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err = wholefile.Replace(f.name, text); err == nil {
		return nil
	}
	// The path in the error is of a file beside, and another one each time.
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("%s: %w", f.name, err)
}
