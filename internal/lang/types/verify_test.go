package types

import (
	"fmt"
	"testing"

	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
)

// verifier checks what package core promises of a tree: every node's parts have
// the types that the node says, nothing unknown is left, locals are bound before
// they are read and bound once, and sites differ.
type verifier struct {
	t     testing.TB
	std   *core.Std
	where string
	fn    *core.Func
	scope map[*core.Local]bool
	bound map[*core.Local]bool
	nodes map[core.Expr]bool
	sites map[core.Site]bool
}

func verify(t testing.TB, prog *core.Program, std bool) {
	t.Helper()
	sites := map[core.Site]bool{}
	for _, m := range prog.Modules {
		if isStdPath(m.Path) && !std {
			continue
		}
		fresh := func(where string) *verifier {
			return &verifier{t: t, std: &prog.Std, where: where, scope: map[*core.Local]bool{},
				bound: map[*core.Local]bool{}, nodes: map[core.Expr]bool{}, sites: sites}
		}
		for _, fn := range m.Funcs {
			v := fresh(fn.QualifiedName())
			v.fn = fn
			for _, p := range fn.Params {
				v.typ(p.Type)
				v.bind(p)
			}
			v.typ(fn.Result)
			if fn.Kind == core.Intrinsic {
				continue
			}
			v.expr(fn.Body)
			v.same("body", fn.Result, fn.Body.TypeOf())
			if fn.Gas != core.GasOf(fn.Body) {
				v.fault("gas")
			}
		}
		for _, k := range m.Consts {
			v := fresh(m.Path + "." + k.Name)
			v.expr(k.Value)
			v.same("constant", k.Type, k.Value.TypeOf())
		}
		for _, td := range m.Types {
			for _, ctor := range td.Ctors {
				for _, f := range ctor.Fields {
					v := fresh(m.Path + "." + td.Name)
					v.typ(f.Type)
					if f.Default != nil {
						v.expr(f.Default)
						v.same("default", f.Type, f.Default.TypeOf())
					}
				}
			}
		}
		for _, test := range m.Tests {
			v := fresh(m.Path + ".test:" + test.Title)
			for _, p := range test.Params {
				v.bind(p)
			}
			v.test(test)
		}
	}
}

func (v *verifier) fault(format string, args ...any) {
	v.t.Errorf("%s: %s", v.where, fmt.Sprintf(format, args...))
}

func (v *verifier) typ(t core.Type) {
	if t == nil || has(t, func(t core.Type) bool {
		switch t.(type) {
		case *core.Con, *core.Tuple, *core.FuncType, *core.Param:
			return false
		}
		return true
	}) {
		v.fault("a type is not finished: %v", t)
	}
}

func (v *verifier) same(what string, want, got core.Type) {
	if !core.Identical(want, got) {
		v.fault("%s is %v, want %v", what, got, want)
	}
}

func (v *verifier) bind(l *core.Local) {
	if v.bound[l] {
		v.fault("%s is bound twice", l.Name)
	}
	v.bound[l], v.scope[l] = true, true
	v.typ(l.Type)
}

func (v *verifier) exprs(what string, xs []core.Expr, wants []core.Type) {
	if len(xs) != len(wants) {
		v.fault("%s: %d parts, want %d", what, len(xs), len(wants))
		return
	}
	for i, x := range xs {
		v.expr(x)
		v.same(what, wants[i], x.TypeOf())
	}
}

func (v *verifier) part(what string, x core.Expr, want core.Type) {
	v.expr(x)
	v.same(what, want, x.TypeOf())
}

func (v *verifier) site(s core.Site) {
	if v.sites[s] {
		v.fault("a site is used twice")
	}
	v.sites[s] = true
}

func paramTypes(params []*core.Local, s core.Subst) []core.Type {
	out := make([]core.Type, len(params))
	for i, p := range params {
		out[i] = s.Apply(p.Type)
	}
	return out
}

func fieldTypes(ctor *core.Ctor, t core.Type) []core.Type {
	s := core.Bind(ctor.Def.Params, t.(*core.Con).Args)
	out := make([]core.Type, len(ctor.Fields))
	for i, f := range ctor.Fields {
		out[i] = s.Apply(f.Type)
	}
	return out
}

func (v *verifier) expr(x core.Expr) {
	if v.nodes[x] {
		v.fault("a node %T stands in two places", x)
	}
	v.nodes[x] = true
	v.typ(x.TypeOf())
	if !x.Pos().IsValid() {
		v.fault("a node %T is nowhere", x)
	}
	boolT := core.Type(&core.Con{Def: v.std.Bool})
	switch x := x.(type) {
	case *core.Lit:
		v.literal(x.Value, x.Type)
	case *core.Ref:
		if !v.scope[x.Local] {
			v.fault("%s is read where it is not bound", x.Local.Name)
		}
		v.same(x.Local.Name, x.Local.Type, x.Type)
	case *core.ConstRef:
		v.same(x.Const.Name, x.Const.Type, x.Type)
	case *core.FuncRef:
		s := core.Bind(x.Func.TypeParams, x.Args)
		v.same("a function", &core.FuncType{Params: paramTypes(x.Func.Params, s), Result: s.Apply(x.Func.Result)}, x.Type)
	case *core.Lambda:
		ft := x.Type.(*core.FuncType)
		for i, p := range x.Params {
			v.bind(p)
			v.same("a lambda's parameter", ft.Params[i], p.Type)
		}
		v.part("a lambda's body", x.Body, ft.Result)
		if x.Gas != core.GasOf(x.Body) {
			v.fault("a lambda's gas")
		}
	case *core.Call:
		v.site(x.Site)
		s := core.Bind(x.Func.TypeParams, x.TypeArgs)
		v.exprs("call of "+x.Func.Name, x.Args, paramTypes(x.Func.Params, s))
		v.same("call of "+x.Func.Name, s.Apply(x.Func.Result), x.Type)
		if x.TailSelf && x.Func != v.fn {
			v.fault("TailSelf of another function")
		}
	case *core.CallParam:
		v.site(x.Site)
		ft := x.Fn.Type.(*core.FuncType)
		v.exprs("call of "+x.Fn.Name, x.Args, ft.Params)
		v.same("call of "+x.Fn.Name, ft.Result, x.Type)
	case *core.CallOp:
		v.site(x.Site)
		v.exprs("call of "+x.Op.Name, x.Args, paramTypes(x.Op.Params, nil))
		v.same("call of "+x.Op.Name, x.Op.Result, x.Type)
	case *core.Prim:
		v.prim(x)
	case *core.If:
		v.part("condition", x.Cond, boolT)
		v.part("then", x.Then, x.Type)
		v.part("else", x.Else, x.Type)
	case *core.Match:
		v.expr(x.Subject)
		for _, a := range x.Arms {
			v.pattern(a.Pat, x.Subject.TypeOf(), nil)
			if a.Guard != nil {
				v.part("guard", a.Guard, boolT)
			}
			v.part("arm", a.Body, x.Type)
		}
	case *core.Let:
		v.expr(x.Value)
		v.pattern(x.Pat, x.Value.TypeOf(), nil)
		v.part("let", x.Body, x.Type)
	case *core.Scope:
		v.site(x.Site)
		if x.Within != nil {
			v.part("within", x.Within, &core.Con{Def: v.std.Duration})
		}
		v.part("scope", x.Body, x.Type)
		if x.Else != nil {
			v.part("else", x.Else, x.Type)
		}
	default:
		v.plain(x)
	}
}

// plain checks expressions that only have parts.
func (v *verifier) plain(x core.Expr) {
	switch x := x.(type) {
	case *core.Construct:
		if x.Type.(*core.Con).Def != x.Ctor.Def {
			v.fault("constructor of another type")
		}
		v.exprs(x.Ctor.Name, x.Fields, fieldTypes(x.Ctor, x.Type))
	case *core.GetField:
		v.expr(x.Value)
		v.same("field", fieldTypes(x.Ctor, x.Value.TypeOf())[x.Index], x.Type)
	case *core.MakeTuple:
		v.exprs("tuple", x.Elems, x.Type.(*core.Tuple).Elems)
	case *core.GetTuple:
		v.part("element", x.Value, x.Value.TypeOf())
		v.same("element", x.Value.TypeOf().(*core.Tuple).Elems[x.Index], x.Type)
	case *core.MakeList:
		for _, el := range x.Elems {
			want := x.Type.(*core.Con).Args[0]
			if el.Spread {
				want = x.Type
			}
			v.part("element", el.Value, want)
		}
	case *core.Concat:
		for _, p := range x.Parts {
			v.part("part of a text", p, &core.Con{Def: v.std.String})
		}
	case *core.Try:
		v.expr(x.Value)
		v.typ(x.Return)
	case *core.Debug:
		v.part("debug", x.Value, x.Type)
	case *core.Now, *core.Seed:
	default:
		v.fault("a node %T", x)
	}
}

func (v *verifier) literal(value any, t core.Type) {
	var ok bool
	switch def := t.(*core.Con).Def; def {
	case v.std.Bool:
		_, ok = value.(bool)
	case v.std.Int, v.std.Duration, v.std.Instant, v.std.Date:
		_, ok = value.(int64)
	case v.std.Float:
		_, ok = value.(float64)
	case v.std.String:
		_, ok = value.(string)
	case v.std.Decimal:
		_, ok = value.(decimal.Decimal)
	case v.std.Money:
		_, ok = value.(core.Money)
	}
	if !ok {
		v.fault("a literal %T for %v", value, t)
	}
}

// prim checks an operator against the table, read the other way round.
func (v *verifier) prim(x *core.Prim) {
	for _, a := range x.Args {
		v.expr(a)
	}
	std := &builtins{Std: *v.std}
	std.bind(*v.std)
	switch {
	case x.Op == core.Not, x.Op == core.Show:
		if len(x.Args) != 1 {
			v.fault("operands of %d", x.Op)
		}
	case x.Op >= core.Equal && x.Op <= core.GreaterEq:
		v.same("comparison", x.Args[0].TypeOf(), x.Args[1].TypeOf())
		v.same("comparison", std.boolT, x.Type)
	case len(x.Args) == 1:
		v.same("negation", x.Args[0].TypeOf(), x.Type)
	default:
		for _, r := range rules {
			l, rt := std.typeOf(r.left), std.typeOf(r.right)
			if r.swap {
				l, rt = rt, l
			}
			if r.prim == x.Op && core.Identical(l, x.Args[0].TypeOf()) && core.Identical(rt, x.Args[1].TypeOf()) &&
				core.Identical(std.typeOf(r.res), x.Type) {
				return
			}
		}
		v.fault("operator %d on %v and %v", x.Op, x.Args[0].TypeOf(), x.Args[1].TypeOf())
	}
}

// pattern checks a pattern for a type. again holds what an or-pattern's first
// alternative bound, nil in the first.
func (v *verifier) pattern(p core.Pattern, t core.Type, again map[*core.Local]bool) {
	v.same("pattern", t, p.TypeOf())
	bind := func(l *core.Local, t core.Type) {
		v.same("pattern's "+l.Name, t, l.Type)
		if again == nil {
			v.bind(l)
		} else if !again[l] {
			v.fault("an alternative binds a new %s", l.Name)
		}
	}
	all := func(ps []core.Pattern, ts []core.Type) {
		if len(ps) != len(ts) {
			v.fault("a pattern with %d parts, want %d", len(ps), len(ts))
			return
		}
		for i := range ps {
			v.pattern(ps[i], ts[i], again)
		}
	}
	switch p := p.(type) {
	case *core.PWild:
	case *core.PVar:
		bind(p.Local, t)
	case *core.PLit:
		v.literal(p.Value, t)
	case *core.PCtor:
		all(p.Args, fieldTypes(p.Ctor, t))
	case *core.PTuple:
		all(p.Elems, t.(*core.Tuple).Elems)
	case *core.PList:
		for _, e := range p.Elems {
			v.pattern(e, t.(*core.Con).Args[0], again)
		}
		if p.Rest != nil {
			bind(p.Rest, t)
		}
	case *core.POr:
		before := map[*core.Local]bool{}
		for l := range v.bound {
			before[l] = true
		}
		v.pattern(p.Alts[0], t, again)
		if again == nil {
			again = map[*core.Local]bool{}
			for l := range v.bound {
				again[l] = !before[l]
			}
		}
		for _, alt := range p.Alts[1:] {
			v.pattern(alt, t, again)
		}
	case *core.PAs:
		v.pattern(p.Pat, t, again)
		bind(p.Local, t)
	}
}

func (v *verifier) test(t *core.Test) {
	for _, st := range t.Stmts {
		switch st := st.(type) {
		case *core.TestLet:
			v.expr(st.Value)
			v.pattern(st.Pat, st.Value.TypeOf(), nil)
		case *core.Expect:
			v.expr(st.X)
		case *core.Given:
			for i, a := range st.Args {
				v.pattern(a, st.Op.Params[i].Type, nil)
			}
			if st.Value != nil {
				v.expr(st.Value)
			}
		}
	}
}
