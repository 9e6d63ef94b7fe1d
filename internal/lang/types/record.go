package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// record checks `Choice { offer: o, price }`, `Choice { ..base, price: p }` and
// `{ ..base, price: p }`.
func (b *body) record(e *syntax.RecordLit, want core.Type, w why) core.Expr {
	if e.Base != nil {
		return b.is(b.update(e, want), want, w)
	}
	if e.Type == nil {
		return b.brokenRecord(e)
	}
	ctor := b.recordCtor(e.Module, *e.Type)
	if ctor == nil {
		return b.brokenRecord(e)
	}
	targs := b.freshAll(ctor.Def.Params, e.Span)
	t := b.applied(ctor.Def, targs)
	if want != nil && len(targs) > 0 {
		b.try(want, t)
	}
	given, slots, ok := b.recordFields(ctor, e.Fields, targs)
	out := &core.Construct{X: core.X{At: e.Span, Type: t}, Ctor: ctor}
	order := ordering{b: b, slots: slots, xs: given, out: make([]core.Expr, len(ctor.Fields))}
	order.place(func(i int) string { return ctor.Fields[i].Name })
	var missing []string
	for i, f := range ctor.Fields {
		if order.out[i] != nil {
			continue
		}
		if di := b.c.fields[f]; di != nil {
			order.out[i] = b.useDefault(di, ctor.Def.Params, targs)
			continue
		}
		order.out[i] = broken(e.Span)
		missing = append(missing, f.Name+": "+show(instance(f.Type, ctor.Def.Params, targs)))
	}
	if len(missing) > 0 && ok {
		at := e.Type.Span
		if e.Module != nil {
			at = e.Module.Span.To(at)
		}
		d := b.errorf(codeRecordFields, at, "this `%s` lacks %s", ctor.Name, list(missing))
		if ctor.At.IsValid() {
			d.Note(ctor.At, "declared here")
		}
	}
	out.Fields = order.out
	return b.is(order.wrap(out), want, w)
}

// brokenRecord checks the inside of a record whose type is not known.
func (b *body) brokenRecord(e *syntax.RecordLit) core.Expr {
	var parts []core.Expr
	for i := range e.Fields {
		if e.Fields[i].Value != nil {
			parts = append(parts, b.expr(e.Fields[i].Value, nil, why{}))
		}
	}
	return broken(e.Span, parts...)
}

// recordCtor finds the constructor of a record by its type's name.
func (b *body) recordCtor(module *syntax.Name, name syntax.Name) *core.Ctor {
	if name.Text == "" {
		return nil
	}
	if module == nil && b.types().lookup(name.Text) == nil {
		if ctor, ok := b.name(name.Text, name.Span).(*core.Ctor); ok {
			b.bracesOnCtor(ctor, name.Span)
			return nil
		}
	}
	if module != nil {
		if m := b.c.moduleNamed(b.m, module.Text); m != nil && m.own(m.types, name.Text) == nil {
			if s := m.own(m.values, name.Text); s != nil {
				if ctor, ok := s.def.(*core.Ctor); ok {
					b.bracesOnCtor(ctor, name.Span)
					return nil
				}
			}
		}
	}
	def := b.types().def(module, name)
	if def == nil {
		return nil
	}
	b.m.info.use(name.Span, def)
	if def.Kind == core.Record {
		return def.Ctors[0]
	}
	for _, ctor := range def.Ctors {
		if ctor.Name == name.Text {
			b.bracesOnCtor(ctor, name.Span)
			return nil
		}
	}
	b.errorf(codeConstruction, name.Span, "`%s` is no record", def.Name)
	return nil
}

func (b *body) bracesOnCtor(ctor *core.Ctor, at span.Span) {
	d := b.errorf(codeConstruction, at, "`%s` is built with parentheses, only records with braces", ctor.Name).
		Note(span.Span{}, "write `%s`", callForm(ctor))
	if ctor.At.IsValid() {
		d.Note(ctor.At, "declared here")
	}
}

// recordFields checks the fields written in a literal or an update. ok is false
// when one is unknown, which may be what a missing one was to be.
func (b *body) recordFields(ctor *core.Ctor, fields []syntax.RecordField, targs []core.Type) (xs []core.Expr, slots []int, ok bool) {
	ok = true
	seen := make(map[int]span.Span, len(fields))
	for i := range fields {
		rf := &fields[i]
		slot := -1
		for j, f := range ctor.Fields {
			if f.Name == rf.Name.Text && f.Name != "" {
				slot = j
				break
			}
		}
		var t core.Type
		w := why{}
		switch {
		case slot < 0:
			ok = false
			b.unknownField(ctor, rf.Name)
		case seen[slot].IsValid():
			b.errorf(codeRecordFields, rf.Name.Span, "the field `%s` is given twice", rf.Name.Text).Note(seen[slot], "first here")
			slot = -1
		default:
			f := ctor.Fields[slot]
			seen[slot] = rf.Name.Span
			b.m.info.use(rf.Name.Span, f)
			t = instance(f.Type, ctor.Def.Params, targs)
			w = why{kind: whyField, name: f.Name, of: ctor.Name, at: f.At}
		}
		value := rf.Value
		if value == nil {
			if slot < 0 && t == nil && rf.Name.Text == "" {
				continue
			}
			value = &syntax.Ident{At: rf.Name.At, Name: rf.Name.Text}
			if slot < 0 && b.locals[rf.Name.Text] == nil {
				continue // one unknown name, reported as the field
			}
		}
		xs = append(xs, b.expr(value, t, w))
		slots = append(slots, slot)
	}
	return xs, slots, ok
}

func (b *body) unknownField(ctor *core.Ctor, name syntax.Name) {
	if name.Text == "" {
		return
	}
	var candidates []string
	for _, f := range ctor.Fields {
		candidates = append(candidates, f.Name)
	}
	d := b.errorf(codeUnknownField, name.Span, "`%s` has no field `%s`", ctor.Name, name.Text)
	if ctor.At.IsValid() {
		d.Note(ctor.At, "declared here, with %s", list(candidates))
	}
	b.c.didYouMean(d, name.Span, name.Text, candidates)
}

// update checks a record made from another one: the base is evaluated first,
// then the new fields.
func (b *body) update(e *syntax.RecordLit, want core.Type) core.Expr {
	var named *core.Ctor
	if e.Type != nil {
		if named = b.recordCtor(e.Module, *e.Type); named == nil {
			b.expr(e.Base, nil, why{})
			return b.brokenRecord(e)
		}
	}
	var base core.Expr
	if named != nil {
		targs := b.freshAll(named.Def.Params, e.Span)
		base = b.expr(e.Base, b.applied(named.Def, targs), why{})
	} else {
		base = b.expr(e.Base, nil, why{})
		if want != nil && isOpen(base.TypeOf()) {
			b.try(want, base.TypeOf())
		}
	}
	t := b.force(base.TypeOf(), e.Base.Pos())
	con, ok := t.(*core.Con)
	if !ok || con.Def.Kind != core.Record {
		if t != bad {
			b.errorf(codeConstruction, e.Base.Pos(), "`..` takes the other fields of a record, this is `%s`", show(t))
		}
		return b.brokenRecord(e)
	}
	ctor := con.Def.Ctors[0]
	given, slots, _ := b.recordFields(ctor, e.Fields, con.Args)
	out := &core.Construct{X: core.X{At: e.Span, Type: con}, Ctor: ctor}
	order := ordering{b: b, slots: slots, xs: given, out: make([]core.Expr, len(ctor.Fields))}
	if !isTrivial(base) {
		base = order.bind(base, "base")
	}
	order.place(func(i int) string { return ctor.Fields[i].Name })
	for i, f := range ctor.Fields {
		if order.out[i] == nil {
			x := core.X{At: e.Base.Pos(), Type: instance(f.Type, con.Def.Params, con.Args)}
			order.out[i] = &core.GetField{X: x, Value: copyExpr(base, nil, nil), Ctor: ctor, Index: i}
		}
	}
	out.Fields = order.out
	return order.wrap(out)
}
