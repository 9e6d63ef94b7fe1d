package syntax

import "towpath.dev/internal/lang/span"

// operand reads what operators work on.
func (p *parser) operand() Expr {
	start := p.start()
	switch p.kind {
	case LowerName:
		return p.lowerOperand(start)
	case UpperName:
		return p.ident()
	case Number, Money, Duration, Instant, Date, String, StringHead, KwTrue, KwFalse:
		return p.literal()
	case LParen:
		if p.atLambda() {
			return p.strayLambda()
		}
		return p.parens(start)
	case LBracket:
		return p.listLit(start)
	case LBrace:
		if p.head {
			break
		}
		if p.peek(1).kind == DotDot {
			return p.record(nil, nil, start)
		}
		return p.block()
	case KwIf:
		return p.ifExpr()
	case KwMatch:
		return p.matchExpr()
	case Underscore:
		if p.atLambda() {
			return p.strayLambda()
		}
		p.fail(codeWantExpr, "`_` stands for a value nobody reads, so it has none here").Expected = "an expression"
		return p.badExpr()
	}
	return p.noOperand()
}

// noOperand fails, with a word on the likely mistake.
func (p *parser) noOperand() Expr {
	d := p.fail(codeWantExpr, "an expression belongs here")
	d.Expected = "an expression"
	switch {
	case p.lineOver():
	case p.kind == Dot && p.peek(1).kind == Number:
		d.Code, d.Message = codeBadNumber, "a number begins with a digit"
		d.FixWith("insert `0`", p.span(p.start(), p.start()), "0")
	case p.kind == KwOptional:
		d.Code, d.Message = codeScopeForm, "`optional` begins a scope; inside an expression the scope stands in parentheses"
	case p.kind == KwFn:
		d.Code, d.Message = codeForeignKeyword, "a function without a name is written `x => …`"
	case p.kind == KwLet:
		d.Message = "`let` begins a line of a block, it is no expression"
	case p.kind.IsKeyword() && p.flags&lineStart == 0:
		d.Code, d.Message = codeReserved, "`"+p.text()+"` is a keyword and cannot be a name"
	}
	return p.badExpr()
}

func (p *parser) ident() Expr {
	x := p.idents.make()
	x.At, x.Name = At{p.tokSpan()}, p.text()
	p.next()
	return x
}

func (p *parser) lowerOperand(start int) Expr {
	if p.atLambda() {
		return p.strayLambda()
	}
	next := p.peek(1)
	if next.flags&lineStart == 0 && startsOperand(next.kind) {
		if x := p.foreignPrefix(start); x != nil {
			return x
		}
	}
	if next.kind == Arrow && !p.guard && next.flags&lineStart == 0 {
		return p.lambda() // says that `=>` is meant
	}
	if p.toks[p.i].end-p.toks[p.i].start == 4 && p.text() == "null" {
		p.null()
		p.next()
		return &BadExpr{p.from(start)}
	}
	return p.ident()
}

// literal reads a literal that is one token, or a string.
func (p *parser) literal() Expr {
	start := p.start()
	text := p.text()
	kind := p.kind
	if kind == String || kind == StringHead {
		return p.stringLit()
	}
	p.next()
	at := p.from(start)
	switch kind {
	case Number:
		return &NumberLit{at, text}
	case Money:
		return &MoneyLit{at, moneyNumber(text), text[len(text)-3:]}
	case Duration:
		return &DurationLit{at, text}
	case Instant:
		return &InstantLit{at, text}
	case Date:
		return &DateLit{at, text}
	}
	return &BoolLit{at, kind == KwTrue}
}

func moneyNumber(text string) string {
	end := len(text) - 3
	for end > 0 && (text[end-1] == ' ' || text[end-1] == '\t') {
		end--
	}
	return text[:end]
}

func (p *parser) parens(start int) Expr {
	closer := int(p.toks[p.i].match)
	if after := &p.toks[min(closer+1, len(p.toks)-1)]; after.kind == Arrow && !p.guard && after.flags&lineStart == 0 {
		return p.lambda() // says that `=>` is meant
	}
	b := p.begin()
	var elems []Expr
	trailing := false
	for p.i < b.closer {
		before := p.element()
		elems = append(elems, p.expr())
		p.comma(&b, before, "element", startsExpr)
		trailing = p.toks[p.i-1].kind == Comma
	}
	p.finish(&b, "a parenthesis")
	if len(elems) == 1 && !trailing {
		return &ParenExpr{p.from(start), elems[0]}
	}
	if len(elems) == 1 {
		p.report(codeWantExpr, p.from(start).Span, "a tuple has two elements or more")
		return &ParenExpr{p.from(start), elems[0]}
	}
	return &TupleLit{p.from(start), elems}
}

func (p *parser) listLit(start int) Expr {
	b := p.begin()
	var elems []ListElem
	for p.i < b.closer {
		before := p.element()
		spread := p.accept(DotDot)
		x := p.expr()
		elems = append(elems, ListElem{spread, x})
		p.comma(&b, before, "element", startsExpr)
	}
	p.finish(&b, "a list")
	return &ListLit{p.from(start), elems}
}

// recordAfter reads the braces after `Name` or `module.Name`, or gives nil
// when the brace opens something else.
func (p *parser) recordAfter(x Expr, start int) Expr {
	var module, name *Name
	switch e := x.(type) {
	case *Ident:
		if !isUpper(e.Name[0]) {
			return nil
		}
		name = &Name{e.At, e.Name}
	case *FieldExpr:
		m, ok := e.X.(*Ident)
		if !ok || e.Name.Text == "" || !isUpper(e.Name.Text[0]) {
			return nil
		}
		module, name = &Name{m.At, m.Name}, &e.Name
	default:
		return nil
	}
	if p.head {
		if !p.recordFollows() {
			return nil
		}
		p.recordInHead(start)
	}
	return p.record(module, name, start)
}

// recordFollows looks into braces for what only a record has.
func (p *parser) recordFollows() bool {
	first, second := p.peek(1), p.peek(2)
	return first.kind == DotDot || first.kind == LowerName && second.kind == Colon
}

func (p *parser) recordInHead(start int) {
	end := p.toks[p.toks[p.i].match].end
	at := p.span(start, int(end))
	p.report(codeRecordInHead, at, "braces after a name open the body here; a record stands in parentheses").
		Fix = fixEdits("put it into parentheses", p.span(start, start), "(", p.span(int(end), int(end)), ")")
}

// record reads a record literal or an update from its opening brace.
func (p *parser) record(module, name *Name, start int) Expr {
	r := &RecordLit{Module: module, Type: name}
	b := p.begin()
	for p.i < b.closer {
		before := p.element()
		if p.kind == DotDot {
			at := p.tokSpan()
			if r.Base != nil || len(r.Fields) > 0 {
				p.report(codeWantToken, at, "the record that is updated stands first").Expect("a field", "`..`")
			}
			p.next()
			r.Base = p.expr()
		} else {
			r.Fields = append(r.Fields, p.recordField())
		}
		p.line(&b, before, "field")
	}
	p.finish(&b, "a record")
	r.At = p.from(start)
	return r
}

func (p *parser) recordField() RecordField {
	f := RecordField{}
	start := p.start()
	f.Name = p.lower("a field")
	switch {
	case p.lost:
	case p.accept(Colon):
		f.Value = p.expr()
	case p.kind == Assign:
		at := p.tokSpan()
		p.report(codeAssign, at, "a field's value stands after `:`").
			Expect("`:`", "`=`").FixWith("write `:`", p.span(p.end(), at.End), ":")
		p.next()
		f.Value = p.expr()
	}
	f.At = p.from(start)
	return f
}

// atLambda reports whether a lambda begins here.
func (p *parser) atLambda() bool {
	switch p.kind {
	case LowerName, Underscore:
		return p.peek(1).kind == FatArrow && !p.guard
	case LParen:
		return p.toks[p.toks[p.i].match+1].kind == FatArrow && !p.guard
	}
	return false
}

// strayLambda reads a lambda where only an operand may stand.
func (p *parser) strayLambda() Expr {
	if !p.enter() {
		p.leave()
		return p.badExpr()
	}
	x := p.lambda()
	p.leave()
	p.report(codeLambdaPlace, x.Pos(), "a lambda stands alone as an argument, it is no operand").
		Note(span.Span{}, "its body reaches as far as it can; put the lambda into parentheses where that is meant")
	return x
}

func (p *parser) lambda() Expr {
	start := p.start()
	l := &LambdaExpr{}
	if p.kind == LParen {
		l.Parens = true
		b := p.begin()
		for p.i < b.closer {
			before := p.element()
			q := &LambdaParam{}
			qStart := p.start()
			q.Pat = p.pattern()
			if !p.lost && p.accept(Colon) {
				q.Type = p.typeExpr()
			}
			q.At = p.from(qStart)
			l.Params = append(l.Params, q)
			p.comma(&b, before, "parameter", startsPattern)
		}
		p.finish(&b, "a lambda")
	} else {
		pat := p.plainPattern()
		l.Params = []*LambdaParam{{At: At{pat.Pos()}, Pat: pat}}
	}
	l.ParamsAt = p.from(start).Span
	if p.kind == Arrow {
		at := p.tokSpan()
		p.report(codeWrongArrow, at, "a lambda's body stands after `=>`").
			Expect("`=>`", "`->`").FixWith("write `=>`", at, "=>")
	}
	p.next()
	l.Body = p.expr()
	l.At = p.from(start)
	return l
}
