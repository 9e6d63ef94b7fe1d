// How a folder lists its objects.

package blob

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
)

// A walk goes through a folder's names in their order.
type walk struct {
	root          *os.Root
	ctx           context.Context
	prefix, after string
	yield         func(Info, error) bool
}

func (f *folder) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		root, err := f.open()
		if err != nil {
			yield(Info{}, err)
			return
		}
		defer func() { _ = root.Close() }() // was read from alone
		w := &walk{root: root, ctx: ctx, prefix: prefix, after: after, yield: yield}
		if _, err := w.folder(""); err != nil {
			yield(Info{}, fmt.Errorf("%s: list %s: %w", f.dir, prefix, explain(err)))
		}
	}
}

// folder goes through the names that begin with within, which is empty or ends with a
// slash. It is done when the caller wants no more, or has an error.
func (w *walk) folder(within string) (done bool, err error) {
	if err := context.Cause(w.ctx); err != nil {
		return true, err
	}
	entries, err := fs.ReadDir(w.root.FS(), path.Clean(within+"."))
	if isMissing(err) {
		return false, nil // since the folder above was read
	}
	if err != nil {
		return true, err
	}
	for _, name := range names(within, entries) {
		inner := strings.HasSuffix(name, "/")
		if !w.wants(name, inner) {
			continue
		}
		if inner {
			done, err = w.folder(name)
		} else {
			done, err = w.object(name)
		}
		if done || err != nil {
			return true, err
		}
	}
	return false, nil
}

// names are a folder's, in order, a slash behind those of folders: "a-b" is before
// "a/b". What no object can be called is not ours.
func names(within string, entries []fs.DirEntry) []string {
	var all []string
	for _, e := range entries {
		switch {
		case checkPart(e.Name()) != "":
		case e.IsDir():
			all = append(all, within+e.Name()+"/")
		default:
			all = append(all, within+e.Name())
		}
	}
	slices.Sort(all)
	return all
}

// wants reports whether a name, or one that begins with it, is asked for.
func (w *walk) wants(name string, folder bool) bool {
	if folder {
		return (strings.HasPrefix(name, w.prefix) || strings.HasPrefix(w.prefix, name)) &&
			(name > w.after || strings.HasPrefix(w.after, name))
	}
	return strings.HasPrefix(name, w.prefix) && name > w.after
}

func (w *walk) object(name string) (done bool, err error) {
	if err := context.Cause(w.ctx); err != nil {
		return true, err
	}
	about, err := w.root.Lstat(name)
	if isMissing(err) || err == nil && !about.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return !w.yield(Info{Name: name, Size: about.Size(), Modified: about.ModTime()}, nil), nil
}
