package format

import (
	"strings"

	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

func (f *formatter) decl(d syntax.Decl) *doc {
	switch d := d.(type) {
	case *syntax.ConstDecl:
		return f.constDecl(d)
	case *syntax.TypeDecl:
		return f.typeDecl(d)
	case *syntax.FnDecl:
		return f.fnDecl(d)
	case *syntax.ServiceDecl:
		return f.serviceDecl(d)
	case *syntax.TestDecl:
		return f.testDecl(d)
	}
	return text(string(f.src[d.Pos().Start:d.Pos().End]))
}

// head prints attributes on lines of their own, and `pub`.
func (f *formatter) head(h *syntax.Head, word string) *doc {
	kids := make([]*doc, 0, 4)
	for _, a := range h.Attrs {
		kids = append(kids, f.attr(a), hardline)
	}
	if f.pending(h.Name.Span.Start) {
		kids = append(kids, f.own(h.Name.Span.Start))
	}
	if h.Pub {
		word = "pub " + word
	}
	return concat(append(kids, text(word+h.Name.Text))...)
}

func (f *formatter) attr(a *syntax.Attr) *doc {
	if len(a.Args) == 0 {
		return text("@" + a.Name.Text)
	}
	return concat(text("@"+a.Name.Text), f.list(elements{
		open: "(", close: ")", n: len(a.Args), closing: a.Span.End - 1,
		at:   func(i int) int { return a.Args[i].Pos().Start },
		make: func(i int) *doc { return f.expr(a.Args[i]) },
	}))
}

// inlineAttrs prints a field's attributes before its name.
func (f *formatter) inlineAttrs(attrs []*syntax.Attr) *doc {
	kids := make([]*doc, 0, 2*len(attrs))
	for _, a := range attrs {
		kids = append(kids, f.attr(a), blank)
	}
	return concat(kids...)
}

func (f *formatter) constDecl(d *syntax.ConstDecl) *doc {
	head := f.head(&d.Head, "const ")
	if d.Type != nil {
		head = concat(head, text(": "+typeText(d.Type)))
	}
	return concat(head, text(" = "), f.expr(d.Value))
}

func typeParams(names []syntax.Name) string {
	if len(names) == 0 {
		return ""
	}
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.Text
	}
	return "<" + strings.Join(texts, ", ") + ">"
}

func (f *formatter) typeDecl(d *syntax.TypeDecl) *doc {
	head := concat(f.head(&d.Head, "type "), text(typeParams(d.Params)))
	switch d.Form {
	case syntax.RecordForm:
		return concat(head, blank, f.braces(d.Span.End-1, func(l *lines) {
			for _, field := range d.Fields {
				l.add(field.Span.Start, field.Span.End, func() *doc { return f.field(field) })
			}
		}))
	case syntax.WrapperForm:
		return concat(head, text("("+typeText(d.Inner)+")"))
	case syntax.VariantForm:
		kids := make([]*doc, 0, 3*len(d.Ctors))
		for i, c := range d.Ctors {
			kids = append(kids, f.breakAt(c.Span.Start, line))
			if i == 0 {
				kids = append(kids, &doc{kind: whenDoc, text: "| "})
			} else {
				kids = append(kids, text("| "))
			}
			kids = append(kids, f.ctor(c))
		}
		return concat(head, group(text(" ="), nest(kids...)))
	}
	return head
}

func (f *formatter) field(d *syntax.Field) *doc {
	attrs := f.inlineAttrs(d.Attrs)
	label := typeText(d.Type)
	if d.Name.Text != "" {
		label = d.Name.Text + ": " + label
	}
	if d.Default == nil {
		return concat(attrs, text(label))
	}
	return concat(attrs, text(label+" = "), f.expr(d.Default))
}

func (f *formatter) ctor(c *syntax.Ctor) *doc {
	attrs := f.inlineAttrs(c.Attrs)
	if !c.Parens {
		return concat(attrs, text(c.Name.Text))
	}
	return concat(attrs, text(c.Name.Text), f.list(elements{
		open: "(", close: ")", n: len(c.Fields), closing: c.Span.End - 1,
		at:   func(i int) int { return c.Fields[i].Span.Start },
		make: func(i int) *doc { return f.field(c.Fields[i]) },
	}))
}

func (f *formatter) params(params []*syntax.Param, at span.Span) *doc {
	return f.list(elements{
		open: "(", close: ")", n: len(params), closing: at.End - 1,
		at: func(i int) int { return params[i].Span.Start },
		make: func(i int) *doc {
			d := text(params[i].Name.Text + ": " + typeText(params[i].Type))
			if params[i].Default == nil {
				return d
			}
			return concat(d, text(" = "), f.expr(params[i].Default))
		},
	})
}

func (f *formatter) fnDecl(d *syntax.FnDecl) *doc {
	word := "fn "
	if d.View {
		word = "view "
	}
	kids := []*doc{f.head(&d.Head, word), text(typeParams(d.TypeParams)),
		f.params(d.Params, d.ParamsAt)}
	if d.Result != nil {
		kids = append(kids, text(" -> "+typeText(d.Result)))
	}
	if d.Within != nil {
		kids = append(kids, text(" within "), f.expr(d.Within))
	}
	if d.Body != nil {
		kids = append(kids, blank, f.stmts(d.Body.Stmts, d.Body.Span.End-1))
	}
	return concat(kids...)
}

func (f *formatter) serviceDecl(d *syntax.ServiceDecl) *doc {
	return concat(f.head(&d.Head, "service "), blank, f.braces(d.Span.End-1, func(l *lines) {
		for _, op := range d.Ops {
			l.add(op.Span.Start, op.Span.End, func() *doc { return f.op(op) })
		}
	}))
}

func (f *formatter) op(d *syntax.OpDecl) *doc {
	kids := []*doc{f.head(&d.Head, "fn "), f.params(d.Params, d.ParamsAt)}
	if d.Result != nil {
		kids = append(kids, text(" -> "+typeText(d.Result)))
	}
	clauses := make([]*doc, 0, 2*len(d.Clauses))
	for i := range d.Clauses {
		clauses = append(clauses, f.breakAt(d.Clauses[i].Span.Start, line), f.clause(&d.Clauses[i]))
	}
	return concat(append(kids, group(nest(clauses...)))...)
}

func (f *formatter) clause(c *syntax.Clause) *doc {
	switch c.Kind {
	case syntax.BatchClause:
		return concat(text("batch "), f.expr(c.Value))
	case syntax.WithinClause:
		return concat(text("within "), f.expr(c.Value))
	case syntax.CacheClause:
		if c.Sharing == "" {
			return concat(text("cache "), f.expr(c.Value))
		}
		return concat(text("cache "), f.expr(c.Value), text(" "+c.Sharing))
	}
	return text("idempotent")
}

func (f *formatter) testDecl(d *syntax.TestDecl) *doc {
	word := "test "
	if d.Prop {
		word = "prop "
	}
	kids := []*doc{f.head(&d.Head, word), f.expr(d.Title), blank}
	if d.Prop {
		kids = append(kids, f.params(d.Params, d.ParamsAt), blank)
	}
	return concat(append(kids, f.stmts(d.Stmts, d.Span.End-1))...)
}

// typeText is a type on one line.
func typeText(t syntax.TypeExpr) string {
	switch t := t.(type) {
	case *syntax.NamedType:
		s := t.Name.Text
		if t.Module != nil {
			s = t.Module.Text + "." + s
		}
		if len(t.Args) == 0 {
			return s
		}
		return s + "<" + typeTexts(t.Args) + ">"
	case *syntax.OptionType:
		if _, ok := t.Elem.(*syntax.FuncType); ok {
			return "(" + typeText(t.Elem) + ")?"
		}
		return typeText(t.Elem) + "?"
	case *syntax.TupleType:
		return "(" + typeTexts(t.Elems) + ")"
	case *syntax.FuncType:
		return "fn(" + typeTexts(t.Params) + ") -> " + typeText(t.Result)
	}
	return "_"
}

func typeTexts(types []syntax.TypeExpr) string {
	texts := make([]string, len(types))
	for i, t := range types {
		texts[i] = typeText(t)
	}
	return strings.Join(texts, ", ")
}
