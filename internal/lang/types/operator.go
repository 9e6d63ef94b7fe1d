package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// base is a type that arithmetic knows.
type base uint8

const (
	noBase base = iota // some other type
	intBase
	floatBase
	decimalBase
	moneyBase
	durationBase
	instantBase
	dateBase
)

// rule is a line of the table of arithmetic: left op right is res.
type rule struct {
	op          syntax.Token
	left, right base
	res         base
	prim        core.Op
	swap        bool // prim takes the right operand first
}

// rules is the whole table. Operators are closed: nothing adds to it.
var rules = []rule{
	{syntax.Plus, intBase, intBase, intBase, core.IntAdd, false},
	{syntax.Plus, floatBase, floatBase, floatBase, core.FloatAdd, false},
	{syntax.Plus, decimalBase, decimalBase, decimalBase, core.DecimalAdd, false},
	{syntax.Plus, moneyBase, moneyBase, moneyBase, core.MoneyAdd, false},
	{syntax.Plus, durationBase, durationBase, durationBase, core.DurationAdd, false},
	{syntax.Plus, instantBase, durationBase, instantBase, core.InstantAdd, false},
	{syntax.Plus, dateBase, intBase, dateBase, core.DateAdd, false},
	{syntax.Minus, intBase, intBase, intBase, core.IntSub, false},
	{syntax.Minus, floatBase, floatBase, floatBase, core.FloatSub, false},
	{syntax.Minus, decimalBase, decimalBase, decimalBase, core.DecimalSub, false},
	{syntax.Minus, moneyBase, moneyBase, moneyBase, core.MoneySub, false},
	{syntax.Minus, durationBase, durationBase, durationBase, core.DurationSub, false},
	{syntax.Minus, instantBase, durationBase, instantBase, core.InstantSub, false},
	{syntax.Minus, instantBase, instantBase, durationBase, core.InstantDiff, false},
	{syntax.Minus, dateBase, intBase, dateBase, core.DateSub, false},
	{syntax.Minus, dateBase, dateBase, intBase, core.DateDiff, false},
	{syntax.Star, intBase, intBase, intBase, core.IntMul, false},
	{syntax.Star, floatBase, floatBase, floatBase, core.FloatMul, false},
	{syntax.Star, decimalBase, decimalBase, decimalBase, core.DecimalMul, false},
	{syntax.Star, moneyBase, decimalBase, moneyBase, core.MoneyMul, false},
	{syntax.Star, decimalBase, moneyBase, moneyBase, core.MoneyMul, true},
	{syntax.Star, durationBase, intBase, durationBase, core.DurationMul, false},
	{syntax.Star, intBase, durationBase, durationBase, core.DurationMul, true},
	{syntax.Slash, intBase, intBase, intBase, core.IntDiv, false},
	{syntax.Slash, floatBase, floatBase, floatBase, core.FloatDiv, false},
	{syntax.Slash, durationBase, intBase, durationBase, core.DurationDiv, false},
	{syntax.Percent, intBase, intBase, intBase, core.IntRem, false},
}

// negations is the table of the unary minus.
var negations = map[base]core.Op{
	intBase: core.IntNeg, floatBase: core.FloatNeg, decimalBase: core.DecimalNeg,
	moneyBase: core.MoneyNeg, durationBase: core.DurationNeg,
}

var opText = map[syntax.Token]string{
	syntax.Plus: "+", syntax.Minus: "-", syntax.Star: "*", syntax.Slash: "/", syntax.Percent: "%",
	syntax.Coalesce: "??", syntax.OrOr: "||", syntax.AndAnd: "&&", syntax.Bang: "!",
}

var comparisons = map[syntax.Token]core.Op{
	syntax.Eq: core.Equal, syntax.Ne: core.NotEqual, syntax.Lt: core.Less,
	syntax.Le: core.LessEq, syntax.Gt: core.Greater, syntax.Ge: core.GreaterEq,
}

// baseOf is t's place in the table; open types have none yet.
func (b *builtins) baseOf(t core.Type) base {
	con, ok := t.(*core.Con)
	if !ok {
		return noBase
	}
	switch con.Def {
	case b.Int:
		return intBase
	case b.Float:
		return floatBase
	case b.Decimal:
		return decimalBase
	case b.Money:
		return moneyBase
	case b.Duration:
		return durationBase
	case b.Instant:
		return instantBase
	case b.Date:
		return dateBase
	}
	return noBase
}

func (b *builtins) typeOf(k base) core.Type {
	switch k {
	case intBase:
		return b.intT
	case floatBase:
		return b.floatT
	case decimalBase:
		return b.decimalT
	case moneyBase:
		return b.moneyT
	case durationBase:
		return b.durationT
	case instantBase:
		return b.instantT
	}
	return b.dateT
}

// arith is an arithmetic operator on its way to a primitive. A unary minus has
// no right side.
type arith struct {
	prim        *core.Prim
	op          syntax.Token
	opAt        span.Span
	left, right core.Type
	res         core.Type
	same        bool // whatever it will be, its operands and result are of one type
}

func (b *body) binary(e *syntax.BinaryExpr, want core.Type, w why) core.Expr {
	x := core.X{At: e.Span}
	switch e.Op {
	case syntax.AndAnd, syntax.OrOr:
		x.Type = b.std.boolT
		l := b.expr(e.L, b.std.boolT, why{kind: whyCond})
		r := b.expr(e.R, b.std.boolT, why{kind: whyCond})
		short := b.lit(e.OpPos, b.std.boolT, e.Op == syntax.OrOr)
		if e.Op == syntax.AndAnd {
			return b.is(&core.If{X: x, Cond: l, Then: r, Else: short}, want, w)
		}
		return b.is(&core.If{X: x, Cond: l, Then: short, Else: r}, want, w)
	case syntax.Coalesce:
		return b.coalesce(e, want, w)
	case syntax.Plus, syntax.Minus, syntax.Star, syntax.Slash, syntax.Percent:
		return b.is(b.arithmetic(e, want), want, w)
	}
	op, ok := comparisons[e.Op]
	if !ok {
		return broken(e.Span)
	}
	x.Type = b.std.boolT
	l := b.expr(e.L, nil, why{})
	r := b.expr(e.R, l.TypeOf(), why{kind: whyOperand, at: e.L.Pos()})
	return b.is(&core.Prim{X: x, Op: op, Args: []core.Expr{l, r}}, want, w)
}

// coalesce is `a ?? b`: a match that puts b where a is None.
func (b *body) coalesce(e *syntax.BinaryExpr, want core.Type, w why) core.Expr {
	elem := want
	if elem == nil {
		elem = b.fresh(e.Span)
	}
	l := b.expr(e.L, nil, why{})
	if t := prune(l.TypeOf()); !b.unify(b.std.option(elem), t) {
		if got, ok := b.std.isOption(t); ok {
			b.mismatch(e.L.Pos(), elem, got, w)
		} else {
			b.errorf(codeMismatch, e.L.Pos(), "`??` gives an Option a default, this is `%s`", show(t)).
				Expect("an Option", show(t))
		}
		elem = bad
	}
	r := b.expr(e.R, elem, why{kind: whyOperand, at: e.L.Pos()})
	l0 := &core.Local{Name: "value", At: e.L.Pos(), Type: elem}
	p := core.P{At: e.OpPos, Type: l.TypeOf()}
	some := &core.Arm{At: e.OpPos,
		Pat:  &core.PCtor{P: p, Ctor: b.std.some, Args: []core.Pattern{&core.PVar{P: core.P{At: e.OpPos, Type: elem}, Local: l0}}},
		Body: &core.Ref{X: core.X{At: e.OpPos, Type: elem}, Local: l0}}
	none := &core.Arm{At: e.OpPos, Pat: &core.PCtor{P: p, Ctor: b.std.none}, Body: r}
	return &core.Match{X: core.X{At: e.Span, Type: elem}, Subject: l, Arms: []*core.Arm{some, none}}
}

func (b *body) unary(e *syntax.UnaryExpr, want core.Type, w why) core.Expr {
	if e.Op == syntax.Bang {
		x := b.expr(e.X, b.std.boolT, why{kind: whyCond})
		return b.is(&core.Prim{X: core.X{At: e.Span, Type: b.std.boolT}, Op: core.Not, Args: []core.Expr{x}}, want, w)
	}
	switch lit := e.X.(type) {
	case *syntax.NumberLit:
		return b.number("-"+lit.Text, e.Span, want, w)
	case *syntax.MoneyLit, *syntax.DurationLit:
		x := b.unitLit(lit, true)
		if l, ok := x.(*core.Lit); ok {
			l.At = e.Span
		}
		return b.is(x, want, w)
	}
	x := b.expr(e.X, nil, why{})
	prim := &core.Prim{X: core.X{At: e.Span, Type: x.TypeOf()}, Args: []core.Expr{x}}
	a := &arith{prim: prim, op: e.Op, opAt: e.Span, left: x.TypeOf(), res: x.TypeOf(), same: true}
	b.sums = append(b.sums, a)
	return b.is(prim, want, w)
}

func (b *body) arithmetic(e *syntax.BinaryExpr, want core.Type) core.Expr {
	l := b.expr(e.L, nil, why{})
	r := b.expr(e.R, nil, why{})
	res := core.Type(nil)
	if want != nil && b.std.baseOf(prune(want)) != noBase {
		res = prune(want)
	}
	a := &arith{op: e.Op, opAt: e.OpPos, left: l.TypeOf(), right: r.TypeOf(), res: res}
	a.prim = &core.Prim{X: core.X{At: e.Span}, Args: []core.Expr{l, r}}
	if !b.step(a) {
		if a.res == nil {
			a.res = b.fresh(e.Span)
		}
		b.stuck = append(b.stuck, a)
	}
	a.prim.Type = a.res
	b.sums = append(b.sums, a)
	return a.prim
}

// fits reports whether an operand's type may be k.
func (b *body) fits(t core.Type, k base) bool {
	if m, ok := t.(*meta); ok {
		return m.lit == notLit || b.std.isNumber(b.std.typeOf(k), m.lit)
	}
	return t == bad || b.std.baseOf(t) == k
}

// step goes as far with an operator as its operands' types allow, and reports
// whether that was all the way: to one rule, to rules of one type throughout, or
// to a mistake.
func (b *body) step(a *arith) bool {
	left, right := prune(a.left), prune(a.right)
	if left == bad || right == bad {
		b.settleSum(a, bad)
		return true
	}
	only, count, same := b.candidates(a.op, left, right, nil)
	if count > 1 && a.res != nil {
		if o, n, sm := b.candidates(a.op, left, right, prune(a.res)); n > 0 {
			only, count, same = o, n, sm
		}
	}
	switch {
	case count == 0:
		b.operatorMismatch(a, left, right)
		b.settleSum(a, bad)
		return true
	case count == 1:
		b.unify(left, b.std.typeOf(only.left))
		b.unify(right, b.std.typeOf(only.right))
		b.settleSum(a, b.std.typeOf(only.res))
		return true
	case same:
		b.unify(left, right)
		a.same = true
		b.settleSum(a, left)
		return true
	}
	return false
}

// candidates finds the rules that fit operands and, unless that is nil, a result:
// one of them, how many, and whether all are of one type throughout.
func (b *body) candidates(op syntax.Token, left, right, res core.Type) (only *rule, count int, same bool) {
	same = true
	for i := range rules {
		r := &rules[i]
		if r.op != op || !b.fits(left, r.left) || !b.fits(right, r.right) || res != nil && !b.fits(res, r.res) {
			continue
		}
		only = r
		count++
		same = same && r.left == r.right && r.right == r.res
	}
	return only, count, same
}

// settleSum gives an operator its result. One that was promised to others is
// unified with it, which may show them to be wrong.
func (b *body) settleSum(a *arith, t core.Type) {
	if a.prim.Type == nil {
		a.res = t
		return
	}
	if !b.unify(a.res, t) {
		b.mismatch(a.prim.At, a.res, t, why{})
	}
}

// solve tries the stuck operators again with what is known by now.
func (b *body) solve() {
	for {
		progress := false
		kept := b.stuck[:0]
		for _, a := range b.stuck {
			if b.step(a) {
				progress = true
			} else {
				kept = append(kept, a)
			}
		}
		b.stuck = kept
		if !progress || len(kept) == 0 {
			return
		}
	}
}

// settle decides what is still open when a whole body has been seen: stuck
// operators, then literals by their own type, then operators again.
func (b *body) settle() {
	b.solve()
	for _, m := range b.literals {
		if end, ok := prune(m).(*meta); ok && end.lit != notLit {
			b.defaultLit(end)
		}
	}
	b.solve()
	for _, a := range b.stuck {
		at := a.prim.Args[0].Pos()
		if !isOpen(a.left) && len(a.prim.Args) > 1 {
			at = a.prim.Args[1].Pos()
		}
		b.unknown(at)
		b.unify(a.left, bad)
		b.unify(a.right, bad)
		b.unify(a.res, bad)
	}
	b.stuck = b.stuck[:0]
	for _, a := range b.sums {
		b.choose(a)
	}
}

// choose gives an operator whose operands are known its primitive.
func (b *body) choose(a *arith) {
	left := prune(a.left)
	if left == bad {
		return
	}
	lk := b.std.baseOf(left)
	if a.right == nil {
		op, ok := negations[lk]
		if isOpen(left) {
			b.unknown(a.prim.Args[0].Pos())
			return
		}
		if !ok {
			b.errorf(codeOperator, a.prim.At, "`-` does not apply to `%s`", show(left)).
				Expect("Int, Float, Decimal, Money or Duration", show(left))
		}
		a.prim.Op = op
		return
	}
	right := prune(a.right)
	if right == bad {
		return
	}
	rk := b.std.baseOf(right)
	for i := range rules {
		if r := &rules[i]; r.op == a.op && r.left == lk && r.right == rk {
			a.prim.Op = r.prim
			if r.swap {
				a.prim.Op |= swapped
			}
			return
		}
	}
	if a.same {
		b.operatorMismatch(a, left, right)
	}
}

// swapped marks a primitive that takes its right operand first, until finishing
// puts the operands in place.
const swapped core.Op = 1 << 7

func (b *body) operatorMismatch(a *arith, left, right core.Type) {
	op := opText[a.op]
	rs := show(right)
	lk, rk := b.std.baseOf(left), b.std.baseOf(right)
	d := b.errorf(codeOperator, a.opAt, "`%s` does not apply to %s and %s", op, operandName(left), operandName(right))
	for _, r := range rules {
		if r.op == a.op && r.left == lk && lk != noBase {
			want := b.std.typeOf(r.right).String()
			if d.Expected != "" && d.Expected != want {
				want = d.Expected + " or " + want
			}
			d.Expect(want, rs)
		}
	}
	b.operatorHint(d, a, lk, rk, left, right)
}

// operandName is an operand's type in a sentence.
func operandName(t core.Type) string {
	if m, ok := prune(t).(*meta); ok && m.lit != notLit {
		return "a number"
	}
	return "`" + show(t) + "`"
}

func (b *body) operatorHint(d *diag.Diagnostic, a *arith, lk, rk base, left, right core.Type) {
	hint := func(format string, args ...any) { d.Note(span.Span{}, format, args...) }
	str := func(t core.Type) bool { _, ok := argsOf(t, b.std.String); return ok }
	convert := func(i int, fn string) {
		if i >= len(a.prim.Args) {
			return
		}
		at := a.prim.Args[i].Pos()
		d.Fix = &diag.Fix{Title: "convert it with `" + fn + "`", Edits: []diag.Edit{
			{At: span.Span{File: at.File, Start: at.Start, End: at.Start}, New: fn + "("},
			{At: span.Span{File: at.File, Start: at.End, End: at.End}, New: ")"}}}
	}
	_, leftOpt := b.std.isOption(left)
	_, rightOpt := b.std.isOption(right)
	switch {
	case a.op == syntax.Plus && (str(left) || str(right)):
		hint("texts are joined by interpolation, as in \"{a} {b}\", or with `string.concat`")
	case a.op == syntax.Plus && isList(b, left) && isList(b, right):
		hint("lists are joined by `[..a, ..b]`")
	case a.op == syntax.Slash && (lk == decimalBase || rk == decimalBase || lk == moneyBase):
		hint("a quotient may have no end: `decimal.divide` says how many digits are kept and how they are rounded")
	case a.op == syntax.Star && lk == moneyBase && rk == intBase:
		hint("Money is multiplied by a Decimal: convert the Int with `int.toDecimal`")
		convert(1, "int.toDecimal")
	case a.op == syntax.Star && lk == intBase && rk == moneyBase:
		hint("Money is multiplied by a Decimal: convert the Int with `int.toDecimal`")
		convert(0, "int.toDecimal")
	case leftOpt || rightOpt:
		hint("one side may be `None`: give it a default with `??`, or `match` it")
	case lk == intBase && (rk == decimalBase || rk == floatBase):
		fn := "int.to" + show(right)
		hint("both sides must be of one type: convert the Int with `%s`", fn)
		convert(0, fn)
	case rk == intBase && (lk == decimalBase || lk == floatBase):
		fn := "int.to" + show(left)
		hint("both sides must be of one type: convert the Int with `%s`", fn)
		convert(1, fn)
	case lk == moneyBase && isOpen(right):
		hint("an amount of money is written with its currency, such as `2 USD`")
	}
}

func isList(b *body, t core.Type) bool { _, ok := argsOf(t, b.std.List); return ok }
