// Package core is the checked tree: what the type checker hands on, and all
// that the interpreter and the compiler's back half know of a program.
//
// It is the source with the sugar gone: names are resolved to the things they
// name, pipes are calls, labelled arguments stand in the order of their
// parameters (out-of-order ones are bound by Lets first, so that evaluation
// stays left to right as written), defaults are filled in, literals have their
// type, `&&`, `||`, `??` and `is` are If and Match. Every expression has a Type
// in which no unknowns are left; only the type parameters of the function
// around it remain (*Param).
//
// Evaluation is strict and left to right: the fields of a node in the order in
// which they are declared here.
package core

import (
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/span"
)

// Program is a checked project with the standard library's modules that it uses.
type Program struct {
	Modules []*Module // in order of dependence, imported before importing
	Std     Std
}

// Std gives the standard library's types that the language itself knows.
type Std struct {
	Bool, Int, Float, Decimal, Money, String     *TypeDef
	Duration, Instant, Date, Json                *TypeDef
	List, Map, Set, Option, Result, Order, Round *TypeDef
}

// Module is one file.
type Module struct {
	Path     string // "market/types"; the standard library's are "std/list" and so on
	File     *span.File
	Doc      string
	Types    []*TypeDef
	Consts   []*Const
	Funcs    []*Func // functions and views
	Services []*Service
	Tests    []*Test
}

// TypeKind says how a nominal type was declared.
type TypeKind uint8

// The kinds. Builtin types have no constructors that this tree shows.
const (
	Builtin TypeKind = iota
	Record
	Variant
	Wrapper
)

// TypeDef is a nominal type. Option and Result are Variants, Map and Set are
// Wrappers around the trees that their modules are written with (and have
// Equality, order, hash and JSON by their entries, not by the tree's shape).
type TypeDef struct {
	Module *Module
	Name   string
	Doc    string
	Pub    bool
	At     span.Span // of the name
	Kind   TypeKind
	Params []*Param
	Ctors  []*Ctor // one for a Record or a Wrapper
}

// Ctor builds a value of a Record, a Variant or a Wrapper.
type Ctor struct {
	Def    *TypeDef
	Name   string
	Doc    string
	At     span.Span
	Tag    int    // its index in Def.Ctors
	JSON   string // its name in JSON
	Fields []*Field
}

// Field is a field of a constructor. A wrapper's is named "value"; an unnamed
// one of a variant has Name "".
type Field struct {
	Name    string
	Doc     string
	At      span.Span
	Type    Type
	JSON    string // its name in JSON
	Default Expr   // nil without: used by literals and when absent from JSON
	Private bool
}

// Const is a module's constant.
type Const struct {
	Module *Module
	Name   string
	Doc    string
	Pub    bool
	At     span.Span
	Type   Type
	Value  Expr
}

// FuncKind says what a Func is.
type FuncKind uint8

// The kinds of function. An Intrinsic has no Body.
const (
	Fn FuncKind = iota
	View
	Intrinsic
)

// Func is a function or a view.
type Func struct {
	Module     *Module
	Name       string
	Doc        string
	Pub        bool
	At         span.Span // of the name
	Span       span.Span // of the whole declaration
	Kind       FuncKind
	Intrinsic  string // "list.length"
	TypeParams []*Param
	Params     []*Local
	Result     Type
	Within     int64 // a view's deadline in nanoseconds, 0 without
	Body       Expr

	// Callings are the operations that a call of this function may ask,
	// through whatever it calls and through the lambdas written in it. A
	// lambda that it takes as a parameter is its caller's matter.
	Callings []Calling
	// Loop is set when the function calls itself in tail position (TailSelf):
	// such a call costs gas but no depth.
	Loop bool
	// Recursive is set when the function is part of a cycle of calls other than
	// tail calls of itself. Calls of such functions spend depth.
	Recursive bool
	// Gas is what entering the function costs; see GasOf.
	Gas int64
}

// QualifiedName is "market/types.rate".
func (f *Func) QualifiedName() string { return f.Module.Path + "." + f.Name }

// Need says what becomes of the caller when a call does not answer.
type Need uint8

// The needs, weakest last: without Required the view answers all the same,
// and an Optional call may moreover be shed.
const (
	Required Need = iota
	Guarded
	Optional
)

// Calling is one operation that a function may ask.
type Calling struct {
	Op   *Operation
	Need Need
}

// Service is a declared remote service.
type Service struct {
	Module *Module
	Name   string
	Doc    string
	Pub    bool
	At     span.Span
	Ops    []*Operation
}

// Operation is one remote read.
type Operation struct {
	Service    *Service
	Name       string
	Doc        string
	At         span.Span
	Params     []*Local
	Result     Type
	Batch      int   // at most so many calls a batch; 0 when not declared
	Within     int64 // nanoseconds, 0 when not declared
	Cache      int64 // nanoseconds, 0 when not declared
	Shared     bool  // the cache serves all callers
	Idempotent bool
}

// QualifiedName is "market/services.Catalog.offers".
func (o *Operation) QualifiedName() string {
	return o.Service.Module.Path + "." + o.Service.Name + "." + o.Name
}

// Local is a parameter or a name bound by a pattern. Each binding is a Local of
// its own, told apart by pointer; a function's type is *FuncType only for
// parameters.
type Local struct {
	Name string
	At   span.Span
	Type Type
	// Default fills a parameter that a call leaves out; nil without.
	Default Expr
}

// Test is a test or a prop.
type Test struct {
	Module *Module
	Title  string
	At     span.Span
	Prop   bool
	Params []*Local // a prop's generated inputs
	Stmts  []TestStmt
}

// TestStmt is *TestLet, *Expect or *Given.
type TestStmt interface{ testStmt() }

type (
	// TestLet binds a pattern for the statements after it.
	TestLet struct {
		At    span.Span
		Pat   Pattern
		Value Expr
	}
	// Expect says that X is true.
	Expect struct {
		At span.Span
		X  Expr
	}
	// Given stubs Op, or the clock (Now) or the seed.
	Given struct {
		At      span.Span
		Target  GivenTarget
		Op      *Operation
		Args    []Pattern
		Outcome Outcome
		Value   Expr // in the scope of Args' bindings; nil unless Answers
	}
)

// GivenTarget is what a Given stubs.
type GivenTarget uint8

// The targets of a Given.
const (
	GivenOp GivenTarget = iota
	GivenNow
	GivenSeed
)

// Outcome is what a stubbed call does.
type Outcome uint8

// The outcomes.
const (
	Answers Outcome = iota
	Fails
	Expires
	Shed
)

func (*TestLet) testStmt() {}
func (*Expect) testStmt()  {}
func (*Given) testStmt()   {}

// Money is an exact amount of one currency.
type Money struct {
	Amount   decimal.Decimal
	Currency string // ISO 4217, three capitals
}
