package progen

import (
	"strings"

	"towpath.dev/internal/lang/core"
)

func (g *generator) declareConsts() {
	for range g.IntN(4) {
		m := g.lib
		g.at = m
		c := &core.Const{Module: m.core, Name: g.fresh("c"), Type: g.aType(nil)}
		x := g.expr(want{&env{pure: true}, c.Type, g.IntN(8), false})
		g.declare(m, g.pub(m), "const ", c.Name, ": ", c.Type, " = ", x)
		g.consts = append(g.consts, c)
	}
}

// declareLateConsts declares constants made by the functions before.
func (g *generator) declareLateConsts() {
	for range g.IntN(3) {
		f := pick(g, g.functions...)
		t := g.instance(f.Func)
		if g.unsteady[f.Name] || f.Module != g.main.core {
			continue
		}
		x := g.callOwn(want{&env{pure: true}, t, 6, true}, f)
		if x == nil {
			continue
		}
		c := &core.Const{Module: g.main.core, Name: g.fresh("c"), Type: t}
		g.declare(g.main, "const ", c.Name, ": ", c.Type, " = ", x)
		g.consts = append(g.consts, c)
	}
}

func (g *generator) declareFunctions() {
	for range 2 + g.IntN(6) {
		m := pick(g, g.lib, g.main)
		g.at = m
		switch g.IntN(8) {
		case 0, 1:
			g.declareLoop(m)
		case 2:
			g.declareGroup(m, 2)
		case 3:
			g.declareGroup(m, 1)
		case 4:
			g.declareFold(m)
		default:
			g.declareFunction(m)
		}
	}
	g.at = g.main
}

// callable are the functions that the module at hand can see.
func (g *generator) callable() []*function {
	if g.at == g.main {
		return g.functions
	}
	var out []*function
	for _, f := range g.functions {
		if f.Module == g.at.core {
			out = append(out, f)
		}
	}
	return out
}

// signature makes a function with some parameters and its env.
func (g *generator) signature(m *module, params int) (*function, *env) {
	f := &function{Func: &core.Func{Module: m.core, Name: g.fresh("fn")}}
	e := &env{mayAsk: g.chance(40)}
	if g.chance(20) {
		for i := range 1 + g.IntN(2) {
			f.TypeParams = append(f.TypeParams, &core.Param{Name: string("AB"[i])})
		}
		e.params = f.TypeParams
	}
	for i := range max(params, len(f.TypeParams)) {
		p := &core.Local{Name: g.fresh("p"), Type: g.aType(e.params)}
		if i < len(f.TypeParams) {
			p.Type = f.TypeParams[i] // each is told by a value
		}
		f.Params = append(f.Params, p)
		*e = *e.with(variable{p.Name, p.Type})
	}
	for range []int{0, 0, 0, 1, 1, 2}[g.IntN(6)] {
		ft := &core.FuncType{Result: g.aType(e.params)}
		for range []int{0, 1, 1, 1, 2}[g.IntN(5)] {
			ft.Params = append(ft.Params, g.aType(e.params))
		}
		p := &core.Local{Name: g.fresh("p"), Type: ft}
		f.Params = append(f.Params, p)
		e.funcs = append(e.funcs, p)
	}
	f.Result = g.aType(e.params)
	e.answer = f.Result
	return f, e
}

// withFuel puts the parameter in front that counts down.
func (g *generator) withFuel(f *function, e *env) recursion {
	f.fuel = true
	fuel := &core.Local{Name: g.fresh("n"), Type: g.std.con(g.std.Int)}
	f.Params = append([]*core.Local{fuel}, f.Params...)
	*e = *e.with(variable{fuel.Name, fuel.Type})
	return recursion{f, fuel.Name}
}

// write declares a function with its body.
func (g *generator) write(m *module, f *function, body *node) {
	items := []any{g.pub(m), "fn ", f.Name, paramList(f.TypeParams), "("}
	for i, p := range f.Params {
		if i > 0 {
			items = append(items, ", ")
		}
		items = append(items, p.Name, ": ", p.Type)
		if i > 0 && i == len(f.Params)-1 && !f.fuel && !mentions(p.Type, f.TypeParams) && !isFunc(p.Type) && g.steady(p.Type) && g.chance(20) {
			if x := g.literal(p.Type, false, 1); x != nil {
				p.Default = &core.Lit{} // that there is one
				items = append(items, " = ", x)
			}
		}
	}
	g.declare(m, append(items, ") -> ", f.Result, " {\n", blockHole(body), "\n}")...)
	g.asking[f.Name] = g.asks(body)
	g.unsteady[f.Name] = g.asking[f.Name] || g.isUnsteady(body)
}

// isUnsteady reports whether a node's text may depend on the clock or the seed.
func (g *generator) isUnsteady(n *node) bool {
	for _, p := range n.parts {
		if p.text == "now" || strings.HasPrefix(p.text, "random.") || p.name != nil && g.unsteady[p.name.text] ||
			p.kid != nil && g.isUnsteady(p.kid) {
			return true
		}
	}
	return false
}

func (g *generator) declareFunction(m *module) {
	f, e := g.signature(m, g.IntN(4))
	g.write(m, f, g.expr(want{e, f.Result, 4 + g.IntN(25), false}))
	g.functions = append(g.functions, f)
}

// declareLoop declares a function that calls itself in tail position.
func (g *generator) declareLoop(m *module) {
	f, e := g.signature(m, 1+g.IntN(2))
	r := g.withFuel(f, e)
	f.loop = true
	boolean := g.std.con(g.std.Bool)
	last := g.expr(want{e, f.Result, 6, false})
	next := g.recur(want{e, f.Result, 12, false}, r)
	if g.chance(40) { // more than one way to go round or to stop
		cond := g.expr(want{e, boolean, 5, false})
		other := g.expr(want{e, f.Result, 6, false})
		again := g.recur(want{e, f.Result, 8, false}, r)
		next = g.make(f.Result, tight, "if ", headHole(cond), " { ", blockHole(next), " } else { ",
			blockHole(pick(g, other, again)), " }")
	}
	g.write(m, f, g.stopping(f, r, last, next))
	g.functions = append(g.functions, f)
}

// stopping is a body that ends the recursion when its fuel is used up.
func (g *generator) stopping(f *function, r recursion, last, next *node) *node {
	cond := g.make(g.std.con(g.std.Bool), compared, r.fuel, " <= 0")
	if g.chance(25) {
		return g.make(f.Result, tight, "match ", r.fuel, " {\n0 -> ", last, "\n", r.fuel, "_ if ", r.fuel, "_ < 0 -> ", last,
			"\n_ -> ", next, "\n}")
	}
	return g.make(f.Result, tight, "if ", headHole(cond), " { ", blockHole(last), " } else { ", blockHole(next), " }")
}

// declareGroup declares functions that call each other, or one that calls itself.
func (g *generator) declareGroup(m *module, n int) {
	var fs []*function
	var envs []*env
	var all []recursion
	for range n {
		f, e := g.signature(m, g.IntN(3))
		if n > 1 { // type and function arguments could not be passed on unchanged
			for len(f.TypeParams) > 0 || len(e.funcs) > 0 {
				f, e = g.signature(m, g.IntN(3))
			}
		}
		all = append(all, g.withFuel(f, e))
		fs, envs = append(fs, f), append(envs, e)
	}
	if n == 2 && g.chance(60) {
		fs[1].Result = fs[0].Result
		envs[1].answer = fs[0].Result
	}
	bodies := make([]*node, n)
	for i, f := range fs {
		e := envs[i]
		stop := *e
		last := g.expr(want{&stop, f.Result, 5, false})
		for _, r := range all {
			e.self = append(e.self, recursion{r.f, all[i].fuel})
		}
		bodies[i] = g.stopping(f, all[i], last, g.expr(want{e, f.Result, 8 + g.IntN(16), false}))
	}
	for i, f := range fs {
		g.write(m, f, bodies[i])
		g.functions = append(g.functions, f)
	}
	for _, f := range fs { // each calls the others
		for _, other := range fs {
			g.asking[f.Name] = g.asking[f.Name] || g.asking[other.Name]
			g.unsteady[f.Name] = g.unsteady[f.Name] || g.unsteady[other.Name]
		}
	}
}

// declareFold declares a function that follows a recursive type down.
func (g *generator) declareFold(m *module) {
	for _, i := range g.Perm(len(g.plain)) {
		def := g.plain[i]
		t := g.std.con(def).(*core.Con)
		if def.Kind != core.Variant || !recursive(def) {
			continue
		}
		f := &function{Func: &core.Func{Module: m.core, Name: g.fresh("fn"), Result: g.aType(nil)}}
		p := &core.Local{Name: g.fresh("p"), Type: t}
		f.Params = []*core.Local{p}
		items := []any{"match ", p.Name, " {\n"}
		for _, c := range def.Ctors {
			e := (&env{answer: f.Result}).with(variable{p.Name, t})
			pat, vars := g.ctorPattern(e, t, c, patterns{}, true)
			for _, v := range vars {
				if core.Identical(v.typ, t) { // what the recursion gives stands for the part
					e = e.with(variable{f.Name + "(" + v.name + ")", f.Result})
				} else {
					e = e.with(v)
				}
			}
			items = append(items, pat, " -> ", g.expr(want{e, f.Result, 8, false}), "\n")
		}
		g.write(m, f, g.make(f.Result, tight, append(items, "}")...))
		g.functions = append(g.functions, f)
		return
	}
	g.declareFunction(m)
}

func recursive(def *core.TypeDef) bool {
	for _, c := range def.Ctors {
		for _, f := range c.Fields {
			if con, ok := f.Type.(*core.Con); ok && con.Def == def {
				return true
			}
		}
	}
	return false
}

// declareViews declares the program's entries, which ask much and call what the
// program has.
func (g *generator) declareViews() {
	for range 2 + g.IntN(3) {
		e := &env{mayAsk: g.chance(75)}
		items := []any{g.pub(g.main), "view ", g.fresh("view"), "("}
		for i := range g.IntN(4) {
			v := variable{g.fresh("p"), g.boundaryType()}
			e = e.with(v)
			if i > 0 {
				items = append(items, ", ")
			}
			items = append(items, v.name, ": ", v.typ)
			if x := g.literal(v.typ, false, 1); x != nil && g.steady(v.typ) && g.chance(8) {
				items = append(items, " = ", x)
			}
		}
		body, result := g.viewBody(e)
		items = append(items, ") -> ", result, pick(g, "", "", "", "", "", " within 60ms"), " {\n", blockHole(body), "\n}")
		g.declare(g.main, items...)
	}
}

// viewBody makes a few values and answers with them all, or with something made
// of them.
func (g *generator) viewBody(e *env) (*node, core.Type) {
	var result core.Type
	if g.chance(50) {
		result = g.boundaryType()
		e.answer = result
	}
	type binding struct {
		pat, value *node
	}
	var lets []binding
	var made []variable
	for range g.IntN(6) {
		value, t := g.something(want{e, nil, 4 + g.IntN(10), true})
		if value == nil {
			continue
		}
		v := variable{g.fresh("v"), t}
		pat, vars := g.make(nil, tight, v.name), []variable{v}
		if result != nil {
			pat, vars = g.binding(e, t)
		}
		lets = append(lets, binding{pat, value})
		made = append(made, v)
		e = e.with(vars...)
	}
	var last *node
	if result != nil {
		last = g.expr(want{e, result, 10 + g.IntN(30), false})
	} else {
		last, result = g.all(made)
	}
	for i := len(lets) - 1; i >= 0; i-- {
		last = g.make(result, tight, "let ", lets[i].pat, " = ", lets[i].value, "\n", blockHole(last))
		last.let = true
	}
	return last, result
}

// all is the values of variables, as far as JSON can show them.
func (g *generator) all(vars []variable) (*node, core.Type) {
	t := &core.Tuple{}
	items := []any{"("}
	for _, v := range vars {
		if !g.crosses(v.typ) {
			continue
		}
		if len(t.Elems) > 0 {
			items = append(items, ", ")
		}
		t.Elems = append(t.Elems, v.typ)
		items = append(items, g.make(v.typ, tight, v.name))
	}
	switch len(t.Elems) {
	case 0:
		return g.make(t, tight, "()"), t
	case 1:
		return items[1].(*node), t.Elems[0]
	}
	return g.make(t, tight, append(items, ")")...), t
}

// something makes a value of whatever type comes of it: an operation's answer,
// what a function of the program or of the library gives.
func (g *generator) something(w want) (*node, core.Type) {
	of := func(t core.Type) want { w.typ = t; return w }
	switch {
	case w.mayAsk && g.chance(35):
		op := pick(g, g.ops...)
		if x := g.scopeExpr(of(op.Result)); x != nil && g.chance(40) {
			return x, op.Result
		}
		return g.ask(of(op.Result), op), op.Result
	case len(g.functions) > 0 && g.chance(45):
		f := pick(g, g.functions...)
		t := g.instance(f.Func)
		return g.callOwn(of(t), f), t
	case g.chance(75):
		f := pick(g, g.std.funcs...)
		t := g.instance(f)
		return g.call(of(t), f, stdName(f.Module, f.Name), false), t
	}
	t := g.aType(nil)
	return g.expr(of(t)), t
}

// instance is a function's result with types in its parameters' places.
func (g *generator) instance(f *core.Func) core.Type {
	subst := core.Subst{}
	for _, p := range f.TypeParams {
		subst[p] = g.aType(nil)
	}
	return subst.Apply(f.Result)
}
