package interp

import (
	"fmt"
	"math"
	"strconv"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/native"
)

// AppendJSON appends a value of type t as compact JSON, fields in declared
// order. The error says why the value has no JSON: a Float that is infinite or
// NaN, or a nesting too deep.
func (m *Machine) AppendJSON(dst []byte, t core.Type, v Value) ([]byte, error) {
	w := jsonWriter{m: m, dst: dst}
	if err := w.value(t, v); err != nil {
		return nil, err
	}
	return w.dst, nil
}

// jsonWriter writes values.
type jsonWriter struct {
	m     *Machine
	dst   []byte
	depth int
}

func (w *jsonWriter) text(s string)   { w.dst = append(w.dst, s...) }
func (w *jsonWriter) quoted(s string) { w.dst = appendQuoted(w.dst, s) }

func (w *jsonWriter) value(t core.Type, v Value) error {
	switch v := v.(type) {
	case bool:
		w.text(strconv.FormatBool(v))
	case int64:
		w.integer(t, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the Float %s has no JSON", showFloat(v))
		}
		w.text(showFloat(v))
	case decimal.Decimal:
		w.quoted(v.String())
	case core.Money:
		w.text(`{"amount":"` + string(native.AppendAmount(nil, v.Amount, v.Currency)) + `","currency":"` + v.Currency + `"}`)
	case string:
		w.quoted(v)
	case JSON:
		w.text(string(v))
	case List:
		return w.array(v.Len(), func(i int) error { return w.value(argument(t, 0), v.elems[i]) })
	case Tuple:
		return w.array(len(v), func(i int) error { return w.value(t.(*core.Tuple).Elems[i], v[i]) })
	case *Record:
		return w.record(t.(*core.Con), v)
	default:
		return fmt.Errorf("a %T has no JSON", v)
	}
	return nil
}

func (w *jsonWriter) integer(t core.Type, n int64) {
	if w.m.kind(t.(*core.Con).Def) == abi.Int {
		w.text(strconv.FormatInt(n, 10))
		return
	}
	w.quoted(w.m.showInteger(t, n))
}

// nest goes one level deeper to write an array or an object.
func (w *jsonWriter) nest(open string, body func() error, end string) error {
	if w.depth++; w.depth > maxJSONDepth {
		return fmt.Errorf("the value nests deeper than %d levels", maxJSONDepth)
	}
	w.text(open)
	err := body()
	w.text(end)
	w.depth--
	return err
}

func (w *jsonWriter) array(n int, elem func(i int) error) error {
	return w.nest("[", func() error {
		for i := range n {
			if i > 0 {
				w.text(",")
			}
			if err := elem(i); err != nil {
				return err
			}
		}
		return nil
	}, "]")
}

func (w *jsonWriter) record(con *core.Con, v *Record) error {
	switch w.m.kind(con.Def) {
	case abi.Map:
		return w.mapping(con, v)
	case abi.Set:
		entries := Entries(v)
		return w.array(len(entries), func(i int) error { return w.value(con.Args[0], entries[i].Key) })
	case abi.Option:
		if len(v.Fields) == 0 {
			w.text("null")
			return nil
		}
		return w.value(con.Args[0], v.Fields[0])
	case abi.Wrapper:
		return w.value(w.m.fieldTypes(con, v.Ctor)[0], v.Fields[0])
	case abi.Enum:
		w.quoted(v.Ctor.JSON)
		return nil
	case abi.Variant:
		return w.nest("{", func() error {
			w.text(`"type":`)
			w.quoted(v.Ctor.JSON)
			return w.members(con, v, true)
		}, "}")
	}
	return w.nest("{", func() error { return w.members(con, v, false) }, "}")
}

// members writes the fields that are not None.
func (w *jsonWriter) members(con *core.Con, v *Record, more bool) error {
	types := w.m.fieldTypes(con, v.Ctor)
	for i, f := range v.Ctor.Fields {
		if w.isNone(types[i], v.Fields[i]) {
			continue
		}
		if more {
			w.text(",")
		}
		more = true
		w.quoted(memberName(f))
		w.text(":")
		if err := w.value(types[i], v.Fields[i]); err != nil {
			return err
		}
	}
	return nil
}

// isNone reports whether a value is None, or a wrapper of it.
func (w *jsonWriter) isNone(t core.Type, v Value) bool {
	r, ok := v.(*Record)
	if !ok || !w.m.mayBeAbsent(t) {
		return false
	}
	con := t.(*core.Con)
	if w.m.kind(con.Def) == abi.Wrapper {
		return w.isNone(w.m.fieldTypes(con, r.Ctor)[0], r.Fields[0])
	}
	return len(r.Fields) == 0
}

func (w *jsonWriter) mapping(con *core.Con, v *Record) error {
	entries := Entries(v)
	if !w.m.namesMembers(con.Args[0]) {
		pair := &core.Tuple{Elems: con.Args}
		return w.array(len(entries), func(i int) error { return w.value(pair, Tuple{entries[i].Key, entries[i].Value}) })
	}
	return w.nest("{", func() error {
		for i, e := range entries {
			if i > 0 {
				w.text(",")
			}
			if err := w.key(con.Args[0], e.Key); err != nil {
				return err
			}
			w.text(":")
			if err := w.value(con.Args[1], e.Value); err != nil {
				return err
			}
		}
		return nil
	}, "}")
}

// key writes a key as a member's name.
func (w *jsonWriter) key(t core.Type, v Value) error {
	con := t.(*core.Con)
	switch w.m.kind(con.Def) {
	case abi.Int:
		w.quoted(strconv.FormatInt(v.(int64), 10))
		return nil
	case abi.Wrapper:
		return w.key(w.m.fieldTypes(con, con.Def.Ctors[0])[0], v.(*Record).Fields[0])
	}
	return w.value(t, v)
}

// appendQuoted appends a JSON string: quotes, backslashes and control
// characters escaped, all else as it is.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		default:
			if c < ' ' {
				dst = fmt.Appendf(dst, `\u%04x`, c)
				continue
			}
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
