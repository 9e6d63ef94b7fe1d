package irtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"towpath.dev/internal/lang/ir"
)

// Random makes a well-typed module that ends: loops count down, calls go to
// functions made before or, with one less depth, to the function itself. It uses
// memory as lowering does: what is loaded was stored right behind its
// allocation, and where memory changes loads say so. The last function, "main",
// takes an i32, an i64 and an f64 and leaves an i64.
func Random(seed uint64) *ir.Module {
	r := &random{Rand: rand.New(rand.NewPCG(seed, 1)), m: &ir.Module{Pages: 2}}
	r.imports()
	for _, n := range []string{"heap", "limit", "gas", "now"} {
		t := ir.I32
		if n == "gas" || n == "now" {
			t = ir.I64
		}
		r.m.Globals = append(r.m.Globals, &ir.Global{Name: n, Type: t, Export: n})
	}
	r.state = &ir.Global{Name: "state", Type: ir.I64, Init: 7, Export: "state"}
	r.m.Globals = append(r.m.Globals, r.state)
	r.m.Data = make([]byte, 64)
	for i := range r.m.Data {
		r.m.Data[i] = byte(r.Uint32())
	}
	n := 1 + r.IntN(4)
	for i := range n {
		r.function(fmt.Sprintf("f%d", i), r.types(r.IntN(4)), r.result())
	}
	main := r.function("main", []ir.Type{ir.I32, ir.I64, ir.F64}, ir.I64)
	r.m.Exports = []ir.Export{{Name: "main", Func: main}}
	return r.m
}

type random struct {
	*rand.Rand
	m     *ir.Module
	f     *ir.Func
	state *ir.Global
	ask   *ir.Import
	tell  *ir.Import
	hash  *ir.Import

	labels []*ir.Label // of open blocks
	locked map[int]bool
	site   int32
	budget int // of statements
	cells  []int
	full   []int // the cells that may be loaded from
}

func (r *random) imports() {
	r.ask = &ir.Import{Name: "ask", Params: []ir.Type{ir.I32}, Result: ir.I64}
	r.tell = &ir.Import{Name: "tell", Params: []ir.Type{ir.I64}}
	r.hash = &ir.Import{Name: "hash", Params: []ir.Type{ir.I64}, Result: ir.I32, Pure: true}
	r.m.Imports = []*ir.Import{
		{Name: "fault", Params: []ir.Type{ir.I32}, NoReturn: true},
		{Name: "yield", Params: []ir.Type{ir.I32}},
		r.ask, r.tell, r.hash,
	}
}

func (r *random) typ() ir.Type { return []ir.Type{ir.I32, ir.I64, ir.I64, ir.F64}[r.IntN(4)] }

func (r *random) result() ir.Type {
	if r.IntN(5) == 0 {
		return ir.None
	}
	return r.typ()
}

func (r *random) types(n int) []ir.Type {
	out := make([]ir.Type, n)
	for i := range out {
		out[i] = r.typ()
	}
	return out
}

// Cells are made of an i64, an i32, an i32 and an f64.
const cellSize = 24

// function makes a function. Its first parameter is the depth that it may still
// call itself with; main has none.
func (r *random) function(name string, params []ir.Type, result ir.Type) *ir.Func {
	f := &ir.Func{Name: name, Result: result, Inline: r.IntN(4) == 0, NoInline: r.IntN(6) == 0}
	r.f, r.labels, r.locked, r.budget = f, nil, map[int]bool{}, 25
	recursive := name != "main"
	if recursive {
		params = append([]ir.Type{ir.I32}, params...)
		r.locked[0] = true
	}
	f.Params = len(params)
	f.Locals = append(params, r.types(1+r.IntN(6))...)
	r.cells, r.full = nil, nil
	var body []ir.Stmt
	for range 2 {
		r.cells = append(r.cells, f.NewLocal(ir.I32))
	}
	for _, c := range r.cells {
		body = append(body, r.cell(c)...)
		r.locked[c] = true
	}
	body = append(body, &ir.Gas{Cost: i64(1 + r.Int64N(3)), Site: r.newSite()})
	if recursive {
		body = append(body, &ir.If{Test: &ir.Unary{Op: ir.I32Eqz, X: r.get(0)}, Then: []ir.Stmt{r.ret()}})
		// Functions know themselves from here on.
		r.m.Funcs = append(r.m.Funcs, f)
	}
	body = append(body, r.stmts(3)...)
	f.Body = append(body, r.ret())
	if !recursive {
		r.m.Funcs = append(r.m.Funcs, f)
	}
	return f
}

func i32(n int32) ir.Expr { return &ir.Const{T: ir.I32, Bits: uint64(uint32(n))} }
func i64(n int64) ir.Expr { return &ir.Const{T: ir.I64, Bits: uint64(n)} }

func (r *random) newSite() int32 {
	r.site++
	return r.site
}

func (r *random) get(local int) ir.Expr { return &ir.Get{T: r.f.Locals[local], Local: local} }

func (r *random) ret() ir.Stmt {
	if r.f.Result == ir.None {
		return &ir.Return{}
	}
	return &ir.Return{X: r.expr(r.f.Result, 3)}
}

// cell allocates and fills a cell.
func (r *random) cell(local int) []ir.Stmt {
	addr := r.get(local)
	r.full = slices.DeleteFunc(r.full, func(l int) bool { return l == local })
	defer func() { r.full = append(r.full, local) }()
	return []ir.Stmt{
		&ir.Set{Local: local, X: &ir.Alloc{Size: i32(cellSize), Site: r.newSite()}},
		&ir.Store{Width: 8, Addr: addr, X: r.expr(ir.I64, 2)},
		&ir.Store{Width: 4, Addr: addr, Offset: 8, X: r.expr(ir.I32, 2)},
		&ir.Store{Width: 1, Addr: addr, Offset: 12, X: r.expr(ir.I32, 2)},
		&ir.Store{Width: 8, Addr: addr, Offset: 16, X: r.expr(ir.F64, 2)},
	}
}

func (r *random) stmts(depth int) []ir.Stmt {
	var out []ir.Stmt
	for n := 1 + r.IntN(5); n > 0 && r.budget > 0; n-- {
		r.budget--
		out = append(out, r.stmt(depth)...)
	}
	return out
}

func one(s ir.Stmt) []ir.Stmt { return []ir.Stmt{s} }

func (r *random) stmt(depth int) []ir.Stmt {
	if depth > 0 {
		switch r.IntN(9) {
		case 0, 1:
			s := &ir.If{Test: r.expr(ir.I32, 3), Then: r.stmts(depth - 1)}
			if r.IntN(2) == 0 {
				s.Else = r.stmts(depth - 1)
			}
			return one(s)
		case 2:
			l := &ir.Label{Name: "out"}
			r.labels = append(r.labels, l)
			s := &ir.Block{Label: l, Body: r.stmts(depth - 1)}
			r.labels = r.labels[:len(r.labels)-1]
			return one(s)
		case 3:
			return r.loop(depth)
		case 4:
			s := &ir.Switch{X: r.expr(ir.I32, 2)}
			for range r.IntN(3) {
				s.Cases = append(s.Cases, r.stmts(depth-1))
			}
			s.Default = r.stmts(depth - 1)
			return one(s)
		}
	}
	return r.simple()
}

// loop counts a local of its own down from a small number.
func (r *random) loop(depth int) []ir.Stmt {
	l := &ir.Label{Name: "again"}
	n := r.f.NewLocal(ir.I32)
	r.locked[n] = true
	list := r.stmts(depth - 1)
	list = append(list, &ir.Set{Local: n, X: &ir.Binary{Op: ir.I32Sub, X: r.get(n), Y: i32(1)}},
		&ir.Continue{Label: l, Test: &ir.Binary{Op: ir.I32GtS, X: r.get(n), Y: i32(0)}})
	return []ir.Stmt{&ir.Set{Local: n, X: i32(r.Int32N(4))}, &ir.Loop{Label: l, Body: list}}
}

func (r *random) simple() []ir.Stmt {
	switch r.IntN(14) {
	case 0:
		return one(&ir.Gas{Cost: i64(r.Int64N(5)), Site: r.newSite()})
	case 1:
		return one(&ir.If{Test: r.expr(ir.I32, 2), Then: one(&ir.Fault{Site: r.newSite()})})
	case 2:
		if len(r.labels) > 0 {
			s := &ir.Break{Label: r.labels[r.IntN(len(r.labels))]}
			if r.IntN(4) > 0 {
				s.Test = r.expr(ir.I32, 2)
			}
			return one(s)
		}
	case 3:
		return one(&ir.HostStmt{Import: r.tell, Args: []ir.Expr{r.expr(ir.I64, 3)}})
	case 4:
		return one(&ir.SetGlobal{Global: r.state, X: r.expr(ir.I64, 3)})
	case 5: // memory that changes
		return one(&ir.Store{Width: 8, Addr: i32(1024 + 8*r.Int32N(4)), X: r.expr(ir.I64, 2)})
	case 6:
		return r.cell(r.cells[r.IntN(len(r.cells))])
	case 7, 8:
		if s := r.call(); s != nil {
			return s
		}
	case 9:
		return one(&ir.Do{X: r.expr(r.typ(), 2)})
	}
	for range 10 {
		if l := r.IntN(len(r.f.Locals)); !r.locked[l] {
			return one(&ir.Set{Local: l, X: r.expr(r.f.Locals[l], 4)})
		}
	}
	return nil
}

// call calls a function made before, or this one, a level deeper.
func (r *random) call() []ir.Stmt {
	if len(r.m.Funcs) == 0 {
		return nil
	}
	f := r.m.Funcs[r.IntN(len(r.m.Funcs))]
	args := []ir.Expr{i32(r.Int32N(3))}
	if f == r.f {
		args[0] = &ir.Binary{Op: ir.I32Sub, X: r.get(0), Y: i32(1)}
	}
	for _, t := range f.Locals[1:f.Params] {
		args = append(args, r.expr(t, 2))
	}
	if f.Result == ir.None {
		return one(&ir.CallStmt{Func: f, Args: args})
	}
	for l, t := range r.f.Locals {
		if t == f.Result && !r.locked[l] && r.IntN(2) == 0 {
			return one(&ir.Set{Local: l, X: &ir.Call{Func: f, Args: args}})
		}
	}
	return one(&ir.Do{X: &ir.Call{Func: f, Args: args}})
}

var interesting = []int64{0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 255, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64, -1 << 32}

func (r *random) constant(t ir.Type) ir.Expr {
	n := interesting[r.IntN(len(interesting))]
	switch t {
	case ir.I32:
		return i32(int32(n))
	case ir.I64:
		return i64(n)
	}
	x := []float64{0, math.Copysign(0, -1), 1, -1.5, 1e300, math.Inf(1), 0.1, 4.5, float64(n)}[r.IntN(9)]
	return &ir.Const{T: ir.F64, Bits: math.Float64bits(x)}
}

func (r *random) expr(t ir.Type, depth int) ir.Expr {
	if depth == 0 || r.IntN(6) == 0 {
		return r.leaf(t)
	}
	switch r.IntN(16) {
	case 0:
		return &ir.Cond{Test: r.expr(ir.I32, depth-1), Then: r.expr(t, depth-1), Else: r.expr(t, depth-1)}
	case 1, 2:
		if len(r.full) > 0 {
			return r.load(t)
		}
	case 3:
		if t == ir.I64 {
			return &ir.Host{Import: r.ask, Args: []ir.Expr{r.expr(ir.I32, depth-1)}}
		}
		if t == ir.I32 {
			return &ir.Host{Import: r.hash, Args: []ir.Expr{r.expr(ir.I64, depth-1)}}
		}
	case 4:
		if t == ir.I64 {
			return r.idiom(depth)
		}
	}
	for {
		op := ir.Op(1 + r.IntN(int(ir.I64ReinterpretF64)))
		if op.Result() != t || traps(op) {
			continue
		}
		if op == ir.I64ReinterpretF64 || op == ir.F64ReinterpretI64 || op == ir.F64Copysign {
			continue // it would show which NaN there is
		}
		x := r.expr(op.Operand(), depth-1)
		if op.Arity() == 1 {
			return &ir.Unary{Op: op, X: x}
		}
		return &ir.Binary{Op: op, X: x, Y: r.expr(op.Operand(), depth-1)}
	}
}

func traps(op ir.Op) bool {
	switch op {
	case ir.I32DivU, ir.I32RemU, ir.I64DivS, ir.I64DivU, ir.I64RemS, ir.I64RemU:
		return true
	}
	return false
}

// idiom is an expression of the kind that lowering makes.
func (r *random) idiom(depth int) ir.Expr {
	bin := func(op ir.Op, x, y ir.Expr) ir.Expr { return &ir.Binary{Op: op, X: x, Y: y} }
	un := func(op ir.Op, x ir.Expr) ir.Expr { return &ir.Unary{Op: op, X: x} }
	x, y := r.leaf(ir.I64), r.leaf(ir.I64)
	switch r.IntN(5) {
	case 0: // an address and a length in one
		packed := bin(ir.I64Or, bin(ir.I64Shl, un(ir.I64ExtendI32U, r.expr(ir.I32, depth-1)), i64(32)), un(ir.I64ExtendI32U, r.leaf(ir.I32)))
		if r.IntN(2) == 0 {
			return bin(ir.I64ShrU, packed, i64(32))
		}
		return un(ir.I64ExtendI32U, un(ir.I32WrapI64, packed))
	case 1: // overflow of a sum
		t := bin(ir.I64Add, x, y)
		return un(ir.I64ExtendI32U, bin(ir.I64LtS, bin(ir.I64And, bin(ir.I64Xor, x, t), bin(ir.I64Xor, y, t)), i64(0)))
	case 2: // of a difference
		t := bin(ir.I64Sub, x, y)
		return un(ir.I64ExtendI32U, bin(ir.I64LtS, bin(ir.I64And, bin(ir.I64Xor, x, y), bin(ir.I64Xor, x, t)), i64(0)))
	case 3:
		return un(ir.I64ExtendI32U, bin(ir.I64LtS, bin(ir.I64Add, x, i64(r.Int64N(9)-4)), x))
	}
	return bin(ir.I64DivS, x, i64(1+r.Int64N(9)))
}

func (r *random) leaf(t ir.Type) ir.Expr {
	switch r.IntN(5) {
	case 0:
		return r.constant(t)
	case 1:
		if t == ir.I64 {
			return &ir.GetGlobal{Global: r.m.Globals[3+r.IntN(2)]}
		}
	}
	var fits []int
	for l, lt := range r.f.Locals {
		if lt == t && !r.isCell(l) {
			fits = append(fits, l)
		}
	}
	if len(fits) == 0 {
		return r.constant(t)
	}
	return r.get(fits[r.IntN(len(fits))])
}

// isCell keeps addresses from being computed with: they change when an
// allocation goes.
func (r *random) isCell(l int) bool {
	return slices.Contains(r.cells, l)
}

func (r *random) load(t ir.Type) ir.Expr {
	addr := r.get(r.full[r.IntN(len(r.full))])
	switch {
	case t == ir.I64 && r.IntN(3) == 0:
		return &ir.Load{T: t, Width: 8, Addr: i32(1024 + 8*r.Int32N(4)), Mutable: true}
	case t == ir.I64:
		return &ir.Load{T: t, Width: 8, Addr: addr}
	case t == ir.F64:
		return &ir.Load{T: t, Width: 8, Addr: addr, Offset: 16}
	case r.IntN(2) == 0:
		return &ir.Load{T: t, Width: 1, Addr: addr, Offset: 12}
	}
	return &ir.Load{T: t, Width: 4, Addr: &ir.Binary{Op: ir.I32Add, X: addr, Y: i32(8)}}
}
