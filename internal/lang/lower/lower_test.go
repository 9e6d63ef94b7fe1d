package lower_test

import (
	"bytes"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/emit"
	"towpath.dev/internal/lang/ir"
	"towpath.dev/internal/lang/lower"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/stdlib"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

func check(t *testing.T, text string) *core.Program {
	t.Helper()
	var d diag.List
	var mods []types.Source
	for _, f := range stdlib.Sources() {
		mods = append(mods, types.Source{Path: f.Path, File: syntax.Parse(span.NewFile(f.Path+".tow", []byte(f.Text)), &d)})
	}
	mods = append(mods, types.Source{Path: "main", File: syntax.Parse(span.NewFile("main.tow", []byte(text)), &d)})
	p, _ := types.Check(mods, &d)
	if d.HasErrors() {
		d.Sort()
		var buf bytes.Buffer
		if err := diag.Text(&buf, d.All, diag.Options{}); err != nil {
			t.Fatal(err)
		}
		t.Fatal(buf.String())
	}
	return p
}

// TestEveryPieceLowers lowers programs that between them use every expression
// and checks what comes out.
func TestEveryPieceLowers(t *testing.T) {
	for name, text := range programs {
		t.Run(name, func(t *testing.T) {
			m, man, err := lower.Program(check(t, text), lower.Options{Name: "main"})
			if err != nil {
				t.Fatal(err)
			}
			if err := ir.Verify(m); err != nil {
				var buf bytes.Buffer
				ir.Fprint(&buf, m)
				t.Fatalf("%v\n%s", err, buf.String())
			}
			if _, err := emit.Module(m); err != nil {
				t.Fatal(err)
			}
			if err := man.Validate(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

var programs = map[string]string{
	"arithmetic": `
view sum(a: Int, b: Int) -> Int { a * b + a / b - a % b }
fn fib(n: Int) -> Int { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
fn loop(n: Int, acc: Float) -> Float { if n == 0 { acc } else { loop(n - 1, acc * 1.5 + 0.5) } }
view run(n: Int) -> Float { loop(fib(n), 0.0) }
`,
	"shapes": `
type Shape = Circle(radius: Float) | Box(width: Float, height: Float) | Dot
fn area(s: Shape) -> Float {
  match s {
    Circle(r) -> 3.14 * r * r
    Box(width: w, height: h) if w == h -> w * w
    Box(w, h) -> w * h
    Dot -> 0.0
  }
}
view areas(s: List<Shape>) -> List<Float> { s |> map(area) }
view biggest(s: List<Shape>) -> Shape? { s |> filter(x => x != Dot) |> maxBy(x => area(x)) }
`,
	"maps": `
view group(xs: List<String>) -> Map<Int, List<String>> { xs |> groupBy(x => string.length(x)) }
view same(a: Map<String, Int>, b: Map<String, Int>) -> Bool { a == b }
view text(n: Int, d: Decimal, m: Money) -> String { "{n} {d} {m}" }
`,
	"calls": `
type Offer { id: String, price: Money }
service Catalog { fn offers(id: String) -> List<Offer> batch 10 within 40ms }
service Pricing { fn lowest(id: String) -> Money? }
fn fair(o: Offer, market: Money?) -> Bool {
  match market {
    None -> true
    Some(p) -> o.price <= p
  }
}
view best(id: String) -> Offer? within 50ms {
  let offers = Catalog.offers(id)
  let market = optional Pricing.lowest(id) within 10ms else None
  offers |> filter(o => fair(o, market)) |> minBy(o => o.price)
}
view all(ids: List<String>) -> List<Int> {
  ids |> map(id => (list.length(Catalog.offers(id)) else 0) + 1)
}
view first(id: String) -> Money? {
  let o = list.first(Catalog.offers(id))?
  Some(o.price)
}
`,
}
