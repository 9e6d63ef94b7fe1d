package emit_test

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/ir"
)

// machine is an emitted module on the engine, with a host that counts.
type machine struct {
	api.Module
	faults, yields []int32
	asked          [][]uint64 // arguments of the other imports
	ctx            context.Context
}

// errFault is what the host's fault panics with.
type errFault struct{}

func (errFault) Error() string { return "fault" }

// load emits m and instantiates it with full gas and all of the memory.
func load(t testing.TB, m *ir.Module) *machine {
	t.Helper()
	binary, err := emit.Module(m)
	if err != nil {
		t.Fatal(err)
	}
	x := &machine{ctx: context.Background()}
	rt := wazero.NewRuntimeWithConfig(x.ctx, wazero.NewRuntimeConfigCompiler())
	t.Cleanup(func() { rt.Close(x.ctx) })
	host := rt.NewHostModuleBuilder(abi.ImportModule)
	for _, imp := range m.Imports {
		var results []api.ValueType
		if imp.Result != ir.None {
			results = vals(imp.Result)
		}
		host.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			switch imp.Name {
			case "fault":
				x.faults = append(x.faults, int32(stack[0]))
				panic(errFault{})
			case "yield":
				x.yields = append(x.yields, int32(stack[0]))
				x.set(abi.GlobalGas, 1<<40)
			default:
				x.asked = append(x.asked, append([]uint64(nil), stack[:len(imp.Params)]...))
			}
		}), vals(imp.Params...), results).Export(imp.Name)
	}
	if _, err := host.Instantiate(x.ctx); err != nil {
		t.Fatal(err)
	}
	if x.Module, err = rt.Instantiate(x.ctx, binary); err != nil {
		t.Fatalf("%v\n% x", err, binary)
	}
	x.set(abi.GlobalGas, 1<<62)
	x.set(abi.GlobalHeap, 2048)
	x.set(abi.GlobalLimit, uint64(m.Pages)*abi.PageSize)
	return x
}

func (x *machine) set(global string, v uint64) {
	if g, ok := x.ExportedGlobal(global).(api.MutableGlobal); ok {
		g.Set(v)
	}
}

func vals(ts ...ir.Type) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = map[ir.Type]api.ValueType{ir.I32: api.ValueTypeI32, ir.I64: api.ValueTypeI64, ir.F64: api.ValueTypeF64}[t]
	}
	return out
}
