package interp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/native"
)

// Show is the text that interpolation prints for a value: a String as it is, a
// wrapper as what it wraps, an alternative without fields by its name.
func (m *Machine) Show(t core.Type, v Value) string {
	con, ok := t.(*core.Con)
	if !ok {
		return m.Render(t, v)
	}
	switch m.kind(con.Def) {
	case abi.String:
		return v.(string)
	case abi.Enum:
		return v.(*Record).Ctor.Name
	case abi.Wrapper:
		field := con.Def.Ctors[0].Fields[0].Type
		return m.Show(core.Bind(con.Def.Params, con.Args).Apply(field), v.(*Record).Fields[0])
	}
	return m.Render(t, v)
}

// Render is a value in Tow's notation, as a program could write it.
func (m *Machine) Render(t core.Type, v Value) string {
	r := renderer{m: m}
	r.value(t, v)
	return r.b.String()
}

// renderer writes values in Tow's notation.
type renderer struct {
	m *Machine
	b strings.Builder
}

func (r *renderer) value(t core.Type, v Value) {
	switch v := v.(type) {
	case bool:
		r.b.WriteString(strconv.FormatBool(v))
	case int64:
		r.b.WriteString(r.m.showInteger(t, v))
	case float64:
		r.b.WriteString(showFloat(v))
	case decimal.Decimal:
		r.b.WriteString(v.String())
	case core.Money:
		r.b.WriteString(showMoney(v))
	case string:
		r.b.WriteString(quote(v))
	case JSON:
		r.b.WriteString(string(v))
	case List:
		elem := argument(t, 0)
		r.sequence("[", v.Len(), "]", func(i int) { r.value(elem, v.elems[i]) })
	case Tuple:
		types, _ := t.(*core.Tuple)
		r.sequence("(", len(v), ")", func(i int) {
			var elem core.Type
			if types != nil {
				elem = types.Elems[i]
			}
			r.value(elem, v[i])
		})
	case *Record:
		r.record(t, v)
	case *callee:
		r.b.WriteString("<function>")
	default:
		fmt.Fprintf(&r.b, "<%T>", v)
	}
}

func (r *renderer) sequence(open string, n int, end string, elem func(i int)) {
	r.b.WriteString(open)
	for i := range n {
		if i > 0 {
			r.b.WriteString(", ")
		}
		elem(i)
	}
	r.b.WriteString(end)
}

func (r *renderer) record(t core.Type, v *Record) {
	if isTree(v) {
		r.tree(t, v)
		return
	}
	var subst core.Subst
	if con, ok := t.(*core.Con); ok && con.Def == v.Ctor.Def && len(con.Args) == len(con.Def.Params) {
		subst = core.Bind(con.Def.Params, con.Args)
	}
	r.b.WriteString(v.Ctor.Name)
	if len(v.Fields) == 0 && v.Ctor.Def.Kind != core.Record {
		return
	}
	field := func(i int) {
		f := v.Ctor.Fields[i]
		// Of a wrapper and of Some, Ok and Err, the one field needs no name.
		if f.Name != "" && v.Ctor.Def.Kind != core.Wrapper && !isStd(v.Ctor.Def) {
			r.b.WriteString(f.Name + ": ")
		}
		r.value(subst.Apply(f.Type), v.Fields[i])
	}
	if v.Ctor.Def.Kind == core.Record {
		if len(v.Fields) == 0 {
			r.b.WriteString(" {}")
			return
		}
		r.sequence(" { ", len(v.Fields), " }", field)
		return
	}
	r.sequence("(", len(v.Fields), ")", field)
}

// tree writes a Map or a Set as the call that makes it from a list.
func (r *renderer) tree(t core.Type, v *Record) {
	entries := Entries(v)
	key, value := argument(t, 0), argument(t, 1)
	if isSet(v) {
		r.sequence("set.of([", len(entries), "])", func(i int) { r.value(key, entries[i].Key) })
		return
	}
	r.sequence("map.of([", len(entries), "])", func(i int) {
		r.b.WriteByte('(')
		r.value(key, entries[i].Key)
		r.b.WriteString(", ")
		r.value(value, entries[i].Value)
		r.b.WriteByte(')')
	})
}

// argument is the i'th type argument of t, nil if that is not known.
func argument(t core.Type, i int) core.Type {
	if con, ok := t.(*core.Con); ok && i < len(con.Args) {
		return con.Args[i]
	}
	return nil
}

func isStd(def *core.TypeDef) bool {
	return def.Module != nil && strings.HasPrefix(def.Module.Path, "std/")
}

// showInteger is the text of an Int, Duration, Instant or Date.
func (m *Machine) showInteger(t core.Type, n int64) string {
	if con, ok := t.(*core.Con); ok {
		switch m.kind(con.Def) {
		case abi.Duration:
			return showDuration(n)
		case abi.Instant:
			return showInstant(n)
		case abi.Date:
			return showDate(n)
		}
	}
	return strconv.FormatInt(n, 10)
}

// showFloat is the shortest text that reads back as f: plain from 1e-6 to
// 1e21, as in ECMAScript, else with an exponent.
func showFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0" // of either sign: they are equal
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two digits of exponent: e-07.
	if n := len(s); s[n-2] == '0' && (s[n-3] == '-' || s[n-3] == '+') {
		s = s[:n-2] + s[n-1:]
	}
	return s
}

func showMoney(a core.Money) string {
	return string(native.AppendAmount(nil, a.Amount, a.Currency)) + " " + a.Currency
}

// durationUnit is a unit of a Duration's notation.
type durationUnit struct {
	name string
	ns   uint64
}

// durationUnits are the units, large to small.
var durationUnits = []durationUnit{{"d", 86400e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}}

// showDuration is a duration as a literal writes it, "1h30m".
func showDuration(ns int64) string {
	if ns == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := uint64(ns)
	if ns < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, u := range durationUnits {
		if n := rest / u.ns; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest %= u.ns
		}
	}
	return b.String()
}

// showInstant is RFC 3339 in UTC, with as many digits of a second as it needs.
func showInstant(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.999999999Z")
}

// showDate is ISO 8601.
func showDate(days int64) string { return time.Unix(days*86400, 0).UTC().Format(time.DateOnly) }

// quote is a string literal: escapes as the language has them, and `\{` since a
// brace would begin a hole.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch c {
		case '"', '\\', '{':
			b.WriteByte('\\')
			b.WriteRune(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < 0x20 || c == 0x7f {
				fmt.Fprintf(&b, `\u{%x}`, c)
				continue
			}
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
