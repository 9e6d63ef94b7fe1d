package lower

import (
	"strconv"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/artifact"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/ir"
)

// typeID gives the number of a type, its parameters replaced by sub. Layouts
// are made as types are met.
func (l *lowerer) typeID(t core.Type, sub core.Subst) abi.TypeID {
	if len(sub) > 0 {
		if r := sub.Apply(t); r != t {
			return l.internType(r, false)
		}
	}
	return l.internType(t, true)
}

func (l *lowerer) internType(t core.Type, remember bool) abi.TypeID {
	if id, ok := l.closed[t]; ok {
		return id
	}
	key := l.typeKey(t)
	id, ok := l.byKey[key]
	if !ok {
		id = abi.TypeID(len(l.schema.Types))
		l.byKey[key] = id
		l.schema.Types = append(l.schema.Types, abi.Type{Name: t.String()})
		l.coreOf = append(l.coreOf, t)
		l.defining++
		l.define(id, t)
		l.defining--
		l.unplaced = append(l.unplaced, id)
		if l.defining == 0 {
			l.placeAll()
		}
	}
	if remember {
		l.closed[t] = id
	}
	return id
}

// placeAll lays out the types that were defined since it last ran. Layout waits
// until a whole recursive group is known, since the size of a field may depend
// on a wrapper that is still being defined.
func (l *lowerer) placeAll() {
	for _, id := range l.unplaced {
		t := l.typ(id)
		switch t.Kind {
		case abi.Record, abi.Tuple:
			t.Size = l.layoutFields(t.Fields, 0)
		case abi.Variant:
			for i := range t.Ctors {
				c := &t.Ctors[i]
				c.Size = l.layoutFields(c.Fields, 4)
				if len(c.Fields) == 0 {
					c.Static = l.static([]byte{byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0}, 8)
				}
			}
		}
	}
	l.unplaced = l.unplaced[:0]
}

// typeKey tells closed types apart: nominal ones by their definition's address
// in order of first meeting, arguments by number.
func (l *lowerer) typeKey(t core.Type) string {
	var b strings.Builder
	switch t := t.(type) {
	case *core.Con:
		b.WriteByte('c')
		b.WriteString(modulePath(t.Def))
		b.WriteByte('.')
		b.WriteString(t.Def.Name)
		for _, a := range t.Args {
			b.WriteByte(',')
			b.WriteString(strconv.Itoa(int(l.internType(a, true))))
		}
	case *core.Tuple:
		b.WriteByte('t')
		for _, a := range t.Elems {
			b.WriteByte(',')
			b.WriteString(strconv.Itoa(int(l.internType(a, true))))
		}
	default:
		// The checker lets no function and no free parameter get here.
		b.WriteString("?" + t.String())
	}
	return b.String()
}

func modulePath(d *core.TypeDef) string {
	if d.Module == nil {
		return "std"
	}
	return d.Module.Path
}

// define fills in a type that was given a number. Kinds are set before fields
// are looked at, so that recursive types find themselves.
func (l *lowerer) define(id abi.TypeID, t core.Type) {
	if tup, ok := t.(*core.Tuple); ok {
		l.schema.Types[id].Kind = abi.Tuple
		elems := make([]abi.TypeID, len(tup.Elems))
		for i, e := range tup.Elems {
			elems[i] = l.internType(e, true)
			l.schema.Types[id].Fields = append(l.schema.Types[id].Fields, abi.Field{Type: elems[i]})
		}
		return
	}
	con, ok := t.(*core.Con)
	if !ok {
		l.schema.Types[id].Kind = abi.Tuple // unreachable after a checked program
		return
	}
	s := l.std
	set := func(k abi.Kind) { l.schema.Types[id].Kind = k }
	l.schema.Types[id].Module = modulePath(con.Def)
	l.schema.Types[id].Doc = con.Def.Doc
	switch con.Def {
	case s.Bool:
		set(abi.Bool)
	case s.Int:
		set(abi.Int)
	case s.Float:
		set(abi.Float)
	case s.Decimal:
		set(abi.Decimal)
	case s.Money:
		set(abi.Money)
	case s.String:
		set(abi.String)
	case s.Duration:
		set(abi.Duration)
	case s.Instant:
		set(abi.Instant)
	case s.Date:
		set(abi.Date)
	case s.Json:
		set(abi.Json)
	case s.List:
		set(abi.List)
		l.setElem(id, con.Args[0])
	case s.Option:
		set(abi.Option)
		l.setElem(id, con.Args[0])
	case s.Map:
		set(abi.Map)
		key := l.internType(con.Args[0], true)
		l.schema.Types[id].Key = key
		l.setElem(id, con.Args[1])
		node := l.internType(l.ctorFields(con)[0], true)
		l.schema.Types[id].Node = node
	case s.Set:
		set(abi.Set)
		l.setElem(id, con.Args[0])
		node := l.internType(l.ctorFields(con)[0], true)
		l.schema.Types[id].Node = node
	default:
		l.defineNominal(id, con)
	}
}

func (l *lowerer) setElem(id abi.TypeID, elem core.Type) {
	e := l.internType(elem, true)
	l.schema.Types[id].Elem = e
}

// ctorFields gives the field types of a type's only constructor.
func (l *lowerer) ctorFields(con *core.Con) []core.Type {
	sub := core.Bind(con.Def.Params, con.Args)
	var out []core.Type
	for _, f := range con.Def.Ctors[0].Fields {
		out = append(out, sub.Apply(f.Type))
	}
	return out
}

func (l *lowerer) defineNominal(id abi.TypeID, con *core.Con) {
	sub := core.Bind(con.Def.Params, con.Args)
	switch con.Def.Kind {
	case core.Wrapper:
		l.schema.Types[id].Kind = abi.Wrapper
		l.setElem(id, sub.Apply(con.Def.Ctors[0].Fields[0].Type))
	case core.Record:
		l.schema.Types[id].Kind = abi.Record
		fields := l.fields(con.Def.Ctors[0], sub)
		l.schema.Types[id].Fields = fields
	case core.Variant:
		l.defineVariant(id, con, sub)
	}
}

func (l *lowerer) fields(c *core.Ctor, sub core.Subst) []abi.Field {
	out := make([]abi.Field, len(c.Fields))
	for i, f := range c.Fields {
		name := f.JSON
		if name == "" {
			name = f.Name
		}
		if name == "" {
			name = strconv.Itoa(i)
		}
		out[i] = abi.Field{Name: f.Name, JSON: name, Doc: f.Doc, Type: l.internType(sub.Apply(f.Type), true), Private: f.Private}
		if f.Default != nil {
			out[i].Default = l.defaultJSON(f.Default)
		}
	}
	return out
}

func (l *lowerer) defaultJSON(e core.Expr) string {
	if l.opts.JSON == nil {
		l.fail(e.Pos(), "a default needs the constant evaluator, which this build of the compiler was not given")
	}
	text, err := l.opts.JSON(e)
	if err != nil {
		l.fail(e.Pos(), "this default has no value: %v", err)
	}
	return text
}

func (l *lowerer) defineVariant(id abi.TypeID, con *core.Con, sub core.Subst) {
	enum := true
	for _, c := range con.Def.Ctors {
		enum = enum && len(c.Fields) == 0
	}
	kind := abi.Variant
	if enum {
		kind = abi.Enum
	}
	l.schema.Types[id].Kind = kind
	ctors := make([]abi.Ctor, len(con.Def.Ctors))
	for i, c := range con.Def.Ctors {
		name := c.JSON
		if name == "" {
			name = c.Name
		}
		ctors[i] = abi.Ctor{Name: c.Name, JSON: name, Doc: c.Doc, Fields: l.fields(c, sub)}
	}
	l.schema.Types[id].Ctors = ctors
}

// layoutFields places fields from start and gives the size.
func (l *lowerer) layoutFields(fields []abi.Field, start uint32) uint32 {
	vals := make([]abi.Val, len(fields))
	for i, f := range fields {
		vals[i] = l.val(f.Type)
	}
	offsets, size := abi.Layout(start, vals)
	for i := range fields {
		fields[i].Offset = offsets[i]
	}
	return size
}

func (l *lowerer) val(id abi.TypeID) ir.Type   { return l.schema.Val(id) }
func (l *lowerer) typ(id abi.TypeID) *abi.Type { return &l.schema.Types[id] }

// bare looks through wrappers.
func (l *lowerer) bare(id abi.TypeID) abi.TypeID {
	for l.schema.Types[id].Kind == abi.Wrapper {
		id = l.schema.Types[id].Elem
	}
	return id
}

// paramRecord is the Record that carries a view's or an operation's arguments.
func (l *lowerer) paramRecord(name string, params []*core.Local) abi.TypeID {
	key := "p" + name
	if id, ok := l.byKey[key]; ok {
		return id
	}
	id := abi.TypeID(len(l.schema.Types))
	l.byKey[key] = id
	l.schema.Types = append(l.schema.Types, abi.Type{Kind: abi.Record, Name: name})
	l.coreOf = append(l.coreOf, nil)
	fields := make([]abi.Field, len(params))
	for i, p := range params {
		fields[i] = abi.Field{Name: p.Name, JSON: p.Name, Type: l.internType(p.Type, true)}
		if p.Default != nil {
			fields[i].Default = l.defaultJSON(p.Default)
		}
	}
	l.schema.Types[id].Fields = fields
	l.schema.Types[id].Size = l.layoutFields(fields, 0)
	return id
}

// boundary keeps only the types that cross the boundary, renumbered.
func (l *lowerer) boundary(man *artifact.Manifest) {
	renumber := map[abi.TypeID]abi.TypeID{}
	var order []abi.TypeID
	var visit func(id abi.TypeID)
	visit = func(id abi.TypeID) {
		if _, ok := renumber[id]; ok {
			return
		}
		renumber[id] = abi.TypeID(len(order))
		order = append(order, id)
		t := l.typ(id)
		switch t.Kind {
		case abi.List, abi.Set, abi.Option, abi.Wrapper, abi.Map:
			visit(t.Elem)
		}
		if t.Kind == abi.Map {
			visit(t.Key)
		}
		if t.Kind == abi.Map || t.Kind == abi.Set {
			visit(t.Node)
		}
		for _, f := range t.Fields {
			visit(f.Type)
		}
		for _, c := range t.Ctors {
			for _, f := range c.Fields {
				visit(f.Type)
			}
		}
	}
	move := func(id *abi.TypeID) { visit(*id); *id = renumber[*id] }
	for i := range man.Views {
		move(&man.Views[i].Input)
		move(&man.Views[i].Result)
	}
	for i := range man.Operations {
		move(&man.Operations[i].Args)
		move(&man.Operations[i].Result)
	}
	for _, id := range order {
		t := *l.typ(id)
		switch t.Kind {
		case abi.List, abi.Set, abi.Option, abi.Wrapper, abi.Map:
			t.Elem = renumber[t.Elem]
		}
		if t.Kind == abi.Map {
			t.Key = renumber[t.Key]
		}
		if t.Kind == abi.Map || t.Kind == abi.Set {
			t.Node = renumber[t.Node]
		}
		t.Fields = renumberFields(t.Fields, renumber)
		ctors := append([]abi.Ctor(nil), t.Ctors...)
		for i := range ctors {
			ctors[i].Fields = renumberFields(ctors[i].Fields, renumber)
		}
		t.Ctors = ctors
		man.Schema.Types = append(man.Schema.Types, t)
	}
}

func renumberFields(fields []abi.Field, to map[abi.TypeID]abi.TypeID) []abi.Field {
	out := append([]abi.Field(nil), fields...)
	for i := range out {
		out[i].Type = to[out[i].Type]
	}
	return out
}
