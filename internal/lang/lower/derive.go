package lower

import (
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// Equality and order of any type. Scalars are compared in place; for the others
// the compiler derives a function a type: (x, y, sites[, depth]) -> I32, where
// sites is the first of three sites of the comparison: out of gas, mixed
// currencies, too deep. Only recursive types take the remaining depth.

type deriveKey struct {
	order bool
	id    abi.TypeID
}

// comparison lowers == != < <= > >= and Compare.
func (b *builder) comparison(op core.Op, id abi.TypeID, a []ir.Expr, at span.Span) ir.Expr {
	switch op {
	case core.Equal:
		return b.equal(id, a[0], a[1], at)
	case core.NotEqual:
		return un(ir.I32Eqz, b.equal(id, a[0], a[1], at))
	case core.Compare:
		return un(ir.I64ExtendI32S, b.ordering(id, a[0], a[1], at))
	}
	if x := b.directOrder(op, b.bare(id), a); x != nil {
		return x
	}
	ops := map[core.Op]ir.Op{core.Less: ir.I32LtS, core.LessEq: ir.I32LeS, core.Greater: ir.I32GtS, core.GreaterEq: ir.I32GeS}
	return bin(ops[op], b.ordering(id, a[0], a[1], at), i32(0))
}

func (b *builder) bare(id abi.TypeID) abi.TypeID { return b.l.bare(id) }

// directOrder compares integers by one instruction; nil for other types.
func (b *builder) directOrder(op core.Op, id abi.TypeID, a []ir.Expr) ir.Expr {
	i := map[core.Op]int{core.Less: 0, core.LessEq: 1, core.Greater: 2, core.GreaterEq: 3}[op]
	switch b.l.typ(id).Kind {
	case abi.Int, abi.Duration, abi.Instant:
		return bin([...]ir.Op{ir.I64LtS, ir.I64LeS, ir.I64GtS, ir.I64GeS}[i], a[0], a[1])
	case abi.Bool, abi.Enum, abi.Date:
		return bin([...]ir.Op{ir.I32LtS, ir.I32LeS, ir.I32GtS, ir.I32GeS}[i], a[0], a[1])
	case abi.Float:
		// NaN equals itself and is greater than every number.
		x, y := b.atom(a[0]), b.atom(a[1])
		switch op {
		case core.Less:
			return floatLess(x, y)
		case core.Greater:
			return floatLess(y, x)
		case core.LessEq:
			return un(ir.I32Eqz, floatLess(y, x))
		default:
			return un(ir.I32Eqz, floatLess(x, y))
		}
	}
	return nil
}

// floatLess is x < y, or only y is NaN: not (x >= y) and not (x is NaN).
func floatLess(x, y ir.Expr) ir.Expr {
	return bin(ir.I32And, un(ir.I32Eqz, bin(ir.F64Ge, x, y)), bin(ir.F64Eq, x, x))
}

// sites reserves the three sites of a comparison and gives the first.
func (b *builder) comparisonSites(at span.Span) ir.Expr {
	key := siteKey{abi.OutOfGas, at, b.name + "\x00comparison"}
	id, ok := b.l.siteIDs[key]
	if !ok {
		id = int32(len(b.l.sites))
		b.l.siteIDs[key] = id
		for _, k := range []abi.FaultKind{abi.OutOfGas, abi.MixedCurrencies, abi.TooDeep} {
			b.l.sites = append(b.l.sites, site{k, at, b.name})
		}
	}
	return i32(id)
}

// equal is x == y at a place in the source.
func (b *builder) equal(id abi.TypeID, x, y ir.Expr, at span.Span) ir.Expr {
	return b.compareValues(false, id, x, y, func() ir.Expr { return b.comparisonSites(at) }, nil)
}

// ordering is below, at or above zero as x is less than, equal to or greater
// than y.
func (b *builder) ordering(id abi.TypeID, x, y ir.Expr, at span.Span) ir.Expr {
	return b.compareValues(true, id, x, y, func() ir.Expr { return b.comparisonSites(at) }, nil)
}

// compareValues compares by equality or by order. depth is nil at the outermost
// comparison.
func (b *builder) compareValues(order bool, id abi.TypeID, x, y ir.Expr, sites func() ir.Expr, depth ir.Expr) ir.Expr {
	id = b.bare(id)
	t := b.l.typ(id)
	switch t.Kind {
	case abi.Bool, abi.Enum, abi.Date:
		if !order {
			return bin(ir.I32Eq, x, y)
		}
		x, y = b.atom(x), b.atom(y)
		return sign(bin(ir.I32GtS, x, y), bin(ir.I32LtS, x, y))
	case abi.Int, abi.Duration, abi.Instant:
		if !order {
			return bin(ir.I64Eq, x, y)
		}
		x, y = b.atom(x), b.atom(y)
		return sign(bin(ir.I64GtS, x, y), bin(ir.I64LtS, x, y))
	case abi.Float:
		x, y = b.atom(x), b.atom(y)
		if !order {
			nans := bin(ir.I32And, bin(ir.F64Ne, x, x), bin(ir.F64Ne, y, y))
			return bin(ir.I32Or, bin(ir.F64Eq, x, y), nans)
		}
		return sign(floatLess(y, x), floatLess(x, y))
	case abi.Decimal:
		if order {
			return b.set(&ir.Call{Func: b.l.decimalCompare(), Args: []ir.Expr{x, y}})
		}
		return b.set(&ir.Call{Func: b.l.numberEqual(decimalPacking), Args: []ir.Expr{x, y}})
	case abi.Money:
		if order {
			mixed := bin(ir.I32Add, sites(), i32(1))
			return b.set(&ir.Call{Func: b.l.moneyCompare(), Args: []ir.Expr{x, y, mixed}})
		}
		return b.set(&ir.Call{Func: b.l.numberEqual(moneyPacking), Args: []ir.Expr{x, y}})
	case abi.String, abi.Json:
		return b.compareStrings(order, b.atom(x), b.atom(y), sites)
	case abi.Tuple, abi.Record:
		if len(t.Fields) == 0 {
			if order {
				return i32(0)
			}
			return i32(1)
		}
	}
	args := []ir.Expr{x, y, sites()}
	if b.l.recursive(id) {
		if depth == nil {
			depth = &ir.GetGlobal{Global: b.l.depth}
		}
		args = append(args, depth)
	}
	return b.set(&ir.Call{Func: b.l.derive(order, id), Args: args})
}

// chargeAt takes gas at a site that is known when the program runs.
func (b *builder) chargeAt(cost, site ir.Expr) {
	left := b.set(bin(ir.I64Sub, &ir.GetGlobal{Global: b.l.gas}, cost))
	b.emit(&ir.SetGlobal{Global: b.l.gas, X: left})
	b.when(bin(ir.I64LtS, left, i64(0)), func() {
		b.emit(&ir.HostStmt{Import: b.l.imports["yield"], Args: []ir.Expr{site}})
	})
}

func (b *builder) compareStrings(order bool, x, y ir.Expr, sites func() ir.Expr) ir.Expr {
	n := ir.Expr(count(x))
	long := bin(ir.I32GtU, n, i32(64))
	if order {
		n = b.set(&ir.Cond{Test: bin(ir.I32LtU, count(x), count(y)), Then: count(x), Else: count(y)})
		long = bin(ir.I32GtU, n, i32(64))
	} else {
		long = bin(ir.I32And, long, bin(ir.I32Eq, count(x), count(y)))
	}
	b.when(long, func() {
		b.chargeAt(un(ir.I64ExtendI32U, bin(ir.I32ShrU, bin(ir.I32Sub, n, i32(1)), i32(6))), sites())
	})
	if order {
		return b.set(&ir.Call{Func: b.l.strCompare(), Args: []ir.Expr{x, y}})
	}
	return b.set(&ir.Call{Func: b.l.strEqual(), Args: []ir.Expr{x, y}})
}

// recursive reports whether values of the type can hold values of the type.
func (l *lowerer) recursive(id abi.TypeID) bool {
	seen := map[abi.TypeID]bool{}
	var reaches func(from abi.TypeID) bool
	next := func(to abi.TypeID) bool {
		if to == id {
			return true
		}
		if seen[to] {
			return false
		}
		seen[to] = true
		return reaches(to)
	}
	reaches = func(from abi.TypeID) bool {
		t := l.typ(from)
		switch t.Kind {
		case abi.List, abi.Option, abi.Wrapper, abi.Set:
			return next(t.Elem)
		case abi.Map:
			return next(t.Key) || next(t.Elem)
		}
		for _, f := range t.Fields {
			if next(f.Type) {
				return true
			}
		}
		for _, c := range t.Ctors {
			for _, f := range c.Fields {
				if next(f.Type) {
					return true
				}
			}
		}
		return false
	}
	return reaches(id)
}

// derive makes the function that compares two values of a structured type.
func (l *lowerer) derive(order bool, id abi.TypeID) *ir.Func {
	key := deriveKey{order, id}
	if f := l.derived[key]; f != nil {
		return f
	}
	v := l.val(id)
	f := &ir.Func{Params: 3, Locals: []ir.Type{v, v, ir.I32}, Result: ir.I32, Runtime: true}
	f.Name = fmt.Sprintf("%s#%d", map[bool]string{false: "equal", true: "compare"}[order], id)
	l.derived[key] = f
	b := &builder{l: l, inst: &instance{f: f}, f: f, name: f.Name, depth: -1, path: -1, out: &f.Body}
	d := &deriving{b: b, order: order, x: get(v, 0), y: get(v, 1)}
	if l.recursive(id) {
		b.depth = b.param(ir.I32)
	}
	l.module.Funcs = append(l.module.Funcs, f)
	if b.depth >= 0 {
		b.chargeAt(i64(1), d.site(0))
		b.unless(b.get(b.depth), func() {
			b.emit(&ir.HostStmt{Import: l.imports["fault"], Args: []ir.Expr{d.site(2)}})
		})
		d.depth = b.set(bin(ir.I32Sub, b.get(b.depth), i32(1)))
	}
	d.body(id)
	return f
}

// deriving is a derived function under way.
type deriving struct {
	b     *builder
	order bool
	x, y  ir.Expr
	depth ir.Expr // for parts of recursive types; nil without
}

func (d *deriving) site(i int32) ir.Expr { return bin(ir.I32Add, get(ir.I32, 2), i32(i)) }

// same is what equal values answer.
func (d *deriving) same() ir.Expr {
	if d.order {
		return i32(0)
	}
	return i32(1)
}

// part compares two parts and returns when they differ.
func (d *deriving) part(id abi.TypeID, x, y ir.Expr) {
	b := d.b
	r := b.atom(b.compareValues(d.order, id, x, y, func() ir.Expr { return get(ir.I32, 2) }, d.depth))
	if d.order {
		b.when(r, func() { b.ret(r) })
		return
	}
	b.unless(r, func() { b.ret(i32(0)) })
}

func (d *deriving) fields(fields []abi.Field) {
	for _, f := range fields {
		v := d.b.l.val(f.Type)
		d.part(f.Type, load(v, d.x, f.Offset), load(v, d.y, f.Offset))
	}
	d.b.ret(d.same())
}

func (d *deriving) body(id abi.TypeID) {
	b, t := d.b, d.b.l.typ(id)
	switch t.Kind {
	case abi.Tuple, abi.Record:
		d.fields(t.Fields)
	case abi.Variant:
		d.variant(t)
	case abi.Option:
		nx, ny := b.set(b.isNone(id, d.x)), b.set(b.isNone(id, d.y))
		b.when(bin(ir.I32Or, nx, ny), func() {
			if d.order {
				b.ret(bin(ir.I32Sub, ny, nx)) // None comes first
			} else {
				b.ret(bin(ir.I32And, nx, ny))
			}
		})
		d.part(t.Elem, b.unwrapSome(id, d.x), b.unwrapSome(id, d.y))
		b.ret(d.same())
	case abi.List:
		d.list(t.Elem)
	case abi.Map, abi.Set:
		d.entries(id, t)
	default:
		b.ret(d.same())
	}
}

func (d *deriving) variant(t *abi.Type) {
	b := d.b
	tx, ty := b.set(load(ir.I32, d.x, 0)), b.set(load(ir.I32, d.y, 0))
	b.when(bin(ir.I32Ne, tx, ty), func() {
		if d.order {
			b.ret(sign(bin(ir.I32GtU, tx, ty), bin(ir.I32LtU, tx, ty)))
		} else {
			b.ret(i32(0))
		}
	})
	sw := &ir.Switch{X: tx}
	for _, c := range t.Ctors {
		sw.Cases = append(sw.Cases, b.body(func() { d.fields(c.Fields) }))
	}
	b.emit(sw)
	b.ret(d.same())
}

func (d *deriving) list(elem abi.TypeID) {
	b := d.b
	v := b.l.val(elem)
	nx, ny := b.set(count(d.x)), b.set(count(d.y))
	n := nx
	if d.order {
		n = b.set(&ir.Cond{Test: bin(ir.I32LtU, nx, ny), Then: nx, Else: ny})
	} else {
		b.when(bin(ir.I32Ne, nx, ny), func() { b.ret(i32(0)) })
	}
	p, q := b.set(listAddr(d.x)), b.set(listAddr(d.y))
	b.forRange(n, func(i ir.Expr) {
		b.chargeAt(i64(1), d.site(0))
		at := scaled(i, v.Size())
		d.part(elem, load(v, bin(ir.I32Add, p, at), 0), load(v, bin(ir.I32Add, q, at), 0))
	})
	if d.order {
		b.ret(sign(bin(ir.I32GtU, nx, ny), bin(ir.I32LtU, nx, ny)))
		return
	}
	b.ret(i32(1))
}

// entries compares maps and sets by the lists of their entries.
func (d *deriving) entries(id abi.TypeID, t *abi.Type) {
	b := d.b
	con := b.l.coreOf[id].(*core.Con)
	toList := b.l.stdFunc(con.Def.Module, "toList")
	args := make([]abi.TypeID, len(con.Args))
	for i, a := range con.Args {
		args[i] = b.l.typeID(a, nil)
	}
	inst := b.l.instance(toList, args, nil)
	list := func(x ir.Expr) ir.Expr {
		var all []ir.Expr
		if inst.deep {
			all = append(all, &ir.GetGlobal{Global: b.l.depth})
		}
		return b.set(&ir.Call{Func: inst.f, Args: append(all, x)})
	}
	x, y := list(d.x), list(d.y)
	d.part(inst.result, x, y)
	b.ret(d.same())
}

// stdFunc finds a function of the standard library that the language needs.
func (l *lowerer) stdFunc(m *core.Module, name string) *core.Func {
	for _, f := range m.Funcs {
		if f.Name == name {
			return f
		}
	}
	l.fail(span.Span{}, "the standard library's %s has no function %s", m.Path, name)
	return nil
}
