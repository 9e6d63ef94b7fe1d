package emit_test

import (
	"testing"

	"towpath.dev/internal/lang/ir"
)

func TestFib(t *testing.T) {
	get := &ir.Get{T: ir.I64}
	c := func(n uint64) ir.Expr { return &ir.Const{T: ir.I64, Bits: n} }
	gas := &ir.Global{Name: "gas", Type: ir.I64, Export: "gas"}
	fib := &ir.Func{Name: "fib", Params: 1, Locals: []ir.Type{ir.I64}, Result: ir.I64}
	rec := func(n uint64) ir.Expr {
		return &ir.Call{Func: fib, Args: []ir.Expr{&ir.Binary{Op: ir.I64Sub, X: get, Y: c(n)}}}
	}
	fib.Body = []ir.Stmt{
		&ir.Gas{Cost: c(1), Site: 4},
		&ir.If{Test: &ir.Binary{Op: ir.I64LtS, X: get, Y: c(2)}, Then: []ir.Stmt{&ir.Return{X: get}}},
		&ir.Return{X: &ir.Binary{Op: ir.I64Add, X: rec(1), Y: rec(2)}},
	}
	m := load(t, &ir.Module{
		Imports: []*ir.Import{{Name: "yield", Params: []ir.Type{ir.I32}}},
		Globals: []*ir.Global{gas}, Funcs: []*ir.Func{fib},
		Exports: []ir.Export{{Name: "fib", Func: fib}}, Pages: 1,
	})
	got, err := m.ExportedFunction("fib").Call(m.ctx, 20)
	if err != nil || got[0] != 6765 {
		t.Fatal(got, err)
	}
	m.set("gas", 10)
	if _, err := m.ExportedFunction("fib").Call(m.ctx, 20); err != nil || len(m.trace) == 0 || m.trace[0] != "yield(4)" {
		t.Fatal(m.trace, err)
	}
}
