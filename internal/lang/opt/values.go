package opt

import (
	"towpath.dev/internal/lang/ir"
)

// vn is a value number: expressions with equal numbers have equal values
// wherever both are evaluated. 0 is no number.
type vn int32

// kind is how a value comes about; operators of package ir are kinds of their
// own, beyond the others.
type kind uint16

const (
	kindConst  kind = iota // aux: its bits
	kindOpaque             // known by nothing but its type
	kindCell               // the address of an allocation
	kindLoad               // of memory that does not change: a the address, aux offset and width
	kindRead               // of a global or of mutable memory: aux a number of its own for each state
	kindCond               // a ? b : aux
	kindOp                 // kindOp + op: a and b the operands
)

// value is what is known of how a value comes about. It is the key of the table.
type value struct {
	aux  uint64
	a, b vn
	kind kind
	t    ir.Type
}

func (v *value) op() ir.Op {
	if v.kind < kindOp {
		return ir.NoOp
	}
	return ir.Op(v.kind - kindOp)
}

// values numbers the values of one function. The table is a hash table with
// open addressing, since a look-up is made for every expression of a program.
type values struct {
	list  []value // by number; list[0] is unused
	known []span  // by number: what tests around the place that is looked at say
	alias []vn    // by number: what it is known to equal there, or 0
	slots []vn
	mask  uint32
}

// reset forgets everything.
func (v *values) reset() {
	v.list = append(v.list[:0], value{})
	v.known = append(v.known[:0], full)
	v.alias = append(v.alias[:0], 0)
	if len(v.slots) != smallTable { // most functions are small
		v.slots = make([]vn, smallTable)
	}
	clear(v.slots)
	v.mask = smallTable - 1
}

// smallTable is how many slots a function begins with, a power of two.
const smallTable = 512

func (x *value) hash() uint32 {
	h := x.aux*0x9e3779b97f4a7c15 ^ uint64(x.a)*0xff51afd7ed558ccd ^ uint64(x.b)*0xc4ceb9fe1a85ec53 ^
		uint64(x.kind)<<8 ^ uint64(x.t)
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return uint32(h >> 32)
}

// number is the number of a value, a new one at its first sight.
func (v *values) number(x value) vn {
	i := x.hash() & v.mask
	for ; v.slots[i] != 0; i = (i + 1) & v.mask {
		if v.list[v.slots[i]] == x {
			return v.slots[i]
		}
	}
	n := v.add(x)
	v.slots[i] = n
	if len(v.list)*2 > len(v.slots) {
		v.grow()
	}
	return n
}

func (v *values) add(x value) vn {
	v.list = append(v.list, x)
	v.known = append(v.known, full)
	v.alias = append(v.alias, 0)
	return vn(len(v.list) - 1)
}

func (v *values) grow() {
	old := v.slots
	v.slots = make([]vn, 2*len(old))
	v.mask = uint32(len(v.slots) - 1)
	for _, n := range old {
		if n == 0 {
			continue
		}
		i := v.list[n].hash() & v.mask
		for v.slots[i] != 0 {
			i = (i + 1) & v.mask
		}
		v.slots[i] = n
	}
}

// constant is the number of a constant.
func (v *values) constant(t ir.Type, bits uint64) vn {
	if t == ir.I32 {
		bits = uint64(uint32(bits))
	}
	return v.number(value{kind: kindConst, t: t, aux: bits})
}

// fresh is a new value of which nothing is known.
func (v *values) fresh(t ir.Type) vn { return v.add(value{kind: kindOpaque, t: t}) }

// cell is the address of a new allocation, a multiple of 8.
func (v *values) cell() vn { return v.add(value{kind: kindCell, t: ir.I32}) }

func (v *values) isConst(n vn) (uint64, bool) {
	x := &v.list[n]
	return x.aux, x.kind == kindConst
}

// is reports whether n is that constant, of any type.
func (v *values) is(n vn, bits uint64) bool {
	x := &v.list[n]
	return x.kind == kindConst && x.aux == bits
}

// operation says by which operator, from what, a value comes: NoOp from nothing
// where it comes by none. What a and b of other kinds say are no values.
func (v *values) operation(n vn) (op ir.Op, a, b vn) {
	x := &v.list[n]
	if x.kind < kindOp {
		return ir.NoOp, 0, 0
	}
	return x.op(), x.a, x.b
}

// resolve is what a value is known to equal, or the value itself.
func (v *values) resolve(n vn) vn {
	for v.alias[n] != 0 {
		n = v.alias[n]
	}
	return n
}

// unary and binary number the result of an operator, after simplifying.
func (v *values) unary(op ir.Op, a vn) vn { return v.binary(op, a, 0) }

func (v *values) binary(op ir.Op, a, b vn) vn {
	if n := v.fold(op, a, b); n != 0 {
		return n
	}
	if n := v.simplify(op, a, b); n != 0 {
		return v.resolve(n)
	}
	return v.plain(op, a, b)
}

// plain numbers the result of an operator as it is. Of two ways to write the
// same comparison or sum one is chosen, constants standing right.
func (v *values) plain(op ir.Op, a, b vn) vn {
	if b != 0 && v.before(b, a) {
		if mirror := op.Mirror(); mirror != ir.NoOp {
			op, a, b = mirror, b, a
		}
	}
	return v.resolve(v.number(value{kind: kindOp + kind(op), t: op.Result(), a: a, b: b}))
}

// before puts constants last and everything else in the order of its making.
func (v *values) before(a, b vn) bool {
	_, ca := v.isConst(a)
	_, cb := v.isConst(b)
	if ca != cb {
		return cb
	}
	return a < b
}

// load is the number of what an address holds for good.
func (v *values) load(t ir.Type, width uint8, addr vn, offset uint32) vn {
	return v.resolve(v.number(value{kind: kindLoad, t: t, a: addr, aux: uint64(offset)<<8 | uint64(width)}))
}

// cond is the number of a choice.
func (v *values) cond(test, then, other vn) vn {
	if bits, ok := v.isConst(test); ok {
		if uint32(bits) != 0 {
			return then
		}
		return other
	}
	if then == other {
		return then
	}
	if v.boolean(test) && v.list[then].t == ir.I32 {
		switch {
		case v.is(then, 1) && v.is(other, 0):
			return test
		case v.is(then, 0) && v.is(other, 1):
			return v.unary(ir.I32Eqz, test)
		}
	}
	return v.resolve(v.number(value{kind: kindCond, t: v.list[then].t, a: test, b: then, aux: uint64(other)}))
}

// boolean reports that a value is 0 or 1.
func (v *values) boolean(n vn) bool {
	x := &v.list[n]
	switch op := x.op(); {
	case x.kind == kindConst:
		return x.t == ir.I32 && x.aux <= 1
	case x.kind == kindOpaque:
		return x.t == ir.I32 && v.known[n].within(0, 1)
	case op == ir.I32And:
		return v.boolean(x.a) || v.boolean(x.b)
	case op == ir.I32Or, op == ir.I32Xor:
		return v.boolean(x.a) && v.boolean(x.b)
	default:
		return op.Compares()
	}
}
