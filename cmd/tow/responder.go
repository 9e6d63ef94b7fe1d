// What tow serve and tow dev share: programs become releases of a server.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/project"
	"towpath.dev/internal/run/bind"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/serve"
)

// stateDir is the folder in a project that tow keeps things in: compiled code,
// records. It is not for version control.
const stateDir = ".tow"

// responder is a server and what its releases share.
type responder struct {
	server *serve.Server
	pool   bind.Pool // the connections of all of them

	mu   sync.Mutex
	envs map[common]*shared
}

// common is what releases that share have in common.
type common struct {
	of    string // a program, or the folder of several
	env   string
	cache int64 // bytes; whoever wants another size gets another cache
}

// shared is what the releases in an environment have in common: what was answered, what
// is asked, and how its sources are. It is there as long as one of them.
type shared struct {
	cache   *fetch.Cache
	sources *fetch.Sources
	users   int // responder.mu guards it
}

func newResponder(server *serve.Server) *responder {
	return &responder{server: server, envs: map[common]*shared{}}
}

// load makes a release of an artifact, its calls answered by an environment of the
// project in root. Without a name there is none, and calls fail.
func (r *responder) load(ctx context.Context, data []byte, root, env string) (*serve.Release, error) {
	cache := filepath.Join(root, stateDir, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		cache = "" // it is slower without
	}
	p, err := engine.Load(ctx, data, engine.Options{CacheDir: cache})
	if err != nil {
		return nil, err
	}
	release := &serve.Release{Engine: p}
	if _, err := r.bind(release, root, root, env); err != nil {
		_ = p.Close(ctx)
		return nil, err
	}
	if err := p.Warm(4); err != nil {
		return nil, errors.Join(err, discard(ctx, release))
	}
	return release, nil
}

// discard closes a release that was never put in place.
func discard(ctx context.Context, r *serve.Release) error {
	err := r.Engine.Close(ctx)
	if r.Close != nil {
		err = errors.Join(err, r.Close())
	}
	return err
}

// bind gives a release what answers its calls; nil where there are none. The files of
// the environment are in root, and of says with whom in it the release shares: the
// releases of a program whose binding is changed lie in folders of their own.
func (r *responder) bind(release *serve.Release, of, root, env string) (*bind.Bindings, error) {
	m := release.Engine.Manifest() // no copy: a fetcher knows operations by where they are
	if len(m.Operations) == 0 {
		return nil, nil
	}
	if env == "" {
		return nil, fmt.Errorf("%s calls services, and nothing says what answers them: name an environment with --env; %s", m.Program, environments(root))
	}
	e, err := bind.Read(root, env)
	if err != nil {
		return nil, err
	}
	bindings, err := e.Bind(m, bind.Options{Programs: r.server, Pool: &r.pool})
	if err != nil {
		return nil, err
	}
	with, leave := r.join(common{of, env, e.Cache})
	release.Fetcher = fetch.New(m, bindings.Bound, fetch.Options{Cache: with.cache, Sources: with.sources, Observe: r.server.Asked})
	release.Close = func() error {
		leave()
		return bindings.Close()
	}
	return bindings, nil
}

// join gives what releases in an environment share, and what says that one is gone. A
// release that follows another is bound before that one goes, so it finds all there.
func (r *responder) join(key common) (with *shared, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if with = r.envs[key]; with == nil {
		with = &shared{cache: fetch.NewCache(key.cache), sources: &fetch.Sources{}}
		r.envs[key] = with
	}
	with.users++
	return with, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if with.users--; with.users == 0 {
			delete(r.envs, key)
		}
	}
}

// environments says which there are.
func environments(root string) string {
	if names := bind.Names(root); len(names) > 0 {
		return "there is " + quotedList(names, "and")
	}
	return "there is none: write " + filepath.Join(root, "env", "dev.toml")
}

// served is a program on a command line: an artifact, or a project's folder.
type served struct {
	name string
	root string // where its environments are
	data []byte
}

// open reads the program that an argument names; name=PATH serves it under another
// name.
func (u *ui) open(arg string) (*served, error) {
	name, path, renamed := strings.Cut(arg, "=")
	if !renamed {
		name, path = "", arg
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	s := &served{root: path}
	if info.IsDir() {
		p, err := project.Find(path)
		if err != nil {
			return nil, err
		}
		res, err := u.build(p)
		if err != nil {
			return nil, err
		}
		s.data, s.root, s.name = res.Artifact, p.Root, p.Name
	} else {
		if s.data, err = os.ReadFile(path); err != nil {
			return nil, err
		}
		m, err := artifact.Decode(s.data)
		if err != nil {
			return nil, fmt.Errorf("%s is no artifact: %w; make one with \"tow build\"", path, err)
		}
		s.root, s.name = filepath.Dir(path), m.Program
	}
	if renamed {
		if err := project.CheckName(name); err != nil {
			return nil, usage{err, "tow serve"}
		}
		s.name = name
	}
	return s, nil
}
