package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
)

// Difference is a place where two JSON values are not the same.
type Difference struct {
	Path   string          `json:"path"`             // "$.offers[3].price"
	Before json.RawMessage `json:"before,omitempty"` // nil: nothing is there
	After  json.RawMessage `json:"after,omitempty"`
}

// maxDifferences is how many of them Diff tells.
const maxDifferences = 100

// Diff compares two JSON texts by value. Members are compared by name; lists by
// place, once what they have in common at their beginning and end is set aside.
// Of a text that is no JSON, the whole is the difference.
//
// By a schema and a type, which may be nil and 0, it knows more: 1.0 and 1.00 are
// one Decimal or amount of Money, null and an absent member one None, and the
// order of a Set's elements means nothing.
func Diff(before, after []byte, s *abi.Schema, id abi.TypeID) []Difference {
	d := &differ{schema: s}
	if bytes.Equal(before, after) {
		return nil
	}
	a, ok := decoded(before)
	b, ok2 := decoded(after)
	if !ok || !ok2 {
		return []Difference{{"$", quoted(before), quoted(after)}}
	}
	if s != nil {
		d.values("$", a, b, &s.Types[id])
	} else {
		d.values("$", a, b, unknownType)
	}
	return d.out
}

// The types of what a schema does not describe.
var (
	unknownType = &abi.Type{}
	amountType  = &abi.Type{Kind: abi.Decimal}
)

// absent stands for a member or an element that is not there.
type absent struct{}

func decoded(text []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v) == nil && !d.More()
}

// quoted is a text as a JSON string; nil when it is empty.
func quoted(text []byte) json.RawMessage {
	if len(text) == 0 {
		return nil
	}
	return encoded(string(text))
}

// encoded is a value's JSON; nil for what is absent.
func encoded(v any) json.RawMessage {
	if v == (absent{}) {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it was JSON
	return bytes.TrimRight(b.Bytes(), "\n")
}

type differ struct {
	schema *abi.Schema
	out    []Difference
}

func (d *differ) add(path string, a, b any) {
	if len(d.out) < maxDifferences {
		d.out = append(d.out, Difference{path, encoded(a), encoded(b)})
	}
}

// values compares two values, or absent ones, of a type.
func (d *differ) values(path string, a, b any, t *abi.Type) {
	for t.Kind == abi.Option || t.Kind == abi.Wrapper {
		if t.Kind == abi.Option && isNone(a) && isNone(b) {
			return
		}
		t = &d.schema.Types[t.Elem]
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			d.objects(path, x, y, t)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			d.arrays(path, x, y, t)
			return
		}
	default:
		if a == b || sameNumber(a, b, t.Kind) {
			return
		}
	}
	d.add(path, a, b)
}

func isNone(v any) bool { return v == nil || v == any(absent{}) }

// sameNumber compares texts and numbers as the kind counts them.
func sameNumber(a, b any, k abi.Kind) bool {
	text := func(v any) (string, bool) {
		switch v := v.(type) {
		case string:
			return v, k == abi.Decimal
		case json.Number:
			return v.String(), k == abi.Decimal || k == abi.Float
		}
		return "", false
	}
	x, ok := text(a)
	y, ok2 := text(b)
	if !ok || !ok2 {
		return false
	}
	if k == abi.Float {
		f, err := strconv.ParseFloat(x, 64)
		g, err2 := strconv.ParseFloat(y, 64)
		return err == nil && err2 == nil && f == g
	}
	m, err := decimal.Parse(x)
	n, err2 := decimal.Parse(y)
	return err == nil && err2 == nil && decimal.Cmp(m, n) == 0
}

func (d *differ) objects(path string, a, b map[string]any, t *abi.Type) {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	types := d.members(a, b, t)
	for _, name := range names {
		d.values(path+memberPath(name), member(a, name), member(b, name), types(name))
	}
}

func member(of map[string]any, name string) any {
	if v, ok := of[name]; ok {
		return v
	}
	return absent{}
}

// memberPath is how a path goes on, as the codec writes it.
func memberPath(name string) string {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return "[" + strconv.Quote(name) + "]"
		}
	}
	if name == "" {
		return `[""]`
	}
	return "." + name
}

// members gives the types of the members of two objects.
func (d *differ) members(a, b map[string]any, t *abi.Type) func(name string) *abi.Type {
	fields := t.Fields
	switch t.Kind {
	case abi.Map:
		return func(string) *abi.Type { return &d.schema.Types[t.Elem] }
	case abi.Money:
		return func(name string) *abi.Type {
			if name == "amount" {
				return amountType
			}
			return unknownType
		}
	case abi.Variant:
		for i := range t.Ctors {
			if c := &t.Ctors[i]; a["type"] == any(c.JSON) && b["type"] == any(c.JSON) {
				fields = c.Fields
			}
		}
	}
	return func(name string) *abi.Type {
		for i := range fields {
			if jsonName(&fields[i]) == name {
				return &d.schema.Types[fields[i].Type]
			}
		}
		return unknownType
	}
}

func (d *differ) arrays(path string, a, b []any, t *abi.Type) {
	elem := func(i int) *abi.Type {
		switch {
		case t.Kind == abi.List:
			return &d.schema.Types[t.Elem]
		case t.Kind == abi.Tuple && i < len(t.Fields):
			return &d.schema.Types[t.Fields[i].Type]
		}
		return unknownType
	}
	if t.Kind == abi.Set {
		d.sets(path, a, b)
		return
	}
	first, last := 0, 0
	if len(a) != len(b) {
		for first < min(len(a), len(b)) && d.same(a[first], b[first], elem(first)) {
			first++
		}
		for last < min(len(a), len(b))-first && d.same(a[len(a)-1-last], b[len(b)-1-last], elem(len(a)-1-last)) {
			last++
		}
	}
	for i := first; i < max(len(a), len(b))-last; i++ {
		x, y := any(absent{}), any(absent{})
		if i < len(a)-last {
			x = a[i]
		}
		if i < len(b)-last {
			y = b[i]
		}
		d.values(fmt.Sprintf("%s[%d]", path, i), x, y, elem(i))
	}
}

// same reports whether two values are, by trying.
func (d *differ) same(a, b any, t *abi.Type) bool {
	try := differ{schema: d.schema}
	try.values("", a, b, t)
	return len(try.out) == 0
}

// sets compares sets as they are written: what one has and the other has not.
func (d *differ) sets(path string, a, b []any) {
	texts := func(of []any) map[string]bool {
		all := map[string]bool{}
		for _, v := range of {
			all[string(encoded(v))] = true
		}
		return all
	}
	inA, inB := texts(a), texts(b)
	for i, v := range a {
		if !inB[string(encoded(v))] {
			d.add(fmt.Sprintf("%s[%d]", path, i), v, absent{})
		}
	}
	for i, v := range b {
		if !inA[string(encoded(v))] {
			d.add(fmt.Sprintf("%s[%d]", path, i), absent{}, v)
		}
	}
}
