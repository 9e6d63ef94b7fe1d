package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"towpath.dev/internal/abi"
)

// hostFunc is a function that modules import. Parameters lie on the stack, the
// result goes to its place 0.
type hostFunc struct {
	params  []api.ValueType
	results []api.ValueType
	call    hostCall
}

// hostCall implements wazero's api.GoFunction.
type hostCall func(in *instance, stack []uint64)

// Call finds the instance in the context, see there.
func (f hostCall) Call(ctx context.Context, stack []uint64) { f(ctx.(*instance), stack) }

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

// hostFunction finds an import's function.
func hostFunction(name string) (hostFunc, bool) {
	if f, ok := control[name]; ok {
		return f, true
	}
	f, ok := intrinsics[name]
	return f, ok
}

// control is what every module may import.
var control = map[string]hostFunc{
	"fault": {[]api.ValueType{i32}, nil, func(in *instance, stack []uint64) { in.fault(int32(stack[0]), 0) }},
	"yield": {[]api.ValueType{i32}, nil, func(in *instance, stack []uint64) { in.yield(int32(stack[0])) }},
	"ask": {[]api.ValueType{i32, i32, i32}, []api.ValueType{i32}, func(in *instance, stack []uint64) {
		stack[0] = uint64(in.ask(uint32(stack[0]), uint32(stack[1]), int32(stack[2])))
	}},
	"scope": {[]api.ValueType{i64, i64, i64, i32}, []api.ValueType{i32}, func(in *instance, stack []uint64) {
		stack[0] = uint64(in.scope(stack[0], stack[1], int64(stack[2]), uint32(stack[3])))
	}},
	"close": {[]api.ValueType{i32}, nil, func(in *instance, stack []uint64) { in.closeScope() }},
}

// compile compiles the artifact, with a host module of just what it imports.
func (p *Program) compile(ctx context.Context, data []byte) error {
	if p.opts.CacheDir == "" || !p.compileWithCache(ctx, data) {
		p.runtime = wazero.NewRuntimeWithConfig(ctx, runtimeConfig())
		var err error
		if p.compiled, err = p.runtime.CompileModule(ctx, data); err != nil {
			return fmt.Errorf("engine: compiling the artifact: %w", err)
		}
	}
	p.limit = p.manifest.Pages*abi.PageSize - slack
	if p.opts.Memory > 0 && uint64(p.opts.Memory) < uint64(p.limit-min(p.limit, p.manifest.HeapBase)) {
		p.limit = p.manifest.HeapBase + uint32(p.opts.Memory)&^7
	}
	if p.limit <= p.manifest.HeapBase {
		return fmt.Errorf("engine: the artifact leaves no memory for requests: %d pages, static data up to %d", p.manifest.Pages, p.manifest.HeapBase)
	}
	return p.hostModule(ctx)
}

func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithCloseOnContextDone(false)
}

// compileWithCache compiles the artifact with a cache in Options.CacheDir. It
// reports false when that cannot be: the disk may be full, or what lies there
// damaged, and then it is slower without.
func (p *Program) compileWithCache(ctx context.Context, data []byte) bool {
	cache, err := wazero.NewCompilationCacheWithDir(p.opts.CacheDir)
	if err != nil {
		return false
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(cache))
	compiled, err := runtime.CompileModule(ctx, data)
	if err != nil {
		_ = runtime.Close(ctx)
		_ = cache.Close(ctx)
		return false
	}
	p.cache, p.runtime, p.compiled = cache, runtime, compiled
	return true
}

func (p *Program) hostModule(ctx context.Context) error {
	builder := p.runtime.NewHostModuleBuilder(abi.ImportModule)
	var unknown []string
	for _, def := range p.compiled.ImportedFunctions() {
		module, name, _ := def.Import()
		f, ok := hostFunction(name)
		if module != abi.ImportModule || !ok {
			unknown = append(unknown, module+"."+name)
			continue
		}
		if !slices.Equal(def.ParamTypes(), f.params) || !slices.Equal(def.ResultTypes(), f.results) {
			return fmt.Errorf("engine: the artifact imports %s with another signature than this version's: build the program again", name)
		}
		builder.NewFunctionBuilder().WithGoFunction(f.call, f.params, f.results).Export(name)
	}
	if unknown != nil {
		return fmt.Errorf("engine: the artifact imports what this version does not have: %s: serve it with the version that built it, or build it again", strings.Join(unknown, ", "))
	}
	if _, err := builder.Instantiate(ctx); err != nil {
		return fmt.Errorf("engine: the host module: %w", err)
	}
	return nil
}

// fault ends the pass. kind 0 means the site's own.
func (in *instance) fault(site int32, kind abi.FaultKind) {
	in.end = ending{ended: true, site: site, kind: kind}
	panic(errEnded)
}

// refuse ends the pass with a fault whose detail the host knows.
func (in *instance) refuse(kind abi.FaultKind, site int32, cause error) {
	in.end = ending{ended: true, site: site, kind: kind, cause: cause}
	panic(errEnded)
}

// exceed ends the pass with a LimitError.
func (in *instance) exceed(what string) {
	in.end = ending{ended: true, limit: what}
	panic(errEnded)
}

// yield is called when gas ran below zero: it grants more, or ends the pass.
// The gas spent is what was granted less what is left; it faults if and only if
// that is more than the limit, at whatever charge that happens.
func (in *instance) yield(site int32) {
	o := &in.program.opts
	spent := in.granted - int64(in.gas.Get())
	if spent > o.Gas || spent < 0 { // a charge may be so large that the sum is beyond 64 bits
		in.fault(site, abi.OutOfGas)
	}
	now := o.Clock.Now()
	if in.started.IsZero() {
		in.started = now // a pass that never yields asks for no time
	} else if in.spent+now.Sub(in.started) > o.CPU {
		in.exceed("CPU")
	}
	left := min(quantum, o.Gas-spent)
	in.granted = spent + left
	in.gas.Set(uint64(left))
}

// alloc takes memory for an intrinsic's result; site is that of running out.
func (in *instance) alloc(size int, site int32) uint32 {
	heap := in.heap.Get()
	end := (heap + uint64(size) + 7) &^ 7
	if end > uint64(in.program.limit) {
		in.fault(site, abi.OutOfMemory)
	}
	in.heap.Set(end)
	return uint32(heap)
}
