package interp

import (
	"errors"
	"math"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
)

// jsonTypes are the types that the tests name.
func jsonTypes(w *world) map[string]core.Type {
	nominal := func(name string, kind core.TypeKind, ctors ...*core.Ctor) core.Type {
		def := builtin("shop", name)
		def.Module.Path = "shop"
		return con(define(def, kind, ctors...))
	}
	id := nominal("OfferId", core.Wrapper, ctor("OfferId", field("value", w.string)))
	limit := nominal("Limit", core.Wrapper, ctor("Limit", field("value", w.option(w.int))))
	size := nominal("Size", core.Variant, ctor("Small"), ctor("Large"))
	size.(*core.Con).Def.Ctors[1].JSON = "L"
	cond := nominal("Condition", core.Variant, ctor("New"), ctor("Used", field("grade", w.int), field("note", w.option(w.string))))
	graded := field("grade", w.int)
	graded.Default = w.lit(1, int64(3))
	seller := field("seller", w.string)
	seller.JSON = "seller_id"
	offer := nominal("Offer", core.Record, ctor("Offer", field("id", id), seller, graded, field("limit", limit), field("size", w.option(size))))
	return map[string]core.Type{
		"Bool": w.bool, "Int": w.int, "Float": w.float, "Decimal": w.decimal, "Money": w.money, "String": w.string,
		"Duration": w.duration, "Instant": w.instant, "Date": w.date, "Json": w.json,
		"List": w.list(w.int), "Set": con(w.std.Set, w.int), "Option": w.option(w.int), "()": &core.Tuple{},
		"Tuple": &core.Tuple{Elems: []core.Type{w.int, w.option(w.string)}},
		"Map":   con(w.std.Map, w.string, w.int), "IntMap": con(w.std.Map, w.int, w.bool), "SizeMap": con(w.std.Map, size, w.int),
		"IdMap": con(w.std.Map, id, w.int), "DateMap": con(w.std.Map, w.date, w.int), "PairMap": con(w.std.Map, w.list(w.int), w.string),
		"OfferId": id, "Size": size, "Condition": cond, "Offer": offer, "Result": con(w.std.Result, w.int, w.string),
	}
}

func TestJSON(t *testing.T) {
	w := newWorld()
	m, types := w.machine(Options{}), jsonTypes(w)
	tests := []struct{ t, in, want string }{ // want "": the input again
		{"Bool", "true", ""}, {"Bool", " false ", "false"},
		{"Int", "-9223372036854775808", ""}, {"Int", "-0", "0"}, {"Int", "42", ""},
		{"Float", "1.5", ""}, {"Float", "1e21", "1e+21"}, {"Float", "1e-7", ""}, {"Float", "0.000001", ""}, {"Float", "100000000000000000000", ""},
		{"Float", "3", ""}, {"Float", "5e-324", ""}, {"Float", "1e-999", "0"},
		{"Decimal", `"2.50"`, `"2.5"`}, {"Decimal", "1e3", `"1000"`}, {"Decimal", "-0.0", `"0"`},
		{"Money", `{"amount":"19.990","currency":"USD"}`, `{"amount":"19.99","currency":"USD"}`},
		{"Money", `{ "note": [1, {}], "currency": "EUR", "amount": 5 }`, `{"amount":"5.00","currency":"EUR"}`},
		{"String", `"é\u00e9\n\/\ud83d\ude00\u0001\u007f"`, `"éé\n/😀\u0001` + "\x7f\""},
		{"Duration", `"1h30m"`, ""}, {"Duration", `"-1.5s"`, `"-1s500ms"`}, {"Duration", `"0s"`, ""}, {"Duration", `"90m"`, `"1h30m"`},
		{"Duration", `"-106751d23h47m16s854ms775us808ns"`, ""}, {"Duration", `"2h0.5m"`, `"2h30s"`},
		{"Instant", `"2026-01-31T09:30:00Z"`, ""}, {"Instant", `"2026-01-31T09:30:00.1200+02:00"`, `"2026-01-31T07:30:00.12Z"`},
		{"Date", `"2024-02-29"`, ""}, {"Date", `"0000-02-29"`, ""}, {"Instant", `"1677-09-21T00:12:43.145224192Z"`, ""}, {"Instant", `"2262-04-11T23:47:16.854775807Z"`, ""}, {"Date", `"9999-12-31"`, ""},
		{"Json", ` { "a b" : [ 1.0 , "\" x" , null ] } `, `{"a b":[1.0,"\" x",null]}`},
		{"List", "[1, 2]", "[1,2]"}, {"List", "[]", ""}, {"Set", "[3,1,2]", "[1,2,3]"}, {"()", "[]", ""},
		{"Option", "null", ""}, {"Option", "3", ""}, {"Tuple", `[1,null]`, ""}, {"Tuple", `[1,"a"]`, ""},
		{"Map", `{"b":2,"a":1}`, `{"a":1,"b":2}`}, {"IntMap", `{"10":true,"-2":false}`, `{"-2":false,"10":true}`},
		{"SizeMap", `{"L":1,"Small":2}`, `{"Small":2,"L":1}`}, {"IdMap", `{"x":1}`, ""}, {"DateMap", `{"2024-01-01":1}`, ""},
		{"PairMap", `[[[2],"b"],[[1,5],"a"]]`, `[[[1,5],"a"],[[2],"b"]]`},
		{"OfferId", `"x"`, ""}, {"Size", `"L"`, ""},
		{"Condition", `{"type":"New"}`, ""}, {"Condition", `{"grade":2,"type":"Used"}`, `{"type":"Used","grade":2}`},
		{"Condition", `{"type":"Used","grade":2,"note":"n"}`, ""}, {"Condition", `{"type":"New","grade":"ignored"}`, `{"type":"New"}`},
		{"Result", `{"type":"Err","error":"no"}`, ""},
		{"Offer", `{"id":"1","seller_id":"s"}`, `{"id":"1","seller_id":"s","grade":3}`},
		{"Offer", `{"size":"L","limit":7,"grade":1,"seller_id":"s","id":"1","x":1,"x":2}`, `{"id":"1","seller_id":"s","grade":1,"limit":7,"size":"L"}`},
		{"Offer", `{"id":"1","seller_id":"s","limit":null,"size":null}`, `{"id":"1","seller_id":"s","grade":3}`},
	}
	for _, tt := range tests {
		v, err := m.DecodeJSON(types[tt.t], []byte(tt.in))
		if err != nil {
			t.Errorf("%s of %s: %v", tt.t, tt.in, err)
			continue
		}
		got, err := m.AppendJSON(nil, types[tt.t], v)
		want := tt.want
		if want == "" {
			want = tt.in
		}
		if err != nil || string(got) != want {
			t.Errorf("%s of %s = %s, %v, want %s", tt.t, tt.in, got, err, want)
		}
		again, err := m.DecodeJSON(types[tt.t], got)
		if err != nil || !m.Equal(types[tt.t], again, v) {
			t.Errorf("%s: %s came back as %s, %v", tt.t, got, m.Render(types[tt.t], again), err)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	w := newWorld()
	m, types := w.machine(Options{}), jsonTypes(w)
	deep := strings.Repeat("[", 129) + strings.Repeat("]", 129)
	tests := []struct{ t, in, path string }{
		{"Bool", "1", "$"}, {"Bool", "", "$"}, {"Bool", "true x", "$"}, {"Bool", "truex", "$"}, {"Bool", "null", "$"},
		{"Int", "1.0", "$"}, {"Int", "1e2", "$"}, {"Int", "9223372036854775808", "$"}, {"Int", `"1"`, "$"}, {"Int", "01", "$"}, {"Int", "+1", "$"}, {"Int", "-", "$"},
		{"Float", "1e999", "$"}, {"Float", "NaN", "$"}, {"Float", ".5", "$"}, {"Float", "1.", "$"}, {"Float", "1e", "$"}, {"Float", `"1"`, "$"},
		{"Decimal", `"1 "`, "$"}, {"Decimal", `"+1"`, "$"}, {"Decimal", "1e34", "$"}, {"Decimal", "null", "$"},
		{"Money", `{"amount":"1"}`, "$"}, {"Money", `{"amount":"1","currency":"usd"}`, "$"}, {"Money", `{"amount":"1","currency":"USDX"}`, "$"}, {"Money", `{"amount":"1","amount":"1.00","currency":"USD"}`, "$"}, {"Money", `"1 USD"`, "$"},
		{"String", `"\ud800"`, "$"}, {"String", `"\udc00\ud800"`, "$"}, {"String", `"\ud800\u0041"`, "$"}, {"String", "\"\xff\"", "$"}, {"String", "\"a\nb\"", "$"}, {"String", `"\x"`, "$"}, {"String", `"\u00g0"`, "$"}, {"String", `"abc`, "$"}, {"String", `"\`, "$"},
		{"Duration", `""`, "$"}, {"Duration", `"1"`, "$"}, {"Duration", `"1m1h"`, "$"}, {"Duration", `"1h1h"`, "$"}, {"Duration", `"1.5h1m"`, "$"}, {"Duration", `"1.5ns"`, "$"}, {"Duration", `"106752d"`, "$"}, {"Duration", `"h"`, "$"}, {"Duration", `".5h"`, "$"}, {"Duration", `"--1h"`, "$"}, {"Duration", `"1x"`, "$"}, {"Duration", "1", "$"},
		{"Instant", `"2026-01-31"`, "$"}, {"Instant", `"2026-02-30T00:00:00Z"`, "$"}, {"Instant", `"2026-01-31T09:30:00.1234567890Z"`, "$"}, {"Instant", `"2026-01-31T09:30:00,5Z"`, "$"}, {"Instant", `"1500-01-01T00:00:00Z"`, "$"}, {"Instant", `"2300-01-01T00:00:00Z"`, "$"},
		{"Date", `"2023-02-29"`, "$"}, {"Instant", `"2026-01-31T9:30:00Z"`, "$"}, {"Instant", `"2026-01-31T09:30:60Z"`, "$"}, {"Instant", `"2262-04-11T23:47:16.854775808Z"`, "$"}, {"Instant", `"2026-01-31 09:30:00Z"`, "$"}, {"Date", `"2023-1-1"`, "$"},
		{"Json", "[1,]", "$"}, {"Json", deep, "$"}, {"Json", `{"a"}`, "$"}, {"Json", `{a:1}`, "$"}, {"Json", `{"a":1,}`, "$"}, {"Json", "[1 2]", "$"},
		{"List", `[1,"2"]`, "$[1]"}, {"List", "{}", "$"}, {"List", "null", "$"}, {"Set", "[1,1]", "$"}, {"()", "null", "$"}, {"()", "[1]", "$"},
		{"Tuple", "[1]", "$"}, {"Tuple", `["a",null]`, "$[0]"},
		{"Map", `{"a":1,"a":1}`, "$"}, {"Map", `{"a b":true}`, `$["a b"]`}, {"Map", "[]", "$"}, {"IntMap", `{"01":true}`, "$"}, {"SizeMap", `{"Large":1}`, "$"}, {"DateMap", `{"x":1}`, "$"}, {"PairMap", `{}`, "$"}, {"PairMap", `[[[1],"a"],[[1],"b"]]`, "$"}, {"PairMap", `[[[1]]]`, "$[0]"},
		{"Size", `"Large"`, "$"}, {"Size", `{"type":"Small"}`, "$"},
		{"Condition", `"New"`, "$"}, {"Condition", `{}`, "$"}, {"Condition", `{"type":"Old"}`, "$.type"}, {"Condition", `{"type":"New","type":"New"}`, "$"}, {"Condition", `{"type":"Used"}`, "$.grade"},
		{"Offer", `{"id":"1"}`, "$.seller_id"}, {"Offer", `{"id":"1","id":"1","seller_id":"s"}`, "$"}, {"Offer", `{"id":"1","seller_id":"s","size":"XL"}`, "$.size"}, {"Offer", `[]`, "$"}, {"Offer", `{"id":"1","seller_id":"s","grade":null}`, "$.grade"},
	}
	for _, tt := range tests {
		v, err := m.DecodeJSON(types[tt.t], []byte(tt.in))
		var refused *JSONError
		if !errors.As(err, &refused) || refused.Path != tt.path {
			t.Errorf("%s of %s = %v, %v, want an error at %s", tt.t, tt.in, v, err, tt.path)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if text, err := m.AppendJSON(nil, w.list(w.float), NewList(f)); err == nil {
			t.Errorf("%v is written as %s", f, text)
		}
	}
}

// FuzzJSON checks that what is read is written and read again as the same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"id":"1","seller_id":"s"}`, `{"type":"Used","grade":2}`, `"1h30m"`, `[1,null]`, `"2026-01-31T09:30:00.5Z"`, "1e400", `"\ud83d\ude00"`} {
		f.Add(s)
	}
	w := newWorld()
	m, types := w.machine(Options{}), jsonTypes(w)
	f.Fuzz(func(t *testing.T, text string) {
		for name, typ := range types {
			v, err := m.DecodeJSON(typ, []byte(text))
			if err != nil {
				continue
			}
			out, err := m.AppendJSON(nil, typ, v)
			if err != nil {
				t.Fatalf("%s of %q is not written: %v", name, text, err)
			}
			again, err := m.DecodeJSON(typ, out)
			if err != nil || !m.Equal(typ, v, again) {
				t.Fatalf("%s of %q was written as %s and read as %v, %v", name, text, out, again, err)
			}
		}
	})
}
