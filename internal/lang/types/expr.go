package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// expr checks an expression. With want, its type is made that or a mismatch
// reported; without, it is inferred. It is never nil.
func (b *body) expr(e syntax.Expr, want core.Type, w why) core.Expr {
	switch e := e.(type) {
	case *syntax.Ident:
		return b.is(b.value(e), want, w)
	case *syntax.FieldExpr:
		return b.is(b.value(e), want, w)
	case *syntax.NumberLit:
		return b.number(e.Text, e.Span, want, w)
	case *syntax.BoolLit:
		return b.is(b.lit(e.Span, b.std.boolT, e.Value), want, w)
	case *syntax.StringLit:
		return b.is(b.text(e), want, w)
	case *syntax.MoneyLit, *syntax.DurationLit, *syntax.InstantLit, *syntax.DateLit:
		return b.is(b.unitLit(e, false), want, w)
	case *syntax.ListLit:
		return b.listLit(e, want, w)
	case *syntax.TupleLit:
		return b.tupleLit(e, want, w)
	case *syntax.ParenExpr:
		return b.expr(e.X, want, w)
	case *syntax.RecordLit:
		return b.record(e, want, w)
	case *syntax.CallExpr:
		return b.call(e, want, w)
	case *syntax.PipeExpr:
		return b.pipe(e, want, w)
	case *syntax.UnaryExpr:
		return b.unary(e, want, w)
	case *syntax.BinaryExpr:
		return b.binary(e, want, w)
	case *syntax.TryExpr:
		return b.is(b.tryExpr(e), want, w)
	case *syntax.IsExpr:
		return b.is(b.isExpr(e), want, w)
	case *syntax.IfExpr:
		return b.ifExpr(e, want, w)
	case *syntax.MatchExpr:
		return b.match(e, want, w)
	case *syntax.LambdaExpr:
		return b.strayLambda(e)
	case *syntax.Block:
		return b.block(e, want, w)
	case *syntax.ScopeExpr:
		return b.scopeExpr(e, want, w)
	case nil:
		return broken(span.Span{})
	}
	return broken(e.Pos())
}

func (b *body) lit(at span.Span, t core.Type, value any) *core.Lit {
	return &core.Lit{X: core.X{At: at, Type: t}, Value: value}
}

// text checks a string, which may hold expressions.
func (b *body) text(e *syntax.StringLit) core.Expr {
	if len(e.Parts) == 0 {
		return b.lit(e.Span, b.std.stringT, "")
	}
	if len(e.Parts) == 1 && e.Parts[0].X == nil {
		return b.lit(e.Span, b.std.stringT, e.Parts[0].Text)
	}
	out := &core.Concat{X: core.X{At: e.Span, Type: b.std.stringT}}
	for _, p := range e.Parts {
		if p.X == nil {
			if p.Text != "" {
				out.Parts = append(out.Parts, b.lit(e.Span, b.std.stringT, p.Text))
			}
			continue
		}
		x := b.expr(p.X, nil, why{})
		show := &core.Prim{X: core.X{At: p.X.Pos(), Type: b.std.stringT}, Op: core.Show, Args: []core.Expr{x}}
		out.Parts = append(out.Parts, show)
	}
	return out
}

func (b *body) listLit(e *syntax.ListLit, want core.Type, w why) core.Expr {
	var elem core.Type
	var listT core.Type
	if want != nil {
		if args, ok := argsOf(want, b.std.List); ok {
			elem, listT = args[0], prune(want)
		}
	}
	known := elem != nil && !isOpen(elem)
	if elem == nil {
		elem = b.fresh(e.Span)
		listT = b.std.list(elem)
	}
	out := &core.MakeList{X: core.X{At: e.Span, Type: listT}, Elems: make([]core.ListElem, 0, len(e.Elems))}
	ew := w.part()
	if !known {
		ew = why{}
	}
	for _, el := range e.Elems {
		t := elem
		if el.Spread {
			t = listT
		}
		x := b.expr(el.X, t, ew)
		out.Elems = append(out.Elems, core.ListElem{Spread: el.Spread, Value: x})
		if !known && ew.kind == whyPlain {
			ew = why{kind: whyElem, at: el.X.Pos()}
		}
	}
	return b.is(out, want, w)
}

func (b *body) tupleLit(e *syntax.TupleLit, want core.Type, w why) core.Expr {
	out := &core.MakeTuple{X: core.X{At: e.Span, Type: b.std.unitT}}
	if len(e.Elems) == 0 {
		return b.is(out, want, w)
	}
	var wants []core.Type
	if want != nil {
		if t, ok := prune(want).(*core.Tuple); ok && len(t.Elems) == len(e.Elems) {
			wants = t.Elems
		}
	}
	t := &core.Tuple{Elems: make([]core.Type, len(e.Elems))}
	for i, el := range e.Elems {
		var x core.Expr
		if wants != nil {
			x = b.expr(el, wants[i], w.part())
			t.Elems[i] = wants[i]
		} else {
			x = b.expr(el, nil, why{})
			t.Elems[i] = x.TypeOf()
		}
		out.Elems = append(out.Elems, x)
	}
	out.Type = t
	return b.is(out, want, w)
}

// branchWant is what later branches must be: the wanted type if one is known,
// else what the first branch was.
func branchWant(want core.Type, w why, first core.Expr, at span.Span) (core.Type, why) {
	t := want
	if t == nil {
		t = first.TypeOf()
	}
	return t, why{kind: whyBranch, at: at}
}

func (b *body) ifExpr(e *syntax.IfExpr, want core.Type, w why) core.Expr {
	out := &core.If{X: core.X{At: e.Span}}
	out.Cond = b.expr(e.Cond, b.std.boolT, why{kind: whyCond})
	known := want != nil && !isOpen(want)
	out.Then = b.block(e.Then, want, w)
	if !known {
		want, w = branchWant(want, w, out.Then, lastOf(e.Then))
	}
	if e.Else == nil {
		return broken(e.Span, out.Cond, out.Then)
	}
	out.Else = b.expr(e.Else, want, w)
	out.Type = want
	return out
}

// lastOf is the place of a block's value.
func lastOf(blk *syntax.Block) span.Span {
	if n := len(blk.Stmts); n > 0 {
		return blk.Stmts[n-1].Pos()
	}
	return blk.Span
}

func (b *body) match(e *syntax.MatchExpr, want core.Type, w why) core.Expr {
	out := &core.Match{X: core.X{At: e.Span}}
	out.Subject = b.expr(e.X, nil, why{})
	known := want != nil && !isOpen(want)
	for i, arm := range e.Arms {
		mark := len(b.scope)
		a := &core.Arm{At: arm.Span}
		a.Pat = b.bindPattern(arm.Pat, out.Subject.TypeOf(), arm.Pat.Pos().End, false)
		if arm.Guard != nil {
			a.Guard = b.expr(arm.Guard, b.std.boolT, why{kind: whyCond})
		}
		if i == 1 && !known {
			want, w = branchWant(want, w, out.Arms[0].Body, out.Arms[0].Body.Pos())
		}
		a.Body = b.expr(arm.Body, want, w)
		b.leave(mark, arm.Span.End)
		out.Arms = append(out.Arms, a)
	}
	switch {
	case want != nil:
		out.Type = want
	case len(out.Arms) == 1:
		out.Type = out.Arms[0].Body.TypeOf()
	default:
		out.Type = b.fresh(e.Span)
	}
	b.matches = append(b.matches, matchUse{out, e})
	return out
}

// isExpr is `x is p`: a match that answers whether p fits.
func (b *body) isExpr(e *syntax.IsExpr) core.Expr {
	x := b.expr(e.X, nil, why{})
	binder := patBinder{b: b}
	pat := binder.pattern(e.Pat, x.TypeOf())
	for _, l := range binder.locals {
		b.errorf(codeIsBinds, l.At, "`%s` would be bound, but a pattern after `is` only answers yes or no", l.Name).
			Note(span.Span{}, "write `_`, or use `match` to read what the pattern finds").
			FixWith("write `_`", l.At, "_")
	}
	yes := &core.Arm{At: e.Pat.Pos(), Pat: pat, Body: b.lit(e.Span, b.std.boolT, true)}
	no := &core.Arm{At: e.Pat.Pos(), Pat: &core.PWild{P: core.P{At: e.Pat.Pos(), Type: x.TypeOf()}},
		Body: b.lit(e.Span, b.std.boolT, false)}
	return &core.Match{X: core.X{At: e.Span, Type: b.std.boolT}, Subject: x, Arms: []*core.Arm{yes, no}}
}

// tryExpr is `x?`.
func (b *body) tryExpr(e *syntax.TryExpr) core.Expr {
	x := b.expr(e.X, nil, why{})
	t := b.force(x.TypeOf(), e.X.Pos())
	if t == bad {
		return broken(e.Span, x)
	}
	if len(b.answers) == 0 {
		b.errorf(codeTry, e.Span, "`?` leaves a function, and there is none around it here").
			Note(span.Span{}, "`match` the value instead")
		return broken(e.Span, x)
	}
	answer := b.answers[len(b.answers)-1]
	out := &core.Try{X: core.X{At: e.Span}, Value: x, Return: answer}
	if elem, ok := b.std.isOption(t); ok {
		out.IsOption, out.Type = true, elem
		if !b.try(answer, b.std.option(b.fresh(e.Span))) {
			b.tryMismatch(e, t, answer)
		}
		return out
	}
	args, ok := argsOf(t, b.std.Result)
	if !ok {
		b.errorf(codeTry, e.Span, "`?` reads an Option or a Result, not `%s`", show(t)).
			Expect("an Option or a Result", show(t))
		return broken(e.Span, x)
	}
	out.Type = args[0]
	if !b.try(answer, &core.Con{Def: b.std.Result, Args: []core.Type{b.fresh(e.Span), args[1]}}) {
		b.tryMismatch(e, t, answer)
	}
	return out
}

func (b *body) tryMismatch(e *syntax.TryExpr, t, answer core.Type) {
	if isBad(answer) {
		return
	}
	d := b.errorf(codeTry, e.Span, "`?` on `%s` cannot leave what answers `%s`", show(t), show(answer))
	if from, ok := argsOf(t, b.std.Result); ok {
		if to, ok := argsOf(answer, b.std.Result); ok {
			d.Expect(show(to[1]), show(from[1])).Note(span.Span{}, "both errors must have one type: `?` converts nothing")
			return
		}
		d.Note(span.Span{}, "around it must be a function or lambda that answers a Result")
		return
	}
	d.Note(span.Span{}, "around it must be a function or lambda that answers an Option")
}

// force gives a type whose head must be known now, at a place that depends on
// it; it is bad, and that reported, when it is not. A literal's stays open.
func (b *body) force(t core.Type, at span.Span) core.Type {
	t = prune(t)
	if _, ok := t.(*meta); !ok {
		return t
	}
	b.solve()
	t = prune(t)
	m, ok := t.(*meta)
	if !ok || m.lit != notLit {
		return t
	}
	b.unknown(at)
	b.unify(m, bad)
	return bad
}

// unknown reports a type that nothing determines.
func (b *body) unknown(at span.Span) {
	if b.failed() {
		return
	}
	b.errorf(codeTypeNotKnown, at, "the type of this is not known here").
		Note(span.Span{}, "add an annotation, as in `let x: Int = …` or `(x: Int) => …`")
}

// forceLit is force for a place that cannot wait for a literal either.
func (b *body) forceLit(t core.Type, at span.Span) core.Type {
	t = b.force(t, at)
	if m, ok := t.(*meta); ok {
		b.defaultLit(m)
		return prune(m)
	}
	return t
}
