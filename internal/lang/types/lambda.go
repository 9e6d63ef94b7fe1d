package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// functionArg checks an argument for a function-typed parameter: a lambda, the
// name of a function, of a constructor or of an operation, or a parameter that
// is a function and handed on.
func (b *body) functionArg(e syntax.Expr, ft *core.FuncType, sig *signature, slot int) core.Expr {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		return b.functionArg(e.X, ft, sig, slot)
	case *syntax.LambdaExpr:
		return b.lambda(e, ft, sig, slot)
	case nil:
		return broken(span.Span{})
	case *syntax.BadExpr:
		return broken(e.Span)
	}
	at := e.Pos()
	switch def := b.path(e).(type) {
	case *binding:
		if got, ok := def.local.Type.(*core.FuncType); ok {
			x := &core.Ref{X: core.X{At: at, Type: got}, Local: def.local}
			return b.fitsParam(x, "`"+def.local.Name+"`", ft, got, sig, slot)
		}
		return b.notAFunction(at, def.local.Type, ft)
	case *funcInfo:
		return b.funcRef(def, at, ft, sig, slot)
	case *core.Ctor:
		if len(def.Fields) == 0 || def.Def.Kind == core.Record || b.std.opaque(def.Def, b.m) {
			break
		}
		targs := b.freshAll(def.Def.Params, at)
		out := &core.Construct{X: core.X{At: at, Type: b.applied(def.Def, targs)}, Ctor: def}
		locals := make([]*core.Local, len(def.Fields))
		for i, f := range def.Fields {
			locals[i] = &core.Local{Name: f.Name, At: at, Type: instance(f.Type, def.Def.Params, targs)}
		}
		x, got := b.expand(at, locals, out.Type, out, &out.Fields)
		return b.fitsParam(x, "`"+def.Name+"`", ft, got, sig, slot)
	case *core.Operation:
		out := &core.CallOp{X: core.X{At: at, Type: def.Result}, Op: def}
		locals := make([]*core.Local, len(def.Params))
		for i, p := range def.Params {
			locals[i] = &core.Local{Name: p.Name, At: at, Type: p.Type}
		}
		x, got := b.expand(at, locals, out.Type, out, &out.Args)
		return b.fitsParam(x, "`"+def.Service.Name+"."+def.Name+"`", ft, got, sig, slot)
	case debugName:
		b.errorf(codeFunctionValue, at, "`debug` is only called: write `x => debug(x)`")
		return broken(at)
	case reported:
		return broken(at)
	}
	x := b.expr(e, nil, why{})
	if isBad(x.TypeOf()) {
		return x
	}
	return b.notAFunction(at, x.TypeOf(), ft)
}

func (b *body) notAFunction(at span.Span, got core.Type, ft *core.FuncType) core.Expr {
	if !isBad(got) {
		b.errorf(codeMismatch, at, "a function is needed here, this is `%s`", show(got)).
			Expect(show(ft), show(got)).
			Note(span.Span{}, "write a lambda, as in `x => …`")
	}
	return broken(at)
}

// expand makes the lambda that stands for a constructor or an operation.
func (b *body) expand(at span.Span, locals []*core.Local, result core.Type, body core.Expr, args *[]core.Expr) (core.Expr, *core.FuncType) {
	got := &core.FuncType{Result: result}
	for _, l := range locals {
		got.Params = append(got.Params, l.Type)
		*args = append(*args, &core.Ref{X: core.X{At: at, Type: l.Type}, Local: l})
	}
	return &core.Lambda{X: core.X{At: at, Type: got}, Params: locals, Body: body}, got
}

func (b *body) funcRef(fi *funcInfo, at span.Span, ft *core.FuncType, sig *signature, slot int) core.Expr {
	fn := fi.fn
	if fn.Kind == core.View && !b.test {
		b.viewCall(fn, at)
		return broken(at)
	}
	targs := b.freshAll(fn.TypeParams, at)
	got := &core.FuncType{Params: make([]core.Type, len(fn.Params)), Result: instance(fn.Result, fn.TypeParams, targs)}
	for i, p := range fn.Params {
		if _, ok := p.Type.(*core.FuncType); ok {
			b.errorf(codeFunctionValue, at, "`%s` takes a function itself, so it is only called", fn.Name).
				Note(p.At, "this parameter is one").
				Note(span.Span{}, "write a lambda that calls it")
			return broken(at)
		}
		got.Params[i] = instance(p.Type, fn.TypeParams, targs)
	}
	x := &core.FuncRef{X: core.X{At: at, Type: got}, Func: fn, Args: targs}
	return b.fitsParam(x, "`"+fn.Name+"`", ft, got, sig, slot)
}

// fitsParam requires a named function to have the parameter's type.
func (b *body) fitsParam(x core.Expr, what string, want, got *core.FuncType, sig *signature, slot int) core.Expr {
	if b.unify(want, got) {
		return x
	}
	b.differentSignature(x.Pos(), what, want, got, sig, slot)
	return broken(x.Pos(), x)
}

// lambda checks `(a, b) => body` against the function type that a parameter has.
func (b *body) lambda(e *syntax.LambdaExpr, ft *core.FuncType, sig *signature, slot int) core.Expr {
	if len(e.Params) != len(ft.Params) {
		d := b.errorf(codeMismatch, e.Span, "this lambda takes %s, `%s` gives it %d",
			plural(len(e.Params), "argument"), sig.name, len(ft.Params))
		d.Expect(show(ft), plural(len(e.Params), "parameter"))
		if name, at, _ := sig.param(slot); name != "" {
			d.Note(at, "`%s` is declared here", name)
		}
		if len(ft.Params) == 1 && len(e.Params) > 1 {
			if t, ok := prune(ft.Params[0]).(*core.Tuple); ok && len(t.Elems) == len(e.Params) {
				d.Note(span.Span{}, "a tuple is taken apart by `((a, b)) => …`")
			}
		}
		return broken(e.Span)
	}
	mark := len(b.scope)
	out := &core.Lambda{X: core.X{At: e.Span, Type: ft}, Params: make([]*core.Local, len(e.Params))}
	var lets []*core.Let
	for i, p := range e.Params {
		t := ft.Params[i]
		if p.Type != nil {
			written := b.types().of(p.Type)
			if !b.unify(t, written) {
				b.mismatch(p.Type.Pos(), t, written, why{})
			}
			t = written
		}
		l := &core.Local{Name: "_", At: p.Pat.Pos(), Type: t}
		out.Params[i] = l
		switch pat := p.Pat.(type) {
		case *syntax.WildPat:
		case *syntax.VarPat:
			l.Name = pat.Name
			for _, other := range out.Params[:i] {
				if other.Name == l.Name {
					b.errorf(codeBoundTwice, l.At, "`%s` is bound twice", l.Name).Note(other.At, "first here")
				}
			}
			b.bind(l, e.Body.Pos().Start, false)
		default:
			l.Name = "argument"
			checked := b.bindPattern(p.Pat, t, e.Body.Pos().Start, false)
			b.lets = append(b.lets, letUse{checked, p.Pat, "a lambda"})
			lets = append(lets, &core.Let{X: core.X{At: p.Pat.Pos()}, Pat: checked,
				Value: &core.Ref{X: core.X{At: p.Pat.Pos(), Type: t}, Local: l}})
		}
	}
	b.answers = append(b.answers, ft.Result)
	out.Body = b.expr(e.Body, ft.Result, why{kind: whyHandler})
	b.answers = b.answers[:len(b.answers)-1]
	b.leave(mark, e.Span.End)
	for i := len(lets) - 1; i >= 0; i-- {
		lets[i].Type, lets[i].Body = ft.Result, out.Body
		out.Body = lets[i]
	}
	return out
}

// strayLambda refuses a lambda that is no argument.
func (b *body) strayLambda(e *syntax.LambdaExpr) core.Expr {
	b.errorf(codeFunctionValue, e.Span, "a lambda stands only where a function's argument is a function").
		Note(span.Span{}, "functions are not stored or returned; declare one with `fn` to give it a name")
	return broken(e.Span)
}
