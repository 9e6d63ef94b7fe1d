package types

import (
	"sort"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// Info is what editors ask about a checked project. It answers also where the
// project has errors.
type Info struct {
	c       *checker
	modules []*ModuleInfo
	byFile  map[*span.File]*ModuleInfo
}

func newInfo(c *checker) *Info { return &Info{c: c, byFile: map[*span.File]*ModuleInfo{}} }

func (in *Info) addModule(m *module) *ModuleInfo {
	mi := &ModuleInfo{Module: m.core, m: m, in: in}
	in.modules = append(in.modules, mi)
	in.byFile[m.core.File] = mi
	return mi
}

// Members lists what may stand after a dot: a module's public names, a service's
// operations, or the fields of a value of a type (a core.Type).
func (in *Info) Members(of any) []Name {
	var out []Name
	switch of := of.(type) {
	case *core.Module:
		m := in.c.byPath[of.Path]
		if m == nil {
			return nil
		}
		for _, table := range []map[string]*symbol{m.values, m.types} {
			for _, n := range sortedNames(table) {
				if s := table[n.Text]; s.pub && s.via == nil {
					out = append(out, n)
				}
			}
		}
	case *core.Service:
		for _, op := range of.Ops {
			out = append(out, Name{op.Name, op})
		}
	case *core.Con:
		if of.Def.Kind == core.Record || of.Def.Kind == core.Wrapper && of.Def != in.c.std.Map && of.Def != in.c.std.Set {
			for _, f := range of.Def.Ctors[0].Fields {
				out = append(out, Name{f.Name, f})
			}
		}
	case *core.Tuple:
		for i := range of.Elems {
			out = append(out, Name{itoa(i), nil})
		}
	}
	return out
}

// PipeTargets lists the public functions of the module that declares a type
// which take a value of it first: what a pipe finds besides what is in scope.
func (in *Info) PipeTargets(t core.Type) []*core.Func {
	con, ok := t.(*core.Con)
	if !ok || in.c.byPath[con.Def.Module.Path] == nil {
		return nil
	}
	var out []*core.Func
	for _, fn := range in.c.byPath[con.Def.Module.Path].core.Funcs {
		if !fn.Pub || len(fn.Params) == 0 {
			continue
		}
		if first, ok := fn.Params[0].Type.(*core.Con); ok && first.Def == con.Def {
			out = append(out, fn)
		}
	}
	return out
}

// Module is the information about a file, nil when it is not of this project.
func (in *Info) Module(f *span.File) *ModuleInfo { return in.byFile[f] }

// Uses lists every place that names a definition, its own declaration aside.
func (in *Info) Uses(def any) []span.Span {
	var out []span.Span
	for _, mi := range in.modules {
		mi.sort()
		for _, u := range mi.uses {
			if u.Def == def {
				out = append(out, mi.Module.File.Span(u.Start, u.End))
			}
		}
	}
	return out
}

// Use is a place that names a definition: *core.Local, *core.Func,
// *core.TypeDef, *core.Param, *core.Ctor, *core.Field, *core.Const,
// *core.Service, *core.Operation or *core.Module.
type Use struct {
	Start, End int
	Def        any
}

// ModuleInfo is the information about one file.
type ModuleInfo struct {
	Module *core.Module
	m      *module
	in     *Info
	uses   []Use
	locals []localScope
	sorted bool
}

// localScope is where a local can be named.
type localScope struct {
	local    *core.Local
	from, to int
}

func (mi *ModuleInfo) use(at span.Span, def any) {
	if at.File == mi.Module.File && def != nil {
		mi.uses = append(mi.uses, Use{at.Start, at.End, def})
	}
}

func (mi *ModuleInfo) local(l *core.Local, from, to int) {
	mi.locals = append(mi.locals, localScope{l, from, to})
}

// sort brings the uses in order of place and drops repetitions.
func (mi *ModuleInfo) sort() {
	if mi.sorted {
		return
	}
	mi.sorted = true
	sort.SliceStable(mi.uses, func(i, j int) bool { return mi.uses[i].Start < mi.uses[j].Start })
	kept := mi.uses[:0]
	for i, u := range mi.uses {
		if i > 0 && kept[len(kept)-1] == u {
			continue
		}
		kept = append(kept, u)
	}
	mi.uses = kept
}

// AllUses lists the file's uses in order of place.
func (mi *ModuleInfo) AllUses() []Use {
	mi.sort()
	return mi.uses
}

// DefinitionAt is what the name at an offset stands for, and that name's place.
// It finds declarations too. It is nil where there is no name.
func (mi *ModuleInfo) DefinitionAt(offset int) (any, span.Span) {
	mi.sort()
	i := sort.Search(len(mi.uses), func(i int) bool { return mi.uses[i].Start > offset })
	for i--; i >= 0 && i < len(mi.uses); i-- {
		u := mi.uses[i]
		if offset <= u.End {
			return u.Def, mi.Module.File.Span(u.Start, u.End)
		}
		if u.Start < offset-256 {
			break
		}
	}
	return mi.declarationAt(offset)
}

func (mi *ModuleInfo) declarationAt(offset int) (found any, at span.Span) {
	try := func(def any, place span.Span) {
		if found == nil && place.File == mi.Module.File && place.Contains(offset) && place.End > place.Start {
			found, at = def, place
		}
	}
	for _, s := range mi.locals {
		try(s.local, s.local.At)
	}
	for _, fn := range mi.Module.Funcs {
		try(fn, fn.At)
	}
	for _, k := range mi.Module.Consts {
		try(k, k.At)
	}
	for _, s := range mi.Module.Services {
		try(s, s.At)
		for _, op := range s.Ops {
			try(op, op.At)
		}
	}
	for _, t := range mi.Module.Types {
		try(t, t.At)
		for _, ctor := range t.Ctors {
			try(ctor, ctor.At)
			for _, f := range ctor.Fields {
				try(f, f.At)
			}
		}
	}
	return found, at
}

// PlaceOf is where a definition is declared.
func PlaceOf(def any) span.Span {
	switch def := def.(type) {
	case *core.Local:
		return def.At
	case *core.Func:
		return def.At
	case *core.TypeDef:
		return def.At
	case *core.Ctor:
		return def.At
	case *core.Field:
		return def.At
	case *core.Const:
		return def.At
	case *core.Service:
		return def.At
	case *core.Operation:
		return def.At
	case *core.Module:
		if def.File != nil {
			return def.File.Span(0, 0)
		}
	}
	return span.Span{}
}

// TypeAt is the type of the smallest expression or pattern around an offset and
// its place, nil where there is none or its type is not known.
func (mi *ModuleInfo) TypeAt(offset int) (core.Type, span.Span) {
	s := &typeSearch{file: mi.Module.File, offset: offset}
	for _, fn := range mi.Module.Funcs {
		if fn.Body != nil && fn.Span.Contains(offset) {
			s.expr(fn.Body)
		}
	}
	for _, k := range mi.Module.Consts {
		if k.Value != nil {
			s.expr(k.Value)
		}
	}
	for _, t := range mi.Module.Types {
		for _, ctor := range t.Ctors {
			for _, f := range ctor.Fields {
				if f.Default != nil {
					s.expr(f.Default)
				}
			}
		}
	}
	for _, t := range mi.Module.Tests {
		s.test(t)
	}
	return s.found, s.at
}

// typeSearch keeps the smallest typed place around an offset.
type typeSearch struct {
	file   *span.File
	offset int
	found  core.Type
	at     span.Span
}

func (s *typeSearch) offer(at span.Span, t core.Type) {
	if t == nil || at.File != s.file || !at.Contains(s.offset) || has(t, func(t core.Type) bool { return t == bad || isOpen(t) }) {
		return
	}
	if s.found == nil || at.End-at.Start < s.at.End-s.at.Start {
		s.found, s.at = t, at
	}
}

func (s *typeSearch) expr(x core.Expr) {
	if x == nil {
		return
	}
	s.offer(x.Pos(), x.TypeOf())
	switch x := x.(type) {
	case *badExpr:
		for _, p := range x.parts {
			s.expr(p)
		}
	case *core.Let:
		s.pattern(x.Pat)
	case *core.Match:
		for _, a := range x.Arms {
			s.pattern(a.Pat)
		}
	case *core.Lambda:
		for _, p := range x.Params {
			s.offer(p.At, p.Type)
		}
	}
	core.EachChild(x, s.expr)
}

func (s *typeSearch) pattern(p core.Pattern) {
	s.offer(p.Pos(), p.TypeOf())
	switch p := p.(type) {
	case *core.PCtor:
		s.patterns(p.Args)
	case *core.PTuple:
		s.patterns(p.Elems)
	case *core.PList:
		s.patterns(p.Elems)
		if p.Rest != nil {
			s.offer(p.Rest.At, p.Rest.Type)
		}
	case *core.POr:
		s.patterns(p.Alts)
	case *core.PAs:
		s.offer(p.Local.At, p.Local.Type)
		s.pattern(p.Pat)
	}
}

func (s *typeSearch) patterns(ps []core.Pattern) {
	for _, p := range ps {
		s.pattern(p)
	}
}

func (s *typeSearch) test(t *core.Test) {
	for _, st := range t.Stmts {
		switch st := st.(type) {
		case *core.TestLet:
			s.pattern(st.Pat)
			s.expr(st.Value)
		case *core.Expect:
			s.expr(st.X)
		case *core.Given:
			s.patterns(st.Args)
			s.expr(st.Value)
		}
	}
}

// Name is a name in scope and what it stands for.
type Name struct {
	Text string
	Def  any
}

// NamesAt lists what an offset could name: locals first, innermost first, then
// the module's own and imported names, modules, and the standard library's.
// Types and values may share a name.
func (mi *ModuleInfo) NamesAt(offset int) []Name {
	var locals []localScope
	for _, s := range mi.locals {
		if s.from <= offset && offset <= s.to {
			locals = append(locals, s)
		}
	}
	sort.SliceStable(locals, func(i, j int) bool { return locals[i].from > locals[j].from })
	var out []Name
	seen := map[string]bool{}
	for _, s := range locals {
		if !seen[s.local.Name] {
			seen[s.local.Name] = true
			out = append(out, Name{s.local.Name, s.local})
		}
	}
	c := mi.in.c
	for _, table := range []map[string]*symbol{mi.m.values, mi.m.types, mi.m.implied, c.stdValues, c.stdTypes} {
		out = append(out, sortedNames(table)...)
	}
	var mods []Name
	for n, imp := range mi.m.mods {
		mods = append(mods, Name{n, imp.mod.core})
	}
	for n, m := range c.stdModules {
		if mi.m.mods[n] == nil {
			mods = append(mods, Name{n, m.core})
		}
	}
	sort.Slice(mods, func(i, j int) bool { return mods[i].Text < mods[j].Text })
	return append(out, mods...)
}

func sortedNames(table map[string]*symbol) []Name {
	out := make([]Name, 0, len(table))
	for n, s := range table {
		if _, ok := s.def.(ambiguity); !ok {
			out = append(out, Name{n, defOf(s.def)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Text < out[j].Text })
	return out
}
