package types

import (
	"fmt"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
)

func repeat(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

func codesOf(d *diag.List) string {
	seen, out := map[diag.Code]bool{}, []string{}
	for _, x := range d.All {
		if !seen[x.Code] {
			seen[x.Code] = true
			out = append(out, string(x.Code))
		}
	}
	return strings.Join(out, " ")
}

// TestLarge checks sources whose obvious check would take for ever, or too deep
// a stack, and says what must come of them.
func TestLarge(t *testing.T) {
	cases := []struct {
		name, text, codes string
	}{
		{"types doubled by lets", "pub fn f() -> Int {\n  let x0 = 1\n" +
			repeat(200, func(i int) string { return fmt.Sprintf("  let x%d = (x%d, x%d)\n", i+1, i, i) }) +
			"  if x200 == x200 { 1 } else { 2 }\n}\n", "TW0316"},
		{"types doubled by calls", "fn two<T>(x: T) -> (T, T) { (x, x) }\npub fn f() -> Int {\n  let x = 1" +
			strings.Repeat(" |> two()", 100) + "\n  if x == x { 1 } else { 2 }\n}\n", "TW0316"},
		{"types that grow late", "fn one<T>(x: List<T>) -> T { match x { [a, ..] -> a\n [] -> one(x) } }\npub fn f() -> Int {\n" +
			repeat(60, func(i int) string { return fmt.Sprintf("  let x%d = []\n", i) }) +
			repeat(59, func(i int) string {
				return fmt.Sprintf("  let y%d = [..x%d, (one(x%d), one(x%d))]\n", i, i, i+1, i+1)
			}) + "  if y0 == y0 { 1 } else { 2 }\n}\n", "TW0316"},
		{"many lets", "pub fn f() -> Int {\n  let x0 = 1\n" +
			repeat(5000, func(i int) string { return fmt.Sprintf("  let x%d = x%d + 1\n", i+1, i) }) + "  x5000\n}\n", ""},
		{"many alternatives", "type T = " + strings.Join(strings.Split(strings.TrimSpace(repeat(1000, func(i int) string {
			return fmt.Sprintf("A%d ", i)
		})), " "), " | ") + "\npub fn f(t: T) -> Int {\n  match t {\n" +
			repeat(1000, func(i int) string { return fmt.Sprintf("    A%d -> %d\n", i, i) }) + "  }\n}\n", ""},
		{"many literals", "pub fn f(s: String) -> Int {\n  match s {\n" +
			repeat(2000, func(i int) string { return fmt.Sprintf("    \"s%d\" -> %d\n", i, i) }) + "    _ -> 0\n  }\n}\n", ""},
		{"many unknown names", repeat(1500, func(i int) string {
			return fmt.Sprintf("pub fn fun%d() -> Int { unknown%d }\n", i, i)
		}), "TW0201"},
		{"a long circle of calls", repeat(2000, func(i int) string {
			return fmt.Sprintf("pub fn f%d(n: Int) -> Int { f%d(n) + 1 }\n", i, (i+1)%2000)
		}), ""},
		{"a long circle of types", repeat(1000, func(i int) string {
			return fmt.Sprintf("pub type T%d { next: T%d? }\n", i, (i+1)%1000)
		}), ""},
		{"a long chain of constants", repeat(1000, func(i int) string {
			return fmt.Sprintf("pub const c%d = c%d + 1\n", i, i+1)
		}) + "const c1000 = 1\n", ""},
		{"deep nesting", "pub fn f(x: Int) -> Int {\n  " + strings.Repeat("(", 100) + "x" + strings.Repeat(" + 1)", 100) + "\n}\n", ""},
		{"nested lambdas", "fn a(f: fn(Int) -> Int) -> Int { f(1) }\npub fn f() -> Int {\n  " +
			repeat(60, func(i int) string { return fmt.Sprintf("a(x%d => ", i) }) + "x0" + strings.Repeat(")", 60) + "\n}\n", ""},
		{"broken nested calls", "pub fn f() -> Int {\n  " + strings.Repeat("g(", 100) + "1" + strings.Repeat(")", 100) + "\n}\n", "TW0201"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, d := check(t, testModule{"main", c.text})
			if got := codesOf(d); got != c.codes {
				t.Errorf("codes %q, want %q; first:\n%s", got, c.codes, report(&diag.List{All: d.All[:min(3, len(d.All))]}))
			}
		})
	}
}

// TestWithoutLibrary checks against no standard library at all.
func TestWithoutLibrary(t *testing.T) {
	for _, text := range []string{
		"pub fn f(x: Int?) -> Int { (x ?? 1) + 2 }",
		"pub fn f(xs: List<Int>) -> Bool { xs is [1, ..] }",
		"pub fn f(xs: List<Int>) -> Int { xs |> length() }",
		"pub fn f(x: Result<Int, String>) -> Result<Int, String> { Ok(x? + 1) }",
	} {
		d := &diag.List{}
		prog, _ := Check([]Source{{"main", parse("main.tow", text, d)}}, d)
		if prog.Std.Int == nil || len(prog.Modules) != 1 {
			t.Errorf("%s: no program", text)
		}
	}
}

// TestPartial checks that errors leave the rest of a program usable.
func TestPartial(t *testing.T) {
	prog, info, d := check(t, testModule{"main", "pub fn bad() -> Int { nope }\npub fn good(n: Int) -> Int { n + 1 }\n"})
	if codesOf(d) != "TW0201" {
		t.Fatal(report(d))
	}
	mod := prog.Modules[len(prog.Modules)-1]
	if x, ok := mod.Funcs[1].Body.(*core.Prim); !ok || x.Op != core.IntAdd {
		t.Errorf("good is %T", mod.Funcs[1].Body)
	}
	if typ, _ := info.Module(mod.File).TypeAt(mod.Funcs[1].Body.Pos().Start); typ == nil {
		t.Error("good has no types")
	}
}
