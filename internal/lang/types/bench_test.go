package types

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
)

// bulk writes a project of about so many lines, of ordinary code.
func bulk(lines int) []Source {
	const perCopy = 46
	var sources []Source
	for m := 0; m*2000 < lines; m++ {
		var b strings.Builder
		fmt.Fprintf(&b, "import services.{Catalog}\n")
		for n := range 2000 / perCopy {
			fmt.Fprintf(&b, strings.ReplaceAll(bulkText, "@", "%[1]d"), n)
		}
		path := fmt.Sprintf("bulk/m%d", m)
		sources = append(sources, Source{path, syntax.Parse(span.NewFile(path+".tow", []byte(b.String())), &diag.List{})})
	}
	services := "pub service Catalog { fn price(id: Int) -> Money }\n"
	return append(sources, Source{"services", syntax.Parse(span.NewFile("services.tow", []byte(services)), &diag.List{})})
}

const bulkText = `
/// An offer.
pub type Offer@ {
  id: Int
  price: Money
  tags: List<String> = []
  condition: Condition@
}

pub type Condition@ = New@ | Used@(grade: Int, note: String) | Refurbished@

pub fn rate@(offer: Offer@, bonus: Decimal) -> Decimal {
  let base = match offer.condition {
    New@ -> 1.0
    Used@(grade, _) if grade > 3 -> 0.1 * int.toDecimal(grade)
    Used@(_, note) -> if note == "" { 0.1 } else { 0.2 }
    Refurbished@ -> 0.5
  }
  let price = Catalog.price(offer.id) within 10ms else offer.price
  let cheap = price < offer.price * 0.9 && offer.tags != []
  if cheap {
    base * 2 + bonus
  } else {
    base
  }
}

pub fn best@(offers: List<Offer@>) -> Offer@? {
  offers
    |> filter(o => o.price > 1 USD)
    |> map(o => { ..o, tags: ["a", ..o.tags] })
    |> maxBy(o => rate@(o, bonus: 1))
}

pub fn text@(offers: List<Offer@>) -> String {
  let total = offers |> fold(0, (sum, o) => sum + o.id * 2)
  let first = match offers {
    [] -> "none"
    [one] -> "{one.id}"
    [a, b, ..] -> "{a.id} {b.price}"
  }
  "{total}: {first}"
}
`

func BenchmarkCheck(b *testing.B) {
	sources := append(slices.Clone(library()), bulk(60_000)...)
	lines := 0
	for _, s := range sources {
		lines += s.File.Source.Lines()
	}
	for b.Loop() {
		d := &diag.List{}
		Check(sources, d)
		if len(d.All) > 0 {
			b.Fatal(report(d))
		}
	}
	b.ReportMetric(float64(lines), "lines")
}
