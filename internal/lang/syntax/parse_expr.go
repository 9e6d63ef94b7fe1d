package syntax

import "towpath.dev/internal/lang/span"

// startsExpr reports whether a token can begin an expression.
func startsExpr(t Token) bool {
	switch t {
	case LParen, LBracket, LBrace, KwIf, KwMatch, KwTrue, KwFalse, KwOptional, Underscore, Minus, Bang, DotDot:
		return true
	}
	return LowerName <= t && t <= StringHead
}

// startsOperand is startsExpr without what could also go on with the
// expression before.
func startsOperand(t Token) bool {
	return LowerName <= t && t <= StringHead || t == KwTrue || t == KwFalse || t == KwMatch
}

func (p *parser) badExpr() Expr { return &BadExpr{At{p.here()}} }

// expr reads an expression of the loosest kind: a lambda or a scope.
func (p *parser) expr() Expr {
	if !p.enter() {
		p.leave()
		return p.badExpr()
	}
	var x Expr
	if p.atLambda() {
		x = p.lambda()
	} else {
		x = p.scope()
	}
	p.leave()
	return x
}

// scope reads `optional X within D else F`, any part of which but X may miss.
func (p *parser) scope() Expr {
	start := p.start()
	optional := p.accept(KwOptional)
	x := p.pipe()
	if p.kind != KwWithin && p.kind != KwElse && !optional || p.lost {
		return x
	}
	s := &ScopeExpr{Optional: optional, X: x}
	if p.kind == KwWithin {
		p.next()
		s.Within = p.binary(1)
		if p.kind == KwWithin && !p.lost {
			p.fail(codeScopeForm, "a scope has one `within`").
				Note(span.Span{}, "put the inner scope into parentheses")
		}
	}
	if p.kind == KwElse && !p.lost {
		p.next()
		s.Else = p.expr()
	}
	s.At = p.from(start)
	return s
}

// pipe reads `x |> f(a) |> g`.
func (p *parser) pipe() Expr {
	start := p.start()
	x := p.binary(1)
	for n := 0; p.kind == PipeOp && !p.lost && p.chain(&n); {
		op := p.tokSpan()
		p.next()
		x = p.pipeInto(x, op, start)
	}
	return x
}

// pipeInto reads the target of a pipe. A `?` behind it applies to the whole
// pipe up to there.
func (p *parser) pipeInto(left Expr, op span.Span, start int) Expr {
	right := p.binary(1)
	tries := 0
	target := right
	for {
		t, ok := target.(*TryExpr)
		if !ok {
			break
		}
		target = t.X
		tries++
	}
	switch t := target.(type) {
	case *CallExpr, *BadExpr, *LambdaExpr: // a lambda was reported
	case *Ident:
	case *FieldExpr:
		if !isPath(t) {
			p.pipeTarget(target, start)
		}
	case *BinaryExpr:
		p.pipeOperator(t, start)
	default:
		p.pipeTarget(target, start)
	}
	var x Expr = &PipeExpr{At{p.span(start, target.Pos().End)}, left, target, op}
	if tries == 0 {
		return x
	}
	ends := make([]int, 0, tries)
	for t, ok := right.(*TryExpr); ok; t, ok = t.X.(*TryExpr) {
		ends = append(ends, t.Span.End)
	}
	for i := len(ends) - 1; i >= 0; i-- {
		x = &TryExpr{At{p.span(start, ends[i])}, x}
	}
	return x
}

// isPath reports whether an expression is names parted by dots.
func isPath(x Expr) bool {
	for {
		switch e := x.(type) {
		case *Ident:
			return true
		case *FieldExpr:
			x = e.X
		default:
			return false
		}
	}
}

func (p *parser) pipeTarget(x Expr, start int) {
	p.report(codePipeTarget, x.Pos(), "the right side of `|>` is a call or the name of a function").
		Expect("a call such as `filter(o => o.ready)`", "")
}

// pipeOperator explains `x |> f() + 1`, which groups as `x |> (f() + 1)`.
func (p *parser) pipeOperator(b *BinaryExpr, start int) {
	first := b.L
	for l, ok := first.(*BinaryExpr); ok; l, ok = first.(*BinaryExpr) {
		b, first = l, l.L
	}
	end := first.Pos().End
	d := p.report(codePipeTarget, b.OpPos, "`%s` binds tighter than `|>`, so the right side of the pipe is no call", b.Op)
	d.Expect("a call, then the end of the pipe", "`"+b.Op.String()+"`")
	d.Fix = fixEdits("put the pipe into parentheses", p.span(start, start), "(", p.span(end, end), ")")
}

// binary reads operators that bind at least as tight as min.
func (p *parser) binary(min int) Expr {
	start := p.start()
	x := p.unary()
	for n := 0; !p.lost && p.flags&endsExpr == 0; {
		op := p.kind
		prec := op.precedence()
		if prec == 0 {
			if op = p.foreignInfix(x); op == EOF {
				return x
			}
			prec = op.precedence()
		}
		if prec < min || !p.chain(&n) {
			return x
		}
		opPos := p.tokSpan()
		p.next()
		switch {
		case op == KwIs:
			pat := p.pattern()
			x = &IsExpr{p.from(start), x, pat}
		case op == Coalesce:
			if !p.enter() {
				p.leave()
				return x
			}
			r := p.binary(prec)
			p.leave()
			x = &BinaryExpr{p.from(start), op, opPos, x, r}
		default:
			r := p.binary(prec + 1)
			x = &BinaryExpr{p.from(start), op, opPos, x, r}
		}
		if prec == precComparison && p.kind.precedence() == precComparison && p.flags&endsExpr == 0 && !p.lost {
			return p.chained(x, op, start)
		}
	}
	return x
}

// chained reports `a < b < c` once and reads past it.
func (p *parser) chained(x Expr, op Token, start int) Expr {
	d := p.report(codeChained, p.tokSpan(), "comparisons do not chain")
	d.Expect("`&&` or the end of the comparison", p.describe())
	if b, ok := x.(*BinaryExpr); ok && op != Eq && op != Ne {
		at := p.span(p.end(), p.end())
		d.FixWith("compare twice", at, " && "+b.R.Pos().Text())
	}
	for n := 0; p.kind.precedence() >= precComparison && p.flags&endsExpr == 0 && !p.lost && p.chain(&n); {
		is := p.kind == KwIs
		p.next()
		if is {
			p.pattern()
		} else {
			p.unary()
		}
	}
	return &BadExpr{p.from(start)}
}

func (p *parser) unary() Expr {
	if p.kind != Minus && p.kind != Bang {
		return p.postfix()
	}
	start, op := p.start(), p.kind
	p.next()
	if !p.enter() {
		p.leave()
		return p.badExpr()
	}
	x := p.unary()
	p.leave()
	return &UnaryExpr{p.from(start), op, x}
}

// postfix reads an operand and the fields, calls and `?` behind it.
func (p *parser) postfix() Expr {
	start := p.start()
	x := p.operand()
	for n := 0; !p.lost && p.flags&endsExpr == 0; {
		switch p.kind {
		case Dot:
			if !p.chain(&n) {
				return x
			}
			x = p.fieldOf(x, start)
		case LParen:
			if !p.chain(&n) {
				return x
			}
			c := p.calls.make()
			c.Fn = x
			c.Args = p.args()
			c.At = p.from(start)
			x = c
		case Question:
			if !p.chain(&n) {
				return x
			}
			if p.ternaryFollows() {
				return p.ternary(start)
			}
			p.next()
			x = &TryExpr{p.from(start), x}
		case LBrace:
			r := p.recordAfter(x, start)
			if r == nil {
				return x
			}
			x = r
		case LBracket:
			if p.flags&(spaced|lineStart) != 0 {
				return x
			}
			p.indexing(start)
			x = &BadExpr{p.from(start)}
		case Lt:
			if !p.typeArgsFollow() {
				return x
			}
			p.typeArgs()
		default:
			return x
		}
	}
	return x
}

func (p *parser) fieldOf(x Expr, start int) Expr {
	p.next()
	var name Name
	switch {
	case p.kind == LowerName || p.kind == UpperName || p.kind == Number:
		name = p.name()
	case p.kind.IsKeyword() && p.flags&lineStart == 0:
		name = p.lower("a field")
	default:
		d := p.fail(codeWantToken, "a field's name belongs after the dot")
		d.Expected = "a name"
		if _, ok := x.(*NumberLit); ok {
			d.Code, d.Message, d.Expected = codeBadNumber, "a digit stands after the point of a number", "a digit"
		}
		name.At = At{p.span(p.end(), p.end())}
	}
	f := p.fields.make()
	f.At, f.X, f.Name = p.from(start), x, name
	return f
}

func (p *parser) args() []Arg {
	b := p.begin()
	var args []Arg
	for p.i < b.closer {
		before := p.element()
		a := Arg{}
		if startsName(p.kind) || p.kind.IsKeyword() {
			switch p.peek(1).kind {
			case Colon:
				label := p.lower("a label")
				a.Label = &label
				p.next()
			case Assign:
				label := p.lower("a label")
				a.Label = &label
				at := p.tokSpan()
				p.report(codeAssign, at, "a labelled argument is written `%s: …`", label.Text).
					Expect("`:`", "`=`").FixWith("write `:`", p.span(p.end(), at.End), ":")
				p.next()
			}
		}
		if p.kind == DotDot {
			p.fail(codeWantExpr, "arguments cannot be spread").Expected = "an expression"
		}
		a.Value = p.expr()
		args = append(args, a)
		p.comma(&b, before, "argument", startsExpr)
	}
	p.finish(&b, "a call")
	return args
}
