package syntax

// block reads `{ let a = 1 … last }`.
func (p *parser) block() *Block {
	start := p.start()
	if !p.enter() {
		at := At{p.here()}
		p.skip()
		p.leave()
		return &Block{At: at, Stmts: []Stmt{&BadStmt{at}}}
	}
	errors := len(p.diags.All)
	b := p.begin()
	blk := &Block{Stmts: p.stmts(&b, false)}
	p.finish(&b, "a block")
	p.leave()
	blk.At = p.from(start)
	if len(p.diags.All) == errors && !p.lost {
		p.checkValue(blk)
	}
	return blk
}

// checkValue refuses a block without a value at its end.
func (p *parser) checkValue(b *Block) {
	at := p.span(b.Span.End-1, b.Span.End)
	if len(b.Stmts) == 0 {
		p.report(codeNoValue, b.Span, "a block ends with its value, and this one is empty").
			Expect("an expression", "`}`")
		return
	}
	if l, ok := b.Stmts[len(b.Stmts)-1].(*LetStmt); ok {
		p.report(codeNoValue, at, "a block ends with its value, and this one ends with a `let`").
			Expect("an expression", "`}`").Note(l.Span, "this gives a name to a value, it is none")
	}
}

// stmts reads the lines of a block or of a test.
func (p *parser) stmts(b *bracket, test bool) []Stmt {
	var stmts []Stmt
	for p.i < b.closer {
		if p.kind == Semicolon {
			p.semicolon()
			continue
		}
		before := p.element()
		s := p.stmt(test)
		stmts = append(stmts, s)
		if !p.lost && p.i < b.closer && p.flags&endsExpr == 0 && p.kind != Semicolon {
			p.afterStmt(s)
		}
		if p.lost {
			for p.i < b.closer && (p.flags&endsExpr == 0 || p.i == before) {
				p.skip()
			}
			p.lost = false
		}
	}
	return stmts
}

func (p *parser) stmt(test bool) Stmt {
	start := p.start()
	switch p.kind {
	case KwLet:
		p.next()
		return p.letStmt(start)
	case LowerName:
		switch word := p.text(); {
		case word == "expect" && p.startsExpect(test):
			p.next()
			if p.flags&endsExpr != 0 || p.kind.closes() {
				p.fail(codeWantExpr, "`expect` needs an expression on its line").Expected = "an expression"
				return &BadStmt{p.from(start)}
			}
			x := p.expr()
			if !test {
				p.report(codeTestOnly, p.span(start, start+len(word)), "`expect` stands only in a test")
				return &BadStmt{p.from(start)}
			}
			return &ExpectStmt{p.from(start), x}
		case word == "given" && p.startsGiven():
			if !test {
				p.report(codeTestOnly, p.tokSpan(), "`given` stands only in a test")
				p.next()
				p.givenStmt(start)
				return &BadStmt{p.from(start)}
			}
			p.next()
			return p.givenStmt(start)
		}
		if s := p.assignment(start); s != nil {
			return s
		}
	case KwConst:
		if p.peek(1).kind == LowerName {
			at := p.tokSpan()
			p.report(codeMutation, at, "inside a function a name is bound with `let`").FixWith("write `let`", at, "let")
			p.next()
			return p.letStmt(start)
		}
	case KwFn, KwType, KwImport, KwView, KwService, KwPub:
		p.fail(codeWantExpr, "declarations stand at the top of a file, not inside a block").Expected = "`let` or an expression"
		return &BadStmt{At{p.tokSpan()}}
	}
	x := p.expr()
	return &ExprStmt{At{x.Pos()}, x}
}

// startsExpect tells `expect x` from a use of the name `expect`.
func (p *parser) startsExpect(test bool) bool {
	next := p.peek(1)
	if next.flags&endsExpr != 0 || next.kind.closes() {
		return test
	}
	return startsOperand(next.kind) || test && startsExpr(next.kind) || next.kind == KwIf
}

// startsGiven tells a stub from a use of the name `given`.
func (p *parser) startsGiven() bool {
	next := p.peek(1)
	return startsName(next.kind) && next.flags&lineStart == 0
}

func (p *parser) letStmt(start int) Stmt {
	l := &LetStmt{}
	if word := p.lowerText(); (word == "mut" || word == "rec") && p.peek(1).kind == LowerName {
		at := p.tokSpan()
		p.report(codeMutation, at, "values do not change, and functions may always call themselves: there is no `%s`", word).
			FixWith("remove `"+word+"`", p.span(at.Start, int(p.peek(1).start)), "")
		p.next()
	}
	l.Pat = p.pattern()
	if !p.lost && p.accept(Colon) {
		l.Type = p.typeExpr()
	}
	if !p.lost && p.expect(Assign, "`let`") {
		l.Value = p.expr()
	} else {
		l.Value = p.badExpr()
	}
	l.At = p.from(start)
	return l
}

// testDecl reads `test "…" { … }` and `prop "…" (a: Int) { … }`.
func (p *parser) testDecl(head Head, start int) Decl {
	t := &TestDecl{Head: head, Prop: p.text() == "prop"}
	what := "a test"
	if t.Prop {
		what = "a property"
	}
	t.Name.At = At{p.tokSpan()}
	p.next()
	t.Title, _ = p.stringLit().(*StringLit)
	if t.Prop {
		t.Params, t.ParamsAt = p.params(what)
	} else if p.kind == LParen {
		p.report(codeWantToken, p.tokSpan(), "a test has no inputs; a property has").
			FixWith("write `prop`", t.Name.Span, "prop")
		t.Params, t.ParamsAt = p.params(what)
	}
	if p.lost {
		p.toBlock()
	}
	if !p.lost && p.kind != LBrace {
		p.expect(LBrace, what)
	}
	if !p.lost {
		b := p.begin()
		t.Stmts = p.stmts(&b, true)
		p.finish(&b, what)
	}
	t.At = p.from(start)
	return t
}

// givenStmt reads a stub after the word `given`.
func (p *parser) givenStmt(start int) Stmt {
	g := &GivenStmt{}
	first := p.name()
	if p.kind == Dot {
		p.next()
		if isLower(first.Text[0]) {
			p.report(codeWantToken, first.Span, "a stub names its service directly").
				Expect("a service such as `Catalog`", "the name `"+first.Text+"`")
			first = p.upper("a service")
			p.expect(Dot, "a stub")
		}
		if p.lost {
			return &BadStmt{p.from(start)}
		}
		g.Service = &first
		g.Op = p.lower("an operation")
		if p.lost || p.kind != LParen {
			p.expect(LParen, "a stub")
			return &BadStmt{p.from(start)}
		}
		open := p.start()
		b := p.begin()
		for p.i < b.closer {
			before := p.element()
			g.Args = append(g.Args, p.pattern())
			p.comma(&b, before, "pattern", startsPattern)
		}
		p.finish(&b, "a stub")
		g.ArgsAt = p.from(open).Span
	} else {
		g.Op = first
		if first.Text != "now" && first.Text != "seed" {
			p.report(codeWantToken, first.Span, "`%s` cannot be given", first.Text).
				Expect("an operation such as `Catalog.offers(_)`, `now` or `seed`", "the name `"+first.Text+"`")
		}
	}
	switch word := p.lowerText(); {
	case p.kind == Assign:
		p.next()
		g.Value = p.expr()
	case g.Service != nil && word == "fails":
		g.Outcome = Fails
		p.next()
	case g.Service != nil && word == "expires":
		g.Outcome = Expires
		p.next()
	case g.Service != nil && word == "shed":
		g.Outcome = Shed
		p.next()
	case g.Service == nil:
		p.expect(Assign, "`given "+g.Op.Text+"`")
	default:
		p.fail(codeWantToken, "a stub says what the call does").Expected = "`= answer`, `fails`, `expires` or `shed`"
	}
	if g.Value == nil && g.Outcome == Answers {
		g.Value = p.badExpr()
	}
	g.At = p.from(start)
	return g
}

// stringLit reads a string with its holes.
func (p *parser) stringLit() Expr {
	start := p.start()
	if p.kind == String {
		text, raw := p.piece(&p.toks[p.i])
		p.next()
		return &StringLit{p.from(start), []StringPart{{Text: text, Raw: raw}}}
	}
	s := &StringLit{}
	p.addPiece(s, p.i)
	b := p.begin()
	for p.i < b.closer {
		hole := p.start() - 1
		if p.kind == StringMid {
			p.report(codeEmptyHole, p.span(hole, p.start()+1), "this `{}` holds no expression").
				FixWith("write `\\{\\}` for two braces", p.span(hole, p.start()+1), `\{\}`)
		} else {
			x := p.expr()
			s.Parts = append(s.Parts, StringPart{X: x})
			if !p.lost && p.kind != StringMid && p.i != b.closer {
				p.fail(codeWantToken, "in a string, `}` ends the expression").Expected = "`}`"
			}
		}
		for p.i < b.closer && p.kind != StringMid {
			p.skip()
		}
		p.lost = false
		if p.kind == StringMid {
			p.addPiece(s, p.i)
			p.next()
			if p.i == b.closer {
				p.emptyHole()
			}
		}
	}
	if p.i == b.closer && int(p.toks[p.i-1].start) == start {
		p.emptyHole()
	}
	p.addPiece(s, b.closer)
	if len(s.Parts) == 0 {
		s.Parts = append(s.Parts, StringPart{})
	}
	p.finish(&b, "a string")
	s.At = p.from(start)
	return s
}

func (p *parser) emptyHole() {
	at := p.span(p.end()-1, p.start()+1)
	if p.flags&virtual == 0 {
		p.report(codeEmptyHole, at, "this `{}` holds no expression").
			FixWith("write `\\{\\}` for two braces", at, `\{\}`)
	}
}

// addPiece appends the text of a string token, if it has any.
func (p *parser) addPiece(s *StringLit, token int) {
	if text, raw := p.piece(&p.toks[token]); raw != "" {
		s.Parts = append(s.Parts, StringPart{Text: text, Raw: raw})
	}
}

// piece is the text of a string token without its delimiters, unescaped and
// as written.
func (p *parser) piece(t *tok) (text, raw string) {
	start, end := int(t.start)+1, int(t.end)
	if end <= start || t.flags&virtual != 0 {
		return "", ""
	}
	if c := p.src[end-1]; c == '"' || c == '{' || c == '\'' { // not so when the line ended
		end--
	}
	raw = p.src[start:max(start, end)]
	if t.flags&escaped == 0 {
		return raw, raw
	}
	return p.unescape(raw, start), raw
}
