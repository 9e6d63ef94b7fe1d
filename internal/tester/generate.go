package tester

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/interp"
)

// generator makes values of any type that a prop may take: those that can cross
// the program's boundary. It favours the values at the edges of a type, and
// keeps to one currency a case, since sums of several are faults.
type generator struct {
	*choices
	std      *core.Std
	m        *interp.Machine // orders keys
	currency string          // of the case; "" until asked
	depth    int             // of the nominal types around
	heights  map[*core.Ctor]int
}

func newGenerator(p *core.Program, m *interp.Machine, c *choices) *generator {
	return &generator{choices: c, std: &p.Std, m: m, heights: map[*core.Ctor]int{}}
}

// value makes a value of a type without type parameters and functions.
func (g *generator) value(t core.Type) interp.Value {
	if tuple, ok := t.(*core.Tuple); ok {
		out := make(interp.Tuple, len(tuple.Elems))
		for i, elem := range tuple.Elems {
			out[i] = g.value(elem)
		}
		return out
	}
	con, ok := t.(*core.Con)
	if !ok {
		return interp.Tuple{} // refused by the checker
	}
	if v, ok := g.basic(con.Def); ok {
		return v
	}
	switch con.Def {
	case g.std.List:
		return interp.NewList(g.list(con.Args[0])...)
	case g.std.Set:
		return interp.NewMap(con.Def, g.entries(con.Args[0], nil))
	case g.std.Map:
		return interp.NewMap(con.Def, g.entries(con.Args[0], con.Args[1]))
	}
	return g.nominal(con)
}

// basic makes values of the types without parts.
func (g *generator) basic(def *core.TypeDef) (interp.Value, bool) {
	switch def {
	case g.std.Bool:
		return g.below(2) == 1, true
	case g.std.Int:
		return g.integer(anyInt), true
	case g.std.Float:
		return g.float(), true
	case g.std.Decimal:
		return g.decimal(6), true
	case g.std.Money:
		return core.Money{Amount: g.decimal(2), Currency: g.caseCurrency()}, true
	case g.std.String:
		return g.text(), true
	case g.std.Duration:
		return g.integer(anyTime), true
	case g.std.Instant:
		return g.instant(), true
	case g.std.Date:
		return g.date(), true
	case g.std.Json:
		return interp.JSON(g.json(3)), true
	}
	return nil, false
}

// integer is a sign and a magnitude that pick chooses. Beyond 64 bits it is the
// nearest that there is.
func (g *generator) integer(pick func(r *random) uint64) int64 {
	magnitude := g.pick(1<<63+1, pick)
	if g.below(2) == 1 {
		return -int64(magnitude) // 1<<63 is its own negative
	}
	return int64(min(magnitude, math.MaxInt64))
}

// anyInt is small half of the time, else at an edge or of any length.
func anyInt(r *random) uint64 {
	switch r.below(8) {
	case 0, 1:
		edges := []uint64{0, 1, 2, 10, 100, 1000, math.MaxInt32, 1 << 31, 1 << 53, math.MaxInt64, math.MaxInt64 - 1, 1 << 63}
		return edges[r.below(uint64(len(edges)))]
	case 2, 3:
		return r.bits(63)
	}
	return r.below(21)
}

var edgeFloats = []float64{0, 0.1, 0.5, 1e-9, 1e9, 1 << 53, math.MaxFloat64, math.SmallestNonzeroFloat64}

// float is finite: no other crosses the boundary.
func (g *generator) float() float64 {
	kind, n, sign := g.below(4), g.pick(1<<53, anyInt), g.below(2)
	f := float64(n)
	switch kind {
	case 1:
		f /= 8
	case 2:
		f /= 1 << 40
	case 3:
		f = edgeFloats[n%uint64(len(edgeFloats))]
	}
	if sign == 1 {
		return -f
	}
	return f
}

// decimal has up to so many digits behind the point, seldom up to 34 in all.
func (g *generator) decimal(scale uint64) decimal.Decimal {
	const half = 100_000_000_000_000_000 // 17 of the 34 digits
	low := g.pick(half, func(r *random) uint64 {
		switch r.below(8) {
		case 0:
			return []uint64{0, 1, 5, 10, 99, 100, 9999, half - 1}[r.below(8)]
		case 1:
			return r.bits(56)
		}
		return r.below(100_001)
	})
	high := g.pick(half, func(r *random) uint64 {
		if r.below(16) == 0 {
			return r.bits(56)
		}
		return 0
	})
	digits := g.pick(scale+1, func(r *random) uint64 { return r.below(min(scale, 2) + 1 + (scale+1)*(r.below(8)/7)) })
	coefficient := strings.TrimLeft(fmt.Sprintf("%d%017d", high, low), "0")
	if coefficient == "" {
		coefficient = "0"
	}
	d, err := decimal.Parse(fmt.Sprintf("%se-%d", coefficient, digits))
	if err != nil {
		return decimal.Decimal{} // no text above is one that Parse refuses
	}
	if g.below(2) == 1 {
		return d.Neg()
	}
	return d
}

func (g *generator) caseCurrency() string {
	if g.currency == "" {
		g.currency = []string{"EUR", "USD", "GBP", "JPY"}[g.below(4)]
	}
	return g.currency
}

// alphabets go from plain to what breaks programs that count bytes.
var alphabets = [][]rune{
	[]rune("abcdefghijklmnopqrstuvwxyz"),
	[]rune("ABCXYZ0123456789 _-.,:;/"),
	[]rune("\"\\{}<>&'\n\t%$\x00\x7f"),
	[]rune("äéßøñçİıſΩжд日本語한عש"),
	[]rune("\u0301\u200d\u200b\ufeff\ufffd\U0001F600\U0001F468\U0001F469\U0010FFFF"),
}

func (g *generator) text() string {
	var b strings.Builder
	for g.more(b.Len(), 6) {
		kind := uint64(0)
		if g.oneIn(3) {
			kind = g.below(uint64(len(alphabets)))
		}
		b.WriteRune(alphabets[kind][g.below(uint64(len(alphabets[kind])))])
	}
	return b.String()
}

// more decides whether a sequence goes on; so many elements are its mean.
func (g *generator) more(n int, mean uint64) bool { return n < 1000 && g.below(mean+1) != 0 }

const (
	second = uint64(1e9)
	day    = 86400 * second
)

// anyTime is a whole number of some unit most of the time, up to a few years.
func anyTime(r *random) uint64 {
	switch r.below(8) {
	case 0:
		return r.bits(62)
	case 1:
		return []uint64{0, 1, second - 1, day, day - 1, 365 * day, math.MaxInt64, 1 << 63}[r.below(8)]
	}
	units := []uint64{1e3, 1e6, second, 60 * second, 3600 * second, day}
	return r.below(1000) * units[r.below(uint64(len(units)))]
}

// The days of 2000-01-01, 0001-01-01 and 9999-12-31 since the Unix epoch.
const (
	day2000  = 10957
	firstDay = -719162
	lastDay  = 2932896
)

// instant lies around the year 2000, by any time.
func (g *generator) instant() int64 {
	const base = day2000 * int64(day)
	off := g.integer(anyTime)
	if off > 0 && base+off < 0 {
		return math.MaxInt64
	}
	return base + off
}

// date lies around the year 2000, within the years 1 to 9999. Favoured are the
// epoch, leap days and the ends of years.
func (g *generator) date() int64 {
	off := g.integer(func(r *random) uint64 {
		switch r.below(8) {
		case 0:
			return []uint64{59, 365, 366, 8825, 8765, day2000, -firstDay + day2000, lastDay - day2000}[r.below(8)]
		case 1:
			return r.bits(22)
		}
		return r.below(30 * 365)
	})
	return min(max(day2000+max(min(off, lastDay), -lastDay), firstDay), lastDay)
}

// json makes a JSON text that nests to a depth.
func (g *generator) json(depth uint64) string {
	kinds := uint64(7)
	if depth == 0 {
		kinds = 5
	}
	switch g.below(kinds) {
	case 1:
		return "true"
	case 2:
		return strconv.FormatInt(g.integer(anyInt), 10)
	case 3:
		return g.jsonText()
	case 4:
		return "1.5"
	case 5:
		var elems []string
		for g.more(len(elems), 2) {
			elems = append(elems, g.json(depth-1))
		}
		return "[" + strings.Join(elems, ",") + "]"
	case 6:
		var members []string
		for g.more(len(members), 2) {
			members = append(members, `"k`+strconv.Itoa(len(members))+`":`+g.json(depth-1))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return "null"
}

func (g *generator) jsonText() string {
	text, err := g.m.AppendJSON(nil, &core.Con{Def: g.std.String}, g.text())
	if err != nil {
		return `""` // a String has always a JSON form
	}
	return string(text)
}

func (g *generator) list(elem core.Type) []interp.Value {
	var out []interp.Value
	g.nest(func() {
		for g.more(len(out), g.meanLength()) {
			out = append(out, g.value(elem))
		}
	})
	return out
}

// meanLength shrinks with depth, so that lists of lists stay small and trees
// of lists end.
func (g *generator) meanLength() uint64 {
	if g.depth > maxDepth {
		return 0
	}
	return uint64(max(1, 6-2*g.depth))
}

func (g *generator) nest(f func()) {
	g.depth++
	f()
	g.depth--
}

// entries makes a map's or, without a value's type, a set's entries.
func (g *generator) entries(key, value core.Type) []interp.Entry {
	var out []interp.Entry
	for _, k := range g.list(key) {
		i, found := slices.BinarySearchFunc(out, k, func(e interp.Entry, k interp.Value) int {
			order, err := g.m.Compare(key, e.Key, k)
			if err != nil {
				return -1 // Money of one currency compares
			}
			return order
		})
		if found {
			continue
		}
		e := interp.Entry{Key: k}
		if value != nil {
			g.nest(func() { e.Value = g.value(value) })
		}
		out = slices.Insert(out, i, e)
	}
	return out
}

// maxDepth is how deep recursive types nest before only their way out is taken.
const maxDepth = 6

// nominal makes a value of a record, a variant or a wrapper.
func (g *generator) nominal(con *core.Con) interp.Value {
	ctors := con.Def.Ctors
	if len(ctors) == 0 {
		return interp.Tuple{} // refused by the checker
	}
	ctor := g.flattest(ctors)
	if len(ctors) > 1 && g.depth < maxDepth {
		// The flattest first, so that shrinking leads there.
		if i := g.below(uint64(len(ctors))); i > 0 {
			ctor = without(ctors, ctor)[i-1]
		}
	}
	subst := core.Bind(con.Def.Params, con.Args)
	r := &interp.Record{Ctor: ctor, Fields: make([]interp.Value, len(ctor.Fields))}
	g.nest(func() {
		for i, f := range ctor.Fields {
			r.Fields[i] = g.value(subst.Apply(f.Type))
		}
	})
	return r
}

func without(all []*core.Ctor, one *core.Ctor) []*core.Ctor {
	return slices.DeleteFunc(slices.Clone(all), func(c *core.Ctor) bool { return c == one })
}

// flattest is the alternative whose values can be the least deep.
func (g *generator) flattest(ctors []*core.Ctor) *core.Ctor {
	best := ctors[0]
	for _, c := range ctors[1:] {
		if g.height(c, nil) < g.height(best, nil) {
			best = c
		}
	}
	return best
}

// endless is the height of an alternative that has no finite value by itself.
const endless = 1 << 20

// height is how deep the flattest value of an alternative nests. Type arguments
// are taken to be flat, which is enough to find the way out of a recursion.
func (g *generator) height(c *core.Ctor, around []*core.TypeDef) int {
	if h, ok := g.heights[c]; ok {
		return h
	}
	if slices.Contains(around, c.Def) {
		return endless
	}
	inner := append(slices.Clone(around), c.Def)
	h := 0
	for _, f := range c.Fields {
		h = max(h, 1+g.typeHeight(f.Type, inner))
	}
	if len(around) == 0 {
		g.heights[c] = h // within others it may be cut short
	}
	return h
}

func (g *generator) typeHeight(t core.Type, around []*core.TypeDef) int {
	h := 0
	switch t := t.(type) {
	case *core.Tuple:
		for _, elem := range t.Elems {
			h = max(h, g.typeHeight(elem, around))
		}
	case *core.Con:
		if t.Def == g.std.List || t.Def == g.std.Map || t.Def == g.std.Set || t.Def == g.std.Option || len(t.Def.Ctors) == 0 {
			return 0 // may be empty
		}
		h = endless
		for _, c := range t.Def.Ctors {
			h = min(h, g.height(c, around))
		}
	}
	return h
}
