package emit

import "towpath.dev/internal/lang/ir"

// The engine compiles blocks in the order in which it meets them, the else side
// of a conditional last. Code that is seldom run therefore goes there, and its
// test is turned around; the common path then falls through.

// not is an expression that costs no more than test and is zero when test is
// not, if there is one.
func not(test ir.Expr) (ir.Expr, bool) {
	switch e := test.(type) {
	case *ir.Unary:
		switch e.Op {
		case ir.I32Eqz:
			return e.X, true
		case ir.I64Eqz:
			return &ir.Binary{Op: ir.I64Ne, X: e.X, Y: &ir.Const{T: ir.I64}}, true
		}
	case *ir.Binary:
		if op := e.Op.Opposite(); op != ir.NoOp {
			return &ir.Binary{Op: op, X: e.X, Y: e.Y}, true
		}
	case *ir.Get:
		return &ir.Unary{Op: ir.I32Eqz, X: e}, true
	}
	return nil, false
}

// negated reports that a test only negates another, so that turning it around
// saves an instruction.
func negated(test ir.Expr) bool {
	e, ok := test.(*ir.Unary)
	return ok && e.Op == ir.I32Eqz
}

// seldom reports that a body is run at most once, or hardly ever: it ends in a
// fault, leaves a block or, within a loop, the function.
func (w *writer) seldom(body []ir.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	switch s := body[len(body)-1].(type) {
	case *ir.Fault, *ir.Break:
		return true
	case *ir.Return:
		return w.loops > 0
	case *ir.HostStmt:
		return s.Import.NoReturn
	}
	return false
}

// goesOn reports that a body ends in another round of a loop.
func goesOn(body []ir.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	s, ok := body[len(body)-1].(*ir.Continue)
	return ok && s.Test == nil
}
