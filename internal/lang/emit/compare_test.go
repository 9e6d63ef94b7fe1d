package emit_test

import (
	"fmt"
	"testing"

	"towpath.dev/internal/lang/ir"
)

// TestBranchOnMask compares a constant with masked bits in every order, and
// branches on it: what wazero 1.12 gets wrong when the constant stands first.
func TestBranchOnMask(t *testing.T) {
	comparisons := []ir.Op{
		ir.I64Eq, ir.I64Ne, ir.I64LtS, ir.I64LtU, ir.I64GtS, ir.I64GtU, ir.I64LeS, ir.I64LeU, ir.I64GeS, ir.I64GeU,
	}
	constant := func(n uint64) ir.Expr { return &ir.Const{T: ir.I64, Bits: n} }
	masked := &ir.Binary{Op: ir.I64And, X: &ir.Get{T: ir.I64, Local: 0}, Y: constant(0xffffffff)}
	m := &ir.Module{Pages: 1}
	add := func(name string, test *ir.Binary) {
		f := &ir.Func{Name: name, Params: 1, Locals: []ir.Type{ir.I64}, Result: ir.I32, Body: []ir.Stmt{
			&ir.If{Test: test, Then: []ir.Stmt{&ir.Return{X: &ir.Const{T: ir.I32, Bits: 1}}}},
			&ir.Return{X: &ir.Const{T: ir.I32}},
		}}
		m.Funcs = append(m.Funcs, f)
		m.Exports = append(m.Exports, ir.Export{Name: name, Func: f})
	}
	for _, op := range comparisons {
		for _, n := range []uint64{0, 1} {
			add(fmt.Sprintf("%v %d mask", op, n), &ir.Binary{Op: op, X: constant(n), Y: masked})
			add(fmt.Sprintf("%v mask %d", op, n), &ir.Binary{Op: op, X: masked, Y: constant(n)})
		}
	}
	x := load(t, m)
	for _, op := range comparisons {
		for _, n := range []uint64{0, 1} {
			for _, bits := range []uint64{0, 1, 5, 1 << 32, 1<<63 | 1} {
				first, _ := op.Apply(n, bits&0xffffffff)
				second, _ := op.Apply(bits&0xffffffff, n)
				for name, want := range map[string]uint64{
					fmt.Sprintf("%v %d mask", op, n): first,
					fmt.Sprintf("%v mask %d", op, n): second,
				} {
					got, err := x.ExportedFunction(name).Call(x.ctx, bits)
					if err != nil || uint32(got[0]) != uint32(want) {
						t.Errorf("%s of %#x is %v, %v; want %d", name, bits, got, err, want)
					}
				}
			}
		}
	}
}
