package emit_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/ir"
)

// machine is an emitted module on the engine, with a host that keeps a record.
type machine struct {
	api.Module
	ctx   context.Context
	trace []string // calls of imports that are not pure
	fault int32    // the site, -1 without
	grant int64    // what yield adds; it faults without
	heap  uint64   // the first address behind the data
	data  []byte
}

// errFault is what the host's fault panics with.
type errFault struct{}

func (errFault) Error() string { return "fault" }

// load emits m and instantiates it with much gas and all of the memory.
func load(t testing.TB, m *ir.Module) *machine {
	t.Helper()
	binary, err := emit.Module(m)
	if err != nil {
		t.Fatal(err)
	}
	x := &machine{ctx: context.Background(), fault: -1, grant: 1 << 40, data: m.Data}
	rt := wazero.NewRuntimeWithConfig(x.ctx, wazero.NewRuntimeConfigCompiler())
	t.Cleanup(func() { rt.Close(x.ctx) })
	host := rt.NewHostModuleBuilder(abi.ImportModule)
	for _, imp := range m.Imports {
		var results []api.ValueType
		if imp.Result != ir.None {
			results = vals(imp.Result)
		}
		host.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			x.called(imp, stack)
		}), vals(imp.Params...), results).Export(imp.Name)
	}
	if _, err := host.Instantiate(x.ctx); err != nil {
		t.Fatal(err)
	}
	if x.Module, err = rt.Instantiate(x.ctx, binary); err != nil {
		t.Fatalf("%v\n% x", err, binary)
	}
	x.heap = uint64(abi.Align(abi.StaticBase+uint32(len(m.Data)), 8))
	x.set(abi.GlobalGas, 1<<62)
	x.set(abi.GlobalHeap, x.heap)
	x.set(abi.GlobalLimit, uint64(m.Pages)*abi.PageSize)
	return x
}

// called is the host's side of a call.
func (x *machine) called(imp *ir.Import, stack []uint64) {
	switch imp.Name {
	case "fault":
		x.fault = int32(stack[0])
		panic(errFault{})
	case "yield":
		gas := x.ExportedGlobal(abi.GlobalGas).(api.MutableGlobal)
		for int64(gas.Get()) < 0 {
			if x.grant == 0 {
				x.fault = int32(stack[0])
				panic(errFault{})
			}
			x.trace = append(x.trace, fmt.Sprintf("yield(%d)", int32(stack[0])))
			gas.Set(gas.Get() + uint64(x.grant))
		}
	default:
		args := append([]uint64(nil), stack[:len(imp.Params)]...)
		for i, t := range imp.Params {
			if t == ir.I32 {
				args[i] = uint64(uint32(args[i]))
			}
		}
		if !imp.Pure {
			x.trace = append(x.trace, fmt.Sprintf("%s(%x)", imp.Name, args))
		}
		if imp.Result != ir.None {
			stack[0] = answer(imp, args)
		}
	}
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
