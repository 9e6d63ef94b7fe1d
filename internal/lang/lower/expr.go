package lower

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// expr lowers an expression.
func (b *builder) expr(e core.Expr) val {
	if c, ok := b.literal(e); ok {
		return ready(c)
	}
	switch e := e.(type) {
	case *core.Ref:
		s := b.env[e.Local]
		b.noteUse(s.pend)
		return val{b.get(s.local), s.pend}
	case *core.ConstRef:
		return b.constRef(e)
	case *core.Call:
		return b.callFunc(e)
	case *core.CallParam:
		return b.callParam(e)
	case *core.CallOp:
		return b.callOp(e)
	case *core.Prim:
		return b.prim(e)
	case *core.If:
		return b.ifExpr(e)
	case *core.Match:
		return b.match(e)
	case *core.Let:
		return b.let(e)
	case *core.Construct:
		return b.construct(e)
	case *core.GetField:
		return b.getField(e)
	case *core.MakeTuple:
		id := b.typeID(e.Type)
		args, pends := b.exprs(e.Elems)
		return b.guarded(b.l.val(id), pends, func() val { return ready(b.makeCell(b.l.typ(id).Fields, b.l.typ(id).Size, args, e)) })
	case *core.GetTuple:
		v := b.expr(e.Value)
		f := b.l.typ(b.typeID(e.Value.TypeOf())).Fields[e.Index]
		return val{load(b.l.val(f.Type), v.x, f.Offset), v.pend}
	case *core.MakeList:
		return b.makeList(e)
	case *core.Concat:
		return b.concat(e)
	case *core.Try:
		return b.try(e)
	case *core.Scope:
		return b.scopeExpr(e)
	case *core.Debug:
		return b.expr(e.Value)
	case *core.Now:
		return ready(&ir.GetGlobal{Global: b.l.now})
	case *core.Seed:
		return ready(&ir.GetGlobal{Global: b.l.seed})
	}
	b.l.fail(e.Pos(), "the compiler does not know this expression (%T)", e)
	return val{}
}

// exprs lowers expressions from left to right.
func (b *builder) exprs(es []core.Expr) (xs []ir.Expr, pends []int) {
	for _, e := range es {
		v := b.expr(e)
		xs = append(xs, v.x)
		pends = append(pends, v.pend)
	}
	return xs, pends
}

func (b *builder) callFunc(e *core.Call) val {
	if e.TailSelf && b.loop != nil && e.Func == b.self {
		return b.tailSelf(e)
	}
	var xs []ir.Expr
	var pends []int
	var closures []bound
	for i, a := range e.Args {
		if _, ok := e.Func.Params[i].Type.(*core.FuncType); ok {
			c, p := b.closure(a)
			closures = append(closures, c)
			pends = append(pends, p...)
			continue
		}
		v := b.expr(a)
		xs = append(xs, v.x)
		pends = append(pends, v.pend)
	}
	t := b.rep(e.Type)
	if e.Func.Kind == core.Intrinsic {
		return b.guarded(t, pends, func() val { return b.intrinsic(e, xs, closures) })
	}
	return b.guarded(t, pends, func() val {
		inst, captures := b.specialise(e, closures)
		return b.call(inst, e.At, b.fork(e.Site), append(xs, captures...))
	})
}

// specialise finds the copy of a call's function for the functions that it is
// given, and what these captured.
func (b *builder) specialise(e *core.Call, closures []bound) (*instance, []ir.Expr) {
	types := b.typeArgs(e.TypeArgs)
	statics := func() (out []*closure) {
		for _, c := range closures {
			out = append(out, c.c)
		}
		return out
	}
	if len(closures) > 0 && !b.l.copied(e.Func, types, statics()) {
		if b.l.copies[e.Func]++; b.l.copies[e.Func] > b.l.opts.MaxCopies {
			sub := make(core.Subst, len(types))
			for i, p := range e.Func.TypeParams {
				sub[p] = b.l.coreOf[types[i]]
			}
			next := 0
			for _, p := range e.Func.Params {
				if ft, ok := p.Type.(*core.FuncType); ok {
					closures[next] = b.dynamic(closures[next], ft, sub, e)
					next++
				}
			}
		}
	}
	var captures []ir.Expr
	for _, c := range closures {
		for _, s := range c.slots {
			captures = append(captures, b.get(s))
		}
	}
	return b.l.instance(e.Func, types, statics()), captures
}

// tailSelf runs the function again with new arguments. Its function-typed
// arguments are its own, handed on.
func (b *builder) tailSelf(e *core.Call) val {
	var xs []ir.Expr
	var pends []int
	var params []*core.Local
	for i, a := range e.Args {
		if _, ok := e.Func.Params[i].Type.(*core.FuncType); ok {
			continue
		}
		v := b.expr(a)
		xs = append(xs, v.x)
		pends = append(pends, v.pend)
		params = append(params, e.Func.Params[i])
	}
	t := b.rep(e.Type)
	return b.guarded(t, pends, func() val {
		for i, x := range xs {
			if g, ok := x.(*ir.Get); !ok || g.Local != b.env[params[i]].local {
				xs[i] = b.set(x)
			}
		}
		for i, p := range params {
			if g, ok := xs[i].(*ir.Get); ok && g.Local == b.env[p].local {
				continue
			}
			b.emit(&ir.Set{Local: b.env[p].local, X: xs[i]})
		}
		if b.path >= 0 {
			b.emit(&ir.Set{Local: b.path, X: b.fork(e.Site)()})
		}
		b.charge(i64(e.Func.Gas), e.Func.At)
		b.emit(&ir.Continue{Label: b.loop})
		return ready(zero(t))
	})
}

// callParam calls a function-typed parameter.
func (b *builder) callParam(e *core.CallParam) val {
	bnd := b.fns[e.Fn]
	args, pends := b.exprs(e.Args)
	return b.guarded(b.rep(e.Type), pends, func() val { return b.callBound(bnd, e.At, b.fork(e.Site), args) })
}

// callBound calls a closure with value arguments.
func (b *builder) callBound(bnd bound, at span.Span, path func() ir.Expr, args []ir.Expr) val {
	if bnd.c.fn != nil && bnd.c.fn.Kind == core.Intrinsic {
		return ready(b.set(&ir.Call{Func: b.l.instanceOf(bnd.c).f, Args: args, At: b.site(0, at) + 1}))
	}
	var all []ir.Expr
	for _, s := range bnd.slots {
		all = append(all, b.get(s))
	}
	return b.call(b.l.instanceOf(bnd.c), at, path, append(all, args...))
}

// ifExpr lowers a choice. When neither branch needs statements it stays a tree.
func (b *builder) ifExpr(e *core.If) val {
	cond := b.expr(e.Cond)
	t := b.rep(e.Type)
	return b.guarded(t, []int{cond.pend}, func() val {
		var then, els val
		thenBody := b.body(func() { then = b.expr(e.Then) })
		elseBody := b.body(func() { els = b.expr(e.Else) })
		if len(thenBody) == 0 && len(elseBody) == 0 && then.pend < 0 && els.pend < 0 {
			return ready(choose(cond.x, then.x, els.x))
		}
		dst, pend := b.f.NewLocal(t), -1
		if then.pend >= 0 || els.pend >= 0 {
			pend = b.f.NewLocal(ir.I32)
		}
		finish := func(list []ir.Stmt, v val) []ir.Stmt {
			return append(list, b.body(func() { b.assign(dst, pend, v) })...)
		}
		b.emit(&ir.If{Test: cond.x, Then: finish(thenBody, then), Else: finish(elseBody, els)})
		return val{get(t, dst), pend}
	})
}

// choose is a Cond, or simpler where a branch is a constant Bool.
func choose(test, then, els ir.Expr) ir.Expr {
	c, ok := then.(*ir.Const)
	d, ok2 := els.(*ir.Const)
	if ok && ok2 && c.T == ir.I32 && c.Bits == 1 && d.Bits == 0 {
		return test
	}
	if ok && ok2 && c.T == ir.I32 && c.Bits == 0 && d.Bits == 1 {
		return un(ir.I32Eqz, test)
	}
	return &ir.Cond{Test: test, Then: then, Else: els}
}

func (b *builder) let(e *core.Let) val {
	v := b.expr(e.Value)
	b.bind(e.Pat, v)
	body := b.expr(e.Body)
	if v.pend < 0 {
		return body
	}
	return val{body.x, b.either(v.pend, body.pend)}
}

// bind binds an irrefutable pattern.
func (b *builder) bind(p core.Pattern, v val) {
	if w, ok := p.(*core.PVar); ok {
		b.bindLocal(w.Local, v)
		return
	}
	if _, ok := p.(*core.PWild); ok {
		return
	}
	b.declare(p, v.pend)
	x := b.atom(v.x)
	run := func() { b.matchPattern(p, x, b.typeID(p.TypeOf()), nil) }
	if v.pend < 0 {
		run()
		return
	}
	b.when(un(ir.I32Eqz, b.get(v.pend)), run)
}

func (b *builder) bindLocal(local *core.Local, v val) {
	s, ok := b.env[local]
	if !ok {
		s = slot{local: b.f.NewLocal(v.x.Type()), pend: v.pend}
	}
	s.pend = v.pend
	b.env[local] = s
	b.emit(&ir.Set{Local: s.local, X: v.x})
}

// try lowers `x?`.
func (b *builder) try(e *core.Try) val {
	v := b.expr(e.Value)
	t := b.rep(e.Type)
	return b.guarded(t, []int{v.pend}, func() val {
		id := b.typeID(e.Value.TypeOf())
		ret := b.typeID(e.Return)
		x := b.atom(v.x)
		if e.IsOption {
			b.when(b.isNone(id, x), func() { b.leave(ready(b.none(ret))) })
			return ready(b.unwrapSome(id, x))
		}
		okCtor, errCtor := b.l.typ(id).Ctors[0], b.l.typ(id).Ctors[1]
		b.when(load(ir.I32, x, 0), func() {
			out := b.l.typ(ret).Ctors[1]
			from, to := errCtor.Fields[0], out.Fields[0]
			payload := load(b.l.val(from.Type), x, from.Offset)
			cell := b.alloc(i32(int32(out.Size)), e.At)
			b.emit(store(ir.I32, cell, 0, i32(1)), store(b.l.val(to.Type), cell, to.Offset, payload))
			b.leave(ready(cell))
		})
		f := okCtor.Fields[0]
		return ready(load(b.l.val(f.Type), x, f.Offset))
	})
}

// constant is a module's constant: evaluated at its first read in a pass.
type constant struct {
	read *ir.Func
}

func (b *builder) constRef(e *core.ConstRef) val {
	c := b.l.consts[e.Const]
	if c == nil {
		c = b.l.constant(e.Const)
	}
	var args []ir.Expr
	if b.l.constFacts(e.Const).deep {
		depth := ir.Expr(&ir.GetGlobal{Global: b.l.depth})
		args = append(args, depth)
	}
	return ready(b.set(&ir.Call{Func: c.read, Args: args, At: b.site(0, e.At) + 1}))
}

func (l *lowerer) constFacts(c *core.Const) facts {
	var own facts
	for _, g := range scan(c.Value, &own) {
		if gf := l.funcs[g]; gf != nil {
			own.merge(*gf)
		}
	}
	return own
}

// constant makes the function that reads a constant: it evaluates it once a
// pass, since the heap that holds the value lives as long as the pass.
func (l *lowerer) constant(c *core.Const) *constant {
	inst := &instance{facts: l.constFacts(c)}
	inst.calls, inst.scopes = false, false
	inst.result = l.typeID(c.Type, nil)
	b := l.newBuilder(inst, c.Module.Path+"."+c.Name, nil)
	k := &constant{read: inst.f}
	l.consts[c] = k
	t := l.val(inst.result)
	value := &ir.Global{Name: b.name, Type: t}
	stamp := &ir.Global{Name: b.name + "@pass", Type: ir.I32}
	l.module.Globals = append(l.module.Globals, value, stamp)
	l.module.Funcs = append(l.module.Funcs, inst.f)
	l.queue = append(l.queue, func() {
		fresh := bin(ir.I32Ne, &ir.GetGlobal{Global: stamp}, &ir.GetGlobal{Global: l.pass})
		b.when(fresh, func() {
			v := b.expr(c.Value)
			b.emit(&ir.SetGlobal{Global: value, X: v.x}, &ir.SetGlobal{Global: stamp, X: &ir.GetGlobal{Global: l.pass}})
		})
		b.emit(&ir.Return{X: &ir.GetGlobal{Global: value}})
	})
	return k
}
