package bind

import (
	"maps"
	"slices"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/run/source/filetable"
	"towpath.dev/internal/run/source/grpcproto"
	"towpath.dev/internal/run/source/httpjson"
	"towpath.dev/internal/run/source/sqlquery"
	"towpath.dev/internal/run/source/viewcall"
	"towpath.dev/internal/settings"
)

// Options say what sources may need of the process that they run in.
type Options struct {
	// Programs finds the programs that sources of the type "view" ask. Nil: there
	// are none.
	Programs viewcall.Programs
	// Pool has the sources that other Bindings use as well. Nil: each opens its own.
	Pool *Pool
}

// types are the types of sources.
var types = map[string]func(t *settings.Table, root string, opts Options) source.Source{
	"http": func(t *settings.Table, root string, _ Options) source.Source {
		return httpjson.Open(t, httpjson.Options{Dir: root})
	},
	"grpc": func(t *settings.Table, root string, _ Options) source.Source {
		return grpcproto.Open(t, root, grpcproto.Options{})
	},
	"postgres": func(t *settings.Table, root string, _ Options) source.Source { return sqlquery.Open(t, root) },
	"sqlite":   func(t *settings.Table, root string, _ Options) source.Source { return sqlquery.Open(t, root) },
	"file":     func(t *settings.Table, root string, _ Options) source.Source { return filetable.Open(t, root) },
	"view":     func(t *settings.Table, _ string, opts Options) source.Source { return viewcall.Open(t, opts.Programs) },
}

// newSource makes a source by its settings; nil when its type is not known.
func newSource(t *settings.Table, root string, opts Options) source.Source {
	t.Required("type")
	kind := t.Choice("type", "", slices.Sorted(maps.Keys(types))...)
	make := types[kind]
	if make == nil {
		return nil
	}
	s := make(t, root, opts)
	t.Done()
	return s
}
