package types

import (
	"sort"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// What a path of names can stand for besides *binding, *funcInfo, *constInfo,
// *core.Ctor, *core.Service, *core.Operation, *module and ambiguity.
type (
	nowName   struct{}
	debugName struct{}
	// reported stands for a path whose fault was reported already.
	reported struct{}
)

// name finds what an unqualified name stands for, nil when nothing. Local names
// come first, then the module's, then what came along with imports, then the
// standard library's.
func (b *body) name(name string, at span.Span) any {
	if n := b.locals[name]; n != nil {
		n.used = true
		b.m.info.use(at, n.local)
		return n
	}
	s := b.m.values[name]
	if s == nil {
		if imp := b.m.mods[name]; imp != nil {
			imp.via.used = true
			b.m.info.use(at, imp.mod.core)
			return imp.mod
		}
		if s = b.m.implied[name]; s == nil {
			s = b.c.stdValues[name]
		}
	}
	if s != nil {
		s.use()
		b.m.info.use(at, defOf(s.def))
		return s.def
	}
	if m := b.c.stdModules[name]; m != nil {
		b.m.info.use(at, m.core)
		return m
	}
	switch name {
	case "now":
		return nowName{}
	case "debug":
		return debugName{}
	}
	return nil
}

// defOf is a symbol's definition as Info speaks of it.
func defOf(def any) any {
	switch def := def.(type) {
	case *funcInfo:
		return def.fn
	case *constInfo:
		return def.c
	}
	return def
}

// path finds what a name, or names joined by dots, stand for. It is nil for
// any other expression, and for names unknown as a whole when quiet is set.
func (b *body) path(e syntax.Expr) any {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		return b.path(e.X)
	case *syntax.Ident:
		return b.name(e.Name, e.Span)
	case *syntax.FieldExpr:
		switch head := b.pathHead(e.X).(type) {
		case *module:
			return b.member(head, e.Name)
		case *core.Service:
			return b.operation(head, e.Name)
		case reported:
			return head
		}
	}
	return nil
}

// pathHead is path for what stands before a dot. A function of the same name
// does not hide a module there, as functions have no fields.
func (b *body) pathHead(e syntax.Expr) any {
	id, ok := e.(*syntax.Ident)
	if !ok {
		if _, ok := e.(*syntax.FieldExpr); ok {
			return b.path(e)
		}
		return nil
	}
	if b.locals[id.Name] != nil {
		return nil
	}
	if s := b.m.values[id.Name]; s != nil {
		if _, isFunc := s.def.(*funcInfo); isFunc {
			if m := b.c.moduleNamed(b.m, id.Name); m != nil {
				b.m.info.use(id.Span, m.core)
				return m
			}
		}
	}
	return b.name(id.Name, id.Span)
}

// member finds a module's function, constant, constructor or service.
func (b *body) member(m *module, name syntax.Name) any {
	s := m.own(m.values, name.Text)
	if s == nil {
		if name.Text == "" {
			return reported{}
		}
		d := b.errorf(codeUnknownMember, name.Span, "the module `%s` has no `%s`", m.core.Path, name.Text)
		b.c.didYouMean(d, name.Span, name.Text, m.exports())
		return reported{}
	}
	if !s.pub && m != b.m {
		b.c.private(name.Span, s, name.Text)
		return reported{}
	}
	s.use()
	b.m.info.use(name.Span, defOf(s.def))
	return s.def
}

func (b *body) operation(s *core.Service, name syntax.Name) any {
	for _, op := range s.Ops {
		if op.Name == name.Text {
			b.m.info.use(name.Span, op)
			return op
		}
	}
	if name.Text == "" {
		return reported{}
	}
	var candidates []string
	for _, op := range s.Ops {
		candidates = append(candidates, op.Name)
	}
	d := b.errorf(codeUnknownMember, name.Span, "the service `%s` has no `%s`", s.Name, name.Text)
	b.c.didYouMean(d.Note(s.At, "declared here"), name.Span, name.Text, candidates)
	return reported{}
}

// value checks a name, a path or a field.
func (b *body) value(e syntax.Expr) core.Expr {
	at := e.Pos()
	switch def := b.path(e).(type) {
	case *binding:
		return b.localValue(def, at)
	case *constInfo:
		t := b.c.constType(def)
		return &core.ConstRef{X: core.X{At: at, Type: t}, Const: def.c}
	case *core.Ctor:
		return b.ctorValue(def, at)
	case *funcInfo:
		return b.functionValue(at, "`"+def.fn.Name+"` is a function")
	case *core.Operation:
		return b.functionValue(at, "`"+def.Service.Name+"."+def.Name+"` is an operation")
	case *core.Service:
		b.errorf(codeNotAValue, at, "`%s` is a service, not a value", def.Name).
			Note(span.Span{}, "ask one of its operations, as in `%s`", exampleCall(def))
	case *module:
		b.errorf(codeNotAValue, at, "`%s` is a module, not a value", def.core.Path).
			Note(span.Span{}, "name one of its members, as in `%s.NAME`", def.name())
	case ambiguity:
		b.ambiguous(def, at)
	case nowName:
		return &core.Now{X: core.X{At: at, Type: b.std.instantT}}
	case debugName:
		return b.functionValue(at, "`debug` is a function")
	case reported:
	case nil:
		switch e := e.(type) {
		case *syntax.Ident:
			b.unknownName(e)
		case *syntax.FieldExpr:
			return b.field(e)
		}
	}
	return broken(at)
}

func exampleCall(s *core.Service) string {
	if len(s.Ops) == 0 {
		return s.Name + ".name(…)"
	}
	return s.Name + "." + s.Ops[0].Name + "(…)"
}

func (b *body) ambiguous(a ambiguity, at span.Span) {
	d := b.errorf(codeAmbiguous, at, "two imported types have a constructor of this name")
	for _, def := range []any{a.a, a.b} {
		if ctor, ok := def.(*core.Ctor); ok {
			d.Note(ctor.At, "one is `%s`'s", ctor.Def.Name)
		}
	}
	d.Note(span.Span{}, "import the one that is meant by its name, or write it with its module")
}

func (b *body) localValue(n *binding, at span.Span) core.Expr {
	if _, ok := n.local.Type.(*core.FuncType); ok {
		return b.functionValue(at, "`"+n.local.Name+"` is a function")
	}
	return &core.Ref{X: core.X{At: at, Type: n.local.Type}, Local: n.local}
}

// functionValue refuses a function where a value belongs.
func (b *body) functionValue(at span.Span, what string) core.Expr {
	b.errorf(codeFunctionValue, at, "%s, and only an argument may be one", what).
		Note(span.Span{}, "call it with `(…)`, or give it to a parameter that is a function")
	return broken(at)
}

func (b *body) ctorValue(ctor *core.Ctor, at span.Span) core.Expr {
	if ctor.Def.Kind == core.Record {
		b.errorf(codeConstruction, at, "`%s` is a record's type, not a value", ctor.Name).
			Note(span.Span{}, "build one with `%s`", recordForm(ctor))
		return broken(at)
	}
	if len(ctor.Fields) > 0 {
		b.errorf(codeFunctionValue, at, "`%s` needs its %s", ctor.Name, plural(len(ctor.Fields), "field")).
			Note(ctor.At, "declared here").Note(span.Span{}, "write `%s`", callForm(ctor))
		return broken(at)
	}
	args := b.freshAll(ctor.Def.Params, at)
	return &core.Construct{X: core.X{At: at, Type: b.applied(ctor.Def, args)}, Ctor: ctor}
}

// applied is a definition with its arguments.
func (b *body) applied(def *core.TypeDef, args []core.Type) core.Type {
	if len(args) == 0 {
		if ti := b.c.types[def]; ti != nil {
			return ti.con
		}
	}
	return &core.Con{Def: def, Args: args}
}

// recordForm shows how a record is built: "Choice { offer: …, price: … }".
func recordForm(ctor *core.Ctor) string {
	s := ctor.Name + " {"
	for i, f := range ctor.Fields {
		if i > 0 {
			s += ","
		}
		s += " " + f.Name + ": …"
	}
	return s + " }"
}

// callForm shows how an alternative or a wrapper is built: "Used(grade: …)".
func callForm(ctor *core.Ctor) string {
	if len(ctor.Fields) == 0 {
		return ctor.Name
	}
	s := ctor.Name + "("
	for i, f := range ctor.Fields {
		if i > 0 {
			s += ", "
		}
		if f.Name != "" && ctor.Def.Kind == core.Variant {
			s += f.Name + ": "
		}
		s += "…"
	}
	return s + ")"
}

func (b *body) unknownName(e *syntax.Ident) *diag.Diagnostic {
	if e.Name == "" || b.m.lost[e.Name] {
		return nil
	}
	d := b.errorf(codeUnknownName, e.Span, "there is no `%s` here", e.Name)
	if s := b.m.types[e.Name]; s != nil {
		return d.Note(s.at, "`%s` is a type", e.Name)
	}
	if home := b.c.homeOf(e.Name, b.m); home != nil {
		return b.m.importFix(d, home, e.Name)
	}
	for _, here := range append([]string{e.Name}, elsewhere[e.Name]...) {
		if homes := b.c.libraryHomes(here); len(homes) > 0 {
			return d.Note(span.Span{}, "the standard library has %s: write `%s(…)`, or `… |> %s(…)`", list(homes), homes[0], here)
		}
	}
	candidates := names(b.m.values, b.m.implied, b.c.stdValues)
	for n := range b.locals {
		candidates = append(candidates, n)
	}
	for n := range b.m.mods {
		candidates = append(candidates, n)
	}
	for n := range b.c.stdModules {
		candidates = append(candidates, n)
	}
	return b.c.didYouMean(d, e.Span, e.Name, append(candidates, "now", "debug"))
}

// libraryHomes lists the standard library's functions of a name, with their
// modules.
func (c *checker) libraryHomes(name string) []string {
	var out []string
	for short, m := range c.stdModules {
		if s := m.own(m.values, name); s != nil && s.pub {
			if _, ok := s.def.(*funcInfo); ok {
				out = append(out, short+"."+name)
			}
		}
	}
	sort.Strings(out)
	return out
}

// field reads a record's field, a wrapper's value or a tuple's element.
func (b *body) field(e *syntax.FieldExpr) core.Expr {
	x := b.expr(e.X, nil, why{})
	t := b.force(x.TypeOf(), e.X.Pos())
	if e.Name.Text == "" || t == bad {
		return broken(e.Span, x)
	}
	out := core.X{At: e.Span}
	switch t := t.(type) {
	case *core.Tuple:
		i := tupleIndex(e.Name.Text)
		if i < 0 || i >= len(t.Elems) {
			b.errorf(codeUnknownField, e.Name.Span, "`%s` has no `.%s`", show(t), e.Name.Text).
				Note(span.Span{}, "its elements are `.0` to `.%d`", len(t.Elems)-1)
			return broken(e.Span, x)
		}
		out.Type = t.Elems[i]
		return &core.GetTuple{X: out, Value: x, Index: i}
	case *core.Con:
		if t.Def.Kind != core.Record && t.Def.Kind != core.Wrapper {
			break
		}
		ctor := t.Def.Ctors[0]
		for i, f := range ctor.Fields {
			if f.Name != e.Name.Text {
				continue
			}
			b.m.info.use(e.Name.Span, f)
			if b.std.opaque(t.Def, b.m) {
				b.opaqueUse(e.Name.Span, t.Def)
				return broken(e.Span, x)
			}
			out.Type = instance(f.Type, t.Def.Params, t.Args)
			return &core.GetField{X: out, Value: x, Ctor: ctor, Index: i}
		}
	}
	b.noField(e, x, t)
	return broken(e.Span, x)
}

func tupleIndex(text string) int {
	if len(text) == 0 || len(text) > 3 {
		return -1
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func (b *body) opaqueUse(at span.Span, def *core.TypeDef) {
	b.errorf(codeOpaque, at, "the inside of `%s` is the standard library's own", def.Name).
		Note(span.Span{}, "make and read one with the functions of `%s`", lastPart(def.Module.Path))
}

func (b *body) noField(e *syntax.FieldExpr, x core.Expr, t core.Type) {
	name := e.Name.Text
	d := b.errorf(codeUnknownField, e.Name.Span, "`%s` has no field `%s`", show(t), name)
	if head, ok := e.X.(*syntax.Ident); ok {
		if m := b.c.stdModules[head.Name]; m != nil && m.values[name] != nil {
			d.Note(span.Span{}, "the local `%s` hides the module of that name", head.Name)
			return
		}
	}
	if elem, ok := b.std.isOption(t); ok {
		if con, ok := prune(elem).(*core.Con); ok && fieldNamed(con.Def, name) {
			d.Note(span.Span{}, "it may be `None`: give a default with `??`, pass the `None` on with `?`, or `match` it")
			return
		}
	}
	if m := b.moduleOfType(t); m != nil {
		if s := m.own(m.values, name); s != nil && (s.pub || m == b.m) {
			if _, ok := s.def.(*funcInfo); ok {
				d.Note(span.Span{}, "`%s` is a function: write `… |> %s()`", name, name)
				return
			}
		}
	}
	con, ok := t.(*core.Con)
	if !ok || len(con.Def.Ctors) != 1 || con.Def.Kind == core.Variant {
		return
	}
	var candidates []string
	for _, f := range con.Def.Ctors[0].Fields {
		candidates = append(candidates, f.Name)
	}
	if con.Def.At.IsValid() {
		d.Note(con.Def.At, "`%s` is declared here, with %s", con.Def.Name, list(candidates))
	}
	b.c.didYouMean(d, e.Name.Span, name, candidates)
}

func fieldNamed(def *core.TypeDef, name string) bool {
	if def.Kind != core.Record && def.Kind != core.Wrapper {
		return false
	}
	for _, f := range def.Ctors[0].Fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

// moduleOfType is the module in which pipes look up functions for a type.
func (b *body) moduleOfType(t core.Type) *module {
	con, ok := prune(t).(*core.Con)
	if !ok {
		return nil
	}
	return b.c.byPath[con.Def.Module.Path]
}
