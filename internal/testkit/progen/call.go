package progen

import (
	"towpath.dev/internal/lang/core"
)

// stdCall calls a function of the standard library that gives the type.
func (g *generator) stdCall(w want) *node {
	for range 40 {
		f := g.stdFunc(w)
		if w.pure && f.Module.Path == "std/random" {
			continue
		}
		if n := g.call(w, f, stdName(f.Module, f.Name), false); n != nil {
			return n
		}
	}
	return nil
}

// stdFunc chooses a function, most often one whose result is of the wanted
// type's definition: those that give any type are many.
func (g *generator) stdFunc(w want) *core.Func {
	if c, ok := w.typ.(*core.Con); ok && g.chance(65) {
		if fs := g.std.giving[c.Def]; len(fs) > 0 {
			return pick(g, fs...)
		}
	}
	return pick(g, g.std.funcs...)
}

// pipe calls a function by a pipe.
func (g *generator) pipe(w want) *node {
	for range 40 {
		f := g.stdFunc(w)
		if w.pure && f.Module.Path == "std/random" || len(f.Params) == 0 || isFunc(f.Params[0].Type) {
			continue
		}
		text := stdName(f.Module, f.Name)
		if c, ok := f.Params[0].Type.(*core.Con); ok && "std/"+lower(c.Def.Name) == f.Module.Path && g.chance(70) && !g.hidden(f.Name) {
			text = f.Name
		}
		if n := g.call(w, f, text, true); n != nil {
			return n
		}
	}
	return nil
}

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

// hidden reports whether a bare name after a pipe means something else: what is
// in scope by itself is looked up first.
func (g *generator) hidden(name string) bool { return name == "debug" }

func isFunc(t core.Type) bool {
	_, ok := t.(*core.FuncType)
	return ok
}

// ownCall calls a function of the program that was declared before.
func (g *generator) ownCall(w want) *node {
	fs := g.callable()
	if w.pure || len(fs) == 0 {
		return nil
	}
	for range 10 {
		f := pick(g, fs...)
		if n := g.callOwn(w, f); n != nil {
			return n
		}
	}
	return nil
}

func (g *generator) callOwn(w want, f *function) *node {
	piped := len(f.Params) > 0 && !f.fuel && !isFunc(f.Params[0].Type) && g.chance(30)
	return g.callWith(w, f.Func, nameOf(f.Module, f.Name), piped, func(i int, size int) *node {
		if i > 0 || !f.fuel {
			return nil
		}
		return g.fuel(w, f, size)
	})
}

// fuel makes the argument that bounds a recursion.
func (g *generator) fuel(w want, f *function, size int) *node {
	typ := g.std.con(g.std.Int)
	switch {
	case g.chance(3):
		return g.expr(w.of(typ, size))
	case f.loop && g.chance(70):
		return g.make(typ, tight, pick(g, "20", "7", "150"))
	case g.chance(20):
		return g.make(typ, tight, "int.clamp(", g.expr(w.of(typ, size)), ", 0, 5)")
	}
	return g.make(typ, tight, pick(g, "0", "1", "2", "3", "4"))
}

// selfCall calls a function of the group around: with less fuel, and in
// generic ones with the same types.
func (g *generator) selfCall(w want) *node {
	if len(w.self) == 0 {
		return nil
	}
	r := pick(g, w.self...)
	if !core.Identical(r.f.Result, w.typ) {
		return nil
	}
	return g.recur(w, r)
}

func (g *generator) recur(w want, r recursion) *node {
	items := []any{nameOf(r.f.Module, r.f.Name), "("}
	step := " - 1"
	if g.chance(2) {
		step = pick(g, "", " + 1")
	}
	for i, p := range r.f.Params {
		if i > 0 {
			items = append(items, ", ")
		}
		switch {
		case i == 0:
			items = append(items, g.make(p.Type, added, r.fuel+step))
		case isFunc(p.Type):
			items = append(items, p.Name)
		default:
			items = append(items, g.expr(w.aloneOf(p.Type, w.size/len(r.f.Params))))
		}
	}
	return g.make(w.typ, tight, append(items, ")")...)
}

// callParam calls a function that the one around was given.
func (g *generator) callParam(w want) *node {
	for _, i := range g.Perm(len(w.funcs)) {
		p := w.funcs[i]
		ft := p.Type.(*core.FuncType)
		if !core.Identical(ft.Result, w.typ) {
			continue
		}
		items := []any{p.Name, "("}
		for j, t := range ft.Params {
			if j > 0 {
				items = append(items, ", ")
			}
			items = append(items, g.expr(w.of(t, w.size/(len(ft.Params)+1))))
		}
		return g.make(w.typ, tight, append(items, ")")...)
	}
	return nil
}

// call calls a function by its name.
func (g *generator) call(w want, f *core.Func, name any, pipe bool) *node {
	return g.callWith(w, f, name, pipe, func(int, int) *node { return nil })
}

// callWith calls a function; given may make some of the arguments.
func (g *generator) callWith(w want, f *core.Func, name any, pipe bool, given func(i, size int) *node) *node {
	subst := core.Subst{}
	if !match(f.Result, w.typ, f.TypeParams, subst) {
		return nil
	}
	told := map[*core.Param]bool{} // by arguments that are values
	for _, tp := range f.TypeParams {
		for _, p := range f.Params {
			if !isFunc(p.Type) && mentions(p.Type, []*core.Param{tp}) && p.Default == nil {
				told[tp] = true
			}
		}
	}
	for _, tp := range f.TypeParams {
		if w.alone && !told[tp] && !toldByResult(f, tp) {
			return nil
		}
		if _, ok := subst[tp]; !ok {
			if !told[tp] && !toldByResult(f, tp) {
				return nil
			}
			subst[tp] = g.aType(w.params)
		}
	}
	share := max(1, (w.size-1)/max(1, len(f.Params)))
	args := make([]*node, len(f.Params))
	for i, p := range f.Params {
		if args[i] = given(i, share); args[i] != nil {
			continue
		}
		if p.Default != nil && g.chance(50) && (i > 0 || !pipe) {
			continue
		}
		t := subst.Apply(p.Type)
		if ft, ok := t.(*core.FuncType); ok {
			args[i] = g.function(w, ft, p.Type.(*core.FuncType), f.TypeParams, told, share)
		} else {
			args[i] = g.expr(want{w.env, t, share, mentions(p.Type, f.TypeParams) || i == 0 && pipe})
		}
	}
	return g.writeCall(w.typ, f, name, args, pipe)
}

// toldByResult reports whether a function-typed parameter's answer tells a type
// parameter.
func toldByResult(f *core.Func, tp *core.Param) bool {
	for _, p := range f.Params {
		if ft, ok := p.Type.(*core.FuncType); ok && mentions(ft.Result, []*core.Param{tp}) {
			return true
		}
	}
	return false
}

// writeCall writes a call with or without labels; nil arguments are left to
// their defaults, and those after them have labels.
func (g *generator) writeCall(t core.Type, f *core.Func, name any, args []*node, pipe bool) *node {
	var items []any
	p := tight
	if pipe {
		items = append(items, hole(args[0], coalesced), pick(g, " |> ", " |> ", "\n  |> "))
		p = piped
		if args[0].prec == piped && g.chance(70) {
			items[0] = hole(args[0], piped)
		}
	}
	items = append(items, name, "(")
	labels := false
	labelFrom := len(args)
	if g.chance(15) && f.Kind != core.Intrinsic {
		labelFrom = g.IntN(len(args) + 1)
	}
	first := true
	order := g.labelled(args, labelFrom)
	for _, i := range order {
		if pipe && i == 0 {
			continue
		}
		if args[i] == nil {
			labels = true
			continue
		}
		if !first {
			items = append(items, ", ")
		}
		first = false
		if labels || i >= labelFrom {
			items = append(items, f.Params[i].Name, ": ")
		}
		items = append(items, args[i])
	}
	return g.make(t, p, append(items, ")")...)
}

// labelled is the order of arguments, those with labels in any.
func (g *generator) labelled(args []*node, from int) []int {
	order := make([]int, len(args))
	for i := range order {
		order[i] = i
	}
	tail := order[from:]
	g.Shuffle(len(tail), func(i, j int) { tail[i], tail[j] = tail[j], tail[i] })
	return order
}

// function makes an argument for a function-typed parameter: a lambda, or the
// name of something that fits. declared is the parameter's type before the type
// arguments were put in.
func (g *generator) function(w want, ft, declared *core.FuncType, params []*core.Param, told map[*core.Param]bool, size int) *node {
	if g.chance(25) {
		if n := g.functionName(w, ft); n != nil {
			return n
		}
	}
	e := *w.env
	e.answer = ft.Result
	e.inner++
	inner := &e
	items := []any{}
	for i, t := range ft.Params {
		if i > 0 {
			items = append(items, ", ")
		}
		var pat *node
		var vars []variable
		if g.chance(15) && e.inner < 4 {
			pat, vars = g.apart(inner, t, 1)
		}
		if pat == nil {
			v := g.fresh("v")
			pat, vars = g.make(nil, tight, v), []variable{{v, t}}
		}
		items = append(items, pat)
		if g.chance(15) || !allTold(declared.Params[i], params, told) {
			items = append(items, ": ", t)
		}
		inner = inner.with(vars...)
	}
	open, closing := "(", ") => "
	if len(ft.Params) == 1 && len(items) == 1 && g.chance(80) {
		if n := items[0].(*node); len(n.parts) == 1 && n.parts[0].text != "" {
			open, closing = "", " => "
		}
	}
	body := g.expr(want{inner, ft.Result, size, mentions(declared.Result, params)})
	items = append(append([]any{open}, items...), closing, body)
	return g.make(nil, loose, items...)
}

func allTold(t core.Type, params []*core.Param, told map[*core.Param]bool) bool {
	for _, p := range params {
		if !told[p] && mentions(t, []*core.Param{p}) {
			return false
		}
	}
	return true
}

// functionName finds a function, constructor, operation or parameter of just
// the type.
func (g *generator) functionName(w want, ft *core.FuncType) *node {
	for _, p := range w.funcs {
		if core.Identical(p.Type, ft) && g.chance(60) {
			return g.make(nil, tight, p.Name)
		}
	}
	if w.pure {
		return nil
	}
	fs := g.callable()
	for _, i := range g.Perm(len(fs)) {
		if f := fs[i]; !f.fuel && sameSignature(f.Func, ft) {
			return g.make(nil, tight, nameOf(f.Module, f.Name))
		}
	}
	if w.mayAsk {
		for _, i := range g.Perm(len(g.ops)) {
			if op := g.ops[i]; sameSignature(&core.Func{Params: op.Params, Result: op.Result}, ft) {
				return g.make(nil, tight, nameOf(op.Service.Module, op.Service.Name), "."+op.Name)
			}
		}
	}
	for _, i := range g.Perm(len(g.std.funcs)) {
		if f := g.std.funcs[i]; sameSignature(f, ft) {
			return g.make(nil, tight, stdName(f.Module, f.Name))
		}
	}
	if c, ok := ft.Result.(*core.Con); ok && len(c.Def.Params) == 0 && c.Def.Kind != core.Record && !isTree(c.Def) {
		for _, ctor := range c.Def.Ctors {
			if types := fields(c, ctor); len(types) > 0 && sameTypes(types, ft.Params) {
				return g.make(nil, tight, ctorName(ctor))
			}
		}
	}
	return nil
}

// sameSignature reports whether a function fits a type, which tells all its
// type arguments.
func sameSignature(f *core.Func, ft *core.FuncType) bool {
	subst := core.Subst{}
	if len(f.Params) != len(ft.Params) || !match(f.Result, ft.Result, f.TypeParams, subst) {
		return false
	}
	for i, p := range f.Params {
		if isFunc(p.Type) || !match(p.Type, ft.Params[i], f.TypeParams, subst) {
			return false
		}
	}
	return len(subst) == len(f.TypeParams)
}

func sameTypes(a, b []core.Type) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !core.Identical(a[i], b[i]) {
			return false
		}
	}
	return true
}
