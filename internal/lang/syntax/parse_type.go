package syntax

import "strings"

// basicTypes maps what other languages write to Tow's types.
var basicTypes = map[string]string{
	"int": "Int", "integer": "Int", "string": "String", "str": "String", "bool": "Bool", "boolean": "Bool",
	"float": "Float", "double": "Float", "decimal": "Decimal", "money": "Money", "list": "List",
	"map": "Map", "set": "Set", "json": "Json", "date": "Date", "duration": "Duration", "instant": "Instant",
}

func (p *parser) badType() TypeExpr {
	return &BadType{At{p.here()}}
}

// typeExpr reads a type with its question marks.
func (p *parser) typeExpr() TypeExpr {
	if !p.enter() {
		p.leave()
		return p.badType()
	}
	start := p.start()
	t := p.plainType()
	for n := 0; !p.lost && p.flags&endsExpr == 0; {
		if p.kind == Coalesce { // `T??` is two question marks here
			p.toks[p.i].kind = Question
			p.kind = Question
			first := p.toks[p.i]
			first.end = first.start + 1
			if p.chain(&n) {
				t = &OptionType{At{p.span(start, int(first.end))}, t}
			}
			p.toks[p.i].start++
			continue
		}
		if p.kind != Question || !p.chain(&n) {
			break
		}
		p.next()
		t = &OptionType{p.from(start), t}
	}
	p.leave()
	return t
}

func (p *parser) plainType() TypeExpr {
	start := p.start()
	if p.flags&endsExpr != 0 && p.peek(1).kind == Colon { // the next field
		p.fail(codeWantType, "a type belongs here").Expected = "a type"
		return p.badType()
	}
	switch p.kind {
	case UpperName:
		return p.namedType(nil, start)
	case LowerName:
		if p.peek(1).kind == Dot {
			module := p.name()
			p.next()
			return p.namedType(&module, start)
		}
		return p.namedType(nil, start)
	case LParen:
		return p.tupleType(start)
	case KwFn:
		p.next()
		f := &FuncType{}
		if p.kind != LParen {
			p.expect(LParen, "a function type")
			return p.badType()
		}
		b := p.begin()
		f.Params = p.typeList(&b)
		p.finish(&b, "a function type")
		if f.Result = p.result(); f.Result == nil {
			if !p.lost {
				p.expect(Arrow, "a function type")
			}
			f.Result = p.badType()
		}
		f.At = p.from(start)
		return f
	case LBracket:
		p.fail(codeWantType, "a list's type is written `List<…>`").Expected = "a type"
		return p.badType()
	}
	p.fail(codeWantType, "a type belongs here").Expected = "a type such as `Int`, `List<Offer>` or `Money?`"
	return p.badType()
}

func (p *parser) namedType(module *Name, start int) TypeExpr {
	t := p.named.make()
	t.Module = module
	if p.kind == LowerName {
		word := p.text()
		better := basicTypes[word]
		if better == "" {
			better = strings.ToUpper(word[:1]) + word[1:]
		}
		d := p.report(codeNameCase, p.tokSpan(), "the name of a type begins with a capital").
			Expect("a capitalised name", "`"+word+"`")
		if isUpper(better[0]) {
			d.FixWith("write `"+better+"`", p.tokSpan(), better)
		}
		t.Name = p.name()
		t.Name.Text = better
	} else {
		t.Name = p.upper("a type")
	}
	if p.kind == Lt && !p.lost {
		p.next()
		for !p.lost && p.kind != Gt && p.kind != Ge {
			t.Args = append(t.Args, p.typeExpr())
			if !p.lost && !p.accept(Comma) {
				break
			}
		}
		switch {
		case p.lost:
		case p.kind == Ge: // `List<Int>= x`
			p.toks[p.i].kind = Assign
			p.toks[p.i].start++
			p.load()
			t.At = At{p.span(start, p.start())}
			return t
		default:
			p.expect(Gt, "a list of type arguments")
		}
	}
	t.At = p.from(start)
	return t
}

func (p *parser) typeList(b *bracket) []TypeExpr {
	var types []TypeExpr
	for p.i < b.closer {
		before := p.element()
		types = append(types, p.typeExpr())
		p.comma(b, before, "type", startsType)
	}
	return types
}

func startsType(t Token) bool { return startsName(t) || t == LParen || t == KwFn }

func (p *parser) tupleType(start int) TypeExpr {
	b := p.begin()
	elems := p.typeList(&b)
	p.finish(&b, "a tuple type")
	if p.kind == Arrow && p.flags&lineStart == 0 {
		at := p.span(start, start)
		p.report(codeOutsideOfFuncTyp, p.tokSpan(), "a function type begins with `fn`").
			Expect("`fn(A) -> B`", p.describe()).FixWith("insert `fn`", at, "fn")
		return &FuncType{Params: elems, Result: p.result(), At: p.from(start)}
	}
	if len(elems) == 1 {
		return elems[0]
	}
	return &TupleType{p.from(start), elems}
}
