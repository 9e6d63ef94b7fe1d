package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// scopeUse is a scope whose calls are known only when all bodies are.
type scopeUse struct {
	scope *core.Scope
	calls *calls // of the body that it stands in; its own are the ranges below

	ops, opsEnd       int
	funcs, funcsEnd   int
	params, paramsEnd int
}

// scopeExpr checks `X within D else F`.
func (b *body) scopeExpr(e *syntax.ScopeExpr, want core.Type, w why) core.Expr {
	out := &core.Scope{X: core.X{At: e.Span}, Optional: e.Optional}
	if e.Within != nil {
		out.Within = b.expr(e.Within, b.std.durationT, why{})
	}
	if e.Else == nil {
		if e.Optional {
			b.errorf(codeOptionalElse, e.Span, "`optional` needs an `else`, for when the call is left out").
				Note(span.Span{}, "write `optional … else FALLBACK`")
		}
		out.Body = b.expr(e.X, want, w)
		out.Type = out.Body.TypeOf()
		return out
	}
	wantsOption := want == nil || isOpen(want)
	if !wantsOption {
		_, wantsOption = b.std.isOption(want)
	}
	if wantsOption || !mayBeOption(e.X) {
		out.Body = b.expr(e.X, want, w)
	} else {
		// The type is sought first, as `else` may be written for `??`.
		out.Body = b.expr(e.X, nil, why{})
		if _, ok := b.std.isOption(out.Body.TypeOf()); ok {
			b.elseOnOption(e, out.Body.TypeOf())
			b.expr(e.Else, want, w)
			return broken(e.Span, out.Body)
		}
		out.Body = b.is(out.Body, want, w)
	}
	t := want
	if t == nil {
		t = out.Body.TypeOf()
	}
	out.Type = t
	ew := why{kind: whyElse, at: e.X.Pos()}
	elem, ok := b.std.isOption(t)
	if !ok {
		out.Else = b.expr(e.Else, t, ew)
		return out
	}
	out.Else = b.expr(e.Else, nil, why{})
	switch got := out.Else.TypeOf(); {
	case b.try(t, got):
	case b.try(elem, got):
		b.elseOnOption(e, t)
		out.Type = bad
	default:
		b.mismatch(e.Else.Pos(), t, got, ew)
	}
	return out
}

// mayBeOption is false for what cannot be an Option written with `else` by
// mistake, where the wanted type helps the check of the inside.
func mayBeOption(e syntax.Expr) bool {
	switch e.(type) {
	case *syntax.RecordLit, *syntax.ListLit, *syntax.StringLit, *syntax.NumberLit, *syntax.TupleLit:
		return false
	}
	return true
}

// elseOnOption says that `??` was meant.
func (b *body) elseOnOption(e *syntax.ScopeExpr, t core.Type) {
	out := b.errorf(codeElseOnOption, e.Else.Pos(), "`else` answers for a failed call; an Option's default is written with `??`").
		Note(e.X.Pos(), "this is `%s`", show(t))
	if e.Within == nil && !e.Optional {
		between := span.Span{File: e.Span.File, Start: e.X.Pos().End, End: e.Else.Pos().Start}
		out.FixWith("write `??`", between, " ?? ")
	}
}
