// Package bind reads environments: which sources answer a program's calls, and
// how each operation is asked.
//
//	env, err := bind.Read("shop/env", "dev")
//	bindings, err := env.Bind(manifest, bind.Options{})
//	fetcher := fetch.New(manifest, bindings.Bound, fetch.Options{})
//
// An environment is a file env/NAME.toml:
//
//	extends = "base"                   # env/base.toml, whose tables this one replaces
//
//	[sources.market]                   # connections, by the type's own settings
//	type = "postgres"
//	url = "${env:DATABASE_URL}"
//
//	[services.Catalog]                 # what answers a service that the program declares
//	source = "market"
//
//	[services.Catalog.offers]          # and how an operation is asked
//	sql = "select …"
//
// A service that names a source replaces the inherited one whole; one that does
// not replaces single operations of it. Texts may hold ${env:NAME},
// ${env:NAME:-default} and ${file:PATH}, the contents of a file without the last
// line's end; what they stand for is shown nowhere.
//
// Nothing is asked of a source until it is probed or called.
//
// Several Bindings, as those of two releases beside each other, may ask the same
// sources: those with connections over a network, by one [Pool].
//
//	var pool bind.Pool
//	bindings, err := env.Bind(manifest, bind.Options{Pool: &pool})
package bind

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// Environment is a file and those that it extends.
type Environment struct {
	Name string
	// Root is the project's folder, which paths in settings begin from.
	Root string
	// Cache bounds the answers kept between requests, in bytes; 0 is the default.
	Cache int64

	path     string // of the file itself
	files    []*settings.File
	sources  map[string]*settings.Table
	services map[string]*service
}

// service is a [services.X] table, with what it inherits.
type service struct {
	table      *settings.Table // that names the source
	operations map[string]*settings.Table
}

// maxExtends bounds how many files an environment may be made of.
const maxExtends = 16

// Names lists the environments of a project.
func Names(root string) []string {
	entries, err := os.ReadDir(filepath.Join(root, "env"))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok && !e.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

// Read reads the environment of a name in a project's folder. The error holds
// all mistakes found in the files, each a *settings.Mistake.
func Read(root, name string) (*Environment, error) {
	if !plainName(name) {
		return nil, fmt.Errorf("%q is no name of an environment: expected that of a file in env/, without .toml", name)
	}
	e := &Environment{Name: name, Root: root, path: filepath.Join("env", name+".toml"), sources: map[string]*settings.Table{}, services: map[string]*service{}}
	var seen []string
	for next := name; next != ""; {
		if slices.Contains(seen, next) || len(seen) == maxExtends {
			return nil, fmt.Errorf("%s: environments extend each other in a circle: %s", e.path, strings.Join(append(seen, next), " → "))
		}
		seen = append(seen, next)
		file, err := e.file(next)
		if err != nil {
			return nil, err
		}
		next = e.inherit(file)
	}
	return e, e.err()
}

// plainName reports whether a name is one of a file in the folder, and no way out
// of it.
func plainName(name string) bool {
	return name != "" && !strings.ContainsAny(name, `/\`) && !strings.HasPrefix(name, ".")
}

// file reads one file.
func (e *Environment) file(name string) (*settings.File, error) {
	if !plainName(name) {
		return nil, fmt.Errorf("%s: `extends` is %q; expected the name of a file in env/, without .toml", e.path, name)
	}
	path := filepath.Join("env", name+".toml")
	text, err := os.ReadFile(filepath.Join(e.Root, path))
	if errors.Is(err, fs.ErrNotExist) {
		known := "there is no environment yet: write that file"
		if names := Names(e.Root); len(names) > 0 {
			known = "there is " + strings.Join(names, ", ")
		}
		return nil, fmt.Errorf("there is no environment %q: no file %s in %s; %s", name, path, e.Root, known)
	}
	if err != nil {
		return nil, err
	}
	f := settings.Parse(path, text)
	f.Expand = e.expand
	e.files = append(e.files, f)
	return f, nil
}

// inherit takes over what nearer files do not say, and gives the name of the
// next file.
func (e *Environment) inherit(f *settings.File) (next string) {
	next = f.Root.Text("extends", "")
	if bytes := f.Root.Int("cache", 0, 1<<10, 1<<40); e.Cache == 0 {
		e.Cache = bytes
	}
	sources := f.Root.Table("sources")
	for _, name := range sources.Keys() {
		if t := sources.Table(name); e.sources[name] == nil {
			e.sources[name] = t
		}
	}
	services := f.Root.Table("services")
	for _, name := range services.Keys() {
		e.inheritService(name, services.Table(name))
	}
	f.Root.Done()
	return next
}

func (e *Environment) inheritService(name string, t *settings.Table) {
	if t == nil {
		return
	}
	s := e.services[name]
	if s == nil {
		s = &service{operations: map[string]*settings.Table{}}
		e.services[name] = s
	} else if s.table != nil && s.table.Has("source") {
		return // replaced whole
	}
	if s.table == nil || t.Has("source") {
		s.table = t
	}
	for _, key := range t.Keys() {
		if key == "source" {
			continue
		}
		if op := t.Table(key); s.operations[key] == nil && op != nil {
			s.operations[key] = op
		}
	}
}

func (e *Environment) err() error {
	var errs []error
	for _, f := range e.files {
		errs = append(errs, f.Err())
	}
	return errors.Join(errs...)
}

// Files are the paths of the files that the environment is made of.
func (e *Environment) Files() []string {
	var paths []string
	for _, f := range e.files {
		paths = append(paths, filepath.Join(e.Root, f.Name))
	}
	return paths
}

// Bind opens the sources that a program needs and binds its operations. The error
// holds all mistakes.
func (e *Environment) Bind(m *artifact.Manifest, opts Options) (*Bindings, error) {
	b := newBindings(len(m.Operations))
	names := serviceNames(m)
	used, bound := map[string]bool{}, map[string]bool{} // services, operations
	var missing []string
	for i := range m.Operations {
		op := &m.Operations[i]
		name, s := e.find(op, names)
		if s == nil {
			if short := op.Module + "." + op.Service; !slices.Contains(missing, short) {
				missing = append(missing, short)
			}
			continue
		}
		used[name] = true
		b.Bound[i], bound[name+"."+op.Name] = e.bind(b, op, m, s, opts)
	}
	e.complain(m, names, used, missing)
	e.closeTables(used, bound)
	if err := e.err(); err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

// serviceNames maps a service's short name to the qualified ones that have it.
func serviceNames(m *artifact.Manifest) map[string][]string {
	names := map[string][]string{}
	for i := range m.Operations {
		op := &m.Operations[i]
		if full := op.Module + "." + op.Service; !slices.Contains(names[op.Service], full) {
			names[op.Service] = append(names[op.Service], full)
		}
	}
	return names
}

// find is the table of an operation's service: by its qualified name, or by its
// name alone where no other service has it.
func (e *Environment) find(op *artifact.Operation, names map[string][]string) (string, *service) {
	full := op.Module + "." + op.Service
	if s := e.services[full]; s != nil {
		return full, s
	}
	if len(names[op.Service]) == 1 {
		return op.Service, e.services[op.Service]
	}
	return "", nil
}

// bind binds one operation. It reports whether the operation's settings were read.
func (e *Environment) bind(b *Bindings, op *artifact.Operation, m *artifact.Manifest, s *service, opts Options) (fetch.Bound, bool) {
	from := s.table.Required("source")
	t := e.sources[from]
	if t == nil {
		if from != "" {
			s.table.Errorf("source", "there is no source `%s`; %s", from, orNone("there is", slices.Sorted(maps.Keys(e.sources)), "the environment has none: add [sources."+from+"]"))
		}
		return fetch.Bound{}, false
	}
	src, known := b.sources[from]
	if !known {
		src = e.open(from, t, opts)
		b.sources[from] = src
	}
	if src == nil {
		return fetch.Bound{}, false // what is wrong with it is noted
	}
	how := s.operations[op.Name]
	if how == nil {
		how = s.table.Empty(op.Name)
	}
	caller := src.Bind(source.Operation{Meta: op, Schema: &m.Schema, Settings: how})
	src.callers = append(src.callers, caller)
	return fetch.Bound{Caller: caller, Source: from, At: src.at(), Key: src.key(op, &m.Schema, how)}, true
}

// complain notes what the environment lacks, and what the program does not have.
func (e *Environment) complain(m *artifact.Manifest, names map[string][]string, used map[string]bool, missing []string) {
	root := e.files[0].Root
	for _, full := range missing {
		short := full[strings.LastIndexByte(full, '.')+1:]
		if len(names[short]) > 1 {
			short = `"` + full + `"`
		}
		root.Errorf("services", "nothing answers the service %s: add [services.%s] with the `source` that does", full, short)
	}
	var known []string
	for short, full := range names {
		if len(full) == 1 {
			known = append(known, short)
		} else {
			known = append(known, full...)
		}
	}
	slices.Sort(known)
	// What the program does not have may be another's, or be meant for later. It is a
	// mistake where something else has nothing.
	for name, s := range e.services {
		if !used[name] {
			why := orNone("there is", known, "it calls none")
			if n := names[name]; len(n) > 1 {
				why = "several have that name: write " + strings.Join(n, " or ")
			}
			if len(missing) > 0 {
				s.table.Errorf("", "the program calls no service `%s`; %s", name, why)
			}
			continue
		}
		s.complain(m, name)
	}
}

// complain notes the operations that a service does not have, if one that it has
// goes without settings.
func (s *service) complain(m *artifact.Manifest, name string) {
	has := map[string]bool{}
	bare := ""
	for i := range m.Operations {
		o := &m.Operations[i]
		if o.Service != name && o.Module+"."+o.Service != name {
			continue
		}
		if has[o.Name] = true; s.operations[o.Name] == nil {
			bare = o.Name
		}
	}
	for op, t := range s.operations {
		if !has[op] && bare != "" {
			t.Errorf("", "the program calls no operation `%s` of `%s`; nothing says how `%s` is asked", op, name, bare)
		}
	}
}

func orNone(before string, list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return before + " `" + strings.Join(list, "`, `") + "`"
}

// closeTables complains of the settings that nobody asked for. Sources that this
// program does not use are another's.
func (e *Environment) closeTables(used, bound map[string]bool) {
	for name, s := range e.services {
		for op, t := range s.operations {
			if used[name] && bound[name+"."+op] {
				t.Done()
			}
		}
	}
}
