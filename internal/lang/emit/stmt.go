package emit

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// stmts writes statements in a row. last says that they end the function: a
// Return there need only leave its value, and where control could fall off the
// end of a function that has a result (it never does) the code must say so.
func (w *writer) stmts(body []ir.Stmt, last bool) {
	for i, s := range body {
		if ret, ok := s.(*ir.Return); ok && last && i == len(body)-1 {
			if ret.X != nil {
				w.expr(ret.X)
			}
			return
		}
		w.stmt(s)
	}
	if last && w.result != ir.None {
		w.code.Op(wasm.Unreachable)
	}
}

func (w *writer) stmt(s ir.Stmt) {
	switch s := s.(type) {
	case *ir.Set:
		w.expr(s.X)
		w.code.Local(wasm.LocalSet, w.slots[s.Local])
	case *ir.SetGlobal:
		w.expr(s.X)
		w.global(wasm.GlobalSet, s.Global, "")
	case *ir.Store:
		w.expr(s.Addr)
		w.expr(s.X)
		w.store(s)
	case *ir.Copy:
		w.expr(s.Dst)
		w.expr(s.Src)
		w.expr(s.Size)
		w.code.MemoryCopy()
	case *ir.Do:
		w.expr(s.X)
		w.code.Op(wasm.Drop)
	case *ir.CallStmt:
		w.exprs(s.Args)
		w.call(s.Func)
	case *ir.HostStmt:
		w.exprs(s.Args)
		w.host(s.Import)
	case *ir.If:
		w.ifElse(s)
	case *ir.Block:
		w.code.Block()
		w.labels = append(w.labels, s.Label)
		w.stmts(s.Body, false)
		w.close()
	case *ir.Loop:
		w.code.Loop()
		w.labels = append(w.labels, s.Label)
		w.stmts(s.Body, false)
		w.close()
	case *ir.Break:
		w.branch(s.Label, s.Test, true)
	case *ir.Continue:
		w.branch(s.Label, s.Test, false)
	case *ir.Switch:
		w.switchOn(s)
	case *ir.Return:
		if s.X != nil {
			w.expr(s.X)
		}
		w.code.Op(wasm.Return)
	case *ir.Fault:
		w.faultAt(s.Site)
	case *ir.Gas:
		w.takeGas(s)
	default:
		w.fail("no such statement: %T", s)
	}
}

// close ends the innermost block.
func (w *writer) close() {
	w.code.Op(wasm.End)
	w.labels = w.labels[:len(w.labels)-1]
}

func (w *writer) ifElse(s *ir.If) {
	test, then, other := s.Test, s.Then, s.Else
	if x, ok := not(test); ok && (len(then) == 0 || len(other) == 0 && leaves(then) || negated(test)) {
		test, then, other = x, other, then
	}
	w.expr(test)
	if len(then) == 0 && len(other) == 0 {
		w.code.Op(wasm.Drop)
		return
	}
	w.code.If()
	w.labels = append(w.labels, nil)
	w.stmts(then, false)
	if len(other) > 0 {
		w.code.Op(wasm.Else)
		w.stmts(other, false)
	}
	w.close()
}

// branch writes a jump to a label. One with a test is an if around a plain
// jump, since the engine joins a comparison with the jump that follows only when
// no other path leads to the jump's target.
func (w *writer) branch(label *ir.Label, test ir.Expr, away bool) {
	if test == nil {
		w.code.Branch(wasm.Br, w.depth(label))
		return
	}
	x, inverted := not(test)
	inverted = inverted && (away || negated(test))
	if inverted {
		test = x
	}
	w.expr(test)
	w.code.If()
	if inverted {
		w.code.Op(wasm.Else)
	}
	w.code.Branch(wasm.Br, w.depth(label)+1)
	w.code.Op(wasm.End)
}

// depth is how many blocks stand between here and that of the label.
func (w *writer) depth(label *ir.Label) int {
	for i := range w.labels {
		if w.labels[len(w.labels)-1-i] == label {
			return i
		}
	}
	w.fail("a branch to %q outside of it", label.Name)
	return 0
}

// switchOn writes a br_table out of nested blocks: behind the end of the i-th
// from inside stands Cases[i], behind the last but one the Default.
func (w *writer) switchOn(s *ir.Switch) {
	n := len(s.Cases)
	depths := make([]int, n)
	for i := range n + 2 {
		w.code.Block()
		w.labels = append(w.labels, nil)
		if i < n {
			depths[i] = i
		}
	}
	w.expr(s.X)
	w.code.BrTable(depths, n)
	for i, body := range s.Cases {
		w.close()
		w.stmts(body, false)
		w.code.Branch(wasm.Br, n-i)
	}
	w.close()
	w.stmts(s.Default, false)
	w.close()
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
	w.addGas(ir.I64Sub, cost)
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	w.code.I64Const(0)
	w.code.Op(ir.I64GeS.Code())
	w.code.If()
	w.code.Op(wasm.Else)
	w.code.I32Const(s.Site)
	w.code.Call(w.yield)
	w.addGas(ir.I64Add, cost)
	w.code.Branch(wasm.Br, 1)
	w.code.Op(wasm.End)
	w.code.Op(wasm.End)
}

func (w *writer) addGas(op ir.Op, cost func()) {
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	cost()
	w.code.Op(op.Code())
	w.global(wasm.GlobalSet, w.gas, abi.GlobalGas)
}
