package types

import (
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// declareTypes gives every field its type.
func (c *checker) declareTypes() {
	for _, m := range c.modules {
		for _, ti := range m.typeDecls {
			s := typeScope{c, m, ti.def.Params}
			switch ti.decl.Form {
			case syntax.RecordForm:
				c.declareFields(s, ti, ti.def.Ctors[0], ti.decl.Fields)
			case syntax.VariantForm:
				for i, ct := range ti.decl.Ctors {
					c.declareFields(s, ti, ti.def.Ctors[i], ct.Fields)
				}
			case syntax.WrapperForm:
				ti.def.Ctors[0].Fields[0].Type = bad
				if ti.decl.Inner != nil {
					ti.def.Ctors[0].Fields[0].Type = s.of(ti.decl.Inner)
				}
			}
		}
	}
}

func (c *checker) declareFields(s typeScope, ti *typeInfo, ctor *core.Ctor, fields []*syntax.Field) {
	for i, f := range fields {
		field := ctor.Fields[i]
		field.Type = bad
		if f.Type != nil {
			field.Type = s.of(f.Type)
		}
		if f.Default != nil {
			c.fields[field] = &defaultInfo{
				home: ti.def.Module.Path + "." + ti.def.Name + "." + ctor.Name + "." + f.Name.Text,
				mod:  s.m, expr: f.Default, want: field.Type, tps: ti.def.Params}
		}
	}
}

// declareValues gives functions, operations and annotated constants their types.
func (c *checker) declareValues() {
	for _, m := range c.modules {
		for _, fi := range m.funcDecls {
			c.declareFunc(m, fi)
		}
		for _, oi := range m.opDecls {
			c.declareOp(m, oi)
		}
		for _, k := range m.constDecls {
			if k.decl.Type != nil {
				k.c.Type = typeScope{c, m, nil}.of(k.decl.Type)
			}
		}
	}
	// Deadlines and the like may name constants, which need the types above.
	for _, m := range c.modules {
		for _, fi := range m.funcDecls {
			if fi.decl.Within != nil {
				fi.fn.Within = c.duration(m, fi.decl.Within, codeViewForm, "a view's deadline")
			}
		}
		for _, oi := range m.opDecls {
			c.declareClauses(m, oi)
		}
	}
}

func (c *checker) declareFunc(m *module, fi *funcInfo) {
	fn, d := fi.fn, fi.decl
	s := typeScope{c, m, fn.TypeParams}
	if d.View && len(d.TypeParams) > 0 {
		c.diags.Errorf(codeViewForm, d.TypeParams[0].Span, "a view has no type parameters").
			Note(span.Span{}, "its callers send JSON, so every type must be known")
	}
	fn.Params = c.declareParams(s, d.Params, fn.Module.Path+"."+fn.Name, !d.View)
	fn.Result = bad
	switch {
	case d.Result != nil:
		fn.Result = s.of(d.Result)
	case d.Name.Text != "":
		c.diags.Errorf(codeAnnotation, d.Name.Span, "`%s` does not say what it answers", d.Name.Text).
			Note(span.Span{}, "write `-> TYPE` after its parameters")
	}
}

func (c *checker) declareParams(s typeScope, params []*syntax.Param, home string, funcs bool) []*core.Local {
	out := make([]*core.Local, len(params))
	for i, p := range params {
		l := &core.Local{Name: p.Name.Text, At: p.Name.Span, Type: bad}
		out[i] = l
		switch {
		case p.Type == nil:
			c.quietly(codeAnnotation, p.Span, "the parameter `%s` has no type", p.Name.Text)
		case funcs:
			l.Type = s.param(p.Type)
		default:
			l.Type = s.of(p.Type)
		}
		if p.Default != nil {
			c.params[l] = &defaultInfo{home: home + "." + p.Name.Text, mod: s.m, expr: p.Default, want: l.Type, tps: s.params}
		}
		for _, other := range out[:i] {
			if other.Name == l.Name && l.Name != "" && l.Name != "_" {
				c.diags.Errorf(codeDuplicate, l.At, "the parameter `%s` is declared twice", l.Name).Note(other.At, "first here")
			}
		}
	}
	return out
}

// quietly reports what the parser reports already, should it not have done so.
func (c *checker) quietly(code diag.Code, at span.Span, format string, args ...any) {
	if !c.diags.HasErrors() {
		c.diags.Errorf(code, at, format, args...)
	}
}

func (c *checker) declareOp(m *module, oi *opInfo) {
	op, d := oi.op, oi.decl
	s := typeScope{c, m, nil}
	op.Params = c.declareParams(s, d.Params, op.QualifiedName(), false)
	op.Result = bad
	if d.Result != nil {
		op.Result = s.of(d.Result)
	} else {
		c.diags.Errorf(codeAnnotation, d.Name.Span, "`%s.%s` does not say what it answers", op.Service.Name, op.Name).
			Note(span.Span{}, "write `-> TYPE` after its parameters")
	}
}

// declareClauses reads an operation's defaults.
func (c *checker) declareClauses(m *module, oi *opInfo) {
	op, d := oi.op, oi.decl
	seen := map[syntax.ClauseKind]span.Span{}
	for _, cl := range d.Clauses {
		if first, ok := seen[cl.Kind]; ok {
			c.diags.Errorf(codeClause, cl.Span, "`%s` is said twice", clauseNames[cl.Kind]).Note(first, "first here")
			continue
		}
		seen[cl.Kind] = cl.Span
		c.declareClause(m, op, cl)
	}
}

var clauseNames = map[syntax.ClauseKind]string{
	syntax.BatchClause: "batch", syntax.WithinClause: "within",
	syntax.CacheClause: "cache", syntax.IdempotentClause: "idempotent",
}

// maxBatch bounds what one batch may hold, so that an Int32 always does.
const maxBatch = 1_000_000

func (c *checker) declareClause(m *module, op *core.Operation, cl syntax.Clause) {
	switch cl.Kind {
	case syntax.BatchClause:
		n, ok := c.constantOf(m, cl.Value, c.std.intT).(int64)
		if !ok {
			return
		}
		if n < 1 || n > maxBatch {
			c.diags.Errorf(codeClause, cl.Value.Pos(), "a batch holds from 1 to %d calls", maxBatch)
			return
		}
		op.Batch = int(n)
	case syntax.WithinClause:
		op.Within = c.duration(m, cl.Value, codeClause, "an operation's deadline")
	case syntax.CacheClause:
		op.Cache = c.duration(m, cl.Value, codeClause, "a cache's time")
		op.Shared = cl.Sharing == "shared"
		if cl.Sharing == "" {
			c.diags.Errorf(codeClause, cl.Span, "`cache` does not say for whom answers are kept").
				Note(span.Span{}, "write `shared` when all callers may see one answer, `per caller` when each has its own")
		}
	case syntax.IdempotentClause:
		op.Idempotent = true
	}
}

// duration is the value of a constant Duration that must be positive, 0 after a
// mistake.
func (c *checker) duration(m *module, e syntax.Expr, code diag.Code, what string) int64 {
	if e == nil {
		return 0
	}
	ns, ok := c.constantOf(m, e, c.std.durationT).(int64)
	if ok && ns <= 0 {
		c.diags.Errorf(code, e.Pos(), "%s is longer than nothing", what)
		return 0
	}
	return ns
}

// constantOf evaluates what a clause may hold: a literal, or a constant that is
// one. It is nil after a mistake.
func (c *checker) constantOf(m *module, e syntax.Expr, want core.Type) any {
	before := len(c.diags.All)
	b := c.newBody(m, m.core.Path, e.Pos(), nil)
	x := b.expr(e, want, why{})
	b.settle()
	x = b.finish(x, nil)
	c.freeBody(b)
	for ref, ok := x.(*core.ConstRef); ok; ref, ok = x.(*core.ConstRef) {
		if x = ref.Const.Value; x == nil {
			return nil
		}
	}
	if lit, ok := x.(*core.Lit); ok {
		return lit.Value
	}
	if len(c.diags.All) == before {
		c.diags.Errorf(codeClause, e.Pos(), "this is not known before the program runs").
			Note(span.Span{}, "write a literal, such as `50ms`, or a constant that is one")
	}
	return nil
}
