package progen

import (
	"towpath.dev/internal/lang/core"
)

// patterns says what patterns may be.
type patterns struct {
	depth  int
	silent bool // nothing is bound
}

// matchExpr chooses among patterns.
func (g *generator) matchExpr(w want) *node {
	t := g.aType(w.params)
	if g.chance(40) {
		t = g.variantType(t)
	}
	items := []any{"match ", headHole(g.expr(w.aloneOf(t, w.size/3))), " {\n"}
	n := 1 + g.IntN(3)
	if c, ok := t.(*core.Con); ok && len(c.Def.Ctors) > 1 && g.chance(50) {
		n = len(c.Def.Ctors)
		for _, ctor := range c.Def.Ctors {
			pat, vars := g.ctorPattern(w.env, c, ctor, patterns{}, true)
			items = append(items, pat, " -> ", g.expr(w.in(w.with(vars...)).sized(w.size/(n+1))), "\n")
		}
		return g.make(w.typ, tight, append(items, "}")...)
	}
	if c, ok := t.(*core.Con); ok && len(c.Def.Ctors) > 1 && g.chance(40) {
		return g.someCtors(w, c, items)
	}
	sep := pick(g, "\n", "\n", ", ")
	first := g.group(n)
	for i := range n {
		pat, vars := g.pattern(w.env, t, patterns{depth: 3})
		arm := []any{pat}
		inner := w.in(w.with(vars...))
		if g.chance(35) {
			arm = append(arm, " if ", hole(g.expr(inner.of(g.std.con(g.std.Bool), w.size/4)), piped))
		}
		arm = append(arm, " -> ", g.expr(inner.sized(w.size/(n+1))), sep)
		items = append(items, grouped(first+i, parts(arm...)))
	}
	v := g.local(w.env)
	last, body := any("_"), w
	if g.chance(50) {
		last, body = v, w.in(w.with(variable{v, t}))
	}
	items = append(items, last, " -> ", g.expr(body.sized(w.size/(n+1))), "\n}")
	return g.make(w.typ, tight, items...)
}

// someCtors goes on with arms of some constructors, each once and as a whole,
// and one for the others.
func (g *generator) someCtors(w want, t *core.Con, items []any) *node {
	ctors := g.Perm(len(t.Def.Ctors))
	for _, i := range ctors[1:] {
		pat, vars := g.ctorPattern(w.env, t, t.Def.Ctors[i], patterns{}, true)
		items = append(items, pat, " -> ", g.expr(w.in(w.with(vars...)).sized(w.size/(len(ctors)+1))), "\n")
	}
	v := g.fresh("v")
	body := w.in(w.with(variable{v, t}))
	return g.make(w.typ, tight, append(items, v, " -> ", g.expr(body.sized(w.size/(len(ctors)+1))), "\n}")...)
}

// variantType is a type with alternatives if there is one at hand, else t.
func (g *generator) variantType(t core.Type) core.Type {
	switch g.IntN(3) {
	case 0:
		return g.std.option(t)
	case 1:
		for range 5 {
			if c, ok := pick(g, g.types...).(*core.Con); ok && len(c.Def.Ctors) > 1 {
				return c
			}
		}
	}
	return t
}

// pattern makes a pattern of a type, and tells what it binds.
func (g *generator) pattern(e *env, t core.Type, how patterns) (*node, []variable) {
	if !how.silent && g.chance(8) && how.depth > 0 {
		inner, vars := g.pattern(e, t, patterns{how.depth - 1, how.silent})
		v := g.fresh("v")
		return g.make(nil, loose, hole(inner, loose), " as "+v), append(vars, variable{v, t})
	}
	if how.depth > 0 && g.chance(15) {
		return g.alternatives(e, t, how)
	}
	if how.depth <= 0 || g.chance(20) {
		return g.plainPattern(e, t, how)
	}
	switch t := t.(type) {
	case *core.Tuple:
		return g.tuplePattern(t, how, func(elem core.Type, how patterns) (*node, []variable) { return g.pattern(e, elem, how) })
	case *core.Con:
		switch {
		case t.Def == g.std.List:
			return g.listPattern(e, t, how)
		case isTree(t.Def):
		case t.Def.Kind == core.Builtin:
			if lit := g.literalPattern(t); lit != nil {
				return lit, nil
			}
		case len(t.Def.Ctors) > 0:
			return g.ctorPattern(e, t, pick(g, t.Def.Ctors...), how, false)
		}
	}
	return g.plainPattern(e, t, how)
}

// plainPattern is a name or `_`.
func (g *generator) plainPattern(e *env, t core.Type, how patterns) (*node, []variable) {
	if how.silent || g.chance(25) {
		return g.make(nil, tight, "_"), nil
	}
	v := g.fresh("v")
	return g.make(nil, tight, v), []variable{{v, t}}
}

func (g *generator) literalPattern(t *core.Con) *node {
	if t.Def == g.std.Json {
		return nil
	}
	x := g.builtin(t, false, 0)
	if x == nil {
		return nil
	}
	return &node{prec: tight, parts: x.parts}
}

func (g *generator) tuplePattern(t *core.Tuple, how patterns, of func(core.Type, patterns) (*node, []variable)) (*node, []variable) {
	var vars []variable
	items := []any{"("}
	for i, elem := range t.Elems {
		if i > 0 {
			items = append(items, ", ")
		}
		p, more := of(elem, patterns{how.depth - 1, how.silent})
		items = append(items, p)
		vars = append(vars, more...)
	}
	if len(t.Elems) == 0 {
		return g.make(nil, tight, "_"), nil
	}
	return g.make(nil, tight, append(items, ")")...), vars
}

func (g *generator) listPattern(e *env, t *core.Con, how patterns) (*node, []variable) {
	var vars []variable
	items := []any{"["}
	for i := range g.IntN(3) {
		if i > 0 {
			items = append(items, ", ")
		}
		p, more := g.pattern(e, t.Args[0], patterns{how.depth - 1, how.silent})
		items = append(items, p)
		vars = append(vars, more...)
	}
	if g.chance(60) {
		if len(items) > 1 {
			items = append(items, ", ")
		}
		items = append(items, "..")
		if !how.silent && g.chance(60) {
			v := g.fresh("v")
			items = append(items, v)
			vars = append(vars, variable{v, t})
		}
	}
	return g.make(nil, tight, append(items, "]")...), vars
}

// ctorPattern takes a constructor apart; with total it matches every value of it.
func (g *generator) ctorPattern(e *env, t *core.Con, c *core.Ctor, how patterns, total bool) (*node, []variable) {
	of := func(ft core.Type) (*node, []variable) {
		if total {
			return g.plainPattern(e, ft, how)
		}
		return g.pattern(e, ft, patterns{how.depth - 1, how.silent})
	}
	types := fields(t, c)
	if len(types) == 0 {
		return g.make(nil, tight, ctorName(c)), nil
	}
	braces := t.Def.Kind == core.Record
	labels := braces || c.Fields[0].Name != "" && t.Def.Kind == core.Variant && g.chance(40)
	var vars []variable
	items := []any{ctorName(c), []string{"(", " { "}[b2i(braces)]}
	skipped, first := false, true
	for _, i := range g.order(len(types), labels) {
		if labels && braces && g.chance(30) {
			skipped = true
			continue
		}
		if !first {
			items = append(items, ", ")
		}
		first = false
		p, more := of(types[i])
		if labels {
			items = append(items, c.Fields[i].Name, ": ")
		}
		items = append(items, p)
		vars = append(vars, more...)
	}
	if skipped {
		items = append(items, []string{", ..", ".."}[b2i(first)])
	}
	return g.make(nil, tight, append(items, []string{")", " }"}[b2i(braces)])...), vars
}

// order is the numbers below n, in any order where that is possible.
func (g *generator) order(n int, any bool) []int {
	if any && g.chance(50) {
		return g.Perm(n)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// alternatives makes `A | B`, both of which bind the same.
func (g *generator) alternatives(e *env, t core.Type, how patterns) (*node, []variable) {
	if pair, ok := t.(*core.Tuple); ok && !how.silent && len(pair.Elems) == 2 && core.Identical(pair.Elems[0], pair.Elems[1]) {
		v := g.fresh("v")
		silent := patterns{how.depth - 1, true}
		a, _ := g.pattern(e, pair.Elems[1], silent)
		b, _ := g.pattern(e, pair.Elems[0], silent)
		n := g.make(nil, loose, "("+v+", ", a, ") | (", b, ", "+v+")")
		return g.make(nil, tight, "(", n, ")"), []variable{{v, pair.Elems[0]}}
	}
	if c, ok := t.(*core.Con); ok && !how.silent {
		if n, vars := g.sameField(c); n != nil {
			return n, vars
		}
	}
	silent := patterns{how.depth - 1, true}
	items := []any{"("}
	for i := range 2 + g.IntN(2) {
		if i > 0 {
			items = append(items, " | ")
		}
		p, _ := g.pattern(e, t, silent)
		items = append(items, hole(p, tight))
	}
	return g.make(nil, tight, append(items, ")")...), nil
}

// sameField makes alternatives of two constructors that have a field of one
// type, which is bound.
func (g *generator) sameField(t *core.Con) (*node, []variable) {
	type place struct {
		ctor  *core.Ctor
		field int
		typ   core.Type
	}
	var places []place
	for _, c := range t.Def.Ctors {
		for i, ft := range fields(t, c) {
			places = append(places, place{c, i, ft})
		}
	}
	v := g.fresh("v")
	alternative := func(p place) []part {
		items := parts(ctorName(p.ctor), "(")
		for i := range p.ctor.Fields {
			if i > 0 {
				items = append(items, part{text: ", "})
			}
			items = append(items, part{text: []string{"_", v}[b2i(i == p.field)]})
		}
		return append(items, part{text: ")"})
	}
	for _, i := range g.Perm(len(places)) {
		for _, j := range g.Perm(len(places)) {
			a, b := places[i], places[j]
			if a.ctor != b.ctor && core.Identical(a.typ, b.typ) && t.Def.Kind == core.Variant {
				return g.make(nil, tight, "(", alternative(a), " | ", alternative(b), ")"), []variable{{v, a.typ}}
			}
		}
	}
	return nil, nil
}

// apart takes a record or a tuple apart where nothing else can be there.
func (g *generator) apart(e *env, t core.Type, depth int) (*node, []variable) {
	of := func(elem core.Type) (*node, []variable) {
		if depth > 0 && g.chance(30) {
			if p, vars := g.apart(e, elem, depth-1); p != nil {
				return p, vars
			}
		}
		return g.plainPattern(e, elem, patterns{})
	}
	switch t := t.(type) {
	case *core.Tuple:
		return g.tuplePattern(t, patterns{}, func(elem core.Type, _ patterns) (*node, []variable) { return of(elem) })
	case *core.Con:
		if t.Def.Kind == core.Record || t.Def.Kind == core.Wrapper && !isTree(t.Def) {
			return g.ctorPattern(e, t, t.Def.Ctors[0], patterns{}, true)
		}
	}
	return nil, nil
}
