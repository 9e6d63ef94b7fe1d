package progen

import (
	"towpath.dev/internal/lang/core"
)

// infix is an operator's line in the table: on which types it gives which.
type infix struct {
	text                string
	left, right, result *core.TypeDef
	prec                prec
}

// infixes is the table of arithmetic.
func (l *library) infixes() []infix {
	s := &l.Std
	var all []infix
	add := func(p prec, text string, left, right, result *core.TypeDef) {
		all = append(all, infix{text, left, right, result, p})
	}
	for _, t := range []*core.TypeDef{s.Int, s.Float, s.Decimal} {
		add(added, "+", t, t, t)
		add(added, "-", t, t, t)
		add(multiplied, "*", t, t, t)
	}
	add(multiplied, "/", s.Int, s.Int, s.Int)
	add(multiplied, "%", s.Int, s.Int, s.Int)
	add(multiplied, "/", s.Float, s.Float, s.Float)
	for _, t := range []*core.TypeDef{s.Money, s.Duration} {
		add(added, "+", t, t, t)
		add(added, "-", t, t, t)
	}
	add(added, "+", s.Instant, s.Duration, s.Instant)
	add(added, "-", s.Instant, s.Duration, s.Instant)
	add(added, "-", s.Instant, s.Instant, s.Duration)
	add(added, "+", s.Date, s.Int, s.Date)
	add(added, "-", s.Date, s.Int, s.Date)
	add(added, "-", s.Date, s.Date, s.Int)
	add(multiplied, "*", s.Money, s.Decimal, s.Money)
	add(multiplied, "*", s.Decimal, s.Money, s.Money)
	add(multiplied, "*", s.Duration, s.Int, s.Duration)
	add(multiplied, "*", s.Int, s.Duration, s.Duration)
	add(multiplied, "/", s.Duration, s.Int, s.Duration)
	return all
}

// operator applies an operator: arithmetic, a comparison or logic.
func (g *generator) operator(w want) *node {
	c, ok := w.typ.(*core.Con)
	if !ok {
		return nil
	}
	if c.Def == g.std.Bool {
		return g.logic(w)
	}
	var fit []infix
	for _, op := range g.std.infixes() {
		if op.result == c.Def {
			fit = append(fit, op)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	if c.Def != g.std.Instant && c.Def != g.std.Date && g.chance(12) {
		x := g.expr(w.aloneOf(w.typ, w.size-1))
		return g.make(w.typ, negated, "-", hole(x, tight))
	}
	op := pick(g, fit...)
	left := g.expr(w.aloneOf(g.std.con(op.left), w.size/2))
	right := g.expr(w.aloneOf(g.std.con(op.right), w.size/2))
	sign := " " + op.text + " "
	if op.text != "-" && g.chance(10) {
		sign = "\n" + sign
	}
	return g.make(w.typ, op.prec, hole(left, op.prec), sign, hole(right, op.prec+1))
}

// logic makes a Bool: a comparison, `&&`, `||`, `!` or `is`.
func (g *generator) logic(w want) *node {
	share := w.size / 2
	boolean := func(min prec) part { return hole(g.expr(w.of(w.typ, share)), min) }
	switch g.IntN(10) {
	case 0, 1:
		return g.make(w.typ, anded, boolean(anded), " && ", boolean(compared))
	case 2:
		return g.make(w.typ, ored, boolean(ored), " || ", boolean(anded))
	case 3:
		return g.make(w.typ, negated, "!", boolean(tight))
	case 4:
		t := g.aType(nil)
		x := g.expr(w.aloneOf(t, share))
		pat, _ := g.pattern(w.env, t, patterns{depth: 2, silent: true})
		return g.make(w.typ, compared, hole(x, added), " is ", pat)
	}
	t := g.aType(w.params)
	left := g.expr(w.aloneOf(t, share))
	right := g.expr(w.aloneOf(t, share))
	op := pick(g, " == ", " == ", " != ", " < ", " <= ", " > ", " >= ")
	return g.make(w.typ, compared, hole(left, added), op, hole(right, added))
}
