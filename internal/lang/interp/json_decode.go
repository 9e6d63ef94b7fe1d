package interp

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
)

// DecodeJSON reads a value of a type without type parameters and functions. It
// is the second opinion on the mapping that package codec implements: it takes
// the text apart first, and then asks of every type what it makes of the parts.
// The error is a *JSONError, or a *Fault in a field's default.
func (m *Machine) DecodeJSON(t core.Type, text []byte) (Value, error) {
	v, err := parseJSON(string(text))
	if err != nil {
		return nil, err
	}
	return m.decode(t, v, "$")
}

// expected is the error of a value that is not one of the type t.
func expected(what string, v *jsonValue, path string) error {
	found := v.source
	switch v.kind {
	case jsonObject:
		found = "an object"
	case jsonArray:
		found = "an array"
	case jsonString:
		found = "string " + found
	case jsonNumber:
		found = "number " + found
	}
	return &JSONError{Path: path, Offset: v.offset, Expected: what, Found: found}
}

func (m *Machine) decode(t core.Type, v *jsonValue, path string) (Value, error) {
	if tuple, ok := t.(*core.Tuple); ok {
		return m.decodeTuple(tuple, v, path)
	}
	con, ok := t.(*core.Con)
	if !ok {
		return nil, expected("a type with a JSON form", v, path)
	}
	switch m.kind(con.Def) {
	case abi.Json:
		return JSON(compactJSON(v.source)), nil
	case abi.List:
		if v.kind != jsonArray {
			return nil, expected(t.String(), v, path)
		}
		elems, err := m.decodeAll(con.Args[0], v, path)
		return NewList(elems...), err
	case abi.Set:
		return m.decodeSet(con, v, path)
	case abi.Map:
		return m.decodeMap(con, v, path)
	case abi.Option:
		if v.kind == jsonNull {
			return m.none(), nil
		}
		x, err := m.decode(con.Args[0], v, path)
		return m.some(x), err
	case abi.Wrapper:
		x, err := m.decode(m.fieldTypes(con, con.Def.Ctors[0])[0], v, path)
		return &Record{Ctor: con.Def.Ctors[0], Fields: []Value{x}}, err
	case abi.Record:
		if v.kind != jsonObject {
			return nil, expected(t.String(), v, path)
		}
		return m.decodeFields(con, con.Def.Ctors[0], v, path)
	case abi.Variant:
		return m.decodeVariant(con, v, path)
	case abi.Enum:
		for _, c := range con.Def.Ctors {
			if v.kind == jsonString && v.text == c.JSON {
				return &Record{Ctor: c}, nil
			}
		}
		return nil, expected(t.String(), v, path)
	}
	if x, ok := m.decodeScalar(m.kind(con.Def), v); ok {
		return x, nil
	}
	return nil, expected(t.String(), v, path)
}

// decodeScalar reads a value of the types that have no parts.
func (m *Machine) decodeScalar(kind abi.Kind, v *jsonValue) (Value, bool) {
	text, quoted := v.text, v.kind == jsonString
	switch kind {
	case abi.Bool:
		return v.kind == jsonTrue, v.kind == jsonTrue || v.kind == jsonFalse
	case abi.Int:
		n, ok := readInt(v.source)
		return n, ok && v.kind == jsonNumber
	case abi.Float:
		f, err := strconv.ParseFloat(v.source, 64)
		return f, err == nil && v.kind == jsonNumber
	case abi.Decimal:
		d, ok := readDecimal(v)
		return d, ok
	case abi.Money:
		return readMoney(v)
	case abi.String:
		return text, quoted
	case abi.Duration:
		n, ok := readDuration(text)
		return n, ok && quoted
	case abi.Instant:
		n, ok := readInstant(text)
		return n, ok && quoted
	case abi.Date:
		n, ok := readDate(text)
		return n, ok && quoted
	}
	return nil, false
}

// fieldTypes are the types of a constructor's fields in values of the type con.
func (m *Machine) fieldTypes(con *core.Con, c *core.Ctor) []core.Type {
	subst := core.Bind(con.Def.Params, con.Args)
	types := make([]core.Type, len(c.Fields))
	for i, f := range c.Fields {
		types[i] = subst.Apply(f.Type)
	}
	return types
}

func (m *Machine) decodeTuple(t *core.Tuple, v *jsonValue, path string) (Value, error) {
	if v.kind != jsonArray || len(v.elems) != len(t.Elems) {
		return nil, expected(t.String(), v, path)
	}
	out := make(Tuple, len(t.Elems))
	for i, elem := range t.Elems {
		var err error
		if out[i], err = m.decode(elem, v.elems[i], index(path, i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeAll reads an array's elements.
func (m *Machine) decodeAll(elem core.Type, v *jsonValue, path string) ([]Value, error) {
	out := make([]Value, len(v.elems))
	for i, e := range v.elems {
		var err error
		if out[i], err = m.decode(elem, e, index(path, i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func (m *Machine) decodeSet(con *core.Con, v *jsonValue, path string) (Value, error) {
	if v.kind != jsonArray {
		return nil, expected(con.String(), v, path)
	}
	elems, err := m.decodeAll(con.Args[0], v, path)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(elems))
	for i, e := range elems {
		entries[i].Key = e
	}
	return m.newTree(con, entries, v, path)
}

func (m *Machine) decodeMap(con *core.Con, v *jsonValue, path string) (Value, error) {
	var entries []Entry
	pair := &core.Tuple{Elems: con.Args}
	switch {
	case m.namesMembers(con.Args[0]) && v.kind == jsonObject:
		for _, member := range v.members {
			key, ok := m.readKey(con.Args[0], member.name)
			if !ok {
				return nil, &JSONError{Path: path, Offset: member.offset, Expected: "a key of type " + con.Args[0].String(),
					Found: string(appendQuoted(nil, member.name))}
			}
			value, err := m.decode(con.Args[1], member.value, path+"["+string(appendQuoted(nil, member.name))+"]")
			if err != nil {
				return nil, err
			}
			entries = append(entries, Entry{key, value})
		}
	case !m.namesMembers(con.Args[0]) && v.kind == jsonArray:
		pairs, err := m.decodeAll(pair, v, path)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			entries = append(entries, Entry{p.(Tuple)[0], p.(Tuple)[1]})
		}
	default:
		return nil, expected(con.String(), v, path)
	}
	return m.newTree(con, entries, v, path)
}

// newTree makes a Map or Set of entries in any order, none of which comes twice.
func (m *Machine) newTree(con *core.Con, entries []Entry, v *jsonValue, path string) (Value, error) {
	var failed error
	slices.SortStableFunc(entries, func(a, b Entry) int {
		order, err := m.Compare(con.Args[0], a.Key, b.Key)
		if err != nil {
			failed = &JSONError{Path: path, Offset: v.offset, Expected: "keys of one currency", Found: err.Error()}
		} else if order == 0 {
			failed = &JSONError{Path: path, Offset: v.offset, Expected: "every key once", Found: "one twice"}
		}
		return order
	})
	if failed != nil {
		return nil, failed
	}
	return NewMap(con.Def, entries), nil
}

// namesMembers reports whether keys of the type are the names of an object's
// members.
func (m *Machine) namesMembers(t core.Type) bool {
	con, ok := t.(*core.Con)
	if !ok {
		return false
	}
	switch m.kind(con.Def) {
	case abi.String, abi.Int, abi.Date, abi.Enum:
		return true
	case abi.Wrapper:
		return m.namesMembers(m.fieldTypes(con, con.Def.Ctors[0])[0])
	}
	return false
}

// readKey reads a member's name as a key.
func (m *Machine) readKey(t core.Type, name string) (Value, bool) {
	con := t.(*core.Con)
	switch m.kind(con.Def) {
	case abi.Int:
		return m.decodeScalar(abi.Int, &jsonValue{kind: jsonNumber, source: name})
	case abi.Wrapper:
		key, ok := m.readKey(m.fieldTypes(con, con.Def.Ctors[0])[0], name)
		return &Record{Ctor: con.Def.Ctors[0], Fields: []Value{key}}, ok
	}
	key, err := m.decode(t, &jsonValue{kind: jsonString, text: name}, "")
	return key, err == nil
}

func (m *Machine) decodeVariant(con *core.Con, v *jsonValue, path string) (Value, error) {
	if v.kind != jsonObject {
		return nil, expected(con.String(), v, path)
	}
	tag, err := member(v, "type", path)
	if err != nil {
		return nil, err
	}
	if tag == nil {
		return nil, expected(con.String()+` with the member "type"`, v, path)
	}
	for _, c := range con.Def.Ctors {
		if tag.kind == jsonString && tag.text == c.JSON {
			return m.decodeFields(con, c, v, path)
		}
	}
	return nil, expected("an alternative of "+con.String(), tag, path+".type")
}

// decodeFields reads an object's members as a constructor's fields.
func (m *Machine) decodeFields(con *core.Con, c *core.Ctor, v *jsonValue, path string) (Value, error) {
	types := m.fieldTypes(con, c)
	r := &Record{Ctor: c, Fields: make([]Value, len(types))}
	for i, f := range c.Fields {
		name := memberName(f)
		x, err := member(v, name, path)
		if err != nil {
			return nil, err
		}
		switch {
		case x != nil:
			r.Fields[i], err = m.decode(types[i], x, path+memberPath(name))
		case f.Default != nil:
			r.Fields[i], err = m.free(f.Default)
		default:
			absent := &jsonValue{kind: jsonNull, offset: v.offset, source: "nothing"}
			if !m.mayBeAbsent(types[i]) {
				return nil, expected(types[i].String(), &jsonValue{kind: jsonNull, offset: v.offset, source: "no such member"}, path+memberPath(name))
			}
			r.Fields[i], err = m.decode(types[i], absent, path)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// memberName is a field's name in JSON.
func memberName(f *core.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

func memberPath(name string) string {
	for i, c := range name {
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return "[" + string(appendQuoted(nil, name)) + "]"
		}
	}
	return "." + name
}

// member finds the one member of a name, nil without.
func member(v *jsonValue, name, path string) (*jsonValue, error) {
	var found *jsonValue
	for _, m := range v.members {
		if m.name != name {
			continue
		}
		if found != nil {
			return nil, &JSONError{Path: path, Offset: m.offset, Expected: "each member once", Found: strconv.Quote(name) + " twice"}
		}
		found = m.value
	}
	return found, nil
}

// mayBeAbsent reports whether a member of the type may be left out: an Option,
// or a wrapper of one.
func (m *Machine) mayBeAbsent(t core.Type) bool {
	con, ok := t.(*core.Con)
	if !ok {
		return false
	}
	switch m.kind(con.Def) {
	case abi.Option:
		return true
	case abi.Wrapper:
		return m.mayBeAbsent(m.fieldTypes(con, con.Def.Ctors[0])[0])
	}
	return false
}

// free evaluates a default at no cost to the run, and whatever the run's limits:
// the compiler has done so before there was a run.
func (m *Machine) free(e core.Expr) (Value, error) {
	gas, depth, opts := m.gas, m.depth, m.opts
	m.gas, m.depth = DefaultGas, 0
	m.opts.Gas, m.opts.Depth = DefaultGas, DefaultDepth
	v, err := m.Eval(e, &Env{})
	m.gas, m.depth, m.opts = gas, depth, opts
	return v, err
}

// readInt reads an integer's own syntax: no point, no exponent.
func readInt(s string) (int64, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '+' || digits[0] == '-' || digits[0] == '0' && digits != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func readDecimal(v *jsonValue) (decimal.Decimal, bool) {
	text := v.text
	if v.kind == jsonNumber {
		text = v.source
	} else if v.kind != jsonString {
		return decimal.Decimal{}, false
	}
	d, err := decimal.Parse(text)
	return d, err == nil
}

func readMoney(v *jsonValue) (Value, bool) {
	if v.kind != jsonObject {
		return nil, false
	}
	amount, err := member(v, "amount", "")
	currency, err2 := member(v, "currency", "")
	if err != nil || err2 != nil || amount == nil || currency == nil || currency.kind != jsonString {
		return nil, false
	}
	d, ok := readDecimal(amount)
	return core.Money{Amount: d, Currency: currency.text}, ok && isCurrency(currency.text)
}

// isCurrency reports whether a text is three capitals.
func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// readDuration reads "1h30m": units from large to small, a fraction of whole
// nanoseconds on the last.
func readDuration(s string) (int64, bool) {
	rest, neg := strings.CutPrefix(s, "-")
	total := decimal.Decimal{}
	units := durationUnits
	if rest == "" {
		return 0, false
	}
	for rest != "" {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		number := strings.TrimLeft(rest[:n], "0")
		if number == "" || number[0] == '.' {
			number = "0" + number
		}
		d, err := decimal.Parse(number)
		if n == 0 || rest[0] == '.' || err != nil {
			return 0, false
		}
		fraction := strings.Contains(number, ".")
		rest = rest[n:]
		n = len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		at := slices.IndexFunc(units, func(u durationUnit) bool { return u.name == rest[:n] })
		if at < 0 {
			return 0, false
		}
		if d, err = decimal.Mul(d, decimal.FromInt64(int64(units[at].ns))); err == nil {
			total, err = decimal.Add(total, d)
		}
		units, rest = units[at+1:], rest[n:]
		if err != nil || fraction && rest != "" {
			return 0, false
		}
	}
	if neg {
		total = total.Neg()
	}
	return total.Int64()
}

// readInstant reads RFC 3339 to nanoseconds, strictly: time.Parse allows single
// digits, a comma, any number of decimals and an offset of 24 hours.
func readInstant(s string) (int64, bool) {
	const layout = "2006-01-02T15:04:05"
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || s[:len(layout)] != t.Format(layout) {
		return 0, false
	}
	if rest := s[len(layout):]; rest[0] == ',' || strings.IndexAny(rest, "Z+-") > 10 {
		return 0, false
	}
	if _, offset := t.Zone(); offset <= -86400 || offset >= 86400 {
		return 0, false
	}
	ns := new(big.Int)
	ns.Mul(big.NewInt(t.Unix()), big.NewInt(1_000_000_000))
	ns.Add(ns, big.NewInt(int64(t.Nanosecond())))
	return ns.Int64(), ns.IsInt64()
}

func readDate(s string) (int64, bool) {
	t, err := time.Parse("2006-01-02", s)
	return t.Unix() / 86400, err == nil
}
