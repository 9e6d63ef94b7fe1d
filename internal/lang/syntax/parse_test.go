package syntax

import (
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
)

const rich = `//// The buy box.
////
//// Which offer wins.

import market/types.{Offer, OfferId as Id, Product, Shopper, Condition}
import market/services.{Catalog, Merchants, Pricing}
import list as l

/// What the shopper sees.
pub type Choice {
  /// The offer.
  offer: OfferId
  price: Money = 0 USD, score: Decimal
  @json("why") reason: String
}

type Condition = New | Used(grade: Int) | Refurbished
pub type Opt<T> =
  | Som(T)
  /// Nothing.
  | Non
type OfferId(String)

const maxOffers: Int = 20
const table = [1, 2.5, 0xff, 1e-3, ..rest, 19.99 USD, 50ms, 1h30m, 2026-01-01, 2026-01-01T00:00:00Z]

service Catalog {
  /// All offers.
  fn offers(product: Product) -> List<Offer> batch 100 within 40ms cache 5s shared
  @json("x")
  fn one(id: Id) -> Offer?
    cache 1m per caller
    idempotent
}

/// The offer that deserves the button.
view featured(product: Product, shopper: Shopper = nobody) -> Choice? within 50ms {
  let offers = Catalog.offers(product)
  let market = optional Pricing.lowest(product) within 10ms else None
  let (a, b): (Int, T??) = (1, -2)
  let c = a else b else { let x = 1
    x }
  offers
    |> filter(o => eligible(o, market))
    |> map((o, (k, v)) => rate(o, shopper)?)
    |> maxBy(c => c.score)?
    |> first
}

fn rate<T, U>(offer: Offer, f: fn(T, U) -> List<U>) -> Choice {
  let merchant = Merchants.profile(offer.merchant)   // one batch
  let s = "Hello {merchant.name} and \{{if a { "x" } else { "y{z}" }}\}\n\u{1F600}"
  if a == b && c is Some(_) || !d {
    match x {
      Used(grade: g) if g > 2 -> g, New | Refurbished -> 2
      Choice { reason: "new", .. } as c -> Choice { ..c, reason, price: 1 USD }
      [a, b, ..rest] -> { ..base, x: 1 }
      -1 -> 2
      types.New -> t.0.1
      () -> ()
    }
  } else if q { 1 } else {
    1 + 2 * 3 - 4
      + 5
  }
}

@intrinsic("list.length")
fn length<T>(xs: List<T>) -> Int

test "a used offer never beats a new one" {
  given Catalog.offers(_) = [used(10.00 USD), new(10.00 USD)]
  given Pricing.lowest(_) expires
  given now = 2026-01-01T00:00:00Z
  given seed = 7
  let test = 1
  expect featured(lamp, anyone) is Some(Choice { reason: "new", .. })
}

prop "adds" (a: Int, b: List<Int>) {
  expect a + 1 == 1 + a
}
`

func TestRichSourceParses(t *testing.T) {
	var d diag.List
	f := Parse(span.NewFile("a.tow", []byte(rich)), &d)
	for _, x := range d.All {
		t.Errorf("%v (expected %s, found %s)", x, x.Expected, x.Found)
	}
	if len(f.Decls) != 12 || len(f.Imports) != 3 {
		t.Errorf("%d declarations, %d imports", len(f.Decls), len(f.Imports))
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte{}
	decls := rich[strings.Index(rich, "/// What"):]
	for len(text) < 1<<20 {
		text = append(text, decls...)
	}
	file := span.NewFile("a.tow", text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var d diag.List
		Parse(file, &d)
	}
}
