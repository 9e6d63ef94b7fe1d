package format

import (
	"towpath.dev/internal/lang/syntax"
)

func (f *formatter) pattern(p syntax.Pattern) *doc {
	switch p := p.(type) {
	case *syntax.WildPat:
		return text("_")
	case *syntax.VarPat:
		return text(p.Name)
	case *syntax.LitPat:
		return f.expr(p.X)
	case *syntax.CtorPat:
		return f.ctorPattern(p)
	case *syntax.TuplePat:
		return f.patterns("(", ")", p.Elems, p.Span.End-1)
	case *syntax.ListPat:
		return f.listPattern(p)
	case *syntax.OrPat:
		kids := make([]*doc, 0, 3*len(p.Alts))
		head := nothing
		for i, alt := range p.Alts {
			var d *doc
			if i > 0 {
				kids = append(kids, f.breakAt(alt.Pos().Start, line), text("| "))
			}
			switch alt.(type) {
			case *syntax.OrPat, *syntax.AsPat:
				d = concat(text("("), f.pattern(alt), text(")"))
			default:
				d = f.pattern(alt)
			}
			if i == 0 {
				head = d
			} else {
				kids = append(kids, d)
			}
		}
		return group(head, nest(kids...))
	case *syntax.AsPat:
		return concat(f.pattern(p.Pat), text(" as "+p.Name.Text))
	}
	return text(string(f.src[p.Pos().Start:p.Pos().End]))
}

func (f *formatter) patterns(open, close string, elems []syntax.Pattern, closing int) *doc {
	return f.list(elements{open: open, close: close, n: len(elems), closing: closing,
		at:   func(i int) int { return elems[i].Pos().Start },
		make: func(i int) *doc { return f.pattern(elems[i]) }})
}

func (f *formatter) listPattern(p *syntax.ListPat) *doc {
	n := len(p.Elems)
	if p.HasRest {
		n++
	}
	return f.list(elements{open: "[", close: "]", n: n, closing: p.Span.End - 1,
		at: func(i int) int {
			if i == len(p.Elems) {
				if p.Rest != nil {
					return p.Rest.Span.Start
				}
				return p.Span.End - 1
			}
			return p.Elems[i].Pos().Start
		},
		make: func(i int) *doc {
			if i < len(p.Elems) {
				return f.pattern(p.Elems[i])
			}
			if p.Rest != nil {
				return text(".." + p.Rest.Text)
			}
			return text("..")
		}})
}

func (f *formatter) ctorPattern(p *syntax.CtorPat) *doc {
	name := p.Name.Text
	if p.Module != nil {
		name = p.Module.Text + "." + name
	}
	if !p.Parens && !p.Braces {
		return text(name)
	}
	n := len(p.Args)
	if p.Rest {
		n++
	}
	e := elements{open: "(", close: ")", n: n, closing: p.Span.End - 1,
		at: func(i int) int {
			if i == len(p.Args) {
				return p.Span.End - 1
			}
			return p.Args[i].Span.Start
		},
		make: func(i int) *doc {
			if i == len(p.Args) {
				return text("..")
			}
			return f.patArg(&p.Args[i])
		}}
	if p.Braces {
		e.open, e.close, e.fields = " {", "}", true
	}
	return concat(text(name), f.list(e))
}

func (f *formatter) patArg(a *syntax.PatArg) *doc {
	if a.Label == nil {
		return f.pattern(a.Pat)
	}
	if v, ok := a.Pat.(*syntax.VarPat); ok && v.Span == a.Label.Span {
		return text(v.Name)
	}
	return concat(text(a.Label.Text+": "), f.pattern(a.Pat))
}
