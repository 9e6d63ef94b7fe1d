package codec

import (
	"bytes"
	"cmp"
	"math"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/decimal"
)

// Compare orders two values of the plan's type, as Tow's structural order
// does: -1, 0 or 1. Both lie in memory that holds values of the type; it is not
// for memory that may be broken.
//
// false is before true, None before Some, alternatives go by their order of
// declaration, records and tuples by their first difference, lists too and
// then by length; strings by their bytes; NaN equals itself and is after
// all other floats; maps and sets by their ascending entries. Money of two
// currencies goes by the currency.
func (p Plan) Compare(mem []byte, a, b uint64) int {
	c := comparer{mem: regionOf(mem)}
	return c.compare(p.node, a, b)
}

type comparer struct {
	mem   region
	mixed bool // amounts of two currencies were compared, which Tow has no order for
}

func (c *comparer) compare(n *node, a, b uint64) int {
	switch n.op {
	case opString, opJSON:
		return bytes.Compare(c.bytes(a), c.bytes(b))
	case opInt, opDuration, opInstant:
		return cmp.Compare(int64(a), int64(b))
	case opDate:
		return cmp.Compare(int32(a), int32(b))
	case opBool, opEnum:
		return cmp.Compare(uint32(a), uint32(b))
	case opFloat:
		return -cmp.Compare(-math.Float64frombits(a), -math.Float64frombits(b)) // cmp puts NaN first
	case opDecimal:
		x, _ := unpackDecimal(c.mem, math.MaxUint64, a)
		y, _ := unpackDecimal(c.mem, math.MaxUint64, b)
		return decimal.Cmp(x, y)
	case opMoney:
		x, xc, _ := unpackMoney(c.mem, math.MaxUint64, a)
		y, yc, _ := unpackMoney(c.mem, math.MaxUint64, b)
		c.mixed = c.mixed || xc != yc
		return cmp.Or(cmp.Compare(xc, yc), decimal.Cmp(x, y))
	case opList:
		return c.lists(n, a, b)
	case opRecord, opTuple:
		return c.objects(&n.object, uint(uint32(a)), uint(uint32(b)))
	case opVariant:
		x, y := uint(uint32(a)), uint(uint32(b))
		tag := c.mem.u32(x)
		if d := cmp.Compare(tag, c.mem.u32(y)); d != 0 {
			return d
		}
		return c.objects(&n.alts[tag].object, x, y)
	case opOption:
		return c.options(n, a, b)
	default:
		return c.trees(n, uint32(a), uint32(b))
	}
}

func (c *comparer) bytes(v uint64) []byte {
	return c.mem.bytes(uint(v>>32), uint(uint32(v)))
}

// at is the value in memory at an address.
func (c *comparer) at(at uint, wide bool) uint64 {
	if wide {
		return c.mem.u64(at)
	}
	return uint64(c.mem.u32(at))
}

func (c *comparer) lists(n *node, a, b uint64) int {
	x, y := uint(a>>32)&^1, uint(b>>32)&^1
	size := uint(n.elem.size())
	for range min(uint32(a), uint32(b)) {
		if d := c.compare(n.elem, c.at(x, n.elem.wide), c.at(y, n.elem.wide)); d != 0 {
			return d
		}
		x, y = x+size, y+size
	}
	return cmp.Compare(uint32(a), uint32(b))
}

func (c *comparer) objects(o *object, a, b uint) int {
	for i := range o.count {
		f := &o.fields[i]
		if d := c.compare(f.node, c.at(a+uint(f.offset), f.wide), c.at(b+uint(f.offset), f.wide)); d != 0 {
			return d
		}
	}
	return 0
}

func (c *comparer) options(n *node, a, b uint64) int {
	x, y := a != n.none(), b != n.none()
	switch {
	case !x || !y:
		switch {
		case x:
			return 1
		case y:
			return -1
		}
		return 0
	case n.form == abi.OptionBox:
		a, b = c.at(uint(a), n.elem.wide), c.at(uint(b), n.elem.wide)
	}
	return c.compare(n.elem, a, b)
}

// trees walks two trees side by side.
func (c *comparer) trees(n *node, a, b uint32) int {
	x, y := walk{tree: &n.tree, mem: c.mem}, walk{tree: &n.tree, mem: c.mem}
	x.descend(a)
	y.descend(b)
	for {
		p, q := x.next(), y.next()
		if p == 0 || q == 0 {
			return cmp.Compare(min(p, 1), min(q, 1))
		}
		key := n.key
		if n.op == opSet {
			key = n.elem
		}
		if d := c.compare(key, c.at(p+uint(n.tree.key), key.wide), c.at(q+uint(n.tree.key), key.wide)); d != 0 {
			return d
		}
		if n.op == opSet {
			continue
		}
		if d := c.compare(n.elem, c.at(p+uint(n.tree.value), n.elem.wide), c.at(q+uint(n.tree.value), n.elem.wide)); d != 0 {
			return d
		}
	}
}

// walk goes through a tree's nodes in ascending order.
type walk struct {
	tree *tree
	mem  region
	path []uint // nodes whose left side is done or under way
}

func (w *walk) descend(at uint32) {
	for w.mem.u32(uint(at)) == abi.NodeBin {
		w.path = append(w.path, uint(at))
		at = w.mem.u32(uint(at) + uint(w.tree.left))
	}
}

// next is the next node's address, 0 at the end.
func (w *walk) next() uint {
	if len(w.path) == 0 {
		return 0
	}
	at := w.path[len(w.path)-1]
	w.path = w.path[:len(w.path)-1]
	w.descend(w.mem.u32(at + uint(w.tree.right)))
	return at
}
