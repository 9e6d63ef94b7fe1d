// Package engine serves a compiled Tow program: it runs views on wazero, asks
// the calls that they make, and gives each request memory of its own.
//
// A [Program] is a loaded artifact, a [View] one of its entries. A request is
// decoded into the region of an instance, the view runs over it in one or more
// passes, and the answer is encoded straight out of the region.
//
//	program, err := engine.Load(ctx, artifact, engine.Options{Source: source})
//	view, err := program.View("shop.featured")
//	answer, err := view.AppendCall(ctx, nil, []byte(`{"product":"p1"}`))
//
// Words used throughout:
//
//   - a region is an instance's memory: static data, then the kept part (input
//     and answers, which only grows), then the heap, which each pass starts
//     afresh;
//   - a pass is one run of the view with the answers known so far; what it asks
//     that is not known is pending;
//   - a call is one question to an operation; equal calls of a request are one;
//   - a verdict says that a scope expired or was shed. It is decided between
//     passes, once, and stays;
//   - a record is all that a request depended on; replayed it gives the same
//     answer.
package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"

	"towpath.dev/internal/artifact"
	"towpath.dev/internal/codec"
)

// Program is a loaded artifact. It is safe for concurrent use.
type Program struct {
	opts     Options
	manifest *artifact.Manifest
	hash     string // SHA-256 of the artifact, hex
	plans    *codec.Codec
	views    []*View
	byName   map[string]*View // by qualified name, and by bare name where it is the only one

	operations []operation

	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil without Options.CacheDir
	compiled wazero.CompiledModule
	limit    uint32 // the first address that a request may not use

	mu       sync.Mutex
	idle     []*instance
	requests []*request // to be used again
	active   int        // requests under way
	closed   bool
	ended    chan struct{} // closed when everything is freed
	endErr   error         // set before
}

// operation is what a Program knows of one of the manifest's operations.
type operation struct {
	args   codec.Plan
	result codec.Plan
	size   uint32 // of the record of arguments
	fields []argument
}

// View is an entry of a Program.
type View struct {
	program *Program
	meta    *artifact.View
	index   int
	input   codec.Plan
	result  codec.Plan
	narrow  bool // the result takes 4 bytes, else 8
}

// Load compiles an artifact. The error says what is wrong with the options or
// the artifact. Close the Program when it is not needed any more.
func Load(ctx context.Context, data []byte, opts Options) (*Program, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	manifest, err := artifact.Decode(data)
	if err != nil {
		return nil, err
	}
	p := &Program{opts: opts.withDefaults(), manifest: manifest, ended: make(chan struct{})}
	sum := sha256.Sum256(data)
	p.hash = hex.EncodeToString(sum[:])
	if err := p.plan(); err != nil {
		return nil, err
	}
	if err := p.compile(ctx, data); err != nil {
		_ = p.Close(ctx)
		return nil, err
	}
	in, err := p.newInstance()
	if err != nil {
		_ = p.Close(ctx)
		return nil, err
	}
	p.release(in)
	return p, nil
}

// plan makes the plans of all types, and lists the views.
func (p *Program) plan() error {
	var err error
	if p.plans, err = codec.New(&p.manifest.Schema); err != nil {
		return fmt.Errorf("engine: the artifact's schema: %w", err)
	}
	for i := range p.manifest.Operations {
		op := &p.manifest.Operations[i]
		schema := &p.manifest.Schema
		p.operations = append(p.operations, operation{
			args: p.plans.Plan(op.Args), result: p.plans.Plan(op.Result),
			size: schema.Types[op.Args].Size, fields: arguments(schema, op.Args),
		})
	}
	p.byName = map[string]*View{}
	for i := range p.manifest.Views {
		meta := &p.manifest.Views[i]
		v := &View{program: p, meta: meta, index: i, input: p.plans.Plan(meta.Input), result: p.plans.Plan(meta.Result)}
		v.narrow = p.manifest.Schema.Val(meta.Result).Size() == 4
		p.views = append(p.views, v)
		p.byName[meta.QualifiedName()] = v
		if _, taken := p.byName[meta.Name]; taken {
			p.byName[meta.Name] = nil // no longer the only one
		} else {
			p.byName[meta.Name] = v
		}
	}
	return nil
}

// Manifest describes the program. It is not to be changed.
func (p *Program) Manifest() *artifact.Manifest { return p.manifest }

// Hash is the SHA-256 of the artifact, in hex.
func (p *Program) Hash() string { return p.hash }

// View finds a view by "module.name", or by its name where no other has it.
func (p *Program) View(name string) (*View, error) {
	v, known := p.byName[name]
	switch {
	case v != nil:
		return v, nil
	case known:
		return nil, fmt.Errorf("several modules have a view %q: write module.%s", name, name)
	}
	return nil, fmt.Errorf("the program has no view %q", name)
}

// Views are all views, in the manifest's order.
func (p *Program) Views() []*View { return p.views }

// Meta describes the view. It is not to be changed.
func (v *View) Meta() *artifact.View { return v.meta }

// AppendCall answers one request: JSON in, JSON appended to dst. A view that
// makes no calls allocates nothing.
//
// The error is an *InputError, a *Fault, a *CallError, a *LimitError or the
// context's; see their documentation. dst comes back unchanged then.
func (v *View) AppendCall(ctx context.Context, dst, input []byte) ([]byte, error) {
	if v.meta.Calls {
		return v.Do(ctx, dst, Request{Input: input})
	}
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	p := v.program
	in, err := p.begin()
	if err != nil {
		return dst, err
	}
	out, err := in.answerPure(v, dst, input)
	p.releaseLast(in)
	return out, err
}

// AppendCall is View and its AppendCall in one.
func (p *Program) AppendCall(ctx context.Context, dst []byte, view string, input []byte) ([]byte, error) {
	v, err := p.View(view)
	if err != nil {
		return dst, err
	}
	return v.AppendCall(ctx, dst, input)
}
