package engine_test

import (
	"strings"
	"testing"

	"towpath.dev/internal/run/engine"
)

func TestPure(t *testing.T) {
	p := load(t, `
		view double(n: Int) -> Int { n * 2 }
		view hello(name: String) -> String { "hello {name}" }
		type Offer { id: String, price: Money, stock: Int }
		view best(offers: List<Offer>) -> Offer? {
			offers |> filter(o => o.stock > 0) |> minBy(o => o.price)
		}
		fn fib(n: Int) -> Int { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
		view fibonacci(n: Int) -> Int { fib(n) }
	`, engine.Options{})
	for _, c := range []struct{ view, input, want string }{
		{"double", `{"n":21}`, "42"},
		{"shop.double", `{"n":-1}`, "-2"},
		{"hello", `{"name":"w\u00f6rld"}`, `"hello wörld"`},
		{"best", `{"offers":[]}`, "null"},
		{"best", `{"offers":[{"id":"a","price":{"amount":"2.50","currency":"USD"},"stock":1},{"id":"b","price":{"amount":"2.50","currency":"USD"},"stock":0},{"id":"c","price":{"amount":"2.49","currency":"USD"},"stock":3}]}`,
			`{"id":"c","price":{"amount":"2.49","currency":"USD"},"stock":3}`},
		{"fibonacci", `{"n":20}`, "6765"},
		{"double", `{"n":"x"}`, `error: the input of shop.double: at $.n: expected Int, found string "x"`},
		{"double", `{"n":9223372036854775807}`, "error: shop.tow:2:32: overflow"},
		{"best", `{"offers":[{"id":"a","price":{"amount":"1.00","currency":"USD"},"stock":1},{"id":"b","price":{"amount":"1.00","currency":"EUR"},"stock":1}]}`, "error: std/list.tow:…: mixed currencies"},
		{"none", `{}`, `error: the program has no view "none"`},
	} {
		head, tail, _ := strings.Cut(c.want, "…")
		if got := answer(t, p, c.view, c.input); !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) || tail == "" && got != head {
			t.Errorf("%s %s:\n got %s\nwant %s", c.view, c.input, got, c.want)
		}
	}
}
