package progen

import (
	"fmt"
	"strings"

	"towpath.dev/internal/lang/core"
)

// literal makes a value of a type out of literals and constructors. With alone,
// its text must tell its type by itself. It is nil for what has none: type
// parameters, and some types alone.
func (g *generator) literal(t core.Type, alone bool, size int) *node {
	switch t := t.(type) {
	case *core.Tuple:
		return g.tuple(t, func(elem core.Type) *node { return g.literal(elem, alone, less(size)) })
	case *core.Con:
		switch t.Def.Kind {
		case core.Builtin:
			return g.builtin(t, alone, size)
		}
		if t.Def == g.std.Map || t.Def == g.std.Set {
			return g.builtin(t, alone, size)
		}
		return g.construct(t, alone, size, func(field core.Type, alone bool) *node { return g.literal(field, alone, less(size)) })
	}
	return nil
}

// less is the size of a part. It goes below 0, where what can end does.
func less(size int) int {
	if size > 0 {
		return size / 2
	}
	return size - 1
}

func (g *generator) tuple(t *core.Tuple, of func(core.Type) *node) *node {
	if len(t.Elems) == 0 {
		return g.make(t, tight, "()")
	}
	items := []any{"("}
	for i, elem := range t.Elems {
		x := of(elem)
		if x == nil {
			return nil
		}
		if i > 0 {
			items = append(items, ", ")
		}
		items = append(items, x)
	}
	return g.make(t, tight, append(items, ")")...)
}

// builtin makes a literal of a type that the language knows.
func (g *generator) builtin(t *core.Con, alone bool, size int) *node {
	s := &g.std.Std
	atom := func(text string) *node {
		if strings.HasPrefix(text, "-") {
			return g.make(t, negated, text)
		}
		return g.make(t, tight, text)
	}
	switch t.Def {
	case s.Bool:
		return atom(pick(g, "true", "false"))
	case s.Int:
		return atom(g.intText())
	case s.Float:
		if alone {
			return nil
		}
		return atom(pick(g, "0", "1", "-1", "0.5", "2.5", "-0.0", "1e300", "-1.25e-3", "100", "3", "0.1", "4e-320"))
	case s.Decimal:
		text := g.decimalText()
		if alone && !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return atom(text)
	case s.Money:
		return atom(g.amountText() + " " + g.currency())
	case s.String:
		return atom(g.stringText())
	case s.Duration:
		return atom(pick(g, "0s", "1ns", "50ms", "2h", "3d", "1h30m", "-5s", "10us", "106751d", "-90m", "1s"))
	case s.Instant:
		return atom(pick(g, "1970-01-01T00:00:00Z", "2026-01-31T09:30:00Z", "2024-02-29T23:59:59.999999999Z",
			"1969-12-31T23:59:59Z", "2261-12-31T23:59:59.999Z", "1678-01-01T00:00:00Z"))
	case s.Date:
		return atom(pick(g, "1970-01-01", "2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31", "1900-03-01"))
	case s.Json:
		return atom(pick(g, "json.nullValue", "json.fromInt(7)", `json.fromString("a\"b")`, "json.fromBool(true)",
			`json.fromList([json.fromInt(1), json.nullValue])`, `json.fromObject([("a", json.fromInt(2))])`))
	case s.List:
		return g.listOf(t, alone, size)
	case s.Map:
		if !alone && g.chance(30) {
			return atom("map.empty()")
		}
		pair := &core.Tuple{Elems: t.Args}
		x := g.listOf(g.std.list(pair).(*core.Con), alone, size)
		return g.wrapped(t, pick(g, "map.of(", "map.fromList("), x)
	case s.Set:
		if !alone && g.chance(30) {
			return atom("set.empty()")
		}
		x := g.listOf(g.std.list(t.Args[0]).(*core.Con), alone, size)
		return g.wrapped(t, "set.of(", x)
	}
	return nil
}

func (g *generator) wrapped(t core.Type, call string, x *node) *node {
	if x == nil {
		return nil
	}
	return g.make(t, tight, call, x, ")")
}

func (g *generator) listOf(t *core.Con, alone bool, size int) *node {
	n := g.IntN(4)
	if size < 1 {
		n = 0
		if alone && size < -2 {
			return nil
		}
	}
	if alone {
		n = max(n, 1)
	}
	var elems []*node
	for range n {
		x := g.literal(t.Args[0], alone, less(size))
		if x == nil {
			if alone {
				return nil
			}
			continue
		}
		elems = append(elems, x)
	}
	return g.list(t, elems)
}

// list makes a list literal of nodes.
func (g *generator) list(t core.Type, elems []*node) *node {
	return g.make(t, tight, "[", separated(elems, g.group(len(elems))), "]")
}

func (g *generator) intText() string {
	if !g.chance(g.edge) {
		return fmt.Sprint(g.IntN(13) - 3)
	}
	return pick(g, "100", "1_000", "-40", "0xff", "0b101", "64", "65", "4294967296", "-2147483648",
		"9223372036854775807", "-9223372036854775808", "9223372036854775806", "3037000500", "1000000007")
}

func (g *generator) decimalText() string {
	if !g.chance(g.edge) {
		return pick(g, "0", "1", "2.5", "-0.1", "10.00", "19.99", "100", "0.001", "-3", "7.25")
	}
	return pick(g, "9999999999999999999999999999999999", "0.0000000000000000000000000000000001", "1e30", "-1e-20",
		"36028797018963967", "36028797018963968", "-36028797018963969.5", "4398046511103.999", "123456789012345678.123456789")
}

func (g *generator) amountText() string {
	for {
		if text := g.decimalText(); !strings.Contains(text, "e") {
			return text
		}
	}
}

func (g *generator) currency() string {
	if g.chance(90) {
		return "USD"
	}
	return pick(g, "EUR", "JPY", "ZWG")
}

func (g *generator) stringText() string {
	if !g.chance(g.edge) {
		return pick(g, `""`, `"a"`, `"b"`, `"ab"`, `"abc"`, `"hello world"`, `"1"`, `"2.5"`, `"x y  z"`, `"key"`)
	}
	return pick(g, `"é日😀"`, `"\{\n\t\"\\"`, `"\u{1F600}"`, `" trimmed\t"`, `"`+strings.Repeat("0123456789", 9)+`"`,
		`"[1, \{\"a\": null}]"`, `"Europe/Berlin"`, `"2026-01-31"`, `"`+strings.Repeat("é", 33)+`"`, `"USD"`, `"-7"`)
}

// construct builds a value of a type that the program or the library declares.
func (g *generator) construct(t *core.Con, alone bool, size int, of func(t core.Type, alone bool) *node) *node {
	ctors := t.Def.Ctors
	if len(ctors) == 0 {
		return nil
	}
	c := ctors[g.IntN(len(ctors))]
	if size <= 0 || g.depth > 12 {
		c = ctors[0]
	}
	if alone && !tellsType(t, c) {
		for _, other := range ctors {
			if tellsType(t, other) && size > -3 {
				c = other
			}
		}
		if !tellsType(t, c) {
			return nil
		}
	}
	types := fields(t, c)
	kids := make([]*node, len(types))
	for i, ft := range types {
		if c.Fields[i].Default != nil && g.chance(50) {
			continue
		}
		g.depth++
		kids[i] = of(ft, alone && len(t.Def.Params) > 0)
		g.depth--
		if kids[i] == nil {
			return nil
		}
	}
	if t.Def.Kind == core.Record {
		return g.record(t, c, kids)
	}
	return g.ctorCall(t, c, kids)
}

// tellsType reports whether a constructor's fields give all type arguments.
func tellsType(t *core.Con, c *core.Ctor) bool {
	for _, p := range t.Def.Params {
		found := false
		for _, f := range c.Fields {
			found = found || mentions(f.Type, []*core.Param{p})
		}
		if !found {
			return false
		}
	}
	return true
}

// record writes a record's literal, its fields in any order.
func (g *generator) record(t core.Type, c *core.Ctor, kids []*node) *node {
	order := g.Perm(len(kids))
	if g.chance(60) {
		for i := range order {
			order[i] = i
		}
	}
	items := []any{ctorName(c), " { "}
	sep := pick(g, ", ", "\n")
	first := true
	for _, i := range order {
		if kids[i] == nil {
			continue
		}
		if !first {
			items = append(items, sep)
		}
		first = false
		items = append(items, c.Fields[i].Name, ": ", kids[i])
	}
	return g.make(t, tight, append(items, " }")...)
}

func (g *generator) ctorCall(t core.Type, c *core.Ctor, kids []*node) *node {
	if len(kids) == 0 {
		return g.make(t, tight, ctorName(c))
	}
	items := []any{ctorName(c), "("}
	labels := c.Fields[0].Name != "" && c.Def.Kind == core.Variant && g.chance(30)
	for i, k := range kids {
		if k == nil {
			labels = c.Fields[0].Name != "" // those after a default have labels
			continue
		}
		if len(items) > 2 {
			items = append(items, ", ")
		}
		if labels {
			items = append(items, c.Fields[i].Name, ": ")
		}
		items = append(items, k)
	}
	return g.make(t, tight, append(items, ")")...)
}

// simplest is the least value of a type that can be written anywhere: what the
// reducer puts in an expression's place. It is nil for type parameters.
func simplest(t core.Type) *node {
	out := &node{typ: t, prec: tight}
	kids := func(open, closing string, ts []core.Type) *node {
		items := []any{open}
		for i, k := range ts {
			x := simplest(k)
			if x == nil {
				return nil
			}
			if i > 0 {
				items = append(items, ", ")
			}
			items = append(items, x)
		}
		out.parts = parts(append(items, closing)...)
		return out
	}
	switch t := t.(type) {
	case *core.Tuple:
		return kids("(", ")", t.Elems)
	case *core.Con:
		texts := map[string]string{
			"Bool": "true", "Int": "0", "Float": "0.0", "Decimal": "0.0", "Money": "0 USD", "String": `""`, "Duration": "0s",
			"Instant": "1970-01-01T00:00:00Z", "Date": "1970-01-01", "Json": "json.nullValue", "List": "[]",
			"Map": "map.empty()", "Set": "set.empty()",
		}
		if text, ok := texts[t.Def.Name]; ok && isStd(t.Def.Module) {
			out.parts = parts(text)
			return out
		}
		c := t.Def.Ctors[0]
		types := fields(t, c)
		switch {
		case t.Def.Kind == core.Record:
			items := []any{ctorName(c), " { "}
			for i, f := range c.Fields {
				x := simplest(types[i])
				if x == nil {
					return nil
				}
				items = append(items, f.Name, ": ", x, ", ")
			}
			out.parts = parts(append(items, "}")...)
			return out
		case len(types) == 0:
			out.parts = parts(ctorName(c))
			return out
		}
		if kids("(", ")", types) == nil {
			return nil
		}
		out.parts = append(parts(ctorName(c)), out.parts...)
		return out
	}
	return nil
}
