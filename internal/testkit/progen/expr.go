package progen

import (
	"strings"

	"towpath.dev/internal/lang/core"
)

// want is the expression that is needed: of a type, in an env, of about so many
// nodes. With alone its text must tell its type without help from around it.
type want struct {
	*env
	typ   core.Type
	size  int
	alone bool
}

// of is a want for a part.
func (w want) of(t core.Type, size int) want { return want{w.env, t, size, false} }

// aloneOf is a want for a part that nothing around tells the type of.
func (w want) aloneOf(t core.Type, size int) want { return want{w.env, t, size, true} }

func (w want) in(e *env) want { w.env = e; return w }

func (w want) sized(size int) want { w.size = size; return w }

// way is a way to make an expression; it gives nil where it does not apply.
type way struct {
	weight int
	make   func(g *generator, w want) *node
}

// ways is filled by a function since the ways use expr, which uses them.
func ways() []way {
	return []way{
		{8, (*generator).leaf},
		{10, (*generator).stdCall},
		{8, (*generator).pipe},
		{9, (*generator).ownCall},
		{8, (*generator).selfCall},
		{12, (*generator).operator},
		{7, (*generator).ifElse},
		{8, (*generator).matchExpr},
		{8, (*generator).let},
		{7, (*generator).build},
		{4, (*generator).coalesce},
		{5, (*generator).try},
		{4, (*generator).update},
		{4, (*generator).interpolation},
		{8, (*generator).callParam},
		{8, (*generator).askExpr},
		{6, (*generator).scopeExpr},
		{1, (*generator).debug},
		{2, (*generator).constRef},
		{2, (*generator).special},
	}
}

// expr makes an expression.
func (g *generator) expr(w want) *node {
	if w.size <= 1 || g.depth > 24 {
		return g.leaf(w)
	}
	g.depth++
	defer func() { g.depth-- }()
	all := ways()
	total := 0
	for _, way := range all {
		total += way.weight
	}
	for range 8 {
		at := g.IntN(total)
		for _, way := range all {
			if at -= way.weight; at < 0 {
				if n := way.make(g, w); n != nil {
					if g.chance(2) {
						n = g.make(w.typ, tight, "(", n, ")")
					}
					return n
				}
				break
			}
		}
	}
	return g.leaf(w)
}

// leaf makes the smallest of expressions: a variable, a constant or a literal.
func (g *generator) leaf(w want) *node {
	found := g.paths(w.env, w.typ)
	if len(found) > 0 && g.chance(75) {
		return pick(g, found...)
	}
	if g.chance(20) {
		if n := g.constRef(w); n != nil {
			return n
		}
	}
	if n := g.literal(w.typ, w.alone, 2); n != nil {
		return n
	}
	if len(found) > 0 {
		return pick(g, found...)
	}
	if n := g.literal(w.typ, false, 0); n != nil {
		return g.annotated(w, n)
	}
	if n := g.buildFromVars(w); n != nil {
		return n
	}
	return g.annotated(w, simplest(w.typ))
}

// buildFromVars makes a value that holds type parameters, whose values are
// variables.
func (g *generator) buildFromVars(w want) *node {
	part := func(t core.Type, alone bool) *node {
		if mentions(t, w.params) {
			return g.leaf(want{w.env, t, 0, alone})
		}
		return g.literal(t, alone, 0)
	}
	var n *node
	switch t := w.typ.(type) {
	case *core.Tuple:
		n = g.tuple(t, func(elem core.Type) *node { return part(elem, w.alone) })
	case *core.Con:
		switch {
		case t.Def == g.std.List && !w.alone:
			n = g.list(t, nil)
		case t.Def == g.std.Map && !w.alone:
			n = g.make(t, tight, "map.empty()")
		case t.Def == g.std.Set && !w.alone:
			n = g.make(t, tight, "set.empty()")
		case len(t.Def.Ctors) > 0 && !isTree(t.Def):
			n = g.construct(t, w.alone, 0, part)
		}
	}
	if n == nil && w.alone {
		if n = g.buildFromVars(want{w.env, w.typ, 0, false}); n != nil {
			return g.annotated(w, n)
		}
	}
	return n
}

func isTree(def *core.TypeDef) bool {
	return isStd(def.Module) && (def.Name == "Map" || def.Name == "Set")
}

// annotated gives an expression its type by a `let` that tells it.
func (g *generator) annotated(w want, x *node) *node {
	v := g.fresh("v")
	n := g.make(w.typ, tight, "let "+v+": ", w.typ, " = ", x, "\n"+v)
	n.let = true
	return n
}

func (g *generator) constRef(w want) *node {
	if g.chance(50) {
		for _, i := range g.Perm(len(g.std.consts)) {
			if c := g.std.consts[i]; core.Identical(c.Type, w.typ) {
				return g.make(w.typ, tight, stdName(c.Module, c.Name))
			}
		}
	}
	if w.pure {
		return nil
	}
	for _, i := range g.Perm(len(g.consts)) {
		if c := g.consts[i]; core.Identical(c.Type, w.typ) {
			return g.make(w.typ, tight, nameOf(c.Module, c.Name))
		}
	}
	return nil
}

func (g *generator) ifElse(w want) *node {
	cond := g.expr(w.of(g.std.con(g.std.Bool), w.size/3))
	then, otherwise := g.expr(w.sized(w.size/3)), g.expr(w.sized(w.size/3))
	if g.chance(15) {
		mid := g.expr(w.sized(w.size / 4))
		second := g.expr(w.of(g.std.con(g.std.Bool), w.size/4))
		return g.make(w.typ, tight, "if ", headHole(cond), " { ", blockHole(then), " } else if ", headHole(second),
			" { ", blockHole(mid), " } else { ", blockHole(otherwise), " }")
	}
	return g.make(w.typ, tight, "if ", headHole(cond), " { ", blockHole(then), " } else { ", blockHole(otherwise), " }")
}

// let binds a pattern that matches all values, with or without its type.
func (g *generator) let(w want) *node {
	t := g.aType(w.params)
	typed := g.chance(40)
	value := g.expr(want{w.env, t, w.size / 2, !typed})
	pat, vars := g.binding(w.env, t)
	items := []any{"let ", pat}
	if typed {
		items = append(items, ": ", t)
	}
	inner := w.in(w.with(vars...))
	inner.size = w.size / 2
	n := g.make(w.typ, tight, append(items, " = ", value, "\n", blockHole(g.expr(inner)))...)
	n.let = true
	return n
}

// binding makes a pattern that matches every value of a type.
func (g *generator) binding(e *env, t core.Type) (*node, []variable) {
	if g.chance(25) {
		if p, vars := g.apart(e, t, 2); p != nil {
			return p, vars
		}
	}
	if g.chance(4) {
		return g.make(nil, tight, "_"), nil
	}
	v := g.local(e)
	return g.make(nil, tight, v), []variable{{v, t}}
}

// build makes a value by its constructor, out of any expressions.
func (g *generator) build(w want) *node {
	share := max(1, w.size/3)
	switch t := w.typ.(type) {
	case *core.Tuple:
		return g.tuple(t, func(elem core.Type) *node { return g.expr(want{w.env, elem, share, w.alone}) })
	case *core.Con:
		switch {
		case t.Def == g.std.List:
			return g.listExpr(w, t)
		case t.Def == g.std.Map:
			pairs := g.listExpr(want{w.env, nil, w.size, w.alone}, g.std.list(&core.Tuple{Elems: t.Args}).(*core.Con))
			return g.wrapped(t, "map.of(", pairs)
		case t.Def == g.std.Set:
			return g.wrapped(t, "set.of(", g.listExpr(want{w.env, nil, w.size, w.alone}, g.std.list(t.Args[0]).(*core.Con)))
		case t.Def.Kind != core.Builtin:
			return g.construct(t, w.alone, w.size, func(ft core.Type, alone bool) *node {
				return g.expr(want{w.env, ft, share, alone})
			})
		}
	}
	return nil
}

// listExpr makes a list of expressions and spread lists.
func (g *generator) listExpr(w want, t *core.Con) *node {
	n := 1 + g.IntN(4)
	var elems []*node
	for range n {
		if g.chance(25) {
			x := g.expr(want{w.env, t, w.size / n, w.alone})
			elems = append(elems, g.make(nil, tight, "..", hole(x, loose)))
			continue
		}
		elems = append(elems, g.expr(want{w.env, t.Args[0], w.size / n, w.alone}))
	}
	return g.list(t, elems)
}

// update makes a record of another one.
func (g *generator) update(w want) *node {
	t, ok := w.typ.(*core.Con)
	if !ok || t.Def.Kind != core.Record {
		return nil
	}
	c := t.Def.Ctors[0]
	types := fields(t, c)
	items := []any{"{ .."}
	if g.chance(50) {
		items = []any{ctorName(c), " { .."}
	}
	items = append(items, g.expr(w.aloneOf(t, w.size/2)))
	for _, i := range g.Perm(len(c.Fields))[:1+g.IntN(len(c.Fields))] {
		items = append(items, ", ", c.Fields[i].Name, ": ", g.expr(w.of(types[i], w.size/3)))
	}
	return g.make(t, tight, append(items, " }")...)
}

// interpolation makes a text of texts and values.
func (g *generator) interpolation(w want) *node {
	if _, ok := is(w.typ, g.std.String); !ok {
		return nil
	}
	items := []any{`"`}
	var before []any
	for range 1 + g.IntN(3) {
		items = append(items, pick(g, "", " ", "a", "x = ", `\{`, `\n`, "0123456789012345678901234567890123456789"))
		t := g.showableType()
		x := g.expr(w.aloneOf(t, w.size/4))
		if lines(x) { // a string ends on its line
			v := g.fresh("v")
			before = append(before, "let "+v+" = ", x, "\n")
			x = g.make(t, tight, v)
		}
		items = append(items, "{", x, "}")
	}
	n := g.make(w.typ, tight, append(before, append(items, `"`)...)...)
	n.let = len(before) > 0
	return n
}

// lines reports whether a node's text has more than one line.
func lines(n *node) bool {
	for _, p := range n.parts {
		if strings.Contains(p.text, "\n") || p.kid != nil && (p.kid.let || lines(p.kid)) {
			return true
		}
	}
	return n.let
}

func (g *generator) showableType() core.Type {
	for range 10 {
		if t := g.aType(nil); g.showable(t) {
			return t
		}
	}
	return g.std.con(g.std.Int)
}

func (g *generator) debug(w want) *node {
	return g.make(w.typ, tight, "debug(", g.expr(w.sized(w.size-1)), ")")
}

// coalesce is `option ?? default`.
func (g *generator) coalesce(w want) *node {
	option := g.expr(w.aloneOf(g.std.option(w.typ), w.size/2))
	return g.make(w.typ, coalesced, hole(option, ored), " ?? ", hole(g.expr(w.of(w.typ, w.size/2)), coalesced))
}

// try is `x?` where the function around it answers an Option or a Result.
func (g *generator) try(w want) *node {
	if w.answer == nil {
		return nil
	}
	var from core.Type
	if _, ok := is(w.answer, g.std.Option); ok {
		from = g.std.option(w.typ)
	} else if args, ok := is(w.answer, g.std.Result); ok {
		from = g.std.con(g.std.Result, w.typ, args[1])
	} else {
		return nil
	}
	x := g.expr(w.aloneOf(from, w.size-1))
	if x.prec == piped && !endsInTry(x) {
		return g.make(w.typ, piped, hole(x, piped), "?")
	}
	if endsInTry(x) {
		x = g.make(from, tight, "(", x, ")") // `??` is another operator
	}
	return g.make(w.typ, tight, hole(x, tight), "?")
}

// endsInTry reports whether a node's text ends with a `?`.
func endsInTry(n *node) bool {
	last := n.parts[len(n.parts)-1]
	return last.text == "?" || last.kid != nil && endsInTry(last.kid)
}

// special makes what only one type has.
func (g *generator) special(w want) *node {
	if _, ok := is(w.typ, g.std.Instant); ok && !w.pure {
		return g.make(w.typ, tight, "now")
	}
	if _, ok := is(w.typ, g.std.Json); ok {
		text := g.expr(w.of(g.std.con(g.std.String), w.size/2))
		return g.make(w.typ, coalesced, "json.parse(", text, ") ?? json.nullValue")
	}
	return nil
}
