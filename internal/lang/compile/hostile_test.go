package compile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/wasm"
)

// rich is a program with some of everything, to be damaged.
const rich = `//// Offers.
import other.{Grade, best as top}

/// An offer.
pub type Offer { @json("i") id: Id, price: Money = 1.50 USD, grade: Grade? = None }

type Id(String)
type Tree<T> = Tip | Node(left: Tree<T>, T, right: Tree<T>)

const limits = [10ms, 1h30m] // not used

service Shop {
  fn offers(id: Id) -> List<Offer> batch 9 within 40ms cache 5s shared
}

view main(id: Id, n: Int = 0x1f, day: Date) -> Result<Decimal, String> within 1s {
  let offers = optional Shop.offers(id) within 10ms else []
  let (a, rest) = (n, [1, 2, ..[3]])
  let cheap = offers |> filter(o => o.price < 2 USD && !(o.grade is Some(_))) |> map(o => { ..o, id })
  match cheap {
    [Offer { price: p, .. }] | [Offer { price: p, .. }, _] if p == 0 USD -> Err("a {a}\n\{{size(Tip)}")
    [] -> Ok(-1.5e3 * 2)
    _ -> Ok(decimal.fromInt(top(first(rest)? ?? 0, n % 7)))
  }
}

fn first(xs: List<Int>) -> Result<Int?, String> { Ok(xs |> list.get(0)) }
fn size<T>(t: Tree<T>) -> Int {
  match t { Tip -> 0
    Node(l, _, r) -> size(l) + 1 + size(r) }
}

test "one" {
  given Shop.offers(_) expires
  expect main(Id("x"), day: 2026-01-31) is Ok(_)
}
`

const other = `pub type Grade = Low | High
pub fn best(a: Int, b: Int) -> Int { if a > b { a } else { b } }
`

// mustEnd compiles texts as modules beside other.tow and fails the test on a
// panic, an error other than diagnostics, or an artifact that does not hold
// together; what names the input. It reports whether there was an artifact.
func mustEnd(t *testing.T, what string, texts ...string) bool {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Errorf("%s: %s\n%.2000q", what, fmt.Sprintf(format, args...), texts)
	}
	defer func() {
		if r := recover(); r != nil {
			fail("%v", r)
			panic(r)
		}
	}()
	files := fstest.MapFS{"other.tow": &fstest.MapFile{Data: []byte(other)}}
	for i, text := range texts {
		name := "main.tow"
		if i > 0 {
			name = fmt.Sprintf("main%d.tow", i)
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	res, err := compile.Build(files, compile.Options{})
	switch {
	case err != nil:
		fail("%v", err)
	case res.Diags.HasErrors() == (res.Artifact != nil):
		fail("an artifact of %d bytes, and %d diagnostics", len(res.Artifact), len(res.Diags.All))
	case res.Artifact != nil:
		if err := ir.Verify(res.IR); err != nil {
			fail("%v", err)
		}
		if _, err := wasm.Decode(res.Artifact); err != nil {
			fail("%v", err)
		}
	}
	for _, d := range res.Diags.All {
		if d.At.IsValid() && (d.At.Start < 0 || d.At.End > len(d.At.File.Text) || d.At.Start > d.At.End) {
			fail("%s lies outside of the file: %d to %d of %d", d.Code, d.At.Start, d.At.End, len(d.At.File.Text))
		}
		_ = d.String()
	}
	return res.Artifact != nil
}

// TestHostileProjects compiles what nobody would write. Each ends with an
// artifact or with diagnostics.
func TestHostileProjects(t *testing.T) {
	t.Parallel()
	if !mustEnd(t, "the whole program", rich) {
		t.Error("the program to be damaged has mistakes")
	}
	nest := func(n int, open, middle, end string) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	view := func(body string) string { return "view main(n: Int) -> Int {\n" + body + "\n}\n" }
	binary := make([]byte, 1<<16)
	for i := range binary {
		binary[i] = byte(rand.New(rand.NewPCG(1, uint64(i))).Uint32())
	}
	for _, c := range []struct {
		name, text string
		builds     bool
	}{
		{"nothing", "", true},
		{"binary", string(binary), false},
		{"WebAssembly", wasm.Magic, false},
		{"zeros", strings.Repeat("\x00", 1<<16), false},
		{"UTF-16", "\xff\xfev\x00i\x00e\x00w\x00", false},
		{"a million blanks", view("n" + strings.Repeat(" ", 1<<20)), true},
		{"a million line feeds", strings.Repeat("\n", 1<<20) + view("n"), true},
		{"a line of a megabyte", view("n" + strings.Repeat(" + n", 1<<18)), false},
		{"a comment of a megabyte", "// " + strings.Repeat("x", 1<<20) + "\n" + view("n"), true},
		{"a string of a megabyte", view(`string.length("` + strings.Repeat("x", 1<<20) + `")`), true},
		{"a name of a megabyte", "fn " + strings.Repeat("x", 1<<20) + "() -> Int { 1 }\n", true},
		{"a list of 20,000", view("list.length([" + strings.Repeat("n, ", 20_000) + "])"), true},
		{"an integer of a megabyte", view(strings.Repeat("9", 1<<20)), false},
		{"200 parentheses", view(nest(200, "(", "n", ")")), true},
		{"300 parentheses", view(nest(300, "(", "n", ")")), false},
		{"100,000 parentheses", view(nest(100_000, "(", "n", ")")), false},
		{"100,000 braces", nest(100_000, "{", "", "}"), false},
		{"200 calls", "fn f(n: Int) -> Int { n }\n" + view(nest(200, "f(", "n", ")")), true},
		{"100 ifs", view(nest(100, "if n > 0 { ", "n", " } else { -n }")), true},
		{"100 matches", view(nest(100, "match n { 0 -> ", "n", "\n _ -> 1 }")), true},
		{"100 scopes", "service S { fn f(n: Int) -> Int }\n" + view(nest(100, "(", "S.f(n)", " else 0)")), true},
		{"60 lambdas", "fn a(f: fn(Int) -> Int) -> Int { f(1) }\n" + view(nest(60, "a(x => ", "n", ")")), true},
		{"100 blocks", view(nest(100, "{ let _ = n\n ", "n", " }")), true},
		{"30 functions that double", doubling(30), true},
		{"a type in itself", "type A { a: A? }\nview main(a: A) -> A { a }\n", true},
		{"a type without an end", "type A { a: A }\n" + view("n"), false},
		{"types in each other", "type A(B)\ntype B(A)\n" + view("n"), false},
		{"a constant of itself", "const a = a + 1\n" + view("a"), false},
		{"a function of itself", "fn f(n: Int) -> Int { f(n) }\n" + view("f(n)"), true},
		{"a record of 3,000 fields", record(3000), true},
		{"a view of 3,000 parameters", "view main(" + many(3000, "p%d: Int, ") + ") -> Int { p0 }\n", true},
		{"3,000 views", many(3000, "view v%d(n: Int) -> Int { n + 1 }\n"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if built := mustEnd(t, c.name, c.text); built != c.builds {
				t.Errorf("it builds: %t", built)
			}
		})
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func record(fields int) string {
	return "type R { " + many(fields, "f%d: Int, ") + "}\nview main(r: R) -> R {\n  { ..r, f7: 1 }\n}\n"
}

// doubling is a program that takes 2^n copies to take the functions out of.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("fn f0(g: fn(Int) -> Int) -> Int { g(1) }\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "fn f%d(g: fn(Int) -> Int) -> Int { f%d(x => g(x) + 1) + f%d(x => g(x) + 2) }\n", i, i-1, i-1)
	}
	fmt.Fprintf(&b, "view main(n: Int) -> Int { f%d(x => x + n) }\n", n)
	return b.String()
}

// TestHalfTyped compiles every beginning of a program, several at once: most of
// the time of a small one goes to the standard library.
func TestHalfTyped(t *testing.T) {
	t.Parallel()
	const group = 40
	for n := 0; n <= len(rich); n += group {
		var texts []string
		for end := n; end < n+group && end <= len(rich); end++ {
			texts = append(texts, rich[:end])
		}
		mustEnd(t, fmt.Sprintf("from the first %d bytes on", n), texts...)
	}
}

// TestDamaged compiles programs with bytes changed, left out, doubled and moved:
// always the same ones, and some that nobody chose.
func TestDamaged(t *testing.T) {
	t.Parallel()
	seeds := []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}
	for seed := range uint64(150) {
		seeds = append(seeds, seed)
	}
	if testing.Short() {
		seeds = seeds[3:20]
	}
	built := 0
	for _, seed := range seeds {
		if mustEnd(t, fmt.Sprintf("seed %d", seed), damage(seed)) {
			built++
		}
	}
	t.Logf("%d of %d build all the same", built, len(seeds))
}

// damage is the rich program with a few changes.
func damage(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 3))
	text := []byte(rich)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(text))
		piece := text[at:min(len(text), at+1+r.IntN(12))]
		switch r.IntN(5) {
		case 0: // a bit
			text[at] ^= 1 << r.IntN(8)
		case 1: // another character of the program
			text[at] = text[r.IntN(len(text))]
		case 2: // left out
			text = append(text[:at:at], text[at+len(piece):]...)
		case 3: // doubled
			text = []byte(string(text[:at]) + string(piece) + string(text[at:]))
		case 4: // copied elsewhere
			to := r.IntN(len(text))
			text = []byte(string(text[:to]) + string(piece) + string(text[to:]))
		}
	}
	return string(text)
}

// FuzzBuild does the same for as long as it is let.
func FuzzBuild(f *testing.F) {
	f.Add(rich)
	f.Add("view main(n: Int) -> Int {\n  n\n}\n")
	f.Fuzz(func(t *testing.T, text string) { mustEnd(t, "the input", text) })
}
