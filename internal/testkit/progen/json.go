package progen

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"towpath.dev/internal/lang/core"
)

// Input makes the JSON object of a view's arguments. Now and then it is not
// what the view takes, or not JSON.
func Input(p *core.Program, view *core.Func, seed uint64) []byte {
	v := newValues(p, seed, view.Name)
	if len(view.Params) == 0 && v.chance(90) {
		return []byte("{}")
	}
	var b strings.Builder
	b.WriteString("{")
	for i, param := range view.Params {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "%q:", param.Name)
		b.WriteString(v.json(param.Type, 3))
	}
	return v.spoiled(b.String() + "}")
}

// Answer is what the world of a seed answers a call: JSON, which may not be
// of the operation's type, or the reason why the call fails. It depends on the
// operation, the canonical arguments and the seed alone.
func Answer(p *core.Program, op *core.Operation, args []byte, seed uint64) ([]byte, error) {
	v := newValues(p, seed, op.QualifiedName()+string(args))
	if v.chance(12) {
		return nil, fmt.Errorf("no answer %d", v.IntN(3))
	}
	return v.spoiled(v.json(op.Result, 3)), nil
}

// Dice throws a number below 100 that depends on its arguments alone.
func Dice(seed uint64, parts ...uint64) int {
	for _, p := range parts {
		seed = (seed ^ p) * 0x9E3779B97F4A7C15
		seed ^= seed >> 32
	}
	return rand.New(rand.NewPCG(seed, 1)).IntN(100)
}

func newRand(seed uint64, key string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(key)) // cannot fail
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// values makes JSON of types.
type values struct {
	*rand.Rand
	program *core.Program
	edge    int // of a hundred scalars, so many are near a limit
}

func newValues(p *core.Program, seed uint64, key string) values {
	return values{newRand(seed, key), p, []int{5, 25, 25, 60}[Dice(seed)%4]}
}

func (v values) chance(n int) bool { return v.IntN(100) < n }

func oneOf(v values, texts ...string) string { return texts[v.IntN(len(texts))] }

// spoiled breaks a text now and then.
func (v values) spoiled(text string) []byte {
	if v.chance(96) {
		return []byte(text)
	}
	switch at := v.IntN(len(text)); v.IntN(4) {
	case 0:
		return []byte(text[:at])
	case 1:
		return []byte(text[:at] + text[at+1:])
	case 2:
		return []byte(text[:at] + string("0\"{}[],:-e. \\n"[v.IntN(14)]) + text[at:])
	}
	return []byte(strings.Replace(text, ":", ":null,\"x\":", 1))
}

// json makes a value of a type, at most so many levels deep where it can end.
func (v values) json(t core.Type, depth int) string {
	switch t := t.(type) {
	case *core.Tuple:
		return v.array(t.Elems, depth)
	case *core.Con:
		return v.con(t, depth)
	}
	return "null"
}

func (v values) array(ts []core.Type, depth int) string {
	parts := make([]string, len(ts))
	for i, t := range ts {
		parts[i] = v.json(t, depth-1)
	}
	return "[" + strings.Join(parts, oneOf(v, ",", ", ")) + "]"
}

func (v values) con(t *core.Con, depth int) string {
	s := &v.program.Std
	switch t.Def {
	case s.List:
		return "[" + strings.Join(v.elems(t.Args[0], depth), ",") + "]"
	case s.Set:
		return "[" + strings.Join(distinct(v.elems(t.Args[0], depth)), ",") + "]"
	case s.Map:
		return v.mapOf(t, depth)
	case s.Option:
		if v.chance(30) || depth < 0 {
			return "null"
		}
		return v.json(t.Args[0], depth)
	}
	if t.Def.Kind == core.Builtin {
		return v.scalar(t.Def)
	}
	return v.construct(t, depth)
}

func distinct(texts []string) []string {
	seen := map[string]bool{}
	out := texts[:0]
	for _, x := range texts {
		if !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	return out
}

func (v values) elems(t core.Type, depth int) []string {
	n := v.IntN(5)
	switch {
	case depth <= 0:
		n = 0
	case v.chance(4):
		n = 8 + v.IntN(60)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = v.json(t, depth-1)
	}
	return out
}

// mapOf makes a Map: an object where its keys are names, else pairs.
func (v values) mapOf(t *core.Con, depth int) string {
	pairs := v.elems(&core.Tuple{Elems: t.Args}, depth)
	keys := map[string]bool{}
	var out []string
	object := v.names(t.Args[0])
	for range pairs {
		key, value := v.json(t.Args[0], depth-1), v.json(t.Args[1], depth-1)
		if keys[key] {
			continue
		}
		keys[key] = true
		switch {
		case !object:
			out = append(out, "["+key+","+value+"]")
		case key[0] == '"':
			out = append(out, key+":"+value)
		default:
			out = append(out, `"`+key+`":`+value)
		}
	}
	if object {
		return "{" + strings.Join(out, ",") + "}"
	}
	return "[" + strings.Join(out, ",") + "]"
}

// names reports whether a type's values stand as the names of an object's members.
func (v values) names(t core.Type) bool {
	c, ok := innermost(t).(*core.Con)
	if !ok {
		return false
	}
	s := &v.program.Std
	if c.Def.Kind == core.Variant && c.Def != s.Option {
		for _, ctor := range c.Def.Ctors {
			if len(ctor.Fields) > 0 {
				return false
			}
		}
		return true
	}
	return c.Def == s.String || c.Def == s.Int || c.Def == s.Date
}

func (v values) construct(t *core.Con, depth int) string {
	c := t.Def.Ctors[v.IntN(len(t.Def.Ctors))]
	if depth <= 0 {
		c = t.Def.Ctors[0]
	}
	types := fields(t, c)
	if t.Def.Kind == core.Wrapper {
		return v.json(types[0], depth)
	}
	var members []string
	if t.Def.Kind == core.Variant {
		if v.names(t) {
			return fmt.Sprintf("%q", c.JSON)
		}
		members = append(members, fmt.Sprintf(`"type":%q`, c.JSON))
	}
	for i, f := range c.Fields {
		_, option := is(types[i], v.program.Std.Option)
		if (f.Default != nil || option) && v.chance(30) {
			continue
		}
		members = append(members, fmt.Sprintf("%q:%s", memberName(f), v.json(types[i], depth-1)))
	}
	if v.chance(10) {
		members = append(members, `"unknown":[{},"]"]`)
	}
	if v.chance(20) {
		v.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	}
	return oneOf(v, "{", "{", "{ ") + strings.Join(members, oneOf(v, ",", ",", " , \n")) + "}"
}

func memberName(f *core.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

func (v values) scalar(def *core.TypeDef) string {
	s := &v.program.Std
	switch def {
	case s.Bool:
		return oneOf(v, "true", "false")
	case s.Int:
		if !v.chance(v.edge) {
			return fmt.Sprint(v.IntN(14) - 3)
		}
		return oneOf(v, "9223372036854775807", "-9223372036854775808", "4294967296", "1000", "-1", "100", "9223372036854775806", "3037000500")
	case s.Float:
		return oneOf(v, "0", "-0.0", "1", "2.5", "-1.25e-3", "1e308", "5e-324", "0.1", "3", "-7", "1.7976931348623157e308")
	case s.Decimal:
		return v.decimal()
	case s.Money:
		return fmt.Sprintf(`{"amount":%s,"currency":"%s"}`, v.decimal(), oneOf(v, "USD", "USD", "USD", "USD", "USD", "USD", "EUR", "JPY"))
	case s.String:
		return v.text()
	case s.Duration:
		return oneOf(v, `"0s"`, `"50ms"`, `"1h30m"`, `"-5s"`, `"3d"`, `"1ns"`, `"2562047h47m16s854ms775us807ns"`, `"1.5s"`)
	case s.Instant:
		return oneOf(v, `"1970-01-01T00:00:00Z"`, `"2026-01-31T09:30:00.5Z"`, `"2024-02-29T23:59:59.999999999Z"`,
			`"1969-12-31T23:59:59Z"`, `"2262-04-11T23:47:16.854775807Z"`, `"2026-01-31T09:30:00+05:30"`)
	case s.Date:
		return oneOf(v, `"1970-01-01"`, `"2026-01-31"`, `"2024-02-29"`, `"0001-01-01"`, `"9999-12-31"`, `"1900-03-01"`)
	case s.Json:
		return oneOf(v, "null", "7", `"a\"b"`, "[1, {\"a\": [] }]", `{"a":{"b":2.50}}`, "true", "-0.0e1", `"\u00e9"`)
	}
	return "null"
}

func (v values) decimal() string {
	text := oneOf(v, "0", "1", "2.5", "-0.1", "10.00", "19.99", "100", "0.001", "-3", "7.25", "1e3", "-1.5")
	if v.chance(v.edge) {
		text = oneOf(v, "9999999999999999999999999999999999", "0.0000000000000000000000000000000001", "36028797018963968",
			"-36028797018963968", "123456789012345678901.5", "4398046511103.99", "-9e33", "1e-34")
	}
	if v.chance(70) {
		return `"` + text + `"`
	}
	return text
}

func (v values) text() string {
	if !v.chance(v.edge) {
		return oneOf(v, `""`, `"a"`, `"b"`, `"ab"`, `"abc"`, `"hello world"`, `"1"`, `"2.5"`, `"x y  z"`, `"a,b,,c"`)
	}
	return oneOf(v, `"é日😀"`, `"{\n\t\"\\"`, `"\ud83d\ude00"`, `" trimmed\t"`, `"`+strings.Repeat("0123456789", 9)+`"`,
		`"[1, {\"a\": null}]"`, `"Europe/Berlin"`, `"2026-01-31"`, `"`+strings.Repeat("é", 33)+`"`, `"USD"`, `"\u0000x"`, `"2026-01-31T09:30:00Z"`)
}
