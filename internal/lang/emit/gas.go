package emit

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// gas is what a function does with the global gas: a function that charges any
// keeps it in a local, so that charges between two calls do not wait for each
// other's stores. The local is good everywhere; the global is brought up to date
// before whatever else looks at it: calls, the host, and leaving the function.
type gas struct {
	local   int  // the WebAssembly local, -1 without
	stale   bool // the global may be behind the local
	charges int  // how many were written so far
}

// charges reports that a body charges gas or sets the global.
func charges(body []ir.Stmt, gas *ir.Global) bool {
	found := false
	ir.Inspect(body, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Gas:
			found = true
		case *ir.SetGlobal:
			found = found || s.Global == gas
		}
	}, nil)
	return found
}

// spends reports that a body charges gas, or writes the global itself.
func (w *writer) spends(body []ir.Stmt) bool {
	found := false
	ir.Inspect(body, func(s ir.Stmt) {
		switch s := s.(type) {
		case *ir.Gas:
			found = true
		case *ir.SetGlobal:
			found = found || s.Global == w.gas
		}
	}, nil)
	return found
}

// getGlobal reads a global; gas is read where it is good.
func (w *writer) getGlobal(g *ir.Global) {
	if g == w.gas && w.gasIn.local >= 0 {
		w.code.Local(wasm.LocalGet, w.gasIn.local)
		return
	}
	w.global(wasm.GlobalGet, g, "")
}

// setGlobal writes a global.
func (w *writer) setGlobal(g *ir.Global) {
	if g == w.gas && w.gasIn.local >= 0 {
		w.code.Local(wasm.LocalSet, w.gasIn.local)
		w.gasIn.stale = true
		w.gasIn.charges++
		return
	}
	w.global(wasm.GlobalSet, g, "")
}

// enterGas begins a function.
func (w *writer) enterGas(body []ir.Stmt) {
	w.gasIn.local = -1
	if !charges(body, w.gas) {
		return
	}
	w.gasIn.local = w.locals
	w.locals++
	w.loadGas()
}

func (w *writer) loadGas() {
	if w.gasIn.local < 0 {
		return
	}
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	w.code.Local(wasm.LocalSet, w.gasIn.local)
	w.gasIn.stale = false
}

// storeGas brings the global up to date.
func (w *writer) storeGas() {
	if w.gasIn.local < 0 || !w.gasIn.stale {
		return
	}
	w.code.Local(wasm.LocalGet, w.gasIn.local)
	w.global(wasm.GlobalSet, w.gas, abi.GlobalGas)
	w.gasIn.stale = false
}

// leaveWithGas is storeGas on a path that ends, which tells nothing of others.
func (w *writer) leaveWithGas() {
	stale := w.gasIn.stale
	w.storeGas()
	w.gasIn.stale = stale
}

// takeGas spends gas and asks for more below zero.
//
// The call stands on a path of its own that gives back what was taken and goes
// round again: were it merely skipped, the engine's register allocation would
// keep everything that lives across it in memory on the common path too.
func (w *writer) takeGas(s *ir.Gas) {
	if w.yield < 0 {
		w.fail("the module does not list the import %q", yieldName)
	}
	cost := func() { w.expr(s.Cost) }
	if _, ok := s.Cost.(*ir.Const); !ok {
		w.expr(s.Cost)
		w.code.Local(wasm.LocalSet, w.scratch(ir.I64))
		cost = func() { w.code.Local(wasm.LocalGet, w.scratch(ir.I64)) }
	}
	w.code.Loop()
	w.code.Local(wasm.LocalGet, w.gasIn.local)
	cost()
	w.code.Op(ir.I64Sub.Code())
	w.code.Local(wasm.LocalSet, w.gasIn.local)
	w.code.Local(wasm.LocalGet, w.gasIn.local)
	w.code.I64Const(0)
	w.code.Op(ir.I64GeS.Code())
	w.code.If()
	w.code.Op(wasm.Else)
	w.gasIn.stale = true
	w.storeGas()
	w.code.I32Const(s.Site)
	w.code.Call(w.yield)
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	cost()
	w.code.Op(ir.I64Add.Code())
	w.code.Local(wasm.LocalSet, w.gasIn.local)
	w.code.Branch(wasm.Br, 1)
	w.code.Op(wasm.End)
	w.code.Op(wasm.End)
	w.gasIn.stale = true
	w.gasIn.charges++
}
