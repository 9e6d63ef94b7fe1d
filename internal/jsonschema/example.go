package jsonschema

import (
	"encoding/json"

	"towpath.dev/internal/abi"
)

// Example is a small JSON text of a type: empty lists, zero numbers, the first
// alternative, no optional members. It is where a person can start from.
func Example(s *abi.Schema, id abi.TypeID) json.RawMessage {
	e := example{schema: s}
	return e.of(nil, id, 0)
}

type example struct{ schema *abi.Schema }

// maxExampleDepth ends recursive types.
const maxExampleDepth = 16

func (e example) of(dst []byte, id abi.TypeID, depth int) []byte {
	t := &e.schema.Types[id]
	if depth > maxExampleDepth {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case abi.List, abi.Set:
		return append(dst, "[]"...)
	case abi.Map:
		if (&writer{schema: e.schema}).namesMembers(t.Key) {
			return append(dst, "{}"...)
		}
		return append(dst, "[]"...)
	case abi.Tuple:
		dst = append(dst, '[')
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.of(dst, f.Type, depth+1)
		}
		return append(dst, ']')
	case abi.Wrapper:
		return e.of(dst, t.Elem, depth+1)
	case abi.Record:
		return e.object(dst, "", t.Fields, depth)
	case abi.Enum:
		return quote(dst, t.Ctors[0].JSON)
	case abi.Variant:
		c := e.flattest(t)
		return e.object(dst, c.JSON, c.Fields, depth)
	}
	return append(dst, basicExample(t.Kind)...)
}

// flattest is the first alternative without fields, else the first.
func (e example) flattest(t *abi.Type) *abi.Ctor {
	for i := range t.Ctors {
		if len(t.Ctors[i].Fields) == 0 {
			return &t.Ctors[i]
		}
	}
	return &t.Ctors[0]
}

func basicExample(k abi.Kind) string {
	switch k {
	case abi.Bool:
		return "false"
	case abi.Int, abi.Float:
		return "0"
	case abi.Decimal:
		return `"0"`
	case abi.Money:
		return `{"amount":"0","currency":"EUR"}`
	case abi.String:
		return `""`
	case abi.Duration:
		return `"0s"`
	case abi.Instant:
		return `"2026-01-01T00:00:00Z"`
	case abi.Date:
		return `"2026-01-01"`
	}
	return "null" // Json, Option
}

func (e example) object(dst []byte, tag string, fields []abi.Field, depth int) []byte {
	w := &writer{schema: e.schema}
	dst = append(dst, '{')
	begin := len(dst)
	member := func(name string) {
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(quote(dst, name), ':')
	}
	if tag != "" {
		member("type")
		dst = quote(dst, tag)
	}
	for _, f := range fields {
		if f.Default == "" && !w.mayBeAbsent(f.Type) {
			member(memberName(f))
			dst = e.of(dst, f.Type, depth+1)
		}
	}
	return append(dst, '}')
}

func quote(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // a string always has a form
	}
	return append(dst, text...)
}
