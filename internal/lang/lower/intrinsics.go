package lower

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// intrinsicCall is one call of an intrinsic: its arguments and where it stands.
type intrinsicCall struct {
	fn       *core.Func
	types    []abi.TypeID // type arguments
	args     []ir.Expr    // of the value parameters
	closures []bound
	result   abi.TypeID
	site     core.Site
	at       span.Span
}

type intrinsicLowering func(b *builder, c *intrinsicCall) val

// intrinsics says how each intrinsic of the standard library is lowered; the
// list and its meaning are in stdlib/INTRINSICS.md.
var intrinsics map[string]intrinsicLowering

// The table refers to functions that refer to it.
func init() {
	intrinsics = map[string]intrinsicLowering{
		"list.length": one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.I64ExtendI32U, count(x)) }),
		"list.at":     listAt,
		"list.slice": func(b *builder, c *intrinsicCall) val {
			return ready(b.listSlice(c.types[0], c.args[0], c.args[1], c.args[2]))
		},
		"list.push": func(b *builder, c *intrinsicCall) val {
			return ready(b.push(c.types[0], c.args[0], c.args[1], c.at))
		},
		"list.concat": func(b *builder, c *intrinsicCall) val {
			return ready(b.listConcat(c.types[0], c.args[0], c.args[1], c.at))
		},
		"list.range": func(b *builder, c *intrinsicCall) val { return ready(b.rangeList(c.args[0], c.args[1], c.at)) },
		"list.map": func(b *builder, c *intrinsicCall) val {
			return b.mapList(c.types[0], c.types[1], c.args[0], c.closures[0], i64(int64(c.site)), c.at)
		},
		"list.filter": func(b *builder, c *intrinsicCall) val {
			return b.filterList(c.types[0], c.args[0], c.closures[0], i64(int64(c.site)), c.at)
		},
		"list.fold": func(b *builder, c *intrinsicCall) val {
			return b.foldList(c.types[0], b.l.val(c.types[1]), c.args[0], c.args[1], c.closures[0], i64(int64(c.site)), c.at)
		},

		"string.bytes":      one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.I64ExtendI32U, count(x)) }),
		"string.byteAt":     byteAt,
		"string.sliceBytes": func(b *builder, c *intrinsicCall) val { return ready(b.sliceBytes(c.args)) },
		"string.length":     charged(0, host("string.length")),
		"string.offset":     charged(0, host("string.offset")),
		"string.find":       charged(0, host("string.find")),
		"string.concat":     stringConcat,
		"string.toUpper":    charged(0, host("string.toUpper")),
		"string.toLower":    charged(0, host("string.toLower")),
		"string.hash":       charged(0, host("string.hash")),

		"int.and":        two(ir.I64And),
		"int.or":         two(ir.I64Or),
		"int.xor":        two(ir.I64Xor),
		"int.shiftLeft":  two(ir.I64Shl),
		"int.shiftRight": two(ir.I64ShrS),
		"int.toFloat":    one(func(b *builder, x ir.Expr) ir.Expr { return b.toFloat(x) }),
		"float.floor":    one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.F64Floor, x) }),
		"float.ceiling":  one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.F64Ceil, x) }),
		"float.truncate": one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.F64Trunc, x) }),
		"float.sqrt":     one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.F64Sqrt, x) }),
		"float.toInt":    one(func(b *builder, x ir.Expr) ir.Expr { return un(ir.I64TruncSatF64S, x) }),
		"float.isNumber": charged(0, host("float.isNumber")),
		"float.read":     charged(0, host("float.read")),

		"decimal.fromInt":  decimalFromInt,
		"decimal.toInt":    host("decimal.toInt"),
		"decimal.toFloat":  host("decimal.toFloat"),
		"decimal.isNumber": charged(0, host("decimal.isNumber")),
		"decimal.read":     charged(0, host("decimal.read")),
		"decimal.divide":   host("decimal.divide"),
		"decimal.round":    host("decimal.round"),
		"money.amount":     host("money.amount"),
		"money.currency":   host("money.currency"),
		"money.make":       host("money.make"),

		"duration.toNanoseconds": one(func(b *builder, x ir.Expr) ir.Expr { return x }),
		"instant.isZone":         host("instant.isZone"),
		"instant.offset":         host("instant.offset"),

		"json.isValid": charged(0, host("json.isValid")),
		"json.read":    charged(0, host("json.read")),
		"json.text":    one(func(b *builder, x ir.Expr) ir.Expr { return x }),
		"json.of":      one(func(b *builder, x ir.Expr) ir.Expr { return x }),
		"json.end":     jsonEnd,
		"json.quote":   charged(0, host("json.quote")),
		"json.unquote": charged(0, host("json.unquote")),

		"order.sign": func(b *builder, c *intrinsicCall) val {
			return ready(un(ir.I64ExtendI32S, b.ordering(c.types[0], c.args[0], c.args[1], c.at)))
		},
		"random.bits": charged(0, host("random.bits")),
	}
}

// intrinsic lowers a call of an intrinsic.
func (b *builder) intrinsic(e *core.Call, args []ir.Expr, closures []bound) val {
	return b.lowerIntrinsic(&intrinsicCall{
		fn: e.Func, types: b.typeArgs(e.TypeArgs), args: args, closures: closures,
		result: b.typeID(e.Type), site: e.Site, at: e.At,
	})
}

func (b *builder) lowerIntrinsic(c *intrinsicCall) val {
	lowering, ok := intrinsics[c.fn.Intrinsic]
	if !ok {
		b.l.fail(c.at, "the compiler does not know the intrinsic %q", c.fn.Intrinsic)
	}
	return lowering(b, c)
}

// intrinsicBody makes the function that stands for an intrinsic handed on as a
// value.
func (b *builder) intrinsicBody(fn *core.Func) {
	c := &intrinsicCall{fn: fn, result: b.inst.result, at: fn.At}
	for _, p := range fn.TypeParams {
		c.types = append(c.types, b.l.typeID(p, b.sub))
	}
	for _, p := range fn.Params {
		if s, ok := b.env[p]; ok {
			c.args = append(c.args, b.get(s.local))
		} else {
			c.closures = append(c.closures, b.fns[p])
		}
	}
	b.open()
	b.leave(b.lowerIntrinsic(c))
}

func one(f func(b *builder, x ir.Expr) ir.Expr) intrinsicLowering {
	return func(b *builder, c *intrinsicCall) val { return ready(f(b, c.args[0])) }
}

func two(op ir.Op) intrinsicLowering {
	return func(b *builder, c *intrinsicCall) val { return ready(bin(op, c.args[0], c.args[1])) }
}

// host calls an import that takes the arguments as they are, then the sites of
// bad argument, overflow, division by zero and out of memory as one number, the
// first of four.
func host(name string) intrinsicLowering {
	return func(b *builder, c *intrinsicCall) val {
		var params []ir.Type
		for _, a := range c.args {
			params = append(params, a.Type())
		}
		im := b.l.host(name, b.l.val(c.result), append(params, ir.I32)...)
		return ready(b.set(&ir.Host{Import: im, Args: append(c.args, b.hostSites(c.at))}))
	}
}

// hostSites reserves the sites that an intrinsic of the host may fault at.
func (b *builder) hostSites(at span.Span) ir.Expr {
	key := siteKey{abi.BadArgument, at, b.name + "\x00host"}
	id, ok := b.l.siteIDs[key]
	if !ok {
		id = int32(len(b.l.sites))
		b.l.siteIDs[key] = id
		for _, k := range []abi.FaultKind{abi.BadArgument, abi.Overflow, abi.DivisionByZero, abi.OutOfMemory} {
			b.l.sites = append(b.l.sites, site{k, at, b.name})
		}
	}
	return i32(id)
}

// charged takes GasBytes of the string argument i, then does the rest.
func charged(i int, next intrinsicLowering) intrinsicLowering {
	return func(b *builder, c *intrinsicCall) val {
		c.args[i] = b.atom(c.args[i])
		b.chargeBytes(count(c.args[i]), c.at)
		return next(b, c)
	}
}

// toFloat converts an integer. The engine's conversion instruction keeps what
// its target register held, so that each waits for the last use of the register;
// integers below 2^51 are converted by their bits instead: as the low bits of
// 1.5·2^52, which is then taken away.
func (b *builder) toFloat(x ir.Expr) ir.Expr {
	x = b.atom(x)
	small := bin(ir.I64LtU, bin(ir.I64Add, x, i64(1<<51)), i64(1<<52))
	const shifted = 0x4338000000000000 // the bits of 1.5·2^52
	quick := bin(ir.F64Sub, un(ir.F64ReinterpretI64, bin(ir.I64Add, x, i64(shifted))), f64(3<<51))
	return b.set(&ir.Cond{Test: small, Then: quick, Else: un(ir.F64ConvertI64S, x)})
}

func listAt(b *builder, c *intrinsicCall) val {
	list, i := b.atom(c.args[0]), b.atom(c.args[1])
	b.faultIf(bin(ir.I64GeU, i, bin(ir.I64And, list, i64(0xffffffff))), abi.BadArgument, c.at)
	t := b.l.val(c.types[0])
	addr := bin(ir.I32Add, listAddr(list), scaled(un(ir.I32WrapI64, i), t.Size()))
	return ready(load(t, addr, 0))
}

func byteAt(b *builder, c *intrinsicCall) val {
	text, i := b.atom(c.args[0]), b.atom(c.args[1])
	b.faultIf(bin(ir.I64GeU, i, bin(ir.I64And, text, i64(0xffffffff))), abi.BadArgument, c.at)
	at := bin(ir.I32Add, strAddr(text), un(ir.I32WrapI64, i))
	return ready(un(ir.I64ExtendI32U, &ir.Load{T: ir.I32, Width: 1, Addr: at}))
}

// sliceBytes is (text, from, to) clamped.
func (b *builder) sliceBytes(args []ir.Expr) ir.Expr {
	f := b.l.runtimeFunc("string.sliceBytes", ir.I64, []ir.Type{ir.I64, ir.I64, ir.I64}, func(b *builder) {
		text := get(ir.I64, 0)
		n := b.set(bin(ir.I64And, text, i64(0xffffffff)))
		from, to := b.clamp(1, n), b.clamp(2, n)
		b.when(bin(ir.I64LeS, to, from), func() { b.ret(i64(0)) })
		addr := bin(ir.I32Add, strAddr(text), un(ir.I32WrapI64, from))
		b.ret(pack(addr, un(ir.I32WrapI64, bin(ir.I64Sub, to, from))))
	})
	return b.set(&ir.Call{Func: f, Args: args})
}

// stringConcat joins a list of strings: it measures, charges, then copies.
func stringConcat(b *builder, c *intrinsicCall) val {
	parts := b.atom(c.args[0])
	b.chargeElems(count(parts), c.at)
	n, src := b.set(count(parts)), b.set(listAddr(parts))
	total := b.set(i64(0))
	part := func(i ir.Expr) ir.Expr { return load(ir.I64, bin(ir.I32Add, src, scaled(i, 8)), 0) }
	b.forRange(n, func(i ir.Expr) {
		b.emit(&ir.Set{Local: total.Local, X: bin(ir.I64Add, total, bin(ir.I64And, part(i), i64(0xffffffff)))})
	})
	b.when(bin(ir.I64GtU, total, i64(64)), func() {
		b.charge(bin(ir.I64ShrU, bin(ir.I64Sub, total, i64(1)), i64(6)), c.at)
	})
	b.when(bin(ir.I64GtU, total, i64(memoryPages*abi.PageSize)), func() {
		b.emit(&ir.Fault{Site: b.site(abi.OutOfMemory, c.at)})
	})
	length := b.set(un(ir.I32WrapI64, total))
	cell := b.alloc(aligned(length), c.at)
	to := b.set(cell)
	b.forRange(n, func(i ir.Expr) {
		p := b.set(part(i))
		b.copyBytes(to, strAddr(p), count(p))
		b.emit(&ir.Set{Local: to.Local, X: bin(ir.I32Add, to, count(p))})
	})
	return ready(pack(cell, length))
}

// concat lowers an interpolated string.
func (b *builder) concat(e *core.Concat) val {
	parts, pends := b.exprs(e.Parts)
	return b.guarded(ir.I64, pends, func() val {
		if len(parts) == 1 {
			return ready(parts[0])
		}
		return ready(b.concatStrings(parts, e))
	})
}

func decimalFromInt(b *builder, c *intrinsicCall) val {
	im := b.l.host("decimal.fromInt", ir.I64, ir.I64, ir.I32)
	f := b.l.runtimeFunc("decimal.fromInt", ir.I64, im.Params, func(b *builder) {
		n := get(ir.I64, 0)
		b.when(smallCoefficient(n, 63-abi.DecimalShift), func() { b.ret(bin(ir.I64Shl, n, i64(abi.DecimalShift))) })
		b.ret(&ir.Host{Import: im, Args: []ir.Expr{n, get(ir.I32, 1)}})
	})
	return ready(b.set(&ir.Call{Func: f, Args: append(c.args, b.hostSites(c.at))}))
}

// jsonEnd is charged by the value that it goes over, once that is known.
func jsonEnd(b *builder, c *intrinsicCall) val {
	from := b.atom(c.args[1])
	c.args[1] = from
	end := host("json.end")(b, c)
	b.chargeBytes(un(ir.I32WrapI64, bin(ir.I64Sub, end.x, from)), c.at)
	return end
}
