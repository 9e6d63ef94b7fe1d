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
		w.branch(s.Label, s.Test)
	case *ir.Continue:
		w.branch(s.Label, s.Test)
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
	w.expr(s.Test)
	then, other := s.Then, s.Else
	if len(then) == 0 && len(other) > 0 {
		w.code.Op(wasm.I32Eqz)
		then, other = other, nil
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

func (w *writer) branch(label *ir.Label, test ir.Expr) {
	op := byte(wasm.Br)
	if test != nil {
		w.expr(test)
		op = wasm.BrIf
	}
	for depth := range w.labels {
		if w.labels[len(w.labels)-1-depth] == label {
			w.code.Branch(op, depth)
			return
		}
	}
	w.fail("a branch to %q outside of it", label.Name)
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
func (w *writer) takeGas(s *ir.Gas) {
	if w.yield < 0 {
		w.fail("the module does not list the import %q", yieldName)
	}
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	w.expr(s.Cost)
	w.code.Op(wasm.I64Sub)
	w.global(wasm.GlobalSet, w.gas, abi.GlobalGas)
	w.global(wasm.GlobalGet, w.gas, abi.GlobalGas)
	w.code.I64Const(0)
	w.code.Op(wasm.I64LtS)
	w.code.If()
	w.code.I32Const(s.Site)
	w.code.Call(w.yield)
	w.code.Op(wasm.End)
}
