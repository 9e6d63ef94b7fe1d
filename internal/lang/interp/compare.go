package interp

import (
	"cmp"
	"math"
	"strings"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
	"towpath.dev/internal/lang/core"
	"towpath.dev/internal/lang/span"
)

// Equal reports whether two values of type t are equal: NaN equals itself, 0.0
// equals -0.0, amounts of different currencies differ, Maps and Sets are equal
// when their entries are.
func (m *Machine) Equal(t core.Type, a, b Value) bool {
	ok, err := (&comparer{m: m}).equal(m.shape(t), a, b, -1)
	return ok && err == nil
}

// Compare orders two values of type t: -1, 0 or 1. False is before True, NaN
// after all other Floats, Strings are in order of their bytes, lists and tuples
// compare element by element, variants by the order of their alternatives and
// then by field, Maps and Sets as the ascending lists of their entries. The
// error is that of comparing amounts of different currencies.
func (m *Machine) Compare(t core.Type, a, b Value) (int, error) {
	return (&comparer{m: m}).order(m.shape(t), a, b, -1)
}

// comparer compares values. With a place it is a comparison of the program,
// which pays for what it reads.
//
// The argument depth of its methods is how much deeper values of recursive
// types may nest, -1 where none is being compared yet.
type comparer struct {
	m    *Machine
	paid bool
	at   span.Span
}

// comparer makes the comparer of the program's comparison at a place.
func (m *Machine) comparer(at span.Span) *comparer { return &comparer{m: m, paid: true, at: at} }

func (c *comparer) pay(gas int64) error {
	if !c.paid {
		return nil
	}
	return c.m.charge(gas, c.at)
}

// enter pays for a value of a recursive type, and gives the depth that is left
// for its parts.
func (c *comparer) enter(s *shape, depth int) (int, error) {
	if !s.isRecursive() {
		return -1, nil
	}
	if err := c.pay(1); err != nil {
		return 0, err
	}
	if depth < 0 {
		depth = c.m.opts.Depth
	}
	if depth == 0 {
		return 0, refuse(abi.TooDeep, "the values compared nest deeper than %d levels", c.m.opts.Depth)
	}
	return depth - 1, nil
}

func (c *comparer) equal(s *shape, a, b Value, depth int) (bool, error) {
	a, b = s.bare(a), s.bare(b)
	switch s.kind {
	case abi.String, abi.Json:
		a, b := text(a), text(b)
		if len(a) != len(b) {
			return false, nil
		}
		return a == b, c.pay(core.GasBytes(int64(len(a))))
	case abi.Money:
		return a == b, nil
	case abi.List, abi.Map, abi.Set, abi.Option, abi.Tuple, abi.Record, abi.Variant:
		return c.equalParts(s, a, b, depth)
	}
	return orderScalars(s.kind, a, b) == 0, nil
}

func (c *comparer) equalParts(s *shape, a, b Value, depth int) (bool, error) {
	if isEmpty(s) {
		return true, nil
	}
	depth, err := c.enter(s, depth)
	if err != nil {
		return false, err
	}
	switch s.kind {
	case abi.Map, abi.Set:
		list, a, b, err := c.entries(s, a, b)
		if err != nil {
			return false, err
		}
		return c.equal(list, a, b, depth)
	case abi.List:
		a, b := a.(List), b.(List)
		if a.Len() != b.Len() {
			return false, nil
		}
		for i, x := range a.elems {
			if err := c.pay(1); err != nil {
				return false, err
			}
			if ok, err := c.equal(s.parts()[0][0], x, b.elems[i], depth); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	tag, xs := taken(a)
	other, ys := taken(b)
	if tag != other {
		return false, nil
	}
	for i, part := range s.partsOf(tag) {
		if ok, err := c.equal(part, xs[i], ys[i], depth); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *comparer) order(s *shape, a, b Value, depth int) (int, error) {
	a, b = s.bare(a), s.bare(b)
	switch s.kind {
	case abi.String, abi.Json:
		a, b := text(a), text(b)
		return strings.Compare(a, b), c.pay(core.GasBytes(int64(min(len(a), len(b)))))
	case abi.Money:
		a, b := a.(core.Money), b.(core.Money)
		if a.Currency != b.Currency {
			return 0, refuse(abi.MixedCurrencies, "%s and %s", showMoney(a), showMoney(b))
		}
		return decimal.Cmp(a.Amount, b.Amount), nil
	case abi.List, abi.Map, abi.Set, abi.Option, abi.Tuple, abi.Record, abi.Variant:
		return c.orderParts(s, a, b, depth)
	}
	return orderScalars(s.kind, a, b), nil
}

func (c *comparer) orderParts(s *shape, a, b Value, depth int) (int, error) {
	if isEmpty(s) {
		return 0, nil
	}
	depth, err := c.enter(s, depth)
	if err != nil {
		return 0, err
	}
	switch s.kind {
	case abi.Map, abi.Set:
		list, a, b, err := c.entries(s, a, b)
		if err != nil {
			return 0, err
		}
		return c.order(list, a, b, depth)
	case abi.List:
		a, b := a.(List), b.(List)
		for i := range min(a.Len(), b.Len()) {
			if err := c.pay(1); err != nil {
				return 0, err
			}
			if order, err := c.order(s.parts()[0][0], a.elems[i], b.elems[i], depth); order != 0 || err != nil {
				return order, err
			}
		}
		return cmp.Compare(a.Len(), b.Len()), nil
	}
	tag, xs := taken(a)
	other, ys := taken(b)
	if tag != other {
		return cmp.Compare(tag, other), nil
	}
	for i, part := range s.partsOf(tag) {
		if order, err := c.order(part, xs[i], ys[i], depth); order != 0 || err != nil {
			return order, err
		}
	}
	return 0, nil
}

// entries gives the lists that two Maps or Sets are compared as, and the shape
// of these. The program's own comparisons have the standard library's toList
// make them, with the depth of a call by itself.
func (c *comparer) entries(s *shape, a, b Value) (list *shape, x, y Value, err error) {
	con := s.t.(*core.Con)
	elem := con.Args[0]
	if s.kind == abi.Map {
		elem = &core.Tuple{Elems: con.Args}
	}
	list = c.m.shape(&core.Con{Def: c.m.program.Std.List, Args: []core.Type{elem}})
	toList := function(con.Def.Module, "toList")
	if !c.paid || toList == nil {
		return list, listOf(Entries(a), s.kind), listOf(Entries(b), s.kind), nil
	}
	saved := c.m.depth
	c.m.depth = 0
	f := &callee{fn: toList, types: newTypeArgs(toList.TypeParams, con.Args, nil)}
	if x, err = c.m.enter(f, []Value{a}, 0, c.at); err == nil {
		y, err = c.m.enter(f, []Value{b}, 0, c.at)
	}
	c.m.depth = saved
	return list, x, y, err
}

// function finds a function of a module, nil without.
func function(m *core.Module, name string) *core.Func {
	for _, f := range m.Funcs {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// listOf is the list of a Set's elements, or of a Map's pairs.
func listOf(entries []Entry, kind abi.Kind) List {
	out := make([]Value, len(entries))
	for i, e := range entries {
		out[i] = e.Key
		if kind == abi.Map {
			out[i] = Tuple{e.Key, e.Value}
		}
	}
	return NewList(out...)
}

// isEmpty reports whether all values of the type are one, without parts.
func isEmpty(s *shape) bool {
	return (s.kind == abi.Tuple || s.kind == abi.Record) && len(s.parts()[0]) == 0
}

// partsOf are the parts of an alternative.
func (s *shape) partsOf(tag int) []*shape {
	if s.kind == abi.Option {
		return s.parts()[0][:tag] // None has none, Some the one
	}
	return s.parts()[tag]
}

// taken takes a tuple, record or variant apart.
func taken(v Value) (tag int, parts []Value) {
	if t, ok := v.(Tuple); ok {
		return 0, t
	}
	r := v.(*Record)
	return r.Ctor.Tag, r.Fields
}

func text(v Value) string {
	if j, ok := v.(JSON); ok {
		return string(j)
	}
	return v.(string)
}

// orderScalars orders values that have no parts and always compare.
func orderScalars(kind abi.Kind, a, b Value) int {
	switch kind {
	case abi.Bool:
		return cmp.Compare(rank(a.(bool)), rank(b.(bool)))
	case abi.Float:
		return orderFloats(a.(float64), b.(float64))
	case abi.Decimal:
		return decimal.Cmp(a.(decimal.Decimal), b.(decimal.Decimal))
	case abi.Enum:
		return cmp.Compare(a.(*Record).Ctor.Tag, b.(*Record).Ctor.Tag)
	}
	return cmp.Compare(a.(int64), b.(int64))
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func orderFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return cmp.Compare(rank(math.IsNaN(a)), rank(math.IsNaN(b)))
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
