package bind

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/run/fetch"
	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

// Bindings answer a program's calls.
type Bindings struct {
	Bound   []fetch.Bound      // by the manifest's operations
	sources map[string]*opened // nil is one that has mistakes
}

// opened is a source that Bindings have opened, or were lent.
type opened struct {
	source.Source
	says    identity        // what it was opened with: its name, its settings, and what these mean here
	callers []source.Caller // of these Bindings
}

// open opens the source of a name, or has it lent; nil when its type is not known.
func (e *Environment) open(name string, t *settings.Table, opts Options) *opened {
	// What is said is looked at before it is opened: of a secret that is replaced
	// meanwhile it has the old identity, which nobody has afterwards.
	says, failed := t.Digest()
	src := newSource(t, e.Root, opts)
	if src == nil {
		return nil
	}
	o := &opened{Source: src, says: source.Sum([]byte(name), []byte(e.Root), says[:])}
	s, ok := src.(source.Shareable)
	if !ok || failed != nil || e.err() != nil {
		return o // with a mistake, these Bindings come to nothing
	}
	read, shared := s.Opened()
	o.says = source.Sum([]byte(name), says[:], read[:])
	if shared && opts.Pool != nil {
		o.Source = opts.Pool.lend(o.says, src)
	}
	return o
}

// at is the identity as a text.
func (o *opened) at() string { return hex.EncodeToString(o.says[:12]) }

// key tells an operation's binding apart: by its source, by how it is asked, and by
// the types that its answers are read for.
func (o *opened) key(op *artifact.Operation, schema *abi.Schema, how *settings.Table) string {
	asked, _ := how.Digest() // a reference that means nothing is a mistake, which Bind tells
	sum := source.Sum(o.says[:], asked[:], shapeOf(schema, op.Args, op.Result))
	return hex.EncodeToString(sum[:12])
}

// Probe asks every source whether it can be reached and has what is needed.
func (b *Bindings) Probe(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.sources)) {
		// Bindings without mistakes have no nil among their sources.
		s := b.sources[name]
		if err := s.Probe(ctx, s.callers); err != nil {
			errs = append(errs, fmt.Errorf("the source %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Close frees the sources, but for those that others use as well. No call is under
// way then.
func (b *Bindings) Close() error {
	var errs []error
	for _, s := range b.sources {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	b.sources = nil
	return errors.Join(errs...)
}
