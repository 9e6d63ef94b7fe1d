package emit

import (
	"fmt"
	"math"
	"slices"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// writer writes one function.
type writer struct {
	*emitter
	code   wasm.Code
	slots  []int       // the WebAssembly number of each local
	labels []*ir.Label // of the blocks that are open, innermost last; nil for an if
	result ir.Type
	gasIn  gas
	reach  reach
	loops  int       // that are open
	extra  []ir.Type // the types of the scratch locals, behind all others
	locals int       // of the function, without those
	err    error     // the first fault of the compiler
}

// scratch is the number of a local that holds a t for no longer than the
// instructions that one expression or statement adds around its operands.
func (w *writer) scratch(t ir.Type) int {
	i := slices.Index(w.extra, t)
	if i < 0 {
		i = len(w.extra)
		w.extra = append(w.extra, t)
	}
	return w.locals + i
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *writer) exprs(es []ir.Expr) {
	for _, e := range es {
		w.expr(e)
	}
}

// arranged writes an operator in the way that the engine does best. It takes an
// i64 straight from the instruction only when that has no more than 31 bits and is
// not negative, so what adds a negative number subtracts. It exchanges a comparison's operands when the first is a constant, or
// the second masks bits. wazero 1.12 compiles a branch on `0 < (x & y)` as one on
// `(x & y) < 0`; it never sees the former.
func arranged(e *ir.Binary) (op ir.Op, x, y ir.Expr) {
	op, x, y = e.Op.Mirror(), e.Y, e.X
	if c, ok := e.Y.(*ir.Const); ok && e.Op == ir.I64Add && int64(c.Bits) < 0 && int64(c.Bits) >= math.MinInt32 {
		return ir.I64Sub, e.X, &ir.Const{T: ir.I64, Bits: -c.Bits}
	}
	if op == ir.NoOp || !e.Op.Compares() || e.Op.Operand() == ir.F64 {
		return e.Op, e.X, e.Y
	}
	switch e.X.(type) {
	case *ir.Const:
		return op, x, y
	case *ir.Get:
		if mask, ok := e.Y.(*ir.Binary); ok && (mask.Op == ir.I32And || mask.Op == ir.I64And) {
			return op, x, y
		}
	}
	return e.Op, e.X, e.Y
}

// expr leaves the value of e on the stack.
func (w *writer) expr(e ir.Expr) {
	switch e := e.(type) {
	case *ir.Const:
		w.code.Const(valType(e.T), e.Bits)
	case *ir.Get:
		w.code.Local(wasm.LocalGet, w.slots[e.Local])
	case *ir.GetGlobal:
		w.getGlobal(e.Global)
	case *ir.Unary:
		w.expr(e.X)
		w.code.Op(e.Op.Code())
	case *ir.Binary:
		op, x, y := arranged(e)
		w.expr(x)
		w.expr(y)
		w.code.Op(op.Code())
	case *ir.Load:
		w.check(e.Addr, e.Offset+uint32(e.Width))
		w.expr(e.Addr)
		w.load(e)
	case *ir.Alloc:
		w.alloc(e)
	case *ir.Call:
		w.exprs(e.Args)
		w.call(e.Func)
	case *ir.Host:
		w.exprs(e.Args)
		w.host(e.Import)
	case *ir.Cond:
		w.expr(e.Test)
		before := w.gasIn.stale
		w.code.IfValue(valType(e.Type()))
		w.labels = append(w.labels, nil)
		mark := len(w.reach.undo)
		w.expr(e.Then)
		after := w.gasIn.stale
		w.gasIn.stale = before
		w.forget(mark)
		w.code.Op(wasm.Else)
		w.expr(e.Else)
		w.forget(mark)
		w.gasIn.stale = w.gasIn.stale || after
		w.close()
	case *ir.Seq:
		w.stmts(e.Body, false)
		w.expr(e.Value)
	default:
		w.fail("no such expression: %T", e)
	}
}

func (w *writer) load(e *ir.Load) {
	type form struct {
		width uint8
		t     ir.Type
	}
	switch (form{e.Width, e.T}) {
	case form{1, ir.I32}:
		w.code.Mem(wasm.I32Load8U, 0, e.Offset)
	case form{1, ir.I64}:
		w.code.Mem(wasm.I64Load8U, 0, e.Offset)
	case form{4, ir.I32}:
		w.code.Mem(wasm.I32Load, 2, e.Offset)
	case form{4, ir.I64}:
		w.code.Mem(wasm.I64Load32U, 2, e.Offset)
	case form{8, ir.I64}:
		w.code.Mem(wasm.I64Load, 3, e.Offset)
	case form{8, ir.F64}:
		w.code.Mem(wasm.F64Load, 3, e.Offset)
	default:
		w.fail("a load of %d bytes as %s", e.Width, valType(e.T))
	}
}

func (w *writer) store(s *ir.Store) {
	type form struct {
		width uint8
		t     ir.Type
	}
	switch t := s.X.Type(); (form{s.Width, t}) {
	case form{1, ir.I32}:
		w.code.Mem(wasm.I32Store8, 0, s.Offset)
	case form{1, ir.I64}:
		w.code.Mem(wasm.I64Store8, 0, s.Offset)
	case form{4, ir.I32}:
		w.code.Mem(wasm.I32Store, 2, s.Offset)
	case form{4, ir.I64}:
		w.code.Mem(wasm.I64Store32, 2, s.Offset)
	case form{8, ir.I64}:
		w.code.Mem(wasm.I64Store, 3, s.Offset)
	case form{8, ir.F64}:
		w.code.Mem(wasm.F64Store, 3, s.Offset)
	default:
		w.fail("a store of %d bytes of an %s", s.Width, valType(t))
	}
}

// alloc takes bytes from the heap. The heap never stands above the limit, and
// neither above the memory's end.
func (w *writer) alloc(e *ir.Alloc) {
	size, constant := e.Size.(*ir.Const)
	memory := uint64(w.out.Memory.Max) * abi.PageSize
	constant = constant && memory+uint64(uint32(size.Bits)) <= math.MaxUint32
	if constant { // heap + size cannot wrap around
		w.global(wasm.GlobalGet, w.heap, abi.GlobalHeap)
		w.code.I32Const(int32(size.Bits))
		w.code.Op(wasm.I32Add)
	} else {
		w.expr(e.Size)
	}
	w.code.Local(wasm.LocalSet, w.scratch(ir.I32))
	w.code.Local(wasm.LocalGet, w.scratch(ir.I32))
	w.global(wasm.GlobalGet, w.limit, abi.GlobalLimit)
	if !constant {
		w.global(wasm.GlobalGet, w.heap, abi.GlobalHeap)
		w.code.Op(ir.I32Sub.Code())
	}
	w.code.Op(wasm.I32GtU)
	w.code.If()
	w.faultAt(e.Site)
	w.code.Op(wasm.End)
	w.global(wasm.GlobalGet, w.heap, abi.GlobalHeap) // the value that is left
	if !constant {
		w.global(wasm.GlobalGet, w.heap, abi.GlobalHeap)
	}
	w.code.Local(wasm.LocalGet, w.scratch(ir.I32))
	if !constant {
		w.code.Op(wasm.I32Add)
	}
	w.global(wasm.GlobalSet, w.heap, abi.GlobalHeap)
}

// global reads or writes a global. The name is that of a global that emission
// itself needs, for the message when the module has none.
func (w *writer) global(op byte, g *ir.Global, name string) {
	i, ok := w.globals[g]
	if !ok {
		if g != nil {
			name = g.Name
		}
		w.fail("the module does not list the global %q", name)
	}
	w.code.Global(op, i)
}

func (w *writer) call(f *ir.Func) {
	i, ok := w.funcs[f]
	if !ok {
		w.fail("the module does not list the function %q", f.Name)
	}
	w.storeGas()
	w.code.Call(i)
	w.loadGas()
}

func (w *writer) host(imp *ir.Import) {
	i, ok := w.imports[imp]
	if !ok {
		w.fail("the module does not list the import %q", imp.Name)
	}
	switch {
	case imp.NoReturn:
		w.leaveWithGas()
		w.code.Call(i)
		w.code.Op(wasm.Unreachable)
	case imp.Pure:
		w.code.Call(i)
	default:
		w.storeGas()
		w.code.Call(i)
		w.loadGas()
	}
}

func (w *writer) faultAt(site int32) {
	if w.fault < 0 {
		w.fail("the module does not list the import %q", faultName)
	}
	w.leaveWithGas()
	w.code.I32Const(site)
	w.code.Call(w.fault)
	w.code.Op(wasm.Unreachable)
}
