package emit

import (
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// body writes the statements of a block; what they checked is no more known
// behind it.
func (w *writer) body(body []ir.Stmt) {
	mark := len(w.reach.undo)
	w.stmts(body, false)
	w.forget(mark)
}

// stmts writes statements in a row. last says that they end the function: a
// Return there need only leave its value, and where control could fall off the
// end of a function that has a result (it never does) the code must say so.
func (w *writer) stmts(body []ir.Stmt, last bool) {
	merged := 0 // charges ahead that were taken already
	for i, s := range body {
		if _, ok := s.(*ir.Gas); ok {
			if merged > 0 {
				merged--
				continue
			}
			if list := w.run(body[i:]); len(list) > 1 {
				w.takeAll(list)
				merged = len(list) - 1
				continue
			}
		}
		if ret, ok := s.(*ir.Return); ok && last && i == len(body)-1 {
			if ret.X != nil {
				w.expr(ret.X)
			}
			w.storeGas()
			return
		}
		w.stmt(s)
	}
	switch {
	case !last:
	case w.result != ir.None:
		w.code.Op(wasm.Unreachable)
	default:
		w.storeGas()
	}
}

func (w *writer) stmt(s ir.Stmt) {
	switch s := s.(type) {
	case *ir.Set:
		w.expr(s.X)
		w.code.Local(wasm.LocalSet, w.slots[s.Local])
	case *ir.SetGlobal:
		w.expr(s.X)
		w.setGlobal(s.Global)
	case *ir.Store:
		w.check(s.Addr, s.Offset+uint32(s.Width))
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
		charged, stale := w.gasIn.charges, w.gasIn.stale
		w.code.Block()
		w.labels = append(w.labels, s.Label)
		w.body(s.Body)
		w.close()
		// Which charges a break comes behind is not looked at.
		w.gasIn.stale = w.gasIn.stale || stale || w.gasIn.charges > charged
	case *ir.Loop:
		w.gasIn.stale = w.gasIn.stale || w.spends(s.Body)
		w.code.Loop()
		w.labels = append(w.labels, s.Label)
		w.loops++
		w.body(s.Body)
		w.loops--
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
		w.leaveWithGas()
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
	if x, ok := not(test); ok && (len(then) == 0 || len(other) == 0 && w.seldom(then) || goesOn(other) && !goesOn(then) || negated(test)) {
		test, then, other = x, other, then
	}
	w.expr(test)
	if len(then) == 0 && len(other) == 0 {
		w.code.Op(wasm.Drop)
		return
	}
	before := w.gasIn.stale
	w.code.If()
	w.labels = append(w.labels, nil)
	w.body(then)
	after := w.gasIn.stale
	w.gasIn.stale = before
	if len(other) > 0 {
		w.code.Op(wasm.Else)
		w.body(other)
	}
	w.gasIn.stale = w.gasIn.stale || after
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
	before, after := w.gasIn.stale, false
	side := func(body []ir.Stmt) {
		w.close()
		w.gasIn.stale = before
		w.body(body)
		after = after || w.gasIn.stale
	}
	for i, body := range s.Cases {
		side(body)
		w.code.Branch(wasm.Br, n-i)
	}
	side(s.Default)
	w.gasIn.stale = after
	w.close()
}
