package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/run/engine"
)

// mapped has a view that answers its input for each kind of type.
const mapped = `
	type Grade = New | Used | Refurbished
	type Id(String)
	type Num(Int)
	type Perhaps(Int?)
	type Offer { id: Id, price: Money, note: String?, days: Int = 3, tags: List<String> = ["a"], grade: Grade = Used, @json("seller_id") seller: String? }
	type Tree { value: Int, left: Tree?, right: Tree? }
	type Shape = Dot | Circle(radius: Float) | Box(width: Int, label: String?) | Named(shape: Shape, perhaps: Perhaps)
	view bool(x: Bool) -> Bool { x }
	view int(x: Int) -> Int { x }
	view float(x: Float) -> Float { x }
	view decimal(x: Decimal) -> Decimal { x }
	view money(x: Money) -> Money { x }
	view string(x: String) -> String { x }
	view duration(x: Duration) -> Duration { x }
	view instant(x: Instant) -> Instant { x }
	view date(x: Date) -> Date { x }
	view json(x: Json) -> Json { x }
	view list(x: List<Int>) -> List<Int> { x }
	view floats(x: List<Float>) -> List<Float> { x }
	view option(x: Int?) -> Int? { x }
	view options(x: List<String?>) -> List<String?> { x }
	view tuple(x: (Int, String, (Bool, Float?))) -> (Int, String, (Bool, Float?)) { x }
	view offer(x: Offer) -> Offer { x }
	view tree(x: Tree) -> Tree { x }
	view shape(x: Shape) -> Shape { x }
	view grade(x: Grade) -> Grade { x }
	view names(x: Map<String, Int>) -> Map<String, Int> { x }
	view nums(x: Map<Num, Id>) -> Map<Num, Id> { x }
	view grades(x: Map<Grade, Int>) -> Map<Grade, Int> { x }
	view dates(x: Map<Date, Int>) -> Map<Date, Int> { x }
	view pairs(x: Map<(Int, String), List<Int>>) -> Map<(Int, String), List<Int>> { x }
	view moneys(x: Map<Decimal, Money>) -> Map<Decimal, Money> { x }
	view set(x: Set<Float>) -> Set<Float> { x }
	view words(x: Set<String>) -> Set<String> { x }
`

// mappedTexts are texts for all the views.
var mappedTexts = []string{
	`true`, `false`, `null`, ` 1 `, `0`, `-0`, `1.0`, `1e2`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `01`, `1.5`, `-1.25e-3`, `1e999`, `1e-999`, `0.1`, `123456789.123456789`,
	`"19.99"`, `"1e3"`, `" 1"`, `"12345678901234567890123456789012345"`, `"0.00000000000000000000000000000000001"`, `"-0.10"`, `""`, `"a"`, `"\u00e9\ud83d\ude00"`, `"\ud800"`, "\"\xff\"", "\"a\nb\"", `"\b\f\u0000\u007f"`,
	`{"amount":"1.50","currency":"USD"}`, `{"currency":"EUR","amount":2}`, `{"amount":"1","currency":"usd"}`, `{"amount":"1"}`, `{"amount":"1.00","currency":"USD","x":1}`, `{"amount":"99999999999999999999.99","currency":"JPY"}`,
	`"1h30m"`, `"50ms"`, `"-1.5s"`, `"90m"`, `"1m1h"`, `"0s"`, `"1d"`, `"1.0000000001s"`, `"106751d23h47m16s854ms775us807ns"`, `"5"`, `"1h 2m"`, `"1us2ns"`, `"01h"`, `"1.h"`, `".5s"`, `"-0s"`, `"1H"`,
	`"2026-01-31T09:30:00Z"`, `"2026-01-31T09:30:00.123456789+02:00"`, `"2026-01-31T09:30:00.1234567891Z"`, `"2026-01-31T24:00:00Z"`, `"2026-01-31t09:30:00z"`, `"2026-01-31 09:30:00Z"`, `"1600-01-01T00:00:00Z"`, `"2026-01-31T09:30:00"`, `"2026-01-31T9:30:00Z"`, `"2026-01-31T09:30:60Z"`,
	`"2026-01-31T09:30:00,5Z"`, `"2026-01-31T09:30:00+24:00"`, `"2026-01-31T09:30:00-23:59"`, `"2026-01-31T09:30:00+0200"`,
	`"2026-01-31"`, `"2026-02-29"`, `"0000-01-01"`, `"9999-12-31"`, `"10000-01-01"`, `"2026-1-1"`,
	`[]`, `[1,2,3]`, `[1,]`, `[1.5,-0,0]`, `[null,"a"]`, `[1,"a",[true,null]]`, `[1,"a",[true,1.5]]`, `[1,"a",[true]]`, `["b","a"]`, `["a","a"]`, `[0,-0]`, `[3,1,2]`,
	`{}`, `{"id":"x","price":{"amount":"1.00","currency":"USD"}}`, `{"id":"x","price":{"amount":1,"currency":"USD"},"seller_id":"s","note":null,"grade":"New","days":4,"tags":[],"unknown":{"a":[1]}}`,
	`{"id":"x","id":"y","price":{"amount":"1.00","currency":"USD"}}`, `{"id":1,"price":{"amount":"1.00","currency":"USD"}}`, `{"id":"x"}`, `{"id":"x","price":{"amount":"1.00","currency":"USD"},"seller":"s"}`,
	`{"value":1,"left":{"value":2,"right":null}}`, `{"value":1,"value":2}`, `{"type":"Dot"}`, `{"type":"Dot","x":1}`, `{"radius":1.5,"type":"Circle"}`, `{"type":"Box","width":1}`, `{"type":"Box","width":1,"label":"l"}`, `{"type":"Nope"}`, `{"type":"Circle"}`,
	`{"type":"Named","shape":{"type":"Named","shape":{"type":"Dot"}},"perhaps":3}`, `{"type":"Dot","type":"Dot"}`, `{"x":1}`, `"Dot"`, `"Used"`, `"used"`, `["New"]`,
	`{"a":1,"b":2}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"1":"a","-5":"b"}`, `{"01":"a"}`, `{"1.0":"a"}`, `{"Used":1,"New":2}`, `{"Old":1}`, `{"2026-01-31":1,"2025-01-31":2}`, `{"2026":1}`,
	`[[[1,"b"],[1]],[[1,"a"],[]]]`, `[[[1,"b"],[1]],[[1,"b"],[]]]`, `[["1.0",{"amount":"1.00","currency":"USD"}],["0.5",{"amount":"2.00","currency":"EUR"}]]`, `[["1.0",{"amount":"1.00","currency":"USD"}],[1,{"amount":"2.00","currency":"EUR"}]]`,
	strings.Repeat(`{"value":1,"left":`, 126) + `{"value":2}` + strings.Repeat(`}`, 126), strings.Repeat(`{"value":1,"left":`, 127) + `{"value":2}` + strings.Repeat(`}`, 127), strings.Repeat("[", 127) + strings.Repeat("]", 127), strings.Repeat("[", 128) + strings.Repeat("]", 128),
	``, ` `, `{`, `[`, `"`, `tru`, `nulll`, `{"a":1`, `1 2`, "\ufeff1",
}

// mapping answers one view from a text in both machines.
type mapping struct {
	program *engine.Program
	machine *interp.Machine
	views   map[string]*core.Func
	names   []string
}

func newMapping(t testing.TB) *mapping {
	program, data := buildProgram(t, mapped)
	p, err := engine.Load(t.Context(), data, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := &mapping{program: p, machine: interp.New(program, interp.Options{}), views: map[string]*core.Func{}}
	for _, v := range p.Views() {
		m.names = append(m.names, v.Meta().Name)
	}
	for _, mod := range program.Modules {
		for _, f := range mod.Funcs {
			if mod.Path == "shop" {
				m.views[f.Name] = f
			}
		}
	}
	slices.Sort(m.names)
	return m
}

// compare says how the two differ, "" when they do not. Which text a refusal
// has is each one's own.
func (m *mapping) compare(view, text string) string {
	// In the object, a text can be more than one value.
	if !json.Valid([]byte(text)) && strings.ContainsAny(text, `,:`) {
		return ""
	}
	got, err := m.program.AppendCall(context.Background(), nil, view, []byte(`{"x":`+text+`}`))
	typ := m.views[view].Params[0].Type
	// One level deeper, as the object is.
	v, bad := m.machine.DecodeJSON(&core.Tuple{Elems: []core.Type{typ}}, []byte("["+text+"]"))
	if (err == nil) != (bad == nil) {
		return fmt.Sprintf("%v, the interpreter: %v", err, bad)
	}
	if err != nil {
		return ""
	}
	want, bad := m.machine.AppendJSON(nil, typ, v.(interp.Tuple)[0])
	if bad != nil || string(want) != string(got) {
		return fmt.Sprintf("%s, the interpreter: %s %v", got, want, bad)
	}
	return ""
}

func TestMapping(t *testing.T) {
	m := newMapping(t)
	for _, view := range m.names {
		for _, text := range mappedTexts {
			if d := m.compare(view, text); d != "" {
				t.Errorf("%s %.200s: %s", view, text, d)
			}
		}
	}
}

func FuzzMapping(f *testing.F) {
	m := newMapping(f)
	for i := range m.names {
		for j, text := range mappedTexts {
			if (i*7+j)%16 == 0 { // TestMapping has them all
				f.Add(uint8(i), text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, view uint8, text string) {
		if int(view) >= len(m.names) || len(text) > 5000 {
			return
		}
		if d := m.compare(m.names[view], text); d != "" {
			t.Errorf("%s %q: %s", m.names[view], text, d)
		}
	})
}
