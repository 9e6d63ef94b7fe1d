package lsp

import (
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// symbols lists a document's declarations. It goes by the syntax tree, so that
// it serves a document with mistakes too.
func (s *server) symbols(p documentParams) (any, error) {
	v, err := s.view(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	out := []documentSymbol{}
	for _, d := range v.syntax.Decls {
		if sym, ok := symbolOf(d); ok {
			out = append(out, sym)
		}
	}
	return out, nil
}

// symbolAt makes a symbol; a selection outside the whole would be refused.
func symbolAt(name string, kind int, whole, selection span.Span) documentSymbol {
	if selection.Start < whole.Start || selection.End > whole.End || !selection.IsValid() {
		selection = whole
	}
	return documentSymbol{Name: name, Kind: kind, Range: rangeOf(whole), SelectionRange: rangeOf(selection)}
}

func symbolOf(d syntax.Decl) (documentSymbol, bool) {
	switch d := d.(type) {
	case *syntax.FnDecl:
		sym := symbolAt(d.Name.Text, symbolFunction, d.Span, d.Name.Span)
		sym.Detail = "fn"
		if d.View {
			sym.Detail = "view"
		}
		return sym, d.Name.Text != ""
	case *syntax.ConstDecl:
		return symbolAt(d.Name.Text, symbolConstant, d.Span, d.Name.Span), d.Name.Text != ""
	case *syntax.TypeDecl:
		return typeSymbol(d), d.Name.Text != ""
	case *syntax.ServiceDecl:
		sym := symbolAt(d.Name.Text, symbolInterface, d.Span, d.Name.Span)
		for _, op := range d.Ops {
			if op.Name.Text != "" {
				sym.Children = append(sym.Children, symbolAt(op.Name.Text, symbolMethod, op.Span, op.Name.Span))
			}
		}
		return sym, d.Name.Text != ""
	case *syntax.TestDecl:
		if d.Title == nil {
			return documentSymbol{}, false
		}
		title := d.Title.Span.Text()
		sym := symbolAt(title, symbolEvent, d.Span, d.Title.Span)
		sym.Detail = "test"
		if d.Prop {
			sym.Detail = "prop"
		}
		return sym, title != ""
	}
	return documentSymbol{}, false
}

func typeSymbol(d *syntax.TypeDecl) documentSymbol {
	kind := symbolStruct
	if d.Form == syntax.VariantForm {
		kind = symbolEnum
	}
	sym := symbolAt(d.Name.Text, kind, d.Span, d.Name.Span)
	for _, f := range d.Fields {
		if f.Name.Text != "" {
			sym.Children = append(sym.Children, symbolAt(f.Name.Text, symbolField, f.Span, f.Name.Span))
		}
	}
	for _, c := range d.Ctors {
		if c.Name.Text != "" {
			sym.Children = append(sym.Children, symbolAt(c.Name.Text, symbolEnumMember, c.Span, c.Name.Span))
		}
	}
	return sym
}
