package interp

import (
	"towpath.dev/internal/abi"
	"towpath.dev/internal/lang/core"
)

// Value is a Tow value. Its Go type follows from its Tow type:
//
//	Bool                     bool
//	Int, Duration, Instant   int64 (nanoseconds; nanoseconds since the Unix epoch)
//	Date                     int64 (days since the Unix epoch)
//	Float                    float64
//	Decimal, Money           decimal.Decimal, core.Money
//	String                   string
//	Json                     JSON
//	List                     List
//	tuples                   Tuple, the unit value an empty one
//	all else                 *Record
//
// Map and Set are wrappers around the trees that the standard library keeps
// them in, so they are Records too; see Entries. Values never change.
type Value any

type (
	// JSON is a Json value: its text without insignificant white space.
	JSON string
	// Tuple is the elements of a tuple.
	Tuple []Value
	// Record is a value of a record, a variant or a wrapper; Fields in declared
	// order.
	Record struct {
		Ctor   *core.Ctor
		Fields []Value
	}
)

// List is a list. The zero List is empty.
type List struct {
	elems []Value
	room  *room
}

// room counts the elements used of the array behind some lists, so that the
// list which ends there, and it alone, can grow in place. This makes a fold
// that pushes linear.
type room struct{ used int }

// NewList makes a list of elems, which it keeps.
func NewList(elems ...Value) List { return List{elems: elems} }

// Elems are the elements. They must not be changed.
func (l List) Elems() []Value { return l.elems[:len(l.elems):len(l.elems)] }

// Len is the number of elements.
func (l List) Len() int { return len(l.elems) }

// Append is the list with more elements at its end.
func (l List) Append(more ...Value) List {
	if l.room == nil || l.room.used != len(l.elems) {
		elems := make([]Value, len(l.elems), 2*len(l.elems)+len(more))
		copy(elems, l.elems)
		l = List{elems: elems, room: &room{used: len(elems)}}
	}
	l.elems = append(l.elems, more...)
	l.room.used = len(l.elems)
	return l
}

// Slice is the elements from begin up to end, which must lie within the list.
func (l List) Slice(begin, end int) List { return List{elems: l.elems[begin:end:end]} }

// Entry is an entry of a Map; of a Set, its element is the Key and there is no
// Value.
type Entry struct{ Key, Value Value }

// Entries are the entries of a Map or a Set in ascending order of key.
func Entries(v Value) []Entry {
	var out []Entry
	var walk func(node *Record)
	walk = func(node *Record) {
		if node.Ctor.Tag == abi.NodeTip {
			return
		}
		// Bin(size, key, value, left, right), in a Set without the value.
		f := node.Fields
		children := f[len(f)-2:]
		walk(children[0].(*Record))
		e := Entry{Key: f[1]}
		if len(f) == 5 {
			e.Value = f[2]
		}
		out = append(out, e)
		walk(children[1].(*Record))
	}
	walk(v.(*Record).Fields[0].(*Record))
	return out
}

// NewMap makes a value of the Map or Set that def declares, of entries in
// strictly ascending order of key. The tree is the one that the middle of every
// range is the root of, the right one of two middles.
func NewMap(def *core.TypeDef, entries []Entry) Value {
	wrapper := def.Ctors[0]
	node := wrapper.Fields[0].Type.(*core.Con).Def
	tip := &Record{Ctor: node.Ctors[abi.NodeTip]}
	bin := node.Ctors[abi.NodeBin]
	var build func(entries []Entry) *Record
	build = func(entries []Entry) *Record {
		if len(entries) == 0 {
			return tip
		}
		mid := len(entries) / 2
		left, right := build(entries[:mid]), build(entries[mid+1:])
		fields := []Value{int64(len(entries)), entries[mid].Key}
		if len(bin.Fields) == 5 {
			fields = append(fields, entries[mid].Value)
		}
		return &Record{Ctor: bin, Fields: append(fields, left, right)}
	}
	return &Record{Ctor: wrapper, Fields: []Value{build(entries)}}
}

// isTree reports whether a record is a Map or a Set.
func isTree(r *Record) bool {
	def := r.Ctor.Def
	return def.Kind == core.Wrapper && (def.Name == "Map" || def.Name == "Set") && def.Module != nil &&
		(def.Module.Path == "std/map" || def.Module.Path == "std/set")
}

// isSet reports whether a Map or Set is a Set.
func isSet(r *Record) bool { return r.Ctor.Def.Name == "Set" }

// Constructors of the values that the language itself makes.

func (m *Machine) none() Value { return m.option("None") }

func (m *Machine) some(v Value) Value { return m.option("Some", v) }

func (m *Machine) option(ctor string, fields ...Value) Value {
	return construct(m.program.Std.Option, ctor, fields...)
}

// construct makes a value by its constructor's name.
func construct(def *core.TypeDef, name string, fields ...Value) Value {
	for _, c := range def.Ctors {
		if c.Name == name {
			return &Record{Ctor: c, Fields: fields}
		}
	}
	return nil // not in a checked program
}
