// Package emit turns the compiler's middle form into a WebAssembly module.
//
// It is the last stage and makes no choices of its own worth telling: an
// expression becomes the stack code of its tree, a statement the instruction
// of the same meaning, a label the depth of its block. What the module needs of
// its host follows from what it uses:
//
//	imports   those of the module's imports that some function calls, all from "tow"
//	memory    one, of a fixed size, exported as "memory"
//	globals   all, exported under their Export names
//	exports   the functions named in Exports
//
// Faults and gas each go through one small function of the module ("fault",
// "yield") that calls the import of that name, since a direct call is a tenth of
// the code of an imported one and there are very many of them. A charge is taken
// again after each yield until it leaves gas that is not negative, so the host
// must grant some or not come back.
//
// The code is shaped for the engine, wazero's compiler: see shape.go for the order
// of blocks, gas.go for gas in a register, bounds.go for checks of addresses.
package emit

import (
	"fmt"
	"slices"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// MemoryExport is the name under which the memory is exported.
const MemoryExport = "memory"

// Module is the module in WebAssembly's binary format, with a name section and
// no manifest. An error is a fault of the compiler: a function, import or global
// that the module uses and does not list. ir.Verify finds all others.
func Module(m *ir.Module) ([]byte, error) {
	out, err := Translate(m)
	if err != nil {
		return nil, err
	}
	return out.Encode(), nil
}

// Translate is Module before it is encoded.
func Translate(m *ir.Module) (*wasm.Module, error) {
	e := &emitter{
		funcs:   make(map[*ir.Func]int, len(m.Funcs)),
		imports: map[*ir.Import]int{},
		globals: make(map[*ir.Global]int, len(m.Globals)),
	}
	e.out.Memory = &wasm.Memory{Min: m.Pages, Max: m.Pages}
	use := scan(m)
	e.listImports(m, use)
	for i, g := range m.Globals {
		e.globals[g] = i
		e.out.Globals = append(e.out.Globals, wasm.Global{Type: valType(g.Type), Init: g.Init})
		switch g.Export {
		case abi.GlobalGas:
			e.gas = g
		case abi.GlobalHeap:
			e.heap = g
		case abi.GlobalLimit:
			e.limit = g
		}
	}
	for i, f := range m.Funcs {
		e.funcs[f] = len(e.out.Imports) + i
	}
	e.trampolines(len(m.Funcs), use)
	for _, f := range m.Funcs {
		if err := e.function(f); err != nil {
			return nil, fmt.Errorf("emit %s: %w", f.Name, err)
		}
	}
	e.out.Funcs = append(e.out.Funcs, e.tail...)
	if err := e.exports(m); err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	if len(m.Data) > 0 {
		e.out.Data = []wasm.Data{{Offset: abi.StaticBase, Bytes: m.Data}}
	}
	return &e.out, nil
}

// emitter holds the numbers of everything in the module that is made.
type emitter struct {
	out              wasm.Module
	funcs            map[*ir.Func]int
	imports          map[*ir.Import]int
	globals          map[*ir.Global]int
	gas, heap, limit *ir.Global
	fault, yield     int // the trampolines' numbers, -1 without
	tail             []wasm.Func
}

// The imports that emission itself calls.
const (
	faultName = "fault"
	yieldName = "yield"
)

// listImports numbers the imports in use, in the order of the module.
func (e *emitter) listImports(m *ir.Module, use *uses) {
	for _, imp := range m.Imports {
		if !use.imports[imp] && !(imp.Name == faultName && use.fault) && !(imp.Name == yieldName && use.yield) {
			continue
		}
		e.imports[imp] = len(e.out.Imports)
		e.out.Imports = append(e.out.Imports, wasm.Import{
			Module: abi.ImportModule, Name: imp.Name, Type: funcType(imp.Params, imp.Result),
		})
	}
}

// trampolines makes the functions through which faults and gas reach the host.
// They stand behind the module's n functions.
func (e *emitter) trampolines(n int, use *uses) {
	add := func(name string, returns bool) int {
		for imp, i := range e.imports {
			if imp.Name != name {
				continue
			}
			var c wasm.Code
			c.Local(wasm.LocalGet, 0)
			c.Call(i)
			if !returns {
				c.Op(wasm.Unreachable)
			}
			e.tail = append(e.tail, wasm.Func{Name: name, Type: funcType([]ir.Type{ir.I32}, ir.None), Code: c.Bytes()})
			return len(e.out.Imports) + n + len(e.tail) - 1
		}
		return -1
	}
	e.fault, e.yield = -1, -1
	if use.fault {
		e.fault = add(faultName, false)
	}
	if use.yield {
		e.yield = add(yieldName, true)
	}
}

func (e *emitter) exports(m *ir.Module) error {
	e.out.Exports = append(e.out.Exports, wasm.Export{Name: MemoryExport, Kind: wasm.ExportMemory})
	for i, g := range m.Globals {
		if g.Export != "" {
			e.out.Exports = append(e.out.Exports, wasm.Export{Name: g.Export, Kind: wasm.ExportGlobal, Index: uint32(i)})
		}
	}
	for _, x := range m.Exports {
		i, ok := e.funcs[x.Func]
		if !ok {
			return fmt.Errorf("the export %q names a function that the module does not list", x.Name)
		}
		e.out.Exports = append(e.out.Exports, wasm.Export{Name: x.Name, Kind: wasm.ExportFunc, Index: uint32(i)})
	}
	return nil
}

// function appends one function.
func (e *emitter) function(f *ir.Func) error {
	w := &writer{emitter: e, slots: make([]int, len(f.Locals)), result: f.Result, reach: survey(f)}
	// Locals are grouped by type, which the format can say in two bytes a group.
	order := make([]int, 0, len(f.Locals)-f.Params)
	for i := range f.Locals {
		if w.slots[i] = i; i >= f.Params {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(f.Locals[a]) - int(f.Locals[b]) })
	out := wasm.Func{Name: f.Name, Type: funcType(f.Locals[:f.Params], f.Result)}
	for i, l := range order {
		w.slots[l] = f.Params + i
		out.Locals = append(out.Locals, valType(f.Locals[l]))
	}
	w.locals = len(f.Locals)
	w.enterGas(f.Body)
	if w.gasIn.local >= 0 {
		out.Locals = append(out.Locals, wasm.I64)
	}
	w.stmts(f.Body, true)
	for _, t := range w.extra {
		out.Locals = append(out.Locals, valType(t))
	}
	out.Code = w.code.Bytes()
	e.out.Funcs = append(e.out.Funcs, out)
	return w.err
}

func funcType(params []ir.Type, result ir.Type) wasm.FuncType {
	var t wasm.FuncType
	for _, p := range params {
		t.Params = append(t.Params, valType(p))
	}
	if result != ir.None {
		t.Results = []wasm.ValType{valType(result)}
	}
	return t
}

func valType(t ir.Type) wasm.ValType {
	switch t {
	case ir.I64:
		return wasm.I64
	case ir.F64:
		return wasm.F64
	}
	return wasm.I32
}
