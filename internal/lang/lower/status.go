package lower

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// Statuses. In code that may call a service a value may be pending: asked for
// and not there. What is built from a pending part is pending too, but its
// other parts are evaluated first, so that one pass asks all that it can. A
// failure ends the evaluation of the innermost scope; a function's body is one.
//
// Every val tells by a local of its own whether it is pending, and every scope
// keeps a flag that says whether anything in it was. The flag decides what a
// failure means: with nothing pending before it the scope has failed; otherwise
// it waits, because in program order the pending part comes first and may fail
// or answer.

// scope is an open scope of the function that is being lowered.
type scope struct {
	outer *scope
	// pending is the IR local that is 1 once anything in the scope was pending.
	pending int
	// status receives how the scope ended, before a Break to exit. Both are
	// unused in a function's own scope, which returns instead.
	status int
	exit   *ir.Label
}

// open starts the function's own scope, if it can call.
func (b *builder) open() {
	if b.inst.calls {
		b.scope = &scope{pending: b.f.NewLocal(ir.I32)}
	}
}

// leave returns a value from the function, from within whatever scopes are
// open: they close as completed, or as pending when anything in them is.
func (b *builder) leave(v val) {
	if !b.inst.calls {
		b.emit(&ir.Return{X: v.x})
		return
	}
	x := v.x
	if v.pend >= 0 || b.scope.outer != nil {
		x = b.atom(x)
	}
	status := b.closeAll()
	b.emit(&ir.SetGlobal{Global: b.l.status, X: status}, &ir.Return{X: x})
}

// closeAll closes the open scopes for an early return and gives the function's
// status: pending if anything in any of them is.
func (b *builder) closeAll() ir.Expr {
	status := ir.Expr(b.get(b.scope.pending))
	for s := b.scope; s.outer != nil; s = s.outer {
		b.emit(&ir.HostStmt{Import: b.l.host("close", ir.None, ir.I32), Args: []ir.Expr{b.get(s.pending)}})
		status = bin(ir.I32Or, status, b.get(s.outer.pending))
	}
	return status
}

// notePending marks the scope as having a pending part.
func (b *builder) notePending() {
	b.emit(&ir.Set{Local: b.scope.pending, X: i32(1)})
}

// noteUse marks an inner scope as pending where it uses something that is, and
// that may stand outside of it: what the scope does with that is yet to come, and
// may be a call, a fault or a failure.
func (b *builder) noteUse(pend int) {
	if pend >= 0 && b.scope != nil && b.scope.outer != nil {
		b.emit(&ir.Set{Local: b.scope.pending, X: bin(ir.I32Or, b.get(b.scope.pending), b.get(pend))})
	}
}

// failHere ends the innermost scope: failed, or pending if something pending
// stands before.
func (b *builder) failHere() {
	status := bin(ir.I32Sub, i32(int32(abi.Failed)), b.get(b.scope.pending))
	if b.scope.outer == nil {
		b.emit(&ir.SetGlobal{Global: b.l.status, X: status}, &ir.Return{X: zero(b.f.Result)})
		return
	}
	b.emit(&ir.Set{Local: b.scope.status, X: status}, &ir.Break{Label: b.scope.exit})
}

// either joins pending flags: -1 when none can be.
func (b *builder) either(pends ...int) int {
	var joined ir.Expr
	only := -1
	for _, p := range pends {
		switch {
		case p < 0:
		case only < 0:
			only, joined = p, b.get(p)
		default:
			joined = bin(ir.I32Or, joined, b.get(p))
			only = p
		}
	}
	if joined == nil {
		return -1
	}
	if g, ok := joined.(*ir.Get); ok {
		return g.Local
	}
	return b.set(joined).Local
}

// guarded runs f when none of the parts is pending. f gives the value; whatever
// it leaves pending joins in.
func (b *builder) guarded(t ir.Type, pends []int, f func() val) val {
	p := b.either(pends...)
	if p < 0 {
		return f()
	}
	dst, pend := b.f.NewLocal(t), b.f.NewLocal(ir.I32)
	b.emit(&ir.Set{Local: pend, X: b.get(p)})
	b.when(un(ir.I32Eqz, b.get(p)), func() {
		b.assign(dst, pend, f())
	})
	return val{get(t, dst), pend}
}

// assign puts a value and its pending flag into locals.
func (b *builder) assign(dst, pend int, v val) {
	b.emit(&ir.Set{Local: dst, X: v.x})
	if v.pend >= 0 {
		b.emit(&ir.Set{Local: pend, X: b.get(v.pend)})
	} else if pend >= 0 {
		b.emit(&ir.Set{Local: pend, X: i32(0)})
	}
}

// afterCall looks at the status that a call left: on failure the scope ends, on
// pending the value is.
func (b *builder) afterCall(result ir.Expr) val {
	p := b.set(&ir.GetGlobal{Global: b.l.status})
	b.when(p, func() {
		b.when(bin(ir.I32Eq, p, i32(int32(abi.Failed))), b.failHere)
		b.notePending()
	})
	return val{result, p.Local}
}

// call calls an instance with the arguments for its value parameters and
// captures; hidden ones are added.
func (b *builder) call(inst *instance, at span.Span, path func() ir.Expr, args []ir.Expr) val {
	all := append(b.hidden(inst.facts, path), args...)
	r := b.set(&ir.Call{Func: inst.f, Args: all, At: b.site(0, at) + 1})
	if !inst.calls || b.scope == nil {
		return ready(r)
	}
	return b.afterCall(r)
}

// callOp asks a service.
func (b *builder) callOp(e *core.CallOp) val {
	result := b.typeID(e.Type)
	t := b.l.val(result)
	args, pends := b.exprs(e.Args)
	return b.guarded(t, pends, func() val {
		op := b.l.op(e.Op)
		rec := b.l.typ(b.l.paramRecord(e.Op.QualifiedName(), e.Op.Params))
		cell := b.alloc(i32(int32(max(rec.Size, 8))), e.At)
		for i, f := range rec.Fields {
			b.emit(store(b.l.val(f.Type), cell, f.Offset, args[i]))
		}
		ask := b.l.host("ask", ir.I32, ir.I32, ir.I32, ir.I32)
		r := b.set(&ir.Host{Import: ask, Args: []ir.Expr{i32(int32(op)), cell, i32(b.site(abi.BadArgument, e.At))}})
		dst, pend := b.f.NewLocal(t), b.f.NewLocal(ir.I32)
		b.emit(&ir.If{
			Test: bin(ir.I32GtU, r, i32(1)),
			Then: []ir.Stmt{&ir.Set{Local: pend, X: i32(0)}, &ir.Set{Local: dst, X: load(t, r, 0)}},
			Else: b.body(func() {
				b.when(r, b.failHere)
				b.emit(&ir.Set{Local: pend, X: i32(1)})
				b.notePending()
			}),
		})
		return val{get(t, dst), pend}
	})
}

// scopeExpr lowers `X within D else F`. A scope in which nothing can be asked
// is only its body.
func (b *builder) scopeExpr(e *core.Scope) val {
	if b.scope == nil || !b.bodyFacts(e.Body).calls {
		if e.Within != nil {
			b.expr(e.Within)
		}
		return b.expr(e.Body)
	}
	within := ready(i64(-1))
	if e.Within != nil {
		within = b.expr(e.Within)
		if c, ok := within.x.(*ir.Const); !ok || int64(c.Bits) < 0 {
			// Less than nothing is nothing: -1 says that there is no deadline.
			x := b.atom(within.x)
			within.x = &ir.Cond{Test: bin(ir.I64LtS, x, i64(0)), Then: i64(0), Else: x}
		}
	}
	t := b.rep(e.Type)
	return b.guarded(t, []int{within.pend}, func() val { return b.liveScope(e, within.x, t) })
}

func (b *builder) liveScope(e *core.Scope, within ir.Expr, t ir.Type) val {
	b.l.scopes = append(b.l.scopes, scopeSite{e.Site, e.Optional, e.At})
	flags := int32(0)
	if e.Optional {
		flags = abi.ScopeOptional
	}
	path := b.get(b.path)
	verdict := b.set(&ir.Host{
		Import: b.l.host("scope", ir.I32, ir.I64, ir.I64, ir.I64, ir.I32),
		Args:   []ir.Expr{i64(int64(e.Site)), path, within, i32(flags)},
	})
	dst, pend := b.f.NewLocal(t), b.f.NewLocal(ir.I32)
	s := &scope{outer: b.scope, pending: b.f.NewLocal(ir.I32), status: b.f.NewLocal(ir.I32), exit: &ir.Label{Name: "scope"}}
	b.emit(&ir.Set{Local: s.pending, X: i32(0)}, &ir.Set{Local: s.status, X: i32(int32(abi.Failed))}, &ir.Set{Local: pend, X: i32(0)})
	b.when(un(ir.I32Eqz, verdict), func() {
		saved := b.path
		list := b.body(func() {
			b.path = b.mix(path, i64(int64(e.Site))).(*ir.Get).Local
			b.scope = s
			v := b.expr(e.Body)
			b.emit(&ir.Set{Local: dst, X: v.x}, &ir.Set{Local: s.status, X: b.get(s.pending)})
			b.scope = s.outer
		})
		b.path = saved
		b.emit(&ir.Block{Label: s.exit, Body: list})
		b.emit(&ir.HostStmt{Import: b.l.host("close", ir.None, ir.I32), Args: []ir.Expr{b.get(s.status)}})
	})
	b.when(b.get(s.status), func() {
		failed := b.body(func() {
			if e.Else == nil {
				b.failHere()
				return
			}
			b.assign(dst, pend, b.expr(e.Else))
		})
		waiting := b.body(func() {
			b.emit(&ir.Set{Local: pend, X: i32(1)})
			b.notePending()
		})
		b.emit(&ir.If{Test: bin(ir.I32Eq, b.get(s.status), i32(int32(abi.Failed))), Then: failed, Else: waiting})
	})
	return val{get(t, dst), pend}
}
