package codec

import (
	"slices"

	"towpath.dev/internal/abi"
)

// entry is a Map's key and value, or a Set's element.
type entry struct{ key, value uint64 }

// mapping reads a Map: an object, or an array of pairs.
func (d *Decoder) mapping(n *node, pos uint) (uint64, uint) {
	pos = d.space(pos)
	base := len(d.entries)
	open := pos
	if n.key.isName() {
		pos = d.namedEntries(n, pos)
	} else {
		pos = d.pairs(n, pos)
	}
	if pos == 0 {
		d.entries = d.entries[:base]
		return 0, 0
	}
	return d.grow(n, n.key, base, open, pos)
}

// set reads an array as a Set.
func (d *Decoder) set(n *node, pos uint) (uint64, uint) {
	open := d.space(pos)
	first := len(d.values)
	if pos = d.elements(n, pos); pos == 0 {
		d.values = d.values[:first]
		return 0, 0
	}
	base := len(d.entries)
	for _, v := range d.values[first:] {
		d.entries = append(d.entries, entry{key: v})
	}
	d.values = d.values[:first]
	return d.grow(n, n.elem, base, open, pos)
}

// isName reports whether a Map's keys of the type are members' names.
func (n *node) isName() bool {
	switch n.op {
	case opString, opInt, opDate, opEnum:
		return true
	}
	return false
}

// namedEntries reads an object's members as entries.
func (d *Decoder) namedEntries(n *node, pos uint) uint {
	m := d.mem
	if m.u8(pos) != '{' {
		return d.failPos(pos, n.name)
	}
	if !d.enter(pos) {
		return 0
	}
	if pos = d.space(pos + 1); m.u8(pos) == '}' {
		d.depth++
		return pos + 1
	}
	for {
		if pos = d.space(pos); m.u8(pos) != '"' {
			return d.failPos(pos, "a member's name")
		}
		start := pos
		key, end := d.keyName(n.key, pos)
		if end == 0 {
			return 0
		}
		if pos = d.space(end); m.u8(pos) != ':' {
			return d.failPos(pos, "`:`")
		}
		v, end := d.value(n.elem, pos+1)
		if end == 0 {
			d.inMember(d.nameAt(start))
			return 0
		}
		d.entries = append(d.entries, entry{key, v})
		switch pos = d.space(end); m.u8(pos) {
		case ',':
			pos++
		case '}':
			d.depth++
			return pos + 1
		default:
			return d.failPos(pos, "`,` or `}`")
		}
	}
}

// keyName reads a member's name as a key.
func (d *Decoder) keyName(n *node, pos uint) (uint64, uint) {
	if n.op == opEnum {
		i, end := d.alternative(n, pos)
		return uint64(i), end
	}
	text, end := d.string(pos)
	if n.op == opString || end == 0 {
		return text, end
	}
	name := d.mem.bytes(uint(text>>32), uint(uint32(text)))
	if n.op == opDate {
		if v, ok := parseTime(opDate, name); ok {
			return v, end
		}
		return d.fail(pos, `Date such as "2026-01-31"`)
	}
	v, ok := parseInt(name)
	if !ok {
		return d.fail(pos, "Int in a member's name")
	}
	return v, end
}

// parseInt reads a whole text as an Int, in the syntax of JSON.
func parseInt(b []byte) (uint64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	v, n, ok := digits(b)
	if !ok || n == 0 || n != len(b) || b[0] == '0' && n > 1 {
		return 0, false
	}
	if negative {
		return -v, v <= 1<<63
	}
	return v, v < 1<<63
}

// nameAt is the member's name at pos, which was read before.
func (d *Decoder) nameAt(pos uint) string {
	err := d.err
	text, end := d.string(pos)
	d.err = err
	if end == 0 {
		return "…"
	}
	return string(d.mem.bytes(uint(text>>32), uint(uint32(text))))
}

// pairs reads an array of [key, value] as entries.
func (d *Decoder) pairs(n *node, pos uint) uint {
	m := d.mem
	if m.u8(pos) != '[' {
		return d.failPos(pos, n.name)
	}
	if !d.enter(pos) {
		return 0
	}
	if pos = d.space(pos + 1); m.u8(pos) == ']' {
		d.depth++
		return pos + 1
	}
	for base := len(d.entries); ; {
		e, end := d.pair(n, pos)
		if end == 0 {
			d.inIndex(len(d.entries) - base)
			return 0
		}
		d.entries = append(d.entries, e)
		switch pos = d.space(end); m.u8(pos) {
		case ',':
			pos++
		case ']':
			d.depth++
			return pos + 1
		default:
			return d.failPos(pos, "`,` or `]`")
		}
	}
}

func (d *Decoder) pair(n *node, pos uint) (e entry, end uint) {
	m := d.mem
	if pos = d.space(pos); m.u8(pos) != '[' {
		return e, d.failPos(pos, "[key, value] of "+n.name)
	}
	if !d.enter(pos) {
		return e, 0
	}
	if e.key, pos = d.value(n.key, pos+1); pos == 0 {
		d.inIndex(0)
		return e, 0
	}
	if pos = d.space(pos); m.u8(pos) != ',' {
		return e, d.failPos(pos, "`,` and a value of "+n.name)
	}
	if e.value, pos = d.value(n.elem, pos+1); pos == 0 {
		d.inIndex(1)
		return e, 0
	}
	if pos = d.space(pos); m.u8(pos) != ']' {
		return e, d.failPos(pos, "`]` after a key and its value")
	}
	d.depth++
	return e, pos + 1
}

// grow makes the balanced tree of the entries from base on, and gives end on.
// open is where their text starts.
func (d *Decoder) grow(n, key *node, base int, open, end uint) (uint64, uint) {
	entries := d.entries[base:]
	d.entries = d.entries[:base] // the array stays until the tree is made
	c := comparer{mem: d.mem}
	order := func(a, b entry) int { return c.compare(key, a.key, b.key) }
	if !slices.IsSortedFunc(entries, order) {
		slices.SortFunc(entries, order)
	}
	c.mixed = false
	for i := 1; i < len(entries); i++ {
		same := order(entries[i-1], entries[i]) == 0
		if c.mixed { // if any two keys mix currencies, then two neighbours do
			return d.failAs(open, "keys of one currency: "+n.name, "amounts of two")
		}
		if same {
			what := "a key once: " + n.name
			if n.op == opSet {
				what = "an element once: " + n.name
			}
			return d.failAs(open, what, "twice "+d.text(key, entries[i].key))
		}
	}
	root, ok := d.subtree(&n.tree, n, entries)
	if !ok {
		return 0, 0
	}
	return uint64(root), end
}

// text is a value as JSON, for a message.
func (d *Decoder) text(n *node, v uint64) string {
	b, err := Plan{node: n}.Append(nil, d.mem.bytes(0, uint(d.limit)), v)
	if err != nil {
		return "it"
	}
	return string(b)
}

// subtree makes the tree of ascending entries: the middle one on top, so that
// the sides' sizes differ by at most one.
func (d *Decoder) subtree(t *tree, n *node, entries []entry) (uint32, bool) {
	if len(entries) == 0 {
		return t.tip, true
	}
	at := d.alloc(t.size)
	if at == 0 {
		return 0, false
	}
	middle := len(entries) / 2
	left, ok := d.subtree(t, n, entries[:middle])
	if !ok {
		return 0, false
	}
	right, ok := d.subtree(t, n, entries[middle+1:])
	if !ok {
		return 0, false
	}
	e := entries[middle]
	d.mem.put32(at, abi.NodeBin)
	d.mem.put64(at+uint(t.count), uint64(len(entries)))
	if n.op == opMap {
		d.put(at+uint(t.key), e.key, n.key.wide)
		d.put(at+uint(t.value), e.value, n.elem.wide)
	} else {
		d.put(at+uint(t.key), e.key, n.elem.wide)
	}
	d.mem.put32(at+uint(t.left), left)
	d.mem.put32(at+uint(t.right), right)
	return uint32(at), true
}
