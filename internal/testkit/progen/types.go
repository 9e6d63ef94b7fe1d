package progen

import (
	"towpath.dev/internal/lang/core"
)

// declareTypes declares wrappers, enums, records and variants, each of those
// before it, and collects types to be used throughout.
func (g *generator) declareTypes() {
	for range 1 + g.IntN(5) {
		m := pick(g, g.lib, g.lib, g.main)
		if m == g.main && g.lib != g.main {
			m = g.lib // what lib's functions and services use lies in lib
		}
		switch g.IntN(10) {
		case 0, 1:
			g.declareWrapper(m)
		case 2, 3:
			g.declareEnum(m)
		case 4, 5, 6:
			g.declareRecord(m)
		default:
			g.declareVariant(m)
		}
	}
	base := g.bases()
	for range 3 {
		g.types = append(g.types, pick(g, base...))
	}
	for range 6 {
		g.types = append(g.types, g.newType(2, nil))
	}
}

func (g *generator) bases() []core.Type {
	s := &g.std.Std
	defs := []*core.TypeDef{
		s.Int, s.Int, s.Int, s.Int, s.String, s.String, s.String, s.Bool, s.Bool, s.Float, s.Float,
		s.Decimal, s.Decimal, s.Money, s.Money, s.Duration, s.Instant, s.Date, s.Json, s.Order, s.Round,
	}
	out := make([]core.Type, len(defs))
	for i, d := range defs {
		out[i] = g.std.con(d)
	}
	return out
}

// aType is a type for something that is not decided otherwise.
func (g *generator) aType(params []*core.Param) core.Type {
	if len(params) > 0 && g.chance(40) {
		return pick(g, params...)
	}
	if len(g.types) > 0 && g.chance(75) {
		return pick(g, g.types...)
	}
	return g.newType(2, params)
}

// newType makes a type at most so many levels deep.
func (g *generator) newType(depth int, params []*core.Param) core.Type {
	if len(params) > 0 && g.chance(40) {
		return pick(g, params...)
	}
	if depth == 0 || g.chance(35) {
		return pick(g, g.bases()...)
	}
	elem := func() core.Type { return g.newType(depth-1, params) }
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.std.list(elem())
	case 3, 4:
		return g.std.option(elem())
	case 5:
		return g.std.con(g.std.Result, elem(), elem())
	case 6:
		return g.std.con(g.std.Map, elem(), elem())
	case 7:
		return g.std.con(g.std.Set, elem())
	case 8:
		if g.chance(5) {
			return &core.Tuple{}
		}
		t := &core.Tuple{Elems: []core.Type{elem(), elem()}}
		if g.chance(20) {
			t.Elems = append(t.Elems, elem())
		}
		return t
	case 9:
		if len(g.generic) > 0 {
			return g.applied(pick(g, g.generic...), elem)
		}
	}
	if len(g.plain) > 0 {
		return g.std.con(pick(g, g.plain...))
	}
	return elem()
}

func (g *generator) applied(def *core.TypeDef, elem func() core.Type) core.Type {
	c := &core.Con{Def: def}
	for range def.Params {
		c.Args = append(c.Args, elem())
	}
	return c
}

func (g *generator) newDef(m *module, kind core.TypeKind, prefix string) *core.TypeDef {
	def := &core.TypeDef{Module: m.core, Name: g.fresh(prefix), Kind: kind, Pub: true}
	if g.chance(30) {
		for i := range 1 + g.IntN(1+b2i(kind != core.Wrapper)) {
			def.Params = append(def.Params, &core.Param{Name: string("TU"[i])})
		}
	}
	return def
}

// keep makes a declared type known.
func (g *generator) keep(def *core.TypeDef) {
	if len(def.Params) > 0 {
		g.generic = append(g.generic, def)
		return
	}
	g.plain = append(g.plain, def)
	g.types = append(g.types, g.std.con(def))
}

func (g *generator) declareWrapper(m *module) {
	def := g.newDef(m, core.Wrapper, "Wrap")
	inner := g.newType(1, def.Params)
	if len(def.Params) > 0 {
		inner = pick(g, core.Type(def.Params[0]), g.std.list(def.Params[0]), g.std.option(def.Params[0]))
	}
	def.Ctors = []*core.Ctor{{Def: def, Name: def.Name, Fields: []*core.Field{{Name: "value", Type: inner}}}}
	g.declare(m, g.pub(m), "type ", def.Name, paramList(def.Params), "(", inner, ")")
	g.keep(def)
}

// jsonName gives a constructor another name in JSON now and then.
func (g *generator) jsonName() string {
	if g.chance(90) {
		return ""
	}
	return `@json("` + g.fresh("j-") + `") `
}

func (g *generator) declareEnum(m *module) {
	def := g.newDef(m, core.Variant, "Enum")
	def.Params = nil
	items := []any{g.pub(m), "type ", def.Name, " = "}
	for i := range 2 + g.IntN(4) {
		c := &core.Ctor{Def: def, Name: g.fresh("C"), Tag: i}
		def.Ctors = append(def.Ctors, c)
		if i > 0 {
			items = append(items, " | ")
		}
		items = append(items, g.jsonName(), c.Name)
	}
	g.declare(m, items...)
	g.keep(def)
}

func (g *generator) declareRecord(m *module) {
	def := g.newDef(m, core.Record, "Rec")
	c := &core.Ctor{Def: def, Name: def.Name}
	def.Ctors = []*core.Ctor{c}
	items := []any{g.pub(m), "type ", def.Name, paramList(def.Params), " {\n"}
	for i := range len(def.Params) + 1 + g.IntN(4) {
		f := &core.Field{Name: g.fresh("f"), Type: g.newType(1, def.Params)}
		switch {
		case i < len(def.Params):
			f.Type = def.Params[i]
		case len(def.Params) == 0 && g.chance(10):
			f.Type = g.std.list(g.std.con(def)) // a recursive type
		}
		c.Fields = append(c.Fields, f)
		if g.chance(10) {
			items = append(items, `  @json("`+g.fresh("j-")+"\")\n")
		}
		items = append(items, "  ", f.Name, ": ", f.Type)
		if len(def.Params) == 0 && !holds(f.Type, def) && g.steady(f.Type) && g.chance(15) {
			if x := g.literal(f.Type, false, 1); x != nil {
				f.Default = &core.Lit{} // that there is one
				items = append(items, " = ", x)
			}
		}
		items = append(items, "\n")
	}
	g.declare(m, append(items, "}")...)
	g.keep(def)
}

func (g *generator) declareVariant(m *module) {
	def := g.newDef(m, core.Variant, "Var")
	self := &core.Con{Def: def}
	for _, p := range def.Params {
		self.Args = append(self.Args, p)
	}
	recursive := g.chance(50)
	items := []any{g.pub(m), "type ", def.Name, paramList(def.Params), " ="}
	for i := range 2 + g.IntN(3) {
		c := &core.Ctor{Def: def, Name: g.fresh("C"), Tag: i}
		def.Ctors = append(def.Ctors, c)
		items = append(items, pick(g, " ", "\n  "), "| ", g.jsonName(), c.Name)
		count := g.IntN(4)
		if i == 1 {
			count = max(count, 1, len(def.Params))
		}
		named := g.chance(60)
		for j := range count {
			f := &core.Field{Type: g.newType(1, def.Params)}
			if i == 1 && j < len(def.Params) {
				f.Type = def.Params[j]
			} else if i > 0 && recursive && g.chance(50) {
				f.Type = self
			}
			items = append(items, []string{", ", "("}[b2i(j == 0)])
			if named {
				f.Name = g.fresh("f")
				items = append(items, f.Name, ": ")
			}
			c.Fields = append(c.Fields, f)
			items = append(items, f.Type)
		}
		if count > 0 {
			items = append(items, ")")
		}
	}
	g.declare(m, items...)
	g.keep(def)
}

// holds reports whether a type names a definition.
func holds(t core.Type, def *core.TypeDef) bool {
	c, ok := t.(*core.Con)
	return ok && (c.Def == def || len(c.Args) > 0 && holds(c.Args[0], def))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func paramList(params []*core.Param) []part {
	ts := make([]core.Type, len(params))
	for i, p := range params {
		ts[i] = p
	}
	return bracketed("<", ts, ">")
}

// innermost looks through wrappers.
func innermost(t core.Type) core.Type {
	for {
		c, ok := t.(*core.Con)
		if !ok || c.Def.Kind != core.Wrapper || isStd(c.Def.Module) {
			return t
		}
		t = fields(c, c.Def.Ctors[0])[0]
	}
}

// crosses reports whether a type can stand in a view's or an operation's
// signature: JSON cannot tell the None and the Some(None) of an Option apart.
func (g *generator) crosses(t core.Type) bool {
	seen := map[string]bool{}
	var ok func(t core.Type) bool
	all := func(ts []core.Type) bool {
		for _, t := range ts {
			if !ok(t) {
				return false
			}
		}
		return true
	}
	ok = func(t core.Type) bool {
		switch t := t.(type) {
		case *core.Tuple:
			return all(t.Elems)
		case *core.Con:
			if inner, isOption := is(t, g.std.Option); isOption {
				if _, twice := is(innermost(inner[0]), g.std.Option); twice {
					return false
				}
			}
			if seen[t.String()] {
				return true
			}
			seen[t.String()] = true
			if !all(t.Args) {
				return false
			}
			if t.Def == g.std.Map || t.Def == g.std.Set {
				return true
			}
			for _, c := range t.Def.Ctors {
				if !all(fields(t, c)) {
					return false
				}
			}
			return true
		}
		return false
	}
	return ok(t)
}

// steady reports whether literals of a type have a value in any case, as
// defaults must: keys of several currencies have none.
func (g *generator) steady(t core.Type) bool {
	seen := map[string]bool{}
	keys, money := false, false
	var look func(t core.Type)
	look = func(t core.Type) {
		switch t := t.(type) {
		case *core.Tuple:
			for _, e := range t.Elems {
				look(e)
			}
		case *core.Con:
			keys = keys || isTree(t.Def)
			money = money || t.Def == g.std.Money
			if seen[t.String()] {
				return
			}
			seen[t.String()] = true
			for _, a := range t.Args {
				look(a)
			}
			for _, c := range t.Def.Ctors {
				if isTree(t.Def) {
					break
				}
				for _, f := range fields(t, c) {
					look(f)
				}
			}
		}
	}
	look(t)
	return !keys || !money
}

// boundaryType is a type for a view's or an operation's signature.
func (g *generator) boundaryType() core.Type {
	for range 20 {
		if t := g.aType(nil); g.crosses(t) {
			return t
		}
	}
	return g.std.con(g.std.Int)
}

// showable reports whether interpolation prints a type.
func (g *generator) showable(t core.Type) bool {
	c, ok := innermost(t).(*core.Con)
	if !ok || c.Def == g.std.Json {
		return false
	}
	if c.Def.Kind == core.Builtin {
		return len(c.Def.Params) == 0
	}
	if c.Def.Kind != core.Variant {
		return false
	}
	for _, ctor := range c.Def.Ctors {
		if len(ctor.Fields) > 0 {
			return false
		}
	}
	return true
}
