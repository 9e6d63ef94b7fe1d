package bind

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

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

	// open ends when they are closed, which close does; probes are those under way. No probe
	// begins after that: mu is held as one does, and as they are closed.
	open   context.Context
	close  context.CancelFunc
	mu     sync.Mutex
	probes sync.WaitGroup
}

// newBindings has room for the operations of a program.
func newBindings(operations int) *Bindings {
	b := &Bindings{Bound: make([]fetch.Bound, operations), sources: map[string]*opened{}}
	b.open, b.close = context.WithCancel(context.Background())
	return b
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

// errClosed is that Bindings were closed before a probe of them had ended.
var errClosed = errors.New("the sources were closed before they had answered, as nobody needs them any more")

// probeError is what is wrong with sources.
type probeError struct {
	error
	own bool
}

func (e *probeError) Unwrap() error { return e.error }

// Own reports whether all that is wrong came with the program itself, in files of its environment.
func (e *probeError) Own() bool { return e.own }

// Probe asks every source whether it can be reached and has what is needed. Close ends it.
// An error may say whether it is the program's Own.
func (b *Bindings) Probe(ctx context.Context) error {
	if !b.begin() {
		return errClosed
	}
	defer b.probes.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.open, cancel)()
	var errs []error
	own := true
	for _, name := range slices.Sorted(maps.Keys(b.sources)) {
		// Bindings without mistakes have no nil among their sources.
		s := b.sources[name]
		err := s.Probe(ctx, s.callers)
		if b.open.Err() != nil {
			return errClosed
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the source %s: %w", name, err))
			var e *source.Error
			own = own && errors.As(err, &e) && e.Own
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &probeError{errors.Join(errs...), own}
}

// begin counts a probe, which calls probes.Done at its end; false is that they are closed.
func (b *Bindings) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open.Err() != nil {
		return false
	}
	b.probes.Add(1)
	return true
}

// Close ends the probes under way and waits for them, and frees the sources, but for
// those that others use as well. No call is under way then. Once is enough.
func (b *Bindings) Close() error {
	b.mu.Lock()
	b.close()
	b.mu.Unlock()
	b.probes.Wait()
	var errs []error
	for _, s := range b.sources {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	b.sources = nil
	return errors.Join(errs...)
}
