package tester

import (
	"slices"
	"testing"
	"testing/fstest"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
)

const everyType = `
pub type Id(String)

pub type Condition = New | Used(grade: Int) | Broken(why: List<String>)

pub type Tree = Node(children: List<Tree>, next: Tree?) | Leaf(Int)

pub type Deep = Deeper(Deep, Deep) | Bottom

pub type Item<T> {
  id: Id
  at: Instant
  value: T
  any: Json
}

prop "every type" (
  a: Bool, b: Int, c: Float, d: Decimal, e: Money, f: String, g: Duration, h: Instant, i: Date,
  k: List<Condition>, l: Map<Id, (Int, Bool)>, m: Set<Date>, n: Tree, o: Result<Int?, Deep>,
  p: Map<(Int, Money), ()>, q: Order,
) {
  expect a || !a
}

pub fn json(x: Item<Json>) -> Item<Json> {
  x
}
`

func program(t testing.TB, text string) *core.Program {
	t.Helper()
	res, err := compile.Check(fstest.MapFS{"a.tow": &fstest.MapFile{Data: []byte(text)}}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Diags.HasErrors() {
		t.Fatal(res.Diags.All[0])
	}
	return res.Program
}

// TestGenerated writes generated values of every type as JSON and reads them
// back: they are values that can come in by a request.
func TestGenerated(t *testing.T) {
	p := program(t, everyType)
	m := interp.New(p, interp.Options{})
	module := p.Modules[len(p.Modules)-1]
	params := append(slices.Clone(module.Tests[0].Params), module.Funcs[0].Params...)
	for _, param := range params {
		distinct := map[string]bool{}
		for i := range 400 {
			c := &choices{random: newRandom(uint64(i))}
			v := newGenerator(p, m, c).value(param.Type)
			text, err := m.AppendJSON(nil, param.Type, v)
			if err != nil {
				t.Fatalf("%s: %s has no JSON: %v", param.Type, m.Render(param.Type, v), err)
			}
			back, err := m.DecodeJSON(param.Type, text)
			if err != nil {
				t.Fatalf("%s: %s: %v", param.Type, text, err)
			}
			if !m.Equal(param.Type, v, back) {
				t.Errorf("%s: %s came back as %s", param.Type, m.Render(param.Type, v), m.Render(param.Type, back))
			}
			again := newGenerator(p, m, &choices{given: c.made}).value(param.Type)
			if !m.Equal(param.Type, v, again) {
				t.Errorf("%s: replayed, %s is %s", param.Type, m.Render(param.Type, v), m.Render(param.Type, again))
			}
			distinct[string(text)] = true
		}
		if want := map[string]int{"Bool": 2, "Order": 3}[param.Type.String()]; len(distinct) < 50 && len(distinct) != want {
			t.Errorf("%s: only %d different values of 400", param.Type, len(distinct))
		}
	}
}

// TestEdges looks for the values that break programs among a hundred cases.
func TestEdges(t *testing.T) {
	p := program(t, everyType)
	m := interp.New(p, interp.Options{})
	for _, c := range []struct {
		def  *core.TypeDef
		want []string
	}{
		{p.Std.Int, []string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808"}},
		{p.Std.Bool, []string{"true", "false"}},
		{p.Std.String, []string{`""`}},
		{p.Std.Date, []string{"1970-01-01", "2000-02-29"}},
		{p.Std.Duration, []string{"0s"}},
		{p.Std.Decimal, []string{"0", "0.01"}},
	} {
		found := map[string]bool{}
		con := &core.Con{Def: c.def}
		for i := range 3000 {
			found[m.Render(con, newGenerator(p, m, &choices{random: newRandom(uint64(i))}).value(con))] = true
		}
		for _, want := range c.want {
			if !found[want] {
				t.Errorf("%s: %s never came up", c.def.Name, want)
			}
		}
	}
}

// TestSimplest is what all-zero choices make: where shrinking leads to.
func TestSimplest(t *testing.T) {
	p := program(t, everyType)
	m := interp.New(p, interp.Options{})
	want := map[string]string{
		"Int": "0", "String": `""`, "List<Condition>": "[]", "Tree": "Node(children: [], next: None)", "Decimal": "0", "Result<Int?, Deep>": "Ok(None)",
		"Instant": "2000-01-01T00:00:00Z", "Money": "0.00 EUR",
	}
	for _, param := range p.Modules[len(p.Modules)-1].Tests[0].Params {
		name := param.Type.String()
		got := m.Render(param.Type, newGenerator(p, m, &choices{}).value(param.Type))
		if want[name] != "" && got != want[name] {
			t.Errorf("the simplest %s is %s, want %s", name, got, want[name])
		}
	}
}

// TestOrder gives results in the order of the source, however many workers
// there are, and the same ones.
func TestOrder(t *testing.T) {
	p := program(t, `
fn slow(n: Int) -> Int {
  list.range(0, n) |> list.fold(0, (a, b) => a + b)
}

test "a" {
  expect slow(100000) == 0
}

prop "b" (xs: List<Int>) {
  expect list.length(xs) < 5
}

test "c" {
  expect false
}

prop "d" (s: String) {
  expect string.length(s) < 3
}
`)
	var before []string
	for _, workers := range []int{1, 2, 8} {
		var got []string
		Run(p, Options{Workers: workers}, func(r *Result) {
			line := r.Title
			for _, n := range r.Case {
				line += " " + n.Text
			}
			got = append(got, line)
		})
		if before != nil && !slices.Equal(got, before) {
			t.Errorf("with %d workers: %v, with one: %v", workers, got, before)
		}
		before = got
	}
	if len(before) != 4 || before[0] != "a" || before[1] != "b [0, 0, 0, 0, 0]" || before[3] != `d "aaa"` {
		t.Errorf("results: %q", before)
	}
}

func BenchmarkProp(b *testing.B) {
	p := program(b, `
prop "sorted" (xs: List<Int>) {
  expect list.length(list.sort(xs)) == list.length(xs)
}
`)
	for b.Loop() {
		Run(p, Options{Workers: 1}, func(*Result) {})
	}
}
