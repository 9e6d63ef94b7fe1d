// Package types checks syntax trees and elaborates them to the checked tree,
// package core.
//
// Words used throughout. A symbol is what a name at the top of a module stands
// for. A body is one expression tree checked on its own: a function's, a
// constant's, a default's or a test's. A meta is a type that inference has yet
// to find; a literal's meta may only become a number type. The type bad stands
// for what a reported mistake left unknown: it agrees with everything, so that
// one mistake is reported once.
//
// A body is checked in one pass that builds core nodes with metas in their
// types, then finished in a second one that puts the found types in, turns
// literals into values, numbers the sites and collects the calls. Exhaustive
// matches, recursion and callings are worked out from the finished tree.
//
//	var d diag.List
//	prog, info := types.Check([]types.Source{{Path: "shop", File: file}}, &d)
package types

import (
	"strings"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// Source is one module's syntax tree and its path: "market/types" for the
// project's, "std/list" for the standard library's.
type Source struct {
	Path string
	File *syntax.File
}

// Check checks all modules of a project, the standard library's among them. It
// always returns what could be checked; the program may be handed on only when
// d has no errors.
func Check(mods []Source, d *diag.List) (*core.Program, *Info) {
	c := newChecker(d)
	c.collect(mods)
	c.bindStd()
	c.link()
	c.declareTypes()
	c.declareValues()
	c.checkTypeShapes()
	c.checkBodies()
	c.checkBoundaries()
	c.checkCalls()
	c.checkUnused()
	return c.prog, c.info
}

// checker is the state of one Check.
type checker struct {
	diags *diag.List
	prog  *core.Program
	info  *Info
	std   builtins

	modules []*module // in the order of prog.Modules once linked
	byPath  map[string]*module

	// What the standard library puts in scope everywhere.
	stdTypes   map[string]*symbol
	stdValues  map[string]*symbol
	stdModules map[string]*module

	types  map[*core.TypeDef]*typeInfo
	funcs  map[*core.Func]*funcInfo
	fields map[*core.Field]*defaultInfo
	params map[*core.Local]*defaultInfo

	funcList   []*funcInfo
	constList  []*constInfo
	constStack []*constInfo // under check, each wanted by the one before
	guesses    int          // names compared for suggestions
	matchWork  int          // spent on matches
	scopes     []*scopeUse
	idle       *body // a body free for reuse, so that its tables are made once
}

func newChecker(d *diag.List) *checker {
	c := &checker{
		diags:      d,
		prog:       &core.Program{},
		byPath:     map[string]*module{},
		stdTypes:   map[string]*symbol{},
		stdValues:  map[string]*symbol{},
		stdModules: map[string]*module{},
		types:      map[*core.TypeDef]*typeInfo{},
		funcs:      map[*core.Func]*funcInfo{},
		fields:     map[*core.Field]*defaultInfo{},
		params:     map[*core.Local]*defaultInfo{},
	}
	c.info = newInfo(c)
	return c
}

// module is a file under check.
type module struct {
	core    *core.Module
	file    *syntax.File
	std     bool
	types   map[string]*symbol // declared and imported
	values  map[string]*symbol // functions, constants, constructors, services
	mods    map[string]*importedModule
	implied map[string]*symbol // constructors that came along with imported types
	imports []*importUse
	lost    map[string]bool // names of imports that failed, whose uses are no news
	needs   []*module       // what it imports
	info    *ModuleInfo

	typeDecls  []*typeInfo
	funcDecls  []*funcInfo
	constDecls []*constInfo
	opDecls    []*opInfo
	testDecls  []*testInfo
}

// name is the last part of the module's path, by which it is spoken of.
func (m *module) name() string { return lastPart(m.core.Path) }

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// symbol is what a name at the top of a module stands for. An imported name has
// a symbol of its own in the importing module.
type symbol struct {
	def  any // *core.TypeDef, *funcInfo, *constInfo, *core.Ctor or *core.Service
	pub  bool
	at   span.Span // of the name where it is declared
	mod  *module   // that declares it
	via  *importUse
	used bool
}

func (s *symbol) use() {
	s.used = true
	if s.via != nil {
		s.via.used = true
	}
}

// what names the kind of thing that the symbol is, for messages.
func (s *symbol) what() string {
	switch def := s.def.(type) {
	case *core.TypeDef:
		return "type"
	case *funcInfo:
		if def.fn.Kind == core.View {
			return "view"
		}
		return "function"
	case *constInfo:
		return "constant"
	case *core.Ctor:
		return "constructor"
	}
	return "service"
}

// importedModule is a module's name in scope.
type importedModule struct {
	mod *module
	via *importUse
}

// importUse remembers whether an import, or one of its members, is of use.
type importUse struct {
	at   span.Span // of the member's name, or of the whole import
	decl *syntax.Import
	name string
	used bool
}

type (
	typeInfo struct {
		def  *core.TypeDef
		decl *syntax.TypeDecl
		mod  *module
		con  core.Type // the type applied to its own parameters
	}
	funcInfo struct {
		fn    *core.Func
		decl  *syntax.FnDecl
		mod   *module
		sym   *symbol
		calls calls
		index int // in checker.funcList
		// request is set when a call may read the request's clock or seed.
		request bool
	}
	constInfo struct {
		c     *core.Const
		decl  *syntax.ConstDecl
		mod   *module
		sym   *symbol
		state checkState
		calls calls
	}
	opInfo struct {
		op   *core.Operation
		decl *syntax.OpDecl
		mod  *module
	}
	testInfo struct {
		test  *core.Test
		decl  *syntax.TestDecl
		mod   *module
		calls calls
	}
	// defaultInfo is the default of a field or a parameter, checked when it is
	// first wanted.
	defaultInfo struct {
		home  string
		mod   *module
		expr  syntax.Expr
		want  core.Type
		tps   []*core.Param
		out   core.Expr
		state checkState
		calls calls
	}
)

// checkState tells how far a constant or a default is checked.
type checkState uint8

const (
	unchecked checkState = iota
	checking
	checked
)
