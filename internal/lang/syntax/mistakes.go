package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// What people write who come from other languages, and names.

// foreign is a word of another language.
type foreign struct {
	code    diag.Code
	kind    Token  // what the parser goes on with
	instead string // what Tow writes
}

var foreignDecls = map[string]foreign{
	"function":  {codeForeignKeyword, KwFn, "fn"},
	"func":      {codeForeignKeyword, KwFn, "fn"},
	"fun":       {codeForeignKeyword, KwFn, "fn"},
	"def":       {codeForeignKeyword, KwFn, "fn"},
	"struct":    {codeForeignKeyword, KwType, "type"},
	"class":     {codeForeignKeyword, KwType, "type"},
	"record":    {codeForeignKeyword, KwType, "type"},
	"data":      {codeForeignKeyword, KwType, "type"},
	"interface": {codeForeignKeyword, KwService, "service"},
	"var":       {codeForeignKeyword, KwConst, "const"},
	"val":       {codeForeignKeyword, KwConst, "const"},
	"public":    {codeForeignKeyword, KwPub, "pub"},
	"export":    {codeForeignKeyword, KwPub, "pub"},
}

func (p *parser) foreignDecl(d foreign) {
	at := p.tokSpan()
	p.report(d.code, at, "Tow has no `%s`", p.text()).
		Expect("`"+d.instead+"`", "`"+p.text()+"`").FixWith("write `"+d.instead+"`", at, d.instead)
}

// foreignWords are words that stand before an operand in other languages.
var foreignWords = map[string]string{
	"for":      "there are no loops; use `map`, `filter` and `fold` on a list",
	"foreach":  "there are no loops; use `map`, `filter` and `fold` on a list",
	"while":    "there are no loops; a function may call itself",
	"loop":     "there are no loops; a function may call itself",
	"switch":   "a choice between patterns is written `match x { … }`",
	"case":     "a choice between patterns is written `match x { … }`",
	"when":     "a choice between patterns is written `match x { … }`",
	"unless":   "there is no `unless`; write `if !… { … } else { … }`",
	"elif":     "write `else if`",
	"elsif":    "write `else if`",
	"then":     "the branches of an `if` stand in braces",
	"do":       "a block stands in braces",
	"throw":    "there are no exceptions; give a `Result` as the answer",
	"raise":    "there are no exceptions; give a `Result` as the answer",
	"try":      "there are no exceptions; a call is guarded with `else`, a `Result` is opened with `?`",
	"await":    "a call to a service is an ordinary expression; nothing is awaited",
	"async":    "a call to a service is an ordinary expression; nothing is awaited",
	"new":      "a record is made with its name alone, as in `Choice { price: p }`",
	"function": "a function without a name is written `x => …`",
	"lambda":   "a function without a name is written `x => …`",
	"delete":   "values do not change",
	"def":      "functions stand at the top of a file",
	"func":     "functions stand at the top of a file",
}

// foreignPrefix handles a word before an operand on the same line. It gives
// nil when the word is none of another language's.
func (p *parser) foreignPrefix(start int) Expr {
	at, word := p.tokSpan(), p.text()
	operand := p.span(at.Start, int(p.peek(1).start))
	switch word {
	case "return":
		p.report(codeReturn, at, "a block gives the value of its last line; there is no `return`").
			FixWith("remove `return`", operand, "")
		p.next()
		return p.pipe()
	case "not":
		p.report(codeForeignOperator, at, "`not` is written `!`").FixWith("write `!`", operand, "!")
		p.next()
		return p.unary()
	}
	hint, ok := foreignWords[word]
	if !ok {
		return nil
	}
	if word == "await" || word == "new" {
		p.report(codeForeignKeyword, at, "%s", hint).FixWith("remove `"+word+"`", operand, "")
		p.next()
		return p.unary()
	}
	p.fail(codeForeignKeyword, "%s", hint).Found = "the word `" + word + "`"
	return &BadExpr{At{at}}
}

// foreignInfix reports an infix operator that is written otherwise in Tow and
// gives the one that is meant, or EOF.
func (p *parser) foreignInfix(left Expr) Token {
	meant := EOF
	switch p.kind {
	case LowerName:
		switch p.text() {
		case "and":
			meant = AndAnd
		case "or":
			meant = OrOr
		}
		if meant == EOF || !startsExpr(p.peek(1).kind) {
			return EOF
		}
	case Bar:
		if p.flags&lineStart != 0 {
			return EOF
		}
		meant = OrOr
	case Assign:
		if p.flags&lineStart != 0 {
			return EOF
		}
		at := p.tokSpan()
		p.report(codeAssign, at, "`=` gives a name to a value; values are compared with `==`").
			Expect("`==`", "`=`").FixWith("write `==`", at, "==")
		return Eq
	default:
		return EOF
	}
	at := p.tokSpan()
	p.report(codeForeignOperator, at, "`%s` is written `%s`", p.text(), meant).
		FixWith("write `"+meant.String()+"`", at, meant.String())
	return meant
}

// assignment handles `x = 1`, `var x = 1` and `x: Int = 1` as a `let`.
func (p *parser) assignment(start int) Stmt {
	at, next := p.tokSpan(), p.peek(1)
	switch next.kind {
	case Assign:
		if next.end-next.start == 1 { // the scanner reported `:=`
			p.report(codeMutation, at, "values do not change; a new name is bound with `let`").
				FixWith("insert `let`", p.span(start, start), "let ")
		}
		return p.letStmt(start)
	case Colon:
		if t := p.peek(2).kind; t == UpperName || t == LParen {
			p.report(codeMutation, at, "a name is bound with `let`").
				FixWith("insert `let`", p.span(start, start), "let ")
			return p.letStmt(start)
		}
	case LowerName:
		if next.flags&lineStart != 0 {
			return nil
		}
		switch word := p.text(); word {
		case "var", "mut", "val", "auto", "def":
			if t := p.peek(2).kind; t == Assign || t == Colon {
				p.report(codeMutation, at, "values do not change; a name is bound with `let`").
					Expect("`let`", "`"+word+"`").FixWith("write `let`", at, "let")
				p.next()
				return p.letStmt(start)
			}
		}
	}
	return nil
}

// afterStmt says why nothing may follow a statement on its line.
func (p *parser) afterStmt(s Stmt) {
	if x, ok := s.(*ExprStmt); ok {
		if id, ok := x.X.(*Ident); ok {
			if hint, ok := foreignWords[id.Name]; ok {
				d := p.fail(codeForeignKeyword, "%s", hint)
				d.At, d.Found = id.Span, "the word `"+id.Name+"`"
				return
			}
			if id.Name == "return" {
				p.report(codeReturn, id.Span, "a block gives the value of its last line; there is no `return`").
					FixWith("remove `return`", p.span(id.Span.Start, p.start()), "")
				p.lost = true
				return
			}
		}
	}
	if hint := foreignWords[p.lowerText()]; hint != "" {
		p.fail(codeForeignKeyword, "%s", hint)
		return
	}
	if p.kind == Comma {
		p.fail(codeTwoOnALine, "lines of a block are not parted by commas").Expected = "the end of the line"
		return
	}
	p.fail(codeTwoOnALine, "the expression has ended, yet the line goes on").Expected = "the end of the line, an operator or `}`"
}

// foreignElse handles `elif` after an if's block.
func (p *parser) foreignElse(x *IfExpr) bool {
	word := p.lowerText()
	if word != "elif" && word != "elsif" && word != "elseif" {
		return false
	}
	at := p.tokSpan()
	p.report(codeForeignKeyword, at, "`%s` is written `else if`", word).FixWith("write `else if`", at, "else if")
	if p.enter() {
		x.Else = p.ifExpr()
	}
	p.leave()
	return true
}

// branchMissing fails where an if's braces are missing.
func (p *parser) branchMissing(after string) {
	d := p.fail(codeWantToken, "the branches of an `if` stand in braces")
	d.Expected = "`{`"
	if p.lowerText() == "then" {
		d.Code = codeForeignKeyword
	}
}

func (p *parser) null() {
	at := p.tokSpan()
	p.report(codeNull, at, "there is no `null`; a value that may be missing is an Option").
		Expect("`None`", "`null`").FixWith("write `None`", at, "None")
}

func (p *parser) indexing(start int) {
	at := p.tokSpan()
	p.report(codeIndexing, at, "lists and maps are not indexed with brackets").
		Note(span.Span{}, "write `xs |> get(i)`, which gives an Option")
	p.skip()
}

// ternaryFollows tells `c ? a : b` from `x?`.
func (p *parser) ternaryFollows() bool {
	next := p.peek(1)
	return p.flags&spaced != 0 && next.flags&lineStart == 0 && startsOperand(next.kind)
}

func (p *parser) ternary(start int) Expr {
	at := p.tokSpan()
	p.report(codeTernary, at, "a choice is written `if c { a } else { b }`").Expect("`if`", "`?`")
	p.next()
	p.pipe()
	if p.kind == Colon && !p.lost {
		p.next()
		p.pipe()
	}
	return &BadExpr{p.from(start)}
}

// typeArgsFollow looks for `f<Int>(`.
func (p *parser) typeArgsFollow() bool {
	if p.peek(1).kind != UpperName || p.peek(1).flags&(spaced|lineStart) != 0 {
		return false
	}
	t := p.peek(2).kind
	return t == Gt && p.peek(3).kind == LParen && p.peek(3).flags&(spaced|lineStart) == 0
}

func (p *parser) typeArgs() {
	at := p.span(p.start(), int(p.peek(2).end))
	p.report(codeTypeArgs, at, "an expression names no type arguments; they are inferred").
		FixWith("remove them", at, "").Note(span.Span{}, "where nothing says the type, write it: `let x: List<Int> = …`")
	p.next()
	p.next()
	p.next()
}

// Names.

// name takes the current token as a name, whatever it is.
func (p *parser) name() Name {
	n := Name{At{p.tokSpan()}, p.text()}
	p.next()
	return n
}

// anyName reads a name with or without a capital.
func (p *parser) anyName(what string) Name {
	if startsName(p.kind) {
		return p.name()
	}
	return p.noName(what, "a name")
}

// lower reads a name that begins with a small letter.
func (p *parser) lower(what string) Name {
	switch p.kind {
	case LowerName:
		return p.name()
	case UpperName:
		return p.otherCase(what, "a small letter", strings.ToLower)
	}
	return p.noName(what, "a name such as `offer`")
}

// upper reads a name that begins with a capital.
func (p *parser) upper(what string) Name {
	switch p.kind {
	case UpperName:
		return p.name()
	case LowerName:
		return p.otherCase(what, "a capital", strings.ToUpper)
	}
	return p.noName(what, "a name such as `Offer`")
}

func (p *parser) otherCase(what, want string, change func(string) string) Name {
	at, word := p.tokSpan(), p.text()
	better := change(word[:1]) + word[1:]
	d := p.report(codeNameCase, at, "the name of %s begins with %s", what, want).
		Expect("`"+better+"`", "`"+word+"`")
	if better != word && keyword(better) == LowerName {
		d.FixWith("write `"+better+"`", at, better)
	}
	n := p.name()
	n.Text = better
	return n
}

// noName handles a keyword in a name's place, or nothing like a name.
func (p *parser) noName(what, expected string) Name {
	if p.lost {
		return Name{At: At{p.here()}}
	}
	if p.kind.IsKeyword() && p.flags&lineStart == 0 || p.kind.IsKeyword() && p.peek(1).kind == Colon {
		at, word := p.tokSpan(), p.text()
		p.report(codeReserved, at, "`%s` is a keyword and cannot be the name of %s", word, what).
			Expect(expected, p.describe()).FixWith("write `"+word+"_`", at, word+"_")
		return p.name()
	}
	n := Name{At: At{p.here()}}
	if p.kind == Underscore {
		p.fail(codeWantToken, "%s needs a name; one that is not used begins with `_`", what).Expected = expected
		return n
	}
	p.fail(codeWantToken, "the name of %s belongs here", what).Expected = expected
	return n
}

// unescape resolves the escapes of a string's text that begins at offset.
func (p *parser) unescape(text string, offset int) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i >= len(text) {
			break // the line ended, which the scanner reported
		}
		switch c := text[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '"', '\\', '{', '}':
			b.WriteByte(c)
		case 'u':
			i += p.unicode(&b, text[i:], offset+i-1)
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			at := p.span(offset+i-1, offset+i+n)
			p.report(codeBadEscape, at, "a string has no escape `\\%s`", text[i:i+n]).
				Expect("`\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\{`, `\\}` or `\\u{…}`", "`\\"+text[i:i+n]+"`").
				FixWith("write a backslash as `\\\\`", p.span(offset+i-1, offset+i-1), `\`)
			i += n - 1
		}
	}
	return b.String()
}

// unicode resolves `u{1F600}` and gives the bytes it has after the `u`.
func (p *parser) unicode(b *strings.Builder, text string, offset int) int {
	end := 1
	for end < len(text) && (end == 1 && text[end] == '{' || isIdent(text[end])) {
		end++
	}
	if end < len(text) && text[end] == '}' {
		end++
	}
	if end > 3 && text[1] == '{' && text[end-1] == '}' {
		n, err := strconv.ParseUint(text[2:end-1], 16, 32)
		if err == nil && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
			b.WriteRune(rune(n))
			return end - 1
		}
	}
	p.report(codeBadEscape, p.span(offset, offset+1+end), "`\\u{…}` holds the hexadecimal number of a character").
		Expect("up to six hexadecimal digits, such as `\\u{1F600}`", "`\\"+text[:end]+"`")
	return end - 1
}

// fixEdits makes a fix of two edits.
func fixEdits(title string, a span.Span, first string, b span.Span, second string) *diag.Fix {
	return &diag.Fix{Title: title, Edits: []diag.Edit{{At: a, New: first}, {At: b, New: second}}}
}
