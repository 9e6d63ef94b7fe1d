package codec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
	"towpath.dev/internal/codec/codectest"
)

const offersSchema = `
	Shopper = { id: String, budget: Int, maxDays: Int, novelty: Float }
	Condition = new | used | refurbished
	Offer = { id: String, condition: Condition, price: Int, shipping: Int, days: Int, rating: Float, stock: Int }
	Request = { shopper: Shopper, offers: List<Offer> }
	Choice = { offer: String, price: Int, score: Float, reason: String }
`

type goShopper struct {
	ID      string  `json:"id"`
	Budget  int     `json:"budget"`
	MaxDays int     `json:"maxDays"`
	Novelty float64 `json:"novelty"`
}

type goOffer struct {
	ID        string  `json:"id"`
	Condition string  `json:"condition"`
	Price     int     `json:"price"`
	Shipping  int     `json:"shipping"`
	Days      int     `json:"days"`
	Rating    float64 `json:"rating"`
	Stock     int     `json:"stock"`
}

type goRequest struct {
	Shopper goShopper `json:"shopper"`
	Offers  []goOffer `json:"offers"`
}

// offersText is a request of twenty offers, 2 KB.
func offersText(t testing.TB) []byte {
	r := goRequest{Shopper: goShopper{"s-1234", 9876, 5, 0.375}}
	for i := range 20 {
		r.Offers = append(r.Offers, goOffer{
			ID: fmt.Sprintf("o-%d", 1000+i), Condition: []string{"new", "used", "refurbished"}[i%3], Price: 5000 + i*137,
			Shipping: i * 50, Days: 1 + i%7, Rating: 3.25 + float64(i%7)/4, Stock: i * 3,
		})
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func BenchmarkDecode(b *testing.B) {
	s := codectest.Schema(b, offersSchema)
	plans, err := codec.New(s)
	if err != nil {
		b.Fatal(err)
	}
	plan := plans.Plan(codectest.Type(s, "Request"))
	text := offersText(b)
	run := func(name string, text []byte) {
		b.Run(name, func(b *testing.B) {
			mem := make([]byte, 1<<18)
			base := codectest.Static(s, mem)
			n := copy(mem[base:], text)
			body := codec.Body{Addr: base, Len: uint32(n)}
			var d codec.Decoder
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Decode(plan, mem, body, base+codec.Room(n), 1<<17); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("offers", text)
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		b.Fatal(err)
	}
	sorted, _ := json.Marshal(value)
	run("otherOrder", sorted)
	indented, _ := json.MarshalIndent(value, "", "  ")
	run("indented", indented)
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r goRequest
			if err := json.Unmarshal(text, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	s := codectest.Schema(b, offersSchema)
	plans, err := codec.New(s)
	if err != nil {
		b.Fatal(err)
	}
	plan := plans.Plan(codectest.Type(s, "Request"))
	mem := make([]byte, 1<<18)
	n := copy(mem[abi.StaticBase:], offersText(b))
	var d codec.Decoder
	v, _, err := d.Decode(plan, mem, codec.Body{Addr: abi.StaticBase, Len: uint32(n)}, abi.StaticBase+codec.Room(n), 1<<17)
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = plan.Append(out[:0], mem, v); err != nil {
			b.Fatal(err)
		}
	}
}

// compactJSON is encoding/json's compact form.
func compactJSON(text []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, text)
	return b.Bytes(), err
}
