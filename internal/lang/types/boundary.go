package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// checkBoundaries refuses types of views and operations that JSON cannot carry.
func (c *checker) checkBoundaries() {
	bc := boundary{c: c, seen: map[*core.TypeDef][]core.Type{}, named: map[*core.TypeDef]bool{}}
	for _, m := range c.modules {
		for _, fi := range m.funcDecls {
			if fi.fn.Kind == core.View {
				bc.signature("the view `"+fi.fn.Name+"`", fi.fn.At, fi.fn.Params, fi.fn.Result)
			}
		}
		for _, oi := range m.opDecls {
			bc.signature("the operation `"+oi.op.Service.Name+"."+oi.op.Name+"`", oi.op.At, oi.op.Params, oi.op.Result)
		}
	}
}

// boundary remembers what it has looked into, so that each fault is said once.
type boundary struct {
	c     *checker
	seen  map[*core.TypeDef][]core.Type // applied, by definition
	named map[*core.TypeDef]bool        // whose JSON names were checked
}

func (b *boundary) signature(what string, at span.Span, params []*core.Local, result core.Type) {
	for _, p := range params {
		b.check(p.Type, p.At, what)
	}
	b.check(result, at, what)
}

// check looks into a type; at is the parameter or field that has it.
func (b *boundary) check(t core.Type, at span.Span, what string) {
	switch t := t.(type) {
	case *core.Tuple:
		for _, e := range t.Elems {
			b.check(e, at, what)
		}
	case *core.FuncType:
		b.c.diags.Errorf(codeBoundary, at, "%s would send a function, which JSON cannot", what)
	case *core.Con:
		b.con(t, at, what)
	}
}

func (b *boundary) con(t *core.Con, at span.Span, what string) {
	std := &b.c.std
	if inner, ok := std.isOption(t); ok {
		if _, twice := std.isOption(innermost(inner)); twice {
			b.c.diags.Errorf(codeBoundary, at, "%s would send `%s`, whose two kinds of `None` JSON cannot tell apart", what, t).
				Note(span.Span{}, "use one Option, or a variant that names the cases")
			return
		}
	}
	for _, a := range t.Args {
		b.check(a, at, what)
	}
	if t.Def.Kind == core.Builtin || t.Def == std.Map || t.Def == std.Set || t.Def == std.Option {
		return
	}
	for _, other := range b.seen[t.Def] {
		if core.Identical(other, t) {
			return
		}
	}
	if len(b.seen[t.Def]) > 100 {
		return // a type that grows, which is reported as such
	}
	b.seen[t.Def] = append(b.seen[t.Def], t)
	if !b.named[t.Def] {
		b.named[t.Def] = true
		b.names(t.Def, what)
	}
	for _, ctor := range t.Def.Ctors {
		for _, f := range ctor.Fields {
			b.check(instance(f.Type, t.Def.Params, t.Args), f.At, what)
		}
	}
}

// innermost looks through wrappers, which JSON does not show.
func innermost(t core.Type) core.Type {
	for range 64 {
		con, ok := t.(*core.Con)
		if !ok || con.Def.Kind != core.Wrapper {
			return t
		}
		t = instance(con.Def.Ctors[0].Fields[0].Type, con.Def.Params, con.Args)
	}
	return t
}

// names refuses JSON names that could not be told apart.
func (b *boundary) names(def *core.TypeDef, what string) {
	ctors := map[string]*core.Ctor{}
	for _, ctor := range def.Ctors {
		if other := ctors[ctor.JSON]; other != nil {
			b.twice(ctor.At, other.At, "`"+def.Name+"` has two constructors", ctor.JSON, what)
		}
		ctors[ctor.JSON] = ctor
		fields := map[string]*core.Field{}
		for _, f := range ctor.Fields {
			if def.Kind == core.Variant && f.JSON == "type" {
				b.c.diags.Errorf(codeBoundary, f.At, "a variant's field cannot be `type` in JSON, which names the constructor there").
					Note(def.At, "%s sends it", what).
					Note(span.Span{}, "give it another name with `@json(\"…\")`")
			}
			if other := fields[f.JSON]; other != nil {
				b.twice(f.At, other.At, "`"+ctor.Name+"` has two fields", f.JSON, what)
			}
			fields[f.JSON] = f
		}
	}
}

func (b *boundary) twice(at, first span.Span, whose, name, what string) *diag.Diagnostic {
	return b.c.diags.Errorf(codeBoundary, at, "%s that are `%s` in JSON", whose, name).
		Note(first, "the other one").
		Note(span.Span{}, "%s sends it; give one of them another name with `@json(\"…\")`", what)
}
