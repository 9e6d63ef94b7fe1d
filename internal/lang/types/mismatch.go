package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// why says what made a type necessary, for the message when another is found.
type why struct {
	kind whyKind
	name string    // of the parameter or field
	of   string    // whose parameter or field it is
	at   span.Span // where that is written
}

type whyKind uint8

const (
	whyPlain whyKind = iota
	whyArg
	whyField
	whyResult
	whyLet
	whyBranch // another branch or arm came first
	whyElem
	whyElse
	whyCond
	whyOperand // the other operand of a comparison or of ??
	whyHandler // a lambda's result
	whyPart    // a part of what is wanted for another reason
)

// part is why a part of a list or a tuple has its type.
func (w why) part() why {
	if w.at.IsValid() {
		return why{kind: whyPart, at: w.at}
	}
	return why{}
}

// is requires an expression to have the wanted type, if one is wanted.
func (b *body) is(x core.Expr, want core.Type, w why) core.Expr {
	if want == nil || b.unify(want, x.TypeOf()) {
		return x
	}
	b.mismatch(x.Pos(), want, x.TypeOf(), w)
	return broken(x.Pos(), x)
}

// mismatch reports a type other than the wanted one.
func (b *body) mismatch(at span.Span, want, got core.Type, w why) *diag.Diagnostic {
	if b.endless {
		b.endless = false
		return b.errorf(codeInfiniteType, at, "this type would contain itself").Expect(show(want), show(got))
	}
	ws, gs := b.c.typeNames(want, got)
	var d *diag.Diagnostic
	switch w.kind {
	case whyArg:
		d = b.errorf(codeMismatch, at, "the parameter `%s` of `%s` is `%s`, not `%s`", w.name, w.of, ws, gs)
	case whyField:
		d = b.errorf(codeMismatch, at, "the field `%s` of `%s` is `%s`, not `%s`", w.name, w.of, ws, gs)
	case whyResult:
		d = b.errorf(codeMismatch, at, "`%s` answers `%s`, not `%s`", w.name, ws, gs)
	case whyBranch:
		d = b.errorf(codeMismatch, at, "this branch is `%s`, the first one `%s`", gs, ws)
	case whyElem:
		d = b.errorf(codeMismatch, at, "this element is `%s`, the list's first one `%s`", gs, ws)
	case whyElse:
		d = b.errorf(codeMismatch, at, "what stands in for a failed call has its type `%s`, not `%s`", ws, gs)
	case whyCond:
		d = b.errorf(codeMismatch, at, "a condition is `Bool`, not `%s`", gs)
	case whyOperand:
		d = b.errorf(codeMismatch, at, "the left side is `%s`, the right side `%s`", ws, gs)
	default:
		d = b.errorf(codeMismatch, at, "`%s` is needed here, this is `%s`", ws, gs)
	}
	d.Expect(ws, gs)
	if wd, gd := difference(want, got); wd != "" {
		d.Note(span.Span{}, "they differ where `%s` is expected and `%s` found", wd, gd)
	}
	switch w.kind {
	case whyArg, whyField:
		d.Note(w.at, "`%s` is declared here", w.name)
	case whyPart:
		d.Note(w.at, "because of this")
	case whyResult, whyLet:
		d.Note(w.at, "its type is written here")
	case whyBranch, whyElem, whyElse, whyOperand:
		d.Note(w.at, "`%s` because of this", ws)
	}
	b.hint(d, at, prune(want), prune(got))
	return d
}

// show writes a type for a message.
func show(t core.Type) string {
	if sizeOf(t, maxShown) > maxShown {
		return "…" // no one would read it
	}
	return resolve(t).String()
}

// maxShown bounds the parts of a type that a message writes out.
const maxShown = 200

// typeNames writes two types, with their modules where they would read alike.
func (c *checker) typeNames(a, b core.Type) (string, string) {
	as, bs := show(a), show(b)
	if as != bs {
		return as, bs
	}
	return c.qualified(a), c.qualified(b)
}

// qualified is a type's name with its module.
func (c *checker) qualified(t core.Type) string {
	con, ok := prune(t).(*core.Con)
	if !ok || con.Def.Module == nil {
		return show(t)
	}
	return con.Def.Module.Path + "." + show(t)
}

// hint adds what usually mends such a mismatch.
func (b *body) hint(d *diag.Diagnostic, at span.Span, want, got core.Type) {
	wrap := func(title, before, after string) {
		d.Fix = &diag.Fix{Title: title, Edits: []diag.Edit{
			{At: span.Span{File: at.File, Start: at.Start, End: at.Start}, New: before},
			{At: span.Span{File: at.File, Start: at.End, End: at.End}, New: after}}}
	}
	if elem, ok := b.std.isOption(got); ok && b.try(want, elem) {
		d.Note(span.Span{}, "it may be `None`: give a default with `??`, pass the `None` on with `?`, or `match` it")
		return
	}
	if elem, ok := b.std.isOption(want); ok && b.try(elem, got) {
		d.Note(span.Span{}, "wrap it in `Some(…)`")
		wrap("wrap it in `Some`", "Some(", ")")
		return
	}
	wc, _ := want.(*core.Con)
	gc, _ := got.(*core.Con)
	if gm, ok := got.(*meta); ok && gm.lit != notLit && wc != nil {
		switch wc.Def {
		case b.std.Money:
			d.Note(span.Span{}, "an amount of money is written with its currency, such as `2 USD`")
		case b.std.Duration:
			d.Note(span.Span{}, "a duration is written with its unit, such as `50ms`")
		case b.std.Int:
			d.Note(span.Span{}, "an `Int` has no fraction")
		}
	}
	if wc == nil || gc == nil {
		return
	}
	switch {
	case wc.Def.Kind == core.Wrapper && len(wc.Def.Params) == 0 && b.sameAsInner(wc.Def, got):
		wrap("wrap it in `"+wc.Def.Name+"`", wc.Def.Name+"(", ")")
		d.Note(span.Span{}, "wrap it: `%s(…)`", wc.Def.Name)
	case gc.Def.Kind == core.Wrapper && len(gc.Def.Params) == 0 && b.sameAsInner(gc.Def, want):
		wrap("read its value", "", ".value")
		d.Note(span.Span{}, "what it holds is read by `.value`")
	case gc.Def == b.std.Int && wc.Def == b.std.Decimal:
		wrap("convert it", "int.toDecimal(", ")")
		d.Note(span.Span{}, "convert it with `int.toDecimal`")
	case gc.Def == b.std.Int && wc.Def == b.std.Float:
		wrap("convert it", "int.toFloat(", ")")
		d.Note(span.Span{}, "convert it with `int.toFloat`")
	}
}

func (b *body) sameAsInner(def *core.TypeDef, t core.Type) bool {
	inner := def.Ctors[0].Fields[0].Type
	return inner != nil && inner != bad && sameShape(inner, t) && !isOpen(t)
}
