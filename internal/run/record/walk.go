package record

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/codec"
)

// walker goes over JSON by a type, and writes it again with stand-ins for what is
// private. It takes what does not fit the type, too: requests are recorded that
// were refused for it. Its methods report false where there is no JSON.
type walker struct {
	r   *Redactor
	src []byte
	pos int

	out       []byte
	spans     []span // in out, where private values may be found again
	documents []document
	carried   carried
	hidden    int // values that have stand-ins
	dropped   int // values that no type knows
	depth     int
}

// span is a text without its quotes, or a number, that nothing marks as private.
type span struct {
	start, end int
	class      class
}

func (w *walker) reset() {
	w.out, w.spans, w.documents = w.out[:0], w.spans[:0], w.documents[:0]
	w.hidden, w.dropped = 0, 0
	w.carried.reset()
}

// value goes over a value of a type.
func (w *walker) value(id abi.TypeID, private bool) bool {
	c := w.space()
	t := &w.r.schema.Types[id]
	for t.Kind == abi.Wrapper || t.Kind == abi.Option {
		if t.Kind == abi.Option && c == 'n' {
			return w.literal(false)
		}
		id = t.Elem
		t = &w.r.schema.Types[id]
	}
	switch k := t.Kind; {
	case c == '"' && (k == abi.String || k == abi.Decimal || k == abi.Duration || k == abi.Instant || k == abi.Date),
		isNumber(c) && (k == abi.Int || k == abi.Float || k == abi.Decimal):
		of, _ := classOf(k)
		return w.token(of, private, k != abi.Int && k != abi.Float)
	case k == abi.Bool && (c == 't' || c == 'f'):
		return w.literal(private)
	case k == abi.Json && private:
		return w.privateJSON()
	case k == abi.Json:
		return w.any(false)
	case k == abi.Money && c == '{':
		return w.money(private)
	case (k == abi.List || k == abi.Set) && c == '[':
		return w.list(t.Elem, private, k == abi.Set && (private || w.r.holds[t.Elem]))
	case k == abi.Map && (c == '{' || c == '['):
		return w.entries(t, c == '{', private)
	case k == abi.Tuple && c == '[':
		return w.tuple(t.Fields, private)
	case k == abi.Record && c == '{':
		return w.record(t.Fields, private)
	case k == abi.Enum && c == '"':
		return w.enum(id, private)
	case k == abi.Variant && c == '{':
		return w.variant(id, private)
	}
	return w.unfit(private)
}

// unfit goes over a value that its type does not take. What a container holds is
// left out.
func (w *walker) unfit(private bool) bool {
	if c := w.space(); c != '{' && c != '[' {
		return w.any(private)
	}
	w.dropped++
	return w.aside(private) && w.put("null")
}

// aside goes over a value and leaves nothing of it but what is to be hidden
// elsewhere, too.
func (w *walker) aside(private bool) bool {
	out, spans := len(w.out), len(w.spans)
	ok := w.any(private)
	w.retract(out, spans)
	return ok
}

// retract takes back what was written since.
func (w *walker) retract(out, spans int) bool {
	w.out, w.spans = w.out[:out], w.spans[:spans]
	return true
}

func (w *walker) put(text string) bool {
	w.out = append(w.out, text...)
	return true
}

// token goes over a text or a number. A stand-in is written in quotes where the
// type has them.
func (w *walker) token(of class, private, quoted bool) bool {
	inQuotes := w.src[w.pos] == '"'
	var text []byte
	var ok bool
	if inQuotes {
		text, ok = w.text()
	} else {
		text, ok = w.number()
	}
	if !ok {
		return false
	}
	if private {
		w.hidden++
		inQuotes = quoted
	}
	if inQuotes {
		w.out = append(w.out, '"')
	}
	if private {
		w.out = append(w.out, w.carried.hide(of, canonical(of, text))...)
	} else {
		w.public(of, text)
	}
	if inQuotes {
		w.out = append(w.out, '"')
	}
	return true
}

// public writes a value that nothing marks.
func (w *walker) public(of class, text []byte) {
	start := len(w.out)
	w.out = append(w.out, text...)
	if of != classDuration {
		w.spans = append(w.spans, span{start, len(w.out), of})
	}
}

// name writes a member's name.
func (w *walker) name(text []byte) {
	w.out = append(append(append(w.out, '"'), text...), `":`...)
}

// any goes over a value whose type nobody knows.
func (w *walker) any(private bool) bool {
	switch c := w.space(); {
	case c == '"':
		return w.token(classText, private, true)
	case isNumber(c):
		return w.token(classNumber, private, false)
	case c == '[':
		return w.array(func() bool { return w.any(private) })
	case c == '{':
		return w.object(func(name []byte) bool {
			w.out = append(w.out, '"')
			w.public(classText, name)
			w.out = append(w.out, `":`...)
			return w.any(private)
		})
	}
	return w.literal(private)
}

func (w *walker) privateJSON() bool {
	w.space()
	start, hidden := w.pos, w.hidden
	if !w.aside(true) {
		return false
	}
	w.hidden = hidden + 1
	w.out = append(w.out, '"')
	w.out = append(w.out, w.r.key.standIn(classText, string(w.src[start:w.pos]))...)
	return w.put(`"`)
}

func (w *walker) money(private bool) bool {
	return w.object(func(name []byte) bool {
		switch string(name) {
		case "amount":
			w.name(name)
			if c := w.space(); c == '"' || isNumber(c) {
				return w.token(classNumber, private, true)
			}
			return w.unfit(private)
		case "currency":
			w.name(name)
			w.space()
			if rest := w.src[w.pos:]; len(rest) > 4 && rest[0] == '"' && rest[4] == '"' && isCurrency(rest[1:4]) {
				w.pos += 5
				return w.put(string(rest[:5]))
			}
			return w.unfit(private)
		}
		return w.unknown(private)
	})
}

func isCurrency(s []byte) bool {
	for _, c := range s {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// unknown leaves a member out that a type does not know.
func (w *walker) unknown(private bool) bool {
	w.dropped++
	return w.aside(private)
}

// once remembers what was written. It leaves out what was there before: stand-ins
// may have made it so.
type once map[string]bool

func (o *once) leaves(text []byte) bool {
	if *o == nil {
		*o = once{}
	}
	if (*o)[string(text)] {
		return true
	}
	(*o)[string(text)] = true
	return false
}

func (w *walker) list(elem abi.TypeID, private, isOnce bool) bool {
	var seen once
	return w.array(func() bool {
		out, spans := len(w.out), len(w.spans)
		ok := w.value(elem, private)
		if ok && isOnce && seen.leaves(w.out[out:]) {
			return w.retract(out, spans)
		}
		return ok
	})
}

// tuple goes over an array with an element for each field.
func (w *walker) tuple(fields []abi.Field, private bool) bool {
	if w.space() != '[' {
		return w.unfit(private)
	}
	i := 0
	return w.array(func() bool {
		if i == len(fields) {
			w.dropped++
			return w.aside(private) && w.put("null")
		}
		f := &fields[i]
		i++
		return w.value(f.Type, private || f.Private)
	})
}

// entries goes over a map: an object, or an array of pairs.
func (w *walker) entries(t *abi.Type, isObject, private bool) bool {
	isOnce := private || w.r.holds[t.Key]
	var seen once
	if !isObject {
		return w.array(func() bool {
			out, spans, inPair := len(w.out), len(w.spans), 0
			if w.space() != '[' {
				return w.unfit(private)
			}
			again := false
			ok := w.array(func() bool {
				at, id := len(w.out), t.Elem
				if inPair++; inPair == 1 {
					id = t.Key
				}
				ok := w.value(id, private)
				again = again || ok && inPair == 1 && isOnce && seen.leaves(w.out[at:])
				return ok
			})
			if ok && again {
				return w.retract(out, spans)
			}
			return ok
		})
	}
	key := &w.r.schema.Types[t.Key]
	for key.Kind == abi.Wrapper {
		key = &w.r.schema.Types[key.Elem]
	}
	of, isToken := classOf(key.Kind)
	return w.object(func(name []byte) bool {
		out, spans := len(w.out), len(w.spans)
		switch {
		case private && isToken:
			w.hidden++
			w.name([]byte(w.carried.hide(of, canonical(of, name))))
		case private:
			w.hidden++
			w.name([]byte(w.firstName(t.Key)))
		case !isToken && ctorOf(key, name) == nil:
			return w.unknown(private)
		default:
			w.out = append(w.out, '"')
			if isToken {
				w.public(of, name)
			} else {
				w.out = append(w.out, name...)
			}
			w.out = append(w.out, `":`...)
		}
		again := isOnce && seen.leaves(w.out[out:])
		ok := w.value(t.Elem, private)
		if ok && again {
			return w.retract(out, spans)
		}
		return ok
	})
}

// firstName is the stand-in of an alternative that names a member.
func (w *walker) firstName(id abi.TypeID) string {
	t := &w.r.schema.Types[id]
	for t.Kind == abi.Wrapper {
		t = &w.r.schema.Types[t.Elem]
	}
	if len(t.Ctors) == 0 {
		return ""
	}
	return string(codec.AppendEscaped(nil, t.Ctors[0].JSON))
}

// record goes over an object with a member for each field.
func (w *walker) record(fields []abi.Field, private bool) bool {
	m := members{w: w, fields: fields, private: private}
	return w.objectAnd(m.member, m.defaults)
}

// members are those of an object that are fields.
type members struct {
	w       *walker
	fields  []abi.Field
	private bool
	next    int    // the field to try first
	seen    uint64 // the first 64 fields that came
}

func (m *members) member(name []byte) bool {
	for range m.fields {
		i := m.next % len(m.fields)
		m.next = i + 1
		if f := &m.fields[i]; isName(name, jsonName(f)) {
			if i < 64 {
				m.seen |= 1 << i
			}
			m.w.name(name)
			return m.w.value(f.Type, m.private || f.Private)
		}
	}
	return m.w.unknown(m.private)
}

// defaults writes what stands for absent members, where it has stand-ins: the
// program hands them on, and a replay has to come to the same.
func (m *members) defaults() {
	w := m.w
	for i := range m.fields {
		f := &m.fields[i]
		private := m.private || f.Private
		if f.Default == "" || i >= 64 || m.seen>>i&1 != 0 || !private && !w.r.holds[f.Type] {
			continue
		}
		if w.out[len(w.out)-1] != '{' {
			w.out = append(w.out, ',')
		}
		w.name(codec.AppendEscaped(nil, jsonName(f)))
		src, pos := w.src, w.pos
		w.src, w.pos = []byte(f.Default), 0
		w.value(f.Type, private) // it is JSON
		w.src, w.pos = src, pos
	}
}

func jsonName(f *abi.Field) string {
	if f.JSON != "" {
		return f.JSON
	}
	return f.Name
}

// isName compares a name in JSON, escaped, with one of the schema.
func isName(name []byte, want string) bool {
	return string(name) == want && !isEscapedName(want) || isEscapedName(want) && string(name) == string(codec.AppendEscaped(nil, want))
}

func isEscapedName(s string) bool {
	for i := range len(s) {
		if mustEscape(s[i]) {
			return true
		}
	}
	return false
}

func ctorOf(t *abi.Type, name []byte) *abi.Ctor {
	for i := range t.Ctors {
		if isName(name, t.Ctors[i].JSON) {
			return &t.Ctors[i]
		}
	}
	return nil
}

func (w *walker) enum(id abi.TypeID, private bool) bool {
	name, ok := w.text()
	if !ok {
		return false
	}
	if private {
		w.hidden++
		return w.put(w.r.examples[id])
	}
	if ctorOf(&w.r.schema.Types[id], name) == nil {
		w.dropped++
		return w.put("null")
	}
	w.out = append(append(append(w.out, '"'), name...), '"')
	return true
}

func (w *walker) variant(id abi.TypeID, private bool) bool {
	tag, ok := w.tag()
	if !ok {
		return false
	}
	ctor := ctorOf(&w.r.schema.Types[id], tag)
	if ctor == nil {
		return w.unfit(private)
	}
	out, spans, hidden := len(w.out), len(w.spans), w.hidden
	m := members{w: w, fields: ctor.Fields, private: private}
	ok = w.objectAnd(func(name []byte) bool {
		if string(name) == "type" {
			w.name(name)
			if w.space() == '"' {
				_, ok := w.text()
				w.out = append(append(append(w.out, '"'), tag...), '"')
				return ok
			}
			return w.unfit(private)
		}
		return m.member(name)
	}, m.defaults)
	if !ok || !private {
		return ok
	}
	w.hidden = hidden + 1
	w.retract(out, spans)
	return w.put(w.r.examples[id])
}
