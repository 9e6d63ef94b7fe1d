package progen

import (
	"towpath.dev/internal/lang/core"
)

// declareServices declares services whose operations give types that the
// program uses.
func (g *generator) declareServices() {
	for range 1 + g.IntN(2) {
		m := g.lib
		s := &core.Service{Module: m.core, Name: g.fresh("Svc")}
		g.asking[s.Name] = true
		items := []any{g.pub(m), "service ", s.Name, " {\n"}
		for range 1 + g.IntN(4) {
			op := &core.Operation{Service: s, Name: g.fresh("op"), Result: g.boundaryType()}
			items = append(items, "  fn ", op.Name, "(")
			for i := range g.IntN(3) {
				p := &core.Local{Name: g.fresh("p"), Type: g.boundaryType()}
				op.Params = append(op.Params, p)
				if i > 0 {
					items = append(items, ", ")
				}
				items = append(items, p.Name, ": ", p.Type)
			}
			items = append(items, ") -> ", op.Result,
				pick(g, "", "", " batch 3", " batch 100"), pick(g, "", "", " within 40ms", " within 5ms"),
				pick(g, "", "", " cache 5s shared", " cache 1m per caller"), "\n")
			s.Ops = append(s.Ops, op)
			g.ops = append(g.ops, op)
		}
		g.declare(m, append(items, "}")...)
	}
}

// ask calls an operation.
func (g *generator) ask(w want, op *core.Operation) *node {
	items := []any{nameOf(op.Service.Module, op.Service.Name), "." + op.Name, "("}
	for i, p := range op.Params {
		if i > 0 {
			items = append(items, ", ")
		}
		items = append(items, g.expr(w.of(p.Type, w.size/(len(op.Params)+1))))
	}
	return g.make(op.Result, tight, append(items, ")")...)
}

// askExpr is an operation's answer of the wanted type.
func (g *generator) askExpr(w want) *node {
	if !w.mayAsk {
		return nil
	}
	for _, i := range g.Perm(len(g.ops)) {
		if core.Identical(g.ops[i].Result, w.typ) {
			return g.ask(w, g.ops[i])
		}
	}
	if g.chance(30) {
		return g.surely(w)
	}
	return nil
}

// surely is an expression that surely asks something.
func (g *generator) surely(w want) *node {
	for _, i := range g.Perm(len(g.ops)) {
		if core.Identical(g.ops[i].Result, w.typ) {
			return g.ask(w, g.ops[i])
		}
	}
	op := pick(g, g.ops...)
	value := g.ask(w.sized(w.size/2), op)
	pat, vars := g.binding(w.env, op.Result)
	inner := w.in(w.with(vars...))
	inner.size = w.size / 2
	n := g.make(w.typ, tight, "let ", pat, " = ", value, "\n", blockHole(g.expr(inner)))
	n.let = true
	return n
}

// scopeExpr bounds or guards what asks.
func (g *generator) scopeExpr(w want) *node {
	if !w.mayAsk || w.guarded > 3 {
		return nil
	}
	e := *w.env
	e.guarded++
	body := g.surely(want{&e, w.typ, w.size / 2, w.alone})
	if g.chance(50) {
		if x := g.callParam(want{&e, w.typ, w.size / 2, w.alone}); x != nil { // whether that asks is its giver's matter
			body = x
		}
	}
	if g.chance(30) {
		if x := g.expr(want{&e, w.typ, w.size / 2, w.alone}); g.asks(x) {
			body = x
		}
	}
	var items []any
	shape := g.IntN(6)
	if shape < 2 {
		items = append(items, "optional ")
	}
	items = append(items, hole(body, piped))
	if shape != 2 && g.chance(60) || shape == 3 {
		items = append(items, " within ", hole(g.within(w), coalesced))
	}
	if shape != 3 {
		items = append(items, " else ", g.expr(w.sized(w.size/3)))
	}
	return g.make(w.typ, loose, items...)
}

// within is a scope's time.
func (g *generator) within(w want) *node {
	t := g.std.con(g.std.Duration)
	if g.chance(15) {
		return g.expr(w.of(t, w.size/4))
	}
	return g.make(t, tight, pick(g, "1ms", "5ms", "10ms", "20ms", "1s", "0s"))
}

// asks reports whether a node's text may ask: it names an operation, or a
// function that asks.
func (g *generator) asks(n *node) bool {
	for _, p := range n.parts {
		if p.kid != nil && g.asks(p.kid) || p.name != nil && g.asking[p.name.text] {
			return true
		}
	}
	return false
}
