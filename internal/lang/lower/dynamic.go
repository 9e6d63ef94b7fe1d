package lower

import (
	"fmt"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
)

// A function that takes functions is copied for each that it is given, up to
// Options.MaxCopies. Further ones are passed as data: a cell with a tag and the
// captures, applied through a function that switches on the tag
// (defunctionalisation; Reynolds 1972). Copying is faster, this is bounded.

// signature is a function type whose values are passed as data.
type signature struct {
	closure *closure // stands for any of them; its one capture is the cell
	params  []abi.TypeID
	result  abi.TypeID
	apply   *ir.Switch
	tags    map[*closure]int
}

// dynamic turns a closure into data and gives the closure of its signature.
func (b *builder) dynamic(bnd bound, ft *core.FuncType, sub core.Subst, at core.Expr) bound {
	sig := b.l.signature(ft, sub)
	if bnd.c == sig.closure {
		return bnd
	}
	vals := []ir.Type{}
	for _, s := range bnd.slots {
		vals = append(vals, b.f.Locals[s])
	}
	offsets, size := abi.Layout(4, vals)
	cell := b.alloc(i32(int32(size)), at.Pos())
	b.emit(store(ir.I32, cell, 0, i32(int32(b.l.tag(sig, bnd.c)))))
	for i, s := range bnd.slots {
		b.emit(store(vals[i], cell, offsets[i], b.get(s)))
	}
	return bound{sig.closure, []int{cell.Local}}
}

// signature finds or makes the signature of a function type, with its apply
// function: ([depth], [path], cell, arguments) -> result.
func (l *lowerer) signature(ft *core.FuncType, sub core.Subst) *signature {
	var params []abi.TypeID
	for _, p := range ft.Params {
		params = append(params, l.typeID(p, sub))
	}
	result := l.typeID(ft.Result, sub)
	key := fmt.Sprint(params, result)
	if sig := l.signatures[key]; sig != nil {
		return sig
	}
	sig := &signature{params: params, result: result, apply: &ir.Switch{}, tags: map[*closure]int{}}
	l.signatures[key] = sig
	inst := &instance{facts: l.anything, result: result}
	b := l.newBuilder(inst, "apply"+key, nil)
	inst.f.Runtime = true
	cell := b.param(ir.I32)
	for _, p := range params {
		b.param(l.val(p))
	}
	sig.apply.X = load(ir.I32, b.get(cell), 0)
	b.emit(sig.apply, &ir.Return{X: zero(inst.f.Result)})
	l.module.Funcs = append(l.module.Funcs, inst.f)
	sig.closure = &closure{number: l.count(l.prog.Modules[0].File.Span(0, 0)), facts: l.anything, captures: []captured{{typ: ir.I32}}, inst: inst}
	return sig
}

// tag numbers a closure within a signature and adds its case to apply.
func (l *lowerer) tag(sig *signature, c *closure) int {
	if tag, ok := sig.tags[c]; ok {
		return tag
	}
	tag := len(sig.tags)
	sig.tags[c] = tag
	sig.apply.Cases = append(sig.apply.Cases, nil)
	apply := sig.closure.inst
	b := &builder{l: l, inst: apply, f: apply.f, name: apply.f.Name, depth: -1, path: -1}
	next := 0
	hidden := func(needed bool) int {
		if !needed {
			return -1
		}
		next++
		return next - 1
	}
	b.depth, b.path = hidden(apply.deep), hidden(apply.scopes)
	cell := next
	target := l.instanceOf(c)
	sig.apply.Cases[tag] = b.body(func() {
		args := b.hidden(target.facts, func() ir.Expr { return b.get(b.path) })
		vals := []ir.Type{}
		for _, cap := range c.captures {
			vals = append(vals, cap.typ)
		}
		offsets, _ := abi.Layout(4, vals)
		for i, v := range vals {
			args = append(args, load(v, b.get(cell), offsets[i]))
		}
		for i := range sig.params {
			args = append(args, b.get(cell+1+i))
		}
		r := b.set(&ir.Call{Func: target.f, Args: args})
		if apply.calls && !target.calls {
			b.emit(&ir.SetGlobal{Global: l.status, X: i32(int32(abi.Ready))})
		}
		b.ret(r)
	})
	return tag
}
