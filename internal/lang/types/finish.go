package types

import (
	"hash/fnv"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// calls is what a body calls, in source order.
type calls struct {
	ops    []opCall
	funcs  []funcCall
	consts []*core.Const
	params int  // how often function-valued parameters are called or handed on
	loop   bool // calls itself in tail position
	// request is set when the body reads the request's clock or seed.
	request bool
}

type opCall struct {
	op   *core.Operation
	need core.Need
	at   span.Span
}

// funcCall is a call of a function, or with ref a mention of one as an argument.
type funcCall struct {
	fn   *core.Func
	need core.Need
	call *core.Call
	ref  *core.FuncRef
}

func (f *funcCall) at() span.Span {
	if f.call != nil {
		return f.call.At
	}
	return f.ref.At
}

// typeArgs are those that the callee is used with.
func (f *funcCall) typeArgs() []core.Type {
	if f.call != nil {
		return f.call.TypeArgs
	}
	return f.ref.Args
}

// finisher walks a body whose types are all found, in order of evaluation.
type finisher struct {
	b      *body
	into   *calls
	need   core.Need
	inside int // lambdas and scopes around, where no call is a tail call
}

// finish puts the found types in a checked expression, gives literals their
// values, numbers the sites and adds the calls to into, which may be nil.
func (b *body) finish(x core.Expr, into *calls) core.Expr {
	if into == nil {
		into = &calls{}
	}
	f := &finisher{b: b, into: into}
	return f.expr(x, b.fn != nil)
}

// typ is a type without metas. What nothing determined is the unit type: nothing
// depends on it either, as in `list.length([])`.
func (f *finisher) typ(t core.Type) core.Type {
	t = prune(t)
	switch t := t.(type) {
	case *core.Con:
		if len(t.Args) == 0 {
			return t
		}
	case *core.Param:
		return t
	}
	if size := sizeOf(t, maxTypeSize); size > maxTypeSize || f.b.exhausted() {
		f.b.tooLarge()
		return bad
	}
	f.close(t)
	return resolve(t)
}

func (f *finisher) close(t core.Type) {
	switch t := prune(t).(type) {
	case *meta:
		switch {
		case f.b.failed():
			t.to = bad
		case t.lit != notLit:
			f.b.defaultLit(t)
		default:
			t.to = f.b.std.unitT
		}
	case *core.Con:
		for _, a := range t.Args {
			f.close(a)
		}
	case *core.Tuple:
		for _, e := range t.Elems {
			f.close(e)
		}
	case *core.FuncType:
		for _, p := range t.Params {
			f.close(p)
		}
		f.close(t.Result)
	}
}

func (f *finisher) typs(ts []core.Type) {
	for i, t := range ts {
		ts[i] = f.typ(t)
	}
}

func (f *finisher) all(xs []core.Expr) {
	for i, x := range xs {
		xs[i] = f.expr(x, false)
	}
}

// site numbers a place where a path can fork.
func (f *finisher) site() core.Site {
	b := f.b
	if b.sites == 0 {
		h := fnv.New64a()
		h.Write([]byte(b.home))
		b.siteBase = h.Sum64()
	}
	h := b.siteBase
	for n, i := b.sites, 0; i < 4; i++ {
		h = (h ^ uint64(n&0xff)) * 1099511628211
		n >>= 8
	}
	b.sites++
	return core.Site(h)
}

// expr finishes x; tail says that its value is at once the function's answer.
func (f *finisher) expr(x core.Expr, tail bool) core.Expr {
	switch x := x.(type) {
	case *core.Lit:
		x.Type = f.typ(x.Type)
		if n, ok := x.Value.(numeral); ok {
			x.Value = f.b.c.numeralValue(string(n), x.At, x.Type)
		}
	case *core.Ref:
		x.Type = f.typ(x.Type)
		if _, ok := x.Type.(*core.FuncType); ok {
			f.into.params++
		}
	case *core.ConstRef:
		x.Type = f.typ(x.Type)
		f.into.consts = append(f.into.consts, x.Const)
	case *core.FuncRef:
		x.Type = f.typ(x.Type)
		f.typs(x.Args)
		f.into.funcs = append(f.into.funcs, funcCall{fn: x.Func, need: f.need, ref: x})
	case *core.Lambda:
		f.lambda(x)
	case *core.Call:
		f.call(x, tail)
	case *core.CallParam:
		x.Type = f.typ(x.Type)
		x.Site = f.site()
		f.into.params++
		f.all(x.Args)
	case *core.CallOp:
		x.Type = f.typ(x.Type)
		x.Site = f.site()
		f.into.ops = append(f.into.ops, opCall{x.Op, f.need, x.At})
		f.all(x.Args)
	case *core.Prim:
		return f.prim(x)
	case *core.If:
		x.Type = f.typ(x.Type)
		x.Cond = f.expr(x.Cond, false)
		x.Then = f.expr(x.Then, tail)
		x.Else = f.expr(x.Else, tail)
	case *core.Match:
		f.match(x, tail)
	case *core.Let:
		x.Type = f.typ(x.Type)
		f.pattern(x.Pat)
		x.Value = f.expr(x.Value, false)
		x.Body = f.expr(x.Body, tail)
	case *core.Scope:
		f.scope(x)
	default:
		return f.plain(x)
	}
	return x
}

// plain finishes expressions that only have parts.
func (f *finisher) plain(x core.Expr) core.Expr {
	switch x := x.(type) {
	case *core.Construct:
		x.Type = f.typ(x.Type)
		f.all(x.Fields)
	case *core.GetField:
		x.Type = f.typ(x.Type)
		x.Value = f.expr(x.Value, false)
	case *core.MakeTuple:
		x.Type = f.typ(x.Type)
		f.all(x.Elems)
	case *core.GetTuple:
		x.Type = f.typ(x.Type)
		x.Value = f.expr(x.Value, false)
	case *core.MakeList:
		x.Type = f.typ(x.Type)
		for i := range x.Elems {
			x.Elems[i].Value = f.expr(x.Elems[i].Value, false)
		}
	case *core.Concat:
		f.all(x.Parts)
	case *core.Try:
		x.Type, x.Return = f.typ(x.Type), f.typ(x.Return)
		x.Value = f.expr(x.Value, false)
	case *core.Debug:
		x.Type = f.typ(x.Type)
		x.Value = f.expr(x.Value, false)
	case *core.Now:
		f.into.request = true
	case *badExpr:
		f.all(x.parts)
	}
	return x
}

func (f *finisher) lambda(x *core.Lambda) {
	x.Type = f.typ(x.Type)
	for _, p := range x.Params {
		p.Type = f.typ(p.Type)
	}
	f.inside++
	x.Body = f.expr(x.Body, false)
	f.inside--
	x.Gas = core.GasOf(x.Body)
}

func (f *finisher) call(x *core.Call, tail bool) {
	x.Type = f.typ(x.Type)
	f.typs(x.TypeArgs)
	x.Site = f.site()
	f.all(x.Args)
	if tail && f.inside == 0 && x.Func == f.b.fn && handsOn(x) {
		x.TailSelf = true
		f.into.loop = true
	}
	f.into.funcs = append(f.into.funcs, funcCall{fn: x.Func, need: f.need, call: x})
}

// handsOn reports whether a function's call of itself has its own type
// arguments and its own function-valued parameters, each in its place.
func handsOn(x *core.Call) bool {
	for i, t := range x.TypeArgs {
		if t != core.Type(x.Func.TypeParams[i]) {
			return false
		}
	}
	for i, p := range x.Func.Params {
		if _, ok := p.Type.(*core.FuncType); !ok {
			continue
		}
		if ref, ok := x.Args[i].(*core.Ref); !ok || ref.Local != p {
			return false
		}
	}
	return true
}

func (f *finisher) prim(x *core.Prim) core.Expr {
	x.Type = f.typ(x.Type)
	f.all(x.Args)
	if x.Op == core.Show {
		return f.show(x)
	}
	if x.Op&swapped == 0 {
		return x
	}
	x.Op &^= swapped
	l, r := x.Args[0], x.Args[1]
	x.Args[0], x.Args[1] = r, l
	if isTrivial(l) || isTrivial(r) {
		return x
	}
	// The left operand is evaluated first all the same.
	local := &core.Local{Name: "left", At: l.Pos(), Type: l.TypeOf()}
	x.Args[1] = &core.Ref{X: core.X{At: l.Pos(), Type: local.Type}, Local: local}
	return &core.Let{X: x.X, Pat: &core.PVar{P: core.P{At: l.Pos(), Type: local.Type}, Local: local}, Value: l, Body: x}
}

// show checks an interpolated value and drops the primitive on a String.
func (f *finisher) show(x *core.Prim) core.Expr {
	arg := x.Args[0]
	t := arg.TypeOf()
	if _, ok := argsOf(t, f.b.std.String); ok {
		return arg
	}
	if !hasBad(t) && !f.b.std.showable(t) {
		d := f.b.errorf(codeShow, arg.Pos(), "`%s` has no text of its own", t).
			Expect("a Bool, number, Money, String, Duration, Instant or Date, a wrapper of one, or a variant without fields", t.String())
		if _, ok := f.b.std.isOption(t); ok {
			d.Note(span.Span{}, "it may be `None`: give it a default with `??`")
		}
	}
	return x
}

// showable reports whether interpolation can print a type.
func (b *builtins) showable(t core.Type) bool {
	for range 64 { // wrappers of wrappers end somewhere
		con, ok := t.(*core.Con)
		if !ok {
			return false
		}
		switch con.Def {
		case b.Bool, b.Int, b.Float, b.Decimal, b.Money, b.String, b.Duration, b.Instant, b.Date:
			return true
		case b.Map, b.Set:
			return false
		}
		switch con.Def.Kind {
		case core.Wrapper:
			t = instance(con.Def.Ctors[0].Fields[0].Type, con.Def.Params, con.Args)
		case core.Variant:
			for _, ctor := range con.Def.Ctors {
				if len(ctor.Fields) > 0 {
					return false
				}
			}
			return true
		default:
			return false
		}
	}
	return false
}

func (f *finisher) match(x *core.Match, tail bool) {
	x.Type = f.typ(x.Type)
	x.Subject = f.expr(x.Subject, false)
	for _, a := range x.Arms {
		f.pattern(a.Pat)
		if a.Guard != nil {
			a.Guard = f.expr(a.Guard, false)
		}
		a.Body = f.expr(a.Body, tail)
	}
}

func (f *finisher) scope(x *core.Scope) {
	x.Type = f.typ(x.Type)
	x.Site = f.site()
	if x.Within != nil {
		x.Within = f.expr(x.Within, false)
	}
	outer := f.need
	if x.Else != nil {
		f.need = max(f.need, core.Guarded)
	}
	if x.Optional {
		f.need = core.Optional
	}
	use := &scopeUse{scope: x, calls: f.into, ops: len(f.into.ops), funcs: len(f.into.funcs), params: f.into.params}
	f.inside++
	x.Body = f.expr(x.Body, false)
	use.opsEnd, use.funcsEnd, use.paramsEnd = len(f.into.ops), len(f.into.funcs), f.into.params
	f.need = outer
	if x.Else != nil {
		x.Else = f.expr(x.Else, false)
	}
	f.inside--
	f.b.c.scopes = append(f.b.c.scopes, use)
}

func (f *finisher) pattern(p core.Pattern) {
	switch p := p.(type) {
	case *core.PWild:
		p.Type = f.typ(p.Type)
	case *core.PVar:
		p.Type = f.typ(p.Type)
		p.Local.Type = f.typ(p.Local.Type)
	case *core.PLit:
		p.Type = f.typ(p.Type)
		if n, ok := p.Value.(numeral); ok {
			p.Value = f.b.c.numeralValue(string(n), p.At, p.Type)
		}
	case *core.PCtor:
		p.Type = f.typ(p.Type)
		for _, a := range p.Args {
			f.pattern(a)
		}
	case *core.PTuple:
		p.Type = f.typ(p.Type)
		for _, e := range p.Elems {
			f.pattern(e)
		}
	case *core.PList:
		p.Type = f.typ(p.Type)
		for _, e := range p.Elems {
			f.pattern(e)
		}
		if p.Rest != nil {
			p.Rest.Type = f.typ(p.Rest.Type)
		}
	case *core.POr:
		p.Type = f.typ(p.Type)
		for _, a := range p.Alts {
			f.pattern(a)
		}
	case *core.PAs:
		p.Type = f.typ(p.Type)
		p.Local.Type = f.typ(p.Local.Type)
		f.pattern(p.Pat)
	}
}
