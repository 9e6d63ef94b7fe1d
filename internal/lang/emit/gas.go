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
	cost := func() { w.expr(s.Cost) }
	if _, ok := s.Cost.(*ir.Const); !ok {
		w.expr(s.Cost)
		w.code.Local(wasm.LocalSet, w.scratch(ir.I64))
		cost = func() { w.code.Local(wasm.LocalGet, w.scratch(ir.I64)) }
	}
	w.charge(cost, func() {
		w.yieldAt(s.Site)
		w.moveGas(ir.I64Add, cost)
	})
}

// takeAll is takeGas for charges in a row. Taken together they run out when the
// last of them does; only then is each taken by itself, to see which it is.
func (w *writer) takeAll(list []*ir.Gas) {
	if len(list) == 1 {
		w.takeGas(list[0])
		return
	}
	sum := int64(0)
	for _, s := range list {
		sum += int64(s.Cost.(*ir.Const).Bits)
	}
	total := func() { w.code.I64Const(sum) }
	w.charge(total, func() {
		w.moveGas(ir.I64Add, total)
		for _, s := range list {
			w.takeGas(s)
		}
		w.moveGas(ir.I64Add, total)
	})
}

// charge takes gas and, when that leaves less than zero, runs refill and tries
// again. Refill gives the charge back.
func (w *writer) charge(cost, refill func()) {
	if w.yield < 0 {
		w.fail("the module does not list the import %q", yieldName)
	}
	w.code.Loop()
	w.moveGas(ir.I64Sub, cost)
	w.code.Local(wasm.LocalGet, w.gasIn.local)
	w.code.I64Const(0)
	w.code.Op(ir.I64GeS.Code())
	w.code.If()
	w.code.Op(wasm.Else)
	refill()
	w.code.Branch(wasm.Br, 1)
	w.code.Op(wasm.End)
	w.code.Op(wasm.End)
	w.gasIn.stale = true
	w.gasIn.charges++
}

func (w *writer) moveGas(op ir.Op, by func()) {
	w.code.Local(wasm.LocalGet, w.gasIn.local)
	by()
	w.code.Op(op.Code())
	w.code.Local(wasm.LocalSet, w.gasIn.local)
}

// yieldAt lets the host look at the gas, and change it.
func (w *writer) yieldAt(site int32) {
	w.gasIn.stale = true
	w.storeGas()
	w.code.I32Const(site)
	w.code.Call(w.yield)
	w.loadGas()
}

// run is how many statements from the start of a body can be taken as a row of
// charges and what commutes with them: assignments and stores of values without
// effects. It gives the charges, if they are more than one.
func (w *writer) run(body []ir.Stmt) []*ir.Gas {
	var list []*ir.Gas
	for _, s := range body {
		switch s := s.(type) {
		case *ir.Gas:
			if c, ok := s.Cost.(*ir.Const); !ok || c.Bits > maxMerged {
				return list
			}
			list = append(list, s)
		case *ir.Set:
			if !w.apart(s.X) {
				return list
			}
		case *ir.Store:
			if !w.apart(s.Addr) || !w.apart(s.X) {
				return list
			}
		default:
			return list
		}
	}
	return list
}

// maxMerged bounds the charges that are taken together, so that their sum fits.
const maxMerged = 1 << 32

// apart reports that an expression neither has effects nor looks at gas.
func (w *writer) apart(e ir.Expr) bool {
	switch e := e.(type) {
	case *ir.Const, *ir.Get:
		return true
	case *ir.GetGlobal:
		return e.Global != w.gas
	case *ir.Unary:
		return w.apart(e.X)
	case *ir.Binary:
		return w.apart(e.X) && w.apart(e.Y)
	case *ir.Load:
		return w.apart(e.Addr)
	case *ir.Cond:
		return w.apart(e.Test) && w.apart(e.Then) && w.apart(e.Else)
	}
	return false
}
