package types

import (
	"sort"
	"testing"

	"towpath.dev/internal/lang/diag"
)

// applyFix makes a fix's edits, which lie in one file.
func applyFix(text string, fix *diag.Fix) string {
	edits := append([]diag.Edit(nil), fix.Edits...)
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].At.Start > edits[j].At.Start })
	for _, e := range edits {
		text = text[:e.At.Start] + e.New + text[e.At.End:]
	}
	return text
}

// TestFixes applies the fix of the only diagnostic and checks what comes of it.
func TestFixes(t *testing.T) {
	other := testModule{"market/types", "pub type Offer { price: Money }\npub fn cost(o: Offer) -> Money { o.price }\n"}
	cases := []struct{ name, text, want string }{
		{"mistyped name", "pub fn f(price: Int) -> Int { prize }", "pub fn f(price: Int) -> Int { price }"},
		{"mistyped field", "pub type T { price: Int }\npub fn f(t: T) -> Int { t.prize }", "pub type T { price: Int }\npub fn f(t: T) -> Int { t.price }"},
		{"import at the top", "//// A module.\n\npub fn f(o: Offer) -> Offer { o }", "//// A module.\n\nimport market/types.{Offer}\n\npub fn f(o: Offer) -> Offer { o }"},
		{"import added to another", "import market/types.{Offer}\n\npub fn f(o: Offer) -> Money { cost(o) }", "import market/types.{Offer, cost}\n\npub fn f(o: Offer) -> Money { cost(o) }"},
		{"Some", "pub fn f(n: Int) -> Int? { n }", "pub fn f(n: Int) -> Int? { Some(n) }"},
		{"conversion", "pub fn f(n: Int) -> Decimal { n }", "pub fn f(n: Int) -> Decimal { int.toDecimal(n) }"},
		{"conversion in an operator", "pub fn f(m: Money, n: Int) -> Money { m * n }", "pub fn f(m: Money, n: Int) -> Money { m * int.toDecimal(n) }"},
		{"wrapper", "pub type Id(String)\npub fn f(s: String) -> Id { s }", "pub type Id(String)\npub fn f(s: String) -> Id { Id(s) }"},
		{"wrapper's value", "pub type Id(String)\npub fn f(s: Id) -> String { s }", "pub type Id(String)\npub fn f(s: Id) -> String { s.value }"},
		{"else for ??", "pub fn f(n: Int?) -> Int { n else 0 }", "pub fn f(n: Int?) -> Int { n ?? 0 }"},
		{"method for pipe", "pub fn f(xs: List<Int>) -> Int { xs.length() }", "pub fn f(xs: List<Int>) -> Int { xs |> length() }"},
		{"parentheses", "pub fn f() -> Int? { None() }", "pub fn f() -> Int? { None }"},
		{"unused let", "pub fn f() -> Int {\n  let (a, b) = (1, 2)\n  a\n}", "pub fn f() -> Int {\n  let (a, _) = (1, 2)\n  a\n}"},
		{"unused import", "import market/types\n\npub fn f() -> Int { 1 }", "\n\npub fn f() -> Int { 1 }"},
		{"idle scope", "pub fn f() -> Int { 1 + 2 else 0 }", "pub fn f() -> Int { 1 + 2 }"},
		{"fields of a pattern", "pub fn f(x: Int?) -> Bool { x is Some }", "pub fn f(x: Int?) -> Bool { x is Some(_) }"},
		{"is binds", "pub fn f(x: Int?) -> Bool { x is Some(y) }", "pub fn f(x: Int?) -> Bool { x is Some(_) }"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, d := check(t, testModule{"main", c.text}, other)
			if len(d.All) != 1 || d.All[0].Fix == nil {
				t.Fatalf("want one diagnostic with a fix:\n%s", report(d))
			}
			got := applyFix(c.text, d.All[0].Fix)
			if got != c.want {
				t.Fatalf("the fix makes\n%s\nwant\n%s", got, c.want)
			}
			if _, _, d := check(t, testModule{"main", got}, other); len(d.All) > 0 {
				t.Errorf("after the fix:\n%s", report(d))
			}
		})
	}
}

// TestMissingArms checks the arms that the fix for a match adds.
func TestMissingArms(t *testing.T) {
	text := "pub fn f(x: Int?) -> Int {\n  match x {\n    None -> 1\n  }\n}\n"
	_, _, d := check(t, testModule{"main", text})
	want := "pub fn f(x: Int?) -> Int {\n  match x {\n    None -> 1\n    Some(_) -> \n  }\n}\n"
	if len(d.All) != 1 || d.All[0].Fix == nil || applyFix(text, d.All[0].Fix) != want {
		t.Fatalf("%s", report(d))
	}
}
