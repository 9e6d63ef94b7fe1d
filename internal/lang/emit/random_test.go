package emit_test

import (
	"math"
	"slices"
	"testing"

	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/ir/irtest"
	"towpath.dev/internal/lang/opt"
)

// TestRandomModules runs random modules on the engine, as they are and
// optimised, and by walking their trees: values, faults, charges and calls of the
// host are the same.
func TestRandomModules(t *testing.T) {
	for seed := range uint64(60) {
		compare(t, seed)
	}
}

func FuzzModules(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(compare)
}

func compare(t *testing.T, seed uint64) {
	for _, level := range []opt.Level{opt.None, opt.Full} {
		plain, m := irtest.Random(seed), irtest.Random(seed)
		opt.Module(m, level)
		x := load(t, m)
		for i, in := range [][]uint64{
			{0, 0, 0}, {1, 1, math.Float64bits(1)}, {math.MaxUint32, math.MaxUint64, math.Float64bits(-2.5)},
			{5, math.MaxInt64, math.Float64bits(math.Inf(-1))}, {7, 1 << 63, math.Float64bits(1e18)},
		} {
			gas, grant := int64(1<<40), int64(0)
			if i%2 == 1 {
				gas, grant = 3, 10
			}
			want := walk(plain, in, gas, grant)
			if want.Error == irtest.Endless {
				continue
			}
			if got := x.run(in, gas, grant); !same(want, got) {
				t.Errorf("seed %d, level %d, input %x:\ngot  %+v\nwant %+v", seed, level, in, got, want)
				return
			}
		}
		x.Close(x.ctx)
	}
}

func walk(m *ir.Module, in []uint64, gas, grant int64) irtest.Outcome {
	x := irtest.NewMachine(m)
	x.Steps = 100_000
	x.Grant = grant
	x.Set("gas", uint64(gas))
	x.Set("now", 12345)
	x.Host = answer
	return x.Call(m.Exports[0].Func, in...)
}

func answer(imp *ir.Import, args []uint64) uint64 {
	n := uint64(len(imp.Name))
	for _, a := range args {
		n = n*31 + a
	}
	return n % 1000
}

// run calls main in a fresh state.
func (x *machine) run(in []uint64, gas, grant int64) irtest.Outcome {
	x.trace, x.fault, x.grant = nil, -1, grant
	x.set("gas", uint64(gas))
	x.set("now", 12345)
	x.set("heap", x.heap)
	x.set("state", 7)
	x.Memory().Write(1024, x.data)
	out, err := x.ExportedFunction("main").Call(x.ctx, in...)
	got := irtest.Outcome{Fault: x.fault, Trace: x.trace}
	switch {
	case x.fault >= 0:
	case err != nil:
		got.Error = irtest.Trap
	default:
		got.Value = out[0]
	}
	return got
}

func same(a, b irtest.Outcome) bool {
	return a.Value == b.Value && a.Fault == b.Fault && a.Error == b.Error && slices.Equal(a.Trace, b.Trace)
}

// TestOperators compares every operator with ir.Op.Apply on the values at which
// something happens.
func TestOperators(t *testing.T) {
	m := &ir.Module{Pages: 1}
	list := operators()
	for _, op := range list {
		f := &ir.Func{Name: op.String(), Params: op.Arity(), Result: op.Result()}
		for range op.Arity() {
			f.NewLocal(op.Operand())
		}
		x, y := ir.Expr(&ir.Get{T: op.Operand()}), ir.Expr(&ir.Get{T: op.Operand(), Local: 1})
		e := ir.Expr(&ir.Unary{Op: op, X: x})
		if op.Arity() == 2 {
			e = &ir.Binary{Op: op, X: x, Y: y}
		}
		f.Body = []ir.Stmt{&ir.Return{X: e}}
		m.Funcs = append(m.Funcs, f)
		m.Exports = append(m.Exports, ir.Export{Name: op.String(), Func: f})
	}
	x := load(t, m)
	for _, op := range list {
		fn := x.ExportedFunction(op.String())
		for _, a := range edges(op.Operand()) {
			for _, b := range edges(op.Operand()) {
				want, ok := op.Apply(a, b)
				args := []uint64{a, b}[:op.Arity()]
				got, err := fn.Call(x.ctx, args...)
				if err == nil && op.Result() == ir.I32 {
					got[0] = uint64(uint32(got[0])) // the engine leaves the high half as it was
				}
				switch {
				case ok != (err == nil):
					t.Errorf("%s %#x: %v, but Apply says %v", op, args, err, ok)
				case ok && got[0] != want && !(op.Result() == ir.F64 && isNaN(got[0]) && isNaN(want)):
					t.Errorf("%s %#x = %#x, but Apply says %#x", op, args, got[0], want)
				}
			}
		}
	}
}

func operators() []ir.Op {
	var out []ir.Op
	for op := ir.NoOp + 1; op.String() != ""; op++ {
		out = append(out, op)
		if op == ir.I64ReinterpretF64 {
			return out
		}
	}
	return out
}

func isNaN(bits uint64) bool { return math.IsNaN(math.Float64frombits(bits)) }

func edges(t ir.Type) []uint64 {
	ints := []int64{0, 1, -1, 2, 7, 31, 32, 33, 63, 64, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64}
	var out []uint64
	for _, n := range ints {
		switch t {
		case ir.I32:
			out = append(out, uint64(uint32(n)))
		case ir.I64:
			out = append(out, uint64(n))
		default:
			out = append(out, math.Float64bits(float64(n)))
		}
	}
	if t == ir.F64 {
		for _, x := range []float64{0.5, 1.5, 2.5, -0.5, -1.5, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1e300, 5e-324} {
			out = append(out, math.Float64bits(x))
		}
	}
	return out
}
