package lower

import (
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

type coreNode interface{ Pos() span.Span }

// prim lowers a primitive operator.
func (b *builder) prim(e *core.Prim) val {
	args, pends := b.exprs(e.Args)
	t := b.rep(e.Type)
	return b.guarded(t, pends, func() val { return ready(b.primOp(e, args)) })
}

var floatOps = map[core.Op]ir.Op{
	core.FloatAdd: ir.F64Add, core.FloatSub: ir.F64Sub, core.FloatMul: ir.F64Mul, core.FloatDiv: ir.F64Div,
}

func (b *builder) primOp(e *core.Prim, a []ir.Expr) ir.Expr {
	at := e.At
	switch e.Op {
	case core.IntAdd, core.DurationAdd, core.InstantAdd:
		return b.add64(a[0], a[1], at)
	case core.IntSub, core.DurationSub, core.InstantSub, core.InstantDiff:
		return b.sub64(a[0], a[1], at)
	case core.IntMul, core.DurationMul:
		return b.mul64(a[0], a[1], at)
	case core.IntDiv, core.DurationDiv:
		return b.div64(ir.I64DivS, a[0], a[1], at)
	case core.IntRem:
		return b.div64(ir.I64RemS, a[0], a[1], at)
	case core.IntNeg, core.DurationNeg:
		return b.sub64(i64(0), a[0], at)
	case core.FloatAdd, core.FloatSub, core.FloatMul, core.FloatDiv:
		return bin(floatOps[e.Op], a[0], a[1])
	case core.FloatNeg:
		return un(ir.F64Neg, a[0])
	case core.DecimalAdd, core.DecimalSub, core.DecimalMul, core.DecimalNeg,
		core.MoneyAdd, core.MoneySub, core.MoneyMul, core.MoneyNeg:
		return b.number(e.Op, a, at)
	case core.DateDiff:
		d := bin(ir.I64Sub, un(ir.I64ExtendI32S, a[0]), un(ir.I64ExtendI32S, a[1]))
		return d
	case core.DateAdd, core.DateSub:
		return b.dateMove(e.Op, a, at)
	case core.Not:
		return un(ir.I32Eqz, a[0])
	case core.Show:
		return b.show(b.typeID(e.Args[0].TypeOf()), a[0], at)
	}
	return b.comparison(e.Op, b.typeID(e.Args[0].TypeOf()), a, at)
}

// add64 adds and faults on overflow. With a constant the test is one comparison.
func (b *builder) add64(x, y ir.Expr, at span.Span) ir.Expr {
	if _, ok := x.(*ir.Const); ok {
		x, y = y, x
	}
	x, y = b.atom(x), b.atom(y)
	t := b.set(bin(ir.I64Add, x, y))
	if c, ok := y.(*ir.Const); ok {
		op := ir.I64LtS
		if int64(c.Bits) < 0 {
			op = ir.I64GtS
		}
		b.faultIf(bin(op, t, x), abi.Overflow, at)
		return t
	}
	signs := bin(ir.I64And, bin(ir.I64Xor, x, t), bin(ir.I64Xor, y, t))
	b.faultIf(bin(ir.I64LtS, signs, i64(0)), abi.Overflow, at)
	return t
}

func (b *builder) sub64(x, y ir.Expr, at span.Span) ir.Expr {
	x, y = b.atom(x), b.atom(y)
	if c, ok := y.(*ir.Const); ok && int64(c.Bits) != math.MinInt64 {
		return b.add64(x, i64(-int64(c.Bits)), at)
	}
	t := b.set(bin(ir.I64Sub, x, y))
	signs := bin(ir.I64And, bin(ir.I64Xor, x, y), bin(ir.I64Xor, x, t))
	b.faultIf(bin(ir.I64LtS, signs, i64(0)), abi.Overflow, at)
	return t
}

// mul64 multiplies: factors of 32 bits cannot overflow; others are checked.
// With a constant one comparison tells whether the other factor is in range.
func (b *builder) mul64(x, y ir.Expr, at span.Span) ir.Expr {
	if _, ok := x.(*ir.Const); ok {
		x, y = y, x
	}
	x, y = b.atom(x), b.atom(y)
	if c, ok := y.(*ir.Const); ok && int64(c.Bits) > 0 {
		least, most := math.MinInt64/int64(c.Bits), math.MaxInt64/int64(c.Bits)
		if c.Bits > 1 {
			off := bin(ir.I64Sub, x, i64(least))
			b.faultIf(bin(ir.I64GtU, off, i64(int64(uint64(most)-uint64(least)))), abi.Overflow, at)
		}
		return b.set(bin(ir.I64Mul, x, y))
	}
	wide := bin(ir.I64Or, bin(ir.I64Add, x, i64(1<<31)), bin(ir.I64Add, y, i64(1<<31)))
	b.when(bin(ir.I64GtU, wide, i64(1<<32-1)), func() {
		b.faultIf(&ir.Call{Func: b.l.mulSlow(), Args: []ir.Expr{x, y}}, abi.Overflow, at)
	})
	return b.set(bin(ir.I64Mul, x, y))
}

func (b *builder) div64(op ir.Op, x, y ir.Expr, at span.Span) ir.Expr {
	x, y = b.atom(x), b.atom(y)
	c, isConst := y.(*ir.Const)
	if !isConst || c.Bits == 0 {
		b.faultIf(un(ir.I64Eqz, y), abi.DivisionByZero, at)
	}
	if isConst && int64(c.Bits) != -1 && c.Bits != 0 {
		return b.set(bin(op, x, y))
	}
	most := bin(ir.I32And, bin(ir.I64Eq, x, i64(math.MinInt64)), bin(ir.I64Eq, y, i64(-1)))
	if op == ir.I64DivS {
		b.faultIf(most, abi.Overflow, at)
		return b.set(bin(op, x, y))
	}
	// The remainder of the most negative number by -1 is 0.
	return b.set(&ir.Cond{Test: bin(ir.I64Eq, y, i64(-1)), Then: i64(0), Else: bin(op, x, y)})
}

// dateMove adds days to a date; a date beyond 32 bits of days overflows.
func (b *builder) dateMove(op core.Op, a []ir.Expr, at span.Span) ir.Expr {
	days := un(ir.I64ExtendI32S, a[0])
	var t ir.Expr
	if op == core.DateAdd {
		t = b.add64(days, a[1], at)
	} else {
		t = b.sub64(days, a[1], at)
	}
	b.dateRange(t, at)
	return b.set(un(ir.I32WrapI64, t))
}

// dateRange faults unless days is a date of the years 1 to 9999.
func (b *builder) dateRange(days ir.Expr, at span.Span) {
	const first, last = -719162, 2932896
	off := bin(ir.I64Sub, days, i64(first))
	b.faultIf(bin(ir.I64GtU, off, i64(last-first)), abi.Overflow, at)
}

// show gives a value's text.
func (b *builder) show(id abi.TypeID, x ir.Expr, at span.Span) ir.Expr {
	id = b.l.bare(id)
	switch t := b.l.typ(id); t.Kind {
	case abi.String:
		return x
	case abi.Bool:
		return &ir.Cond{Test: x, Then: b.l.staticString("true"), Else: b.l.staticString("false")}
	case abi.Enum:
		x = b.atom(x)
		text := ir.Expr(b.l.staticString(t.Ctors[len(t.Ctors)-1].Name))
		for i := len(t.Ctors) - 2; i >= 0; i-- {
			text = &ir.Cond{Test: bin(ir.I32Eq, x, i32(int32(i))), Then: b.l.staticString(t.Ctors[i].Name), Else: text}
		}
		return b.set(text)
	default:
		names := map[abi.Kind]string{
			abi.Int: "int", abi.Float: "float", abi.Decimal: "decimal", abi.Money: "money",
			abi.Duration: "duration", abi.Instant: "instant", abi.Date: "date", abi.Json: "json",
		}
		if t.Kind == abi.Json {
			return x
		}
		site := b.site(abi.OutOfMemory, at)
		im := b.l.host("show."+names[t.Kind], ir.I64, b.l.val(id), ir.I32)
		return b.set(&ir.Host{Import: im, Args: []ir.Expr{x, i32(site)}})
	}
}
