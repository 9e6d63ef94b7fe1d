// Package lower turns a checked program into IR.
//
// It starts at the views and copies what they reach: a generic function once
// for each set of type arguments, a function that takes functions once for each
// lambda given to it (an instance). Lambdas become functions whose first
// parameters are what they capture. Code that may call a service also carries
// statuses; see status.go. Layouts follow package abi; the design note
// 0001-tow-from-text-to-answers says what is charged, and when.
//
//	module, manifest, err := lower.Program(checked, lower.Options{Name: "shop"})
package lower

import (
	"fmt"
	"sort"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// Options of lowering. The zero Options are usable.
type Options struct {
	// Name is the program's, for the manifest.
	Name string
	// JSON gives the JSON text of a field's default. Without it fields with
	// defaults that are not literals are refused.
	JSON func(core.Expr) (string, error)
	// MaxCopies is how often a function is copied for the functions that it is
	// given; further ones are passed as data. 0 means 64.
	MaxCopies int
	// MaxInstances bounds the copies of functions and lambdas; 0 means 50,000.
	MaxInstances int
	// Extra functions to export besides the views, as "fn:<qualified name>"; they
	// have no type parameters and take no functions. For tests.
	Extra []*core.Func
}

// Error is a program that cannot be lowered within the bounds.
type Error struct {
	At      span.Span
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.At, e.Message) }

// lowerer holds what the whole program shares.
type lowerer struct {
	opts   Options
	prog   *core.Program
	std    *core.Std
	module *ir.Module
	schema abi.Schema

	closed     map[core.Type]abi.TypeID // by pointer, types without parameters
	byKey      map[string]abi.TypeID
	coreOf     []core.Type  // of each TypeID
	defining   int          // nesting of define
	unplaced   []abi.TypeID // defined, not yet laid out
	funcs      map[*core.Func]*facts
	insts      map[instKey]*instance
	lambdas    map[lambdaKey]*closure
	refs       map[refKey]*closure
	copies     map[*core.Func]int // of a function, for different functions given
	signatures map[string]*signature
	anything   facts // what any function of the program does
	made       int   // instances and closures
	queue      []func()

	imports                                          map[string]*ir.Import
	runtime                                          map[string]*ir.Func
	derived                                          map[deriveKey]*ir.Func
	heap, limit, gas, depth, status, now, seed, pass *ir.Global

	consts  map[*core.Const]*constant
	statics map[string]uint32 // static data already placed, by content
	sites   []site
	siteIDs map[siteKey]int32
	scopes  []scopeSite
	ops     []*core.Operation
	opIDs   map[*core.Operation]int
}

type site struct {
	kind abi.FaultKind
	at   span.Span
	fn   string
}

type siteKey struct {
	kind abi.FaultKind
	at   span.Span
	fn   string
}

type scopeSite struct {
	site     core.Site
	optional bool
	at       span.Span
}

// bail carries an *Error out of the recursion.
type bail struct{ err *Error }

// Program lowers all views and what they reach.
func Program(p *core.Program, opts Options) (m *ir.Module, man *artifact.Manifest, err error) {
	if opts.MaxInstances == 0 {
		opts.MaxInstances = 50_000
	}
	if opts.MaxCopies == 0 {
		opts.MaxCopies = 64
	}
	l := &lowerer{
		opts: opts, prog: p, std: &p.Std, module: &ir.Module{Pages: memoryPages},
		closed: map[core.Type]abi.TypeID{}, byKey: map[string]abi.TypeID{},
		funcs: map[*core.Func]*facts{}, insts: map[instKey]*instance{},
		lambdas: map[lambdaKey]*closure{}, refs: map[refKey]*closure{},
		imports: map[string]*ir.Import{}, runtime: map[string]*ir.Func{}, derived: map[deriveKey]*ir.Func{},
		consts: map[*core.Const]*constant{}, statics: map[string]uint32{},
		copies: map[*core.Func]int{}, signatures: map[string]*signature{},
		siteIDs: map[siteKey]int32{}, opIDs: map[*core.Operation]int{},
	}
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			m, man, err = nil, nil, b.err
		}
	}()
	l.globals()
	l.analyse()
	man = &artifact.Manifest{ABI: abi.Version, Program: opts.Name, Pages: memoryPages}
	for _, mod := range p.Modules {
		for _, f := range mod.Funcs {
			if f.Kind == core.View {
				man.Views = append(man.Views, l.view(f))
			}
		}
	}
	for _, f := range opts.Extra {
		v := l.view(f)
		v.Export = "fn:" + f.QualifiedName()
		l.module.Exports[len(l.module.Exports)-1].Name = v.Export
		man.Views = append(man.Views, v)
	}
	for len(l.queue) > 0 {
		next := l.queue[len(l.queue)-1]
		l.queue = l.queue[:len(l.queue)-1]
		next()
	}
	l.prologues()
	l.finish(man)
	return l.module, man, nil
}

// memoryPages is the memory's fixed size: 64 MiB of address space, of which a
// request touches what it uses. The host bounds it further by the global limit.
const memoryPages = 1024

func (l *lowerer) globals() {
	add := func(name string, t ir.Type) *ir.Global {
		g := &ir.Global{Name: name, Type: t, Export: name}
		l.module.Globals = append(l.module.Globals, g)
		return g
	}
	l.heap = add(abi.GlobalHeap, ir.I32)
	l.limit = add(abi.GlobalLimit, ir.I32)
	l.gas = add(abi.GlobalGas, ir.I64)
	l.depth = add(abi.GlobalDepth, ir.I32)
	l.status = add(abi.GlobalStatus, ir.I32)
	l.now = add(abi.GlobalNow, ir.I64)
	l.seed = add(abi.GlobalSeed, ir.I64)
	l.pass = add("pass", ir.I32)
	l.host("fault", ir.None, ir.I32).NoReturn = true
	l.host("yield", ir.None, ir.I32)
}

// host declares an import of the host, once a name.
func (l *lowerer) host(name string, result ir.Type, params ...ir.Type) *ir.Import {
	if im := l.imports[name]; im != nil {
		return im
	}
	im := &ir.Import{Name: name, Params: params, Result: result}
	l.imports[name] = im
	l.module.Imports = append(l.module.Imports, im)
	return im
}

// site numbers a place where a fault of a kind can arise.
func (l *lowerer) site(kind abi.FaultKind, at span.Span, fn string) int32 {
	key := siteKey{kind, at, fn}
	if id, ok := l.siteIDs[key]; ok {
		return id
	}
	id := int32(len(l.sites))
	l.sites = append(l.sites, site{kind, at, fn})
	l.siteIDs[key] = id
	return id
}

func (l *lowerer) fail(at span.Span, format string, args ...any) {
	panic(bail{&Error{At: at, Message: fmt.Sprintf(format, args...)}})
}

// op numbers an operation, in the order in which operations are met.
func (l *lowerer) op(o *core.Operation) int {
	if id, ok := l.opIDs[o]; ok {
		return id
	}
	id := len(l.ops)
	l.opIDs[o] = id
	l.ops = append(l.ops, o)
	return id
}

// finish fills the manifest: boundary types, operations, places.
func (l *lowerer) finish(man *artifact.Manifest) {
	for _, o := range l.ops {
		man.Operations = append(man.Operations, artifact.Operation{
			Module: o.Service.Module.Path, Service: o.Service.Name, Name: o.Name, Doc: o.Doc,
			Args: l.paramRecord(o.QualifiedName(), o.Params), Result: l.typeID(o.Result, nil),
			Batch: o.Batch, WithinNS: o.Within, CacheNS: o.Cache, Shared: o.Shared, Idempotent: o.Idempotent,
		})
	}
	pl := &places{files: map[string]int{}, man: man}
	for i := range man.Views {
		v := &man.Views[i]
		v.Place = pl.place(l.viewAt(v))
	}
	for _, s := range l.sites {
		man.Sites = append(man.Sites, artifact.Site{Kind: s.kind, Func: s.fn, Place: pl.place(s.at)})
	}
	l.module.Sites = int32(len(l.sites))
	sort.SliceStable(l.scopes, func(i, j int) bool { return l.scopes[i].site < l.scopes[j].site })
	for i, s := range l.scopes {
		if i > 0 && l.scopes[i-1].site == s.site {
			continue
		}
		man.Scopes = append(man.Scopes, artifact.Scope{Site: uint64(s.site), Optional: s.optional, Place: pl.place(s.at)})
	}
	man.HeapBase = abi.Align(abi.StaticBase+uint32(len(l.module.Data)), 8)
	l.boundary(man)
}

func (l *lowerer) viewAt(v *artifact.View) span.Span {
	for _, mod := range l.prog.Modules {
		if mod.Path != v.Module {
			continue
		}
		for _, f := range mod.Funcs {
			if f.Name == v.Name {
				return f.At
			}
		}
	}
	return span.Span{}
}

type places struct {
	files map[string]int
	man   *artifact.Manifest
}

func (p *places) place(at span.Span) artifact.Place {
	if !at.IsValid() {
		return artifact.Place{File: -1}
	}
	id, ok := p.files[at.File.Path]
	if !ok {
		id = len(p.man.Files)
		p.files[at.File.Path] = id
		p.man.Files = append(p.man.Files, at.File.Path)
	}
	line, col := at.File.Position(at.Start)
	return artifact.Place{File: id, Line: line, Column: col}
}
