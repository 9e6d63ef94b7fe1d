package types

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/testkit/txtar"
)

var update = flag.Bool("update", false, "write the checked trees found into the archives")

// TestCore compares the checked trees of testdata/lang/core with what is written
// there, in a short notation of their own: see dumper.
func TestCore(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/lang/core/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(string(text))
			var mods []testModule
			for _, f := range a.Files {
				if name, ok := strings.CutSuffix(f.Name, ".tow"); ok {
					mods = append(mods, testModule{name, f.Text})
				}
			}
			prog, _, d := check(t, mods...)
			got := report(d)
			for _, m := range prog.Modules {
				if !isStdPath(m.Path) {
					got += dumpModule(m)
				}
			}
			if want, _ := a.Get("core"); got != want {
				if !*update {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
					return
				}
				a.Set("core", got)
				if err := os.WriteFile(path, []byte(a.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func dumpModule(m *core.Module) string {
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

var primNames = map[core.Op]string{
	core.IntAdd: "Int.add", core.IntSub: "Int.sub", core.IntMul: "Int.mul", core.IntNeg: "Int.neg",
	core.DecimalAdd: "Decimal.add", core.DecimalMul: "Decimal.mul", core.FloatMul: "Float.mul",
	core.MoneyMul: "Money.mul", core.MoneyAdd: "Money.add", core.DurationMul: "Duration.mul",
	core.Equal: "eq", core.NotEqual: "ne", core.Less: "lt", core.LessEq: "le", core.Greater: "gt",
	core.GreaterEq: "ge", core.Not: "not", core.Show: "show",
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
