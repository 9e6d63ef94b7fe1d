package interp

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

func TestPrims(t *testing.T) {
	w := newWorld()
	big := dec("9999999999999999999999999999999999")
	tests := []struct {
		op   core.Op
		t    core.Type
		args []any
		want string
	}{
		{core.IntAdd, w.int, []any{int64(2), int64(3)}, "5"},
		{core.IntAdd, w.int, []any{int64(math.MaxInt64), int64(1)}, "overflow at 7"},
		{core.IntAdd, w.int, []any{int64(math.MinInt64), int64(-1)}, "overflow at 7"},
		{core.IntSub, w.int, []any{int64(math.MinInt64), int64(1)}, "overflow at 7"},
		{core.IntSub, w.int, []any{int64(0), int64(math.MinInt64)}, "overflow at 7"},
		{core.IntSub, w.int, []any{int64(-1), int64(math.MinInt64)}, "9223372036854775807"},
		{core.IntMul, w.int, []any{int64(-3), int64(4)}, "-12"},
		{core.IntMul, w.int, []any{int64(math.MinInt64), int64(-1)}, "overflow at 7"},
		{core.IntMul, w.int, []any{int64(math.MinInt64), int64(1)}, "-9223372036854775808"},
		{core.IntMul, w.int, []any{int64(1 << 32), int64(1 << 31)}, "overflow at 7"},
		{core.IntMul, w.int, []any{int64(-1 << 32), int64(1 << 31)}, "-9223372036854775808"},
		{core.IntDiv, w.int, []any{int64(-7), int64(2)}, "-3"},
		{core.IntDiv, w.int, []any{int64(1), int64(0)}, "division by zero at 7"},
		{core.IntDiv, w.int, []any{int64(math.MinInt64), int64(-1)}, "overflow at 7"},
		{core.IntRem, w.int, []any{int64(-7), int64(2)}, "-1"},
		{core.IntRem, w.int, []any{int64(math.MinInt64), int64(-1)}, "0"},
		{core.IntRem, w.int, []any{int64(1), int64(0)}, "division by zero at 7"},
		{core.IntNeg, w.int, []any{int64(math.MinInt64)}, "overflow at 7"},
		{core.IntNeg, w.int, []any{int64(5)}, "-5"},
		{core.FloatAdd, w.float, []any{0.1, 0.2}, "0.30000000000000004"},
		{core.FloatDiv, w.float, []any{1.0, 0.0}, "Infinity"},
		{core.FloatDiv, w.float, []any{0.0, 0.0}, "NaN"},
		{core.FloatMul, w.float, []any{1e300, -1e300}, "-Infinity"},
		{core.FloatSub, w.float, []any{1e21, 0.0}, "1e+21"},
		{core.FloatNeg, w.float, []any{0.0}, "0"},
		{core.DecimalAdd, w.decimal, []any{dec("0.1"), dec("0.2")}, "0.3"},
		{core.DecimalAdd, w.decimal, []any{big, dec("1")}, "overflow at 7"},
		{core.DecimalSub, w.decimal, []any{dec("1.50"), dec("0.5")}, "1"},
		{core.DecimalMul, w.decimal, []any{big, dec("10")}, "overflow at 7"},
		{core.DecimalNeg, w.decimal, []any{dec("2")}, "-2"},
		{core.MoneyAdd, w.money, []any{usd("19.99"), usd("0.01")}, "20.00 USD"},
		{core.MoneyAdd, w.money, []any{usd("1"), eur("1")}, "mixed currencies at 7"},
		{core.MoneySub, w.money, []any{usd("1"), usd("2.5")}, "-1.50 USD"},
		{core.MoneyMul, w.money, []any{usd("19.99"), dec("3")}, "59.97 USD"},
		{core.MoneyMul, w.money, []any{core.Money{Amount: big, Currency: "USD"}, dec("10")}, "overflow at 7"},
		{core.MoneyNeg, w.money, []any{usd("1")}, "-1.00 USD"},
		{core.DurationAdd, w.duration, []any{int64(90e9), int64(1)}, "1m30s1ns"},
		{core.DurationMul, w.duration, []any{int64(3600e9), int64(25)}, "1d1h"},
		{core.DurationDiv, w.duration, []any{int64(1), int64(0)}, "division by zero at 7"},
		{core.DurationNeg, w.duration, []any{int64(1500e6)}, "-1s500ms"},
		{core.InstantAdd, w.instant, []any{int64(0), int64(1e6)}, "1970-01-01T00:00:00.001Z"},
		{core.InstantSub, w.instant, []any{int64(math.MinInt64), int64(1)}, "overflow at 7"},
		{core.InstantDiff, w.duration, []any{int64(5e9), int64(2e9)}, "3s"},
		{core.DateAdd, w.date, []any{int64(19782), int64(1)}, "2024-03-01"},
		{core.DateAdd, w.date, []any{int64(maxDate), int64(1)}, "overflow at 7"},
		{core.DateSub, w.date, []any{int64(minDate), int64(0)}, "0001-01-01"},
		{core.DateSub, w.date, []any{int64(minDate), int64(1)}, "overflow at 7"},
		{core.DateSub, w.date, []any{int64(0), int64(math.MinInt64)}, "overflow at 7"},
		{core.DateDiff, w.int, []any{int64(10), int64(3)}, "7"},
		{core.Not, w.bool, []any{true}, "false"},
		{core.Equal, w.bool, []any{math.NaN(), math.NaN()}, "true"},
		{core.Equal, w.bool, []any{0.0, math.Copysign(0, -1)}, "true"},
		{core.NotEqual, w.bool, []any{usd("1"), eur("1")}, "true"},
		{core.Less, w.bool, []any{usd("1"), eur("1")}, "mixed currencies at 7"},
		{core.Less, w.bool, []any{math.Inf(1), math.NaN()}, "true"},
		{core.GreaterEq, w.bool, []any{"b", "a"}, "true"},
		{core.Compare, w.int, []any{"a", "ab"}, "-1"},
		{core.LessEq, w.bool, []any{false, true}, "true"},
		{core.Greater, w.bool, []any{dec("1"), dec("1.0")}, "false"},
	}
	for _, tt := range tests {
		m := w.machine(Options{})
		args := make([]core.Expr, len(tt.args))
		for i, a := range tt.args {
			args[i] = w.lit(20+i, a)
		}
		v, err := m.Eval(w.prim(7, tt.op, tt.t, args...), m.NewEnv())
		if got := outcome(m, tt.t, v, err); got != tt.want {
			t.Errorf("operator %d on %v = %s, want %s", tt.op, tt.args, got, tt.want)
		}
	}
}

// TestOrder checks that each list of values ascends strictly.
func TestOrder(t *testing.T) {
	w := newWorld()
	m := w.machine(Options{})
	color := builtin("color", "Color")
	define(color, core.Variant, ctor("Red"), ctor("Gray", field("level", w.int)), ctor("Blue"))
	gray := func(n int64) Value { return &Record{Ctor: color.Ctors[1], Fields: []Value{n}} }
	entry := func(k string, v int64) Entry { return Entry{k, v} }
	tests := []struct {
		t  core.Type
		vs []Value
	}{
		{w.bool, []Value{false, true}},
		{w.int, []Value{int64(math.MinInt64), int64(-1), int64(0), int64(7)}},
		{w.float, []Value{math.Inf(-1), -1.0, 0.0, 1e-300, math.Inf(1), math.NaN()}},
		{w.decimal, []Value{dec("-1.5"), dec("0"), dec("0.01"), dec("1")}},
		{w.money, []Value{usd("-1"), usd("1"), usd("1.01")}},
		{w.string, []Value{"", "A", "a", "ab", "b", "é", "日"}},
		{w.json, []Value{JSON("1"), JSON("2")}},
		{w.list(w.int), []Value{NewList(), NewList(int64(1)), NewList(int64(1), int64(0)), NewList(int64(2))}},
		{&core.Tuple{Elems: []core.Type{w.int, w.string}}, []Value{Tuple{int64(1), "b"}, Tuple{int64(2), "a"}, Tuple{int64(2), "b"}}},
		{w.option(w.int), []Value{w.none(), w.some(int64(-5)), w.some(int64(5))}},
		{con(color), []Value{&Record{Ctor: color.Ctors[0]}, gray(1), gray(2), &Record{Ctor: color.Ctors[2]}}},
		{con(w.std.Map, w.string, w.int), []Value{w.mapOf(), w.mapOf(entry("a", 1)), w.mapOf(entry("a", 1), entry("b", 0)), w.mapOf(entry("a", 2)), w.mapOf(entry("b", 0))}},
		{con(w.std.Set, w.int), []Value{w.setOf(), w.setOf(int64(1), int64(2), int64(3)), w.setOf(int64(1), int64(3)), w.setOf(int64(2))}},
	}
	for _, tt := range tests {
		for i, a := range tt.vs {
			for j, b := range tt.vs {
				order, err := m.Compare(tt.t, a, b)
				if want := rank(i > j) - rank(i < j); order != want || err != nil {
					t.Errorf("%s: compare(%s, %s) = %d, %v", tt.t, m.Render(tt.t, a), m.Render(tt.t, b), order, err)
				}
				if m.Equal(tt.t, a, b) != (i == j) {
					t.Errorf("%s: %s == %s", tt.t, m.Render(tt.t, a), m.Render(tt.t, b))
				}
			}
		}
	}
	if _, err := m.Compare(w.list(w.money), NewList(usd("1")), NewList(eur("1"))); err == nil {
		t.Error("lists of different currencies compare")
	}
	if m.Equal(w.money, usd("1"), eur("1")) {
		t.Error("1 USD == 1 EUR")
	}
}

func TestListsShareTheirRoom(t *testing.T) {
	base := List{}.Append(int64(1))
	a := base.Append(int64(2))
	b := base.Append(int64(3)) // not in a's room
	c := a.Append(int64(4), int64(5))
	d := c.Slice(0, 2).Append(int64(6))
	want := map[string]List{"[1]": base, "[1 2]": a, "[1 3]": b, "[1 2 4 5]": c, "[1 2 6]": d}
	for text, l := range want {
		if got := fmt.Sprint(l.Elems()); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

// loop is `fn count(n, acc) { if n == 0 { acc } else { count(n - 1, acc + n) } }`.
func loop(w *world, tail bool) *core.Func {
	n, acc := local("n", w.int), local("acc", w.int)
	f := fn(100, "count", w.int, nil, n, acc)
	f.Body = &core.If{
		X:    x(101, w.int),
		Cond: w.prim(102, core.Equal, w.bool, ref(n), w.lit(103, int64(0))),
		Then: ref(acc),
		Else: &core.Call{
			X: x(104, w.int), Func: f, Site: 5, TailSelf: tail,
			Args: []core.Expr{w.prim(105, core.IntSub, w.int, ref(n), w.lit(106, int64(1))), w.prim(107, core.IntAdd, w.int, ref(acc), ref(n))},
		},
	}
	f.Gas = core.GasOf(f.Body)
	f.Loop, f.Recursive = tail, !tail
	return f
}

func TestGasAndDepth(t *testing.T) {
	w := newWorld()
	tests := []struct {
		tail  bool
		opts  Options
		n     int64
		want  string
		gas   int64
		stack int
	}{
		{tail: true, n: 20_000, want: "200010000", gas: 20_001},
		{tail: false, n: 9_999, want: "49995000", gas: 10_000},
		{tail: false, n: 10_000, want: "too deep at 100", gas: 10_001, stack: 10_001},
		{tail: true, opts: Options{Gas: 10}, n: 9, want: "45", gas: 10},
		{tail: true, opts: Options{Gas: 10}, n: 10, want: "out of gas at 100", gas: 11, stack: 1},
		{tail: false, opts: Options{Depth: 3}, n: 2, want: "3", gas: 3},
		{tail: false, opts: Options{Depth: 3}, n: 3, want: "too deep at 100", gas: 4, stack: 4},
		{tail: false, opts: Options{Depth: 3, Gas: 3}, n: 3, want: "out of gas at 100", gas: 4, stack: 4}, // gas first
	}
	for _, tt := range tests {
		m := w.machine(tt.opts)
		f := loop(w, tt.tail)
		v, err := m.Run(f, []Value{tt.n, int64(0)})
		if got := outcome(m, w.int, v, err); got != tt.want || m.GasUsed() != tt.gas {
			t.Errorf("count(%d) with %+v: %s for %d gas, want %s for %d", tt.n, tt.opts, got, m.GasUsed(), tt.want, tt.gas)
		}
		var fault *Fault
		if errors.As(err, &fault) {
			if len(fault.Stack) != tt.stack || len(fault.Inputs) != 2 || fault.Inputs[0].Value != tt.n {
				t.Errorf("count(%d): a stack of %d, inputs %v", tt.n, len(fault.Stack), fault.Inputs)
			}
			for i, frame := range fault.Stack {
				if want := map[bool]int{true: 100, false: 104}[i == 0]; frame.Func != f || frame.At.Start != want {
					t.Errorf("frame %d of count(%d): %s at %d", i, tt.n, frame.Func.Name, frame.At.Start)
					break
				}
			}
		}
	}
}

// asked is a World that answers every call with its argument, and notes what
// it is asked.
type asked struct {
	log      []string
	verdicts map[core.Site]abi.Verdict
	fail     map[int64]error
}

func (a *asked) Ask(c *Call) (Answer, error) {
	a.log = append(a.log, fmt.Sprintf("ask %s %s path %x in %d", c.Op.Name, c.Canonical, c.Path, len(c.Scopes)))
	n := c.Args[0].(int64)
	return Answer{Value: n}, a.fail[n]
}

func (a *asked) Verdict(site core.Site, path uint64, within int64, optional bool) abi.Verdict {
	a.log = append(a.log, fmt.Sprintf("scope %d path %x within %d optional %v", site, path, within, optional))
	return a.verdicts[site]
}

func operation(w *world) *core.Operation {
	return &core.Operation{
		Service: &core.Service{Module: &core.Module{Path: "test"}, Name: "S"}, Name: "echo",
		Params: []*core.Local{local("n", w.int)}, Result: w.int,
	}
}

func TestPaths(t *testing.T) {
	w := newWorld()
	op := operation(w)
	ask := func(e core.Expr) core.Expr {
		return &core.CallOp{X: x(10, w.int), Op: op, Site: 900, Args: []core.Expr{e}}
	}
	n := local("n", w.int)
	// fn one(n) { echo(n) else 0 }, the scope's site 3
	one := fn(20, "one", w.int, &core.Scope{X: x(21, w.int), Body: ask(ref(n)), Else: w.lit(22, int64(0)), Site: 3}, n)
	one.Callings = []core.Calling{{Op: op, Need: core.Guarded}}
	// fn main() { [1, 2] |> map(e => one(e)) }, the sites 4 for map and 6 for one
	e := local("e", w.int)
	lambda := &core.Lambda{
		X: x(30, &core.FuncType{Params: []core.Type{w.int}, Result: w.int}), Params: []*core.Local{e}, Gas: 1,
		Body: &core.Call{X: x(31, w.int), Func: one, Site: 6, Args: []core.Expr{ref(e)}},
	}
	mapFn := intrinsicFn("list.map", local("list", nil), local("f", nil))
	list := &core.MakeList{X: x(33, w.list(w.int)), Elems: []core.ListElem{{Value: w.lit(34, int64(1))}, {Value: w.lit(35, int64(2))}}}
	main := fn(40, "main", w.list(w.int), &core.Call{X: x(41, w.list(w.int)), Func: mapFn, Site: 4, Args: []core.Expr{list, lambda}})
	main.Kind = core.View

	answers := &asked{}
	m := w.machine(Options{World: answers})
	v, err := m.Run(main, nil)
	if got := outcome(m, main.Result, v, err); got != "[1, 2]" {
		t.Fatal(got)
	}
	var want []string
	for i := range uint64(2) {
		entered := mix(mix(mix(0, 4), i+1), 6)
		want = append(want,
			fmt.Sprintf("scope 3 path %x within -1 optional false", entered),
			fmt.Sprintf("ask echo [%d] path %x in 1", i+1, mix(entered, 3)))
	}
	if !reflect.DeepEqual(answers.log, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(answers.log, "\n"), strings.Join(want, "\n"))
	}
	// main 1, the loop 2, the lambda and one twice each.
	if m.GasUsed() != 1+2+2+2 {
		t.Errorf("%d gas", m.GasUsed())
	}
	if mix(0, 1) != 0x9E3779B97F4A7C15^0x9E3779B9 {
		t.Errorf("mix(0, 1) = %x", mix(0, 1))
	}
}

func TestScopes(t *testing.T) {
	w := newWorld()
	op := operation(w)
	ask := func(n int, v int64) core.Expr {
		return &core.CallOp{X: x(n, w.int), Op: op, Args: []core.Expr{w.lit(n+1, v)}}
	}
	scope := func(site core.Site, optional bool, body, els core.Expr) core.Expr {
		return &core.Scope{X: x(int(site), w.int), Site: site, Optional: optional, Body: body, Else: els}
	}
	lost := errors.New("lost")
	// optional (echo(1) else 10) else 20, the sites 2 and 1
	nested := scope(1, true, scope(2, false, ask(50, 1), w.lit(60, int64(10))), w.lit(61, int64(20)))
	tests := []struct {
		e        core.Expr
		verdicts map[core.Site]abi.Verdict
		fail     map[int64]error
		want     string
	}{
		{e: nested, want: "1"},
		{e: nested, fail: map[int64]error{1: lost}, want: "10"},
		{e: nested, fail: map[int64]error{1: ErrShed}, want: "20"},
		{e: nested, verdicts: map[core.Site]abi.Verdict{1: abi.Shed}, want: "20"},
		{e: nested, verdicts: map[core.Site]abi.Verdict{1: abi.Expired}, want: "20"},
		{e: nested, verdicts: map[core.Site]abi.Verdict{2: abi.Expired}, want: "10"},
		{e: ask(50, 1), fail: map[int64]error{1: lost}, want: "echo failed at 50: lost"},
		{e: scope(1, false, ask(50, 1), nil), fail: map[int64]error{1: lost}, want: "echo failed at 50: lost"},
		{e: scope(1, false, ask(50, 1), nil), verdicts: map[core.Site]abi.Verdict{1: abi.Expired}, want: "scope failed at 1: the deadline expired"},
		{e: scope(1, false, scope(2, false, ask(50, 1), nil), w.lit(60, int64(10))), verdicts: map[core.Site]abi.Verdict{2: abi.Expired}, want: "10"},
		{e: scope(1, false, ask(50, 1), ask(52, 2)), fail: map[int64]error{1: lost}, want: "2"},
		{e: scope(1, false, ask(50, 1), ask(52, 2)), fail: map[int64]error{1: lost, 2: lost}, want: "echo failed at 52: lost"},
		// Without a call there is nothing to expire.
		{e: scope(1, false, w.lit(50, int64(5)), w.lit(60, int64(10))), verdicts: map[core.Site]abi.Verdict{1: abi.Expired}, want: "5"},
		// A fault is nobody's fallback.
		{e: scope(1, false, w.prim(50, core.IntDiv, w.int, ask(51, 1), w.lit(53, int64(0))), w.lit(60, int64(10))), want: "division by zero at 50"},
		// The first in program order counts.
		{e: w.prim(49, core.IntAdd, w.int, ask(50, 1), w.prim(51, core.IntDiv, w.int, w.lit(52, int64(1)), w.lit(53, int64(0)))), fail: map[int64]error{1: lost}, want: "echo failed at 50: lost"},
	}
	for i, tt := range tests {
		m := w.machine(Options{World: &asked{verdicts: tt.verdicts, fail: tt.fail}})
		v, err := m.Eval(tt.e, m.NewEnv())
		if got := outcome(m, w.int, v, err); got != tt.want {
			t.Errorf("%d: %s, want %s", i, got, tt.want)
		}
	}
}

func TestConstantsAreEvaluatedAndPaidOnce(t *testing.T) {
	w := newWorld()
	f := loop(w, true)
	c := &core.Const{Type: w.int, Value: &core.Call{X: x(1, w.int), Func: f, Args: []core.Expr{w.lit(2, int64(1000)), w.lit(3, int64(0))}}}
	read := &core.ConstRef{X: x(4, w.int), Const: c}
	seen := 0
	m := w.machine(Options{Gas: 2000, Coverage: func(s span.Span) { seen += rank(s.Start == 102) }})
	for range 2 {
		v, err := m.Eval(read, m.NewEnv())
		if got := outcome(m, w.int, v, err); got != "500500" || m.GasUsed() != 1001 || seen != 1001 {
			t.Errorf("%s for %d gas in %d rounds", got, m.GasUsed(), seen)
		}
	}
}

func TestObserve(t *testing.T) {
	w := newWorld()
	m := w.machine(Options{})
	env := m.NewEnv()
	a := local("a", w.int)
	env.Bind(a, int64(3))
	var seen []string
	env.Observe(func(e core.Expr, v Value) { seen = append(seen, m.Render(e.TypeOf(), v)) })
	double := fn(1, "double", w.int, w.prim(2, core.IntAdd, w.int, ref(a), ref(a)), a)
	e := w.prim(5, core.Less, w.bool, &core.Call{X: x(6, w.int), Func: double, Args: []core.Expr{ref(a)}}, w.lit(7, int64(9)))
	if _, err := m.Eval(e, env); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, " "); got != "3 6 9 true" {
		t.Errorf("saw %s", got)
	}
}

// TestComparisonsPay checks what comparisons cost.
func TestComparisonsPay(t *testing.T) {
	w := newWorld()
	long := func(n int, end string) Value { return strings.Repeat("a", n) + end }
	rose := builtin("rose", "Rose")
	define(rose, core.Record, ctor("Rose", field("kids", w.list(con(rose)))))
	node := func(kids ...Value) Value { return &Record{Ctor: rose.Ctors[0], Fields: []Value{NewList(kids...)}} }
	deep := node()
	for range 50 {
		deep = node(deep)
	}
	tests := []struct {
		op   core.Op
		t    core.Type
		a, b Value
		gas  int64
		want string
	}{
		{core.Equal, w.string, long(64, ""), long(64, ""), 0, "true"},
		{core.Equal, w.string, long(64, "x"), long(64, "y"), 1, "false"},
		{core.Equal, w.string, long(640, ""), long(641, ""), 0, "false"},
		{core.Less, w.string, long(640, ""), long(641, ""), 9, "true"},
		{core.Equal, w.list(w.int), NewList(int64(1), int64(2)), NewList(int64(1), int64(2)), 2, "true"},
		{core.Equal, w.list(w.int), NewList(int64(1), int64(2)), NewList(int64(3), int64(2)), 1, "false"},
		{core.Equal, w.list(w.int), NewList(int64(1)), NewList(int64(1), int64(2)), 0, "false"},
		{core.Less, w.list(w.int), NewList(int64(1)), NewList(int64(1), int64(2)), 1, "true"},
		// A leaf is a Rose and a List<Rose>, both recursive; each pair of kids costs 1 besides.
		{core.Equal, con(rose), node(), node(), 2, "true"},
		{core.Equal, con(rose), node(node()), node(node()), 5, "true"},
		{core.Equal, con(rose), deep, deep, 152, "true"},
		{core.Equal, con(rose), node(deep), node(deep), 103, "too deep at 9"},
	}
	for i, tt := range tests {
		m := w.machine(Options{Depth: 102})
		env := m.NewEnv()
		a, b := local("a", tt.t), local("b", tt.t)
		env.Bind(a, tt.a)
		env.Bind(b, tt.b)
		v, err := m.Eval(w.prim(9, tt.op, w.bool, ref(a), ref(b)), env)
		if got := outcome(m, w.bool, v, err); got != tt.want || m.GasUsed() != tt.gas && tt.want != "too deep at 9" {
			t.Errorf("%d: %s for %d gas, want %s for %d", i, got, m.GasUsed(), tt.want, tt.gas)
		}
	}
}

func TestRender(t *testing.T) {
	w := newWorld()
	m := w.machine(Options{})
	id := builtin("x", "OfferId")
	define(id, core.Wrapper, ctor("OfferId", field("value", w.string)))
	id.Module.Path = "shop"
	choice := builtin("x", "Choice")
	choice.Module.Path = "shop"
	define(choice, core.Record, ctor("Choice", field("offer", con(id)), field("at", w.duration)))
	cond := builtin("x", "Condition")
	cond.Module.Path = "shop"
	define(cond, core.Variant, ctor("New"), ctor("Used", field("grade", w.int), field("", w.bool)))
	tests := []struct {
		t          core.Type
		v          Value
		want, show string
	}{
		{con(choice), &Record{Ctor: choice.Ctors[0], Fields: []Value{&Record{Ctor: id.Ctors[0], Fields: []Value{"a\"b{"}}, int64(1e9)}},
			`Choice { offer: OfferId("a\"b\{"), at: 1s }`, ""},
		{con(id), &Record{Ctor: id.Ctors[0], Fields: []Value{"x"}}, `OfferId("x")`, "x"},
		{con(cond), &Record{Ctor: cond.Ctors[1], Fields: []Value{int64(3), true}}, `Used(grade: 3, true)`, ""},
		{con(cond), &Record{Ctor: cond.Ctors[0]}, `New`, ""},
		{w.option(w.list(w.date)), w.some(NewList(int64(0))), `Some([1970-01-01])`, ""},
		{&core.Tuple{}, Tuple{}, `()`, ""},
		{&core.Tuple{Elems: []core.Type{w.instant, w.float}}, Tuple{int64(1), 1e-7}, `(1970-01-01T00:00:00.000000001Z, 1e-7)`, ""},
		{con(w.std.Map, w.string, w.money), w.mapOf(Entry{"a", usd("10.00")}), `map.of([("a", 10.00 USD)])`, ""},
		{con(w.std.Set, w.decimal), w.setOf(dec("1.50")), `set.of([1.5])`, ""},
		{w.string, "\n\t\x01é", `"\n\t\u{1}é"`, "\n\t\x01é"},
		{w.duration, int64(math.MinInt64), "-106751d23h47m16s854ms775us808ns", "-106751d23h47m16s854ms775us808ns"},
		{w.duration, int64(0), "0s", "0s"},
		{w.json, JSON(`{"a":1}`), `{"a":1}`, `{"a":1}`},
		{w.money, usd("-0.50"), "-0.50 USD", "-0.50 USD"},
	}
	for _, tt := range tests {
		if got := m.Render(tt.t, tt.v); got != tt.want {
			t.Errorf("rendered %s, want %s", got, tt.want)
		}
		if got := m.Show(tt.t, tt.v); tt.show != "" && got != tt.show {
			t.Errorf("shown %s, want %s", got, tt.show)
		}
	}
}

// BenchmarkCalls calls a function a thousand times in tail position and a
// thousand times deep.
func BenchmarkCalls(b *testing.B) {
	w := newWorld()
	for _, tail := range []bool{true, false} {
		b.Run(fmt.Sprintf("tail=%v", tail), func(b *testing.B) {
			m, f := w.machine(Options{}), loop(w, tail)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Run(f, []Value{int64(1000), int64(0)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
