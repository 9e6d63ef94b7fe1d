package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// pipe is `x |> f(a)`: the call f(x, a), with f looked up in scope and then in
// the module of the type of x.
func (b *body) pipe(e *syntax.PipeExpr, want core.Type, w why) core.Expr {
	fn, args := e.R, []syntax.Arg(nil)
	if call, ok := e.R.(*syntax.CallExpr); ok {
		fn, args = call.Fn, call.Args
	}
	at := e.Span
	id, ok := fn.(*syntax.Ident)
	if !ok {
		def := b.path(fn)
		if def == nil {
			b.expr(e.L, nil, why{})
			if _, ok := fn.(*syntax.FieldExpr); ok {
				b.errorf(codePipe, fn.Pos(), "a pipe leads into a call of a function")
			} else {
				b.c.quietly(codePipe, fn.Pos(), "a pipe leads into a call of a function")
			}
			return broken(at)
		}
		return b.apply(def, at, fn.Pos(), arguments(args, argument{syn: e.L}), want, w)
	}
	if def := b.pipeTarget(id); def != nil {
		return b.apply(def, at, fn.Pos(), arguments(args, argument{syn: e.L}), want, w)
	}
	x := b.expr(e.L, nil, why{})
	t := b.forceLit(x.TypeOf(), e.L.Pos())
	if t == bad || id.Name == "" {
		return broken(at, append([]core.Expr{x}, b.strayArgs(arguments(args))...)...)
	}
	given := arguments(args, argument{done: x})
	m := b.moduleOfType(t)
	if m == nil {
		b.noPipeTarget(id, t, nil)
		return broken(at, b.strayArgs(given)...)
	}
	s := m.own(m.values, id.Name)
	if s == nil || m.std && !s.pub && m != b.m {
		b.noPipeTarget(id, t, m)
		return broken(at, b.strayArgs(given)...)
	}
	if !s.pub && m != b.m {
		b.c.private(id.Span, s, id.Name)
		return broken(at, b.strayArgs(given)...)
	}
	s.use()
	b.m.info.use(id.Span, defOf(s.def))
	return b.apply(s.def, at, id.Span, given, want, w)
}

// pipeTarget finds what a name after a pipe stands for in scope. Values that are
// no functions are passed over: `let first = xs |> first()` must not hide the
// list's `first` from the lines after it.
func (b *body) pipeTarget(id *syntax.Ident) any {
	if n := b.locals[id.Name]; n != nil {
		if _, ok := n.local.Type.(*core.FuncType); ok {
			return b.name(id.Name, id.Span)
		}
	} else if _, ok := b.c.stdValues[id.Name]; ok || id.Name == "debug" {
		return b.name(id.Name, id.Span)
	}
	s := b.m.values[id.Name]
	if s == nil {
		s = b.m.implied[id.Name]
	}
	if s == nil {
		return nil
	}
	switch s.def.(type) {
	case *funcInfo, *core.Ctor, ambiguity:
		s.use()
		b.m.info.use(id.Span, defOf(s.def))
		return s.def
	}
	return nil
}

func (b *body) noPipeTarget(id *syntax.Ident, t core.Type, m *module) {
	candidates := []string{}
	for n, s := range b.m.values {
		if _, ok := s.def.(*funcInfo); ok {
			candidates = append(candidates, n)
		}
	}
	if m == nil {
		d := b.errorf(codePipe, id.Span, "there is no function `%s` here", id.Name)
		if n := b.locals[id.Name]; n != nil {
			d.Note(n.local.At, "the local `%s` is a value", id.Name)
			return
		}
		b.c.didYouMean(d, id.Span, id.Name, candidates)
		return
	}
	for n, s := range m.values {
		if _, ok := s.def.(*funcInfo); ok && s.via == nil && s.pub {
			candidates = append(candidates, n)
		}
	}
	d := b.errorf(codePipe, id.Span, "neither this module nor `%s` has a function `%s` for `%s`", m.core.Path, id.Name, show(t))
	if elem, ok := b.std.isOption(t); ok {
		if em := b.moduleOfType(elem); em != nil && em != m && em.own(em.values, id.Name) != nil {
			d.Note(span.Span{}, "`%s` has one, but this may be `None`: give a default with `??` or use `map`", em.core.Path)
			return
		}
	}
	b.c.didYouMean(d, id.Span, id.Name, candidates)
}
