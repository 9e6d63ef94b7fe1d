package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

type (
	// matchUse is a match to be found exhaustive.
	matchUse struct {
		match *core.Match
		syn   *syntax.MatchExpr
	}
	// letUse is a pattern to be found irrefutable.
	letUse struct {
		pat   core.Pattern
		syn   syntax.Pattern
		where string // "let" or "a lambda"
	}
)

// bindPattern checks a pattern and puts its names in scope from an offset on.
func (b *body) bindPattern(p syntax.Pattern, t core.Type, from int, warn bool) core.Pattern {
	binder := patBinder{b: b}
	out := binder.pattern(p, t)
	for _, l := range binder.locals {
		b.bind(l, from, warn)
	}
	return out
}

// patBinder collects the names that one pattern binds.
type patBinder struct {
	b      *body
	locals []*core.Local
	// first holds, within an or-pattern's later alternatives, the locals that its
	// first one bound, which they bind again.
	first []*core.Local
}

func (pb *patBinder) pattern(p syntax.Pattern, t core.Type) core.Pattern {
	switch p := p.(type) {
	case *syntax.WildPat:
		return &core.PWild{P: core.P{At: p.Span, Type: t}}
	case *syntax.VarPat:
		return &core.PVar{P: core.P{At: p.Span, Type: t}, Local: pb.bindName(p.Name, p.Span, t)}
	case *syntax.AsPat:
		inner := pb.pattern(p.Pat, t)
		return &core.PAs{P: core.P{At: p.Span, Type: t}, Pat: inner, Local: pb.bindName(p.Name.Text, p.Name.Span, t)}
	case *syntax.LitPat:
		return pb.literal(p, t)
	case *syntax.TuplePat:
		return pb.tuple(p, t)
	case *syntax.ListPat:
		return pb.list(p, t)
	case *syntax.OrPat:
		return pb.or(p, t)
	case *syntax.CtorPat:
		return pb.ctor(p, t)
	case nil:
		return &core.PWild{P: core.P{Type: bad}}
	}
	return &core.PWild{P: core.P{At: p.Pos(), Type: bad}}
}

func (pb *patBinder) bindName(name string, at span.Span, t core.Type) *core.Local {
	b := pb.b
	for _, l := range pb.locals {
		if l.Name == name && name != "" {
			b.errorf(codeBoundTwice, at, "`%s` is bound twice in one pattern", name).Note(l.At, "first here")
			return &core.Local{Name: name, At: at, Type: t}
		}
	}
	for _, l := range pb.first {
		if l.Name == name {
			if !b.unify(l.Type, t) {
				ws, gs := b.c.typeNames(l.Type, t)
				b.errorf(codeOrPattern, at, "`%s` is `%s` here and `%s` in the first alternative", name, gs, ws).Note(l.At, "bound here")
			}
			b.m.info.use(at, l)
			pb.locals = append(pb.locals, l)
			return l
		}
	}
	l := &core.Local{Name: name, At: at, Type: t}
	pb.locals = append(pb.locals, l)
	return l
}

func (pb *patBinder) or(p *syntax.OrPat, t core.Type) core.Pattern {
	b := pb.b
	out := &core.POr{P: core.P{At: p.Span, Type: t}}
	start := len(pb.locals)
	outer := pb.first
	var names []*core.Local
	for i, alt := range p.Alts {
		if i > 0 {
			pb.locals = pb.locals[:start]
			pb.first = append(append([]*core.Local(nil), outer...), names...)
		}
		out.Alts = append(out.Alts, pb.pattern(alt, t))
		bound := pb.locals[start:]
		if i == 0 {
			names = append(names, bound...)
			continue
		}
		for _, l := range names {
			if !hasLocal(bound, l.Name) {
				b.errorf(codeOrPattern, alt.Pos(), "this alternative does not bind `%s`", l.Name).Note(l.At, "the first one does")
			}
		}
		for _, l := range bound {
			if !hasLocal(names, l.Name) {
				b.errorf(codeOrPattern, l.At, "the first alternative does not bind `%s`", l.Name).Note(p.Alts[0].Pos(), "it is this one")
			}
		}
	}
	pb.first = outer
	pb.locals = append(pb.locals[:start], names...)
	return out
}

func hasLocal(ls []*core.Local, name string) bool {
	for _, l := range ls {
		if l.Name == name {
			return true
		}
	}
	return false
}

func (pb *patBinder) literal(p *syntax.LitPat, t core.Type) core.Pattern {
	out := &core.PLit{P: core.P{At: p.Span, Type: t}}
	x := pb.b.expr(p.X, t, why{})
	switch x := x.(type) {
	case *core.Lit:
		out.Value = x.Value
	default:
		return &core.PWild{P: core.P{At: p.Span, Type: bad}}
	}
	return out
}

// shape requires a pattern's form to fit the type.
func (pb *patBinder) shape(at span.Span, want, got core.Type) bool {
	if pb.b.unify(want, got) {
		return true
	}
	ws, gs := pb.b.c.typeNames(want, got)
	pb.b.errorf(codeMismatch, at, "this pattern is for `%s`, the value is `%s`", gs, ws).Expect(ws, gs)
	return false
}

func (pb *patBinder) tuple(p *syntax.TuplePat, t core.Type) core.Pattern {
	b := pb.b
	shape := &core.Tuple{Elems: make([]core.Type, len(p.Elems))}
	if known, ok := prune(t).(*core.Tuple); ok && len(known.Elems) == len(p.Elems) {
		copy(shape.Elems, known.Elems)
	} else {
		for i := range shape.Elems {
			shape.Elems[i] = b.fresh(p.Span)
		}
		if !pb.shape(p.Span, t, shape) {
			t = bad
			for i := range shape.Elems {
				shape.Elems[i] = bad
			}
		}
	}
	out := &core.PTuple{P: core.P{At: p.Span, Type: t}}
	for i, el := range p.Elems {
		out.Elems = append(out.Elems, pb.pattern(el, shape.Elems[i]))
	}
	return out
}

func (pb *patBinder) list(p *syntax.ListPat, t core.Type) core.Pattern {
	b := pb.b
	var elem core.Type = b.fresh(p.Span)
	listT := b.std.list(elem)
	if !pb.shape(p.Span, t, listT) {
		elem, listT, t = bad, bad, bad
	}
	out := &core.PList{P: core.P{At: p.Span, Type: t}, HasRest: p.HasRest}
	for _, el := range p.Elems {
		out.Elems = append(out.Elems, pb.pattern(el, elem))
	}
	if p.Rest != nil && p.Rest.Text != "" && p.Rest.Text != "_" {
		out.Rest = pb.bindName(p.Rest.Text, p.Rest.Span, listT)
	}
	return out
}

func (pb *patBinder) ctor(p *syntax.CtorPat, t core.Type) core.Pattern {
	b := pb.b
	ctor := pb.findCtor(p, t)
	if ctor == nil {
		for i := range p.Args {
			pb.pattern(p.Args[i].Pat, bad)
		}
		return &core.PWild{P: core.P{At: p.Span, Type: bad}}
	}
	b.m.info.use(p.Name.Span, ctor)
	var targs []core.Type
	if con, ok := prune(t).(*core.Con); ok && con.Def == ctor.Def {
		targs = con.Args
	} else {
		targs = b.freshAll(ctor.Def.Params, p.Span)
		if !pb.shape(p.Span, t, b.applied(ctor.Def, targs)) {
			t = bad
		}
	}
	if b.std.opaque(ctor.Def, b.m) {
		b.opaqueUse(p.Span, ctor.Def)
		return &core.PWild{P: core.P{At: p.Span, Type: bad}}
	}
	out := &core.PCtor{P: core.P{At: p.Span, Type: t}, Ctor: ctor, Args: make([]core.Pattern, len(ctor.Fields))}
	pb.ctorArgs(p, ctor, targs, out)
	return out
}

// findCtor finds the constructor that a pattern names. The type that is matched
// knows its own constructors, so that they need no import here.
func (pb *patBinder) findCtor(p *syntax.CtorPat, t core.Type) *core.Ctor {
	b := pb.b
	if p.Name.Text == "" {
		return nil
	}
	con, known := prune(t).(*core.Con)
	if known && p.Module == nil {
		for _, ctor := range con.Def.Ctors {
			if ctor.Name == p.Name.Text {
				// The name may have been imported for this.
				if s := b.m.values[ctor.Name]; s != nil && s.def == any(ctor) {
					s.use()
				} else if s := b.m.implied[ctor.Name]; s != nil && s.def == any(ctor) {
					s.use()
				}
				if s := b.m.types[con.Def.Name]; s != nil && s.def == any(con.Def) {
					s.use()
				}
				return ctor
			}
		}
	}
	var def any
	if p.Module != nil {
		m := b.c.moduleNamed(b.m, p.Module.Text)
		if m == nil {
			b.c.unknownModuleName(b.m, *p.Module)
			return nil
		}
		b.m.info.use(p.Module.Span, m.core)
		def = b.member(m, p.Name)
	} else if b.locals[p.Name.Text] == nil {
		def = b.name(p.Name.Text, p.Name.Span)
	}
	switch def := def.(type) {
	case *core.Ctor:
		if known && con.Def != def.Def {
			pb.wrongCtor(p, con, def)
			return nil
		}
		return def
	case ambiguity:
		b.ambiguous(def, p.Name.Span)
	case reported:
	default:
		if isBad(t) {
			return nil
		}
		pb.unknownCtor(p, con)
	}
	return nil
}

func (pb *patBinder) wrongCtor(p *syntax.CtorPat, con *core.Con, ctor *core.Ctor) {
	d := pb.b.errorf(codeWrongCtor, p.Name.Span, "`%s` is a constructor of `%s`, the value is `%s`",
		ctor.Name, ctor.Def.Name, show(con)).Expect(show(con), ctor.Def.Name)
	if elem, ok := pb.b.std.isOption(con); ok {
		if e, ok := prune(elem).(*core.Con); ok && e.Def == ctor.Def {
			d.Note(span.Span{}, "match what is inside: `Some(%s)`", p.Span.Text())
		}
	}
}

func (pb *patBinder) unknownCtor(p *syntax.CtorPat, con *core.Con) {
	b := pb.b
	if con != nil && con.Def.Kind == core.Variant {
		var candidates []string
		for _, ctor := range con.Def.Ctors {
			candidates = append(candidates, ctor.Name)
		}
		d := b.errorf(codeWrongCtor, p.Name.Span, "`%s` has no constructor `%s`", show(con), p.Name.Text)
		if con.Def.At.IsValid() {
			d.Note(con.Def.At, "declared here, with %s", list(candidates))
		}
		b.c.didYouMean(d, p.Name.Span, p.Name.Text, candidates)
		return
	}
	b.unknownName(&syntax.Ident{At: p.Name.At, Name: p.Name.Text})
}

// ctorArgs checks the patterns of a constructor's fields.
func (pb *patBinder) ctorArgs(p *syntax.CtorPat, ctor *core.Ctor, targs []core.Type, out *core.PCtor) {
	b := pb.b
	record := ctor.Def.Kind == core.Record
	if record && !p.Braces {
		b.errorf(codePatternFields, p.Span, "the record `%s` is matched with braces", ctor.Name).
			Note(span.Span{}, "write `%s { … }`, with `..` for the fields that do not matter", ctor.Name)
	} else if !record && p.Braces {
		b.errorf(codePatternFields, p.Span, "`%s` is matched with parentheses, only records with braces", ctor.Name)
	}
	fault := record != p.Braces
	next := 0
	for i := range p.Args {
		a := &p.Args[i]
		slot := -1
		switch {
		case a.Label != nil:
			slot = pb.fieldSlot(ctor, a.Label, &fault)
		case next < len(ctor.Fields):
			slot = next
			next++
		default:
			next++
		}
		if slot >= 0 && out.Args[slot] != nil {
			b.errorf(codePatternFields, a.Span, "the field `%s` is matched twice", ctor.Fields[slot].Name)
			fault, slot = true, -1
		}
		if slot < 0 {
			pb.pattern(a.Pat, bad)
			continue
		}
		out.Args[slot] = pb.pattern(a.Pat, instance(ctor.Fields[slot].Type, ctor.Def.Params, targs))
	}
	if next > len(ctor.Fields) && !fault {
		b.errorf(codePatternFields, p.Span, "`%s` has %s, %d matched", ctor.Name, plural(len(ctor.Fields), "field"), next).
			Note(ctor.At, "declared here")
		fault = true
	}
	var missing []string
	for i, f := range ctor.Fields {
		if out.Args[i] == nil {
			out.Args[i] = &core.PWild{P: core.P{At: p.Span, Type: instance(f.Type, ctor.Def.Params, targs)}}
			name := f.Name
			if name == "" {
				name = itoa(i + 1)
			}
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 && !p.Rest && !fault {
		d := b.errorf(codePatternFields, p.Span, "the pattern of `%s` lacks %s", ctor.Name, list(missing))
		if ctor.At.IsValid() {
			d.Note(ctor.At, "declared here")
		}
		if record {
			d.Note(span.Span{}, "`..` stands for the fields that do not matter")
		} else if !p.Parens {
			d.FixWith("match its fields too", p.Span, patternText(ctor))
		}
	}
}

// patternText is a constructor with a `_` for each field.
func patternText(ctor *core.Ctor) string {
	s := ctor.Name + "("
	for i := range ctor.Fields {
		if i > 0 {
			s += ", "
		}
		s += "_"
	}
	return s + ")"
}

func (pb *patBinder) fieldSlot(ctor *core.Ctor, label *syntax.Name, fault *bool) int {
	for i, f := range ctor.Fields {
		if f.Name == label.Text && f.Name != "" {
			pb.b.m.info.use(label.Span, f)
			return i
		}
	}
	*fault = true
	pb.b.unknownField(ctor, *label)
	return -1
}
