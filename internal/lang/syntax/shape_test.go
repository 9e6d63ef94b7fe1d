package syntax

import (
	"fmt"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

// TestGrouping shows how expressions group, each operator in parentheses.
func TestGrouping(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{"1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"},
		{"a || b && c == d + e", "(a || (b && (c == (d + e))))"},
		{"a ?? b ?? c || d", "(a ?? (b ?? (c || d)))"},
		{"-a.b(c)? * !d", "(-[a.b(c)?] * ![d])"},
		{"a is A | B && c", "((a is A|B) && c)"},
		{"a + b |> f(c) |> g", "(((a + b) |> f(c)) |> g)"},
		{"a |> f()? |> m.g", "((a |> f())? |> m.g)"},
		{"a |> f within 1ms else b else c", "{(a |> f) within 1ms else {b else c}}"},
		{"optional a else b within 2ms", "{optional a else {b within 2ms}}"},
		{"x => a |> f else b", "[x => {(a |> f) else b}]"},
		{"(x, (y, z)) => x", "[x,(y,z) => x]"},
		{"f(a: x => y, b)", "f(a: [x => y],b)"},
		{"if a { b } else if c { d } else { e } else f", "{if(a, b, if(c, d, e)) else f}"},
		{"t.0.1", "t.0.1"},
		{"2026-01-01 - 2026 - 1", "((2026-01-01 - 2026) - 1)"},
		{"5 USD", "5USD"},
		{"a\n+ b\n- c", "(a + b)"},
		{"[a\n- b]", "[(a - b)]"},
		{"f(a\n(b))", "f(a(b))"},
		{"a\n.b", "a.b"},
		{"m.C { ..a, b, c: d }", "m.C{..a b c:d}"},
		{"{ ..a, b: c }", "{..a b:c}"},
	} {
		var d diag.List
		source := "fn f() -> Int {\n" + test.source + "\n}\n"
		f := Parse(span.NewFile("a.tow", []byte(source)), &d)
		body := f.Decls[0].(*FnDecl).Body
		if len(d.All) > 0 {
			t.Errorf("%s: %v", test.source, d.All[0])
			continue
		}
		if got := shape(body.Stmts[0].(*ExprStmt).X); got != test.want {
			t.Errorf("%s groups as %s, want %s", test.source, got, test.want)
		}
	}
}

func shape(x Expr) string {
	switch x := x.(type) {
	case *Ident:
		return x.Name
	case *NumberLit:
		return x.Text
	case *DurationLit:
		return x.Text
	case *DateLit:
		return x.Text
	case *MoneyLit:
		return x.Number + x.Currency
	case *UnaryExpr:
		return fmt.Sprintf("%s[%s]", x.Op, shape(x.X))
	case *BinaryExpr:
		return fmt.Sprintf("(%s %s %s)", shape(x.L), x.Op, shape(x.R))
	case *IsExpr:
		return fmt.Sprintf("(%s is %s)", shape(x.X), patShape(x.Pat))
	case *PipeExpr:
		return fmt.Sprintf("(%s |> %s)", shape(x.L), shape(x.R))
	case *TryExpr:
		return shape(x.X) + "?"
	case *FieldExpr:
		return shape(x.X) + "." + x.Name.Text
	case *CallExpr:
		var args []string
		for _, a := range x.Args {
			s := shape(a.Value)
			if a.Label != nil {
				s = a.Label.Text + ": " + s
			}
			args = append(args, s)
		}
		return shape(x.Fn) + "(" + strings.Join(args, ",") + ")"
	case *ScopeExpr:
		s := shape(x.X)
		if x.Optional {
			s = "optional " + s
		}
		if x.Within != nil {
			s += " within " + shape(x.Within)
		}
		if x.Else != nil {
			s += " else " + shape(x.Else)
		}
		return "{" + s + "}"
	case *LambdaExpr:
		var params []string
		for _, p := range x.Params {
			params = append(params, patShape(p.Pat))
		}
		return "[" + strings.Join(params, ",") + " => " + shape(x.Body) + "]"
	case *IfExpr:
		return fmt.Sprintf("if(%s, %s, %s)", shape(x.Cond), shape(x.Then), shape(x.Else))
	case *Block:
		return shape(x.Stmts[len(x.Stmts)-1].(*ExprStmt).X)
	case *ListLit:
		return "[" + shape(x.Elems[0].X) + "]"
	case *RecordLit:
		s := "{.." + shape(x.Base)
		if x.Type != nil {
			s = x.Module.Text + "." + x.Type.Text + s
		}
		for _, f := range x.Fields {
			s += " " + f.Name.Text
			if f.Value != nil {
				s += ":" + shape(f.Value)
			}
		}
		return s + "}"
	}
	return fmt.Sprintf("%T", x)
}

func patShape(p Pattern) string {
	switch p := p.(type) {
	case *VarPat:
		return p.Name
	case *CtorPat:
		return p.Name.Text
	case *OrPat:
		return patShape(p.Alts[0]) + "|" + patShape(p.Alts[1])
	case *TuplePat:
		return "(" + patShape(p.Elems[0]) + "," + patShape(p.Elems[1]) + ")"
	}
	return fmt.Sprintf("%T", p)
}

// TestDocumentation attaches `///` lines to what follows them.
func TestDocumentation(t *testing.T) {
	var d diag.List
	f := Parse(span.NewFile("a.tow", []byte(`//// Module.
////  Second.

/// Old, parted by an empty line.

/// A type,
/// in two lines.
// No documentation.
pub type T = /// First.
  | A
  /// Second.
  | B(/// Field.
  a: Int)

/// Attributed.
@private
fn f() -> Int { 1 }

service S {
  /// Operation.
  fn o() -> Int
}
const none = 1
`)), &d)
	if len(d.All) > 0 {
		t.Fatal(d.All[0])
	}
	typ, fn, service := f.Decls[0].(*TypeDecl), f.Decls[1].(*FnDecl), f.Decls[2].(*ServiceDecl)
	for _, test := range []struct{ what, got, want string }{
		{"module", f.Doc, "Module.\n Second."},
		{"type", typ.Doc, "A type,\nin two lines."},
		{"first alternative", typ.Ctors[0].Doc, "First."},
		{"second alternative", typ.Ctors[1].Doc, "Second."},
		{"field", typ.Ctors[1].Fields[0].Doc, "Field."},
		{"function", fn.Doc, "Attributed."},
		{"operation", service.Ops[0].Doc, "Operation."},
		{"constant", f.Decls[3].(*ConstDecl).Doc, ""},
	} {
		if test.got != test.want {
			t.Errorf("the %s has the documentation %q, want %q", test.what, test.got, test.want)
		}
	}
	if len(f.Comments) != 11 {
		t.Errorf("%d comments", len(f.Comments))
	}
}

func TestStrings(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{`"a\n\t\r\"\\\{\}\u{1F600}}"`, "a\n\t\r\"\\{}😀}"},
		{`""`, ""},
		{`"{a}"`, "<a>"},
		{`"{a}{b}"`, "<a><b>"},
		{`"x{a} y {"z{b}"} é"`, "x<a> y <<z<b>>> é"},
		{`"{f({ ..r, a: "}" })}"`, "<f({..r a:})>"},
	} {
		var d diag.List
		f := Parse(span.NewFile("a.tow", []byte("const a = "+test.source)), &d)
		if len(d.All) > 0 {
			t.Errorf("%s: %v", test.source, d.All[0])
			continue
		}
		if got := stringShape(f.Decls[0].(*ConstDecl).Value.(*StringLit)); got != test.want {
			t.Errorf("%s is %q, want %q", test.source, got, test.want)
		}
	}
}

func stringShape(s *StringLit) string {
	var b strings.Builder
	for _, p := range s.Parts {
		switch x := p.X.(type) {
		case nil:
			b.WriteString(p.Text)
		case *StringLit:
			b.WriteString("<<" + stringShape(x) + ">>")
		case *CallExpr:
			r := x.Args[0].Value.(*RecordLit)
			b.WriteString("<f({..r a:" + strings.Trim(stringShape(r.Fields[0].Value.(*StringLit)), "}") + "})>")
		default:
			b.WriteString("<" + shape(x) + ">")
		}
	}
	return b.String()
}

func TestLiteralValues(t *testing.T) {
	for text, want := range map[string]int64{
		"50ms": 50e6, "1h30m": 5400e9, "3d": 3 * 86400e9, "1d2h3m4s5ms6us7ns": 93784005006007, "1_000ns": 1000, "0s": 0,
	} {
		if got, why := ParseDuration(text); got != want || why != "" {
			t.Errorf("%s is %d (%s), want %d", text, got, why, want)
		}
	}
	for _, text := range []string{"1", "s", "1x", "1m1h", "1s1s", "106752d", "9999999999999999999ns", "1_s"} {
		if _, why := ParseDuration(text); why == "" {
			t.Errorf("%s is a duration", text)
		}
	}
	if got, why := ParseInstant("1970-01-01T00:00:01.000000002Z"); got != 1e9+2 || why != "" {
		t.Errorf("got %d, %s", got, why)
	}
	for _, text := range []string{"2026-01-01T00:00:00", "2026-01-01T24:00:00Z", "1677-01-01T00:00:00Z",
		"2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+01:00"} {
		if _, why := ParseInstant(text); why == "" {
			t.Errorf("%s is an instant", text)
		}
	}
	if days, ok := ParseDate("1969-12-31"); days != -1 || !ok {
		t.Errorf("got %d, %v", days, ok)
	}
	if _, ok := ParseDate("2026-02-29"); ok {
		t.Error("2026-02-29 is a date")
	}
}
