package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"towpath.dev/internal/run/engine"
)

const offersView = `
	type Shopper { id: String, budget: Int, maxDays: Int, novelty: Float }
	type Offer { id: String, condition: String, price: Int, shipping: Int, days: Int, rating: Float, stock: Int }
	pub type Choice { offer: String, price: Int, score: Float, reason: String }
	view best(shopper: Shopper, offers: List<Offer>) -> Choice? {
		offers |> filter(o => eligible(o, shopper)) |> map(o => rate(o, shopper)) |> maxBy(c => c.score)
	}
	fn eligible(offer: Offer, shopper: Shopper) -> Bool {
		offer.stock > 0 && offer.rating >= 3.5 && offer.days <= shopper.maxDays && offer.price + offer.shipping <= shopper.budget
	}
	fn rate(offer: Offer, shopper: Shopper) -> Choice {
		let total = offer.price + offer.shipping
		let bonus: Float = if offer.condition == "new" { 8.0 } else { 0.0 }
		let worth = int.toFloat(shopper.budget - total) * 0.03125 + (offer.rating - 3.0) * 12.5 + int.toFloat(offer.stock) * 0.125 + bonus * shopper.novelty
		Choice { offer: offer.id, price: total, score: worth - int.toFloat(offer.days * offer.days) * 0.75, reason: offer.condition }
	}
	view nothing(n: Int) -> Int { n }
`

func offersInput() []byte {
	var offers []map[string]any
	var b strings.Builder
	for i := range 20 {
		_ = offers
		fmt.Fprintf(&b, `%s{"id":"o-%d","condition":"%s","price":%d,"shipping":%d,"days":%d,"rating":%g,"stock":%d}`,
			[]string{"", ","}[min(i, 1)], 1000+i, []string{"new", "used", "refurbished"}[i%3], 3000+i*137, i*50, 1+i%7, 3.25+float64(i%7)/4, i*3)
	}
	return []byte(`{"shopper":{"id":"s-1234","budget":9876,"maxDays":5,"novelty":0.375},"offers":[` + b.String() + `]}`)
}

func BenchmarkCall(b *testing.B) {
	p := load(b, offersView, engine.Options{})
	run := func(name, view string, input []byte) {
		b.Run(name, func(b *testing.B) {
			v, err := p.View(view)
			if err != nil {
				b.Fatal(err)
			}
			var out []byte
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if out, err = v.AppendCall(ctx, out[:0], input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("offers", "best", offersInput())
	run("nothing", "nothing", []byte(`{"n":1}`))
	b.Run("pass", func(b *testing.B) {
		v, _ := p.View("best")
		h, err := v.Rehearse(b.Context(), offersInput())
		if err != nil {
			b.Fatal(err)
		}
		defer h.Close()
		b.ResetTimer()
		b.ReportAllocs()
		if err := h.Run(b.N); err != nil {
			b.Fatal(err)
		}
	})
}

const dealView = `
	type Offer { id: String, merchant: String, price: Int, stock: Int }
	type Profile { id: String, name: String, country: String, rating: Float, orders: Int, returns: Float }
	type Quote { carrier: String, price: Int, days: Int }
	pub type Deal { offer: String, merchant: String, price: Int, days: Int, score: Float }
	type Rated { offer: Offer, merchant: Profile, score: Float }
	service Catalog { fn offers(product: String) -> List<Offer> within 20ms }
	service Merchants { fn profile(merchant: String) -> Profile batch 100 within 20ms }
	service Delivery { fn quote(offer: String, zip: String) -> Quote within 20ms }
	view deal(product: String, zip: String) -> Deal? within 50ms {
		Catalog.offers(product) |> map(o => rate(o)) |> maxBy(r => r.score) |> map(r => deliver(r, zip))
	}
	fn rate(offer: Offer) -> Rated {
		let merchant = Merchants.profile(offer.merchant)
		let worth = merchant.rating * 16.0 + int.toFloat(offer.stock) * 0.125
		let cost = merchant.returns * 64.0 + int.toFloat(offer.price) * 0.015625
		Rated { offer, merchant, score: worth - cost }
	}
	fn deliver(best: Rated, zip: String) -> Deal {
		let quote = Delivery.quote(best.offer.id, zip)
		Deal { offer: best.offer.id, merchant: best.merchant.name, price: best.offer.price + quote.price, days: quote.days, score: best.score }
	}
`

// dealSource has the answers of three rounds of calls, 22 in all.
func dealSource() engine.Source {
	var offers []map[string]any
	answers := map[string][]byte{}
	for i := range 20 {
		offers = append(offers, map[string]any{"id": fmt.Sprintf("o-%d", i), "merchant": fmt.Sprintf("m-%d", i), "price": 1000 + i, "stock": i})
		answers[fmt.Sprintf(`profile["m-%d"]`, i)] = fmt.Appendf(nil, `{"id":"m-%d","name":"Merchant %d","country":"DE","rating":%g,"orders":%d,"returns":0.0625}`, i, i, 3+float64(i%8)/4, i*100)
		answers[fmt.Sprintf(`quote["o-%d","10115"]`, i)] = fmt.Appendf(nil, `{"carrier":"Post","price":%d,"days":2}`, 100+i)
	}
	answers[`offers["p-1"]`], _ = json.Marshal(offers)
	var key []byte
	return engine.SourceFunc(func(_ context.Context, b *engine.Batch) {
		for i := range b.Len() {
			key = append(append(key[:0], b.Operation.Name...), b.Args(i)...)
			b.Answer(i, answers[string(key)])
		}
	})
}

func BenchmarkDeal(b *testing.B) {
	p := load(b, dealView, engine.Options{Source: dealSource()})
	v, err := p.View("deal")
	if err != nil {
		b.Fatal(err)
	}
	input := []byte(`{"product":"p-1","zip":"10115"}`)
	b.Run("call", func(b *testing.B) {
		var out []byte
		b.ReportAllocs()
		for b.Loop() {
			if out, err = v.AppendCall(b.Context(), out[:0], input); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pass", func(b *testing.B) {
		h, err := v.Rehearse(b.Context(), input)
		if err != nil {
			b.Fatal(err)
		}
		defer h.Close()
		b.ResetTimer()
		b.ReportAllocs()
		if err := h.Run(b.N); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkInstantiate(b *testing.B) {
	p := load(b, dealView, engine.Options{})
	for b.Loop() {
		if err := engine.NewInstance(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	_, data := buildProgram(b, dealView)
	for b.Loop() {
		p, err := engine.Load(b.Context(), data, engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(p)
		_ = p.Close(b.Context())
	}
}
