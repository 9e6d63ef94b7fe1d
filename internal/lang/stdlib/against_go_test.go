package stdlib_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/diag"
	"towpath.dev/internal/lang/interp"
	"towpath.dev/internal/lang/span"
	"towpath.dev/internal/lang/syntax"
	"towpath.dev/internal/lang/types"
)

// probe calls the functions of testdata/probe.tow.
type probe struct {
	t       *testing.T
	program *core.Program
	funcs   map[string]*core.Func
	rand    *rand.Rand
}

func newProbe(t *testing.T) *probe {
	t.Helper()
	text, err := os.ReadFile("testdata/probe.tow")
	if err != nil {
		t.Fatal(err)
	}
	var diags diag.List
	file := syntax.Parse(span.NewFile("probe.tow", text), &diags)
	for _, d := range diags.All {
		t.Error(d.String())
	}
	p := &probe{t: t, funcs: map[string]*core.Func{}, rand: rand.New(rand.NewPCG(1, 2))}
	p.program = check(t, append(stdSources(t), types.Source{Path: "probe", File: file}))
	if t.Failed() {
		t.FailNow()
	}
	for _, m := range p.program.Modules {
		for _, f := range m.Funcs {
			if m.Path == "probe" {
				p.funcs[f.Name] = f
			}
		}
	}
	return p
}

// value calls a function with arguments in JSON.
func (p *probe) value(name string, args ...any) interp.Value {
	p.t.Helper()
	f := p.funcs[name]
	m := interp.New(p.program, interp.Options{})
	var in []interp.Value
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			p.t.Fatal(err)
		}
		v, err := m.DecodeJSON(f.Params[i].Type, text)
		if err != nil {
			p.t.Fatalf("%s(%v): %v", name, args, err)
		}
		in = append(in, v)
	}
	v, err := m.Run(f, in)
	if err != nil {
		p.t.Fatalf("%s(%v): %v", name, args, err)
	}
	return v
}

// call is value's answer in JSON, read into a Go value.
func (p *probe) call(into any, name string, args ...any) {
	p.t.Helper()
	text := p.text(name, p.value(name, args...))
	if err := json.Unmarshal([]byte(text), into); err != nil {
		p.t.Fatalf("%s(%v) = %s: %v", name, args, text, err)
	}
}

func (p *probe) text(name string, v interp.Value) string {
	p.t.Helper()
	text, err := interp.New(p.program, interp.Options{}).AppendJSON(nil, p.funcs[name].Result, v)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *probe) pairs(n, keys, values int) [][2]int {
	list := make([][2]int, p.rand.IntN(n))
	for i := range list {
		list[i] = [2]int{p.rand.IntN(keys), p.rand.IntN(values)}
	}
	return list
}

func (p *probe) equal(got, want any, what string, args ...any) {
	p.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		p.t.Fatalf("%s: got %s, want %s", fmt.Sprintf(what, args...), g, w)
	}
}

func TestSortsAgainstGo(t *testing.T) {
	p := newProbe(t)
	for range 100 {
		pairs := p.pairs(70, 20, 1000)
		want := slices.Clone(pairs)
		slices.SortStableFunc(want, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
		got := [][2]int{}
		p.call(&got, "sorted", pairs)
		p.equal(got, want, "sorted(%v)", pairs)
		want = slices.Clone(pairs)
		slices.SortStableFunc(want, func(a, b [2]int) int { return cmp.Compare(b[0], a[0]) })
		got = nil
		p.call(&got, "sortedDesc", pairs)
		p.equal(got, want, "sortedDesc(%v)", pairs)
	}
}

func TestMapsAgainstGo(t *testing.T) {
	p := newProbe(t)
	for range 60 {
		edits := p.pairs(300, 80, 1000)
		want := map[int]int{}
		for i, e := range edits {
			if p.rand.IntN(3) == 0 {
				edits[i][1] = -1
				delete(want, e[0])
			} else {
				want[e[0]] = e[1]
			}
		}
		checkTree(t, p.value("edited", edits), want)

		first, second := p.pairs(200, 150, 1000), p.pairs(40, 150, 1000)
		want = map[int]int{}
		for _, e := range append(slices.Clone(second), first...) {
			want[e[0]] = e[1]
		}
		checkTree(t, p.value("union", first, second), want)
	}
}

func TestSetsAgainstGo(t *testing.T) {
	p := newProbe(t)
	for range 60 {
		edits := [][2]any{}
		want := map[int]int{}
		for range p.rand.IntN(300) {
			element, keep := p.rand.IntN(80), p.rand.IntN(3) > 0
			edits = append(edits, [2]any{element, keep})
			if keep {
				want[element] = 0
			} else {
				delete(want, element)
			}
		}
		checkTree(t, p.value("editedSet", edits), want)

		first, second := p.rand.Perm(100)[:p.rand.IntN(100)], p.rand.Perm(150)[:p.rand.IntN(20)]
		want = map[int]int{}
		for _, e := range append(slices.Clone(second), first...) {
			want[e] = 0
		}
		checkTree(t, p.value("setUnion", first, second), want)
	}
}

// checkTree compares the entries, and checks each node's size and balance.
func checkTree(t *testing.T, v interp.Value, want map[int]int) {
	t.Helper()
	entries := interp.Entries(v)
	keys := slices.Sorted(maps.Keys(want))
	if len(entries) != len(keys) {
		t.Fatalf("%d entries, want %d", len(entries), len(keys))
	}
	for i, e := range entries {
		if e.Key != int64(keys[i]) || e.Value != nil && e.Value != int64(want[keys[i]]) {
			t.Fatalf("entry %d is %v, want %d: %d", i, e, keys[i], want[keys[i]])
		}
	}
	var size func(node *interp.Record) int64
	size = func(node *interp.Record) int64 {
		if node.Ctor.Tag == abi.NodeTip {
			return 0
		}
		n := len(node.Fields)
		left, right := size(node.Fields[n-2].(*interp.Record)), size(node.Fields[n-1].(*interp.Record))
		if node.Fields[0] != left+right+1 {
			t.Fatalf("a node of %d and %d has size %v", left, right, node.Fields[0])
		}
		if left+right > 1 && (left > 3*right || right > 3*left) {
			t.Fatalf("a node has %d on its left and %d on its right", left, right)
		}
		return left + right + 1
	}
	size(v.(*interp.Record).Fields[0].(*interp.Record))
}

func TestDatesAgainstGo(t *testing.T) {
	p := newProbe(t)
	for range 400 {
		day := time.Date(1+p.rand.IntN(9998), 1, 1+p.rand.IntN(366), 0, 0, 0, 0, time.UTC)
		text := day.Format("2006-01-02")
		var civil [3]int
		p.call(&civil, "civil", text)
		p.equal(civil, [3]int{day.Year(), int(day.Month()), day.Day()}, "civil(%s)", text)
		var back string
		p.call(&back, "fromCivil", civil[0], civil[1], civil[2])
		p.equal(back, text, "fromCivil(%v)", civil)

		year, week := day.ISOWeek()
		last := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7).Unix() / 86400
		want := fmt.Sprintf("[%d,[%d,%d],%d,%d]", day.YearDay(), year, week, last, monday)
		p.equal(p.text("calendar", p.value("calendar", text)), want, "calendar(%s)", text)
	}
	for year := range 3 {
		for month := range 15 {
			for day := range 34 {
				date := time.Date(2023+year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
				var got *string
				p.call(&got, "fromCivil", 2023+year, month, day)
				exists := month >= 1 && month <= 12 && day >= 1 && int(date.Month()) == month && date.Day() == day
				if (got != nil) != exists {
					t.Errorf("fromCivil(%d, %d, %d) is not %v", 2023+year, month, day, exists)
				}
			}
		}
	}
}

func TestZonesAgainstGo(t *testing.T) {
	p := newProbe(t)
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"}
	for range 300 {
		zone := zones[p.rand.IntN(len(zones))]
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip(err)
		}
		at := time.Unix(p.rand.Int64N(3_600_000_000)-1_000_000_000, p.rand.Int64N(1e9)).In(location)
		text := at.UTC().Format(time.RFC3339Nano)
		value := p.value("clocks", text, zone)
		clocks := value.(*interp.Record).Fields[0].(interp.Tuple)
		_, offset := at.Zone()
		clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
			time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
		p.equal(clocks[0], time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC).Unix()/86400, "date of %s in %s", text, zone)
		p.equal(clocks[1], int64(clock), "clock of %s in %s", text, zone)
		p.equal(clocks[2], int64(offset)*1e9, "offset of %s in %s", text, zone)

		// What the clocks show leads back, or to the first instant at which they did.
		m := interp.New(p.program, interp.Options{})
		back, err := m.Run(p.funcs["fromClocks"], []interp.Value{clocks[0], clocks[1], zone})
		if err != nil {
			t.Fatal(err)
		}
		earlier := at.UnixNano() - back.(*interp.Record).Fields[0].(int64)
		again := time.Unix(0, at.UnixNano()-earlier).In(location)
		if earlier < 0 || again.Format("15:04:05.999999999") != at.Format("15:04:05.999999999") {
			t.Errorf("%s in %s leads to %s", text, zone, again)
		}
		var parsed string
		p.call(&parsed, "parseInstant", at.Format(time.RFC3339Nano))
		p.equal(parsed, text, "parse(%s)", at.Format(time.RFC3339Nano))
	}
	for _, text := range []string{
		"", "T", "Z", "2026-01-31", "2026-01-31T", "2026-01-31TZ", "2026-01-31T12:00:00", "2026-01-31T12:00:00z", "2026-01-31T24:00:00Z",
		"2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.0000000001Z", "2026-01-31T1:00:00Z",
		"2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00+24:00", "2026-01-31T-2:00:00Z", "2026-01-31T12:00:00.-1Z", "1500-01-01T00:00:00Z",
	} {
		var got *string
		if p.call(&got, "parseInstant", text); got != nil {
			t.Errorf("parse(%q) = %s", text, *got)
		}
	}
}

func TestAllocationIsExact(t *testing.T) {
	p := newProbe(t)
	for range 300 {
		ratios := make([]int, 1+p.rand.IntN(6))
		for i := range ratios {
			ratios[i] = p.rand.IntN(8) - 1
		}
		scale := p.rand.IntN(4)
		amount := new(big.Rat).SetFrac64(p.rand.Int64N(200_000)-100_000, []int64{1, 10, 100, 1000}[scale])
		money := map[string]string{"amount": amount.FloatString(scale), "currency": []string{"USD", "JPY", "KWD"}[p.rand.IntN(3)]}
		var parts []struct{ Amount string }
		p.call(&parts, "allocate", money, ratios)
		if len(parts) != len(ratios) {
			t.Fatalf("allocate(%v, %v) has %d parts", money, ratios, len(parts))
		}
		sum := new(big.Rat)
		for _, part := range parts {
			x, _ := new(big.Rat).SetString(part.Amount)
			sum.Add(sum, x)
			if x.Sign()*amount.Sign() < 0 {
				t.Errorf("allocate(%v, %v) = %v", money, ratios, parts)
			}
		}
		if sum.Cmp(amount) != 0 {
			t.Errorf("allocate(%v, %v) = %v", money, ratios, parts)
		}
	}
}

func TestTextsAgainstGo(t *testing.T) {
	p := newProbe(t)
	alphabet := []string{"a", "b", "ab", " ", "\t", "\n", "é", "😀", "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b", "-", "1"}
	random := func(n int) string {
		var b strings.Builder
		for range p.rand.IntN(n) {
			b.WriteString(alphabet[p.rand.IntN(len(alphabet))])
		}
		return b.String()
	}
	for range 300 {
		text, part := random(20), random(3)
		var got [][]string
		p.call(&got, "texts", text, part)
		runes := []rune(text)
		slices.Reverse(runes)
		replaced := text
		if part != "" {
			replaced = strings.ReplaceAll(text, part, "-")
		}
		want := [][]string{strings.Split(text, part), strings.Fields(text), {strings.TrimSpace(text), replaced, string(runes)}}
		p.equal(fmt.Sprintf("%q", got), fmt.Sprintf("%q", want), "texts(%q, %q)", text, part)
		if !utf8.ValidString(got[2][0]) {
			t.Errorf("%q is cut within a character", got[2][0])
		}
	}
}

func TestIntsAgainstGo(t *testing.T) {
	p := newProbe(t)
	for _, text := range []string{
		"0", "-0", "7", "007", "-12", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
		"92233720368547758070", "", "-", "+1", "1 ", "1_0", "٣", "--1", "1-",
	} {
		n, err := strconv.ParseInt(text, 10, 64)
		want := err == nil && !strings.HasPrefix(text, "+")
		var got *int64
		if p.call(&got, "parseInt", text); (got != nil) != want || want && *got != n {
			t.Errorf("parse(%q) = %v", text, got)
		}
	}
	for dividend := int64(-7); dividend <= 7; dividend++ {
		for _, divisor := range []int64{-3, -1, 1, 2, 5} {
			var got [3]int64
			p.call(&got, "divided", dividend, divisor)
			floor := new(big.Int).Div(big.NewInt(dividend), big.NewInt(divisor)).Int64()
			if divisor < 0 && floor*divisor != dividend {
				floor-- // big.Int's division is Euclidean
			}
			ceiling := floor
			if floor*divisor != dividend {
				ceiling++
			}
			p.equal(got, [3]int64{floor, dividend - floor*divisor, ceiling}, "divided(%d, %d)", dividend, divisor)
		}
	}
}

func TestMembers(t *testing.T) {
	p := newProbe(t)
	for _, c := range []struct{ text, name, want string }{
		{`{"a": 1, "b": {"a": 2}}`, "b", `{"a":2}`},
		{`{"a": 1, "a": 2}`, "a", `2`},
		{`{"\u0061": "x,}\""}`, "a", `"x,}\""`},
		{` { } `, "a", ""},
		{`[1]`, "a", ""},
		{`{"a": [1, {"b": []}, "]"], "c": null}`, "c", `null`},
	} {
		var got *string
		p.call(&got, "member", c.text, c.name)
		if got == nil && c.want != "" || got != nil && *got != c.want {
			t.Errorf("get(%s, %s) is not %s", c.text, c.name, c.want)
		}
	}
}
