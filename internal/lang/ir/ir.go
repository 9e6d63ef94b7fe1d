// Package ir is the compiler's middle: functions of typed expressions and
// structured statements over WebAssembly's value types and linear memory.
//
// Lowering has already chosen every layout, copied every generic and woven every
// lambda in; optimisation rewrites functions; emission walks them straight into
// WebAssembly. Locals are numbered and may be assigned more than once; control
// is structured, with labels. Memory that an expression loads never changes
// once written (values are immutable), except where Load.Mutable says so.
//
//	func fib(i64) -> i64 {
//	  gas 1 @4
//	  if (lt_s $0 2) { return $0 }
//	  return (call fib (sub $0 1)) + …
//	}
package ir

import "towpath.dev/internal/abi"

// Type is a value type.
type Type = abi.Val

// The value types; None is the type of a function without a result.
const (
	None Type = 0
	I32       = abi.I32
	I64       = abi.I64
	F64       = abi.F64
)

// Module is a whole program.
type Module struct {
	Imports []*Import
	Globals []*Global
	Funcs   []*Func
	Exports []Export
	Data    []byte // placed at abi.StaticBase
	Pages   uint32 // memory's size, fixed

	// Sites is how many sites lowering numbered; those from there on are Inlined.
	Sites   int32
	Inlined []Inlined
	inlined map[Inlined]int32
}

// Inlined is a site in a copied body: the site that was copied, and the site of
// the call that the body stands in place of.
type Inlined struct{ Site, Call int32 }

// InlineSite numbers a copied site.
func (m *Module) InlineSite(site, call int32) int32 {
	key := Inlined{site, call}
	if n, ok := m.inlined[key]; ok {
		return n
	}
	if m.inlined == nil {
		m.inlined = map[Inlined]int32{}
	}
	n := m.Sites + int32(len(m.Inlined))
	m.inlined[key] = n
	m.Inlined = append(m.Inlined, key)
	return n
}

// Import is a function of the host, in the module abi.ImportModule.
type Import struct {
	Name   string
	Params []Type
	Result Type
	// Pure: the answer depends on the arguments and on immutable memory alone,
	// nothing is changed but the heap, and it does not fault: unused calls may go.
	Pure bool
	// NoReturn: never comes back.
	NoReturn bool
}

// Global is a mutable global, exported when it has an Export name.
type Global struct {
	Name   string
	Type   Type
	Init   uint64 // bits
	Export string
}

// Export names a function for the host.
type Export struct {
	Name string
	Func *Func
}

// Func is a function. The first Params locals are its parameters.
type Func struct {
	Name   string // for stack traces: "market/types.rate"
	Params int
	Locals []Type
	Result Type
	Body   []Stmt
	// Inline asks for, NoInline forbids copying the body into callers.
	Inline, NoInline bool
	// Runtime marks the compiler's own functions (equality, allocation): they
	// are not shown in a user's stack.
	Runtime bool
}

// NewLocal adds a local.
func (f *Func) NewLocal(t Type) int {
	f.Locals = append(f.Locals, t)
	return len(f.Locals) - 1
}

// Label names a Block or a Loop within its function, told apart by pointer.
type Label struct{ Name string }

// Expr is an expression; it leaves one value. An expression may stand in several
// places, so that nobody changes one in place that others may hold.
type Expr interface{ Type() Type }

type (
	// Const is a constant, its bits.
	Const struct {
		T    Type
		Bits uint64
	}
	// Get reads a local.
	Get struct {
		T     Type
		Local int
	}
	// GetGlobal reads a global.
	GetGlobal struct{ Global *Global }
	// Unary and Binary apply one WebAssembly operator. None of those used traps:
	// lowering guards the divisions.
	Unary struct {
		Op Op
		X  Expr
	}
	// Binary is the operator on two operands, X evaluated first.
	Binary struct {
		Op   Op
		X, Y Expr
	}
	// Load reads Width bytes (1, 4 or 8; 1 zero-extends into an I32) at
	// Addr+Offset.
	Load struct {
		T       Type
		Width   uint8
		Addr    Expr
		Offset  uint32
		Mutable bool
	}
	// Alloc takes Size bytes (rounded up to 8 by whoever made the expression)
	// from the heap and leaves their address; beyond the limit it faults at
	// Site. The memory is not zeroed.
	Alloc struct {
		Size Expr // I32
		Site int32
	}
	// Call calls a function with a result. At is the site of the call and one
	// more, 0 where the source has none.
	Call struct {
		Func *Func
		Args []Expr
		At   int32
	}
	// Host calls an import with a result.
	Host struct {
		Import *Import
		Args   []Expr
	}
	// Cond chooses between two values, evaluating only the chosen.
	Cond struct {
		Test       Expr // I32
		Then, Else Expr
	}
	// Seq runs statements, then leaves Value. Nothing jumps or returns out of it.
	Seq struct {
		Body  []Stmt
		Value Expr
	}
)

// Stmt is a statement. Each stands in one place only.
type Stmt interface{ stmt() }

type (
	// Set assigns a local.
	Set struct {
		Local int
		X     Expr
	}
	// SetGlobal assigns a global.
	SetGlobal struct {
		Global *Global
		X      Expr
	}
	// Store writes the low Width bytes (1, 4 or 8) of X at Addr+Offset; Addr is
	// evaluated first.
	Store struct {
		Width  uint8
		Addr   Expr
		Offset uint32
		X      Expr
	}
	// Copy moves Size bytes from Src to Dst (memory.copy); all I32.
	Copy struct{ Dst, Src, Size Expr }
	// Do evaluates X for its effects; for functions without a result use
	// CallStmt and HostStmt.
	Do struct{ X Expr }
	// CallStmt calls a function without a result.
	CallStmt struct {
		Func *Func
		Args []Expr
	}
	// HostStmt calls an import without a result.
	HostStmt struct {
		Import *Import
		Args   []Expr
	}
	// If runs one of two bodies.
	If struct {
		Test       Expr
		Then, Else []Stmt
	}
	// Block runs its body; Break to its label leaves it.
	Block struct {
		Label *Label
		Body  []Stmt
	}
	// Loop runs its body once; Continue to its label runs it again from the top.
	Loop struct {
		Label *Label
		Body  []Stmt
	}
	// Break leaves the Block of that label; with Test only if it is not zero.
	Break struct {
		Label *Label
		Test  Expr // nil: always
	}
	// Continue starts the Loop of that label again; with Test only if so.
	Continue struct {
		Label *Label
		Test  Expr
	}
	// Switch runs Cases[X], or Default when X is not below len(Cases).
	Switch struct {
		X       Expr // I32, unsigned
		Cases   [][]Stmt
		Default []Stmt
	}
	// Return leaves the function; X is nil without a result.
	Return struct{ X Expr }
	// Fault ends the request: it calls the import "fault" with Site.
	Fault struct{ Site int32 }
	// Gas takes Cost (I64, never negative) from the global gas and calls the
	// import "yield" with Site when that leaves it below zero. It may be merged
	// with no other, reordered with no call, fault or loop, and never dropped.
	Gas struct {
		Cost Expr
		Site int32
	}
)

func (*Set) stmt()       {}
func (*SetGlobal) stmt() {}
func (*Store) stmt()     {}
func (*Copy) stmt()      {}
func (*Do) stmt()        {}
func (*CallStmt) stmt()  {}
func (*HostStmt) stmt()  {}
func (*If) stmt()        {}
func (*Block) stmt()     {}
func (*Loop) stmt()      {}
func (*Break) stmt()     {}
func (*Continue) stmt()  {}
func (*Switch) stmt()    {}
func (*Return) stmt()    {}
func (*Fault) stmt()     {}
func (*Gas) stmt()       {}

func (e *Const) Type() Type     { return e.T }
func (e *Get) Type() Type       { return e.T }
func (e *GetGlobal) Type() Type { return e.Global.Type }
func (e *Unary) Type() Type     { return ops[e.Op].result }
func (e *Binary) Type() Type    { return ops[e.Op].result }
func (e *Load) Type() Type      { return e.T }
func (*Alloc) Type() Type       { return I32 }
func (e *Call) Type() Type      { return e.Func.Result }
func (e *Host) Type() Type      { return e.Import.Result }
func (e *Cond) Type() Type      { return e.Then.Type() }
func (e *Seq) Type() Type       { return e.Value.Type() }
