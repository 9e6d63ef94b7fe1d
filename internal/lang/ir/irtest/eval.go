package irtest

import (
	"encoding/binary"
	"fmt"
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/ir"
)

// Machine runs a module by walking its trees.
type Machine struct {
	Module  *ir.Module
	Memory  []byte
	Globals map[*ir.Global]uint64
	// Host answers calls of imports other than fault and yield; nil answers 0.
	Host func(imp *ir.Import, args []uint64) uint64
	// Grant is the gas that each yield adds; without, running out is a fault.
	Grant int64
	// Steps bounds the statements and expressions that a Call runs.
	Steps int

	trace []string
	depth int
	left  int
}

// Outcome is what a call came to.
type Outcome struct {
	Value uint64
	Fault int32    // the site, -1 without
	Error string   // "" or how the machine had to stop: "trap", "endless"
	Trace []string // the calls of impure imports, yields among them, in order
}

// Outcome.Error's values.
const (
	Trap    = "trap"
	Endless = "endless"
)

// NewMachine makes a machine with the module's data in its memory, much gas, and
// the heap behind the data.
func NewMachine(m *ir.Module) *Machine {
	pages := max(m.Pages, 1)
	x := &Machine{Module: m, Memory: make([]byte, pages*abi.PageSize), Globals: map[*ir.Global]uint64{}, Steps: 1 << 20}
	copy(x.Memory[abi.StaticBase:], m.Data)
	for _, g := range m.Globals {
		x.Globals[g] = g.Init
		switch g.Export {
		case abi.GlobalHeap:
			x.Globals[g] = uint64(abi.Align(abi.StaticBase+uint32(len(m.Data)), 8))
		case abi.GlobalLimit:
			x.Globals[g] = uint64(len(x.Memory))
		case abi.GlobalGas:
			x.Globals[g] = 1 << 40
		}
	}
	return x
}

// Set gives the global with that Export name a value.
func (x *Machine) Set(export string, bits uint64) {
	if g := x.exported(export); g != nil {
		x.Globals[g] = bits
	}
}

func (x *Machine) exported(name string) *ir.Global {
	for _, g := range x.Module.Globals {
		if g.Export == name {
			return g
		}
	}
	return nil
}

// Call runs a function.
func (x *Machine) Call(f *ir.Func, args ...uint64) (out Outcome) {
	x.trace, x.left, x.depth = nil, x.Steps, 0
	defer func() {
		out.Trace = x.trace
		switch r := recover().(type) {
		case nil:
		case faulted:
			out.Value, out.Fault = 0, r.site
		case stopped:
			out.Value, out.Error = 0, string(r)
		default:
			panic(r)
		}
	}()
	return Outcome{Value: x.call(f, args), Fault: -1}
}

// faulted and stopped unwind the machine.
type (
	faulted struct{ site int32 }
	stopped string
)

// frame is a running function.
type frame struct {
	*Machine
	locals []uint64
	result uint64
}

// exit says how a statement ended: nil fell through, returned left the function,
// another label is where control goes.
type exit *ir.Label

var returned = &ir.Label{Name: "return"}

func (x *Machine) call(f *ir.Func, args []uint64) uint64 {
	if x.depth++; x.depth > 2000 {
		panic(stopped(Endless))
	}
	fr := &frame{Machine: x, locals: make([]uint64, len(f.Locals))}
	copy(fr.locals, args)
	fr.stmts(f.Body)
	x.depth--
	return fr.result
}

func (x *Machine) step() {
	if x.left--; x.left < 0 {
		panic(stopped(Endless))
	}
}

func (f *frame) stmts(body []ir.Stmt) exit {
	for _, s := range body {
		if e := f.stmt(s); e != nil {
			return e
		}
	}
	return nil
}

func (f *frame) stmt(s ir.Stmt) exit {
	f.step()
	switch s := s.(type) {
	case *ir.Set:
		f.locals[s.Local] = f.expr(s.X)
	case *ir.SetGlobal:
		f.Globals[s.Global] = f.expr(s.X)
	case *ir.Store:
		addr := f.expr(s.Addr)
		f.store(addr, s.Offset, s.Width, f.expr(s.X))
	case *ir.Copy:
		dst, src, n := f.expr(s.Dst), f.expr(s.Src), f.expr(s.Size)
		copy(f.at(dst, 0, n), f.at(src, 0, n))
	case *ir.Do:
		f.expr(s.X)
	case *ir.CallStmt:
		f.call(s.Func, f.exprs(s.Args))
	case *ir.HostStmt:
		f.host(s.Import, f.exprs(s.Args))
	case *ir.Break:
		if s.Test == nil || uint32(f.expr(s.Test)) != 0 {
			return s.Label
		}
	case *ir.Continue:
		if s.Test == nil || uint32(f.expr(s.Test)) != 0 {
			return s.Label
		}
	case *ir.Return:
		if s.X != nil {
			f.result = f.expr(s.X)
		}
		return returned
	case *ir.Fault:
		panic(faulted{s.Site})
	case *ir.Gas:
		f.gas(s)
	default:
		return f.compound(s)
	}
	return nil
}

func (f *frame) compound(s ir.Stmt) exit {
	switch s := s.(type) {
	case *ir.If:
		if uint32(f.expr(s.Test)) != 0 {
			return f.stmts(s.Then)
		}
		return f.stmts(s.Else)
	case *ir.Block:
		if e := f.stmts(s.Body); e != s.Label {
			return e
		}
		return nil
	case *ir.Loop:
		for {
			if e := f.stmts(s.Body); e != s.Label {
				return e
			}
			f.step()
		}
	case *ir.Switch:
		if i := uint32(f.expr(s.X)); uint64(i) < uint64(len(s.Cases)) {
			return f.stmts(s.Cases[i])
		}
		return f.stmts(s.Default)
	}
	panic(fmt.Sprintf("irtest: no such statement: %T", s))
}

func (f *frame) gas(s *ir.Gas) {
	g := f.exported(abi.GlobalGas)
	cost := f.expr(s.Cost)
	f.Globals[g] -= cost
	for int64(f.Globals[g]) < 0 {
		if f.Grant == 0 {
			panic(faulted{s.Site})
		}
		f.trace = append(f.trace, fmt.Sprintf("yield(%d)", s.Site))
		f.Globals[g] += uint64(f.Grant)
		f.step()
	}
}

func (f *frame) exprs(es []ir.Expr) []uint64 {
	out := make([]uint64, len(es))
	for i, e := range es {
		out[i] = f.expr(e)
	}
	return out
}

func (f *frame) expr(e ir.Expr) uint64 {
	f.step()
	switch e := e.(type) {
	case *ir.Const:
		if e.T == ir.I32 {
			return uint64(uint32(e.Bits))
		}
		return e.Bits
	case *ir.Get:
		return f.locals[e.Local]
	case *ir.GetGlobal:
		return f.Globals[e.Global]
	case *ir.Unary:
		return f.apply(e.Op, f.expr(e.X), 0)
	case *ir.Binary:
		x := f.expr(e.X)
		return f.apply(e.Op, x, f.expr(e.Y))
	case *ir.Load:
		return f.load(f.expr(e.Addr), e.Offset, e.Width)
	case *ir.Alloc:
		return f.alloc(e)
	case *ir.Call:
		return f.call(e.Func, f.exprs(e.Args))
	case *ir.Host:
		return f.host(e.Import, f.exprs(e.Args))
	case *ir.Cond:
		if uint32(f.expr(e.Test)) != 0 {
			return f.expr(e.Then)
		}
		return f.expr(e.Else)
	case *ir.Seq:
		if f.stmts(e.Body) != nil {
			panic("irtest: control leaves a Seq")
		}
		return f.expr(e.Value)
	}
	panic(fmt.Sprintf("irtest: no such expression: %T", e))
}

func (f *frame) apply(op ir.Op, x, y uint64) uint64 {
	out, ok := op.Apply(x, y)
	if !ok {
		panic(stopped(Trap))
	}
	if op.Result() == ir.F64 && math.IsNaN(math.Float64frombits(out)) {
		return 0x7ff8000000000000 // which NaN is not told
	}
	return out
}

// at is n bytes of memory, or a trap.
func (x *Machine) at(addr uint64, offset uint32, n uint64) []byte {
	from := uint64(uint32(addr)) + uint64(offset)
	if from+n > uint64(len(x.Memory)) {
		panic(stopped(Trap))
	}
	return x.Memory[from : from+n]
}

func (x *Machine) load(addr uint64, offset uint32, width uint8) uint64 {
	var b [8]byte
	copy(b[:], x.at(addr, offset, uint64(width)))
	return binary.LittleEndian.Uint64(b[:])
}

func (x *Machine) store(addr uint64, offset uint32, width uint8, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(x.at(addr, offset, uint64(width)), b[:])
}

func (f *frame) alloc(e *ir.Alloc) uint64 {
	size := f.expr(e.Size)
	heap, limit := f.exported(abi.GlobalHeap), f.exported(abi.GlobalLimit)
	at := f.Globals[heap]
	if at+size > f.Globals[limit] {
		panic(faulted{e.Site})
	}
	f.Globals[heap] = at + size
	return at
}

func (x *Machine) host(imp *ir.Import, args []uint64) uint64 {
	if imp.Name == "fault" {
		panic(faulted{int32(args[0])})
	}
	if !imp.Pure {
		x.trace = append(x.trace, fmt.Sprintf("%s(%x)", imp.Name, args))
	}
	if x.Host == nil {
		return 0
	}
	out := x.Host(imp, args)
	if imp.Result == ir.I32 {
		return uint64(uint32(out))
	}
	return out
}
