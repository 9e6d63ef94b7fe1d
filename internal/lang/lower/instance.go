package lower

import (
	"fmt"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/span"
)

// instance is one copy of a function or of a lambda as an IR function. Its
// parameters are, in order: the remaining depth (facts.deep), the path
// (facts.scopes), the value parameters, and the captures of its closures; a
// lambda's captures come before its value parameters.
type instance struct {
	facts
	f      *ir.Func
	result abi.TypeID
	number int
}

type instKey struct {
	fn   *core.Func
	args string // type arguments and closures, by number
}

// closure is a lambda in the instance it is written in, or a named function at
// type arguments. It is known statically; what it captures are values.
type closure struct {
	facts
	number   int
	lambda   *core.Lambda
	home     *builder // of the instance that the lambda is written in
	captures []captured
	fn       *core.Func // when lambda is nil
	typeArgs []abi.TypeID
	inst     *instance // made when first called
}

// captured is one value that a lambda uses from around it: a local of its home,
// or one of the captures of a closure bound there.
type captured struct {
	local *core.Local // nil for a capture of a bound closure
	slot  int         // the IR local in the home's function
	typ   ir.Type
}

type lambdaKey struct {
	lambda *core.Lambda
	home   *ir.Func
}

type refKey struct {
	fn   *core.Func
	args string
}

// bound is a closure with the IR locals that hold its captures here.
type bound struct {
	c     *closure
	slots []int
}

// count gives instances and closures their numbers and enforces the bound.
func (l *lowerer) count(at span.Span) int {
	l.made++
	if l.made > l.opts.MaxInstances {
		l.fail(at, "this program needs more than %d copies of its generic functions and lambdas; pass fewer different functions to generic functions that call each other", l.opts.MaxInstances)
	}
	return l.made
}

func keyOf(fn *core.Func, typeArgs []abi.TypeID, closures []*closure) instKey {
	var key strings.Builder
	for _, t := range typeArgs {
		fmt.Fprintf(&key, "%d,", t)
	}
	for _, c := range closures {
		fmt.Fprintf(&key, "f%d,", c.number)
	}
	return instKey{fn, key.String()}
}

// copied reports whether a copy exists.
func (l *lowerer) copied(fn *core.Func, typeArgs []abi.TypeID, closures []*closure) bool {
	return l.insts[keyOf(fn, typeArgs, closures)] != nil
}

// instance finds or makes the copy of a function for type arguments and closures.
func (l *lowerer) instance(fn *core.Func, typeArgs []abi.TypeID, closures []*closure) *instance {
	k := keyOf(fn, typeArgs, closures)
	if inst := l.insts[k]; inst != nil {
		return inst
	}
	inst := &instance{number: l.count(fn.At), facts: *l.funcs[fn]}
	for _, c := range closures {
		inst.merge(c.facts)
	}
	l.insts[k] = inst
	sub := make(core.Subst, len(typeArgs))
	for i, p := range fn.TypeParams {
		sub[p] = l.coreOf[typeArgs[i]]
	}
	inst.result = l.typeID(fn.Result, sub)
	b := l.newBuilder(inst, fn.QualifiedName(), sub)
	next := 0
	for _, p := range fn.Params {
		if _, ok := p.Type.(*core.FuncType); ok {
			continue
		}
		b.env[p] = slot{local: b.param(l.val(l.typeID(p.Type, sub))), pend: -1}
	}
	for _, p := range fn.Params {
		if _, ok := p.Type.(*core.FuncType); !ok {
			continue
		}
		c := closures[next]
		next++
		b.fns[p] = bound{c, b.captureParams(c)}
	}
	l.module.Funcs = append(l.module.Funcs, inst.f)
	l.queue = append(l.queue, func() { b.function(fn) })
	return inst
}

func (l *lowerer) newBuilder(inst *instance, name string, sub core.Subst) *builder {
	inst.f = &ir.Func{Name: name, Result: l.val(inst.result)}
	b := &builder{l: l, inst: inst, f: inst.f, name: name, sub: sub, env: map[*core.Local]slot{}, fns: map[*core.Local]bound{}, depth: -1, path: -1}
	b.out = &b.f.Body
	if inst.deep {
		b.depth = b.param(ir.I32)
	}
	if inst.scopes {
		b.path = b.param(ir.I64)
	}
	return b
}

func (b *builder) param(t ir.Type) int {
	b.f.Params++
	return b.f.NewLocal(t)
}

func (b *builder) captureParams(c *closure) []int {
	slots := make([]int, len(c.captures))
	for i, cap := range c.captures {
		slots[i] = b.param(cap.typ)
	}
	return slots
}

// closure resolves an argument for a function-typed parameter, with the IR
// locals here that hold its captures and those of them that may be pending.
func (b *builder) closure(e core.Expr) (bnd bound, pends []int) {
	switch e := e.(type) {
	case *core.Ref:
		return b.fns[e.Local], nil
	case *core.FuncRef:
		ids := b.typeArgs(e.Args)
		k := refKey{e.Func, fmt.Sprint(ids)}
		c := b.l.refs[k]
		if c == nil {
			c = &closure{number: b.l.count(e.At), fn: e.Func, typeArgs: ids, facts: *b.l.funcs[e.Func]}
			b.l.refs[k] = c
		}
		return bound{c: c}, nil
	case *core.Lambda:
		return b.lambda(e)
	}
	b.l.fail(e.Pos(), "a function is needed here")
	return bound{}, nil
}

func (b *builder) lambda(e *core.Lambda) (bnd bound, pends []int) {
	k := lambdaKey{e, b.f}
	c := b.l.lambdas[k]
	if c == nil {
		c = &closure{number: b.l.count(e.At), lambda: e, home: b, facts: b.bodyFacts(e.Body)}
		b.findCaptures(c)
		b.l.lambdas[k] = c
	}
	slots := make([]int, len(c.captures))
	for i, cap := range c.captures {
		slots[i] = cap.slot
		if cap.local != nil {
			s := b.env[cap.local]
			slots[i] = s.local
			if s.pend >= 0 {
				b.noteUse(s.pend)
				pends = append(pends, s.pend)
			}
		}
	}
	return bound{c, slots}, pends
}

// findCaptures lists, in order of first use, what a lambda's body uses of the
// locals of its home.
func (b *builder) findCaptures(c *closure) {
	seen := map[*core.Local]bool{}
	use := func(local *core.Local) {
		if seen[local] {
			return
		}
		seen[local] = true
		if s, ok := b.env[local]; ok {
			c.captures = append(c.captures, captured{local: local, slot: s.local, typ: b.f.Locals[s.local]})
		} else if bnd, ok := b.fns[local]; ok {
			for _, s := range bnd.slots {
				c.captures = append(c.captures, captured{slot: s, typ: b.f.Locals[s]})
			}
		}
	}
	var walk func(core.Expr)
	walk = func(e core.Expr) {
		switch e := e.(type) {
		case *core.Ref:
			use(e.Local)
		case *core.CallParam:
			use(e.Fn)
		}
		core.EachChild(e, walk)
	}
	walk(c.lambda.Body)
}

// instanceOf makes the function that a closure stands for.
func (l *lowerer) instanceOf(c *closure) *instance {
	if c.inst != nil {
		return c.inst
	}
	if c.lambda == nil {
		c.inst = l.instance(c.fn, c.typeArgs, nil)
		return c.inst
	}
	home := c.home
	inst := &instance{number: l.count(c.lambda.At), facts: c.facts}
	c.inst = inst
	ft, _ := c.lambda.Type.(*core.FuncType)
	result := c.lambda.Body.TypeOf()
	if ft != nil {
		result = ft.Result
	}
	inst.result = l.typeID(result, home.sub)
	b := l.newBuilder(inst, home.name, home.sub)
	seen := map[*core.Local]bool{}
	bySlot := map[int]int{} // the home's IR local -> ours
	for _, cap := range c.captures {
		p := b.param(cap.typ)
		if cap.local != nil {
			b.env[cap.local] = slot{local: p, pend: -1}
			seen[cap.local] = true
		} else {
			bySlot[cap.slot] = p
		}
	}
	for local, bnd := range home.fns {
		slots := make([]int, len(bnd.slots))
		known := true
		for i, s := range bnd.slots {
			p, ok := bySlot[s]
			known = known && ok
			slots[i] = p
		}
		if known {
			b.fns[local] = bound{bnd.c, slots}
		}
	}
	for _, p := range c.lambda.Params {
		b.env[p] = slot{local: b.param(l.val(l.typeID(p.Type, home.sub))), pend: -1}
	}
	l.module.Funcs = append(l.module.Funcs, inst.f)
	l.queue = append(l.queue, func() { b.lambdaBody(c.lambda) })
	return inst
}

func (b *builder) typeArgs(ts []core.Type) []abi.TypeID {
	ids := make([]abi.TypeID, len(ts))
	for i, t := range ts {
		ids[i] = b.l.typeID(t, b.sub)
	}
	return ids
}

// view makes a view's entry: it reads the parameters from the input record and
// leaves the answer in a cell.
func (l *lowerer) view(fn *core.Func) artifact.View {
	inst := l.instance(fn, nil, nil)
	v := artifact.View{
		Module: fn.Module.Path, Name: fn.Name, Doc: fn.Doc, Export: "view:" + fn.QualifiedName(),
		Input: l.paramRecord(fn.QualifiedName(), fn.Params), Result: inst.result,
		WithinNS: fn.Within, Calls: inst.calls,
	}
	for _, c := range fn.Callings {
		need := [...]string{"required", "guarded", "optional"}[c.Need]
		v.Callings = append(v.Callings, artifact.Calling{Operation: l.op(c.Op), Need: need})
	}
	// The host passes the heap, the gas and the depth along, and gets the heap
	// back: setting and reading globals from outside costs more than the call.
	f := &ir.Func{Name: v.Export, Params: 4, Locals: []ir.Type{ir.I32, ir.I32, ir.I64, ir.I32}, Result: ir.I64, Runtime: true, NoInline: true}
	f.Body = append(f.Body,
		&ir.SetGlobal{Global: l.heap, X: get(ir.I32, 1)},
		&ir.SetGlobal{Global: l.gas, X: get(ir.I64, 2)})
	var args []ir.Expr
	if inst.deep {
		args = append(args, &ir.GetGlobal{Global: l.depth})
	}
	if inst.scopes {
		args = append(args, i64(0))
	}
	for _, fld := range l.typ(v.Input).Fields {
		args = append(args, load(l.val(fld.Type), get(ir.I32, 0), fld.Offset))
	}
	t := l.val(inst.result)
	r := f.NewLocal(t)
	cell := f.NewLocal(ir.I32)
	f.Body = append(f.Body, &ir.Set{Local: r, X: &ir.Call{Func: inst.f, Args: args}})
	if inst.calls {
		f.Body = append(f.Body, &ir.If{Test: &ir.GetGlobal{Global: l.status}, Then: []ir.Stmt{&ir.Return{X: pack(&ir.GetGlobal{Global: l.heap}, i32(0))}}})
	}
	f.Body = append(f.Body,
		&ir.Set{Local: cell, X: &ir.Alloc{Size: i32(8), Site: l.site(abi.OutOfMemory, fn.At, fn.QualifiedName())}},
		store(t, get(ir.I32, cell), 0, get(t, r)),
		&ir.Return{X: pack(&ir.GetGlobal{Global: l.heap}, get(ir.I32, cell))})
	l.module.Funcs = append(l.module.Funcs, f)
	l.module.Exports = append(l.module.Exports, ir.Export{Name: v.Export, Func: f})
	return v
}

// prologues has the views' entries set the globals for the depth and the pass,
// in programs that read them.
func (l *lowerer) prologues() {
	read := map[*ir.Global]bool{}
	for _, f := range l.module.Funcs {
		ir.Inspect(f.Body, nil, func(e ir.Expr) {
			if g, ok := e.(*ir.GetGlobal); ok {
				read[g.Global] = true
			}
		})
	}
	for _, e := range l.module.Exports {
		var set []ir.Stmt
		if read[l.depth] {
			set = append(set, &ir.SetGlobal{Global: l.depth, X: get(ir.I32, 3)})
		}
		if read[l.pass] {
			set = append(set, &ir.SetGlobal{Global: l.pass, X: bin(ir.I32Add, &ir.GetGlobal{Global: l.pass}, i32(1))})
		}
		e.Func.Body = append(set, e.Func.Body...)
	}
}
