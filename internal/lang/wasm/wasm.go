// Package wasm writes WebAssembly modules: the binary form, and the text form
// for people.
//
// A Module is a plain description of the sections; a Code collects the
// instructions of one function. The package knows the format (WebAssembly Core
// 2.0, chapter 5) and nothing of who emits what. It does not validate: the
// engine that loads the bytes does.
//
//	var c wasm.Code
//	c.Local(wasm.LocalGet, 0)
//	c.I64Const(1)
//	c.Op(wasm.I64Add)
//	m := &wasm.Module{Funcs: []wasm.Func{{
//		Name:   "next",
//		Type:   wasm.FuncType{Params: []wasm.ValType{wasm.I64}, Results: []wasm.ValType{wasm.I64}},
//		Code:   c.Bytes(),
//	}}}
//	binary := m.Encode()
package wasm

// ValType is a value type, by its encoding.
type ValType byte

// The value types that we use.
const (
	I32 ValType = 0x7f
	I64 ValType = 0x7e
	F64 ValType = 0x7c
)

func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F64:
		return "f64"
	}
	return "?"
}

// Module is a module with at most one memory, of its own. Imported functions
// come first in the numbering of functions.
type Module struct {
	Imports []Import
	Funcs   []Func
	Memory  *Memory
	Globals []Global
	Exports []Export
	Data    []Data
	Name    string // for the name section
}

// Import is an imported function.
type Import struct {
	Module, Name string
	Type         FuncType
}

// FuncType is a function's type.
type FuncType struct{ Params, Results []ValType }

// Func is a function. Locals are those after the parameters; Code is the body
// without its closing end.
type Func struct {
	Name   string // for stack traces; may be empty
	Type   FuncType
	Locals []ValType
	Code   []byte
}

// Memory is a memory's size in pages of 64 KiB.
type Memory struct{ Min, Max uint32 }

// Global is a mutable global; Init are the bits of its first value.
type Global struct {
	Type ValType
	Init uint64
}

// Kind is what an export exports.
type Kind byte

// The kinds.
const (
	ExportFunc   Kind = 0
	ExportMemory Kind = 2
	ExportGlobal Kind = 3
)

// Export names a function, memory or global by its number.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Data is bytes that memory holds from the start.
type Data struct {
	Offset uint32
	Bytes  []byte
}
