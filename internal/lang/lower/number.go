package lower

import (
	"encoding/binary"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// Decimals and money. The compiler's own functions do what fits the packed
// form; the rest, and every fault, is the host's (package decimal): it gets the
// sites to fault at.

// packing is what tells the packed forms of Decimal and Money apart.
type packing struct {
	name  string
	shift int64 // of the coefficient
	low   int64 // mask of all below it
	alike int64 // bits in which two values of one scale (and currency) agree
}

var (
	decimalPacking = packing{"decimal", abi.DecimalShift, 1<<abi.DecimalShift - 1, abi.DecimalScaleMask}
	moneyPacking   = packing{"money", abi.MoneyShift, 1<<abi.MoneyShift - 1, 1<<abi.MoneyShift - 2}
)

func (b *builder) number(op core.Op, a []ir.Expr, at span.Span) ir.Expr {
	sites := []ir.Expr{i32(b.site(abi.Overflow, at)), i32(b.site(abi.MixedCurrencies, at))}
	var f *ir.Func
	switch op {
	case core.DecimalAdd:
		f = b.l.numberAdd(decimalPacking, ir.I64Add)
	case core.DecimalSub:
		f = b.l.numberAdd(decimalPacking, ir.I64Sub)
	case core.MoneyAdd:
		f = b.l.numberAdd(moneyPacking, ir.I64Add)
	case core.MoneySub:
		f = b.l.numberAdd(moneyPacking, ir.I64Sub)
	case core.DecimalMul:
		f = b.l.decimalMul()
	case core.MoneyMul:
		f = b.l.moneyMul()
	case core.DecimalNeg:
		return b.numberNeg(decimalPacking, a[0])
	default:
		return b.numberNeg(moneyPacking, a[0])
	}
	return b.set(&ir.Call{Func: f, Args: append(a, sites...)})
}

// unlike is not zero unless both are packed and alike in scale and currency.
func (p packing) unlike(x, y ir.Expr) ir.Expr {
	return bin(ir.I64Or, bin(ir.I64And, bin(ir.I64Or, x, y), i64(1)), bin(ir.I64And, bin(ir.I64Xor, x, y), i64(p.alike)))
}

// numberAdd is (x, y, overflow site, mixed site) -> I64 for + and −.
func (l *lowerer) numberAdd(p packing, op ir.Op) *ir.Func {
	verb := ".add"
	if op == ir.I64Sub {
		verb = ".sub"
	}
	host := l.host(p.name+verb, ir.I64, ir.I64, ir.I64, ir.I32, ir.I32)
	return l.runtimeFunc(p.name+verb, ir.I64, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.when(un(ir.I64Eqz, p.unlike(x, y)), func() {
			t := b.set(bin(op, x, bin(ir.I64And, y, i64(^p.low))))
			signs := bin(ir.I64And, bin(ir.I64Xor, x, t), bin(ir.I64Xor, y, t))
			if op == ir.I64Sub {
				signs = bin(ir.I64And, bin(ir.I64Xor, x, y), bin(ir.I64Xor, x, t))
			}
			b.when(bin(ir.I64GeS, signs, i64(0)), func() { b.ret(t) })
		})
		b.ret(&ir.Call{Func: l.apart(host, func(b *builder) { b.alignedAdd(p, op, x, y) }), Args: []ir.Expr{x, y, get(ir.I32, 2), get(ir.I32, 3)}})
	})
}

// apart is the function for numbers that are not alike: what tries to do without
// the host, then the host. It stands by itself, so that only the common case is
// copied into callers.
func (l *lowerer) apart(host *ir.Import, try func(b *builder)) *ir.Func {
	f := l.runtimeFunc(host.Name+".apart", host.Result, host.Params, func(b *builder) {
		try(b)
		args := make([]ir.Expr, len(host.Params))
		for i, t := range host.Params {
			args[i] = get(t, i)
		}
		b.ret(&ir.Host{Import: host, Args: args})
	})
	f.NoInline = true
	return f
}

// alignedAdd returns the sum of packed numbers of different scale when it is
// packed too.
func (b *builder) alignedAdd(p packing, op ir.Op, x, y ir.Expr) {
	b.aligned(p, x, y, func(cx, cy, scale, others ir.Expr) {
		t := b.set(bin(op, cx, cy))
		fits := bin(ir.I64Eq, bin(ir.I64ShrS, bin(ir.I64Shl, t, i64(p.shift)), i64(p.shift)), t)
		b.when(fits, func() {
			b.ret(bin(ir.I64Or, bin(ir.I64Shl, t, i64(p.shift)), bin(ir.I64Or, others, scale)))
		})
	})
}

// alignedCompare returns a function of the coefficients of two packed numbers
// at one scale.
func (b *builder) alignedCompare(p packing, x, y ir.Expr, answer func(cx, cy ir.Expr) ir.Expr) {
	b.aligned(p, x, y, func(cx, cy, _, _ ir.Expr) { b.ret(answer(cx, cy)) })
}

// aligned runs f with the coefficients of two packed numbers (of one currency)
// brought to the greater of their scales, below 2^62, that scale as it is
// packed, and the bits of the currency. It does not where that is not possible.
func (b *builder) aligned(p packing, x, y ir.Expr, f func(cx, cy, scale, others ir.Expr)) {
	scales := int64(abi.DecimalScaleMask)
	if p.name == "money" {
		scales = abi.MoneyScaleMask
	}
	others := (p.low &^ scales) &^ 1 // a money's currency
	apart := bin(ir.I64Or, bin(ir.I64And, bin(ir.I64Or, x, y), i64(1)), bin(ir.I64And, bin(ir.I64Xor, x, y), i64(others)))
	b.when(un(ir.I64Eqz, apart), func() {
		sx, sy := b.set(bin(ir.I64And, x, i64(scales))), b.set(bin(ir.I64And, y, i64(scales)))
		cx, cy := b.set(bin(ir.I64ShrS, x, i64(p.shift))), b.set(bin(ir.I64ShrS, y, i64(p.shift)))
		less := b.set(bin(ir.I64LtU, sx, sy))
		d := b.set(bin(ir.I64ShrU, &ir.Cond{Test: less, Then: bin(ir.I64Sub, sy, sx), Else: bin(ir.I64Sub, sx, sy)}, i64(1)))
		b.when(bin(ir.I64LtU, d, i64(maxPower)), func() {
			c := b.set(&ir.Cond{Test: less, Then: cx, Else: cy})
			entry := b.set(bin(ir.I32Add, i32(int32(b.l.powers())), bin(ir.I32Shl, un(ir.I32WrapI64, d), i32(4))))
			bound := b.set(load(ir.I64, entry, 8))
			b.when(bin(ir.I64LeU, bin(ir.I64Add, c, bound), bin(ir.I64Shl, bound, i64(1))), func() {
				up := b.set(bin(ir.I64Mul, c, load(ir.I64, entry, 0)))
				lhs := b.set(&ir.Cond{Test: less, Then: up, Else: cx})
				rhs := b.set(&ir.Cond{Test: less, Then: cy, Else: up})
				f(lhs, rhs, &ir.Cond{Test: less, Then: sy, Else: sx}, bin(ir.I64And, x, i64(others)))
			})
		})
	})
}

// maxPower bounds the scale difference that alignedAdd bridges.
const maxPower = 16

// powers is the address of the table of {10^i, the greatest coefficient that
// may be multiplied by it within 62 bits}.
func (l *lowerer) powers() uint32 {
	data := make([]byte, 16*maxPower)
	p := uint64(1)
	for i := range maxPower {
		binary.LittleEndian.PutUint64(data[16*i:], p)
		binary.LittleEndian.PutUint64(data[16*i+8:], (1<<61)/p)
		p *= 10
	}
	return l.static(data, 8)
}

// small is not zero when a coefficient has at most bits magnitude bits.
func smallCoefficient(c ir.Expr, bits int64) ir.Expr {
	return bin(ir.I64LtU, bin(ir.I64Add, c, i64(1<<bits)), i64(1<<(bits+1)))
}

// decimalMul is (x, y, site, site) -> I64.
func (l *lowerer) decimalMul() *ir.Func {
	host := l.host("decimal.mul", ir.I64, ir.I64, ir.I64, ir.I32, ir.I32)
	return l.runtimeFunc("decimal.mul", ir.I64, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		cx, cy := b.set(bin(ir.I64ShrS, x, i64(abi.DecimalShift))), b.set(bin(ir.I64ShrS, y, i64(abi.DecimalShift)))
		scale := b.set(bin(ir.I64Add, bin(ir.I64And, x, i64(abi.DecimalScaleMask)), bin(ir.I64And, y, i64(abi.DecimalScaleMask))))
		packed := un(ir.I64Eqz, bin(ir.I64And, bin(ir.I64Or, x, y), i64(1)))
		b.mulSmall(packed, cx, cy, scale, 2*34, abi.DecimalShift, i64(0))
		b.ret(&ir.Host{Import: host, Args: []ir.Expr{x, y, get(ir.I32, 2), get(ir.I32, 3)}})
	})
}

// moneyMul is (money, decimal, overflow site, mixed site) -> money.
func (l *lowerer) moneyMul() *ir.Func {
	host := l.host("money.mul", ir.I64, ir.I64, ir.I64, ir.I32, ir.I32)
	return l.runtimeFunc("money.mul", ir.I64, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		cx, cy := b.set(bin(ir.I64ShrS, x, i64(abi.MoneyShift))), b.set(bin(ir.I64ShrS, y, i64(abi.DecimalShift)))
		scale := b.set(bin(ir.I64Add, bin(ir.I64And, x, i64(abi.MoneyScaleMask)), bin(ir.I64And, y, i64(abi.DecimalScaleMask))))
		packed := un(ir.I64Eqz, bin(ir.I64And, bin(ir.I64Or, x, y), i64(1)))
		currency := bin(ir.I64And, x, i64(abi.CurrencyMask<<abi.MoneyCurrency))
		b.mulSmall(packed, cx, cy, scale, 2*15, abi.MoneyShift, currency)
		b.ret(&ir.Host{Import: host, Args: []ir.Expr{x, y, get(ir.I32, 2), get(ir.I32, 3)}})
	})
}

// mulSmall returns the product when both coefficients leave it room: products
// are tried in 62 bits and kept if they fit the packed form.
func (b *builder) mulSmall(packed, cx, cy, scale ir.Expr, maxScale, shift int64, rest ir.Expr) {
	fits := bin(ir.I32And, packed, bin(ir.I64LeU, scale, i64(maxScale)))
	// |x| < 2^31 and |y| < 2^31 keep the product below 2^62.
	fits = bin(ir.I32And, fits, bin(ir.I32And, smallCoefficient(cx, 31), smallCoefficient(cy, 31)))
	b.when(fits, func() {
		t := b.set(bin(ir.I64Mul, cx, cy))
		same := bin(ir.I64Eq, bin(ir.I64ShrS, bin(ir.I64Shl, t, i64(shift)), i64(shift)), t)
		b.when(same, func() {
			b.ret(bin(ir.I64Or, bin(ir.I64Shl, t, i64(shift)), bin(ir.I64Or, rest, scale)))
		})
	})
}

// numberNeg negates; it cannot overflow, but the host makes the cell of a large
// number, and of the one packed coefficient whose negation is not packed.
func (b *builder) numberNeg(p packing, x ir.Expr) ir.Expr {
	host := b.l.host(p.name+".neg", ir.I64, ir.I64, ir.I32)
	f := b.l.runtimeFunc(p.name+".neg", ir.I64, host.Params, func(b *builder) {
		x := get(ir.I64, 0)
		slow := bin(ir.I32Or, un(ir.I32WrapI64, bin(ir.I64And, x, i64(1))),
			bin(ir.I64Eq, bin(ir.I64ShrS, x, i64(p.shift)), i64(-1<<(63-p.shift))))
		b.when(un(ir.I32Eqz, slow), func() {
			c := bin(ir.I64Sub, i64(0), bin(ir.I64And, x, i64(^p.low)))
			b.ret(bin(ir.I64Or, c, bin(ir.I64And, x, i64(p.low))))
		})
		b.ret(&ir.Host{Import: host, Args: []ir.Expr{x, get(ir.I32, 1)}})
	})
	return b.set(&ir.Call{Func: f, Args: []ir.Expr{x, i32(b.site(abi.OutOfMemory, span.Span{}))}})
}

func order(x, y ir.Expr) ir.Expr { return sign(bin(ir.I64GtS, x, y), bin(ir.I64LtS, x, y)) }

// decimalCompare is (x, y) -> I32 sign; moneyCompare moreover takes the site to
// fault at when currencies differ.
func (l *lowerer) decimalCompare() *ir.Func {
	host := l.host("decimal.compare", ir.I32, ir.I64, ir.I64)
	return l.runtimeFunc("decimal.compare", ir.I32, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.when(un(ir.I64Eqz, decimalPacking.unlike(x, y)), func() {
			b.ret(order(x, y))
		})
		b.ret(&ir.Call{Func: l.apart(host, func(b *builder) { b.alignedCompare(decimalPacking, x, y, order) }), Args: []ir.Expr{x, y}})
	})
}

func (l *lowerer) moneyCompare() *ir.Func {
	host := l.host("money.compare", ir.I32, ir.I64, ir.I64, ir.I32)
	return l.runtimeFunc("money.compare", ir.I32, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.when(un(ir.I64Eqz, moneyPacking.unlike(x, y)), func() {
			b.ret(order(x, y))
		})
		b.ret(&ir.Call{Func: l.apart(host, func(b *builder) { b.alignedCompare(moneyPacking, x, y, order) }), Args: []ir.Expr{x, y, get(ir.I32, 2)}})
	})
}

// numberEqual is (x, y) -> I32 for Decimal and Money; money of different
// currency is unequal.
func (l *lowerer) numberEqual(p packing) *ir.Func {
	host := l.host(p.name+".equal", ir.I32, ir.I64, ir.I64)
	return l.runtimeFunc(p.name+".equal", ir.I32, host.Params, func(b *builder) {
		x, y := get(ir.I64, 0), get(ir.I64, 1)
		b.when(bin(ir.I64Eq, x, y), func() { b.ret(i32(1)) })
		b.when(un(ir.I64Eqz, p.unlike(x, y)), func() { b.ret(i32(0)) })
		same := func(cx, cy ir.Expr) ir.Expr { return bin(ir.I64Eq, cx, cy) }
		b.ret(&ir.Call{Func: l.apart(host, func(b *builder) { b.alignedCompare(p, x, y, same) }), Args: []ir.Expr{x, y}})
	})
}
