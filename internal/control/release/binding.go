// An environment's files as one object.

package release

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Binding is the files that an environment is made of, by their paths in the project,
// with slashes: env/NAME.toml, those that it extends, and what they name that a node
// cannot do without, such as .proto files. There are no secrets in it: texts refer to
// those, and nodes resolve them.
type Binding map[string][]byte

// Bounds of a binding.
const (
	MaxBinding = 1 << 20 // bytes of all files and their paths
	maxFiles   = 1000
	maxPath    = 512 // bytes
	maxPart    = 255 // bytes between slashes: what file systems have

	// maxBundle is that of an encoded binding: each file has a line, with its size.
	maxBundle = MaxBinding + maxFiles*16
)

// bundleHead is how an encoded binding begins. Behind it each file, in the order of their
// paths' bytes, is a line of its size and its path, its bytes, and a line's end:
//
//	towpath binding 1
//	48 env/base.toml
//	…
const bundleHead = "towpath binding 1\n"

// Check says what is wrong with a binding's paths and sizes.
func (b Binding) Check() error {
	if len(b) == 0 {
		return errors.New("a binding: it has no files: expected env/NAME.toml at least")
	}
	if len(b) > maxFiles {
		return fmt.Errorf("a binding: it has %d files: expected %d at most; a folder named in `include` may be larger than it has to be", len(b), maxFiles)
	}
	total := 0
	folded := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if err := checkPath(name); err != nil {
			return err
		}
		total += len(name) + len(b[name])
		fold := strings.ToLower(name)
		if other, twice := folded[fold]; twice {
			return fmt.Errorf("a binding: %s and %s are one file where capitals do not count: rename one", other, name)
		}
		folded[fold] = name
		for dir := path.Dir(fold); dir != "."; dir = path.Dir(dir) {
			if file, is := folded[dir]; is {
				return fmt.Errorf("a binding: %s is a file, and %s lies in a folder of its name: rename one", file, name)
			}
		}
	}
	if total > MaxBinding {
		return fmt.Errorf("a binding: its files have %d bytes: expected %d at most; the largest is %s. What is large is data, and belongs where nodes read it from",
			total, MaxBinding, b.largest())
	}
	return nil
}

func (b Binding) largest() string {
	name := ""
	for _, n := range slices.Sorted(maps.Keys(b)) {
		if name == "" || len(b[n]) > len(b[name]) {
			name = n
		}
	}
	return fmt.Sprintf("%s with %d", name, len(b[name]))
}

// checkPath says what is wrong with a file's path. Those that pass lead to one file below
// any folder, and never out of it.
func checkPath(name string) error {
	wrong := ""
	switch {
	case name == "" || len(name) > maxPath:
		wrong = fmt.Sprintf("%d bytes: expected 1 to %d", len(name), maxPath)
	case !utf8.ValidString(name) || !printable(name) || strings.ContainsAny(name, `\:`):
		wrong = "a character that is no part of a path on every system"
	case path.IsAbs(name):
		wrong = "a slash at its beginning: expected a path from the project's folder on"
	case path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		wrong = "a part that leads elsewhere, or nowhere: expected names with single slashes between, and no `.` or `..`"
	}
	for part := range strings.SplitSeq(name, "/") {
		if wrong == "" && len(part) > maxPart {
			wrong = fmt.Sprintf("a part of %d bytes: expected %d at most", len(part), maxPart)
		}
	}
	if wrong != "" {
		return fmt.Errorf("a binding: the path %.100q has %s", name, wrong)
	}
	return nil
}

// Encode is the binding as an object, in its canonical form: equal files give equal bytes.
func (b Binding) Encode() ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	out := []byte(bundleHead)
	for _, name := range slices.Sorted(maps.Keys(b)) {
		out = fmt.Appendf(out, "%d %s\n", len(b[name]), name)
		out = append(append(out, b[name]...), '\n')
	}
	return out, nil
}

// DecodeBinding reads an object that may come from anywhere.
func DecodeBinding(data []byte) (Binding, error) {
	if len(data) > maxBundle {
		return nil, fmt.Errorf("a binding: it has %d bytes: expected %d at most", len(data), maxBundle)
	}
	rest, ok := bytes.CutPrefix(data, []byte(bundleHead))
	if !ok {
		return nil, fmt.Errorf("a binding: expected %q at its beginning, found %s: it is of a later tow, or no binding", bundleHead, glimpse(data))
	}
	b := Binding{}
	for len(rest) > 0 {
		at := len(data) - len(rest)
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		size, name, ok := strings.Cut(string(line), " ")
		n, err := strconv.Atoi(size)
		if !ended || !ok || err != nil || n < 0 || n >= len(after) || after[n] != '\n' {
			return nil, fmt.Errorf("a binding: at byte %d: expected a file's size, its path and as many bytes, found %s", at, glimpse(rest))
		}
		b[name] = after[:n:n]
		rest = after[n+1:]
	}
	again, err := b.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("a binding: it is not in canonical form, and was not written by tow: expected each file once, in the order of the paths")
	}
	return b, nil
}

// environmentFile is the path of an environment's file.
func environmentFile(name string) string { return "env/" + name + ".toml" }
