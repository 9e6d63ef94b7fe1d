package codec

import (
	"errors"
	"fmt"
	"math"

	"towpath.dev/internal/abi"
)

// op says how a value is read and written.
type op uint8

const (
	opBool op = iota
	opInt
	opFloat
	opDecimal
	opMoney
	opString
	opDuration
	opInstant
	opDate
	opJSON
	opList
	opMap
	opSet
	opTuple
	opRecord
	opEnum
	opVariant
	opOption
)

// node is a type's plan. Wrappers have none: they share what they wrap.
type node struct {
	op     op
	wide   bool           // the value takes 8 bytes in memory, else 4
	form   abi.OptionForm // opOption
	name   string         // as a user writes it
	elem   *node          // opList, opSet, opOption; opMap's value
	key    *node          // opMap
	object object         // opRecord; opTuple without names
	alts   []alt          // opEnum, opVariant, by tag
	byName map[string]int // alts; nil while they are few
	tree   tree           // opMap, opSet
}

// size is the bytes that a value takes in memory.
func (n *node) size() uint32 {
	if n.wide {
		return 8
	}
	return 4
}

// none is the value of None.
func (n *node) none() uint64 {
	if n.form == abi.OptionAllOnes {
		return math.MaxUint64
	}
	return 0
}

// object is the members of a record or of a variant's alternative.
type object struct {
	fields []field // one more than count: the last matches no member
	count  int
	size   uint32
	all    uint64         // a bit for each of the first 64 fields
	tagged bool           // a variant's: the member "type" is known
	byName map[string]int // nil while they are few
	owner  string         // the type's name
	// guesses is where Codec.guesses has the object's places, one a field and one
	// more.
	guesses int
}

// few is up to how many names are looked for one by one.
const few = 12

// field is a member.
type field struct {
	literal         // its name and the colon: `"price":`
	op      op      // node's
	wide    bool    // node's
	absent  absence // what stands for it when it is absent
	offset  uint32  //
	node    *node   //
	bits    uint64  // absentValue: the value
	text    string  // absentText: the default as JSON
	name    string  // without quotes
	comma   string  // as it is written: `,"price":`
}

type absence uint8

const (
	absentRefused absence = iota
	absentValue           // a value that needs no memory
	absentText            // a text to be decoded
)

// literal is a text to be recognised sixteen bytes at a time.
type literal struct {
	word0, mask0 uint64
	word1, mask1 uint64
	tail         string // what is beyond sixteen bytes
	length       uint
}

func newLiteral(s string) literal {
	l := literal{length: uint(len(s))}
	l.word0, l.mask0 = word(s)
	if len(s) > 8 {
		l.word1, l.mask1 = word(s[8:])
	}
	if len(s) > 16 {
		l.tail = s[16:]
	}
	return l
}

// stands reports whether the first sixteen bytes of the literal stand at pos.
func (l *literal) stands(m region, pos uint) bool {
	return (m.u64(pos)^l.word0)&l.mask0 == 0 && (m.u64(pos+8)^l.word1)&l.mask1 == 0
}

// neverLiteral matches nothing: a text in UTF-8 has no byte 0xff, and the
// sentinel is 0.
func neverLiteral() literal { return literal{word0: 0xff, mask0: 0xff} }

// alt is an alternative of an enum or a variant.
type alt struct {
	literal        // its name in quotes
	name    string // without
	quoted  string // as an enum is written
	tagText string // as a variant's beginning is written: `{"type":"Used"`
	object  object
	static  uint32
}

// tree is the layout of a Map's or Set's nodes.
type tree struct {
	tip   uint32 // address of the empty tree
	size  uint32 // bytes of a Bin
	count uint32 // offsets of a Bin's fields
	key   uint32
	value uint32 // Map only
	left  uint32
	right uint32
}

// base is the type behind wrappers; ok is false when there is none.
func (c *Codec) base(id abi.TypeID) (abi.TypeID, bool) {
	for range len(c.schema.Types) {
		if id < 0 || int(id) >= len(c.schema.Types) {
			return 0, false
		}
		t := &c.schema.Types[id]
		if t.Kind != abi.Wrapper {
			return id, true
		}
		id = t.Elem
	}
	return 0, false
}

func (c *Codec) node(id abi.TypeID) *node {
	id, _ = c.base(id)
	return &c.nodes[id]
}

var errLayout = errors.New("its layout is broken")

// checkElem refuses wrappers that wrap each other in a circle, and elements
// that are no types: without those, the schema's own methods end.
func (c *Codec) checkElem(id abi.TypeID) error {
	switch t := &c.schema.Types[id]; t.Kind {
	case abi.List, abi.Option, abi.Wrapper, abi.Set, abi.Map:
		return c.known(id, t.Elem)
	}
	return nil
}

func (c *Codec) known(ids ...abi.TypeID) error {
	for _, id := range ids {
		if _, ok := c.base(id); !ok {
			return fmt.Errorf("it refers to type %d, which is none", id)
		}
	}
	return nil
}

// check refuses what a plan could not be made from or would read astray with.
func (c *Codec) check(id abi.TypeID) error {
	t := &c.schema.Types[id]
	fits := func(fields []abi.Field, size uint32) error {
		for i := range fields {
			f := &fields[i]
			if err := c.known(f.Type); err != nil {
				return err
			}
			if n := c.schema.Val(f.Type).Size(); size%8 != 0 || size > math.MaxInt32 || uint64(f.Offset)+uint64(n) > uint64(size) || f.Offset%n != 0 {
				return errLayout
			}
		}
		return nil
	}
	switch t.Kind {
	case abi.Record, abi.Tuple:
		return fits(t.Fields, t.Size)
	case abi.Enum, abi.Variant:
		if len(t.Ctors) == 0 {
			return errors.New("it has no alternatives")
		}
		for i := range t.Ctors {
			if err := fits(t.Ctors[i].Fields, t.Ctors[i].Size); err != nil {
				return err
			}
		}
	case abi.Map, abi.Set:
		return c.checkTree(t)
	default:
		if t.Kind == 0 || t.Kind > abi.Wrapper {
			return fmt.Errorf("its kind %d is unknown", t.Kind)
		}
	}
	return nil
}

func (c *Codec) checkTree(t *abi.Type) error {
	if err := c.known(t.Node); err != nil {
		return err
	}
	count := 4
	if t.Kind == abi.Map {
		count = 5
		if err := c.known(t.Key); err != nil {
			return err
		}
	}
	n := &c.schema.Types[t.Node]
	if n.Kind != abi.Variant || len(n.Ctors) != 2 || len(n.Ctors[abi.NodeBin].Fields) != count {
		return errors.New("its tree is no Node")
	}
	fields := n.Ctors[abi.NodeBin].Fields
	want := []abi.Val{abi.I64, c.schema.Val(t.Elem), abi.I32, abi.I32}
	if t.Kind == abi.Map {
		want = []abi.Val{abi.I64, c.schema.Val(t.Key), c.schema.Val(t.Elem), abi.I32, abi.I32}
	}
	for i, v := range want {
		if c.known(fields[i].Type) != nil || c.schema.Val(fields[i].Type).Size() != v.Size() {
			return errLayout
		}
	}
	return nil
}

// plan fills in the node of a type.
func (c *Codec) plan(id abi.TypeID) {
	t := &c.schema.Types[id]
	n := &c.nodes[id]
	n.name = t.Name
	n.wide = c.schema.Val(id) != abi.I32
	switch t.Kind {
	case abi.Bool:
		n.op = opBool
	case abi.Int:
		n.op = opInt
	case abi.Float:
		n.op = opFloat
	case abi.Decimal:
		n.op = opDecimal
	case abi.Money:
		n.op = opMoney
	case abi.String:
		n.op = opString
	case abi.Duration:
		n.op = opDuration
	case abi.Instant:
		n.op = opInstant
	case abi.Date:
		n.op = opDate
	case abi.Json:
		n.op = opJSON
	case abi.List:
		n.op, n.elem = opList, c.node(t.Elem)
	case abi.Option:
		n.op, n.elem, n.form = opOption, c.node(t.Elem), c.schema.OptionForm(id)
	case abi.Map:
		n.op, n.key, n.elem = opMap, c.node(t.Key), c.node(t.Elem)
		n.tree = planTree(&c.schema.Types[t.Node], true)
	case abi.Set:
		n.op, n.elem = opSet, c.node(t.Elem)
		n.tree = planTree(&c.schema.Types[t.Node], false)
	case abi.Tuple:
		n.op = opTuple
		n.object = c.planObject(t.Fields, t.Size, t.Name)
	case abi.Record:
		n.op = opRecord
		n.object = c.planObject(t.Fields, t.Size, t.Name)
	case abi.Enum, abi.Variant:
		n.op = opEnum
		if t.Kind == abi.Variant {
			n.op = opVariant
		}
		c.planAlts(n, t)
	}
}

func (c *Codec) planAlts(n *node, t *abi.Type) {
	if len(t.Ctors) > few {
		n.byName = map[string]int{}
	}
	for i := range t.Ctors {
		ctor := &t.Ctors[i]
		quoted := string(AppendString(nil, ctor.JSON))
		a := alt{
			literal: newLiteral(quoted), name: ctor.JSON, quoted: quoted, tagText: `{"type":` + quoted,
			object: c.planObject(ctor.Fields, ctor.Size, t.Name), static: ctor.Static,
		}
		a.object.tagged = true
		n.alts = append(n.alts, a)
		if n.byName != nil {
			n.byName[ctor.JSON] = i
		}
	}
}

func planTree(t *abi.Type, hasValue bool) tree {
	bin := &t.Ctors[abi.NodeBin]
	at := make([]uint32, len(bin.Fields))
	for i := range bin.Fields {
		at[i] = bin.Fields[i].Offset
	}
	tree := tree{tip: t.Ctors[abi.NodeTip].Static, size: bin.Size, count: at[0], key: at[1]}
	if hasValue {
		tree.value, at = at[2], at[1:]
	}
	tree.left, tree.right = at[2], at[3]
	return tree
}

func (c *Codec) planObject(fields []abi.Field, size uint32, owner string) object {
	o := object{count: len(fields), size: size, owner: owner, fields: make([]field, 0, len(fields)+1)}
	o.all = 1<<min(len(fields), 64) - 1
	if len(fields) >= 64 {
		o.all = math.MaxUint64
	}
	if len(fields) > few {
		o.byName = make(map[string]int, len(fields))
	}
	for i := range fields {
		f := &fields[i]
		name := f.JSON
		if name == "" {
			name = f.Name
		}
		key := string(AppendString(nil, name)) + ":"
		id, _ := c.base(f.Type)
		p := field{
			literal: newLiteral(key), name: name, comma: "," + key,
			node: &c.nodes[id], wide: c.schema.Val(f.Type) != abi.I32, offset: f.Offset,
		}
		if c.schema.Types[id].Kind == abi.Option {
			p.absent = absentValue
			if c.schema.OptionForm(id) == abi.OptionAllOnes {
				p.bits = math.MaxUint64
			}
		}
		if f.Default != "" {
			p.absent, p.text = absentText, f.Default
		}
		if o.byName != nil {
			o.byName[name] = i
		}
		o.fields = append(o.fields, p)
	}
	o.fields = append(o.fields, field{literal: neverLiteral()})
	o.guesses = len(c.guesses)
	for i := range len(o.fields) {
		c.guesses = append(c.guesses, int32(i))
	}
	return o
}

// planDefaults sees that every default is a text of its type, and keeps the
// values of those that need no memory. It also hands the ops of nodes, which
// are known by now, down to their fields.
func (c *Codec) planDefaults() error {
	c.eachField(func(_ *node, f *field) error {
		f.op = f.node.op
		return nil
	})
	mem := make([]byte, 1<<16)
	return c.eachField(func(owner *node, f *field) error {
		if f.absent != absentText {
			return nil
		}
		const at = abi.StaticBase
		if len(f.text) > len(mem)/2 {
			return fmt.Errorf("%s.%s: its default is too long", owner.name, f.name)
		}
		heap := at + Room(copy(mem[at:], f.text))
		var d Decoder
		v, end, err := d.Decode(Plan{f.node, c}, mem, Body{Addr: at, Len: uint32(len(f.text))}, heap, uint32(len(mem)-slack))
		if err != nil {
			return fmt.Errorf("%s.%s: its default: %w", owner.name, f.name, err)
		}
		if bits, ok := f.node.immediate(v); ok && end == heap {
			f.absent, f.bits = absentValue, bits
		}
		return nil
	})
}

func (c *Codec) eachField(f func(*node, *field) error) error {
	each := func(o *object, owner *node) error {
		for i := range o.count {
			if err := f(owner, &o.fields[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range c.nodes {
		n := &c.nodes[i]
		if err := each(&n.object, n); err != nil {
			return err
		}
		for j := range n.alts {
			if err := each(&n.alts[j].object, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// immediate is the bits of a value that took no heap, if they mean the same
// without the text that it was read from.
func (n *node) immediate(v uint64) (uint64, bool) {
	switch n.op {
	case opString, opJSON:
		return 0, uint32(v) == 0
	case opOption:
		return v, v == n.none()
	}
	return v, true
}
