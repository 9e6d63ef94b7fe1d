package codec

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"towpath.dev/internal/abi"
)

// Body is where a text lies in the region. The byte after it belongs to the
// decoder, which puts a 0 there as a sentinel: no token of JSON goes past it.
type Body struct {
	Addr uint32
	Len  uint32
}

// slack is how far past a body the decoder may read, without looking.
const slack = 64

// Decoder reads bodies. The zero value is ready; a Decoder keeps its scratch
// space, and learns in which order members come, so that one used again
// allocates nothing and guesses well. It is not for concurrent use.
type Decoder struct {
	// Strict refuses members that a type does not know.
	Strict bool

	mem         region
	end         uint // of the body: the sentinel's address
	heap, limit uint32
	depth       int // how much deeper it may nest
	values      []uint64
	entries     []entry
	codec       *Codec
	next        []int32 // as Codec.guesses, by what this decoder has seen
	err         *failure
	spaced      bool // skip has seen white space
}

// failure is an Error in the making: the path grows as the decoder unwinds.
type failure struct {
	path     []string // last step first
	at       uint
	expected string
	found    string
	memory   bool
}

// Decode reads the body as a value of the plan's type. What the value needs is
// allocated from heap on, 8-aligned, and below limit; newHeap is where that
// ends. The memory must hold the sentinel below heap, and 64 bytes beyond limit.
//
// The error is an *Error, or ErrMemory. Nothing outside the body's sentinel and
// heap to limit is written.
func (d *Decoder) Decode(p Plan, mem []byte, body Body, heap, limit uint32) (value uint64, newHeap uint32, err error) {
	end := uint64(body.Addr) + uint64(body.Len)
	if body.Addr == 0 || end >= uint64(heap) || heap > limit || heap > 1<<32-8 || uint64(limit)+slack > uint64(len(mem)) {
		return 0, heap, ErrMemory
	}
	d.mem, d.end = regionOf(mem), uint(end)
	d.heap, d.limit = abi.Align(heap, 8), limit
	d.depth = MaxDepth
	if d.codec != p.codec {
		d.codec, d.next = p.codec, slices.Clone(p.codec.guesses)
	}
	d.mem.put8(d.end, 0)
	v, pos := d.value(p.node, uint(body.Addr))
	if pos != 0 {
		if pos = d.space(pos); pos == d.end {
			return v, d.heap, nil
		}
		d.fail(pos, "the end of the text")
	}
	return 0, heap, d.failed(body)
}

// failed makes the error of d.err, and forgets it.
func (d *Decoder) failed(body Body) error {
	f := d.err
	d.err, d.values, d.entries = nil, d.values[:0], d.entries[:0]
	if f.memory {
		return ErrMemory
	}
	slices.Reverse(f.path)
	return &Error{Path: "$" + strings.Join(f.path, ""), Offset: int(f.at) - int(body.Addr), Expected: f.expected, Found: f.found}
}

// Every reader below takes the position where its text starts, white space
// before it included, and gives the value and the position after it; 0 says
// that it failed, with d.err.

// value reads a value of any type.
func (d *Decoder) value(n *node, pos uint) (uint64, uint) {
	switch n.op {
	case opString:
		return d.string(pos)
	case opInt:
		return d.integer(pos)
	case opRecord:
		return d.record(n, pos)
	case opList:
		return d.list(n, pos)
	case opFloat:
		return d.float(pos)
	case opDecimal:
		return d.decimal(pos)
	case opMoney:
		return d.money(pos)
	case opEnum:
		return d.enum(n, pos)
	case opOption:
		return d.option(n, pos)
	case opBool:
		return d.bool(pos)
	case opVariant:
		return d.variant(n, pos)
	case opDuration, opInstant, opDate:
		return d.time(n.op, pos)
	case opMap:
		return d.mapping(n, pos)
	case opSet:
		return d.set(n, pos)
	case opTuple:
		return d.tuple(n, pos)
	default:
		return d.json(pos)
	}
}

// space is the first position from pos on that is no white space. Runs of
// blanks, which indent most of what is indented, take one step for eight.
func (d *Decoder) space(pos uint) uint {
	m := d.mem
	for {
		switch c := m.u8(pos); {
		case c > ' ':
			return pos
		case c == ' ':
			pos += uint(bits.TrailingZeros64(m.u64(pos)^' '*ones)) >> 3
		case c == '\n' || c == '\r' || c == '\t':
			pos++
		default:
			return pos
		}
	}
}

// alloc takes size bytes, a multiple of 8; 0 when there are not so many.
func (d *Decoder) alloc(size uint32) uint {
	at := d.heap
	if at > d.limit || size > d.limit-at {
		d.noMemory()
		return 0
	}
	d.heap = at + size
	return uint(at)
}

// put stores a value as memory has it.
func (d *Decoder) put(at uint, v uint64, wide bool) {
	if wide {
		d.mem.put64(at, v)
	} else {
		d.mem.put32(at, uint32(v))
	}
}

func (d *Decoder) bool(pos uint) (uint64, uint) {
	const true4, fals4 = 'e'<<24 | 'u'<<16 | 'r'<<8 | 't', 's'<<24 | 'l'<<16 | 'a'<<8 | 'f'
	pos = d.space(pos)
	switch d.mem.u32(pos) {
	case true4:
		return 1, pos + 4
	case fals4:
		if d.mem.u8(pos+4) == 'e' {
			return 0, pos + 5
		}
	}
	return d.fail(pos, "Bool")
}

const null4 = 'l'<<24 | 'l'<<16 | 'u'<<8 | 'n'

func (d *Decoder) option(n *node, pos uint) (uint64, uint) {
	pos = d.space(pos)
	if d.mem.u32(pos) == null4 {
		return n.none(), pos + 4
	}
	v, pos := d.value(n.elem, pos)
	if n.form != abi.OptionBox || pos == 0 {
		return v, pos
	}
	cell := d.alloc(8)
	if cell == 0 {
		return 0, 0
	}
	d.mem.put64(cell, v)
	return uint64(cell), pos
}

// list reads the elements onto the scratch stack, since their number is only
// known at the end.
func (d *Decoder) list(n *node, pos uint) (uint64, uint) {
	base := len(d.values)
	if pos = d.elements(n, pos); pos == 0 {
		d.values = d.values[:base]
		return 0, 0
	}
	values := d.values[base:]
	d.values = d.values[:base]
	if len(values) == 0 {
		return 0, pos
	}
	at := d.alloc(abi.Align(uint32(len(values))*n.elem.size(), 8))
	if at == 0 {
		return 0, 0
	}
	if n.elem.wide {
		for i, v := range values {
			d.mem.put64(at+uint(i)*8, v)
		}
	} else {
		for i, v := range values {
			d.mem.put32(at+uint(i)*4, uint32(v))
		}
	}
	return uint64(at)<<32 | uint64(len(values)), pos
}

// elements reads an array's elements onto the scratch stack.
func (d *Decoder) elements(n *node, pos uint) uint {
	if d.mem.u8(pos) != '[' {
		if pos = d.space(pos); d.mem.u8(pos) != '[' {
			return d.failPos(pos, n.name)
		}
	}
	if !d.enter(pos) {
		return 0
	}
	pos++
	if d.mem.u8(pos) <= ' ' {
		pos = d.space(pos)
	}
	if d.mem.u8(pos) == ']' {
		d.depth++
		return pos + 1
	}
	base, elem := len(d.values), n.elem
	for {
		var v uint64
		if elem.op == opRecord {
			v, pos = d.record(elem, pos)
		} else {
			v, pos = d.value(elem, pos)
		}
		if pos == 0 {
			d.inIndex(len(d.values) - base)
			return 0
		}
		d.values = append(d.values, v)
		c := d.mem.u8(pos)
		if c <= ' ' {
			pos = d.space(pos)
			c = d.mem.u8(pos)
		}
		switch c {
		case ',':
			pos++
			continue
		case ']':
			d.depth++
			return pos + 1
		}
		return d.failPos(pos, "`,` or `]`")
	}
}

func (d *Decoder) tuple(n *node, pos uint) (uint64, uint) {
	pos = d.space(pos)
	if d.mem.u8(pos) != '[' {
		return d.fail(pos, n.name)
	}
	if !d.enter(pos) {
		return 0, 0
	}
	o := &n.object
	at := uint(0)
	if o.size > 0 {
		if at = d.alloc(o.size); at == 0 {
			return 0, 0
		}
	}
	pos = d.space(pos + 1)
	for i := range o.count {
		if i > 0 {
			if pos = d.space(pos); d.mem.u8(pos) != ',' {
				return d.fail(pos, "`,` and an element more: "+n.name)
			}
			pos++
		}
		f := &o.fields[i]
		var v uint64
		if v, pos = d.value(f.node, pos); pos == 0 {
			d.inIndex(i)
			return 0, 0
		}
		d.put(at+uint(f.offset), v, f.wide)
	}
	if pos = d.space(pos); d.mem.u8(pos) != ']' {
		return d.fail(pos, "`]` after the last element of "+n.name)
	}
	d.depth++
	return uint64(at), pos + 1
}

// enter goes one level deeper at pos.
func (d *Decoder) enter(pos uint) bool {
	if d.depth == 0 {
		d.failAs(pos, "at most "+strconv.Itoa(MaxDepth)+" levels", "one more")
		return false
	}
	d.depth--
	return true
}

// inIndex says that the failure lies in the element i.
func (d *Decoder) inIndex(i int) {
	d.err.path = append(d.err.path, "["+strconv.Itoa(i)+"]")
}

// inMember says that the failure lies in a member.
func (d *Decoder) inMember(name string) {
	d.err.path = append(d.err.path, memberPath(name))
}

func memberPath(name string) string {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return "[" + string(AppendString(nil, name)) + "]"
		}
	}
	if name == "" {
		return `[""]`
	}
	return "." + name
}

func (d *Decoder) noMemory() { d.err = &failure{memory: true} }

// fail says what was expected at pos; what was found is seen there.
func (d *Decoder) fail(pos uint, expected string) (uint64, uint) {
	d.failAs(pos, expected, d.found(pos))
	return 0, 0
}

func (d *Decoder) failPos(pos uint, expected string) uint {
	d.fail(pos, expected)
	return 0
}

func (d *Decoder) failAs(pos uint, expected, found string) (uint64, uint) {
	d.err = &failure{at: pos, expected: expected, found: found}
	return 0, 0
}

// found describes the text at pos in a few words.
func (d *Decoder) found(pos uint) string {
	rest := d.mem.bytes(pos, d.end-pos)
	if len(rest) == 0 {
		return "the end of the text"
	}
	until := func(stop func(c byte) bool) string {
		const most = 40
		for i, c := range rest {
			if i == most {
				return strings.ToValidUTF8(string(rest[:most]), "") + "…"
			}
			if i > 0 && stop(c) {
				return strings.ToValidUTF8(string(rest[:i]), "�")
			}
		}
		return strings.ToValidUTF8(string(rest), "�")
	}
	word := func(c byte) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '.' && c != '+' && c != '-'
	}
	switch c := rest[0]; {
	case c == '"':
		text := until(func(c byte) bool { return c == '"' || c < ' ' })
		if strings.HasSuffix(text, "…") {
			return "string " + strconv.QuoteToGraphic(strings.TrimSuffix(text[1:], "…")) + "…"
		}
		return "string " + strconv.QuoteToGraphic(text[1:])
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '-' || '0' <= c && c <= '9':
		return "number " + until(word)
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return until(word)
	case c < 0x20 || c == 0x7f:
		return "the control character " + strconv.QuoteToASCII(string(rune(c)))
	case c < 0x80:
		return "`" + string(rune(c)) + "`"
	}
	return "the characters " + strconv.QuoteToGraphic(until(func(c byte) bool { return c < 0x80 }))
}

// Heap is how far the last Decode wrote, when it failed too.
func (d *Decoder) Heap() uint32 { return d.heap }

// keepScratch is how many elements' scratch space Trim leaves.
const keepScratch = 512

// Trim gives back scratch space that only large texts need.
func (d *Decoder) Trim() {
	if cap(d.values) > keepScratch {
		d.values = nil
	}
	if cap(d.entries) > keepScratch {
		d.entries = nil
	}
}
