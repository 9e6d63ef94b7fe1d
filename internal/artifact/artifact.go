// Package artifact is what the compiler hands on: a WebAssembly module with its
// manifest inside, one file.
//
// The manifest is JSON in the custom section "tow.manifest". It says all that a
// host needs to serve the module: types with their layout, views, the
// operations that they may ask, and what the numbers of faults and scopes mean
// in the source.
package artifact

import "towpath.dev/internal/abi"

// Section is the custom section that holds the manifest.
const Section = "tow.manifest"

// Manifest describes a module.
type Manifest struct {
	ABI        int         `json:"abi"`     // abi.Version
	Program    string      `json:"program"` // from tow.toml
	Toolchain  string      `json:"toolchain"`
	SourceHash string      `json:"sourceHash"` // sha256 of the sources, hex
	HeapBase   uint32      `json:"heapBase"`   // first address after the static data, 8-aligned
	Pages      uint32      `json:"pages"`      // the memory's size in pages, fixed
	Schema     abi.Schema  `json:"schema"`
	Views      []View      `json:"views"`
	Operations []Operation `json:"operations"`
	Files      []string    `json:"files"`
	Sites      []Site      `json:"sites"` // of faults, by number
	Scopes     []Scope     `json:"scopes"`
}

// View is an exported view.
type View struct {
	Module   string     `json:"module"`
	Name     string     `json:"name"`
	Doc      string     `json:"doc,omitempty"`
	Export   string     `json:"export"` // the exported function: (i32 input, i32 heap, i64 gas, i32 depth) -> i64 heap<<32 | cell of the result
	Input    abi.TypeID `json:"input"`  // a Record with a field a parameter
	Result   abi.TypeID `json:"result"`
	WithinNS int64      `json:"withinNs,omitempty"`
	Calls    bool       `json:"calls"` // may leave another status than ready
	Callings []Calling  `json:"callings,omitempty"`
	Place    Place      `json:"place"`
}

// QualifiedName is "shop.featured".
func (v *View) QualifiedName() string { return v.Module + "." + v.Name }

// Calling says that a view may ask an operation.
type Calling struct {
	Operation int    `json:"operation"` // index
	Need      string `json:"need"`      // "required", "guarded" or "optional"
}

// Operation is a remote read that the program declares. Its number in the
// import "ask" is its index.
type Operation struct {
	Module     string     `json:"module"`
	Service    string     `json:"service"`
	Name       string     `json:"name"`
	Doc        string     `json:"doc,omitempty"`
	Args       abi.TypeID `json:"args"` // a Record with a field a parameter
	Result     abi.TypeID `json:"result"`
	Batch      int        `json:"batch,omitempty"`
	WithinNS   int64      `json:"withinNs,omitempty"`
	CacheNS    int64      `json:"cacheNs,omitempty"`
	Shared     bool       `json:"shared,omitempty"`
	Idempotent bool       `json:"idempotent,omitempty"`
}

// QualifiedName is "market/services.Catalog.offers".
func (o *Operation) QualifiedName() string { return o.Module + "." + o.Service + "." + o.Name }

// Place is a place in the source. Lines and columns count from 1.
type Place struct {
	File   int `json:"f"` // index in Manifest.Files; -1 for code of the compiler's own
	Line   int `json:"l"`
	Column int `json:"c"`
}

// Site is where a fault can arise, or with Kind 0 where a call stands. In code
// that was put in the place of calls, Through are these calls' sites, innermost
// first.
type Site struct {
	Kind abi.FaultKind `json:"k,omitempty"`
	Func string        `json:"fn"`
	Place
	Through []int32 `json:"in,omitempty"`
}

// Scope is a place of a scope in the source.
type Scope struct {
	Site     uint64 `json:"site"`
	Optional bool   `json:"optional,omitempty"`
	Place
}
