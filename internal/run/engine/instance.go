package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// slack is what the host may read beyond the limit (codec's decoder does).
const slack = 64

// quantum is the gas that a module has before it must ask for more. The host
// is a safe point for Go's scheduler and collector, so it is to be far less
// than what a millisecond can spend.
const quantum = 32768

// keepResident is how much of its heap an idle instance keeps in memory, for
// the next request to find; what lies beyond is given back.
const keepResident = 32 << 10

// instance is a module's instance: a region with the code that runs over it.
// It serves one request at a time.
//
// It is its own context.Context: wazero hands the context of a call to the
// host's functions, which find the instance in it without a search.
type instance struct {
	program *Program
	module  api.Module
	mem     []byte
	views   []api.Function // by view; nil until first used
	heap    api.MutableGlobal
	gas     api.MutableGlobal
	status  api.MutableGlobal
	now     api.MutableGlobal // nil when the program does not read it
	seed    api.MutableGlobal // nil when the program does not read it
	decoder codec.Decoder
	stack   [4]uint64

	req     *request // nil in views that make no calls
	granted int64    // gas granted in this pass
	started time.Time
	spent   time.Duration // by the passes before this one
	high    uint32        // the first address that no pass has used
	end     ending
	broken  bool // it must not be used again
}

// ending is how a pass ended by the host's hand.
type ending struct {
	ended bool
	site  int32 // of a fault, -1 when not known
	kind  abi.FaultKind
	limit string // "CPU", "calls": a LimitError
	cause error  // detail of a fault
}

// errEnded is what the host panics with to end a pass.
var errEnded = errors.New("ended by the host")

// The instance as a context, without deadline or values.
func (*instance) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*instance) Done() <-chan struct{}       { return nil }
func (*instance) Err() error                  { return nil }
func (*instance) Value(any) any               { return nil }

var _ context.Context = (*instance)(nil)

// newInstance makes an instance of the module.
func (p *Program) newInstance() (*instance, error) {
	var failed error
	ctx := experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		mem, err := newPages(most)
		if err != nil {
			failed = err
			return &pages{}
		}
		return mem
	}))
	module, err := p.instantiate(ctx)
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	in := &instance{program: p, module: module, views: make([]api.Function, len(p.views)), high: p.manifest.HeapBase}
	memory := module.Memory()
	if memory == nil {
		return nil, errors.New("engine: the module exports no memory")
	}
	in.mem, _ = memory.Read(0, memory.Size())
	if uint64(len(in.mem)) < uint64(p.limit)+slack {
		return nil, fmt.Errorf("engine: the module's memory has %d bytes, fewer than its manifest says", len(in.mem))
	}
	for _, g := range []struct {
		name   string
		to     *api.MutableGlobal
		needed bool
	}{
		{abi.GlobalHeap, &in.heap, true}, {abi.GlobalGas, &in.gas, true},
		{abi.GlobalStatus, &in.status, true}, {abi.GlobalNow, &in.now, false}, {abi.GlobalSeed, &in.seed, false},
	} {
		global, ok := module.ExportedGlobal(g.name).(api.MutableGlobal)
		if !ok && g.needed {
			return nil, fmt.Errorf("engine: the module exports no mutable global %q", g.name)
		}
		*g.to = global
	}
	limit, ok := module.ExportedGlobal(abi.GlobalLimit).(api.MutableGlobal)
	if !ok {
		return nil, fmt.Errorf("engine: the module exports no mutable global %q", abi.GlobalLimit)
	}
	limit.Set(uint64(p.limit))
	return in, nil
}

func (p *Program) instantiate(ctx context.Context) (module api.Module, err error) {
	defer func() {
		// wazero slices what the allocator gave without a look.
		if r := recover(); r != nil {
			err = fmt.Errorf("instantiating: %v", r)
		}
	}()
	return p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
}

func (in *instance) close() {
	in.mem = nil
	_ = in.module.Close(context.Background()) // frees memory: there is nothing to flush that could fail
}

// wipe zeroes all that requests have written: nothing of one is ever readable
// by the next.
func (in *instance) wipe() {
	base := in.program.manifest.HeapBase
	near := min(in.high, (base+keepResident)&^(osPage-1))
	clear(in.mem[base:max(base, near)])
	if in.high > near {
		far := abi.Align(in.high, osPage)
		zeroPages(in.mem[max(near, base):min(far, uint32(len(in.mem)))])
	}
	in.high = base
	in.decoder.Trim()
}

// function is the entry of a view.
func (in *instance) function(v *View) (api.Function, error) {
	if f := in.views[v.index]; f != nil {
		return f, nil
	}
	f := in.module.ExportedFunction(v.meta.Export)
	if f == nil {
		return nil, fmt.Errorf("engine: the module exports no function %q", v.meta.Export)
	}
	in.views[v.index] = f
	return f, nil
}

// put copies a text into the region at an address and reads it as a value. It
// gives the first free address after.
func (in *instance) put(at uint32, plan codec.Plan, text []byte) (value uint64, end uint32, err error) {
	limit := in.program.limit
	if at > limit || uint64(len(text))+8 > uint64(limit-at) {
		return 0, at, codec.ErrMemory
	}
	copy(in.mem[at:], text)
	heap := at + codec.Room(len(text))
	in.high = max(in.high, heap)
	value, end, err = in.decoder.Decode(plan, in.mem, codec.Body{Addr: at, Len: uint32(len(text))}, heap, limit)
	// A decoder that failed has written too.
	in.high = max(in.high, end, in.decoder.Heap())
	return value, end, err
}

// spentGas is what the last pass spent.
func (in *instance) spentGas() int64 { return in.granted - int64(in.gas.Get()) }

// pass runs a view once over an input, with a heap that starts at an address.
// When the error is errEnded, in.end says why.
// The cell is 0 when the pass left another status than ready.
func (in *instance) pass(v *View, input, heap uint32) (cell uint32, err error) {
	f, err := in.function(v)
	if err != nil {
		return 0, err
	}
	o := &in.program.opts
	in.granted = min(quantum, o.Gas)
	if in.end.ended {
		in.end = ending{}
	}
	in.stack = [4]uint64{uint64(input), uint64(heap), uint64(in.granted), uint64(o.Depth)}
	err = f.CallWithStack(in, in.stack[:])
	if err == nil {
		in.high = max(in.high, uint32(in.stack[0]>>32))
		return uint32(in.stack[0]), nil
	}
	in.high = max(in.high, uint32(in.heap.Get()))
	if !in.end.ended {
		in.broken = true
		return 0, &TrapError{View: v.meta.QualifiedName(), Err: err}
	}
	in.views[v.index] = nil // with it goes a stack that may have grown large
	return 0, in.ended(v, err)
}

// ended is the error of a pass that the host ended.
func (in *instance) ended(v *View, err error) error {
	p := in.program
	if in.end.limit != "" {
		limit := map[string]int64{"CPU": int64(p.opts.CPU), "calls": int64(p.opts.Calls)}[in.end.limit]
		return &LimitError{View: v.meta.QualifiedName(), What: in.end.limit, Limit: limit}
	}
	f := &Fault{Kind: in.end.kind, View: v.meta.QualifiedName(), Stack: stackOf(err)}
	if in.end.cause != nil {
		f.Detail = in.end.cause.Error()
	}
	if site := int(in.end.site); site >= 0 && site < len(p.manifest.Sites) {
		s := &p.manifest.Sites[site]
		f.File, f.Line, f.Col = p.at(s.Place)
		f.Stack = p.stack(s, f.Stack)
		if f.Kind == 0 {
			f.Kind = s.Kind
		}
	}
	return f
}

// read encodes the value in a result's cell.
func (in *instance) read(v *View, dst []byte, cell uint32) ([]byte, error) {
	if cell == 0 || uint64(cell)+8 > uint64(len(in.mem)) {
		in.broken = true
		return dst, &TrapError{View: v.meta.QualifiedName(), Err: fmt.Errorf("its answer lies at %d", cell)}
	}
	value := binary.LittleEndian.Uint64(in.mem[cell:])
	if v.narrow {
		value = uint64(uint32(value)) // what follows is what passes before this one left
	}
	out, err := v.result.Append(dst, in.mem, value)
	if err == nil {
		return out, nil
	}
	if corrupt := (*codec.CorruptError)(nil); errors.As(err, &corrupt) {
		in.broken = true
		return dst, &TrapError{View: v.meta.QualifiedName(), Err: err}
	}
	f := &Fault{Kind: abi.BadArgument, View: v.meta.QualifiedName(), Detail: "the answer " + err.Error()}
	f.File, f.Line, f.Col = in.program.at(v.meta.Place)
	return dst, f
}

// inputError is the error of an input that could not be read.
func (v *View) inputError(err error) error {
	if err == codec.ErrMemory {
		return &Fault{Kind: abi.OutOfMemory, View: v.meta.QualifiedName(), Detail: "the input does not fit"}
	}
	return &InputError{View: v.meta.QualifiedName(), Err: err}
}

// answerPure serves a view that makes no calls: one pass.
func (in *instance) answerPure(v *View, dst, input []byte) ([]byte, error) {
	p := in.program
	in.decoder.Strict = p.opts.Strict
	value, heap, err := in.put(p.manifest.HeapBase, v.input, input)
	if err != nil {
		return dst, v.inputError(err)
	}
	in.spent, in.started = 0, time.Time{}
	if in.now != nil {
		in.now.Set(uint64(p.opts.Clock.Now().UnixNano()))
	}
	if in.seed != nil {
		in.seed.Set(uint64(p.opts.Seed()))
	}
	cell, err := in.pass(v, uint32(value), heap)
	if err != nil {
		return dst, err
	}
	return in.read(v, dst, cell)
}
