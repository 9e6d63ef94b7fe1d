// Package abi is the memory contract between a compiled module and its host.
//
// A Schema lists the types that cross the boundary, with the layout that the
// compiler chose for each; the codec makes its plans from it and needs nothing
// else. Values have these forms (one WebAssembly value each):
//
//	Bool, Enum          i32  0/1, the tag
//	Int, Duration, Instant   i64  nanoseconds; nanoseconds since the Unix epoch
//	Date                i32  days since the Unix epoch
//	Float               f64
//	String, Json        i64  address<<32 | bytes
//	List                i64  (address | owner bit)<<32 | count
//	Decimal, Money      i64  packed, see Decimal and Money in numbers.go
//	Record, Tuple       i32  address of the fields, 8-aligned; the empty tuple is 0
//	Variant             i32  address of {tag u32, fields}
//	Map, Set            i32  address of a tree's node, a Variant
//	Option              see OptionForm
//	Wrapper             as what it wraps
package abi

import "slices"

// Version is raised when modules built before cannot run on hosts built after.
const Version = 1

// The exported globals and the imported module's name and functions.
const (
	ImportModule = "tow"

	GlobalHeap   = "heap"   // i32, mutable: where the next allocation goes
	GlobalLimit  = "limit"  // i32, mutable: the first address that may not be used
	GlobalGas    = "gas"    // i64, mutable: what may be spent before yield is called
	GlobalDepth  = "depth"  // i32, mutable: calls of recursive functions that may still nest
	GlobalStatus = "status" // i32, mutable: see Status
	GlobalNow    = "now"    // i64, mutable: the request's instant
	GlobalSeed   = "seed"   // i64, mutable: the request's seed

	// StaticBase is the address of the first byte of static data. Addresses
	// below it are never given out, so that 0 can mean "none".
	StaticBase = 1024
	// PageSize is WebAssembly's.
	PageSize = 65536
)

// Status is how an evaluation that may call ended.
type Status int32

// The statuses, as the global "status" and the import "close" carry them.
const (
	Ready Status = iota
	Pending
	Failed
)

// Verdict is what the import "scope" answers.
type Verdict int32

// The verdicts.
const (
	Live Verdict = iota
	Expired
	Shed
)

// ScopeOptional is the flag of a scope that may be shed.
const ScopeOptional = 1

// Kind is a type's kind.
type Kind uint8

// The kinds.
const (
	Bool Kind = iota + 1
	Int
	Float
	Decimal
	Money
	String
	Duration
	Instant
	Date
	Json
	List
	Map
	Set
	Tuple
	Record
	Enum    // a variant whose alternatives are all nullary
	Variant // any other
	Option
	Wrapper
)

var kindNames = [...]string{"", "Bool", "Int", "Float", "Decimal", "Money", "String", "Duration", "Instant",
	"Date", "Json", "List", "Map", "Set", "Tuple", "Record", "Enum", "Variant", "Option", "Wrapper"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "?"
}

// TypeID is an index into Schema.Types.
type TypeID int

// Schema is a module's boundary types. Types may be recursive.
type Schema struct {
	Types []Type `json:"types"`
}

// Type is one type and its layout.
type Type struct {
	Kind   Kind    `json:"kind"`
	Name   string  `json:"name,omitempty"`   // as a user writes it: "Offer", "List<Offer>", "Int?"
	Module string  `json:"module,omitempty"` // of a nominal type: "market/types"
	Doc    string  `json:"doc,omitempty"`
	Elem   TypeID  `json:"elem,omitempty"`   // List, Set, Option, Wrapper; Map's value
	Key    TypeID  `json:"key,omitempty"`    // Map
	Node   TypeID  `json:"node,omitempty"`   // Map, Set: the tree's Variant, see NodeTip
	Fields []Field `json:"fields,omitempty"` // Record, Tuple
	Ctors  []Ctor  `json:"ctors,omitempty"`  // Enum, Variant
	Size   uint32  `json:"size,omitempty"`   // Record, Tuple: bytes behind the address
}

// Map's and Set's tree, as the standard library declares it:
//
//	type Node<K, V> = Tip | Bin(size: Int, key: K, value: V, left: Node<K, V>, right: Node<K, V>)
//
// Set's has no value. size counts the entries in the subtree; left keys are
// less, right keys greater; neither side is more than three times the other's
// size plus one.
const (
	NodeTip = 0 // index of the alternative Tip in Ctors
	NodeBin = 1
)

// Field is a field of a Record, a Tuple or a Ctor.
type Field struct {
	Name    string `json:"name,omitempty"`
	JSON    string `json:"json,omitempty"` // the member's name
	Doc     string `json:"doc,omitempty"`
	Type    TypeID `json:"type"`
	Offset  uint32 `json:"offset"`            // from the address
	Default string `json:"default,omitempty"` // JSON text that stands for an absent member; "" when it must be there
	Private bool   `json:"private,omitempty"`
}

// Ctor is an alternative of a Variant or an Enum; its index is its tag.
type Ctor struct {
	Name   string  `json:"name"`
	JSON   string  `json:"json"`
	Doc    string  `json:"doc,omitempty"`
	Fields []Field `json:"fields,omitempty"`
	Size   uint32  `json:"size,omitempty"`   // bytes behind the address, the tag's four included
	Static uint32  `json:"static,omitempty"` // address of the one cell of a nullary alternative of a Variant
}

// Val is a WebAssembly value type.
type Val uint8

// The value types.
const (
	I32 Val = iota + 1
	I64
	F64
)

// Size is the value's size and alignment in memory.
func (v Val) Size() uint32 {
	if v == I32 {
		return 4
	}
	return 8
}

// Val is the value type that carries a value of the type.
func (s *Schema) Val(id TypeID) Val {
	switch t := &s.Types[id]; t.Kind {
	case Int, Duration, Instant, String, Json, List, Decimal, Money:
		return I64
	case Float:
		return F64
	case Wrapper:
		return s.Val(t.Elem)
	case Option:
		if s.OptionForm(id) == OptionAllOnes {
			return I64
		}
	}
	return I32
}

// OptionForm is how an Option shows its None.
type OptionForm uint8

// The forms.
const (
	// OptionAddress: the element's own address, 0 for None.
	OptionAddress OptionForm = iota + 1
	// OptionAllOnes: the element's i64, all ones for None.
	OptionAllOnes
	// OptionBox: the address of a cell that holds the element, 0 for None.
	OptionBox
)

// OptionForm tells the form of the Option type id.
func (s *Schema) OptionForm(id TypeID) OptionForm {
	elem := s.Types[id].Elem
	for s.Types[elem].Kind == Wrapper {
		elem = s.Types[elem].Elem
	}
	switch t := &s.Types[elem]; t.Kind {
	case String, Json, List:
		return OptionAllOnes
	case Record, Variant:
		return OptionAddress
	case Tuple:
		if len(t.Fields) > 0 {
			return OptionAddress
		}
	}
	return OptionBox
}

// Layout places values one after the other from start, each at its alignment.
// The size is rounded up to 8.
func Layout(start uint32, vals []Val) (offsets []uint32, size uint32) {
	at := start
	for _, v := range vals {
		at = Align(at, v.Size())
		offsets = append(offsets, at)
		at += v.Size()
	}
	return offsets, Align(at, 8)
}

// Align rounds n up to a multiple of a, a power of two.
func Align(n, a uint32) uint32 { return (n + a - 1) &^ (a - 1) }

// Equal reports whether two schemas are the same.
func (s *Schema) Equal(t *Schema) bool {
	return slices.EqualFunc(s.Types, t.Types, func(a, b Type) bool {
		return a.Kind == b.Kind && a.Name == b.Name && a.Module == b.Module && a.Elem == b.Elem && a.Key == b.Key &&
			a.Node == b.Node && a.Size == b.Size && slices.Equal(a.Fields, b.Fields) &&
			slices.EqualFunc(a.Ctors, b.Ctors, func(c, d Ctor) bool {
				return c.Name == d.Name && c.JSON == d.JSON && c.Size == d.Size && c.Static == d.Static && slices.Equal(c.Fields, d.Fields)
			})
	})
}
