// Package coretext writes checked trees as text, for goldens: what is left of a
// program when names, pipes, labels, defaults and literals have got their
// meaning. It is no source that could be read again.
//
//	double(n: Int) -> Int gas 1
//	    Int.mul(n, 2)
package coretext

import (
	"fmt"
	"strconv"
	"strings"

	"towpath.dev/internal/lang/core"
)

// Module writes a module's constants and functions.
func Module(m *core.Module) string {
	var b strings.Builder
	for _, k := range m.Consts {
		d := newDumper()
		fmt.Fprintf(&b, "const %s: %s = %s\n", k.Name, k.Type, d.expr(k.Value))
	}
	for _, fn := range m.Funcs {
		d := newDumper()
		var params []string
		for _, p := range fn.Params {
			params = append(params, d.bind(p)+": "+p.Type.String())
		}
		fmt.Fprintf(&b, "%s(%s) -> %s gas %d", fn.Name, strings.Join(params, ", "), fn.Result, fn.Gas)
		if fn.Within > 0 {
			fmt.Fprintf(&b, " within %d", fn.Within)
		}
		if fn.Loop {
			b.WriteString(" loop")
		}
		if fn.Recursive {
			b.WriteString(" recursive")
		}
		for _, c := range fn.Callings {
			fmt.Fprintf(&b, "\n    asks %s %s", c.Op.QualifiedName(), [...]string{"required", "guarded", "optional"}[c.Need])
		}
		fmt.Fprintf(&b, "\n    %s\n", d.expr(fn.Body))
	}
	return b.String()
}

// dumper writes expressions. Locals of one name in a function are told apart by
// a number; types stand where the source leaves them out.
type dumper struct {
	names  map[*core.Local]string
	counts map[string]int
}

func newDumper() *dumper {
	return &dumper{map[*core.Local]string{}, map[string]int{}}
}

func (d *dumper) bind(l *core.Local) string {
	if n, ok := d.names[l]; ok {
		return n
	}
	d.counts[l.Name]++
	n := l.Name
	if d.counts[l.Name] > 1 {
		n += "#" + strconv.Itoa(d.counts[l.Name])
	}
	d.names[l] = n
	return n
}

func (d *dumper) exprs(xs []core.Expr) string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = d.expr(x)
	}
	return strings.Join(out, ", ")
}

var primNames = [...]string{
	core.IntAdd: "Int.add", core.IntSub: "Int.sub", core.IntMul: "Int.mul", core.IntDiv: "Int.div", core.IntRem: "Int.rem", core.IntNeg: "Int.neg",
	core.FloatAdd: "Float.add", core.FloatSub: "Float.sub", core.FloatMul: "Float.mul", core.FloatDiv: "Float.div", core.FloatNeg: "Float.neg",
	core.DecimalAdd: "Decimal.add", core.DecimalSub: "Decimal.sub", core.DecimalMul: "Decimal.mul", core.DecimalNeg: "Decimal.neg",
	core.MoneyAdd: "Money.add", core.MoneySub: "Money.sub", core.MoneyMul: "Money.mul", core.MoneyNeg: "Money.neg",
	core.DurationAdd: "Duration.add", core.DurationSub: "Duration.sub", core.DurationMul: "Duration.mul", core.DurationDiv: "Duration.div", core.DurationNeg: "Duration.neg",
	core.InstantAdd: "Instant.add", core.InstantSub: "Instant.sub", core.InstantDiff: "Instant.diff",
	core.DateDiff: "Date.diff", core.DateAdd: "Date.add", core.DateSub: "Date.sub",
	core.Not: "not", core.Equal: "eq", core.NotEqual: "ne", core.Less: "lt", core.LessEq: "le", core.Greater: "gt", core.GreaterEq: "ge",
	core.Compare: "compare", core.Show: "show",
}

func (d *dumper) literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		return fmt.Sprintf("%vf", v)
	case core.Money:
		return v.Amount.String() + " " + v.Currency
	case int64, bool:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%vd", v)
}

func (d *dumper) expr(x core.Expr) string {
	switch x := x.(type) {
	case *core.Lit:
		return d.literal(x.Value)
	case *core.Ref:
		return d.names[x.Local]
	case *core.ConstRef:
		return x.Const.Name
	case *core.FuncRef:
		return x.Func.Name + types(x.Args)
	case *core.Lambda:
		var params []string
		for _, p := range x.Params {
			params = append(params, d.bind(p)+": "+p.Type.String())
		}
		return "(" + strings.Join(params, ", ") + ") => " + d.expr(x.Body)
	case *core.Call:
		name := x.Func.Name + types(x.TypeArgs)
		if x.TailSelf {
			name = "again " + name
		}
		return name + "(" + d.exprs(x.Args) + ")"
	case *core.CallParam:
		return d.names[x.Fn] + "(" + d.exprs(x.Args) + ")"
	case *core.CallOp:
		return "ask " + x.Op.Service.Name + "." + x.Op.Name + "(" + d.exprs(x.Args) + ")"
	case *core.Prim:
		return primNames[x.Op] + "(" + d.exprs(x.Args) + ")"
	case *core.If:
		return "if " + d.expr(x.Cond) + " { " + d.expr(x.Then) + " } else { " + d.expr(x.Else) + " }"
	case *core.Match:
		s := "match " + d.expr(x.Subject) + " {"
		for _, a := range x.Arms {
			s += " " + d.pattern(a.Pat)
			if a.Guard != nil {
				s += " if " + d.expr(a.Guard)
			}
			s += " -> " + d.expr(a.Body) + ";"
		}
		return s + " }"
	case *core.Let:
		value := d.expr(x.Value)
		return "let " + d.pattern(x.Pat) + " = " + value + "; " + d.expr(x.Body)
	}
	return d.more(x)
}

func (d *dumper) more(x core.Expr) string {
	switch x := x.(type) {
	case *core.Construct:
		if len(x.Fields) == 0 {
			return x.Ctor.Name
		}
		return x.Ctor.Name + "(" + d.exprs(x.Fields) + ")"
	case *core.GetField:
		return d.expr(x.Value) + "." + x.Ctor.Fields[x.Index].Name
	case *core.MakeTuple:
		return "(" + d.exprs(x.Elems) + ")"
	case *core.GetTuple:
		return d.expr(x.Value) + "." + strconv.Itoa(x.Index)
	case *core.MakeList:
		var elems []string
		for _, el := range x.Elems {
			spread := ""
			if el.Spread {
				spread = ".."
			}
			elems = append(elems, spread+d.expr(el.Value))
		}
		return "[" + strings.Join(elems, ", ") + "]: " + x.Type.String()
	case *core.Concat:
		return "text(" + d.exprs(x.Parts) + ")"
	case *core.Try:
		return d.expr(x.Value) + "? -> " + x.Return.String()
	case *core.Scope:
		s := "scope "
		if x.Optional {
			s = "optional "
		}
		if x.Within != nil {
			s += "within " + d.expr(x.Within) + " "
		}
		s += "{ " + d.expr(x.Body) + " }"
		if x.Else != nil {
			s += " else { " + d.expr(x.Else) + " }"
		}
		return s
	case *core.Debug:
		return "debug(" + d.expr(x.Value) + ")"
	case *core.Now:
		return "now"
	case *core.Seed:
		return "seed"
	}
	return fmt.Sprintf("%T", x)
}

func types(ts []core.Type) string {
	if len(ts) == 0 {
		return ""
	}
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = t.String()
	}
	return "<" + strings.Join(out, ", ") + ">"
}

func (d *dumper) patterns(ps []core.Pattern) string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = d.pattern(p)
	}
	return strings.Join(out, ", ")
}

func (d *dumper) pattern(p core.Pattern) string {
	switch p := p.(type) {
	case *core.PVar:
		return d.bind(p.Local) + ": " + p.Type.String()
	case *core.PLit:
		return d.literal(p.Value)
	case *core.PCtor:
		if len(p.Args) == 0 {
			return p.Ctor.Name
		}
		return p.Ctor.Name + "(" + d.patterns(p.Args) + ")"
	case *core.PTuple:
		return "(" + d.patterns(p.Elems) + ")"
	case *core.PList:
		s := d.patterns(p.Elems)
		if p.HasRest {
			s += " .."
			if p.Rest != nil {
				s += d.bind(p.Rest)
			}
		}
		return "[" + s + "]"
	case *core.POr:
		out := make([]string, len(p.Alts))
		for i, a := range p.Alts {
			out[i] = d.pattern(a)
		}
		return strings.Join(out, " | ")
	case *core.PAs:
		return d.pattern(p.Pat) + " as " + d.bind(p.Local)
	}
	return "_"
}
