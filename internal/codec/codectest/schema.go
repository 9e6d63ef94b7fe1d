// Package codectest helps tests that need types and values in memory without a
// compiler: a schema from a few lines of text, and values read back as plain Go.
//
//	s := codectest.Schema(t, `
//		Condition = New | Used | Refurbished
//		Offer = { id: OfferId, price: Int, note: String?, days: Int = 3 }
//		OfferId = wrap String
//		Shape = Dot | Circle(radius: Float)
//		Request = { offers: List<Offer>, prices: Map<String, Money> }
//	`)
//	id := codectest.Type(s, "Request")
package codectest

import (
	"strings"
	"testing"

	"towpath.dev/internal/abi"
)

// Schema lays out types as the compiler does. Each line names one: a record in
// braces (a default after `=` runs to the next top-level comma), alternatives
// separated by `|`, `wrap T`, or any type expression. Nullary alternatives and
// Tips have their static cells at addresses from StaticBase on; see Static.
func Schema(t testing.TB, text string) *abi.Schema {
	t.Helper()
	p := &parser{t: t, schema: &abi.Schema{}, ids: map[string]abi.TypeID{}, static: abi.StaticBase}
	var names []string
	bodies := map[string]string{}
	for line := range strings.Lines(text) {
		name, body, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			continue
		}
		names = append(names, name)
		bodies[name] = strings.TrimSpace(body)
		p.kindOf(name, bodies[name])
	}
	for _, name := range names {
		p.define(name, bodies[name])
	}
	for i := range p.schema.Types {
		p.layOut(&p.schema.Types[i])
	}
	return p.schema
}

// Type is the type of a name.
func Type(s *abi.Schema, name string) abi.TypeID {
	for i := range s.Types {
		if s.Types[i].Name == name {
			return abi.TypeID(i)
		}
	}
	return -1
}

// Static writes the static cells of nullary alternatives into memory and gives
// the first address after them.
func Static(s *abi.Schema, mem []byte) uint32 {
	end := uint32(abi.StaticBase)
	for i := range s.Types {
		for tag := range s.Types[i].Ctors {
			if at := s.Types[i].Ctors[tag].Static; at != 0 {
				mem[at] = byte(tag)
				end = max(end, at+8)
			}
		}
	}
	return end
}

type parser struct {
	t      testing.TB
	schema *abi.Schema
	ids    map[string]abi.TypeID
	static uint32
}

var scalars = map[string]abi.Kind{
	"Bool": abi.Bool, "Int": abi.Int, "Float": abi.Float, "Decimal": abi.Decimal, "Money": abi.Money, "String": abi.String,
	"Duration": abi.Duration, "Instant": abi.Instant, "Date": abi.Date, "Json": abi.Json,
}

func (p *parser) add(t abi.Type) abi.TypeID {
	id := abi.TypeID(len(p.schema.Types))
	p.schema.Types = append(p.schema.Types, t)
	p.ids[t.Name] = id
	return id
}

// kindOf enters a named type, so that others can refer to it.
func (p *parser) kindOf(name, body string) {
	t := abi.Type{Name: name, Module: "test"}
	switch {
	case strings.HasPrefix(body, "{"):
		t.Kind = abi.Record
	case strings.HasPrefix(body, "wrap "):
		t.Kind = abi.Wrapper
	case len(split(body, '|')) > 1 && strings.Contains(body, "("):
		t.Kind = abi.Variant
	case len(split(body, '|')) > 1:
		t.Kind = abi.Enum
	default:
		t.Kind = abi.Wrapper // a name for another type
	}
	p.add(t)
}

func (p *parser) define(name, body string) {
	id := p.ids[name]
	switch kind := p.schema.Types[id].Kind; kind {
	case abi.Record:
		p.schema.Types[id].Fields = p.fields(strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}"))
	case abi.Wrapper:
		p.schema.Types[id].Elem = p.expr(strings.TrimPrefix(body, "wrap "))
	default:
		for _, alt := range split(body, '|') {
			ctor, args, _ := strings.Cut(strings.TrimSuffix(alt, ")"), "(")
			c := abi.Ctor{Name: ctor, JSON: ctor, Fields: p.fields(args)}
			if kind == abi.Variant && len(c.Fields) == 0 {
				c.Static = p.cell()
			}
			p.schema.Types[id].Ctors = append(p.schema.Types[id].Ctors, c)
		}
	}
}

func (p *parser) cell() uint32 {
	p.static += 8
	return p.static - 8
}

func (p *parser) fields(text string) []abi.Field {
	var fields []abi.Field
	for _, part := range split(text, ',') {
		name, rest, _ := strings.Cut(part, ":")
		typ, def, _ := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		fields = append(fields, abi.Field{Name: name, JSON: name, Type: p.expr(typ), Default: strings.TrimSpace(def)})
	}
	return fields
}

// expr is a type expression's type.
func (p *parser) expr(text string) abi.TypeID {
	text = strings.TrimSpace(text)
	if id, ok := p.ids[text]; ok {
		return id
	}
	if kind, ok := scalars[text]; ok {
		return p.add(abi.Type{Kind: kind, Name: text})
	}
	if inner, ok := strings.CutSuffix(text, "?"); ok {
		return p.add(abi.Type{Kind: abi.Option, Name: text, Elem: p.expr(inner)})
	}
	if inner, ok := strings.CutPrefix(text, "("); ok {
		t := abi.Type{Kind: abi.Tuple, Name: text}
		for _, part := range split(strings.TrimSuffix(inner, ")"), ',') {
			t.Fields = append(t.Fields, abi.Field{Type: p.expr(part)})
		}
		return p.add(t)
	}
	head, args, ok := strings.Cut(strings.TrimSuffix(text, ">"), "<")
	if !ok {
		p.t.Fatalf("type %q is unknown", text)
	}
	var elems []abi.TypeID
	for _, part := range split(args, ',') {
		elems = append(elems, p.expr(part))
	}
	switch head {
	case "List":
		return p.add(abi.Type{Kind: abi.List, Name: text, Elem: elems[0]})
	case "Set":
		return p.tree(abi.Type{Kind: abi.Set, Name: text, Elem: elems[0]}, elems[0])
	case "Map":
		return p.tree(abi.Type{Kind: abi.Map, Name: text, Key: elems[0], Elem: elems[1]}, elems...)
	}
	p.t.Fatalf("type %q is unknown", text)
	return 0
}

// tree adds a Map or Set and its Node.
func (p *parser) tree(t abi.Type, parts ...abi.TypeID) abi.TypeID {
	count := p.expr("Int")
	node := p.add(abi.Type{Kind: abi.Variant, Name: "Node of " + t.Name})
	bin := []abi.Field{{Name: "size", Type: count}}
	for _, part := range parts {
		bin = append(bin, abi.Field{Name: "entry", Type: part})
	}
	bin = append(bin, abi.Field{Name: "left", Type: node}, abi.Field{Name: "right", Type: node})
	p.schema.Types[node].Ctors = []abi.Ctor{{Name: "Tip", JSON: "Tip", Static: p.cell()}, {Name: "Bin", JSON: "Bin", Fields: bin}}
	t.Node = node
	return p.add(t)
}

func (p *parser) layOut(t *abi.Type) {
	place := func(fields []abi.Field, start uint32) uint32 {
		vals := make([]abi.Val, len(fields))
		for i := range fields {
			vals[i] = p.schema.Val(fields[i].Type)
		}
		offsets, size := abi.Layout(start, vals)
		for i := range fields {
			fields[i].Offset = offsets[i]
		}
		return size
	}
	switch t.Kind {
	case abi.Record, abi.Tuple:
		t.Size = place(t.Fields, 0)
	case abi.Variant:
		for i := range t.Ctors {
			t.Ctors[i].Size = place(t.Ctors[i].Fields, 4)
		}
	}
}

// split cuts a text at a separator outside brackets and quotes.
func split(text string, sep byte) []string {
	var parts []string
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("([{<", c) >= 0:
			depth++
		case strings.IndexByte(")]}>", c) >= 0:
			depth--
		case c == sep && depth == 0:
			parts = append(parts, strings.TrimSpace(text[from:i]))
			from = i + 1
		}
	}
	if last := strings.TrimSpace(text[from:]); last != "" || len(parts) > 0 {
		parts = append(parts, last)
	}
	return parts
}
