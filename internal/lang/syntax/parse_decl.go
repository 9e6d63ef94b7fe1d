package syntax

import "towpath.dev/internal/lang/span"

func (p *parser) parseFile() *File {
	f := &File{At: At{p.span(0, len(p.src))}, Source: p.file, Doc: p.moduleDoc()}
	for p.kind != EOF {
		before := p.element()
		if p.kind == KwImport {
			im := p.importDecl()
			if len(f.Decls) > 0 {
				p.report(codeImportPlace, im.Span, "imports stand above all declarations")
			}
			f.Imports = append(f.Imports, im)
		} else if p.kind == Semicolon {
			p.semicolon()
		} else {
			f.Decls = append(f.Decls, p.decl())
		}
		if !p.lost && p.kind != EOF && p.flags&lineStart == 0 && p.kind != Semicolon {
			p.fail(codeWantDecl, "a declaration begins on a line of its own").Expected = "the end of the line"
		}
		if p.lost || p.i == before {
			p.syncDecl(before)
		}
	}
	f.Comments = make([]*Comment, len(p.comments))
	for i := range p.comments {
		f.Comments[i] = &p.comments[i]
	}
	return f
}

// syncDecl skips to the next line that begins a declaration.
func (p *parser) syncDecl(before int) {
	if p.i == before && p.kind != EOF {
		p.skip()
	}
	for p.kind != EOF && !(p.flags&lineStart != 0 && p.startsDecl()) {
		p.skip()
	}
	p.lost = false
}

// startsDecl reports whether the current token can begin a declaration.
func (p *parser) startsDecl() bool {
	switch p.kind {
	case KwImport, KwPub, KwConst, KwType, KwFn, KwView, KwService, At_:
		return true
	case LowerName:
		return p.startsTest() || foreignDecls[p.text()].code != "" && p.peek(1).kind != Assign
	}
	return false
}

// startsTest reports whether `test` or `prop` stands before a title.
func (p *parser) startsTest() bool {
	next := p.peek(1)
	if p.kind != LowerName || next.kind != String && next.kind != StringHead || next.flags&lineStart != 0 {
		return false
	}
	word := p.text()
	return word == "test" || word == "prop"
}

func (p *parser) importDecl() *Import {
	start := p.start()
	p.next()
	im := &Import{}
	im.Path = append(im.Path, p.lower("a module"))
	for !p.lost && p.kind == Slash {
		p.next()
		im.Path = append(im.Path, p.lower("a module"))
	}
	if p.kind == Dot && p.peek(1).kind == LBrace {
		p.next()
		im.Braces = true
		open := p.start()
		b := p.begin()
		for p.i < b.closer {
			before := p.element()
			m := ImportMember{Name: p.anyName("an import")}
			if p.accept(KwAs) {
				as := p.anyName("an import")
				m.As = &as
			}
			im.Members = append(im.Members, m)
			p.comma(&b, before, "import", startsName)
		}
		p.finish(&b, "an import")
		im.MembersAt = p.from(open).Span
	} else if p.kind == Dot {
		p.fail(codeWantToken, "an import's members stand in braces").Expected = "`.{` and the names, such as `.{Offer}`"
	}
	if !p.lost && p.accept(KwAs) {
		as := p.lower("a module")
		im.As = &as
	}
	im.At = p.from(start)
	return im
}

func startsName(t Token) bool { return t == LowerName || t == UpperName }

// decl reads a declaration with its attributes. It never gives nil.
func (p *parser) decl() Decl {
	head := Head{Doc: p.doc()}
	start := p.start()
	head.Attrs = p.attrs()
	if head.Doc == "" {
		head.Doc = p.doc()
	}
	if p.kind == KwPub {
		head.Pub = true
		p.next()
	} else if d, ok := foreignDecls[p.lowerText()]; ok && d.instead == "pub" {
		p.foreignDecl(d)
		head.Pub = true
		p.next()
	}
	kind := p.kind
	if kind == LowerName {
		if p.startsTest() {
			if head.Pub {
				p.report(codeWantToken, p.tokSpan(), "a test is not exported: nothing can name it").
					FixWith("remove `pub`", p.span(start, p.start()), "")
			}
			return p.testDecl(head, start)
		}
		if word := p.text(); (word == "test" || word == "prop") && p.flags&lineStart != 0 {
			p.next()
			p.fail(codeWantToken, "the title of a %s is a string", word).Expected = "a string"
			head.At = p.from(start)
			return &BadDecl{head}
		}
		if p.text() == "enum" {
			p.fail(codeForeignKeyword, "a type of alternatives is written `type T = A | B`").Expected = "`type`"
			head.At = p.from(start)
			return &BadDecl{head}
		}
		if d := foreignDecls[p.text()]; d.code != "" && startsName(p.peek(1).kind) {
			p.foreignDecl(d)
			kind = d.kind
		}
	}
	switch kind {
	case KwConst:
		return p.constDecl(head, start)
	case KwType:
		return p.typeDecl(head, start)
	case KwFn, KwView:
		return p.fnDecl(head, start, kind)
	case KwService:
		return p.serviceDecl(head, start)
	case KwLet:
		at := p.tokSpan()
		p.report(codeForeignKeyword, at, "`let` stands inside functions; a module has constants").
			FixWith("write `const`", at, "const")
		return p.constDecl(head, start)
	}
	p.fail(codeWantDecl, "a declaration belongs here").Expected =
		"`import`, `type`, `fn`, `view`, `service`, `const`, `test` or `prop`, maybe after `pub`"
	head.At = p.from(start)
	return &BadDecl{head}
}

func (p *parser) lowerText() string {
	if p.kind == LowerName {
		return p.text()
	}
	return ""
}

func (p *parser) attrs() []*Attr {
	var attrs []*Attr
	for p.kind == At_ && !p.lost {
		start := p.start()
		p.next()
		a := &Attr{Name: p.lower("an attribute")}
		if p.kind == LParen && p.flags&lineStart == 0 {
			b := p.begin()
			for p.i < b.closer {
				before := p.element()
				a.Args = append(a.Args, p.expr())
				p.comma(&b, before, "argument", startsExpr)
			}
			p.finish(&b, "an attribute")
		}
		a.At = p.from(start)
		attrs = append(attrs, a)
	}
	return attrs
}

func (p *parser) constDecl(head Head, start int) Decl {
	p.next()
	c := &ConstDecl{Head: head}
	c.Name = p.lower("a constant")
	if !p.lost && p.accept(Colon) {
		c.Type = p.typeExpr()
	}
	if !p.lost && p.expect(Assign, "a constant") {
		c.Value = p.expr()
	} else {
		c.Value = p.badExpr()
	}
	c.At = p.from(start)
	return c
}

func (p *parser) typeDecl(head Head, start int) Decl {
	p.next()
	t := &TypeDecl{Head: head}
	t.Name = p.upper("a type")
	t.Params = p.typeParams()
	switch {
	case p.lost:
	case p.kind == LBrace:
		t.Form = RecordForm
		b := p.begin()
		for p.i < b.closer {
			before := p.element()
			t.Fields = append(t.Fields, p.field())
			p.line(&b, before, "field")
		}
		p.finish(&b, "a record type")
	case p.kind == LParen && p.flags&lineStart == 0:
		t.Form = WrapperForm
		b := p.begin()
		t.Inner = p.typeExpr()
		if p.kind == Comma && !p.lost {
			p.fail(codeWantToken, "a wrapper holds one value; several are the fields of a record").Expected = "`)`"
		}
		p.finish(&b, "a wrapper type")
	case p.kind == Assign:
		t.Form = VariantForm
		p.next()
		p.variant(t)
	default:
		t.Form = BuiltinForm
	}
	t.At = p.from(start)
	return t
}

func (p *parser) variant(t *TypeDecl) {
	doc := p.doc()
	p.accept(Bar)
	for !p.lost {
		c := &Ctor{Doc: p.doc()}
		if c.Doc == "" {
			c.Doc = doc
		}
		start := p.start()
		c.Attrs = p.attrs()
		if p.kind == LowerName && basicTypes[p.text()] == "" || p.kind == UpperName {
			c.Name = p.upper("an alternative")
		} else {
			p.fail(codeWantToken, "an alternative of a type is a capitalised name").Expected = "a name such as `New`"
			return
		}
		if p.kind == LParen && p.flags&lineStart == 0 {
			c.Parens = true
			b := p.begin()
			for p.i < b.closer {
				before := p.element()
				c.Fields = append(c.Fields, p.ctorField())
				p.comma(&b, before, "field", startsField)
			}
			p.finish(&b, "an alternative")
		}
		c.At = p.from(start)
		t.Ctors = append(t.Ctors, c)
		if len(t.Ctors) == 1 && p.aliasFollows() {
			p.fail(codeTypeAlias, "`%s` cannot be another name for a type; types have one name", t.Name.Text).
				Note(p.span(start, start), "a type of its own that holds one is written `type %s(…)`", t.Name.Text)
			return
		}
		doc = p.doc()
		if !p.accept(Bar) {
			return
		}
	}
}

func (p *parser) aliasFollows() bool {
	return p.flags&lineStart == 0 && (p.kind == Lt || p.kind == Question || p.kind == Dot)
}

// field reads a record's field.
func (p *parser) field() *Field {
	f := &Field{Doc: p.doc()}
	start := p.start()
	f.Attrs = p.attrs()
	f.Name = p.lower("a field")
	if !p.lost {
		p.typeAndDefault(&f.Type, &f.Default, "a field")
	}
	f.At = p.from(start)
	return f
}

// ctorField reads a constructor's field, whose name may be left out.
func (p *parser) ctorField() *Field {
	if p.kind == At_ || p.peek(1).kind == Colon {
		return p.field()
	}
	f := &Field{Doc: p.doc()}
	start := p.start()
	f.Type = p.typeExpr()
	f.Name.At = At{p.span(start, start)}
	if p.kind == Assign && !p.lost {
		p.fail(codeWantToken, "only a field with a name has a default").Expected = "`,` or `)`"
	}
	f.At = p.from(start)
	return f
}

func startsField(t Token) bool { return t == At_ || startsName(t) }

// typeAndDefault reads `: Type` and maybe `= default`.
func (p *parser) typeAndDefault(typ *TypeExpr, def *Expr, what string) {
	switch {
	case p.accept(Colon):
		if p.flags&endsExpr != 0 && p.peek(1).kind == Colon { // the next field
			p.fail(codeWantType, "%s needs its type", what).Expected = "a type"
			return
		}
		*typ = p.typeExpr()
	case p.kind == Comma || p.kind == Assign || p.kind.closes() || p.flags&lineStart != 0:
		*typ = &BadType{p.from(p.end())}
		at := p.span(p.end(), p.end())
		if p.flags&virtual == 0 {
			p.report(codeMissingType, at, "%s needs its type", what).Expect("`:` and a type", p.found())
		}
	default:
		p.fail(codeWantToken, "%s needs `:` and its type", what).Expected = "`:`"
	}
	if !p.lost && p.accept(Assign) {
		*def = p.expr()
	}
}

func (t Token) closes() bool { return t == RParen || t == RBracket || t == RBrace }

func (p *parser) typeParams() []Name {
	if p.kind != Lt || p.lost {
		return nil
	}
	p.next()
	var names []Name
	for !p.lost && p.kind != Gt {
		names = append(names, p.upper("a type parameter"))
		if !p.lost && !p.accept(Comma) {
			break
		}
	}
	if !p.lost {
		p.expect(Gt, "a list of type parameters")
	}
	return names
}

func (p *parser) params(reading string) ([]*Param, span.Span) {
	start := p.start()
	if p.lost {
		return nil, p.span(start, start)
	}
	if p.kind != LParen {
		p.expect(LParen, reading)
		return nil, p.span(start, start)
	}
	var params []*Param
	b := p.begin()
	for p.i < b.closer {
		before := p.element()
		q := &Param{}
		start := p.start()
		q.Name = p.lower("a parameter")
		if !p.lost {
			p.typeAndDefault(&q.Type, &q.Default, "a parameter")
		}
		q.At = p.from(start)
		params = append(params, q)
		p.comma(&b, before, "parameter", startsName)
	}
	p.finish(&b, "a list of parameters")
	return params, p.from(start).Span
}

// result reads `-> Type`; it may be left out, which the checker refuses.
func (p *parser) result() TypeExpr {
	if p.lost {
		return nil
	}
	switch p.kind {
	case Arrow:
	case FatArrow, Colon:
		at := p.tokSpan()
		p.report(codeWrongArrow, at, "the type of the answer stands after `->`").
			Expect("`->`", p.describe()).FixWith("write `->`", at, "->")
	case UpperName:
		if p.flags&lineStart != 0 {
			return nil
		}
		at := p.span(p.start(), p.start())
		p.report(codeWrongArrow, p.tokSpan(), "the type of the answer stands after `->`").
			Expect("`->`", p.describe()).FixWith("insert `->`", at, "-> ")
		return p.typeExpr()
	default:
		return nil
	}
	p.next()
	return p.typeExpr()
}

func (p *parser) fnDecl(head Head, start int, kind Token) Decl {
	p.next()
	f := &FnDecl{Head: head, View: kind == KwView}
	what := "a function"
	if f.View {
		what = "a view"
	}
	f.Name = p.lower(what)
	f.TypeParams = p.typeParams()
	f.Params, f.ParamsAt = p.params(what)
	f.Result = p.result()
	if !p.lost && p.kind == KwWithin {
		if !f.View {
			p.report(codeScopeForm, p.tokSpan(), "only a view has a deadline; in a function, `within` stands in an expression")
		}
		p.next()
		head := p.head
		p.head = true
		f.Within = p.binary(1)
		p.head = head
	}
	if p.lost { // read the body all the same
		for p.kind != EOF && p.kind != LBrace && !(p.flags&lineStart != 0 && p.startsDecl()) {
			p.skip()
		}
		if p.kind == LBrace {
			p.lost = false
		}
	}
	f.Body = p.fnBody(what, f.Attrs)
	f.At = p.from(start)
	return f
}

func (p *parser) fnBody(what string, attrs []*Attr) *Block {
	switch {
	case p.lost:
		return nil
	case p.kind == LBrace:
		return p.block()
	case p.kind == Assign || p.kind == FatArrow:
		at := p.tokSpan()
		p.report(codeBody, at, "the body of %s stands in braces", what).Expect("`{`", p.describe())
		p.next()
		x := p.expr()
		return &Block{At: At{x.Pos()}, Stmts: []Stmt{&ExprStmt{At{x.Pos()}, x}}}
	}
	for _, a := range attrs {
		if a.Name.Text == "intrinsic" {
			return nil
		}
	}
	if p.flags&lineStart != 0 {
		p.report(codeBody, p.here(), "%s needs a body", what).Expect("`{`", p.found())
		return nil
	}
	p.fail(codeBody, "%s needs a body in braces", what).Expected = "`{`"
	return nil
}

func (p *parser) serviceDecl(head Head, start int) Decl {
	p.next()
	s := &ServiceDecl{Head: head}
	s.Name = p.upper("a service")
	if !p.lost && p.kind != LBrace {
		p.expect(LBrace, "a service")
	}
	if !p.lost {
		b := p.begin()
		for p.i < b.closer {
			if p.kind == Semicolon || p.kind == Comma {
				p.next()
				continue
			}
			before := p.element()
			if op := p.opDecl(); op != nil {
				s.Ops = append(s.Ops, op)
			}
			if p.lost {
				for p.i < b.closer && (p.i == before || p.kind != KwFn && p.kind != At_) {
					p.skip()
				}
				p.lost = false
			}
		}
		p.finish(&b, "a service")
	}
	s.At = p.from(start)
	return s
}

func (p *parser) opDecl() *OpDecl {
	op := &OpDecl{Head: Head{Doc: p.doc()}}
	start := p.start()
	op.Attrs = p.attrs()
	if p.kind != KwFn {
		if p.lowerText() != "" && p.peek(1).kind == LParen {
			p.report(codeWantToken, p.tokSpan(), "an operation of a service begins with `fn`").
				FixWith("insert `fn`", p.span(p.start(), p.start()), "fn ")
		} else {
			p.fail(codeWantToken, "an operation of a service begins with `fn`").Expected = "`fn` or `}`"
			return nil
		}
	} else {
		p.next()
	}
	op.Name = p.lower("an operation")
	op.Params, op.ParamsAt = p.params("an operation")
	op.Result = p.result()
	head := p.head
	p.head = true
	for !p.lost {
		c, ok := p.clause()
		if !ok {
			break
		}
		op.Clauses = append(op.Clauses, c)
	}
	p.head = head
	if !p.lost && p.kind == LBrace {
		p.report(codeBody, p.tokSpan(), "an operation has no body: its answer comes from the service")
		p.skip()
	}
	op.At = p.from(start)
	if !p.lost && !p.kind.closes() && p.kind != Comma && p.kind != Semicolon && p.flags&lineStart == 0 {
		p.fail(codeWantToken, "after an operation come its clauses").Expected = "`batch`, `within`, `cache`, `idempotent` or a new line"
	}
	return op
}

// clause reads one clause of an operation, if one stands here.
func (p *parser) clause() (Clause, bool) {
	c := Clause{}
	start := p.start()
	word := p.text()
	switch {
	case p.kind == KwWithin:
		c.Kind = WithinClause
	case p.kind != LowerName:
		return c, false
	case word == "batch":
		c.Kind = BatchClause
	case word == "cache":
		c.Kind = CacheClause
	case word == "idempotent":
		c.Kind = IdempotentClause
	default:
		if p.flags&lineStart != 0 && p.peek(1).kind != LParen {
			p.fail(codeWantToken, "`%s` is no clause of an operation", word).Expected = "`batch`, `within`, `cache` or `idempotent`"
		}
		return c, false
	}
	p.next()
	if c.Kind != IdempotentClause {
		c.Value = p.binary(1)
	}
	if c.Kind == CacheClause && !p.lost {
		switch {
		case p.lowerText() == "shared":
			c.Sharing = "shared"
			p.next()
		case p.lowerText() == "per":
			p.next()
			if p.lowerText() == "caller" {
				c.Sharing = "per caller"
				p.next()
			} else {
				p.fail(codeWantToken, "a cache is `shared` or `per caller`").Expected = "`caller`"
			}
		}
	}
	c.At = p.from(start)
	return c, true
}
