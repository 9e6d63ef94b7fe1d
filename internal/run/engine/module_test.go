package engine_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/run/engine"
)

// handMade is a module with one view, "m.v" from a record of one Int to Int.
type handMade struct {
	module   *ir.Module
	manifest *artifact.Manifest
	globals  map[string]*ir.Global
	view     *ir.Func
}

func newHandMade() *handMade {
	h := &handMade{globals: map[string]*ir.Global{}, view: &ir.Func{Name: "m.v", Params: 4, Locals: []ir.Type{ir.I32, ir.I32, ir.I64, ir.I32}, Result: ir.I64}}
	h.module = &ir.Module{Pages: 2, Funcs: []*ir.Func{h.view}, Exports: []ir.Export{{Name: "view:m.v", Func: h.view}}}
	for _, g := range []struct {
		name string
		t    ir.Type
	}{
		{abi.GlobalHeap, ir.I32}, {abi.GlobalLimit, ir.I32}, {abi.GlobalGas, ir.I64}, {abi.GlobalDepth, ir.I32}, {abi.GlobalStatus, ir.I32},
	} {
		h.globals[g.name] = &ir.Global{Name: g.name, Type: g.t, Export: g.name}
		h.module.Globals = append(h.module.Globals, h.globals[g.name])
	}
	h.manifest = &artifact.Manifest{
		ABI: abi.Version, Pages: 2, HeapBase: 2048,
		Schema: abi.Schema{Types: []abi.Type{
			{Kind: abi.Int, Name: "Int"},
			{Kind: abi.Record, Name: "v", Fields: []abi.Field{{Name: "n", JSON: "n", Type: 0}}, Size: 8},
		}},
		Views: []artifact.View{{Module: "m", Name: "v", Export: "view:m.v", Input: 1, Result: 0}},
		Files: []string{"m.tow"},
		Sites: []artifact.Site{{Kind: abi.Overflow, Func: "m.v", Place: artifact.Place{Line: 3, Column: 7}}, {Kind: abi.OutOfGas, Place: artifact.Place{Line: 1, Column: 1}}},
	}
	h.view.Body = []ir.Stmt{done(&ir.Get{T: ir.I32, Local: 0})} // the input's cell: its n
	return h
}

// done returns from the view: the heap as it was given, and the answer's cell.
func done(cell ir.Expr) ir.Stmt {
	wide := func(x ir.Expr) ir.Expr { return &ir.Unary{Op: ir.I64ExtendI32U, X: x} }
	heap := &ir.Binary{Op: ir.I64Shl, X: wide(&ir.Get{T: ir.I32, Local: 1}), Y: constant(ir.I64, 32)}
	return &ir.Return{X: &ir.Binary{Op: ir.I64Or, X: heap, Y: wide(cell)}}
}

func (h *handMade) imports(name string, result ir.Type, params ...ir.Type) *ir.Import {
	i := &ir.Import{Name: name, Params: params, Result: result}
	h.module.Imports = append(h.module.Imports, i)
	return i
}

func (h *handMade) artifact(t testing.TB) []byte {
	t.Helper()
	wasm, err := emit.Module(h.module)
	if err != nil {
		t.Fatal(err)
	}
	data, err := artifact.Encode(wasm, h.manifest)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (h *handMade) load(t testing.TB, opts engine.Options) (*engine.Program, error) {
	t.Helper()
	p, err := engine.Load(t.Context(), h.artifact(t), opts)
	if err == nil {
		t.Cleanup(func() { _ = p.Close(t.Context()) })
	}
	return p, err
}

func constant(t ir.Type, v uint64) ir.Expr { return &ir.Const{T: t, Bits: v} }

func TestHandMade(t *testing.T) {
	p, err := newHandMade().load(t, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, p, "v", `{"n":-7}`); got != "-7" {
		t.Errorf("got %s", got)
	}
}

// TestLoadRefuses has artifacts that this host cannot serve.
func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *handMade)
		want   string
	}{
		"an unknown import": {func(h *handMade) {
			f := h.imports("tensor.mul", ir.I64, ir.I64)
			h.view.Body = append([]ir.Stmt{&ir.Do{X: &ir.Host{Import: f, Args: []ir.Expr{constant(ir.I64, 0)}}}}, h.view.Body...)
		}, "imports what this version does not have: tow.tensor.mul"},
		"another signature": {func(h *handMade) {
			f := h.imports("string.length", ir.I64, ir.I64)
			h.view.Body = append([]ir.Stmt{&ir.Do{X: &ir.Host{Import: f, Args: []ir.Expr{constant(ir.I64, 0)}}}}, h.view.Body...)
		}, "imports string.length with another signature"},
		"no heap":          {func(h *handMade) { h.globals[abi.GlobalHeap].Export = "pile" }, `no mutable global "heap"`},
		"no limit":         {func(h *handMade) { h.globals[abi.GlobalLimit].Export = "" }, `no mutable global "limit"`},
		"too few pages":    {func(h *handMade) { h.manifest.Pages = 3 }, "fewer than its manifest says"},
		"no memory left":   {func(h *handMade) { h.manifest.HeapBase = 2*abi.PageSize - 32 }, "leaves no memory for requests"},
		"a broken default": {func(h *handMade) { h.manifest.Schema.Types[1].Fields[0].Default = "x" }, "v.n: its default: at $: expected Int, found x"},
		"a broken layout":  {func(h *handMade) { h.manifest.Schema.Types[1].Fields[0].Offset = 4 }, "at 4 of 8 bytes"},
	} {
		h := newHandMade()
		c.change(h)
		wasm, err := emit.Module(h.module)
		if err != nil {
			t.Fatal(err)
		}
		data, err := artifact.Encode(wasm, h.manifest)
		if err == nil {
			_, err = engine.Load(t.Context(), data, engine.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for _, data := range [][]byte{nil, []byte("\x00asm\x01\x00\x00\x00"), newHandMade().artifact(t)[:40]} {
		if _, err := engine.Load(t.Context(), data, engine.Options{}); err == nil {
			t.Errorf("%q was loaded", data)
		}
	}
	if _, err := engine.Load(t.Context(), newHandMade().artifact(t), engine.Options{Gas: -1, Idle: -2}); err == nil || !strings.Contains(err.Error(), "Idle") || !strings.Contains(err.Error(), "Gas") {
		t.Errorf("negative options: %v", err)
	}
}

// TestTraps has modules that end as no program should: the instance is thrown
// away, and the next request has a fresh one.
func TestTraps(t *testing.T) {
	input := &ir.Load{T: ir.I64, Width: 8, Addr: &ir.Get{T: ir.I32, Local: 0}}
	when := func(n uint64, then ...ir.Stmt) []ir.Stmt {
		return []ir.Stmt{&ir.If{Test: &ir.Binary{Op: ir.I64Eq, X: input, Y: constant(ir.I64, n)}, Then: then}, done(&ir.Get{T: ir.I32, Local: 0})}
	}
	for name, c := range map[string]struct {
		body func(h *handMade) []ir.Stmt
		want string
	}{
		"a load beyond the memory": {func(h *handMade) []ir.Stmt {
			return when(1, done(&ir.Load{T: ir.I32, Width: 4, Addr: constant(ir.I32, 0x7fffffff)}))
		}, "unforeseen"},
		"an answer beyond the memory": {func(h *handMade) []ir.Stmt { return when(1, done(constant(ir.I32, 0xfffffff8))) }, "its answer lies at"},
		"no answer":                   {func(h *handMade) []ir.Stmt { return when(1, done(constant(ir.I32, 0))) }, "its answer lies at 0"},
		"a string beyond the memory": {func(h *handMade) []ir.Stmt {
			f := h.imports("string.length", ir.I64, ir.I64, ir.I32)
			return when(1, &ir.Do{X: &ir.Host{Import: f, Args: []ir.Expr{constant(ir.I64, 1<<60|5), constant(ir.I32, 0)}}})
		}, "holds no"},
		"a call without operations": {func(h *handMade) []ir.Stmt {
			f := h.imports("ask", ir.I32, ir.I32, ir.I32, ir.I32)
			return when(1, &ir.Do{X: &ir.Host{Import: f, Args: []ir.Expr{constant(ir.I32, 0), constant(ir.I32, 2048), constant(ir.I32, 0)}}})
		}, "holds no"},
		"endless recursion": {func(h *handMade) []ir.Stmt {
			return when(1, &ir.Return{X: &ir.Call{Func: h.view, Args: []ir.Expr{&ir.Get{T: ir.I32, Local: 0}, &ir.Get{T: ir.I32, Local: 1}, &ir.Get{T: ir.I64, Local: 2}, &ir.Get{T: ir.I32, Local: 3}}}})
		}, "stack overflow"},
	} {
		h := newHandMade()
		h.view.Body = c.body(h)
		p, err := h.load(t, engine.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, err = p.AppendCall(t.Context(), nil, "v", []byte(`{"n":1}`))
		if trap := (*engine.TrapError)(nil); !errors.As(err, &trap) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if n := len(engine.WholeIdleMemory(p)); n != 0 {
			t.Errorf("%s: the instance was kept", name)
		}
		if got := answer(t, p, "v", `{"n":2}`); got != "2" {
			t.Errorf("%s: the next request: %s", name, got)
		}
	}
}

// TestFaultsKeepInstances has the ends that are foreseen.
func TestFaultsKeepInstances(t *testing.T) {
	h := newHandMade()
	h.imports("fault", ir.None, ir.I32)
	h.view.Body = []ir.Stmt{&ir.Fault{Site: 0}}
	p, err := h.load(t, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := p.AppendCall(t.Context(), nil, "v", []byte(`{"n":1}`))
		fault := (*engine.Fault)(nil)
		if !errors.As(err, &fault) || fault.Kind != abi.Overflow || err.Error() != "m.tow:3:7: overflow" || len(fault.Stack) != 1 || fault.Stack[0] != "m.v" {
			t.Fatalf("got %#v", err)
		}
		if n := len(engine.WholeIdleMemory(p)); n != 1 {
			t.Errorf("%d instances are kept", n)
		}
	}
}

// spender spends n gas, one at a time.
func spender() *handMade {
	h := newHandMade()
	h.imports("yield", ir.None, ir.I32)
	n := h.view.NewLocal(ir.I64)
	loop := &ir.Label{Name: "loop"}
	left := &ir.Get{T: ir.I64, Local: n}
	h.view.Body = []ir.Stmt{
		&ir.SetGlobal{Global: h.globals[abi.GlobalGas], X: &ir.Get{T: ir.I64, Local: 2}},
		&ir.Set{Local: n, X: &ir.Load{T: ir.I64, Width: 8, Addr: &ir.Get{T: ir.I32, Local: 0}}},
		&ir.Loop{Label: loop, Body: []ir.Stmt{
			&ir.If{Test: &ir.Binary{Op: ir.I64GtS, X: left, Y: constant(ir.I64, 0)}, Then: []ir.Stmt{
				&ir.Gas{Cost: constant(ir.I64, 1), Site: 1},
				&ir.Set{Local: n, X: &ir.Binary{Op: ir.I64Sub, X: left, Y: constant(ir.I64, 1)}},
				&ir.Continue{Label: loop},
			}},
		}},
		done(&ir.Get{T: ir.I32, Local: 0}),
	}
	return h
}

// TestGasIsExact spends just the limit, and one more.
func TestGasIsExact(t *testing.T) {
	for _, gas := range []int64{1, 100, 65535, 65536, 65537, 131072, 200_000} {
		p, err := spender().load(t, engine.Options{Gas: gas})
		if err != nil {
			t.Fatal(err)
		}
		input := func(n int64) []byte { return []byte(`{"n":` + text(n) + `}`) }
		if out, err := p.AppendCall(t.Context(), nil, "v", input(gas)); err != nil || string(out) != text(gas) {
			t.Errorf("%d of %d gas: %s %v", gas, gas, out, err)
		}
		_, err = p.AppendCall(t.Context(), nil, "v", input(gas+1))
		if fault := (*engine.Fault)(nil); !errors.As(err, &fault) || fault.Kind != abi.OutOfGas || fault.Line != 1 {
			t.Errorf("%d of %d gas: %v", gas+1, gas, err)
		}
	}
}

func text(n int64) string { return strconv.FormatInt(n, 10) }

// ticking is a clock that goes on by a millisecond at each look.
type ticking struct{ now time.Time }

func (c *ticking) Now() time.Time {
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (*ticking) After(time.Duration) (<-chan time.Time, func() bool) {
	return nil, func() bool { return true }
}

func TestCPULimit(t *testing.T) {
	p, err := spender().load(t, engine.Options{Clock: &ticking{}, CPU: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, p, "v", `{"n":250000}`); got != "250000" {
		t.Errorf("within the limit: %s", got)
	}
	_, err = p.AppendCall(t.Context(), nil, "v", []byte(`{"n":5000000}`))
	if limit := (*engine.LimitError)(nil); !errors.As(err, &limit) || err.Error() != "m.v computes for more than 10ms" {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	p, err := newHandMade().load(t, engine.Options{Memory: 256})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, p, "v", `{"n":1}`); got != "1" {
		t.Errorf("within the limit: %s", got)
	}
	if got := answer(t, p, "v", `{"n":1,"x":"`+strings.Repeat("x", 300)+`"}`); got != "error: out of memory: the input does not fit" {
		t.Errorf("beyond the limit: %s", got)
	}
}

func TestCacheDir(t *testing.T) {
	opts := engine.Options{CacheDir: t.TempDir()}
	for range 2 {
		p, err := newHandMade().load(t, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, p, "v", `{"n":3}`); got != "3" {
			t.Errorf("got %s", got)
		}
	}
}
