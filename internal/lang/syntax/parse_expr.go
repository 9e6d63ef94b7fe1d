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
