// An environment's files, gathered from a project.

package release

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/settings"
)

// Left is a file that an environment names and that is not in its binding: nodes need it
// otherwise.
type Left struct {
	Setting string // "sources.market.file"
	Path    string // as it is written
	Why     string
}

func (l Left) String() string { return fmt.Sprintf("%s = %q: %s", l.Setting, l.Path, l.Why) }

// Collect gathers the binding of an environment in a project's folder: env/NAME.toml, the
// files that it extends, and small texts that its sources name: .proto files with what they
// import, certificates, tables. What stays behind is told. The settings themselves are
// package bind's to judge.
func Collect(root, environment string) (Binding, []Left, error) {
	if err := CheckEnvironment(environment); err != nil {
		return nil, nil, err
	}
	folder, err := os.OpenRoot(root)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = folder.Close() }() // was read from alone
	c := &collector{root: folder, binding: Binding{}, sources: map[string]bool{}}
	for next := environment; next != ""; {
		if next, err = c.environment(next); err != nil {
			return nil, nil, err
		}
	}
	return c.binding, c.left, c.binding.Check()
}

// collector gathers files.
type collector struct {
	root    *os.Root
	binding Binding
	left    []Left
	sources map[string]bool // of nearer files
}

// environment takes one environment's file and gives the name of the one that it extends.
func (c *collector) environment(name string) (extends string, err error) {
	if err := checkFile(name); err != nil {
		return "", err
	}
	file := environmentFile(name)
	if _, twice := c.binding[file]; twice {
		return "", fmt.Errorf("%s: environments extend each other in a circle", file)
	}
	text, err := c.read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no environment %q: no file %s in %s; %s", name, file, c.root.Name(), c.known(file))
	}
	if err != nil {
		return "", err
	}
	c.binding[file] = text
	parsed := settings.Parse(file, text)
	sources := parsed.Root.Table("sources")
	for _, source := range sources.Keys() {
		if t := sources.Table(source); t != nil && !c.sources[source] {
			c.sources[source] = true
			c.source(t)
		}
	}
	return parsed.Root.Text("extends", ""), parsed.Err()
}

// known says how a file of an environment is begun.
func (c *collector) known(file string) string {
	all, err := fs.Glob(c.root.FS(), environmentFile("*"))
	if err != nil || len(all) == 0 {
		return "there is no environment yet: write that file"
	}
	return "begin with a copy of another one, cp " + all[0] + " " + file + ", and change what differs"
}

// source takes the files that a source's settings name. Which do is known of the sources'
// own packages, below run/source.
func (c *collector) source(t *settings.Table) {
	switch t.Text("type", "") {
	case "grpc":
		folders := t.Texts("include")
		if proto := t.Text("proto", ""); proto != "" && c.take(t, "proto", proto) {
			c.imports(path.Clean(proto), append([]string{path.Dir(proto)}, folders...))
		}
	case "file":
		c.take(t, "path", t.Text("path", ""))
	case "sqlite":
		c.leave(t, "file", t.Text("file", ""), "a database is no text: each node needs one at this path; name it by an absolute one")
		return
	}
	c.take(t, "ca", t.Text("ca", ""))
	c.take(t, "cert", t.Text("cert", ""))
	c.leave(t, "key", t.Text("key", ""), "a private key is in no binding: put it on each node, and name it by an absolute path")
}

func (c *collector) leave(t *settings.Table, setting, name, why string) {
	if name != "" && !strings.Contains(name, "${") {
		c.left = append(c.left, Left{t.Name() + "." + setting, name, why})
	}
}

// take takes a file that a setting names. It reports whether the binding has it.
func (c *collector) take(t *settings.Table, setting, name string) bool {
	if name == "" || strings.Contains(name, "${") {
		return false // what a node resolves, a node has
	}
	why := ""
	text, err := c.read(name)
	switch {
	case path.IsAbs(name):
		why = "an absolute path is each node's own: the file has to be there"
	case err != nil:
		why = fmt.Sprintf("it cannot be read: %v", err)
	case len(text) > MaxBinding/2:
		why = fmt.Sprintf("it has %d bytes or more: what is large is data, and each node needs it; name it by an absolute path", len(text))
	case !utf8.Valid(text):
		why = "it is no text: each node needs it; name it by an absolute path"
	case strings.Contains(string(text), "PRIVATE KEY"):
		why = "there is a private key in it, which is in no binding: put it on each node, and name it by an absolute path"
	}
	if why != "" {
		c.left = append(c.left, Left{t.Name() + "." + setting, name, why})
		return false
	}
	c.binding[path.Clean(name)] = text
	return true
}

// read reads a file of the project, as far as a binding could take it.
func (c *collector) read(name string) ([]byte, error) {
	file, err := c.root.Open(path.Clean(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // was read from alone
	return io.ReadAll(io.LimitReader(file, MaxBinding+1))
}

// protoImport is a line of a .proto file that imports another.
var protoImport = regexp.MustCompile(`(?m)^\s*import\s+(?:public\s+|weak\s+)?["']([^"'\n]+)["']`)

// imports takes what a .proto file imports, from the folders that it may lie in. What is in
// none of them is built in, or missed when the environment is bound.
func (c *collector) imports(name string, folders []string) {
	for _, m := range protoImport.FindAllSubmatch(c.binding[name], -1) {
		for _, folder := range folders {
			file := path.Join(folder, string(m[1]))
			if _, has := c.binding[file]; has {
				continue
			}
			if text, err := c.read(file); err == nil && checkPath(file) == nil {
				c.binding[file] = text
				c.imports(file, folders)
			}
		}
	}
}

// References are what the texts of a binding's environments refer to: what a node has to
// have to run it. Each stands there once, in the order of how they are written.
func (b Binding) References() []settings.Reference {
	var all []settings.Reference
	for _, name := range b.paths() {
		if strings.HasPrefix(name, "env/") && path.Ext(name) == ".toml" {
			all = append(all, settings.Parse(name, b[name]).References()...)
		}
	}
	slices.SortFunc(all, func(a, b settings.Reference) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}
