package record

import (
	"encoding/json"
	"testing"

	"towpath.dev/internal/abi"
)

func TestDiff(t *testing.T) {
	m := manifestOf(t, compiled(`
		type Way = Walk | Ride(line: String, fare: Decimal)
		type Trip {
			id: String
			price: Money
			rate: Decimal
			share: Float
			note: String?
			ways: List<Way>
			tags: Set<String>
			by: Map<String, Decimal>
			pair: (Int, Decimal)
		}
		view trip(trip: Trip) -> Trip { trip }
	`))
	typed := m.Views[0].Result
	for _, c := range []struct {
		name, a, b string
		plain      string // without a schema
		typed      string // as a Trip; "-" as plain
	}{
		{"the same", `{"id":"a"}`, `{ "id" : "\u0061" }`, `[]`, "-"},
		{"a text", `{"id":"a"}`, `{"id":"b"}`, `[{"path":"$.id","before":"a","after":"b"}]`, "-"},
		{"absent", `{"id":"a"}`, `{}`, `[{"path":"$.id","before":"a"}]`, "-"},
		{"none", `{"note":null}`, `{}`, `[{"path":"$.note","before":null}]`, `[]`},
		{"some", `{}`, `{"note":"n"}`, `[{"path":"$.note","after":"n"}]`, "-"},
		{"decimal", `{"rate":"1.0"}`, `{"rate":"1.00"}`, `[{"path":"$.rate","before":"1.0","after":"1.00"}]`, `[]`},
		{"number as decimal", `{"rate":1.5}`, `{"rate":"1.50"}`, `[{"path":"$.rate","before":1.5,"after":"1.50"}]`, `[]`},
		{"money", `{"price":{"amount":"1.0","currency":"EUR"}}`, `{"price":{"amount":"1.00","currency":"EUR"}}`, `[{"path":"$.price.amount","before":"1.0","after":"1.00"}]`, `[]`},
		{"currency", `{"price":{"amount":"1","currency":"EUR"}}`, `{"price":{"amount":"1","currency":"USD"}}`, `[{"path":"$.price.currency","before":"EUR","after":"USD"}]`, "-"},
		{"float", `{"share":1.0}`, `{"share":1}`, `[{"path":"$.share","before":1.0,"after":1}]`, `[]`},
		{"text that looks like one", `{"id":"1.0"}`, `{"id":"1.00"}`, `[{"path":"$.id","before":"1.0","after":"1.00"}]`, "-"},
		{"one more in front", `{"ways":[{"type":"Walk"}]}`, `{"ways":[{"type":"Ride","line":"1"},{"type":"Walk"}]}`, `[{"path":"$.ways[0]","after":{"line":"1","type":"Ride"}}]`, "-"},
		{"one less", `{"ways":[1,2,3]}`, `{"ways":[1,3]}`, `[{"path":"$.ways[1]","before":2}]`, "-"},
		{"in a list", `{"ways":[{"type":"Ride","line":"1","fare":"2.0"}]}`, `{"ways":[{"type":"Ride","line":"2","fare":"2"}]}`,
			`[{"path":"$.ways[0].fare","before":"2.0","after":"2"},{"path":"$.ways[0].line","before":"1","after":"2"}]`, `[{"path":"$.ways[0].line","before":"1","after":"2"}]`},
		{"set", `{"tags":["a","b"]}`, `{"tags":["b","c"]}`, `[{"path":"$.tags[0]","before":"a","after":"b"},{"path":"$.tags[1]","before":"b","after":"c"}]`,
			`[{"path":"$.tags[0]","before":"a"},{"path":"$.tags[1]","after":"c"}]`},
		{"map", `{"by":{"x y":"1"}}`, `{"by":{"x y":"1.0"}}`, `[{"path":"$.by[\"x y\"]","before":"1","after":"1.0"}]`, `[]`},
		{"tuple", `{"pair":[1,"2"]}`, `{"pair":[2,"2.0"]}`, `[{"path":"$.pair[0]","before":1,"after":2},{"path":"$.pair[1]","before":"2","after":"2.0"}]`, `[{"path":"$.pair[0]","before":1,"after":2}]`},
		{"another kind", `[1]`, `{"0":1}`, `[{"path":"$","before":[1],"after":{"0":1}}]`, "-"},
		{"no JSON", `{`, `{}`, `[{"path":"$","before":"{","after":"{}"}]`, "-"},
		{"nothing", ``, `<a>`, `[{"path":"$","after":"<a>"}]`, "-"},
	} {
		for schema, want := range map[*abi.Schema]string{nil: c.plain, &m.Schema: c.typed} {
			if want == "-" {
				want = c.plain
			}
			got, err := json.Marshal(append([]Difference{}, Diff([]byte(c.a), []byte(c.b), schema, typed)...))
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || len(Diff(got, []byte(want), nil, 0)) > 0 {
				t.Errorf("%s, typed %t: %s, want %s", c.name, schema != nil, got, want)
			}
		}
	}
}
