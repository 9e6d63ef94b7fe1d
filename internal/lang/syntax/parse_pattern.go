package syntax

func startsPattern(t Token) bool {
	return t == Underscore || t == LParen || t == LBracket || t == Minus || t == KwTrue || t == KwFalse ||
		LowerName <= t && t <= StringHead || t == DotDot
}

func (p *parser) badPat() Pattern { return &BadPat{At{p.here()}} }

// pattern reads alternatives and a name for the whole.
func (p *parser) pattern() Pattern {
	if !p.enter() {
		p.leave()
		return p.badPat()
	}
	defer p.leave()
	start := p.start()
	pat := p.plainPattern()
	if p.kind == Bar && !p.lost {
		alts := []Pattern{pat}
		for n := 0; p.kind == Bar && !p.lost && p.chain(&n); {
			p.next()
			alts = append(alts, p.plainPattern())
		}
		pat = &OrPat{p.from(start), alts}
	}
	for n := 0; p.kind == KwAs && !p.lost && p.chain(&n); {
		p.next()
		name := p.lower("a pattern")
		pat = &AsPat{p.from(start), pat, name}
	}
	return pat
}

func (p *parser) plainPattern() Pattern {
	start := p.start()
	switch p.kind {
	case Underscore:
		p.next()
		return &WildPat{p.from(start)}
	case LowerName:
		if p.peek(1).kind == Dot && p.peek(2).kind == UpperName {
			module := p.name()
			p.next()
			return p.ctorPattern(&module, start)
		}
		if p.text() == "null" {
			p.null()
		}
		name := p.name()
		return &VarPat{name.At, name.Text}
	case UpperName:
		return p.ctorPattern(nil, start)
	case Number, Money, Duration, Instant, Date, String, StringHead, KwTrue, KwFalse:
		return p.litPattern(start)
	case Minus:
		p.next()
		if p.kind != Number && p.kind != Money && p.kind != Duration {
			p.fail(codeWantPattern, "in a pattern, `-` stands before a number").Expected = "a number"
			return p.badPat()
		}
		x := p.literal()
		return &LitPat{p.from(start), &UnaryExpr{p.from(start), Minus, x}}
	case LParen:
		b := p.begin()
		var elems []Pattern
		for p.i < b.closer {
			before := p.element()
			elems = append(elems, p.pattern())
			p.comma(&b, before, "pattern", startsPattern)
		}
		p.finish(&b, "a pattern")
		if len(elems) == 1 {
			return elems[0]
		}
		return &TuplePat{p.from(start), elems}
	case LBracket:
		return p.listPattern(start)
	}
	d := p.fail(codeWantPattern, "a pattern belongs here")
	d.Expected = "a name, `_`, a literal, or a form such as `Some(x)`, `(a, b)` or `[first, ..rest]`"
	if p.kind.IsKeyword() {
		d.Code, d.Message = codeReserved, "`"+p.text()+"` is a keyword and cannot be a name"
	}
	return p.badPat()
}

func (p *parser) litPattern(start int) Pattern {
	if p.kind == StringHead {
		p.report(codeWantPattern, p.tokSpan(), "a string in a pattern has no holes").
			Note(p.tokSpan(), "a brace is written `\\{`")
	}
	x := p.literal()
	return &LitPat{p.from(start), x}
}

func (p *parser) listPattern(start int) Pattern {
	l := &ListPat{}
	b := p.begin()
	for p.i < b.closer {
		before := p.element()
		if p.kind == DotDot {
			at := p.tokSpan()
			if l.HasRest {
				p.report(codeWantPattern, at, "a list's pattern has one `..`")
			}
			l.HasRest = true
			p.next()
			if p.kind == LowerName {
				name := p.name()
				l.Rest = &name
			} else {
				p.accept(Underscore)
			}
			if !p.lost && p.i < b.closer && (p.kind != Comma || p.i+1 < b.closer) {
				p.report(codeWantPattern, at, "`..` stands last in a list's pattern")
			}
		} else {
			l.Elems = append(l.Elems, p.pattern())
		}
		p.comma(&b, before, "pattern", startsPattern)
	}
	p.finish(&b, "a list's pattern")
	l.At = p.from(start)
	return l
}

func (p *parser) ctorPattern(module *Name, start int) Pattern {
	c := &CtorPat{Module: module, Name: p.name()}
	if p.flags&lineStart == 0 || p.flags&endsExpr == 0 {
		switch {
		case p.kind == LParen:
			c.Parens = true
			p.patArgs(c, false)
		case p.kind == LBrace && (!p.head || p.recordFollows()):
			if p.head {
				p.recordInHead(start)
			}
			c.Braces = true
			p.patArgs(c, true)
		}
	}
	c.At = p.from(start)
	return c
}

// patArgs reads a constructor's arguments in parentheses or braces.
func (p *parser) patArgs(c *CtorPat, braces bool) {
	b := p.begin()
	for p.i < b.closer {
		before := p.element()
		a := PatArg{}
		start := p.start()
		switch {
		case p.kind == DotDot:
			c.Rest = true
			p.next()
			if !p.lost && p.i < b.closer && (p.kind != Comma || p.i+1 < b.closer) {
				p.report(codeWantPattern, p.span(start, p.end()), "`..` stands last in a pattern")
			}
		case startsName(p.kind) && p.peek(1).kind == Colon:
			label := p.lower("a field")
			p.next()
			a.Label, a.Pat = &label, p.pattern()
		case braces:
			name := p.lower("a field")
			a.Label, a.Pat = &name, &VarPat{name.At, name.Text}
		default:
			a.Pat = p.pattern()
		}
		if a.Pat != nil {
			a.At = p.from(start)
			c.Args = append(c.Args, a)
		}
		if braces {
			p.line(&b, before, "field")
		} else {
			p.comma(&b, before, "pattern", startsPattern)
		}
	}
	p.finish(&b, "a pattern")
}
