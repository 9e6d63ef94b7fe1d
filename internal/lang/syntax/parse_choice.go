package syntax

func (p *parser) ifExpr() Expr {
	start := p.start()
	p.next()
	x := &IfExpr{Cond: p.headExpr("if")}
	if !p.lost && p.kind != LBrace {
		p.branchMissing("if")
	}
	if p.lost && !p.toBlock() {
		x.Then = &Block{At: p.from(p.end())}
		x.At = p.from(start)
		return x
	}
	x.Then = p.block()
	switch {
	case p.kind != KwElse:
		if !p.foreignElse(x) {
			p.report(codeMissingElse, p.span(start, start+2), "an `if` needs its `else`: both ways give a value").
				Expect("`else`", p.found())
		}
	case p.peek(1).kind == KwIf:
		p.next()
		if p.enter() {
			x.Else = p.ifExpr()
		}
		p.leave()
	default:
		p.next()
		if p.kind != LBrace {
			p.branchMissing("else")
			break
		}
		x.Else = p.block()
	}
	x.At = p.from(start)
	return x
}

// headExpr reads the condition of if or the subject of match, where a brace
// opens the body.
func (p *parser) headExpr(what string) Expr {
	head, guard := p.head, p.guard
	p.head, p.guard = true, false
	var x Expr
	if p.kind == LBrace {
		p.fail(codeWantExpr, "`%s` needs an expression before its brace", what).Expected = "an expression"
		x = p.badExpr()
	} else {
		x = p.expr()
	}
	p.head, p.guard = head, guard
	return x
}

// toBlock looks on the rest of the line for the brace that a broken head was
// meant to end with.
func (p *parser) toBlock() bool {
	for p.kind != LBrace {
		if p.kind == EOF || p.kind.closes() || p.flags&endsExpr != 0 || p.kind == Comma {
			return false
		}
		p.skip()
	}
	p.lost = false
	return true
}

func (p *parser) matchExpr() Expr {
	start := p.start()
	p.next()
	m := &MatchExpr{X: p.headExpr("match")}
	if !p.lost && p.kind != LBrace {
		p.expect(LBrace, "`match`")
	}
	if p.lost && !p.toBlock() {
		m.At = p.from(start)
		return m
	}
	b := p.begin()
	for p.i < b.closer {
		before := p.element()
		if p.kind == Bar {
			at := p.tokSpan()
			p.report(codeWantPattern, at, "an arm begins with its pattern").FixWith("remove `|`", at, "")
			p.next()
		}
		m.Arms = append(m.Arms, p.arm())
		p.line(&b, before, "arm")
	}
	p.finish(&b, "`match`")
	m.At = p.from(start)
	return m
}

func (p *parser) arm() *MatchArm {
	a := &MatchArm{}
	start := p.start()
	a.Pat = p.pattern()
	if p.kind == KwIf && !p.lost {
		p.next()
		p.guard = true
		a.Guard = p.expr()
		p.guard = false
	}
	switch {
	case p.lost:
	case p.kind == Arrow:
		p.next()
	case p.kind == FatArrow || p.kind == Colon:
		at := p.tokSpan()
		p.report(codeWrongArrow, at, "an arm's value stands after `->`").
			Expect("`->`", p.describe()).FixWith("write `->`", at, "->")
		p.next()
	default:
		p.expect(Arrow, "an arm of `match`")
	}
	if p.lost {
		a.Body = p.badExpr()
	} else {
		a.Body = p.expr()
	}
	a.At = p.from(start)
	return a
}
